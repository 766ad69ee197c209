"""Content ids and scoped randomness: the two things that make a run the same run twice.

An id is a hash of content in canonical JSON, so it depends neither on the order of keys, nor on the process, nor on
Python's hash seed. Randomness is scoped by name: `rng(seed, "seeds", 17)` is the same generator whichever worker asks
for it and in whatever order.
"""

import dataclasses
import hashlib
import json
import random
import re
from collections.abc import Collection, Mapping
from typing import Any

LATER = {"later": True}
"""Metadata of a dataclass' field that came later: where it is empty, what has it keeps the identity of before."""
DEEPEST = 100
"""Most levels of lists and objects that are read of anybody's JSON: what comes deeper is refused by name, where Python
and Arrow would give up at a depth that depends on who calls."""
ID_LENGTH = 24
"""Hex digits of a record id: 96 bits, a 1e-11 chance of one collision among 1e9 records."""


def canonical_json(value: Any) -> str:
    """JSON text with sorted keys and no spaces; equal values give equal text.

    Dataclasses become objects and tuples lists. Raises TypeError for what JSON has no form for, ValueError for NaN
    and the infinities: a value that is not equal to itself has no identity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return identified(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def identified(value: Any, without: Collection[str] = ()) -> dict[str, Any]:
    """The fields of a dataclass that are part of its identity; those of `without` are not even read."""
    return {
        f.name: getattr(value, f.name)
        for f in dataclasses.fields(value)
        if f.name not in without and ("later" not in f.metadata or getattr(value, f.name))
    }


def digest(value: Any) -> str:
    """SHA-256 of `value`'s canonical JSON, 64 hex digits. Lone surrogates are hashed as their code points."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def is_id(text: str) -> bool:
    """Whether a text has the form of a record's id."""
    return len(text) == ID_LENGTH and set(text) <= set("0123456789abcdef")


def finite(value: Any) -> Any:
    """`value` as JSON has it: None in place of infinities and of what is no number, which JSON has not."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    return [finite(entry) for entry in value] if isinstance(value, list | tuple) else value


def storable(text: str) -> str:
    """`text` in characters that UTF-8 can hold: halves of a surrogate pair are joined, lone ones become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def spelled(text: str) -> str:
    """`text` in characters that UTF-8 can hold, lone halves of a surrogate pair as `\\udcXX`; two texts stay two.

    Backslashes before such a half, or before what is written like one, are doubled.
    """
    if "\\" in text:
        text = _BEFORE_HALF.sub(r"\1\1", text)
    return text.encode("utf-8", "backslashreplace").decode()


_BEFORE_HALF = re.compile("(\\\\+)(?=ud[89a-f][0-9a-f]{2}|[\ud800-\udfff])")


def deeper_than(value: Any, levels: int) -> bool:
    """Whether a JSON value has lists and objects in each other to more than `levels`; a flat list is one level."""
    layer = [value]
    for _ in range(levels):
        outer = [one for one in layer if isinstance(one, list | dict)]
        if not outer:
            return False
        layer = [inner for one in outer for inner in (one.values() if isinstance(one, dict) else one)]
    return any(isinstance(one, list | dict) for one in layer)


def content_id(kind: str, value: Any) -> str:
    """Id of a record: `ID_LENGTH` hex digits of the digest of its kind and content."""
    return digest([kind, value])[:ID_LENGTH]


def rng(seed: int, *scope: str | int) -> random.Random:
    """A generator of its own for one scope, e.g. `rng(seed, "prompts", record.id)`.

    Two scopes never share a stream, so neither the order nor the number of workers can change what is drawn.
    """
    return random.Random(int(digest([seed, *scope])[:32], 16))


def rng_seed(seed: int, *scope: str | int) -> int:
    """A 63-bit integer for libraries that take a seed (torch, numpy), scoped as `rng` is."""
    return int(digest([seed, *scope])[:16], 16) >> 1
