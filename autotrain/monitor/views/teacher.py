"""View 2: requests, tokens, limits, speed, cost, failures by kind."""

from rich.text import Text

from autotrain.config import OFFLINE_TEACHERS
from autotrain.monitor.snapshot import Snapshot, stage_rail
from autotrain.monitor.views.layout import TITLE_WIDTH, Line, titled, wrapped
from autotrain.monitor.views.page import Page
from autotrain.monitor.views.words import (
    ABSENT,
    about,
    by_kind,
    cost,
    count,
    rounds_table,
    setting,
    token_budget,
    tokens,
)


def teacher(snapshot: Snapshot, page: Page) -> list[Line]:
    """What the teacher was asked, what it gave, and what that cost."""
    settings = snapshot.settings
    model = setting(settings.get("teacher_model"))
    builtin = model in OFFLINE_TEACHERS
    where = f"{model} at {settings.get('teacher_base_url') or 'the OpenAI API'}"
    rows = [("teacher", Text(f"{model}: tasks are composed here; no requests, tokens or cost" if builtin else where))]
    rows.append(("samples", Text(_samples(snapshot))))
    rows += [] if builtin else _requests(snapshot)
    lines: list[Line] = []
    for title, text in rows:
        lines += titled(title, wrapped(text, page.width - TITLE_WIDTH))
    columns = ("teacher_generated", "samples"), ("teacher_failed", "unusable")
    return [*lines, Text(), *titled("rounds", rounds_table(snapshot, "generate", *columns))]


def _samples(snapshot: Snapshot) -> str:
    state = snapshot.state
    assert state is not None
    stage = stage_rail(snapshot)[0]
    words = f"{count(stage.done)} of {count(stage.total)} in round {state.current_round}"
    if stage.status == "running" and snapshot.pace is not None:
        words += f", {snapshot.pace.items / snapshot.pace.seconds:.2g} a second, {about(stage.left)} left"
    return words


def _requests(snapshot: Snapshot) -> list[tuple[str, Text]]:
    state, settings = snapshot.state, snapshot.settings
    assert state is not None
    usage, counters = state.usage, state.counters
    failures = {name.removeprefix("failed_"): many for name, many in usage.items() if name.startswith("failed_")}
    unusable = {name.removeprefix("replies_"): many for name, many in counters.items() if name.startswith("replies_")}
    at_work = snapshot.alive and state.current_stage == "generate"
    now = count(counters.get("requests_at_once")) if at_work else ABSENT
    p50, p95 = (_seconds(counters.get(f"latency_{part}")) for part in ("p50", "p95"))
    return [
        (
            "requests",
            Text(
                f"{count(usage.get('requests_sent'))} sent, {count(usage.get('retries'))} of them retries, "
                f"{count(usage.get('rate_limits_hit'))} rate limits"
            ),
        ),
        ("at once", Text(f"{now} now, at most {setting(settings.get('teacher_concurrency'))} a server")),
        ("latency", Text(f"p50 {p50}, p95 {p95} (the last 200 replies)")),
        ("tokens", Text(f"{tokens(usage)}, {count(usage.get('cached_tokens'))} of the input from the server's cache")),
        ("cost", cost(usage, settings.get("max_cost_usd"))),
        ("budget", token_budget(usage, settings.get("max_tokens"))),
        ("failures", Text(by_kind(failures), "yellow" if failures else "")),
        ("unusable", Text(by_kind(unusable), "yellow" if unusable else "")),
    ]


def _seconds(value: int | float | None) -> str:
    # A gauge is back at zero when its stage starts again, until it is measured.
    return f"{value:.2g} s" if value else ABSENT
