"""What the composer composes: families of functions, each with its parameters, wordings, solutions and inputs.

A family is data. Its texts and bodies carry slots, `$xs` for an argument and `$k` for a parameter, which are filled
when an exercise is written, so one family gives many exercises. Every body of a family must compute the same function:
the tests of the package run them against each other.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any, NamedTuple

from pipeline.core.identity import digest
from pipeline.teacher.composer.inputs import Inputs

Choice = Mapping[str, str | int]
"""Values of a family's parameters, by slot name."""

RESERVED_SHARE = 6
"""One choice in this many is reserved for the held-out problems."""

_SLOT = re.compile(r"\$([a-z]+)")


def fill(text: str, slots: Mapping[str, str | int]) -> str:
    """`text` with each `$name` replaced, also within the values put in; KeyError names a slot that has no value."""
    filled = _SLOT.sub(lambda match: str(slots[match[1]]), text)
    return fill(filled, slots) if filled != text and _SLOT.search(filled) else filled


class Argument(NamedTuple):
    """One parameter of a function: its canonical name, which is also its slot, and its type."""

    name: str
    type: str


@cache
def arguments(text: str) -> tuple[Argument, ...]:
    """Arguments of "xs: list[int], k: int"; commas inside brackets do not separate."""
    parts = re.split(r",\s*(?![^\[]*\])", text)
    return tuple(Argument(*re.split(r":\s*", part.strip(), maxsplit=1)) for part in parts if part.strip())


@cache
def clean(body: str) -> str:
    """A body as declared in an indented triple-quoted string, without the common indent and outer blank lines."""
    return textwrap.dedent(body).strip("\n").rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of function that can be asked for and answered.

    name, names: natural function names, the first the most natural; slots allowed. topic: path in a curriculum.
    keywords: words by which a wanted topic or function name is matched. args, returns: the signature.
    Wordings: `does` are imperative clauses ("count the vowels in $text"), `result` noun phrases, `cond` clauses that
    are true or false (for bool), `says` whole sentences in other voices. must: alternatives of one sentence without
    which the task would be ambiguous. edge: optional true remarks. bodies: equivalent solutions. draw: one argument
    tuple at random; None draws by type. edges: argument tuples worth testing always. choices: the parameter space.
    skills: names of the techniques (`techniques.py`) that the bodies show.
    """

    name: str
    topic: str
    args: str
    returns: str
    bodies: tuple[str, ...]
    keywords: str = ""
    names: tuple[str, ...] = ()
    does: tuple[str, ...] = ()
    result: tuple[str, ...] = ()
    cond: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    edge: tuple[str, ...] = ()
    draw: Callable[[Inputs], tuple[Any, ...]] | None = None
    edges: tuple[tuple[Any, ...], ...] = ()
    choices: tuple[Choice, ...] = ({},)
    skills: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[Argument, ...]:
        return arguments(self.args)


def natural_names(family: Family, choice: Choice) -> tuple[str, ...]:
    """What the function may be called under `choice`, the most natural name first.

    The family's own name is left out where it says nothing of a choice that other names tell: a function that
    returns whether intervals overlap is not called overlap_length.
    """
    words = {slot for slot, value in choice.items() if isinstance(value, str)}
    telling = tuple(name for name in family.names if words & set(_SLOT.findall(name)))
    names = telling if telling and "$" not in family.name else (family.name, *family.names)
    return tuple(fill(name, {slot: str(value) for slot, value in choice.items()}) for name in names)


class Split(NamedTuple):
    """A family's choices: those that answers may use, and those reserved for held-out problems."""

    open: tuple[Choice, ...]
    reserved: tuple[Choice, ...]


def is_reserved(key: Any) -> bool:
    """Whether the hash of `key` falls in the reserved share. Depends on nothing but the key."""
    return int(digest(["held-out", key])[:8], 16) % RESERVED_SHARE == 0


@cache
def _split(name: str, choices: tuple[tuple[tuple[str, str | int], ...], ...]) -> Split:
    whole = [dict(choice) for choice in choices]
    if len(whole) < 5:
        return Split(tuple(whole), ())
    reserved = [choice for choice in whole if is_reserved([name, choice])]
    if not reserved:
        reserved = [min(whole, key=lambda choice: digest([name, choice]))]
    kept = [choice for choice in whole if choice not in reserved]
    return Split(tuple(kept), tuple(reserved))


def split(family: Family) -> Split:
    """The open and the reserved choices of a family; families with fewer than five choices reserve none."""
    return _split(family.name, tuple(tuple(choice.items()) for choice in family.choices))


def each(slot: str, values: Iterable[str | int]) -> tuple[Choice, ...]:
    """Choices that differ in one slot."""
    return tuple({slot: value} for value in values)


def options(slots: str, rows: Iterable[tuple[str | int, ...]]) -> tuple[Choice, ...]:
    """Choices given as rows of a table whose columns are `slots`, e.g. words beside the code they stand for."""
    names = slots.split()
    return tuple(dict(zip(names, row, strict=True)) for row in rows)


def cross(*spaces: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """Every combination of the given choices."""
    return tuple({key: value for part in parts for key, value in part.items()} for parts in product(*spaces))
