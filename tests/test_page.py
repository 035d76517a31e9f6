"""The HTML page of a round, read as a browser and a person would, on run folders made here."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from recorded_run import RUN_ID, add_line, at_work, record, step_at

from autotrain.config import Settings
from autotrain.evaluate.answers import Answer
from autotrain.evaluate.metrics import Graded
from autotrain.evaluate.page import SECTIONS, page_of, to_html
from autotrain.evaluate.report import RATES
from autotrain.evaluate.statistics import compare, rate
from autotrain.gate.verdict import Verdict
from autotrain.jsonl import write_jsonl
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.sample import Sample

NAMES = {"base": "base tiny", "best": "adapter 1111", "new": "adapter 2222"}
VOID = {"meta", "br", "hr", "img", "input", "link"}
CLASSES = {"-": "no code", "a": "wrong answer", "t": "timeout"}
MARKUP = "<script>alert(1)</script></pre><img src=x onerror=alert(2)> $x^2$"
HOSTILE = f"{MARKUP} \x1b[31mred\x1b[0m \x00 \u202eabc &amp; {{{{ 7 * 7 }}}}"


class Reader(HTMLParser):
    """What a browser would make of a page: its elements, its text, and the text of each section."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {"": []}
        self.rows: list[list[str]] = []
        self.section = ""
        self.feed(page)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "h2":
            self.section = dict(attrs)["id"] or ""
            self.texts[self.section] = []
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.texts[self.section].append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def text(self, section: str | None = None) -> str:
        parts = self.texts.values() if section is None else [self.texts[section]]
        return " ".join("".join(piece for part in parts for piece in part).split())

    def row(self, name: str) -> list[str]:
        """The cells of the one table row of that name."""
        (found,) = [row[1:] for row in self.rows if " ".join(row[0].split()) == name]
        return [" ".join(cell.split()) for cell in found]


def measured(outcomes: Sequence[bool]) -> dict[str, Any] | None:
    found = rate(outcomes)
    return None if found is None else asdict(found)


def shown(figure: Mapping[str, Any]) -> str:
    return f"{figure['value']:.1%} ({figure['hits']}/{figure['n']}, {figure['low']:.1%}–{figure['high']:.1%})"


def metrics(outcomes: Sequence[bool | None], failures: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Metrics as a report has them; p@1 is what `outcomes` say, the other rates as if all fit."""
    executed = [outcome for outcome in outcomes if outcome is not None]
    figures: dict[str, Any] = dict.fromkeys(RATES, measured([True] * len(outcomes)))
    pass_at_k = {"2": {"value": 0.4375, "n": 16, "low": 0.2314, "high": 0.6671}} if executed else {}
    return figures | {
        "items": len(outcomes),
        "pass_at_1": measured(executed),
        "findings_correct_rate": None,
        "mean_tokens": 41.5,
        "validation_loss": 0.8125 - 0.01 * sum(executed),
        "failures": dict(failures or {}),
        "pass_at_k": pass_at_k,
    }


def evaluate(paths: RunPaths, number: int, outcomes: Mapping[str, str], **changes: Any) -> dict[str, Any]:
    """Write report, held-out items and answers; a role's outcomes have a letter an item: p passes, others fail."""
    items = [
        {
            "id": f"r{number}-{place:05d}",
            "instruction": f"Write function {place}.",
            "input": "",
            "output": f"right answer {place}",
            "tests": f"assert f({place})",
            "metadata": {
                "task_type": ("bug_fixing", "code_completion")[place % 2],
                "concepts": [("sets", "strings", "loops")[place % 3]],
                "difficulty": "easy",
            },
        }
        for place in range(len(outcomes["base"]))
    ]
    classes = {"-": ("no_code", ""), "a": ("tests_failed", "AssertionError"), "t": ("timeout", "")}
    answers, models = [], {}
    for role, letters in outcomes.items():
        for item, letter in zip(items, letters, strict=True):
            reason, error_class = classes.get(letter, ("ok", ""))
            said = {"reason": reason, "error_class": error_class, "detail": f"line {letter}"}
            text = f"{role} answers {item['id']}"
            answers.append(answer(NAMES[role], item["id"], text, passed=letter == "p", **said))
        failures = {words: letters.count(letter) for letter, words in CLASSES.items() if letter in letters}
        passed = [letter == "p" for letter in letters]
        models[role] = {
            "name": NAMES[role],
            "total": metrics(passed, failures),
            "by_task_type": {"bug_fixing": metrics(passed[::2]), "code_completion": metrics(passed[1::2])},
            "by_concept": {name: metrics(passed[at::3]) for at, name in enumerate(("sets", "strings", "loops"))},
            "by_difficulty": {"easy": metrics(passed)},
        }
    pairs = {"this round against base": ("new", "base"), "best so far against base": ("best", "base")}
    comparisons = {
        title: {**asdict(compare(*([x == "p" for x in outcomes[role]] for role in roles))), "p_corrected": 0.0421}
        for title, roles in pairs.items()
        if set(roles) <= outcomes.keys()
    }
    report = {
        "report_version": 2,
        "run_id": paths.root.name,
        "round": number,
        "base_model": "/models/tiny",
        "items": len(items),
        "max_new_tokens": 192,
        "engine": "transformers",
        "execution": "every answer with tests was run",
        "models": models,
        "comparisons": comparisons,
        "rounds": [
            {"round": one, "wins": 5 + one, "losses": one, "ties": 9, "p": 0.031 * one, "p_corrected": 0.062 * one,
             "verdict": "no evidence"}
            for one in range(1, number + 1)
        ],
        "benchmarks": {
            "humaneval": {
                "items": 13,
                "prompt": "as a user's turn",
                "models": {role: {"name": NAMES[role], "total": metrics([True, False, None])} for role in outcomes},
                "comparisons": comparisons,
            }
        },
        "focus": {
            "student": "new",
            "names": {
                "sets": {"weight": 2.5, "before": measured([True, False, False]), "after": None},
                "bug_fixing": {"weight": 3.25, "before": None, "after": measured([True] * 3)},
            },
            "next": {"loops": 1.75},
        },
        "decision": {"promoted": True, "metric": "pass_at_1", "score": 0.5, "reason": "above the base"},
        **changes,
    }  # fmt: skip
    write_jsonl(paths.val(number), items)
    write_jsonl(paths.answers(number), answers)
    paths.report(number).write_text(json.dumps(report))
    return report


def answer(model: str, item: str, text: str, draw: int = 0, **verdict: Any) -> dict[str, Any]:
    given = Answer(model, item, "greedy 192", text, 5, False, 1.0, 10, draw=draw)
    return {**given.to_json(), "verdict": asdict(Verdict(**verdict))}


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    """Round 1 with a report of version 1, round 2 trained for three steps and evaluated with version 2."""
    paths = record(OutPaths(tmp_path)).paths
    evaluate(paths, 2, {"base": "p--a" * 4, "best": "pp-a" * 4, "new": "apptpp-ppppptppa"})
    return paths


def numbers_of(value: Any) -> list[str]:
    """Everything that a report counts or measures, as the page is to show it."""
    if isinstance(value, dict):
        if {"hits", "n", "value"} <= value.keys():
            return [shown(value)]
        if {"wins", "losses"} <= value.keys():
            wins_losses_ties = f"{value['wins']} {value['losses']} {value['ties']}"
            return [f"{wins_losses_ties} {value['p']:.3g} {value['p_corrected']:.3g} {value['verdict']}"]
        if {"n", "value"} <= value.keys():
            return [f"{value['value']:.1%} ({value['n']} tasks, {value['low']:.1%}–{value['high']:.1%})"]
        return [found for one in value.values() for found in numbers_of(one)]
    if isinstance(value, list):
        return [found for one in value for found in numbers_of(one)]
    return [str(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


# ---------------------------------------------------------------------------------------------------
# What it says


def test_every_figure_of_the_report_is_on_the_page(run: RunPaths) -> None:
    report = json.loads(run.report(2).read_text())
    for model in report["models"].values():
        # Of a group, the pass rate is shown.
        for key in ("by_task_type", "by_concept", "by_difficulty"):
            model[key] = {name: {"items": one["items"], "rate": one["pass_at_1"]} for name, one in model[key].items()}
    del report["decision"]["score"]
    page = Reader(page_of(run, 2))
    text = page.text()
    figures = numbers_of(report)
    assert len(figures) > 100
    rows = " ".join(" ".join(" ".join(row).split()) for row in page.rows)
    assert [one for one in figures if one not in text and one not in rows] == []
    strings = [shown(report["models"][role]["by_concept"]["strings"]["rate"]) for role in NAMES]
    assert page.row("strings") == ["5", *strings]


def test_the_verdict_comes_first_and_in_plain_words(run: RunPaths) -> None:
    text = Reader(page_of(run, 2)).text("")
    assert "Round 2: promoted 25.0% → 68.8%" in text
    assert "held-out tasks: base 25.0% (4/16, 10.2%–49.5%), this round 68.8% (11/16, 44.4%–85.8%)." in text
    assert "It solves 9 tasks that the base does not, and fails 2 that the base solves; on 5 both do the same." in text
    assert "Exact McNemar p = 0.0654, corrected for the run's rounds (Holm) 0.0421: no evidence." in text
    assert "above the base" in text
    assert "lacks something" not in text


def test_it_says_when_no_adapter_beat_the_base(run: RunPaths) -> None:
    lost = {"promoted": False, "metric": "pass_at_1", "score": 0.25, "reason": "25.0% is not above the base's 50.0%"}
    evaluate(run, 2, {"base": "pp--", "new": "p---"}, decision=lost)
    text = Reader(page_of(run, 2)).text("")
    assert "Round 2: not promoted" in text
    assert "No adapter beat the base model so far, so there is no best_adapter." in text
    evaluate(run, 2, {"base": "p---", "best": "ppp-", "new": "pp--"}, decision=lost)
    text = Reader(page_of(run, 2)).text("")
    assert "No adapter beat" not in text
    assert "The best adapter stays that of an earlier round, with 75.0% (3/4, 30.1%–95.4%)." in text


def test_a_run_without_execution_is_told_by_its_loss(run: RunPaths) -> None:
    report = json.loads(run.report(2).read_text())
    for model in report["models"].values():
        model["total"] = metrics([None] * 16)
    report["comparisons"], report["rounds"] = {}, []
    run.report(2).write_text(json.dumps(report))
    run.report(1).unlink()
    page = Reader(page_of(run, 2))
    assert "0.8125 → 0.8125 held-out loss" in page.text("")
    assert "no pass rate, as nothing was executed" in page.text("")
    assert "No round has a pass rate" in page.text("rounds")


def test_reports_of_version_1_render(run: RunPaths) -> None:
    page = Reader(page_of(run, 1))
    assert "Round 1: promoted 10.0% → 45.0%" in page.text("")
    rates = ["10.0% (2/20, 5.0%–20.0%)", "–", "45.0% (9/20, 22.5%–90.0%)"]
    assert ["1", *rates, "yes", "8", "1", "11", "0.039", "–", "better"] in page.rows
    assert page.row("no_code") == ["3", "3"]
    assert "This round aimed at nothing in particular." in page.text("focus")
    assert "None was run." in page.text("benchmarks")
    assert "val_round_1.jsonl cannot be read" in page.text("")


def test_rounds_losses_and_samples_are_shown_as_the_files_have_them(run: RunPaths) -> None:
    page = Reader(page_of(run, 2))
    rows = [row for row in page.rows if row[0] in ("1", "2")]
    assert [row[1].split(" (")[0] for row in rows[:2]] == ["10.0%", "25.0%"]
    assert rows[0][5:] == ["6", "1", "9", "0.031", "0.062", "no evidence"]
    losses = [rows[2], rows[3]]
    assert losses == [["1", "20", "0.9", "0.5", "–", "0.5"], ["2", "3", "0.333333", "0.7725", "0.7325", "0.7025"]]
    assert page.row("generated") == ["200", "", "100", "100"]
    assert page.row("dropped: duplicate") == ["8", "", "8", "–"]
    assert page.row("kept, claim proved by running it") == ["165", "", "70", "95"]
    assert "label" in page_of(run, 2)
    svg = page_of(run, 2).split("<svg", 2)
    assert all(word in svg[1] for word in ("base", "best so far", "this round", "pass rate"))
    assert all(word in svg[2] for word in ("training", "held out, base", "round 1", "round 2"))


def test_a_resumed_training_goes_on_at_its_checkpoint(run: RunPaths, tmp_path: Path) -> None:
    out = OutPaths(tmp_path / "other")
    journal = record(out)
    stage = at_work(journal, Settings(), 2, "train")
    for step in (1, 2):
        step_at(stage, step)
    evaluate(journal.paths, 2, {"base": "p-", "new": "pp"})
    (row,) = [row for row in Reader(page_of(journal.paths, 2)).rows if row[:3] == ["2", "2", "0.5"]]
    assert row[3] == "0.8025"


# ---------------------------------------------------------------------------------------------------
# Failures to read


def test_failures_can_be_read_with_all_that_says_why(run: RunPaths) -> None:
    text = Reader(page_of(run, 2)).text("failures")
    assert "5 held-out tasks" in text
    for words in ("Write function 3.", "new answers r2-00003", "assert f(3)", "timeout line t", "right answer 3"):
        assert words in text
    assert re.findall(r"(r2-\d+) ([\w ]+?) (\(the base solves it\) )?(?:bug_fixing|code_completion) · easy", text) == [
        ("r2-00012", "timeout", "(the base solves it) "),
        ("r2-00000", "wrong answer", "(the base solves it) "),
        ("r2-00006", "no code", ""),
        ("r2-00003", "timeout", ""),
        ("r2-00015", "wrong answer", ""),
    ]


def test_only_first_answers_of_this_round_to_held_out_tasks_are_failures(run: RunPaths) -> None:
    evaluate(run, 2, {"base": "----", "new": "ppp-"})
    failed = {"passed": False, "reason": "no_code", "error_class": "", "detail": ""}
    with run.answers(2).open("a") as stream:
        for line in (
            answer(NAMES["new"], "HumanEval/3", "a benchmark's", **failed),
            answer(NAMES["new"], "r2-00001", "drawn at random", draw=1, **failed),
            answer(NAMES["base"], "r2-00002", "of the base", **failed),
        ):
            stream.write(json.dumps(line) + "\n")
    text = Reader(page_of(run, 2)).text("failures")
    assert "1 held-out tasks" in text
    assert "new answers r2-00003" in text
    assert not re.search("benchmark's|drawn at random|of the base", text)


def test_of_many_failures_twenty_are_shown_and_every_class_is_among_them(run: RunPaths) -> None:
    evaluate(run, 2, {"base": "-" * 60, "new": "-" * 50 + "t" * 9 + "a"})
    page = Reader(page_of(run, 2))
    assert [tag for tag, given in page.elements if given.get("class") == "failure"] == ["details"] * 20
    text = page.text("failures")
    assert text.count("timeout line") == 9
    assert text.count("wrong answer line") == 1


def test_a_long_answer_is_cut_and_says_so(run: RunPaths) -> None:
    evaluate(run, 2, {"base": "-", "new": "-"})
    write_jsonl(run.answers(2), [answer(NAMES["new"], "r2-00000", "x" * 9000, passed=False, reason="no_code")])
    text = Reader(page_of(run, 2)).text("failures")
    assert "x" * 6000 + " … 3000 more characters in the file" in text
    assert "x" * 6001 not in text


# ---------------------------------------------------------------------------------------------------
# One file that does nothing


def test_it_is_one_file_that_asks_for_nothing(run: RunPaths) -> None:
    text = page_of(run, 2)
    page = Reader(text)
    assert text.startswith("<!DOCTYPE html>")
    assert not re.search(r"https?:|@import|javascript:|\ssrc=|url\((?!#)", text)
    assert {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "object", "embed", "form"} == set()
    assert [name for _, given in page.elements for name in given if name.startswith("on")] == []
    ids = [given["id"] for _, given in page.elements if "id" in given]
    assert len(ids) == len(set(ids))
    links = [given[name] or "" for _, given in page.elements for name in ("href", "xlink:href") if name in given]
    links += [f"#{name}" for name in re.findall(r"url\(#([\w-]+)\)", text)]
    assert len(links) > 9
    assert [link for link in links if not (link.startswith("#") and link[1:] in ids)] == []
    policy = next(given["content"] or "" for _, given in page.elements if "http-equiv" in given)
    assert "default-src 'none'" in policy
    assert sum(tag == "svg" for tag, _ in page.elements) == 3


def test_what_models_and_teachers_wrote_is_shown_and_does_nothing(run: RunPaths) -> None:
    report = evaluate(run, 2, {"base": "p-", "new": "-p"})
    items = [json.loads(line) for line in run.val(2).read_text().splitlines()]
    for item in items:
        item.update(instruction=HOSTILE, input=HOSTILE, tests=HOSTILE, output=HOSTILE)
        item["metadata"]["concepts"] = [HOSTILE]
    write_jsonl(run.val(2), items)
    said = {"reason": "tests_failed", "error_class": HOSTILE, "detail": HOSTILE}
    lines = [answer(NAMES["new"], one["id"], HOSTILE, passed=False, **said) for one in items]
    write_jsonl(run.answers(2), lines)
    weight = {"weight": 2.0, "before": None, "after": measured([True])}
    report["focus"] = {"student": "new", "names": {HOSTILE: weight}, "next": {HOSTILE: 2.0}}
    for model in report["models"].values():
        model["by_concept"] = {HOSTILE: metrics([True])}
        model["total"]["failures"] = {HOSTILE: 1}
    report["decision"]["reason"] = report["execution"] = report["engine"] = report["base_model"] = HOSTILE
    report["comparisons"] = {HOSTILE: report["comparisons"]["this round against base"]}
    report["benchmarks"] = {HOSTILE: {**report["benchmarks"]["humaneval"], "prompt": HOSTILE}}
    run.report(2).write_text(json.dumps(report))
    text = page_of(run, 2)
    page = Reader(text)
    assert {tag for tag, _ in page.elements} & {"script", "img"} == set()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    failures = page.text("failures")
    written = HOSTILE.replace("\x1b", r"\x1b").replace("\x00", r"\x00").replace("\u202e", r"\u202e")
    assert failures.count(written) == 2 * 8
    assert "lacks something" not in page.text("")
    for section in ("", "rounds", "groups", "focus", "benchmarks", "classes"):
        assert f"{MARKUP} red" in page.text(section)
    plot = text[text.index("<svg", text.index('id="focus"')) :]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in plot[: plot.index("</svg>")]


def test_characters_that_are_none_and_formulas_survive_a_plot(run: RunPaths) -> None:
    """Halves of surrogate pairs can be in values that come from no file; `$` begins no formula."""
    report = json.loads(run.report(2).read_text())
    names = ("\ud800 half", r"$\frac{1$", "日本語", "two\nlines", "_hidden", "a" * 300)
    one = {"weight": 1.5, "before": measured([True]), "after": None}
    report["focus"] = {"names": dict.fromkeys(names, one)}
    sample = Sample(id="r2-1", instruction="", output="").model_copy(update={"id": "r2-1\udfff"})
    failed = Graded(sample, Answer("new", "", "greedy", "\ud800", 1, False, None, 0), Verdict(False, "syntax"))
    page = Reader(to_html(2, {2: report}, run_id="\ud800", failures=[(failed, False)], problems=["\x00"]))
    page.text().encode("utf-8")
    for words in (r"\ud800 half", r"$\frac{1$", "日本語", "two lines", "_hidden", "a" * 35 + "…"):
        assert page.text("focus").count(words) >= 1
    assert r"r2-1\udfff" in page.text("failures")
    assert r"\x00" in page.text("")


def test_the_same_files_give_the_same_bytes_in_every_process(run: RunPaths) -> None:
    page = page_of(run, 2)
    assert page_of(run, 2) == page
    code = """
import hashlib, sys
from pathlib import Path
from autotrain.evaluate.page import page_of
from autotrain.run.paths import RunPaths
print(hashlib.sha256(page_of(RunPaths(Path(sys.argv[1])), 2).encode()).hexdigest(), "matplotlib.pyplot" in sys.modules)
"""
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(run.root)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.split() == [hashlib.sha256(page.encode()).hexdigest(), "False"]


def test_drawing_leaves_the_settings_of_others_alone(run: RunPaths) -> None:
    import matplotlib

    with matplotlib.rc_context({"lines.linewidth": 9, "text.usetex": True, "svg.fonttype": "path"}):
        before = dict(matplotlib.rcParams)
        with_theirs = page_of(run, 2)
        assert dict(matplotlib.rcParams) == before
    assert page_of(run, 2) == with_theirs


# ---------------------------------------------------------------------------------------------------
# What is missing or damaged


def test_what_is_missing_is_named(run: RunPaths) -> None:
    for path in (run.report(1), run.val(2), run.answers(2), run.events, run.state):
        path.unlink()
    page = Reader(page_of(run, 2))
    for words in (
        "This page lacks something",
        "report_round_1.json is missing: the figures of round 1 are left out",
        "val_round_2.jsonl cannot be read (No such file or directory)",
        "answers_round_2.jsonl cannot be read",
        "events.jsonl cannot be read",
        "state.json is missing or damaged",
    ):
        assert words in page.text("")
    assert "Round 2: promoted" in page.text("")
    assert "No step of a training is known" in page.text("losses")
    assert "No sample was counted" in page.text("samples")
    assert page.text("failures") == "Failures to read There is none to show."


def test_what_is_damaged_is_named_and_the_rest_is_shown(run: RunPaths) -> None:
    run.report(1).write_text('{"round": 1')
    run.state.write_text('{"run_id": 3}')
    for path, junk in (
        (run.val(2), '{"id": "x"}'),
        (run.answers(2), json.dumps({"model": NAMES["new"], "item": "r2-00003"})),
    ):
        path.write_text(path.read_text() + "[]\n{torn\n" + junk + "\n")
    add_line(run, b'{"torn\xff')
    page = Reader(page_of(run, 2))
    for words in (
        "report_round_1.json is damaged",
        "val_round_2.jsonl: damaged lines are left out (2)",
        "val_round_2.jsonl: lines that are no samples are left out",
        "answers_round_2.jsonl: damaged lines are left out (2)",
        "answers_round_2.jsonl: lines that are no answers are left out",
        "events.jsonl: damaged lines are left out (1)",
        "state.json is missing or damaged",
    ):
        assert words in page.text("")
    assert "5 held-out tasks" in page.text("failures")
    assert "0.333333" in page.text("losses")


def test_without_its_report_a_round_has_no_verdict(run: RunPaths) -> None:
    run.report(2).write_text("[]")
    page = Reader(page_of(run, 2))
    assert "report_round_2.json is damaged" in page.text("")
    assert "Round 2: no verdict" in page.text("")
    assert "45.0% (9/20, 22.5%–90.0%)" in page.text("rounds")
    assert page.texts.keys() == {"", *SECTIONS}


def test_nothing_at_all_is_a_page_too(tmp_path: Path) -> None:
    page = Reader(page_of(RunPaths(tmp_path / RUN_ID), 3))
    text = page.text("")
    assert "Round 3: no verdict" in text
    assert all(f"report_round_{number}.json is missing" in text for number in (1, 2, 3))
    assert list(tmp_path.iterdir()) == [], "and nothing was written"


@pytest.mark.parametrize(
    "parts",
    [
        {"focus": {"names": {"a": 3}}, "benchmarks": {"b": {"items": 3}}, "rounds": [{"round": 1}]},
        {"focus": {"names": {"a": {"weight": "x", "before": None, "after": None}}}, "benchmarks": [1], "rounds": 3},
        {"focus": {"names": {"a": {"weight": 1, "before": {"value": 1}, "after": None}}}},
    ],
)
def test_a_part_in_another_form_is_left_out_alone(run: RunPaths, parts: dict[str, Any]) -> None:
    report = json.loads(run.report(2).read_text())
    run.report(2).write_text(json.dumps({**report, **parts}))
    page = Reader(page_of(run, 2))
    assert [name for name in parts if f"“{SECTIONS[name]}” is left out" not in page.text("")] == []
    assert page.texts.keys() == {"", *SECTIONS} - parts.keys()
    assert "Round 2: promoted 25.0% → 68.8%" in page.text("")


# ---------------------------------------------------------------------------------------------------
# Size


def test_of_a_long_training_little_is_held_and_little_is_drawn(run: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = [line for line in run.events.read_text().splitlines() if "step 3/20" in line]
    event = json.loads(line)
    event["counters_delta"] = {"train_step": 1, "train_loss": 0.0001}
    short = page_of(run, 2)
    add_line(run, (json.dumps(event) + "\n") * 8_000)
    page = page_of(run, 2)
    assert len(page) - len(short) < 30_000
    (row,) = [row for row in Reader(page).rows if row[:2] == ["2", "8003"]]
    assert row[2] == "1.13333"
    # Drawing takes what it takes, however long the file is.
    monkeypatch.setattr("autotrain.evaluate.page.to_html", lambda *_, **values: str(len(values["curves"][2])))
    tracemalloc.start()
    points = int(page_of(run, 2))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 250 <= points <= 500
    assert peak < 1 << 20 < run.events.stat().st_size / 2


def test_of_many_names_thirty_are_plotted_and_all_are_in_the_table(run: RunPaths) -> None:
    report = json.loads(run.report(2).read_text())
    names = {
        f"concept{number:03d}": {"weight": 1 + number / 100, "before": None, "after": measured([True, False])}
        for number in range(150)
    }
    run.report(2).write_text(json.dumps({**report, "focus": {"student": "new", "names": names, "next": {}}}))
    page = page_of(run, 2)
    section = page[page.index('id="focus"') : page.index('id="benchmarks"')]
    plot, table = section.split("</svg>")
    assert re.findall(r"concept\d+", plot) == [f"concept{number:03d}" for number in range(149, 119, -1)]
    assert re.findall(r"concept\d+", table) == [f"concept{number:03d}" for number in range(149, -1, -1)]


def test_the_program_on_the_page_recomputes_the_report(run: RunPaths) -> None:
    report = json.loads(run.report(2).read_text())
    text = page_of(run, 2)
    (program,) = re.findall(r"<pre>\n(import json.*?)</pre>", text, re.S)
    for entity, character in (("&#34;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        program = program.replace(entity, character)
    done = subprocess.run([sys.executable, "-c", program], cwd=run.root, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    for line, role in zip(done.stdout.splitlines(), ("base", "best", "new"), strict=True):
        _, _, figure = shown(report["models"][role]["total"]["pass_at_1"]).partition(" ")
        assert line.startswith(f"{NAMES[role]}: {figure[1:-1]}; ")
    against = report["comparisons"]["this round against base"]
    assert line.endswith(f"{against['wins']} wins, {against['losses']} losses, p = {against['p']:.3g}")
