"""Keys come from the environment and leave this process in one header only: everywhere else they are masked."""

import json
import math
import os
import re
from collections import Counter

from pipeline.core.errors import MissingKey, UsageError
from pipeline.teacher.address import KEY_SETTING, uncarried

MASK = "[key]"
_SHORTEST = 6
"""Shorter values are not masked: they would blank out ordinary words, and no provider issues such keys."""
_known: set[str] = set()


class Secret:
    """A key that cannot be printed, logged, pickled or put in a record by accident.

    variable: name of the environment variable that it came from, for error messages.
    """

    __slots__ = ("_value", "variable")

    def __init__(self, value: str, variable: str = "") -> None:
        self._value = value
        self.variable = variable
        if len(value) >= _SHORTEST:
            _known.add(value)

    def reveal(self) -> str:
        """The key itself, for the Authorization header."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a key is never pickled; the worker reads its own environment")


def from_environment(variable: str, wanted_by: str) -> Secret | None:
    """The key in an environment variable, or None where `variable` is "".

    Raises MissingKey if it is unset or blank, UsageError for a key that no header can carry and for what is no name of
    a variable. Neither shows a key, also where somebody wrote the key itself in place of the variable's name.
    """
    if not variable:
        return None
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable) or _is_key(variable):
        raise UsageError(
            f"{wanted_by}: api_key_env should be the name of an environment variable, and it holds something else",
            hint=f"put the key into a variable (export MY_KEY=...), and its name, MY_KEY, into {KEY_SETTING}",
        )
    value = os.environ.get(variable, "").strip()
    if not value:
        raise MissingKey(
            f"{wanted_by} needs an API key, but the environment variable {variable} is not set",
            hint=f"export {variable}=... and run again",
        )
    odd = uncarried(value)
    if odd:
        raise UsageError(
            f"{wanted_by}: the key in the environment variable {variable} holds {odd}, which no header can carry",
            hint="copy the key again: pages shorten it with dots, and editors add blanks and line breaks",
        )
    return Secret(value, variable)


def _is_key(name: str) -> bool:
    """Whether something that could be the name of a variable looks like a key, and no variable has that name."""
    return name not in os.environ and name != name.upper() and looks_random(name)


def redact(text: str) -> str:
    """`text` with every key of this process masked."""
    for value in sorted(_known, key=len, reverse=True):  # one may hold another
        if value in text:
            text = text.replace(value, MASK)
    return text


def mask_body(line: bytes) -> bytes:
    """A response's JSON with every key of this process masked that is one by its looks; equal `line` where none is in.

    An answer is never changed for a placeholder ("secret", "EMPTY", "sk-no-key-required"), whose letters are words of
    any text. A real key in an answer means that the server sent back what it was given.
    """
    keys = sorted((value for value in _known if looks_random(value)), key=len, reverse=True)
    if not keys:
        return line
    if _ESCAPED.search(line):
        plain = json.dumps(json.loads(line)).encode()
        line = plain if any(_in_json(value) in plain for value in keys) else line
    for value in keys:
        line = line.replace(_in_json(value), MASK.encode())
    return line


_ESCAPED = re.compile(rb"\\(?:/|u00[2-7])")
"""JSON spellings of visible ASCII that JSON does not ask for: a key may hide in them."""


def _in_json(value: str) -> bytes:
    return json.dumps(value)[1:-1].encode()


def looks_random(value: str) -> bool:
    """Whether a string is a key by length and entropy: 16 characters or more, with letters and digits mixed.

    Its letters and digits alone must hold 48 bits or more by their own frequencies; "sk-0000000000000000" holds none.
    """
    core = [one for one in value if one.isalnum()]
    if len(value) < _SHORTEST_RANDOM or sum(map(str.isdigit, core)) < _DIGITS or not any(map(str.isalpha, core)):
        return False
    shares = [count / len(core) for count in Counter(core).values()]
    return -sum(share * math.log2(share) for share in shares) * len(core) >= _BITS


_SHORTEST_RANDOM, _DIGITS, _BITS = 16, 3, 48.0
