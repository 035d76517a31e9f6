"""Arguments with a structure: graphs, trees, linked lists, intervals, boards, nested dictionaries, records."""

from typing import Any

from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.values import NAMES, WORDS

NODES = "ABCDE"
UNICODE = (
    "Straße", "日本語", "naïve", "😀 ok 😀", "ÀÉÎ", "größer", "Ünder", "a\u0301b", "東京 Tokyo", "ñandú", "🎉", "Zoë & Åse",
)  # fmt: skip


def unicode_texts(dice: Dice) -> list[Any]:
    plain = ("banana", "Hello World", "a", "abc abc", "Mississippi", "Tic tac toe", "Noon", "x1y22", "one two  three")
    one, two = dice.some(UNICODE, 2)
    return [dice.one(plain), "", one, dice.one(plain), two, "aa", dice.one(plain), "Zz z"]


def prose(dice: Dice) -> list[Any]:
    """Sentences, some with blanks or lines between them."""

    def sentence() -> str:
        return " ".join(dice.one(WORDS) for _ in range(dice.whole(1, 4))) + dice.one((".", ".", "!", "?"))

    made = [dice.one((" ", " ", "\n")).join(sentence() for _ in range(size)) for size in (2, 3, 1, 4)]
    return [made[0], "", *made[1:], "One. Two words.  Three small words", "Été. ...", "no end"]


def formulas(dice: Dice) -> list[Any]:
    """Arithmetic expressions with small integers."""

    def formula(size: int) -> str:
        text = str(dice.whole(1, 20))
        for _ in range(size):
            text += dice.one((" + ", " - ", "*", "+", " * ")) + str(dice.whole(1, 12))
        return text

    return [formula(2), formula(0), f"({formula(1)})*{dice.whole(2, 5)}", formula(3), f"{dice.whole(2, 9)}*({formula(1)})",
            formula(1), formula(4)]  # fmt: skip


def csv_texts(dice: Dice) -> list[Any]:
    rows = [
        [f"{dice.one(NAMES)},{dice.whole(0, 30)},{dice.one(WORDS)}" for _ in range(size)] for size in (2, 0, 1, 3, 4, 2)
    ]
    return ["\n".join([header, *lines]) for header, lines in zip(
        ["name,count,note", "name,count,note", "name,count,word", "name,count,tag", "name,count,note", "name,count,x"], rows, strict=True
    )]  # fmt: skip


def urls(dice: Dice) -> list[Any]:
    page = dice.one(WORDS[:10])
    one, two, three = dice.some(("example.org", "shop.test", "a.b.test", "docs.test", "localhost"), 3)
    return [
        f"https://{one}/{page}?q={dice.whole(1, 99)}&lang={dice.one(('de', 'en', 'ja'))}", f"http://{two}", f"https://{three}/",
        f"http://{two}:8080/{page}/{dice.whole(1, 9)}", f"https://{one}?x=1", f"http://{three}/a//{page}/?k=v&k={dice.whole(2, 9)}",
        f"https://{two}/{page}/index.html", f"http://{one}:80?z=%20",
    ]  # fmt: skip


def logs(dice: Dice) -> list[Any]:
    """Lines of a time, a level and a message."""
    texts = ("disk full", "started", "user été logged in", "retry 3", "no route", "saved 12 files")

    def entry(hour: int) -> str:
        return f"{hour:02d}:{dice.whole(0, 59):02d} {dice.one(('INFO', 'ERROR', 'WARN', 'INFO'))} {dice.one(texts)}"

    return [
        "\n".join(entry(hour) for hour in sorted(dice.whole(7, 12) for _ in range(size))) for size in (3, 0, 1, 4, 2, 5)
    ]


def paths(dice: Dice) -> list[Any]:
    one, two = dice.some(WORDS, 2)
    return [
        f"{one}/{two}.txt",
        two,
        f"/{one}/{two}/photo.tar.gz",
        "",
        f"{one}/",
        f"/{two}.py",
        f"{one}.d/{two}",
        f"a/{one}/b/{two}.MD",
    ]


def addresses(dice: Dice) -> list[Any]:
    made = [f"{dice.whole(1, 254)}.{dice.whole(0, 255)}.{dice.whole(0, 255)}.{dice.whole(1, 254)}" for _ in range(4)]
    return [
        made[0],
        "0.0.0.0",
        f"10.{dice.whole(0, 9)}.0.{dice.whole(1, 9)}",
        *made[1:],
        "255.255.255.255",
        "192.168.0.1",
    ]


def mixed_texts(dice: Dice) -> list[Any]:
    """Texts with numbers, tags, mentions and dates in them."""
    day = f"{dice.whole(1990, 2030)}-{dice.whole(1, 12):02d}-{dice.whole(1, 28):02d}"
    return [
        f"order {dice.whole(10, 99)} of {day}, {dice.whole(1, 9)} items", "", f"#sale @{dice.one(WORDS[:8])} now  #top_{dice.whole(1, 9)}",
        f"Zoë paid {dice.whole(100, 999)}€ to @ann", f"{dice.whole(1, 9)}-{dice.whole(1, 9)} and -{dice.whole(10, 50)}", f"from {day} to 2024-02-29",
        "no digits here", "AB12",
    ]  # fmt: skip


def graphs(dice: Dice, both_ways: bool = False, forward: bool = False) -> list[Any]:
    """Neighbours of the nodes A to E; `forward` leaves out cycles, `both_ways` gives undirected graphs."""

    def graph(edges: int) -> dict[str, list[str]]:
        near: dict[str, list[str]] = {node: [] for node in NODES}
        for _ in range(edges):
            one, two = dice.some(NODES, 2)
            if forward and one > two:
                one, two = two, one
            if two not in near[one]:
                near[one].append(two)
                if both_ways:
                    near[two].append(one)
        return {node: sorted(others) for node, others in near.items()}

    return [graph(size) for size in (4, 6, 0, 5, 2, 3, 7, 4)]


def weighted_graphs(dice: Dice) -> list[Any]:
    return [
        {node: {other: dice.whole(1, 9) for other in others} for node, others in graph.items()}
        for graph in graphs(dice)
    ]


def edge_lists(dice: Dice) -> list[Any]:
    """Pairs of different nodes numbered 0 to 5, none of them twice."""
    rows = []
    for size in (3, 5, 0, 4, 1, 6, 2, 4):
        pairs = dict.fromkeys(tuple(sorted(dice.some(range(6), 2))) for _ in range(size))
        rows.append(list(pairs))
    return rows


def trees(dice: Dice, ordered: bool = False) -> list[Any]:
    """Binary trees as (left, value, right) or None; `ordered` ones are search trees."""

    def tree(numbers: list[int]) -> Any:
        if not numbers:
            return None
        cut = int(len(numbers) * (0.2 + 0.6 * dice.whole(0, 9) / 10))
        return (tree(numbers[:cut]), numbers[cut], tree(numbers[cut + 1 :]))

    rows = [dice.some(range(-5, 20), size) for size in (3, 0, 1, 4, 5, 2, 6, 3)]
    return [tree(sorted(row) if ordered else row) for row in rows]


def linked_lists(dice: Dice, ordered: bool = False) -> list[Any]:
    """Pairs (value, rest) that end in None."""
    rows = []
    for size in (3, 0, 1, 4, 2, 5, 3, 4):
        chain: Any = None
        numbers = [dice.whole(-3, 9) for _ in range(size)]
        for number in sorted(numbers, reverse=True) if ordered else numbers:
            chain = (number, chain)
        rows.append(chain)
    return rows


def prefix_trees(dice: Dice) -> list[Any]:
    """Nested dictionaries of characters with the key '$' where a string ends."""
    rows = []
    for size in (3, 0, 1, 4, 2, 3, 2):
        root: dict[str, Any] = {}
        for word in dice.some(("an", "ant", "a", "bob", "be", "bee", "abc", "é", "to", "tea"), size):
            node = root
            for letter in word:
                node = node.setdefault(letter, {})
            node["$"] = True
        rows.append(root)
    return rows


def parent_tables(dice: Dice) -> list[Any]:
    """Rooted trees as dictionaries from each node but the root A to its parent."""
    return [{node: dice.one(NODES[:index]) for index, node in enumerate(NODES) if index} for _ in range(8)]


def intervals(dice: Dice) -> list[Any]:
    rows = []
    for size in (3, 0, 1, 4, 2, 5, 3, 4):
        starts = [dice.whole(0, 20) for _ in range(size)]
        rows.append([(start, start + dice.whole(1, 7)) for start in starts])
    return rows


def rotated(dice: Dice) -> list[Any]:
    """Ascending lists of different integers, some of them moved from the start to the end."""
    rows = []
    for size in (4, 0, 1, 5, 2, 6, 3):
        row = sorted(dice.some(range(-5, 20), size))
        cut = dice.whole(0, max(0, size - 1))
        rows.append(row[cut:] + row[:cut])
    return rows


def sorted_grids(dice: Dice) -> list[Any]:
    """Matrices whose rows and columns ascend."""
    rows = []
    for height, width in ((3, 3), (1, 1), (2, 4), (4, 2), (1, 3), (3, 1), (2, 2)):
        start = dice.whole(-5, 5)
        rows.append([[start + 3 * i + 2 * j + i * j for j in range(width)] for i in range(height)])
    return rows


def boxes(dice: Dice) -> list[Any]:
    """Rectangles (left, top, right, bottom)."""
    corners = [(dice.whole(0, 5), dice.whole(0, 5)) for _ in range(8)]
    return [(x, y, x + dice.whole(1, 4), y + dice.whole(1, 4)) for x, y in corners]


def boards(dice: Dice) -> list[Any]:
    """Matrices of 0 and 1."""
    return [
        [[int(dice.chance(0.5)) for _ in range(columns)] for _ in range(rows)]
        for rows, columns in ((3, 3), (1, 1), (2, 4), (4, 3), (3, 4), (2, 2), (4, 4), (1, 5))
    ]


def mazes(dice: Dice) -> list[Any]:
    """Lists of equally long strings of '.' and '#', free at the top left."""
    rows = []
    for height, width in ((3, 3), (1, 1), (2, 4), (4, 3), (3, 4), (2, 2), (4, 4), (1, 4)):
        maze = ["".join("#" if dice.chance(0.3) else "." for _ in range(width)) for _ in range(height)]
        rows.append(["." + maze[0][1:], *maze[1:]])
    return rows


def nested_dicts(dice: Dice) -> list[Any]:
    a, b, c, d = (dice.whole(0, 9) for _ in range(4))
    return [
        {"a": a, "b": {"c": b}}, {}, {"x": a}, {"a": {"b": {"c": c}}, "d": d}, {"p": {"q": a, "r": b}, "s": {"t": c}},
        {"one": {}, "two": d}, {"m": {"n": {"o": a, "p": b}}, "q": {"r": c}}, {"k": a, "l": b},
    ]  # fmt: skip


def float_lists(dice: Dice) -> list[Any]:
    """Lists of numbers in quarters, which add up exactly."""
    return [[dice.whole(-8, 40) / 4 for _ in range(size)] for size in (4, 2, 1, 3, 5, 4, 2, 3)]
