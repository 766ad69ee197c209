"""What is left to ask and to pay, and whether that fits the budget."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recipe_text import load
from pipeline.run import remaining
from pipeline.run.remaining import PRICES, against_budget, left
from pipeline.run.run import planned
from pipeline.store.places import places

dollars = st.none() | st.floats(0, 1000)


@given(st.integers(0, 50), st.integers(0, 80), dollars)
def test_what_is_left_and_what_is_there_are_all_and_never_less_than_nothing(
    asked: int, there: int, usd: float | None
) -> None:
    one = {"requests": asked, "tokens": 10 * asked, "completion_tokens": 7 * asked, "name": "t"}
    one |= dict.fromkeys(PRICES, usd)
    rest = left(one, there)
    assert rest["requests"] + rest["stored"] == asked == rest["in_all"]["requests"]
    assert (rest["tokens"], rest["completion_tokens"]) == (10 * rest["requests"], 7 * rest["requests"])
    assert rest["in_all"] == {name: one[name] for name in rest["in_all"]}
    assert rest["name"] == "t"
    if usd is None:
        assert rest["usd"] is None
    elif asked:
        assert rest["usd"] == pytest.approx(usd * rest["requests"] / asked, abs=1e-4)
    assert left(one, 0)["tokens"] == one["tokens"]


def compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *caps: str, spent: tuple[int, float], to_come: tuple[int, Any]
) -> Any:
    loaded, at = load("tiny", [f"execution.{cap}" for cap in caps]), places(str(tmp_path))
    monkeypatch.setattr(remaining, "_spent", lambda *_: spent)
    return against_budget(loaded, planned(loaded, at, "mine"), at, *to_come)


@pytest.mark.parametrize(
    ("caps", "spent", "to_come", "fits", "exceeds"),
    [
        (["budget_usd=2"], (0, 1.0), (9, 1.0), True, (0, None)),
        (["budget_usd=2"], (0, 1.0), (9, 1.5), False, (0.5, None)),
        (["budget_usd=2"], (0, 0.0), (9, None), None, (None, None)),
        (["budget_tokens=10"], (4, 0.0), (6, None), True, (None, 0)),
        (["budget_tokens=10"], (4, 0.0), (7, 0.0), False, (None, 1)),
        (["budget_usd=2", "budget_tokens=10"], (4, 0.0), (7, None), False, (None, 1)),
        (["budget_usd=2", "budget_tokens=10"], (4, 0.0), (6, None), None, (None, 0)),
    ],
)
def test_a_plan_fits_where_what_was_spent_and_what_will_be_stay_within_every_cap(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caps: list[str],
    spent: tuple[int, float],
    to_come: tuple[int, float | None],
    fits: bool | None,
    exceeds: tuple[float | None, int | None],
) -> None:
    found = compared(monkeypatch, tmp_path, *caps, spent=spent, to_come=to_come)
    assert (found["fits"], (found["exceeds_usd"], found["exceeds_tokens"])) == (fits, exceeds)
    assert (found["spent_tokens"], found["spent_usd"]) == spent


def test_without_a_budget_there_is_nothing_to_compare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert compared(monkeypatch, tmp_path, spent=(0, 0.0), to_come=(9, 9.0)) is None
