"""Laws of checkers: references pass their own checks, the order of items changes nothing, rows are a multiset."""

import tomllib
from dataclasses import replace
from math import inf, isfinite
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import checkers
from pipeline.checkers.protocol import Item, Means, Terms
from pipeline.checkers.sqlite.comparing import Result, Rules, same, same_multiset

DATA = Path(__file__).parents[1] / "data"
SQL = tomllib.loads((DATA / "sqlite.toml").read_text(encoding="utf-8"))
REGEX = tomllib.loads((DATA / "regex.toml").read_text(encoding="utf-8"))
VALUES = st.none() | st.integers(-3, 3) | st.sampled_from(["", "a", "1"]) | st.floats(-1, 1) | st.binary(max_size=1)
ROWS = st.lists(st.tuples(VALUES, VALUES), max_size=6)


def own(name: str) -> list[Item]:
    if name == "sqlite":
        return [
            Item(f"{n}", "", c["reference"], {"schema": SQL["schemas"][c["schema"]], "reference": c["reference"]})
            for n, c in enumerate(SQL["case"])
        ]
    return [
        Item(
            f"{n}", "", c["reference"], {key: c[key] for key in ("match", "no_match", "mode", "reference") if key in c}
        )
        for n, c in enumerate(REGEX["case"])
    ]


@pytest.mark.parametrize("name", ["sqlite", "regex"])
def test_a_reference_passes_its_own_check_in_whatever_order_and_under_whatever_id(name: str) -> None:
    items = own(name)
    with checkers.named(name).make(Terms(cpu_seconds=1.0), Means(workers=2)) as checker:
        assert [(r.id, r.state) for r in checker.rule(items)] == [(item.id, "right") for item in items]
        wrong = [replace(item, solution=items[0].solution) for item in items[1:]]
        told = [(r.reason, r.detail) for r in checker.rule(wrong)]
        renamed = [replace(item, id="other") for item in reversed(wrong)]
        assert [(r.reason, r.detail) for r in checker.rule(renamed)] == told[::-1]


@given(rows=ROWS, data=st.data())
def test_rows_are_a_multiset(rows, data) -> None:
    other = data.draw(st.permutations(rows))
    assert same_multiset(rows, other)
    assert not same_multiset(rows, [*other, (None, None)])
    assert same_multiset([*rows, rows[0]], [*other, *other[:1]]) == (rows[0] == other[0]) if rows else True


@given(rows=ROWS)
def test_neither_order_nor_names_of_columns_count_unless_they_are_fixed(rows) -> None:
    one = Result(("a", "b"), rows)
    other = Result(("y", "x"), [row[::-1] for row in rows])
    assert same([(one, other)], Rules())
    assert same([(one, Result(("B", "A"), other.rows))], Rules(columns="named"))
    assert not same([(one, other)], Rules(columns="named"))
    assert not same([(one, Result(("a",), []))], Rules())


@given(rows=ROWS)
def test_rows_that_the_order_ties_may_swap(rows) -> None:
    tied = Result(("a", "b"), rows, (len(rows),) if rows else ())
    assert same([(tied, Result(("a", "b"), rows[::-1]))], Rules(ordered=True))


NUMBERS = st.integers(-3, 3) | st.floats(allow_nan=False) | st.sampled_from([inf, -inf])


@given(NUMBERS, NUMBERS, st.sampled_from([0.0, 0.5, 1e9]))
def test_infinity_is_near_nothing_but_itself(one, other, within) -> None:
    same_one = same_multiset([(one,)], [(other,)], within)
    assert same_one == same_multiset([(other,)], [(one,)], within)
    if not (isfinite(one) and isfinite(other)):
        assert same_one == (one == other)
