"""Values, exceptions and printed output as text for a person, and whether printed output is the output wanted."""

import ast
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from pipeline.sandbox import codec

_SHOWN = 200
_LONGEST_LITERAL = 1 << 16
_STRICT = frozenset({"-NORMALIZE_WHITESPACE", "-ELLIPSIS", "+DONT_ACCEPT_TRUE_FOR_1"})
"""Options of an example that mean its output to the letter."""
_TRACEBACK = re.compile(r"\s*Traceback \((?:most recent call last|innermost last)\):.*?^(?P<last>\w+.*)", re.S | re.M)


def shown(value: Any) -> str:
    """`repr(value)`, cut to 200 characters; never fails."""
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def brief(text: object) -> str:
    """Printed text for a person: stripped, cut to 200 characters, "nothing" where it is empty."""
    stripped = str(text).strip() or "nothing"
    return stripped if len(stripped) <= _SHOWN else stripped[: _SHOWN - 3] + "..."


def error_text(description: Any) -> str:
    """ "ValueError: bad step" from the child's description of an exception; raises Malformed."""
    bases, arguments, name, _, _ = description
    values = codec.decode(arguments)
    if not isinstance(values, tuple):
        raise codec.Malformed("an exception's arguments are a tuple")
    if not values:
        return str(name)
    if "OSError" in bases and len(values) >= 2:
        return f"{name}: [Errno {shown(values[0])}] {shown(values[1])}"[:400]
    if len(values) == 1 and isinstance(values[0], str) and "KeyError" not in bases:
        return f"{name}: {values[0]}"[:400]
    return f"{name}: {shown(values[0] if len(values) == 1 else values)}"[:400]


def same_output(want: str, got: str, raised: bool, options: Iterable[str] = ()) -> bool:
    """Whether an example's output is the one wanted, as doctest compares them under its `options`.

    Unless `options` say otherwise white space is normalised and `...` in `want` stands for anything. Equal literals are
    equal however they are written (sets, dicts, quotes). An expected traceback is compared by its last part, with or
    without the module of its exception's class.
    """
    # Not at the top: this module is in the fork-server too, and doctest would bring the debugger into every program.
    import doctest

    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    for option in options:
        flag = doctest.OPTIONFLAGS_BY_NAME[option[1:]]
        flags = flags | flag if option[0] == "+" else flags & ~flag
    check = doctest.OutputChecker().check_output
    traceback = _TRACEBACK.match(want)
    if raised or traceback:
        if not (raised and traceback):
            return False
        wanted, found = _exception(traceback["last"]), _exception(got)
        if flags & doctest.IGNORE_EXCEPTION_DETAIL or not wanted.detail:
            return wanted.name == found.name
        return wanted.name == found.name and check(f"{wanted.detail}\n", f"{found.detail}\n", flags)
    if check(want, got, flags):
        return True
    if len(got) > _LONGEST_LITERAL or _STRICT & set(options):
        return False
    try:
        return bool(ast.literal_eval(want.strip()) == ast.literal_eval(got.strip()))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


class _Exception(NamedTuple):
    """The last part of a traceback: the class's name without its module, and the message."""

    name: str
    detail: str


def _exception(text: str) -> _Exception:
    name, _, detail = text.strip().partition(":")
    return _Exception(name.strip().rpartition(".")[2], detail.strip())
