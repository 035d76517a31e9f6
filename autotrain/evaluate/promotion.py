"""Which adapter is the best: one that scores strictly higher than the best so far and than the base."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from autotrain.evaluate.metrics import Metrics
from autotrain.evaluate.statistics import Comparison


@dataclass(frozen=True)
class Decision:
    """Whether the new adapter becomes the best, by which figure, and why."""

    promoted: bool
    metric: str
    score: float | None
    reason: str


def decide(base: Metrics, best: Metrics | None, new: Metrics) -> Decision:
    """Compare on executed pass@1; where nothing was executed, on validation loss and format compliance.

    All three were measured on the same items.
    """
    rivals = {"base": base} if best is None else {"base": base, "best so far": best}
    if new.pass_at_1 is not None:
        return _by_pass_rate(new, rivals)
    return _by_loss(new, rivals)


def strictly(decision: Decision, against: Mapping[str, Comparison]) -> Decision:
    """The decision by PROMOTION=significant: a higher score counts only where chance hardly explains it.

    `against` are the comparisons with each rival, by its name.
    """
    if not decision.promoted:
        return decision
    if not against:
        return replace(decision, promoted=False, reason="nothing was executed, so that nothing shows it is no accident")
    for name, comparison in against.items():
        if comparison.verdict != "better":
            p = comparison.p if comparison.p_corrected is None else comparison.p_corrected
            why = f"it scores higher than the {name}, but p = {p:.3g}, and PROMOTION=significant takes less than 0.05"
            return replace(decision, promoted=False, reason=why)
    return decision


def _by_pass_rate(new: Metrics, rivals: dict[str, Metrics]) -> Decision:
    assert new.pass_at_1 is not None
    score = new.pass_at_1.value
    for name, rival in rivals.items():
        if rival.pass_at_1 is None or score <= rival.pass_at_1.value:
            other = None if rival.pass_at_1 is None else f"{rival.pass_at_1.value:.1%}"
            return Decision(False, "pass_at_1", score, f"{score:.1%} is not above the {name}'s {other}")
    above = f"{score:.1%} is above {' and '.join(f'the {name}' for name in rivals)}"
    trust = f"{new.passes_inside} of its {new.pass_at_1.hits} passes rest on asserts judged inside the answer's process"
    return Decision(True, "pass_at_1", score, f"{above}; {trust}")


def _by_loss(new: Metrics, rivals: dict[str, Metrics]) -> Decision:
    loss = new.validation_loss
    if loss is None:
        return Decision(
            False,
            "validation_loss",
            None,
            "neither executed nor with a loss: nothing tells which is better",
        )
    for name, rival in rivals.items():
        if rival.validation_loss is None or loss >= rival.validation_loss:
            return Decision(False, "validation_loss", loss, f"its loss {loss} is not below the {name}'s")
        if _compliance(new) < _compliance(rival):
            return Decision(False, "validation_loss", loss, f"it keeps to the answer's form less than the {name}")
    return Decision(True, "validation_loss", loss, "nothing was executed; its validation loss is the lowest")


def _compliance(metrics: Metrics) -> float:
    return metrics.format_compliance.value if metrics.format_compliance else 0.0
