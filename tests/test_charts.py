"""Small charts: what they show of the numbers, and that ASCII is ASCII."""

import pytest

from autotrain.monitor.charts import bar, curve, shrink, sparkline, to_ascii


def test_a_sparkline_goes_from_the_lowest_to_the_highest() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([3.0, 3.0], 8) == "▁▁"
    assert sparkline([], 8) == ""
    assert len(sparkline(list(range(1000)), 30)) == 30


def test_neighbours_are_averaged() -> None:
    assert shrink([1, 3, 5, 7], 2) == [2, 6]
    assert shrink([1, 2], 5) == [1, 2]


@pytest.mark.parametrize(("share", "drawn"), [(0, "░░░░"), (0.5, "██░░"), (1, "████"), (7, "████"), (-1, "░░░░")])
def test_a_bar(share: float, drawn: str) -> None:
    assert bar(share, 4) == drawn


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize(
    "points",
    [
        [(float(x), 1 / x) for x in range(1, 50)],
        [(1.0, 2.0)],
        [(1.0, 0.0), (2.0, 0.0)],
        [(5.0, -3.0), (9.0, 1e9)],
    ],
)
def test_a_curve_fits_its_place_and_names_its_ends(points: list[tuple[float, float]], ascii_only: bool) -> None:
    lines = curve(points, 40, 8, ascii_only)
    assert len(lines) == 8
    assert all(len(line) <= 40 for line in lines)
    assert f"{points[0][0]:g}" in lines[-1]
    assert f"{points[-1][0]:g}" in lines[-1]
    drawn = "".join(line.split("|" if ascii_only else "│", 1)[1] for line in lines[:-1])
    assert drawn.strip()
    assert "".join(lines).isascii() == ascii_only


def test_a_falling_curve_falls() -> None:
    lines = curve([(float(x), 100.0 - x) for x in range(50)], 40, 8, True)
    places = [line.split("|", 1)[1].find("*") for line in lines[:-1]]
    assert places == sorted(places)


def test_everything_has_an_ascii_form() -> None:
    assert to_ascii("▁█ ─│┌ … – ✔ 漢字 é") == "_# -|+ ~ - v ?? ?"
    assert to_ascii("✔ done → 漢") == "v done > ?"
