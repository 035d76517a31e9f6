"""The teacher behind a server: sends what is planned, keeps every reply, returns samples."""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import TYPE_CHECKING

from autotrain.errors import AutotrainError, Refused
from autotrain.generate.ledger import Ledger, Reply, hash_request
from autotrain.generate.prompts import Request, plan_requests
from autotrain.generate.replies import number_samples, parse_reply
from autotrain.generate.teacher import Progress, RequestFailed, TeacherSettings
from autotrain.sample import Sample, TaskType

if TYPE_CHECKING:
    from autotrain.generate.client import Client

__all__ = ["Progress", "TeacherSettings", "generate_with_api"]

# The planned requests and those for samples that did not come out, together at most this many times the plan.
MOST_REQUESTS = 2
# Requests that failed one after the other, each with all its retries, before the server counts as gone.
FAILURES_IN_A_ROW = 10
POLL_SECONDS = 0.2
# How long a stop waits for replies under way, which have to be paid for anyway.
GRACE_SECONDS = 3.0


def generate_with_api(
    settings: TeacherSettings,
    *,
    count: int,
    seed: int,
    round_number: int,
    ledger_path: Path,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], None],
    weights: Mapping[TaskType, float] | None = None,
    concepts: Sequence[str] = (),
) -> list[Sample]:
    """Ask the teacher for `count` samples; return those that came out, at most `count`, in request order.

    The samples depend on the ledger alone: replies in it are not asked for again. Their samples are
    reported once more (a stage that starts again counts again), what they cost is not. `should_stop`
    is called between requests, in the caller's thread: it may raise StopRequested or wait; replies
    under way are kept meanwhile. Raises Refused if the server will not serve us, in its own words, or
    if no sample came out; AutotrainError if the server cannot be reached or keeps failing. After a stop,
    the same arguments go on from the ledger.
    """
    size = settings.samples_per_request
    planned = plan_requests(count, size, seed, round_number, weights, concepts)
    most = MOST_REQUESTS * len(planned)
    requests = planned + plan_requests(most * size, size, seed, round_number, weights, concepts)[len(planned) :]
    harvest = Harvest(count, on_progress)
    with Ledger(ledger_path) as ledger:
        for request in requests:
            reply = ledger.replies.get(hash_request(request, settings.model, settings.max_tokens))
            if reply is not None:
                harvest.add(request, reply)
        if harvest.good < count:
            from autotrain.generate.client import Client

            with Client(settings, ledger) as client:
                _fill(client, requests, len(planned), settings, harvest, should_stop)
    if harvest.replies == 0:
        raise AutotrainError(
            f"none of {len(requests)} requests to {settings.model} brought a reply, the last: "
            f"{harvest.last_failure}; --resume tries again"
        )
    if harvest.good == 0:
        raise Refused(
            f"none of the {harvest.replies} replies of {settings.model} held a usable sample; they are in "
            f"{ledger_path.name}; try another TEACHER_MODEL"
        )
    return number_samples(harvest.samples(), round_number)


class Harvest:
    """The samples so far, by request; reports each reply as it is added."""

    def __init__(self, count: int, on_progress: Callable[[Progress], None]) -> None:
        self.count = count
        self.on_progress = on_progress
        self.seen: set[int] = set()
        self.good = 0
        self.replies = 0
        self.failures_in_a_row = 0
        self.last_failure = ""
        self._samples: dict[int, list[Sample]] = {}

    def add(self, request: Request, reply: Reply) -> None:
        """Count a reply's samples in."""
        samples, lost = parse_reply(reply, request)
        self.seen.add(request.index)
        self.replies += 1
        self.failures_in_a_row = 0
        self._samples[request.index] = samples
        # The last replies can bring more than were asked for in all; samples() leaves those out too.
        counted = min(len(samples), max(0, self.count - self.good))
        self.good += len(samples)
        self.on_progress(Progress(samples_ok=counted, samples_failed=lost))

    def add_failure(self, request: Request, why: str) -> None:
        """Count the samples of a request without reply as lost."""
        self.seen.add(request.index)
        self.failures_in_a_row += 1
        self.last_failure = why
        self.on_progress(Progress(samples_failed=request.count))

    def samples(self) -> list[Sample]:
        """The samples in request order, no more than were asked for."""
        return [sample for index in sorted(self._samples) for sample in self._samples[index]][: self.count]


def _fill(
    client: "Client",
    requests: Sequence[Request],
    planned: int,
    settings: TeacherSettings,
    harvest: Harvest,
    should_stop: Callable[[], None],
) -> None:
    """Send the planned requests that have no reply yet, then some of the others while samples are missing."""
    end = planned
    while harvest.good < harvest.count:
        todo = [request for request in requests[:end] if request.index not in harvest.seen]
        if todo:
            _ask_all(client, todo, settings.concurrency, harvest, should_stop)
        elif end < len(requests):
            missing = harvest.count - harvest.good
            end = min(len(requests), end + math.ceil(missing / settings.samples_per_request))
        else:
            return


def _ask_all(
    client: "Client",
    todo: Sequence[Request],
    concurrency: int,
    harvest: Harvest,
    should_stop: Callable[[], None],
) -> None:
    """Ask every request of `todo`, some at once, and add the outcomes to the harvest."""
    waiting = deque(todo)
    under_way: dict[Future[Reply], Request] = {}
    # The first goes alone: it finds out whether the server serves us, and which response format it takes.
    at_once = 1
    try:
        while waiting or under_way:
            should_stop()
            while waiting and len(under_way) < at_once:
                request = waiting.popleft()
                under_way[client.ask(request)] = request
            done, _ = wait(under_way, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            _report_usage(client, harvest)
            for future in sorted(done, key=lambda future: under_way[future].index):
                at_once = concurrency
                _settle(client, under_way.pop(future), future, harvest)
    except AutotrainError:
        done, _ = wait(under_way, timeout=GRACE_SECONDS)
        for future in done:
            if future.exception() is None:
                harvest.add(under_way[future], future.result())
        raise
    finally:
        _report_usage(client, harvest)


def _settle(client: "Client", request: Request, future: "Future[Reply]", harvest: Harvest) -> None:
    """Add the outcome of one request; raise if it means that further ones are in vain."""
    try:
        harvest.add(request, future.result())
    except RequestFailed as error:
        harvest.add_failure(request, str(error))
        if error.unreachable and harvest.replies == 0:
            raise AutotrainError(
                f"no server answers at {client.address}: {error}; start it, or check TEACHER_BASE_URL"
            ) from None
        if harvest.failures_in_a_row >= FAILURES_IN_A_ROW:
            raise AutotrainError(
                f"{FAILURES_IN_A_ROW} requests in a row failed at {client.address}, the last with: {error}; "
                "the replies so far are kept, and --resume asks for the rest"
            ) from None


def _report_usage(client: "Client", harvest: Harvest) -> None:
    progress = client.take_usage()
    if progress is not None:
        harvest.on_progress(progress)
