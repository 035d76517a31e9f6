"""View 5: what was measured, round by round, and the settings it was measured with."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from autotrain.config import PRESETS, public_fields
from autotrain.evaluate.report import RATES, TITLES, show_comparison, show_rate
from autotrain.monitor.snapshot import Snapshot, score
from autotrain.monitor.views.layout import Cell, Line, grid, wrapped
from autotrain.monitor.views.page import WIDE, Page
from autotrain.monitor.views.words import ABSENT, by_kind, number, setting

HEADING = "bold cyan"
# RATES in few words.
SHORT = {
    "pass_at_1": "pass@1",
    "findings_correct_rate": "bug line named",
    "json_parse_rate": "JSON fits",
    "format_compliance": "form as asked",
    "syntax_valid_rate": "code parses",
    "repetition_rate": "repeats itself",
    "truncated_rate": "cut off",
}


def evaluation(snapshot: Snapshot, page: Page) -> list[Line]:
    """The newest report, the rounds before it, the settings."""
    newest = max(snapshot.reports, default=None)
    lines = [Text("No round has been evaluated yet."), Text()]
    if newest is not None:
        lines = _report(snapshot.reports[newest], page)
    if len(snapshot.reports) > 1:
        lines += [Text("pass@1 by round, each on the items held out until then", HEADING), *_rounds(snapshot), Text()]
    return [*lines, Text("settings (bold: not the default)", HEADING), *_settings(snapshot.settings, page)]


def _report(report: Mapping[str, Any], page: Page) -> list[Line]:
    decision, models, narrow = report["decision"], report["models"], page.width < WIDE
    names = [name for name in TITLES if name in models]
    titles = [Text(TITLES[name], HEADING) for name in names]
    verdict = "promoted" if decision["promoted"] else "not promoted"
    totals: list[list[Cell]] = [["", *titles]]
    for key, title in (SHORT if narrow else RATES).items():
        totals.append([title, *(_rate(models[name]["total"][key], narrow) for name in names)])
    for key, title in (("validation_loss", "validation loss"), ("mean_tokens", "mean tokens")):
        totals.append([title, *(number(models[name]["total"][key]) for name in names)])
    kinds: list[list[Cell]] = [[Text("pass@1" if narrow else "pass@1 by task type", HEADING), *titles]]
    for kind in models["base"]["by_task_type"]:
        figures = [models[name]["by_task_type"].get(kind) for name in names]
        rates = (_rate(part["pass_at_1"] if part else None, narrow) for part in figures)
        kinds.append([kind[:17] if narrow else kind, *rates])
    failures = (f"{TITLES[name]}: {by_kind(models[name]['total'].get('failures') or {})}" for name in names)
    words = f"round {report['round']}, {report['items']} held-out items: {verdict}; {decision['reason']}"
    return [
        *wrapped(Text(words, "bold"), page.width),
        *wrapped(Text(f"execution: {report['execution']}", "dim"), page.width),
        Text(),
        *grid(totals),
        Text(),
        *(line for title, item in report["comparisons"].items() for line in _comparison(title, item, page.width)),
        Text(),
        *grid(kinds),
        Text(),
        Text("why answers failed", HEADING),
        *(line for text in failures for line in wrapped(text, page.width)),
        Text(),
        *_benchmarks(report, page),
        *_link(report, page),
    ]


def _link(report: Mapping[str, Any], page: Page) -> list[Line]:
    if report.get("report_version", 1) < 2:
        return []
    return [*wrapped(Text(f"with plots: eval/report_round_{report['round']}.html", "dim"), page.width), Text()]


def _benchmarks(report: Mapping[str, Any], page: Page) -> list[Line]:
    """The same models on what nobody trained for; reports of older versions have none."""
    benchmarks = report.get("benchmarks") or {}
    if not benchmarks:
        return []
    names = [name for name in TITLES if name in report["models"]]
    rows: list[list[Cell]] = [[Text("benchmarks", HEADING), *(Text(TITLES[name], HEADING) for name in names)]]
    try:
        for title, benchmark in benchmarks.items():
            figures = [benchmark["models"].get(name) for name in names]
            rates = (_rate(part["total"]["pass_at_1"] if part else None, page.width < WIDE) for part in figures)
            rows.append([title, *rates])
    # The rest of a report is looked at before it is taken for one; this part may be in another form.
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
        return [Text("benchmarks: what the report says of them is not in its form", "yellow"), Text()]
    return [*grid(rows), Text()]


def _comparison(title: str, item: Mapping[str, Any], width: int) -> list[Line]:
    return wrapped(f"{title}: {show_comparison(item)}", width)


def _rate(rate: Mapping[str, Any] | None, narrow: bool) -> str:
    if rate is None or not narrow:
        return show_rate(rate)
    return f"{rate['value']:.1%} ({100 * rate['low']:.1f}–{100 * rate['high']:.1f})"


def _rounds(snapshot: Snapshot) -> list[Line]:
    rows: list[list[Cell]] = [[Text(word, HEADING) for word in ("round", "base", "this round")]]
    for round_number in sorted(snapshot.reports, reverse=True):
        figures = (score(snapshot, round_number, role) for role in ("base", "new"))
        rates = (show_rate(part["pass_at_1"]) if part else ABSENT for part in figures)
        promoted = snapshot.reports[round_number]["decision"]["promoted"]
        rows.append([str(round_number), *rates, Text("promoted" if promoted else "", "green")])
    return grid(rows)


def _settings(settings: Mapping[str, Any], page: Page) -> list[Line]:
    preset = PRESETS.get(str(settings.get("preset")), {})
    rows: list[list[Cell]] = []
    room = max(20, page.width - max(map(len, public_fields())) - 2)
    for name, field in public_fields().items():
        value = settings.get(name)
        usual = value == field.default or str(value) == str(field.default)
        from_preset = not usual and name in preset and preset[name] == value
        origin = f"  (preset {settings.get('preset')})" if from_preset else ""
        text = Text(f"{setting(value)}{origin}", "dim" if usual else "bold")
        parts = [text] if text.cell_len <= room else wrapped(text, room)
        rows += [[name.upper() if number == 0 else "", part] for number, part in enumerate(parts)]
    return grid(rows)
