"""A programming problem before it becomes a sample: what to do, how to do it, what to try it on."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any, Literal


@dataclass(frozen=True)
class Parameter:
    """One argument of the function asked for."""

    name: str
    annotation: str
    description: str

    @property
    def phrase(self) -> str:
        return f"{self.description} `{self.name}`"


@dataclass(frozen=True)
class Problem:
    """Everything that the task types need to know about one small function or class.

    `task` is a tuple of clauses that start with a verb in its base form ("return the sum of …");
    `notes` are whole sentences that settle the corner cases. `bodies` are equivalent bodies without
    indentation, the most idiomatic one first. A call is Python source whose last line is an
    expression; earlier lines prepare it.
    """

    concepts: tuple[str, ...]
    name: str
    parameters: tuple[Parameter, ...]
    returns: str
    task: tuple[str, ...]
    bodies: tuple[str, ...]
    calls: tuple[str, ...]
    notes: tuple[str, ...] = ()
    manner: str = ""
    """How it is to be written, said only to those who write it anew."""
    prelude: str = ""
    steps: tuple[str, ...] = field(default=())
    kind: Literal["function", "class"] = "function"
    difficulty: Literal["easy", "medium", "hard"] = "easy"

    def signature(self, annotated: bool) -> str:
        if self.kind == "class":
            return self.name
        if annotated:
            listed = ", ".join(f"{item.name}: {item.annotation}" for item in self.parameters)
            return f"{self.name}({listed}) -> {self.returns}"
        return f"{self.name}({', '.join(item.name for item in self.parameters)})"

    def header(self, annotated: bool) -> str:
        keyword = "class" if self.kind == "class" else "def"
        return f"{keyword} {self.signature(annotated)}:"

    def code(self, body: str, annotated: bool = False, docstring: str = "") -> str:
        """The whole source: imports, signature, optional docstring and `body`."""
        lines = [line for line in self.prelude.splitlines() if line.split()[-1] in body]
        header = self.header(annotated)
        needed = [name for name in ("Callable", "Iterator") if name in header]
        if needed:
            lines.append(f"from collections.abc import {', '.join(needed)}")
        imports = "\n".join(sorted(lines)) + "\n\n\n" if lines else ""
        inside = f"{docstring}\n{body}" if docstring else body
        return f"{imports}{header}\n{indent(inside, '    ')}"


def literal(value: Any) -> str:
    """The value as source text that reads back equal; sets in sorted order, so that it is stable."""
    text = repr(value)
    if "{" not in text and "set" not in text:
        return text
    if isinstance(value, (set, frozenset)):
        inside = ", ".join(literal(item) for item in sorted(value))
        text = "{" + inside + "}" if value else "set()"
        return f"frozenset({text})" if isinstance(value, frozenset) else text
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(literal, value)) + (",)" if len(value) == 1 else ")")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    return text


def calls_of(name: str, arguments: Iterable[tuple[Any, ...]], around: str = "{}") -> tuple[str, ...]:
    """One call of `name` for each argument tuple; `around` wraps it, as `list({})` does."""
    calls = (around.format(f"{name}({', '.join(map(literal, given))})") for given in arguments)
    return tuple(dict.fromkeys(calls))
