"""How many requests a server gets at once: a few more while it copes, half as many when it does not.

Additive increase, multiplicative decrease, as in TCP's congestion control (Chiu and Jain 1989). A server that
says "too many" is left alone altogether for a while, as long as it says or else longer each time.
"""

import random

# Steps from one request at once to the most allowed, each a full window of replies.
STEPS = 16
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0


class Pace:
    """One server's pace. Times are seconds of one monotonic clock, given by the caller."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(most)
        self.under_way = 0
        self.resumes_at = 0.0
        self.overloads = 0  # since the last reply
        self._decreased_at = float("-inf")

    def free(self, now: float) -> int:
        """How many requests may be sent now."""
        return 0 if now < self.resumes_at else max(0, int(self.limit) - self.under_way)

    def start(self) -> None:
        self.under_way += 1

    def end(self) -> None:
        self.under_way -= 1

    def served(self) -> None:
        """A reply came."""
        self.overloads = 0
        self.limit = min(self.most, self.limit + self.most / STEPS / self.limit)

    def rate_limited(self, sent_at: float, now: float, wait: float | None) -> None:
        """The server said "too many"; `wait` is how long it wants to be left alone, None if it did not say."""
        if self._decrease(sent_at, now):
            self.overloads += 1
        if wait is None:
            wait = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.overloads, 10)) * random.uniform(0.5, 1.0)
        self.pause(now + wait)

    def timed_out(self, sent_at: float, now: float) -> None:
        """The time of a request ran out."""
        self._decrease(sent_at, now)

    def pause(self, until: float) -> None:
        """Send nothing before `until`."""
        self.resumes_at = max(self.resumes_at, until)

    def _decrease(self, sent_at: float, now: float) -> bool:
        """Halve the pace, once for all requests that were under way together: the others tell nothing new."""
        if sent_at < self._decreased_at:
            return False
        self._decreased_at = now
        self.limit = max(1.0, self.limit / 2)
        return True
