"""The dataset card of a run: what its tested samples are, by what was counted. In the Hub's format."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autotrain.config import OFFLINE_TEACHERS, Settings, split_list
from autotrain.jsonl import BadLine, read_objects
from autotrain.redact import plain
from autotrain.sample import parse_sample

MOST_CONCEPTS = 25
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass
class Contents:
    """What a run's tested samples hold, counted."""

    rounds: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    concepts: Counter[str] = field(default_factory=Counter)
    difficulties: Counter[str] = field(default_factory=Counter)
    teachers: Counter[str] = field(default_factory=Counter)
    tiers: Counter[str] = field(default_factory=Counter)
    passed: int = 0
    inside: int = 0
    strengths: list[float] = field(default_factory=list)


def read_contents(files: Mapping[int, Path]) -> Contents:
    """Count what the tested files of the rounds hold; a torn or foreign line is none of it."""
    contents = Contents()
    for round_number, path in files.items():
        for sample in (parse_sample(value, 0) for value in read_objects(path)):
            if isinstance(sample, BadLine):
                continue
            metadata = sample.metadata
            gate = (metadata.model_extra or {}).get("gate")
            gate = gate if isinstance(gate, dict) else {}
            contents.rounds[round_number] += 1
            contents.kinds[metadata.task_type or "not named"] += 1
            contents.concepts.update(metadata.concepts)
            contents.difficulties[metadata.difficulty or "not named"] += 1
            contents.teachers[metadata.teacher_model or "not named"] += 1
            contents.passed += gate.get("passed") is True
            contents.inside += gate.get("trust") == "inside"
            contents.tiers.update([str(gate["tier"])] if gate.get("tier") else [])
            contents.strengths += [gate["strength"]] if type(gate.get("strength")) in (int, float) else []
    return contents


def dataset_card(
    contents: Contents, settings: Settings, dropped: Sequence[tuple[str, int]], overlaps: Mapping[str, int]
) -> str:
    """The card as Markdown: `dropped` are words and counts in order, `overlaps` contaminated samples by problem."""
    count = contents.rounds.total()
    size = next((name for most, name in SIZES if count < most), "n>1M")
    builtin = settings.teacher_model in OFFLINE_TEACHERS
    lines = [
        "---",
        "language:",
        "- en",
        f"license: {'apache-2.0' if builtin else 'other'}",
        "task_categories:",
        "- text-generation",
        "tags:",
        "- code",
        "- python",
        "- synthetic",
        "size_categories:",
        f"- {size}",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        "    path: tested_round_*.jsonl",
        "---",
        "",
        "# Programming tasks with tests",
        "",
        f"{count} programming tasks in Python, in English, with answers and tests, written by "
        + ("a program that composes them" if builtin else "a language model")
        + f". {contents.passed} of them were proved by running them.",
        "",
        *_table("round", contents.rounds),
        *_table("task type", contents.kinds),
        *_table("difficulty", contents.difficulties),
        *_table("concept", contents.concepts, MOST_CONCEPTS),
        "## Teacher",
        "",
        *(f"- {plain(name, 200)}: {number}" for name, number in contents.teachers.most_common()),
        "",
        _licence(builtin),
        "",
        "## What was dropped",
        "",
        *([f"- {words}: {number}" for words, number in dropped] or ["Nothing."]),
        "",
        "## Contamination",
        "",
        *_contamination(settings, overlaps),
        "",
        "## Verification",
        "",
        *_verification(contents, settings),
        "",
        "## Use",
        "",
        "Made to fine-tune small language models on code, and to measure that on tasks held out of the same data. A "
        "high score on these says that a model learned this kind of task, not that it became a better programmer in "
        "general. Tasks are short and self-contained; nothing here is about large programs, other languages than "
        "Python, or security. No personal data was asked for; samples that hold anything like a secret"
        + (", an e-mail address, a card number or an account" if settings.drop_pii else "")
        + " were dropped whole.",
    ]
    return "\n".join(lines) + "\n"


def _table(title: str, counts: Counter[Any], most: int | None = None) -> list[str]:
    rows: Iterable[tuple[Any, int]] = sorted(counts.items()) if title == "round" else counts.most_common(most)
    cells = [f"| {plain(str(name), 100).replace('|', '/')} | {number} |" for name, number in rows]
    more = len(counts) - len(cells)
    note = [f"| {more} more | {sum(counts.values()) - sum(number for _, number in counts.most_common(most))} |"]
    return [f"| {title} | samples |", "|---|---|", *cells, *(note if more > 0 else []), ""]


def _licence(builtin: bool) -> str:
    if builtin:
        return "The builtin teacher is part of heidi-autotrain; what it writes is under Apache-2.0."
    return (
        "Whether models may be trained on these texts, and whether they may be passed on, is up to the terms of the "
        "teacher's provider or the licence of its weights, as they held when the samples were written "
        "(`metadata.created_at`): check them before you share this."
    )


def _contamination(settings: Settings, overlaps: Mapping[str, int]) -> list[str]:
    names = split_list(settings.decontaminate)
    if not names:
        return ["Not looked for (DECONTAMINATE is empty)."]
    checked = ", ".join(Path(name).name for name in names)
    lines = [
        f"Compared with {checked} and with the run's own held-out tasks: words in a row, signatures, and code without "
        f"its names. {sum(overlaps.values())} samples shared a problem and were dropped; what is left shares none "
        "that this way of looking finds."
    ]
    return lines + [f"- {plain(problem, 200)}: {number}" for problem, number in sorted(overlaps.items())]


def _verification(contents: Contents, settings: Settings) -> list[str]:
    if not contents.passed:
        return ["Nothing was run (RUN_UNIT_TESTS=0): answers parse, and no more is known."]
    lines = [
        f"{contents.passed} samples passed in a sandbox (tier {', '.join(sorted(contents.tiers))}); of "
        f"{contents.inside} of them some assert was judged only by the sample's own process.",
    ]
    if contents.strengths:
        lines.append(
            f"The tests of {len(contents.strengths)} samples were tried on small planted bugs: they find "
            f"{statistics.median(contents.strengths):.0%} of them in the median; samples below "
            f"{settings.min_test_strength:.0%} were dropped."
        )
    return lines
