"""Keys come from the environment and leave this process in one header only: everywhere else they are masked."""

import os

from pipeline.errors import MissingKey

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
    """The key in an environment variable, or None where `variable` is "". Raises MissingKey if it is unset or blank."""
    if not variable:
        return None
    value = os.environ.get(variable, "").strip()
    if not value:
        raise MissingKey(
            f"{wanted_by} needs an API key, but the environment variable {variable} is not set",
            hint=f"export {variable}=... and run again",
        )
    return Secret(value, variable)


def redact(text: str) -> str:
    """`text` with every key of this process masked."""
    for value in _known:
        if value in text:
            text = text.replace(value, MASK)
    return text


def redact_bytes(raw: bytes) -> bytes:
    """As `redact`, for what came over the wire."""
    for value in _known:
        encoded = value.encode()
        if encoded in raw:
            raw = raw.replace(encoded, MASK.encode())
    return raw
