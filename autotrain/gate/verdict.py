"""What is known about an answer once it was judged."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """What is known about one answer.

    `passed`: its programs ended as they must (None: nothing was to be executed). `correct`: the same where
    programs decide, else what reading alone proves, None where nothing does. `reason` is "ok" or one of
    no_code, syntax, not_json, wrong_schema, wrong_line, too_many_findings, code_changed, no_docstring,
    empty_text, json_text, no_tests, no_input, no_mutants, edit_not_applicable, tests_failed, timeout, memory,
    crashed, bug_not_shown, behaviour_changed, mutant_survived. `killed` are the numbers, from 0, of the
    mutants that written tests told from the code under test. `outside` and `inside` count the fulfilled asserts by
    where that was decided: outside of the program's process, or only by itself.
    """

    passed: bool | None
    reason: str
    correct: bool | None = None
    error_class: str = ""
    detail: str = ""
    seconds: float = 0.0
    format_ok: bool = False
    syntax_ok: bool | None = None
    json_ok: bool | None = None
    killed: tuple[int, ...] = ()
    outside: int = 0
    inside: int = 0

    def to_json(self) -> dict[str, Any]:
        """All but the time it took: what files hold is the same whenever it is made."""
        return {name: value for name, value in asdict(self).items() if name != "seconds"}
