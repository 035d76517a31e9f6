"""The pace of one server: down by half when it is too much, up a little with every reply."""

import pytest

from autotrain.generate.pace import Pace


def test_begins_with_all_that_is_allowed_and_counts_what_is_under_way() -> None:
    pace = Pace(8)
    assert pace.free(now=0.0) == 8
    for _ in range(8):
        pace.start()
    assert pace.free(now=0.0) == 0
    pace.end()
    assert pace.free(now=0.0) == 1


def test_one_burst_of_refusals_halves_the_pace_once() -> None:
    pace = Pace(64)
    for _ in range(20):
        pace.rate_limited(sent_at=0.0, now=1.0, wait=2.0)
    assert pace.limit == 32
    assert (pace.free(now=2.9), pace.free(now=3.0)) == (0, 32)
    pace.rate_limited(sent_at=3.5, now=4.0, wait=0.0)
    assert pace.limit == 16, "sent after the pace was halved: this one tells something new"
    for number in range(100):
        pace.timed_out(sent_at=number + 5.0, now=number + 5.5)
    assert (pace.limit, pace.free(now=500.0)) == (1, 1), "never less than one at once"


def test_comes_back_step_by_step_and_never_beyond_what_is_allowed() -> None:
    pace = Pace(64)
    pace.rate_limited(0.0, 1.0, wait=0.0)
    for _ in range(32):
        pace.served()
    assert pace.limit == pytest.approx(36, abs=0.5), "one window of replies, one sixteenth of what is allowed"
    for _ in range(1000):
        pace.served()
    assert pace.limit == 64


def test_a_server_that_names_no_time_is_left_alone_longer_each_time() -> None:
    pace = Pace(8)
    pauses = []
    now = 0.0
    for _ in range(12):
        pace.rate_limited(sent_at=now, now=now + 0.1, wait=None)
        pauses.append(pace.resumes_at - now - 0.1)
        now = pace.resumes_at
    assert 0.5 <= pauses[0] <= 1.0
    assert 30 <= pauses[-1] <= 60
    pace.served()
    pace.rate_limited(sent_at=now, now=now + 0.1, wait=None)
    assert pace.resumes_at - now < 1.2, "a reply in between starts anew"
