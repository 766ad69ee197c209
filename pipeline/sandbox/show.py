"""Values, exceptions and printed output as text for a person, and whether printed output is the output wanted."""

import ast
import re
from typing import Any

from pipeline.sandbox import codec

_SHOWN = 200
_LONGEST_LITERAL = 1 << 16
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


def same_output(want: str, got: str, raised: bool) -> bool:
    """Whether an example's output is the one wanted, as doctest compares them with white space normalised.

    An expected traceback is compared by its last line. Equal literals are equal however they are written (sets, dicts,
    quotes), and `...` in `want` stands for anything.
    """
    traceback = _TRACEBACK.match(want)
    if raised or traceback:
        if not (raised and traceback):
            return False
        last = traceback["last"].strip()
        return _matches(last, got) or (":" not in last and last == got.split(":")[0].strip())
    if _matches(want, got):
        return True
    if len(got) > _LONGEST_LITERAL:
        return False
    try:
        return bool(ast.literal_eval(want.strip()) == ast.literal_eval(got.strip()))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def _matches(want: str, got: str) -> bool:
    wanted, found = want.split(), got.split()
    if wanted == found:
        return True
    if wanted == ["<BLANKLINE>"] and not found:
        return True
    if "..." not in want or len(got) > _LONGEST_LITERAL:
        return [w for w in wanted if w != "<BLANKLINE>"] == found
    pieces = [re.escape(p.strip()) for p in " ".join(wanted).split("...")]
    return re.fullmatch(r".*?".join(pieces), " ".join(found), re.S) is not None
