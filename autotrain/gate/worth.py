"""What the tests of a sample that passed are worth: they are run again, and on versions of the solution that are wrong.

    passed ──again, under other circumstances (flaky.py)──▶ flaky?
           ──on stubs and on small bugs (strength.py)──▶ vacuous? weak?

All samples of a call go through side by side, a wave of programs at a time.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, NamedTuple

from autotrain.gate.flaky import FlakyPlan, is_flaky, plan_sample_flaky
from autotrain.gate.jail import Ending, Jail, Limits
from autotrain.gate.steps import Program
from autotrain.gate.strength import Ended, Job, Strength, fault_of, next_jobs, plan_sample_strength, strength_of
from autotrain.sample import Sample

# A wrong version that never ends is given this many times what the right one took, within these bounds in seconds.
PATIENCE = 10
LEAST_SECONDS = 1.0


class Passed(NamedTuple):
    """A sample that passed: the program it passed in and the seconds that took."""

    sample: Sample
    program: Program
    seconds: float


@dataclass(frozen=True)
class Worth:
    """Why the tests are not good enough ("" if they are), and their strength where it could be measured."""

    reason: Literal["", "flaky", "vacuous_tests", "weak_tests"]
    detail: str = ""
    strength: Strength | None = None


def weigh(
    passed: Sequence[Passed], jail: Jail, other: Jail, least: float, on_ending: Callable[[], None]
) -> list[Worth]:
    """How far the tests of each sample can be trusted; at `least` this share of small bugs has to be found.

    `other` is a jail whose strings hash differently. `on_ending` is called after every program; what it raises
    stops the rest.
    """
    worths = _run_again(passed, other, on_ending)
    steady = {number: passed[number] for number, worth in enumerate(worths) if not worth.reason}
    plans = {
        number: plan
        for number, item in steady.items()
        if (plan := plan_sample_strength(item.sample, program=item.program)) is not None
    }
    known: dict[int, dict[Job, Ended]] = {number: {} for number in plans}
    waiting = dict(plans)
    while waiting:
        wave = [
            (number, job, steps, _limits(passed[number].seconds, jail.limits))
            for number, plan in waiting.items()
            for job, steps in next_jobs(plan, known[number]).items()
        ]
        with closing(jail.run((steps for _, _, steps, _ in wave), (limits for *_, limits in wave))) as endings:
            for (number, job, _, _), ending in zip(wave, endings, strict=True):
                known[number][job] = ending
                on_ending()
        waiting = {number: plans[number] for number in dict.fromkeys(number for number, *_ in wave)}
    for number, plan in plans.items():
        worths[number] = _worth(strength_of(plan, known[number]), least)
    return worths


def _run_again(passed: Sequence[Passed], jail: Jail, on_ending: Callable[[], None]) -> list[Worth]:
    plans = [plan_sample_flaky(item.sample, item.program) for item in passed]
    programs = (program.steps for plan in plans if plan is not None for program in plan.programs)
    worths = []
    with closing(jail.run(programs)) as endings:
        for plan in plans:
            part: list[Ending] = []
            for ending in islice(endings, len(plan.programs) if plan is not None else 0):
                part.append(ending)
                on_ending()
            worths.append(_steadiness(plan, part))
    return worths


def _steadiness(plan: FlakyPlan | None, endings: Sequence[Ended]) -> Worth:
    if plan is None or not is_flaky(plan, endings):
        return Worth("")
    signs = f" (there is {', '.join(plan.signs)} in it)" if plan.signs else ""
    return Worth("flaky", f"passed, then not in each of {len(endings)} further runs{signs}")


def _limits(seconds: float, most: Limits) -> Limits:
    return replace(most, seconds=min(most.seconds, max(LEAST_SECONDS, PATIENCE * seconds)))


def _worth(strength: Strength, least: float) -> Worth:
    reason = fault_of(strength, least)
    detail = ""
    if reason == "vacuous_tests":
        detail = "the tests pass although the code does nothing"
    elif reason == "weak_tests":
        detail = f"{strength.killed} of {strength.killed + strength.live} small bugs fail the tests"
    return Worth(reason, detail, strength)
