"""What can be asked of one element, and what one element can become: words and code side by side.

Templates use {x} (or {a} and {b}) for the element's variable, {noun} for what the elements are called
in the plural, {of} for a noun phrase, {k} and {j} for drawn constants.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Predicate:
    """A condition on one element: as an adjective, after "is/does", as code, and as part of a name."""

    tag: str
    noun: str
    verb: str
    code: str
    k: tuple[int, int] | str | None = None
    """The range or the letters that {k} is drawn from; {j} is {k} plus 2 to 8."""


@dataclass(frozen=True)
class Change:
    """Something computed from one element: for many, as a step, for one, and as code."""

    tag: str
    many: str
    step: str
    its: str
    code: str
    gives: str
    k: tuple[int, int] | str | None = None


P, C = Predicate, Change

PREDICATES: dict[str, tuple[Predicate, ...]] = {
    "int": (
        P("even", "even {noun}", "is even", "{x} % 2 == 0"),
        P("odd", "odd {noun}", "is odd", "{x} % 2 == 1"),
        P("positive", "positive {noun}", "is positive", "{x} > 0"),
        P("negative", "negative {noun}", "is negative", "{x} < 0"),
        P("nonzero", "non-zero {noun}", "is not zero", "{x} != 0"),
        P("above", "{noun} greater than {k}", "is greater than {k}", "{x} > {k}", (1, 12)),
        P("below", "{noun} less than {k}", "is less than {k}", "{x} < {k}", (2, 12)),
        P("at_least", "{noun} that are at least {k}", "is at least {k}", "{x} >= {k}", (1, 10)),
        P("at_most", "{noun} that are at most {k}", "is at most {k}", "{x} <= {k}", (1, 10)),
        P("divisible", "{noun} divisible by {k}", "is divisible by {k}", "{x} % {k} == 0", (3, 5)),
        P("indivisible", "{noun} not divisible by {k}", "is not divisible by {k}", "{x} % {k} != 0", (2, 5)),
        P("between", "{noun} from {k} to {j} (inclusive)", "lies from {k} to {j} (inclusive)",
          "{k} <= {x} <= {j}", (0, 6)),
        P("outside", "{noun} below {k} or above {j}", "is below {k} or above {j}",
          "{x} < {k} or {x} > {j}", (0, 6)),
        P("ending", "{noun} whose last digit is {k}", "has the last digit {k}",
          "abs({x}) % 10 == {k}", (0, 9)),
        P("other", "{noun} other than {k}", "is not {k}", "{x} != {k}", (1, 9)),
        P("two_digit", "two-digit {noun}", "has exactly two digits", "10 <= abs({x}) <= 99"),
    ),
    "digit": (
        P("even", "even {noun}", "is even", "{x} % 2 == 0"),
        P("odd", "odd {noun}", "is odd", "{x} % 2 == 1"),
        P("nonzero", "non-zero {noun}", "is not zero", "{x} != 0"),
        P("above", "{noun} greater than {k}", "is greater than {k}", "{x} > {k}", (2, 6)),
        P("below", "{noun} less than {k}", "is less than {k}", "{x} < {k}", (3, 7)),
        P("at_least", "{noun} that are at least {k}", "is at least {k}", "{x} >= {k}", (2, 6)),
        P("divisible", "{noun} divisible by {k}", "is divisible by {k}", "{x} % {k} == 0", (3, 4)),
        P("other", "{noun} other than {k}", "is not {k}", "{x} != {k}", (0, 9)),
    ),
    "char": (
        P("vowel", "vowels (a, e, i, o, u in either case)", "is a vowel (a, e, i, o, u in either case)",
          '{x}.lower() in "aeiou"'),
        P("digit", "digits", "is a digit", "{x}.isdigit()"),
        P("letter", "letters", "is a letter", "{x}.isalpha()"),
        P("uppercase", "uppercase letters", "is an uppercase letter", "{x}.isupper()"),
        P("lowercase", "lowercase letters", "is a lowercase letter", "{x}.islower()"),
        P("space", "whitespace characters", "is whitespace", "{x}.isspace()"),
        P("visible", "characters that are not whitespace", "is not whitespace", "not {x}.isspace()"),
        P("alnum", "letters and digits", "is a letter or a digit", "{x}.isalnum()"),
        P("symbol", "characters that are neither letters nor digits", "is neither a letter nor a digit",
          "not {x}.isalnum()"),
        P("except", "characters other than '{k}'", "is not '{k}'", '{x} != "{k}"', "aeinost"),
        P("set", "characters that occur in '{k}'", "occurs in '{k}'", '{x} in "{k}"',
          "abc|xyz|aeiou|0123|etaoin|.,;!?|AEIOU|nrt"),
    ),
    "word": (
        P("long", "{noun} longer than {k} characters", "is longer than {k} characters", "len({x}) > {k}",
          (2, 5)),
        P("short", "{noun} shorter than {k} characters", "is shorter than {k} characters", "len({x}) < {k}",
          (3, 6)),
        P("sized", "{noun} of exactly {k} characters", "has exactly {k} characters", "len({x}) == {k}",
          (2, 5)),
        P("even_length", "{noun} of even length", "has an even length", "len({x}) % 2 == 0"),
        P("starting", "{noun} that start with '{k}'", "starts with '{k}'", '{x}.startswith("{k}")',
          "abcelmortu"),
        P("ending", "{noun} that end with '{k}'", "ends with '{k}'", '{x}.endswith("{k}")', "aeioopnrty"),
        P("containing", "{noun} that contain '{k}'", "contains '{k}'", '"{k}" in {x}', "aeiorlnt"),
        P("lacking", "{noun} that do not contain '{k}'", "does not contain '{k}'", '"{k}" not in {x}',
          "aeiorlnt"),
        P("capital", "{noun} whose first character is uppercase", "has an uppercase first character",
          "{x}[:1].isupper()"),
        P("upper", "{noun} written in uppercase", "is written in uppercase", "{x}.isupper()"),
        P("palindrome", "{noun} that read the same backwards", "reads the same backwards", "{x} == {x}[::-1]"),
        P("numeric", "{noun} made only of digits", "is made only of digits", "{x}.isdigit()"),
    ),
    "row": (
        P("heavy", "{noun} whose sum is greater than {k}", "has a sum greater than {k}", "sum({x}) > {k}",
          (0, 8)),
        P("rising", "{noun} whose last element is greater than the first",
          "has a last element greater than its first", "{x}[-1] > {x}[0]"),
        P("zero", "{noun} that contain 0", "contains 0", "0 in {x}"),
        P("nonnegative", "{noun} without negative numbers", "has no negative number", "min({x}) >= 0"),
        P("even_sum", "{noun} with an even sum", "has an even sum", "sum({x}) % 2 == 0"),
        P("peak", "{noun} whose largest element is at least {k}", "has a largest element of at least {k}",
          "max({x}) >= {k}", (2, 7)),
    ),
    "steps": (
        P("rising", "{noun} whose second number is greater", "has the greater number second", "{b} > {a}"),
        P("falling", "{noun} whose second number is smaller", "has the smaller number second", "{b} < {a}"),
        P("equal", "{noun} of equal numbers", "consists of equal numbers", "{a} == {b}"),
        P("unequal", "{noun} of different numbers", "consists of different numbers", "{a} != {b}"),
        P("even_sum", "{noun} with an even sum", "has an even sum", "({a} + {b}) % 2 == 0"),
        P("far", "{noun} whose numbers differ by more than {k}", "consists of numbers that differ by more than {k}",
          "abs({a} - {b}) > {k}", (1, 5)),
        P("same_sign", "{noun} whose product is positive", "has a positive product", "{a} * {b} > 0"),
        P("sum_above", "{noun} whose sum is greater than {k}", "has a sum greater than {k}",
          "{a} + {b} > {k}", (2, 15)),
    ),
    "indexed": (
        P("even_index", "{noun} at even positions (0, 2, …)", "stands at an even position (0, 2, …)",
          "{a} % 2 == 0"),
        P("odd_index", "{noun} at odd positions (1, 3, …)", "stands at an odd position (1, 3, …)",
          "{a} % 2 == 1"),
        P("every", "{noun} whose position (from 0) is divisible by {k}",
          "has a position (from 0) divisible by {k}", "{a} % {k} == 0", (3, 4)),
        P("after", "{noun} after position {k} (counted from 0)",
          "stands after position {k} (counted from 0)", "{a} > {k}", (0, 2)),
        P("above_index", "{noun} greater than their position (from 0)",
          "is greater than its position (from 0)", "{b} > {a}"),
        P("fixed", "{noun} equal to their position (from 0)", "equals its position (from 0)", "{b} == {a}"),
    ),
    "date": (
        P("weekend", "{noun} on a Saturday or Sunday", "falls on a Saturday or Sunday",
          "{x}.weekday() >= 5"),
        P("weekday", "{noun} from Monday to Friday", "falls on a day from Monday to Friday",
          "{x}.weekday() < 5"),
        P("month", "{noun} in month {k}", "lies in month {k}", "{x}.month == {k}", (1, 12)),
        P("since", "{noun} in the year 20{k} or later", "lies in the year 20{k} or later",
          "{x}.year >= 20{k}", (10, 23)),
        P("early", "{noun} in the first {k} days of a month", "lies in the first {k} days of a month",
          "{x}.day <= {k}", (7, 15)),
        P("even_day", "{noun} whose day of the month is even", "has an even day of the month",
          "{x}.day % 2 == 0"),
    ),
}  # fmt: skip

CHANGES: dict[str, tuple[Change, ...]] = {
    "int": (
        C("squared", "the squares of {of}", "square each of them", "its square", "{x} ** 2", "int"),
        C("squares", "the squares of {of}", "multiply each by itself", "its square", "{x} * {x}", "int"),
        C("cubes", "the cubes of {of}", "cube each of them", "its cube", "{x} ** 3", "int"),
        C("doubled", "twice each of {of}", "double each of them", "its double", "{x} * 2", "int"),
        C("times", "the results of multiplying each of {of} by {k}", "multiply each by {k}",
          "the product of it and {k}", "{x} * {k}", "int", (3, 9)),
        C("plus", "the results of adding {k} to each of {of}", "add {k} to each", "the sum of it and {k}",
          "{x} + {k}", "int", (1, 10)),
        C("minus", "the results of subtracting {k} from each of {of}", "subtract {k} from each",
          "its value minus {k}", "{x} - {k}", "int", (1, 10)),
        C("negated", "the negatives of {of}", "negate each of them", "its negative", "-{x}", "int"),
        C("absolute", "the absolute values of {of}", "take the absolute value of each",
          "its absolute value", "abs({x})", "int"),
        C("remainders", "the remainders (with `%`) of {of} divided by {k}",
          "take each one's remainder (with `%`) by {k}", "its remainder (with `%`) by {k}",
          "{x} % {k}", "int", (3, 7)),
        C("halves", "the rounded-down halves of {of}", "halve each, rounding down",
          "its half, rounded down", "{x} // 2", "int"),
        C("last_digits", "the last digits of {of}", "take the last digit of each", "its last digit",
          "abs({x}) % 10", "int"),
        C("distances", "the distances of {of} from {k}", "take the distance of each from {k}",
          "its distance from {k}", "abs({x} - {k})", "int", (2, 9)),
        C("capped", "{of}, each replaced by {k} if it is greater", "replace each that is greater than {k} by {k}",
          "the smaller of it and {k}", "min({x}, {k})", "int", (4, 9)),
        C("floored", "{of}, each replaced by {k} if it is smaller", "replace each that is smaller than {k} by {k}",
          "the larger of it and {k}", "max({x}, {k})", "int", (0, 5)),
        C("strings", "the string forms of {of}", "turn each into a string", "its string form", "str({x})",
          "word"),
    ),
    "char": (
        C("upper", "the uppercase forms of {of}", "convert each to uppercase", "its uppercase form",
          "{x}.upper()", "word"),
        C("lower", "the lowercase forms of {of}", "convert each to lowercase", "its lowercase form",
          "{x}.lower()", "word"),
        C("swapped", "{of} with swapped case", "swap the case of each", "its other case",
          "{x}.swapcase()", "word"),
        C("repeated", "{of}, each repeated {k} times", "repeat each {k} times",
          "a string that repeats it {k} times", "{x} * {k}", "word", (2, 4)),
        C("codes", "the code points of {of}", "take the code point of each", "its code point", "ord({x})",
          "int"),
        C("marked", "{of}, each followed by '{k}'", "put '{k}' after each",
          "it followed by '{k}'", '{x} + "{k}"', "word", "-|*|.|_|+"),
    ),
    "word": (
        C("upper", "the uppercase forms of {of}", "convert each to uppercase", "its uppercase form",
          "{x}.upper()", "word"),
        C("lower", "the lowercase forms of {of}", "convert each to lowercase", "its lowercase form",
          "{x}.lower()", "word"),
        C("capitalized", "{of}, each capitalized with str.capitalize", "capitalize each with str.capitalize",
          "its capitalized form (str.capitalize)", "{x}.capitalize()", "word"),
        C("reversed", "{of}, each written backwards", "reverse each", "its reverse", "{x}[::-1]", "word"),
        C("lengths", "the lengths of {of}", "take the length of each", "its length", "len({x})", "int"),
        C("initials", "the first characters of {of}", "take the first character of each (\"\" if empty)",
          "its first character (\"\" if empty)", "{x}[:1]", "word"),
        C("endings", "the last {k} characters of each of {of}", "take the last {k} characters of each",
          "its last {k} characters", "{x}[-{k}:]", "word", (1, 3)),
        C("prefixes", "the first {k} characters of each of {of}", "take the first {k} characters of each",
          "its first {k} characters", "{x}[:{k}]", "word", (2, 4)),
        C("marked", "{of}, each followed by '{k}'", "append '{k}' to each", "it followed by '{k}'",
          '{x} + "{k}"', "word", "!|s|?|.txt|_x|ing"),
        C("prefixed", "{of}, each preceded by '{k}'", "put '{k}' before each", "it preceded by '{k}'",
          '"{k}" + {x}', "word", "#|@|un|re|my_|- "),
        C("letter_counts", "the numbers of '{k}' in each of {of}", "count the '{k}' in each",
          "the number of '{k}' in it", '{x}.count("{k}")', "int", "aeort"),
        C("doubled", "{of}, each written twice in a row", "write each twice in a row",
          "it written twice in a row", "{x} * 2", "word"),
    ),
    "row": (
        C("sums", "the sums of {of}", "sum each of them", "its sum", "sum({x})", "int"),
        C("maxima", "the largest elements of {of}", "take the largest element of each",
          "its largest element", "max({x})", "int"),
        C("minima", "the smallest elements of {of}", "take the smallest element of each",
          "its smallest element", "min({x})", "int"),
        C("firsts", "the first elements of {of}", "take the first element of each", "its first element",
          "{x}[0]", "int"),
        C("lasts", "the last elements of {of}", "take the last element of each", "its last element",
          "{x}[-1]", "int"),
        C("reversed", "{of}, each reversed", "reverse each of them", "its reverse", "{x}[::-1]", "row"),
        C("spreads", "the differences between the largest and the smallest element of each of {of}",
          "take the largest minus the smallest element of each", "its largest minus its smallest element",
          "max({x}) - min({x})", "int"),
    ),
    "steps": (
        C("differences", "the differences (second minus first) of {of}", "subtract the first from the second",
          "its difference", "{b} - {a}", "int"),
        C("sums", "the sums of {of}", "add the two numbers of each", "its sum", "{a} + {b}", "int"),
        C("products", "the products of {of}", "multiply the two numbers of each", "its product",
          "{a} * {b}", "int"),
        C("gaps", "the absolute differences of {of}", "take the absolute difference of each",
          "its absolute difference", "abs({a} - {b})", "int"),
        C("larger", "the larger numbers of {of}", "take the larger number of each", "its larger number",
          "max({a}, {b})", "int"),
        C("smaller", "the smaller numbers of {of}", "take the smaller number of each",
          "its smaller number", "min({a}, {b})", "int"),
    ),
    "indexed": (
        C("values", "{of}", "take the numbers themselves", "its value", "{b}", "int"),
        C("weighted", "the products of position (from 0) and value of {of}",
          "multiply each by its position (from 0)", "its product with its position (from 0)",
          "{a} * {b}", "int"),
        C("shifted", "the sums of position (from 0) and value of {of}", "add to each its position (from 0)",
          "its sum with its position (from 0)", "{a} + {b}", "int"),
        C("lowered", "the results of subtracting its position (from 0) from each of {of}",
          "subtract from each its position (from 0)", "its value minus its position (from 0)",
          "{b} - {a}", "int"),
    ),
    "date": (
        C("years", "the years of {of}", "take the year of each", "its year", "{x}.year", "int"),
        C("months", "the months (1-12) of {of}", "take the month (1-12) of each", "its month (1-12)",
          "{x}.month", "int"),
        C("days", "the days of the month of {of}", "take the day of the month of each",
          "its day of the month", "{x}.day", "int"),
        C("weekdays", "the weekday numbers (Monday is 0) of {of}",
          "take the weekday number of each (Monday is 0)", "its weekday number (Monday is 0)",
          "{x}.weekday()", "int"),
        C("formatted", "{of} written as DD/MM/YYYY", "write each as DD/MM/YYYY",
          "its DD/MM/YYYY form", '{x}.strftime("%d/%m/%Y")', "word"),
        C("compact", "{of} written as YYYYMMDD", "write each as YYYYMMDD", "its YYYYMMDD form",
          '{x}.strftime("%Y%m%d")', "word"),
    ),
}  # fmt: skip
CHANGES["digit"] = CHANGES["int"]
