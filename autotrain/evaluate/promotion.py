"""Which adapter is the best: one that scores strictly higher than the best so far and than the base."""

from dataclasses import dataclass

from autotrain.evaluate.metrics import Metrics


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
        return Decision(False, "validation_loss", None, "there was no item to measure on")
    for name, rival in rivals.items():
        if rival.validation_loss is None or loss >= rival.validation_loss:
            return Decision(False, "validation_loss", loss, f"its loss {loss} is not below the {name}'s")
        if _compliance(new) < _compliance(rival):
            return Decision(
                False, "validation_loss", loss, f"it keeps to the answer's form less than the {name}"
            )
    return Decision(True, "validation_loss", loss, "nothing was executed; its validation loss is the lowest")


def _compliance(metrics: Metrics) -> float:
    return metrics.format_compliance.value if metrics.format_compliance else 0.0
