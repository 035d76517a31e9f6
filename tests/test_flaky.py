"""Tests that pass now and may fail another time."""

import datetime
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from program_runner import Ending, run_programs

from autotrain.gate.flaky import FlakyPlan, is_flaky, plan_flaky, plan_sample_flaky, signs_of
from autotrain.gate.steps import split
from autotrain.sample import Metadata, Sample, in_fence

YEAR = datetime.date.today().year
STEADY = [
    ("def f(x):\n    return x + 1", "assert f(1) == 2"),
    ("import random\ndef f(xs):\n    random.shuffle(xs)\n    return xs", "assert sorted(f([2, 1])) == [1, 2]"),
    ("import random\ndef f():\n    return random.Random(4).random()", "assert f() == f()"),
    ("import random\ndef f():\n    random.seed(4)\n    return random.random()", "assert f() == f()"),
    ("def f(words):\n    return sorted(set(words))", "assert f(['b', 'a', 'c']) == ['a', 'b', 'c']"),
    ("def f(words):\n    return {word for word in set(words)}", "assert f(['b', 'a']) == {'a', 'b'}"),
    ("def f(numbers):\n    return list(set(numbers))", "assert f([2, 1, 1]) == [1, 2]"),
    ("def f(items):\n    return list(dict.fromkeys(items))", "assert f(['b', 'a', 'b']) == ['b', 'a']"),
    ("def f(items):\n    items = set(items)\n    return items.pop()", "assert f(['a']) == 'a'"),
    ("from __future__ import annotations\ndef f(xs: set[str]):\n    return len(xs)", "assert f({'a', 'b'}) == 2"),
    ("import datetime\ndef f(day):\n    return (day - datetime.date(2024, 1, 1)).days",
     "import datetime\nassert f(datetime.date(2024, 1, 3)) == 2"),
    ("from datetime import datetime, timedelta\ndef f(text):\n"
     "    moment = datetime.strptime(text, '%Y-%m-%d') + timedelta(days=1)\n"
     "    return repr(moment), isinstance(moment, datetime), moment.isoformat()",
     "assert f('2024-02-28') == ('datetime.datetime(2024, 2, 29, 0, 0)', True, '2024-02-29T00:00:00')"),
    ("import time\ndef f():\n    start = time.time()\n    return time.time() - start", "assert 0 <= f() < 60"),
    ("from datetime import date\ndef f():\n    return date.today() <= date.today()", "assert f()"),
    ("def f(x):\n    return hash(x)", "assert f(3) == 3"),
]  # fmt: skip
FLAKY = [
    ("import random\ndef f():\n    return random.randint(1, 10**9)", "assert f() != 0 and f() % 2 == 0"),
    ("import random\ndef f(xs):\n    return random.sample(xs, len(xs))", "assert f([1, 2, 3, 4]) == [1, 2, 3, 4]"),
    ("def f():\n    return 1", "import random\nassert random.random() < 0.6"),
    ("import uuid\ndef f():\n    return str(uuid.uuid4())", "assert f().startswith('0123')"),
    ("def f(words):\n    return list(set(words))", "assert f(['b', 'a', 'c', 'd']) == {order}"),
    ("def f(words):\n    return ''.join({{word for word in words}})",
     "assert f(['b', 'a', 'c', 'd']) == ''.join({order})"),
    ("def f(words):\n    return max(set(words), key=len)", "assert f(['b', 'a', 'c', 'd']) == {order}[0]"),
    ("def f(words):\n    first, *_ = set(words)\n    return first", "assert f(['b', 'a', 'c', 'd']) == {order}[0]"),
    ("def f(words):\n    return set(words).pop()", "assert f(['b', 'a', 'c', 'd']) == {order}[0]"),
    ("def f(words):\n    return [w.upper() for w in words]",
     "assert f({{'b', 'a', 'c', 'd'}}) == [w.upper() for w in {order}]"),
    ("import datetime\ndef f(born):\n    return datetime.date.today().year - born", f"assert f(2000) == {YEAR - 2000}"),
    ("from datetime import datetime\ndef f():\n    return datetime.now().year", f"assert f() == {YEAR}"),
    ("import time\ndef f():\n    return time.localtime().tm_year", f"assert f() == {YEAR}"),
    ("from time import time\ndef f(then):\n    return time() - then < 86400", "import time\nassert f({now})"),
]  # fmt: skip


def endings_of(plan: FlakyPlan) -> list[Ending]:
    return run_programs(program.steps for program in plan.programs)


@pytest.mark.parametrize(("code", "tests"), STEADY)
def test_what_is_the_same_every_time_is_not_flaky(code: str, tests: str) -> None:
    plan = plan_flaky(code, tests)
    assert [ending.replies[-1].get("error") for ending in endings_of(plan)] == [None] * len(plan.programs)
    assert not is_flaky(plan, endings_of(plan))


@pytest.mark.parametrize(("code", "tests"), FLAKY)
def test_tests_that_pass_by_chance_are_flaky(code: str, tests: str) -> None:
    # The order that a set of these happens to have where the programs run.
    (ending,) = run_programs([[{"value": "list({'b', 'a', 'c', 'd'})"}, {"value": "__import__('time').time()"}]])
    order, now = (json.loads(reply["value"]) for reply in ending.replies)
    if "{order}" in tests:
        code = code.replace("{{", "{").replace("}}", "}")
        tests = tests.replace("{order}", str(order)).replace("{{", "{").replace("}}", "}")
    plan = plan_flaky(code, tests.replace("{now}", str(now)))
    assert plan.signs
    assert len(plan.programs) == 4
    assert is_flaky(plan, endings_of(plan))


def test_without_a_sign_of_chance_one_more_run_is_enough() -> None:
    plan = plan_flaky(*STEADY[0])
    assert plan.signs == ()
    assert plan.programs == (split(*STEADY[0]),)


@pytest.mark.parametrize(
    ("tests", "flaky"),
    [
        ("def test_one():\n    assert f(1) == 1\ndef test_two():\n    assert f(1) == 2", True),
        ("def test_one():\n    assert f(1) >= 1\ndef test_two():\n    assert f(2) >= 1", False),
    ],
)
def test_test_functions_that_lean_on_each_other_are_flaky(tests: str, flaky: bool) -> None:
    plan = plan_flaky("SEEN = []\ndef f(x):\n    SEEN.append(x)\n    return len(SEEN)", tests)
    assert (len(plan.programs), plan.signs) == (2, ())
    assert is_flaky(plan, endings_of(plan)) is flaky


def test_a_run_that_ends_otherwise_is_another_outcome() -> None:
    plan = plan_flaky(*STEADY[0])
    (good,) = endings_of(plan)
    assert not is_flaky(plan, [good])
    assert not is_flaky(plan, [])
    assert is_flaky(plan, [Ending("timeout", good.replies)])
    assert is_flaky(plan, [Ending("done", good.replies[:1])])


@pytest.mark.parametrize(
    ("source", "signs"),
    [
        ("import random", ("random",)),
        ("from uuid import uuid4", ("random",)),
        ("import os\nx = os.urandom(3)", ("random",)),
        ("from os import urandom", ("random",)),
        ("import os.path, math, json", ()),
        ("import time\nimport datetime", ("time",)),
        ("import concurrent.futures", ("threads",)),
        ("assert id(a) != id(b)", ("identity",)),
        ("assert f({1, 2}) == hash('a')", ("identity", "set order")),
        ("x = a.intersection(b)", ("set order",)),
        ("# import random\nrandom = '{1}'", ()),
        ("not python", ()),
    ],
)
def test_signs_are_read_off_the_source(source: str, signs: tuple[str, ...]) -> None:
    assert signs_of(source) == signs
    assert signs_of("x = 1", source) == signs


def test_the_runs_are_the_same_ones_in_every_process() -> None:
    program = f"from autotrain.gate.flaky import plan_flaky; print(plan_flaky(*{FLAKY[0]!r}).programs[1].steps)"
    environment: dict[str, Any] = {**os.environ, "PYTHONHASHSEED": "3"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(plan_flaky(*FLAKY[0]).programs[1].steps)


def sample(task_type: str, output: str, tests: str, **fields: Any) -> Sample:
    metadata = Metadata.model_validate({"task_type": task_type, "entry_point": "f"})
    return Sample(id="one", instruction="do it", output=output, tests=tests, metadata=metadata, **fields)


def test_samples_with_tests_of_their_own_are_run_again() -> None:
    plan = plan_sample_flaky(sample("refactoring", in_fence(FLAKY[0][0]), FLAKY[0][1]))
    assert plan is not None
    assert is_flaky(plan, endings_of(plan))
    assert plan_sample_flaky(sample("refactoring", "no code", "assert f() == 1")) is None
    assert plan_sample_flaky(sample("refactoring", in_fence(FLAKY[0][0]), "")) is None
    assert plan_sample_flaky(sample("unit_test_generation", in_fence("assert f() == 1"), "")) is None


@pytest.mark.parametrize(("code", "flaky"), [("return sorted(set(words))", False), ("return list(set(words))", True)])
def test_edited_files_go_through_their_sets_the_other_way_too(code: str, flaky: bool) -> None:
    edit = {"path": "words.py", "search": "return words", "replace": code}
    (ending,) = run_programs([[{"value": "list({'b', 'a', 'c', 'd'})"}]])
    order = "['a', 'b', 'c', 'd']" if not flaky else str(json.loads(ending.replies[0]["value"]))
    tests = f"from words import f\n\nassert f(['b', 'a', 'c', 'd']) == {order}"
    files = "# file: words.py\ndef f(words):\n    return words\n\n# file: other.py\nx = 1\n"
    plan = plan_sample_flaky(sample("agent_edit", json.dumps({"edits": [edit]}), tests, input=files))
    assert plan is not None
    assert plan.signs == ("set order",)
    assert is_flaky(plan, endings_of(plan)) is flaky
