"""What the tests of a sample that passed are worth: they are run again, and on versions of the solution that are wrong.

passed ──again, under other circumstances (flaky.py)──▶ flaky?
       ──on stubs and on small bugs (strength.py)──▶ vacuous? weak?
"""

from dataclasses import dataclass, replace
from typing import Literal

from autotrain.gate.flaky import FlakyPlan, is_flaky, plan_sample_flaky
from autotrain.gate.jail import Jail, Limits
from autotrain.gate.steps import Program
from autotrain.gate.strength import Ended, Job, Strength, fault_of, next_jobs, plan_sample_strength, strength_of
from autotrain.sample import Sample

# A wrong version that never ends is given this many times what the right one took, and at least a second.
PATIENCE = 10
LEAST_SECONDS = 1.0


@dataclass(frozen=True)
class Worth:
    """Why the tests are not good enough ("" if they are), and their strength where it could be measured."""

    reason: Literal["", "flaky", "vacuous_tests", "weak_tests"]
    detail: str = ""
    strength: Strength | None = None


def weigh(sample: Sample, program: Program, seconds: float, jail: Jail, other: Jail, least: float) -> Worth:
    """How far the tests of a sample can be trusted; `least` is the share of small bugs that they have to find.

    It passed in `program`, which took `seconds`. `other` is a jail whose strings hash differently.
    """
    again = plan_sample_flaky(sample, program)
    if again is not None:
        endings = list(other.run(one.steps for one in again.programs))
        if is_flaky(again, endings):
            return Worth("flaky", _why_flaky(again))
    plan = plan_sample_strength(sample, program=program)
    if plan is None:
        return Worth("")
    limits = _limits(seconds, jail.limits)
    known: dict[Job, Ended] = {}
    while jobs := next_jobs(plan, known):
        known.update(zip(jobs, jail.run(jobs.values(), limits), strict=True))
    return _worth(strength_of(plan, known), least)


def _why_flaky(plan: FlakyPlan) -> str:
    signs = f" (there is {', '.join(plan.signs)} in it)" if plan.signs else ""
    return f"passed, then not in each of {len(plan.programs)} further runs{signs}"


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
