"""Python source that nobody has vouched for, parsed without ever raising."""

import ast
import warnings


def parse_python(code: str) -> ast.Module | str:
    """The syntax tree of `code`, or in a few words why there is none. Nothing is executed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"
