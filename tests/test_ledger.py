"""The ledger of replies: nothing lost, nothing half read, nothing asked twice."""

import json
from pathlib import Path

from autotrain.generate.ledger import Ledger, Reply, hash_request, read_book
from autotrain.generate.plan import plan_requests


def a_reply(name: str, text: str = "hello") -> Reply:
    return Reply(request_hash=name, request_index=0, text=text, model="m", created_at="2026-01-01T00:00:00+00:00")


def test_what_was_appended_is_there_while_the_ledger_is_still_open(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    reply = a_reply("a", "snow \N{SNOWMAN} and half a pair \ud800")
    with Ledger(path) as ledger:
        ledger.append(reply)
        assert read_book([path]).replies == {"a": reply} == ledger.book.replies
    line = json.loads(path.read_bytes())
    assert "input_tokens" not in line, "what was not reported is absent"


def test_a_torn_last_line_is_cut_by_the_next_writer(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    with Ledger(path) as ledger:
        ledger.append(a_reply("a"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    assert set(read_book([path]).replies) == {"a"}, "readers skip it"
    with Ledger(path) as ledger:
        ledger.append(a_reply("b"))
    assert len(path.read_bytes().splitlines()) == 2
    assert set(read_book([path]).replies) == {"a", "b"}


def test_a_file_that_is_torn_from_its_start_becomes_empty(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_bytes(b'{"request_ha')
    with Ledger(path) as ledger:
        assert ledger.book.replies == {}
    assert path.read_bytes() == b""


def test_the_first_reply_counts_and_foreign_lines_do_not(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    with Ledger(path) as ledger:
        ledger.append(a_reply("a", "first"))
        ledger.append(a_reply("a", "second"))
    with path.open("a") as stream:
        stream.write('{"something": "else"}\n[]\n')
    assert {name: reply.text for name, reply in read_book([path]).replies.items()} == {"a": "first"}


def test_every_request_has_its_own_hash() -> None:
    requests = [*plan_requests(1000, 2, 1, 1), *plan_requests(1000, 2, 1, 2)]
    hashes = {hash_request(request, "m", 100) for request in requests}
    assert len(hashes) == 1000
    again = plan_requests(2, 2, 1, 1)[0]
    assert hash_request(again, "m", 100) in hashes
    assert hash_request(again, "other", 100) not in hashes
    assert hash_request(again, "m", 200) not in hashes
