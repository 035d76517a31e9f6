"""Kinds of parameters: what they may be called, how they read, what to try them on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autotrain.generate.builtin import structures, values
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.problem import Parameter


@dataclass(frozen=True)
class Kind:
    names: str
    annotation: str
    description: str
    draw: Callable[[Dice], list[Any]]
    """Seven or eight values."""
    form: str = ""
    """How the values are made up, where a name alone does not tell."""


def whole(low: int, high: int) -> Callable[[Dice], list[Any]]:
    return lambda dice: [low, *(dice.whole(low, high) for _ in range(6)), high]


def filled(lists: list[list[Any]]) -> list[Any]:
    return [item for item in lists if item]


def _times(dice: Dice) -> list[Any]:
    return [f"{dice.whole(0, 23):02d}:{dice.whole(0, 59):02d}" for _ in range(5)] + ["00:00", "23:59"]


def _increasing(dice: Dice) -> list[Any]:
    return [sorted(row) for row in values.integers(dice)]


def _nested(dice: Dice) -> list[Any]:
    one, two, three = (dice.whole(-5, 9) for _ in range(3))
    return [
        [one, [two, [three, 4]]],
        [],
        [one],
        [[one, two], [three]],
        [[], [[]], two],
        [1, [2, [3, [four := one]], four]],
    ]


KINDS: dict[str, Kind] = {
    "ints": Kind("numbers values nums items data xs", "list[int]", "a list of integers", values.integers),
    "more_ints": Kind("others second ys right extra", "list[int]", "a list of integers", values.integers),
    "some_ints": Kind("numbers values nums items data", "list[int]", "a non-empty list of integers",
                      lambda dice: filled(values.integers(dice))),
    "sorted_ints": Kind("numbers values ordered data", "list[int]", "a list of integers in ascending order",
                        _increasing),
    "more_sorted": Kind("others second right extra", "list[int]", "another list in ascending order", _increasing),
    "nested": Kind("nested tree items data", "list", "a list of integers and lists of the same kind", _nested),
    "nat": Kind("n number value num", "int", "a non-negative integer", whole(0, 40)),
    "few": Kind("n count size number", "int", "a non-negative integer", whole(0, 9)),
    "long_nat": Kind("n number value num", "int", "a non-negative integer",
                     lambda dice: [0, 7, 121, 153, 1000, *(dice.whole(10, 9999) for _ in range(3))]),
    "pos": Kind("n number value num", "int", "a positive integer", whole(1, 60)),
    "more_pos": Kind("m other second divisor b", "int", "a positive integer", whole(1, 24)),
    "small": Kind("k size step width times", "int", "a positive integer", whole(1, 4)),
    "int": Kind("x n value number", "int", "an integer", whole(-20, 30)),
    "more_int": Kind("y other second b", "int", "an integer", whole(-12, 20)),
    "third_int": Kind("z third c last", "int", "an integer", whole(-12, 20)),
    "text": Kind("text s string phrase line", "str", "a string", values.texts),
    "more_text": Kind("other second t pattern", "str", "a string", values.texts),
    "word": Kind("word w name term", "str", "a word",
                 lambda dice: [dice.one(values.WORDS) for _ in range(6)] + ["level", "x"]),
    "more_word": Kind("other second v term", "str", "a word",
                      lambda dice: [dice.one(values.WORDS) for _ in range(6)] + ["x", "level"]),
    "letter": Kind("letter char symbol mark", "str", "a single character",
                   lambda dice: [dice.one("aeilnor") for _ in range(8)]),
    "words": Kind("words strings names tokens labels", "list[str]", "a list of strings", values.word_lists),
    "table": Kind("table scores stock prices counts", "dict[str, int]", "a dictionary from strings to integers",
                  values.tables),
    "more_table": Kind("other second extra changes", "dict[str, int]", "a dictionary from strings to integers",
                       values.tables),
    "pairs": Kind("pairs records results entries", "list[tuple[str, int]]", "a list of (name, number) tuples",
                  values.pair_lists),
    "grid": Kind("grid matrix table board", "list[list[int]]", "a non-empty matrix (list of equally long rows)",
                 lambda dice: filled(values.grids(dice))),
    "square": Kind("grid matrix board square", "list[list[int]]", "a square matrix (list of rows)",
                   lambda dice: [[[dice.whole(-4, 9) for _ in range(size)] for _ in range(size)]
                                 for size in (2, 1, 3, 2, 3)] + [[[1, 2], [2, 1]]]),
    "date": Kind("day date_text text when", "str", "a date in ISO form (YYYY-MM-DD)", values.dates),
    "more_date": Kind("end other later until", "str", "a date in ISO form", values.dates),
    "time": Kind("time clock text moment", "str", "a time in the form HH:MM", _times),
    "more_time": Kind("end other later until", "str", "a time in the form HH:MM", _times),
    "point": Kind("point p position place", "tuple[int, int]", "a point as a tuple (x, y)",
                  lambda dice: [(0, 0), *((dice.whole(-6, 9), dice.whole(-6, 9)) for _ in range(6))]),
    "more_point": Kind("other q target end", "tuple[int, int]", "a point as a tuple (x, y)",
                       lambda dice: [(0, 0), *((dice.whole(-6, 9), dice.whole(-6, 9)) for _ in range(6))]),
    "utext": Kind("text s string phrase message", "str", "a string", structures.unicode_texts),
    "more_utext": Kind("other second t pattern", "str", "a string",
                       lambda dice: structures.unicode_texts(dice)[::-1]),
    "uwords": Kind("words strings names tokens labels", "list[str]", "a list of strings",
                   lambda dice: [*values.word_lists(dice)[:5], dice.some(structures.UNICODE, 3),
                                 [dice.one(structures.UNICODE)] * 2]),
    "some_words": Kind("words strings names tokens labels", "list[str]", "a non-empty list of strings",
                       lambda dice: [*filled(values.word_lists(dice)), ["Straße", "日本語"]]),
    "ones": Kind("counts numbers values sizes data", "list[int]", "a list of non-negative integers",
                 lambda dice: values.integers(dice, (), 0, 9)),
    "pos_ints": Kind("numbers values sizes weights data", "list[int]", "a non-empty list of positive integers",
                     lambda dice: filled(values.integers(dice, (), 1, 9))),
    "more_pos_ints": Kind("others prices second ys right", "list[int]", "a non-empty list of positive integers",
                          lambda dice: filled(values.integers(dice, (), 1, 9))),
    "distinct_ints": Kind("numbers values items data nums", "list[int]", "a list of different integers",
                          lambda dice: [dice.some(range(-5, 15), size) for size in (4, 0, 1, 5, 2, 3, 6, 4)]),
    "floats": Kind("numbers values readings data samples", "list[float]", "a non-empty list of floats",
                   structures.float_lists),
    "points": Kind("points corners places route", "list[tuple[int, int]]", "a list of points (x, y)",
                   lambda dice: [[(dice.whole(-6, 9), dice.whole(-6, 9)) for _ in range(size)] for size in (4, 0, 1, 3, 5, 2, 4, 3)]),
    "third_point": Kind("third r last place", "tuple[int, int]", "a point as a tuple (x, y)",
                        lambda dice: [(dice.whole(-6, 9), dice.whole(-6, 9)) for _ in range(8)]),
    "box": Kind("box rectangle first area", "tuple[int, int, int, int]",
                "a rectangle", structures.boxes,
                "A rectangle is a tuple (left, top, right, bottom) with left < right and top < bottom."),
    "more_box": Kind("other second frame window", "tuple[int, int, int, int]", "another one", structures.boxes),
    "triple": Kind("u v vector first", "tuple[int, int, int]", "a tuple of three integers",
                   lambda dice: [tuple(dice.whole(-4, 6) for _ in range(3)) for _ in range(8)]),
    "more_triple": Kind("w other second right", "tuple[int, int, int]", "a tuple of three integers",
                        lambda dice: [tuple(dice.whole(-4, 6) for _ in range(3)) for _ in range(8)]),
    "tens": Kind("n number value num", "int", "an integer from 0 to 99", whole(0, 99)),
    "long_int": Kind("n number value amount", "int", "an integer", lambda dice: [0, -5, *(dice.whole(-99999, 9999999) for _ in range(6))]),
    "sizes": Kind("n size count total", "int", "a non-negative integer",
                  lambda dice: [dice.whole(1, 900), dice.whole(2000, 90000), dice.whole(2000000, 90000000), 0, 1000, 1048576]),
    "sentence": Kind("sentence text line phrase message", "str", "a string",
                     lambda dice: [" ".join(dice.one((*values.WORDS, "größer", "日本語", "naïve")) for _ in range(size))
                                   for size in (5, 0, 1, 7, 3, 6)] + ["  two  spaces ", "extraordinary a b"]),
    "prose": Kind("text story message passage", "str", "a text", structures.prose),
    "lines": Kind("text block code message", "str", "a text of lines that are separated by '\\n'",
                  lambda dice: ["\n".join(" ".join(dice.one(values.WORDS) for _ in range(dice.whole(0, 2))) for _ in range(size))
                                for size in (3, 1, 2, 4, 3)] + ["", "é\n\nß", "one"]),
    "codes": Kind("code text part label", "str", "a string", lambda dice: ["a1", "", "X", "ab12cd3", "77",
                  *(f"{dice.one(values.NAMES[:4])}{dice.whole(1, 99)}{dice.one('xyz')}{dice.whole(0, 9)}" for _ in range(3))]),
    "formulas": Kind("expression formula text line", "str", "a string", structures.formulas),
    "word_rows": Kind("rows table cells lines", "list[list[str]]", "a list of equally long lists of strings",
                      lambda dice: [[[dice.one((*values.WORDS, "ß")) for _ in range(width)] for _ in range(height)]
                                    for height, width in ((2, 2), (0, 0), (1, 3), (3, 2), (2, 3), (1, 1), (3, 1))]),
    "nested_sums": Kind("tree expression node formula", "tuple | int", "an integer or a nested tuple", lambda dice: []),
    "csv": Kind("text table content lines", "str", "a text with one row a line", structures.csv_texts),
    "urls": Kind("url address link text", "str", "a URL", structures.urls),
    "logs": Kind("log text lines content", "str", "a log with one entry a line", structures.logs),
    "paths": Kind("path place text where", "str", "a path", structures.paths),
    "more_paths": Kind("other second target end", "str", "another one", lambda dice: structures.paths(dice)[::-1]),
    "good_ips": Kind("address ip host text", "str", "an IPv4 address", structures.addresses),
    "more_good_ips": Kind("other second peer target", "str", "another one", lambda dice: structures.addresses(dice)[::-1]),
    "ips": Kind("address ip text host", "str", "a string",
                lambda dice: [structures.addresses(dice)[0], "256.1.1.1", "1.2.3", "01.2.3.4", "", "1.2.3.x", "0.0.0.0", "١.2.3.4"]),
    "ip_numbers": Kind("number n value packed", "int", "an integer", lambda dice: [0, 2**32 - 1, 256, *(dice.whole(0, 2**32 - 1) for _ in range(5))]),
    "prefixes": Kind("length n size bits", "int", "an integer", whole(0, 32)),
    "mixed": Kind("text line message note content", "str", "a string", structures.mixed_texts),
    "spans": Kind("ranges spans queries parts", "list[tuple[int, int]]", "a list of pairs (a, b) with 0 <= a <= b",
                  lambda dice: [[(low, low + dice.whole(0, 4)) for low in (dice.whole(0, 3) for _ in range(size))]
                                for size in (2, 1, 3, 0, 2, 3, 1)]),
    "bits": Kind("bits numbers values flags data", "list[int]", "a list of 0 and 1",
                 lambda dice: [[int(dice.chance(0.6)) for _ in range(size)] for size in (5, 0, 1, 8, 4, 6, 2)]),
    "rotated": Kind("numbers values items data", "list[int]", "a list of different integers", structures.rotated),
    "mountain": Kind("heights numbers values data", "list[int]", "a non-empty list of integers",
                     lambda dice: [[*sorted(row[:cut]), 30, *sorted(row[cut:], reverse=True)] for row, cut in
                                   ((dice.some(range(-5, 29), size), cut) for size, cut in ((3, 1), (0, 0), (4, 4), (5, 2), (2, 0), (6, 3)))]),
    "some_sorted": Kind("numbers values ordered data", "list[int]", "a non-empty list of integers in ascending order",
                        lambda dice: filled(_increasing(dice))),
    "sorted_rows": Kind("rows lists parts sources", "list[list[int]]", "a list of ascending lists of integers",
                        lambda dice: [[sorted(dice.whole(0, 15) for _ in range(dice.whole(0, 3))) for _ in range(size)]
                                      for size in (3, 0, 1, 2, 4, 3, 2)]),
    "orders": Kind("order permutation places arrangement", "list[int]", "a list of integers",
                   lambda dice: [dice.some(range(size), size) for size in (3, 0, 1, 4, 5, 2, 4)]),
    "distinct_pos": Kind("numbers values items parts", "list[int]", "a list of different positive integers",
                         lambda dice: [dice.some(range(1, 12), size) for size in (3, 0, 1, 2, 4)]),
    "tiny": Kind("n count size number", "int", "an integer from 0 to 4", lambda dice: [dice.whole(0, 4) for _ in range(5)]),
    "triangles": Kind("triangle rows numbers", "list[list[int]]", "a list of lists of integers",
                      lambda dice: [[[dice.whole(0, 9) for _ in range(row + 1)] for row in range(size)] for size in (3, 1, 2, 4, 3, 2)]),
    "sorted_grid": Kind("grid matrix table rows", "list[list[int]]", "a matrix of integers", structures.sorted_grids),
    "tic_tac_toe": Kind("board rows game", "list[str]", "a board",
                        lambda dice: [["".join(dice.one("XO..") for _ in range(3)) for _ in range(3)] for _ in range(4)]),
    "square_name": Kind("square place field start", "str", "a square of the chessboard",
                        lambda dice: [dice.one("abcdefgh") + str(dice.whole(1, 8)) for _ in range(8)]),
    "more_square_name": Kind("target other goal end", "str", "another square",
                             lambda dice: [dice.one("abcdefgh") + str(dice.whole(1, 8)) for _ in range(8)]),
    "digit_grid": Kind("grid board rows puzzle", "list[list[int]]", "a matrix of integers from 0 to 9",
                       lambda dice: [[[dice.whole(0, 9) for _ in range(width)] for _ in range(height)]
                                     for height, width in ((3, 3), (1, 4), (2, 2), (4, 1))]),
    "nodes": Kind("n count size total", "int", "the number of nodes", whole(6, 9)),
    "node_path": Kind("path route way visited", "list[str]", "a list of nodes", lambda dice: []),
    "key_path": Kind("path keys names way", "list[str]", "a list of keys", lambda dice: []),
    "sorted_linked": Kind("chain head linked node", "tuple | None",
                          "a linked list", lambda dice: structures.linked_lists(dice, ordered=True),
                          "A linked list is None if it is empty, else a tuple (value, rest)."),
    "trie": Kind("trie tree root words", "dict", "a trie", structures.prefix_trees,
                 "A trie consists of nested dictionaries whose keys are characters, with the key '$' where a string ends."),
    "heap": Kind("heap items numbers queue", "list[int]", "a list of integers",
                 lambda dice: [sorted(row) for row in values.integers(dice)]),
    "jobs": Kind("jobs tasks work queue", "list[tuple[str, int]]", "a list of jobs",
                 lambda dice: [[(name, dice.whole(1, 9)) for name in dice.some(values.NAMES, size)] for size in (3, 1, 4, 2, 5)]),
    "function": Kind("function func action operation", "Callable", "a function", lambda dice: []),
    "more_function": Kind("other then second after", "Callable", "another function", lambda dice: []),
    "functions": Kind("functions steps actions stages", "list[Callable]", "a list of functions of one argument", lambda dice: []),
    "any_value": Kind("value item x thing", "object", "a value", lambda dice: []),
    "op_name": Kind("operation name op symbol", "str", "the name of an operation",
                    lambda dice: []),
    "shape": Kind("shape figure form thing", "tuple", "a shape", lambda dice: []),
    "mixed_list": Kind("items values things data", "list", "a list",
                       lambda dice: [[dice.whole(-5, 9), "ab", dice.whole(0, 9)], [], [True, "é", dice.whole(1, 9), 2.5], ["x", None],
                                     [False, dice.whole(2, 9), [1], "z"], [dice.whole(-9, 9)], ["", "😀", 3]]),
    "number_texts": Kind("texts items parts words", "list[str]", "a list of strings",
                         lambda dice: [[str(dice.whole(-9, 99)), "x", "7"], [], ["a"], [str(dice.whole(1, 9))], ["1.5", " 4 ", "", "-3"],
                                       ["é", str(dice.whole(10, 20)), "0"]]),
    "people": Kind("person record user form", "dict", "a dictionary", lambda dice: []),
    "int_rows": Kind("rows lists table data", "list[list[int]]", "a list of lists of integers",
                     lambda dice: [[[dice.whole(-3, 9) for _ in range(dice.whole(0, 4))] for _ in range(size)] for size in (3, 0, 1, 4, 2, 3)]
                     + [[[], [1, 1], [2, 5]]]),
    "utext_long": Kind("text s string phrase message line", "str", "a string",
                       lambda dice: [*values.texts(dice)[:4], dice.one(structures.UNICODE), "  Hello  Moon 42 ", "a", "noon 日本 Zoo"]),
    "numerator": Kind("top numerator upper", "int", "a positive integer", lambda dice: []),
    "denominator": Kind("bottom denominator lower", "int", "a positive integer", lambda dice: []),
    "people_count": Kind("n people count", "int", "a positive integer", whole(1, 4)),
    "steps_table": Kind("steps table following jumps", "list[int]", "a list of positions in itself", lambda dice: []),
    "colours": Kind("colours colour paint chosen", "dict[str, int]", "a dictionary from nodes to colours", lambda dice: []),
    "weighted_edges": Kind("edges links roads cables", "list[tuple[int, int, int]]", "a list of edges (weight, a, b)", lambda dice: []),
    "byte": Kind("n number value bits num", "int", "an integer from 0 to 255",
                 lambda dice: [0, 255, 1, 128, *(dice.whole(2, 254) for _ in range(4))]),
    "more_byte": Kind("m other second mask", "int", "an integer from 0 to 255",
                      lambda dice: [dice.whole(1, 254), 0, 3, 255, *(dice.whole(2, 254) for _ in range(4))]),
    "bit": Kind("i position index place", "int", "an integer from 0 to 7",
                lambda dice: [dice.whole(0, 7) for _ in range(6)] + [0, 7]),
    "index": Kind("i index position place", "int", "a position, counted from 0", whole(0, 5)),
    "graph": Kind("graph neighbours links edges", "dict[str, list[str]]",
                  "a directed graph", structures.graphs,
                  "The graph is a dictionary from each node to the list of the nodes it points to."),
    "ugraph": Kind("graph neighbours links edges", "dict[str, list[str]]",
                   "an undirected graph",
                   lambda dice: structures.graphs(dice, both_ways=True),
                   "The graph is a dictionary from each node to the list of its neighbours."),
    "dag": Kind("graph tasks links after", "dict[str, list[str]]",
                "a directed graph without cycles",
                lambda dice: structures.graphs(dice, forward=True),
                "The graph is a dictionary from each node to the list of the nodes it points to."),
    "weighted": Kind("graph roads links costs", "dict[str, dict[str, int]]",
                     "a directed graph with weights",
                     structures.weighted_graphs, "The graph is a dictionary from each node to a dictionary from the nodes "
                     "it points to to the weights of these edges."),
    "node": Kind("start source node origin", "str", "a node of the graph", lambda dice: [dice.one("ABCD") for _ in range(8)]),
    "more_node": Kind("goal target end destination", "str", "a node of the graph",
                      lambda dice: [dice.one("BCDE") for _ in range(7)] + ["A"]),
    "pairs_of_nodes": Kind("edges links connections bonds", "list[tuple[int, int]]",
                           "a list of edges", structures.edge_lists,
                           "An edge is a tuple (a, b) of node numbers; no edge is there twice."),
    "tree": Kind("tree root t", "tuple | None", "a binary tree", structures.trees,
                 "A tree is None if it is empty, else a tuple (left, value, right)."),
    "bst": Kind("tree root t", "tuple | None", "a binary search tree",
                lambda dice: structures.trees(dice, ordered=True), "A tree is None if it is empty, else a tuple (left, value, right)."),
    "linked": Kind("chain head linked node", "tuple | None",
                   "a linked list", structures.linked_lists,
                   "A linked list is None if it is empty, else a tuple (value, rest)."),
    "parents": Kind("parents parent_of tree above", "dict[str, str]",
                    "a rooted tree", structures.parent_tables,
                    "The tree is a dictionary from each node but the root to its parent."),
    "intervals": Kind("intervals spans ranges slots bookings", "list[tuple[int, int]]",
                      "a list of intervals", structures.intervals,
                      "An interval is a tuple (start, end) with start < end."),
    "board": Kind("board grid cells matrix", "list[list[int]]", "a matrix of 0 and 1", structures.boards),
    "maze": Kind("maze rows field plan", "list[str]", "a maze", structures.mazes,
                 "A maze is a list of equally long strings, '.' for a free cell and '#' for a wall; its top left cell is free."),
    "nested_dict": Kind("data config nested settings", "dict", "a dictionary whose values are integers or such dictionaries",
                        structures.nested_dicts),
}  # fmt: skip


def draw_parameter(dice: Dice, kind: str, taken: set[str]) -> Parameter:
    """A parameter of the kind, with a name that is not taken, which then is."""
    spec = KINDS[kind]
    name = dice.one([name for name in spec.names.split() if name not in taken])
    taken.add(name)
    return Parameter(name, spec.annotation, spec.description)
