"""View 3: loss and learning rate, speed, time left, memory."""

from collections.abc import Sequence

from rich.text import Text

from autotrain.monitor.charts import bar, curve, shrink
from autotrain.monitor.snapshot import Snapshot, stage_rail
from autotrain.monitor.views.layout import TITLE_WIDTH, Line, side_by_side, titled, wrapped
from autotrain.monitor.views.page import Page
from autotrain.monitor.views.words import ABSENT, about, count, duration, machine, number, rounds_table, setting
from autotrain.run.state import STAGES

# Lines of the page that are not the charts'; and a chart's most, above which it shows no more.
OTHER_LINES, MOST_LINES = 10, 18


def trainer(snapshot: Snapshot, page: Page) -> list[Line]:
    """The training at hand, or the last one there was."""
    settings = snapshot.settings
    batch = f"{setting(settings.get('batch_size'))} × {setting(settings.get('grad_accum'))}"
    facts = (
        f"{setting(settings.get('base_model'))}, {setting(settings.get('quantization_bits'))} bits, batch {batch}, "
        f"rank {setting(settings.get('lora_r'))}, peak rate {setting(settings.get('lr'))}"
    )
    columns = ("train_samples", "samples"), ("train_step", "steps"), ("train_tokens", "tokens")
    return [
        *titled("step", [_step(snapshot)]),
        *titled("loss", [Text(_figures(snapshot))]),
        *titled("machine", machine(snapshot)),
        *titled("settings", wrapped(facts, page.width - TITLE_WIDTH)),
        *_charts(snapshot, page),
        *titled("rounds", rounds_table(snapshot, "train", *columns)),
    ]


def _step(snapshot: Snapshot) -> Text:
    stage = stage_rail(snapshot)[STAGES.index("train")]
    done = snapshot.steps[-1].step if snapshot.steps else None
    text = Text(f"{count(done)} of {count(stage.total)}")
    if stage.status == "waiting":
        return text.append("  waiting" if snapshot.alive else "")
    text.append(f"  {stage.status}, {duration(stage.seconds)}")
    if stage.status == "running":
        text.append(f", {about(stage.left)} left")
        if done is not None and stage.total:
            text.append(f"  {bar(done / stage.total, 12)} {done / stage.total:.0%}", "green")
    return text


def _figures(snapshot: Snapshot) -> str:
    last = snapshot.steps[-1] if snapshot.steps else None
    pace = snapshot.pace
    speed = f"{pace.tokens / pace.seconds:,.0f}" if pace is not None and pace.tokens else ABSENT
    loss, rate = (number(figure) for figure in ((last.loss, last.learning_rate) if last else (None, None)))
    return f"{loss}   learning rate {rate}   {speed} tokens/s"


def _charts(snapshot: Snapshot, page: Page) -> list[Line]:
    steps = snapshot.steps
    losses = [(float(one.step), one.loss) for one in steps if one.loss is not None]
    rates = [(float(one.step), one.learning_rate) for one in steps if one.learning_rate is not None]
    room = min(page.room - OTHER_LINES, MOST_LINES * (1 if page.wide else 2))
    if page.wide:
        width = page.width // 2
        return side_by_side(
            _chart("loss", losses, width - 2, room, page), _chart("learning rate", rates, width - 2, room, page), width
        )
    height = max(4, room // 2)
    return _chart("loss", losses, page.width, height, page) + _chart("learning rate", rates, page.width, height, page)


def _chart(title: str, points: Sequence[tuple[float, float]], width: int, height: int, page: Page) -> list[Line]:
    heading = Text(title, "bold cyan")
    if not points:
        return [heading, Text(f"{ABSENT} (no step was reported)", "dim")]
    xs, ys = (shrink(values, width) for values in zip(*points, strict=True))
    return [heading, *(Text(line) for line in curve(list(zip(xs, ys, strict=True)), width, height, page.ascii_only))]
