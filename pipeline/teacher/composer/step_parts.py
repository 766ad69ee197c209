"""The parts that `steps.py` chains: sources of items, filters, maps and ends, each with its code and its wordings.

In code, `x` is the item. In wordings, {np} is a plural noun phrase for what came out of the step before
("even numbers in $xs") and $p a number drawn when the chain is made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.teacher.composer.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Source:
    """Where the items come from. args: the arguments of the function. over: what a loop runs over. nouns: what the
    items are called. where: the phrase that places them ("in $xs"). short: a name part. draw, edges: arguments."""

    args: str
    over: str
    nouns: tuple[str, ...]
    where: tuple[str, ...]
    short: str
    draw: Callable[[Inputs], tuple[Any, ...]]
    edges: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which items stay. test, negated: conditions on `x`. before: adjective in front of the noun or "". after: relative
    clauses behind it. do: commands. p: range of the number $p, or None. short: a name part."""

    name: str
    test: str
    negated: str
    before: str
    after: tuple[str, ...]
    do: tuple[str, ...]
    p: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Map:
    """What becomes of an item. code: expression in `x`. of: noun phrases around {np}. do: commands about "each"."""

    name: str
    code: str
    of: tuple[str, ...]
    do: tuple[str, ...]
    p: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How the items become the result. whole: expression around {gen}, a generator's inside. start, step, close: the
    same as a loop, with {v} for the item. of: noun phrases around {np}. do: commands. note: a sentence about the empty
    case, or "". returns: the result's type. plain: whether it only makes sense without a map before it. listed: the
    expression for a list {l} that has a name already, or "" where `whole` can be turned into it."""

    name: str
    returns: str
    whole: str
    start: str
    step: str
    close: str
    of: tuple[str, ...]
    do: tuple[str, ...]
    note: str = ""
    plain: bool = False
    listed: str = ""
