"""When two results of a query are the same.

Values: NULL is NULL and nothing else; numbers are compared as numbers (2 is 2.0), floats to 7 digits, for sums come out
otherwise in another order; text is compared as it is, and is no number; blobs are no text. Rows are a multiset, or a
sequence in which rows that the reference's ORDER BY does not tell apart may stand in any order. Columns: see `Rules`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from typing import Any, Literal

Row = tuple[Any, ...]
_RELATIVE, _ABSOLUTE = 1e-7, 1e-9
_MATCHED_ONE_BY_ONE = 500
"""Rows up to which floats that are close, but sort otherwise, are matched one by one."""
_TRIED = 5_000
"""Orders of columns that are tried at most."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts beside the values.

    ordered: whether the order of rows does. columns: "any" for neither order nor names of columns, "ordered" for the
    order alone, "named" for the names alone, in any case. within: how far apart numbers may be, in all cases.
    """

    ordered: bool = False
    columns: Literal["any", "ordered", "named"] = "any"
    within: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a query returned. groups: lengths of the runs of rows that its ORDER BY does not tell apart, () where it is
    not known of any."""

    names: tuple[str, ...]
    rows: list[Row]
    groups: tuple[int, ...] = ()


Pair = tuple[Result, Result]
"""The reference's result and the answer's on the same data."""


def same(pairs: Sequence[Pair], rules: Rules) -> bool:
    """Whether the answer's results are the reference's on all data, with one order of columns for all of them."""
    widths = {(len(wanted.names), len(found.names)) for wanted, found in pairs}
    if any(one != other for one, other in widths) or len(widths) > 1:
        return False
    orders = islice(_orders(pairs, rules), _TRIED)
    return any(all(_same_rows(wanted, found, order, rules) for wanted, found in pairs) for order in orders)


def _orders(pairs: Sequence[Pair], rules: Rules) -> Iterator[list[int]]:
    """Orders of the answer's columns that may make it the reference: for each of its columns the answer's number."""
    wanted, found = pairs[0]
    width = len(wanted.names)
    if rules.columns == "ordered":
        yield list(range(width))
        return
    if rules.columns == "named":
        places: dict[str, list[int]] = {}
        for place, name in enumerate(found.names):
            places.setdefault(name.casefold(), []).append(place)
        try:
            yield [places[name.casefold()].pop(0) for name in wanted.names]
        except (KeyError, IndexError):
            pass
        return
    fits = [[j for j in range(width) if all(_same_column(pair, i, j, rules) for pair in pairs)] for i in range(width)]
    chosen: list[int] = []

    def complete() -> Iterator[list[int]]:
        if len(chosen) == width:
            yield list(chosen)
            return
        # The column's own place first: most answers have the order of the reference.
        for j in sorted(fits[len(chosen)], key=lambda j: j != len(chosen)):
            if j not in chosen:
                chosen.append(j)
                yield from complete()
                chosen.pop()

    yield from complete()


def _same_column(pair: Pair, i: int, j: int, rules: Rules) -> bool:
    wanted, found = pair
    return same_multiset([(row[i],) for row in wanted.rows], [(row[j],) for row in found.rows], rules.within)


def _same_rows(wanted: Result, found: Result, order: list[int], rules: Rules) -> bool:
    rows = found.rows if order == sorted(order) else [tuple(row[j] for j in order) for row in found.rows]
    if not rules.ordered:
        return same_multiset(wanted.rows, rows, rules.within)
    if len(wanted.rows) != len(rows):
        return False
    start = 0
    for length in wanted.groups or (1,) * len(rows):
        if not same_multiset(wanted.rows[start : start + length], rows[start : start + length], rules.within):
            return False
        start += length
    return True


def same_multiset(one: Sequence[Row], other: Sequence[Row], within: float = 0.0) -> bool:
    """Whether two collections hold the same rows, each as often."""
    if len(one) != len(other):
        return False
    if Counter(one) == Counter(other):
        return True
    if not within and not any(isinstance(value, float) for row in (*one, *other) for value in row):
        return False
    if all(_close_rows(a, b, within) for a, b in zip(sorted(one, key=_rank), sorted(other, key=_rank), strict=True)):
        return True
    return len(one) <= _MATCHED_ONE_BY_ONE and _matched(one, list(other), within)


def _matched(one: Sequence[Row], left: list[Row], within: float) -> bool:
    for row in one:
        place = next((place for place, other in enumerate(left) if _close_rows(row, other, within)), None)
        if place is None:
            return False
        del left[place]
    return True


def _rank(row: Row) -> list[tuple[int, Any]]:
    return [_rank_of(value) for value in row]


def _rank_of(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, 0
    if isinstance(value, int | float):
        return 1, float(f"{value:.7g}")
    return (2, value) if isinstance(value, str) else (3, value)


def _close_rows(one: Row, other: Row, within: float) -> bool:
    return len(one) == len(other) and all(_close(a, b, within) for a, b in zip(one, other, strict=True))


def _close(one: Any, other: Any, within: float) -> bool:
    if one == other:
        return True
    if not (isinstance(one, int | float) and isinstance(other, int | float)):
        return False
    if isinstance(one, int) and isinstance(other, int):
        return abs(one - other) <= within
    if not (isfinite(one) and isfinite(other)):
        return False  # a share of infinity is as far as any number
    return bool(abs(one - other) <= max(within, _ABSOLUTE, _RELATIVE * max(abs(one), abs(other))))


def worded(result: Result, most: int = 4) -> str:
    """A result for a person: how many rows, and the first of them."""
    rows = [f"({', '.join(map(_worded_value, row))})" for row in result.rows[:most]]
    more = ", ..." if len(result.rows) > most else ""
    count = f"{len(result.rows):,} row{'' if len(result.rows) == 1 else 's'}"
    return f"{count}: {', '.join(rows)}{more}" if rows else count


def _worded_value(value: Any) -> str:
    if value is None:
        return "NULL"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
