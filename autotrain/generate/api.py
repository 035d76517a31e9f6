"""The teacher behind a server: sends what is planned, keeps every reply, returns samples."""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from autotrain.errors import AutotrainError, Refused
from autotrain.generate.ledger import Book, Ledger, Reply, hash_request
from autotrain.generate.plan import Request, plan_requests
from autotrain.generate.replies import number_samples, parse_reply
from autotrain.generate.teacher import BudgetReached, Report, RequestFailed, TeacherSettings
from autotrain.generate.topics import Topics
from autotrain.sample import Sample

if TYPE_CHECKING:
    from autotrain.generate.client import Client

# The planned requests and those for samples that did not come out, together at most this many times the plan.
MOST_REQUESTS = 2
# Requests that failed one after the other, each with all its retries, before the server counts as gone.
FAILURES_IN_A_ROW = 10
# One request, and twice as many after every such while: a server that will not serve, or not in this way, says so soon.
DOUBLING_SECONDS = 0.03
POLL_SECONDS = 0.2
# How long a stop waits for replies under way, which have to be paid for anyway.
GRACE_SECONDS = 3.0


@dataclass(frozen=True)
class Earlier:
    """What came before this round: what it cost, and the instructions of each cell, oldest first."""

    book: Book = field(default_factory=Book)
    instructions: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Harvested:
    """The samples that came out, and the bound that was in the way of more, if one was."""

    samples: list[Sample]
    over_budget: str | None = None


def generate_with_api(
    settings: TeacherSettings,
    *,
    count: int,
    seed: int,
    round_number: int,
    ledger_path: Path,
    on_report: Callable[[Report], None],
    should_stop: Callable[[], None],
    topics: Topics,
    earlier: Earlier,
    reserve: Path | None = None,
) -> Harvested:
    """Ask the teacher for `count` samples; return those that came out, at most `count`, in request order.

    The samples depend on the ledger alone: replies in it are not asked for again. `should_stop` is called
    between requests, in the caller's thread: it may raise StopRequested or wait; nothing is sent meanwhile,
    and replies under way are kept. Raises Refused if the server will not serve us, in its own words, or if
    no reply held a sample; AutotrainError if the server cannot be reached or keeps failing. After a stop,
    the same arguments go on from the ledger. On a full disk, replies under way are kept in the place of `reserve`.
    """
    size = settings.samples_per_request
    most = MOST_REQUESTS * math.ceil(count / size)
    chosen = (seed, round_number, topics.shares, topics.concepts, topics.focus)
    requests = plan_requests(count, size, *chosen)
    planned = len(requests)
    requests += plan_requests(most * size, size, *chosen)[planned:]
    over_budget = None
    with Ledger(ledger_path, reserve) as ledger:
        harvest = Harvest(count, earlier, ledger.book, on_report)
        for request in requests:
            reply = ledger.book.replies.get(hash_request(request, settings.model, settings.max_tokens))
            if reply is not None:
                harvest.add(request, reply)
        harvest.report()
        if harvest.good < count:
            from autotrain.generate.client import Client

            with Client(settings, ledger, earlier.book.committed) as client:
                over_budget = _fill(client, requests, planned, size, harvest, should_stop)
    if harvest.good == 0 and over_budget is None:
        _explain_nothing(harvest, len(requests), settings.model, ledger_path)
    return Harvested(number_samples(harvest.samples(), round_number), over_budget)


class Harvest:
    """The samples so far, by request, and what was counted on the way."""

    def __init__(self, count: int, earlier: Earlier, book: Book, on_report: Callable[[Report], None]) -> None:
        self.count = count
        self.seen: set[int] = set()
        self.good = 0
        self.replies = 0
        self.failures_in_a_row = 0
        self.last_failure = ""
        self.counters: Counter[str] = Counter()
        self._samples: dict[int, list[Sample]] = {}
        self._by_cell: defaultdict[tuple[str, str], list[Request]] = defaultdict(list)
        self._earlier = earlier
        self._book = book
        self._on_report = on_report

    def add(self, request: Request, reply: Reply) -> None:
        """Count a reply's samples in."""
        samples, lost = parse_reply(reply, request)
        self.seen.add(request.index)
        self.replies += 1
        self.failures_in_a_row = 0
        self._samples[request.index] = samples
        self._by_cell[request.cell].append(request)
        # The last replies can bring more than were asked for in all; samples() leaves those out too.
        counted = min(len(samples), max(0, self.count - self.good))
        self.good += len(samples)
        self.counters.update(teacher_generated=counted, teacher_failed=lost)
        if (fault := _fault_of(reply, samples)) is not None:
            self.counters[f"replies_{fault}"] += 1

    def add_failure(self, request: Request, why: str) -> None:
        """Count the samples of a request without reply as lost."""
        self.seen.add(request.index)
        self.failures_in_a_row += 1
        self.last_failure = why
        self.counters["teacher_failed"] += request.count

    def recent(self, request: Request) -> list[str]:
        """The instructions of the request's cell, oldest first: from earlier rounds and from earlier waves.

        Those of its own wave are left out, whenever they came: so what is asked does not depend on luck.
        """
        before = [one for one in self._by_cell[request.cell] if one.wave < request.wave]
        own = [
            sample.instruction
            for one in sorted(before, key=lambda one: one.index)
            for sample in self._samples[one.index]
        ]
        return [*self._earlier.instructions.get(request.cell, ()), *own]

    def samples(self) -> list[Sample]:
        """The samples in request order, no more than were asked for."""
        return [sample for index in sorted(self._samples) for sample in self._samples[index]][: self.count]

    def report(self, under_way: int = 0, latencies: Sequence[float] = ()) -> None:
        """Tell where the work stands."""
        usage = Counter(self._earlier.book.totals())
        usage.update(self._book.totals())
        samples = min(self.good, self.count)
        self._on_report(Report(samples, dict(self.counters), dict(usage), under_way, latencies))


def _fault_of(reply: Reply, samples: Sequence[Sample]) -> str | None:
    """What is wrong with a reply as a whole, by name."""
    if reply.refusal:
        return "refused"
    if reply.finish_reason == "length":
        return "truncated"
    if not reply.text.strip():
        return "empty"
    return None if samples else "unusable"


def _fill(
    client: "Client",
    requests: Sequence[Request],
    planned: int,
    size: int,
    harvest: Harvest,
    should_stop: Callable[[], None],
) -> str | None:
    """Send the planned requests that have no reply yet, then some of the others while samples are missing.

    Returns the bound that was reached, if one was.
    """
    end = planned
    while harvest.good < harvest.count:
        todo = [request for request in requests[:end] if request.index not in harvest.seen]
        if todo:
            over_budget = _ask_all(client, todo, harvest, should_stop)
            if over_budget is not None:
                return over_budget
        elif end < len(requests):
            end = min(len(requests), end + math.ceil((harvest.count - harvest.good) / size))
        else:
            break
    return None


def _ask_all(
    client: "Client", todo: Iterable[Request], harvest: Harvest, should_stop: Callable[[], None]
) -> str | None:
    """Ask every request of `todo`, many at once, and add the outcomes to the harvest."""
    waiting = list(todo)
    missing = Counter((request.cell, request.wave) for request in waiting)
    under_way: dict[Future[Reply], Request] = {}
    over_budget = None
    started = time.monotonic()
    try:
        while under_way or (waiting and over_budget is None):
            with client.held():
                should_stop()
            doublings = min(16, int((time.monotonic() - started) / DOUBLING_SECONDS))
            at_once = min(client.most_at_once, 2**doublings)
            while over_budget is None and len(under_way) < at_once:
                request = _next_ready(waiting, missing)
                if request is None:
                    break
                under_way[client.ask(request, harvest.recent(request))] = request
            patience = POLL_SECONDS if at_once == client.most_at_once else DOUBLING_SECONDS
            done, _ = wait(under_way, patience, FIRST_COMPLETED)
            # With those that were until just now: they are looked at only when one has ended.
            busy = client.under_way + len(done)
            for future in sorted(done, key=lambda future: under_way[future].index):
                request = under_way.pop(future)
                missing[request.cell, request.wave] -= 1
                try:
                    _settle(client, request, future, harvest)
                except BudgetReached as error:
                    over_budget = str(error)
            harvest.report(busy, client.latencies)
    except (AutotrainError, OSError):
        # What is under way is paid for, and nothing is sent that may not be kept.
        with client.held():
            done, _ = wait(under_way, timeout=GRACE_SECONDS)
        for future in done:
            if future.exception() is None:
                harvest.add(under_way[future], future.result())
        raise
    finally:
        harvest.report(0, client.latencies)
    return over_budget


def _next_ready(waiting: list[Request], missing: Mapping[tuple[tuple[str, str], int], int]) -> Request | None:
    """Take the first request out of `waiting` that no request of an earlier wave is missing for."""
    for place, request in enumerate(waiting):
        if not any(missing.get((request.cell, wave)) for wave in range(request.wave)):
            return waiting.pop(place)
    return None


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


def _explain_nothing(harvest: Harvest, asked: int, model: str, ledger_path: Path) -> None:
    """Raise what a round without a single sample comes to."""
    if harvest.replies == 0:
        raise AutotrainError(
            f"none of {asked} requests to {model} brought a reply, the last: "
            f"{harvest.last_failure}; --resume tries again"
        )
    faults = {name.removeprefix("replies_"): count for name, count in harvest.counters.items() if "replies_" in name}
    listed = ", ".join(f"{count} {name}" for name, count in faults.items())
    cut_off = harvest.counters["replies_truncated"] * 2 > harvest.replies
    raise Refused(
        f"none of the {harvest.replies} replies of {model} held a usable sample ({listed}); they are in "
        f"{ledger_path.name}; try {'a higher TEACHER_MAX_TOKENS or ' if cut_off else ''}another TEACHER_MODEL"
    )
