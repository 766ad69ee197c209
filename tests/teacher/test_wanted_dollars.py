"""What exact targets cost: ceilings in dollars, and budgets that count an answer once whatever the round."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from server import Body, Reply, Server, chat, serving

from pipeline.core.errors import BudgetReached, RecipeError
from pipeline.recipe_text import Loaded, load
from pipeline.report.summary import summarise
from pipeline.run.run import run
from pipeline.store.places import Places, places

EACH = 0.02
"""Dollars of an answer of 20 tokens."""


def exercise(body: Body) -> Reply:
    """An exercise of its own to each question; every second question has none."""
    number = int(hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()[:6], 16)
    says = f'"""Return `x` with {number} added to it."""'
    code = (
        f"def add_{number}(x: int) -> int:\n    {says}\n    return x + {number}\n\n\n"
        f"assert add_{number}(1) == {number + 1}\n"
    )
    return Reply(body=chat(f"```python\n{code}```\n" if number % 2 else "Sorry."))


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    prices = tmp_path / "prices.toml"
    prices.write_text("[models.m]\nprompt = 0\ncompletion = 1000\n")
    monkeypatch.setenv("HORNBOOK_PRICES", str(prices))
    return places(str(tmp_path / "data"))


def recipe(server: Server, *overrides: str, model: str = "m") -> Loaded:
    return load(
        "tiny",
        [
            "seeds.exercises=0",
            "seeds.textbooks=0",
            "execution.workers=1",
            "distinct.similarity=1.0",
            "teachers.0.kind=openai",
            f"teachers.0.base_url={server.url}",
            f"teachers.0.model={model}",
            "teachers.0.max_tokens=20",
            *overrides,
        ],
    )


def said(at: Places) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((at.runs / "mine" / "run.json").read_text())
    return found


def test_no_round_begins_that_is_expected_to_pass_the_ceiling_in_dollars(at: Places) -> None:
    with serving(exercise) as server:
        run(recipe(server, "want.exercises=40", "want.usd=0.91"), at, name="mine", until="decontaminated")
        last = said(at)["want"][-1]
        assert last["ended"] == "usd"
        assert last["usd"] == pytest.approx(EACH * len(server.requests))
        assert last["usd"] <= 0.91 < last["usd"] + EACH
        assert 0 < last["exercises"]["kept"] < 40


@pytest.mark.parametrize(
    ("ceiling", "model", "what"), [(0.001, "m", "does not pay for one answer"), (1.0, "other", "no price is known")]
)
def test_a_ceiling_that_cannot_be_kept_is_refused(at: Places, ceiling: float, model: str, what: str) -> None:
    elsewhere = Server(exercise)
    elsewhere.url = "https://models.example/v1"
    with pytest.raises(RecipeError, match=what):
        run(recipe(elsewhere, "want.exercises=9", f"want.usd={ceiling}", model=model), at, name="mine")
    assert not (at.runs / "mine").exists()


def test_a_budget_counts_each_answer_once_whatever_the_round(at: Places) -> None:
    with serving(exercise) as server:
        with pytest.raises(BudgetReached):
            run(
                recipe(server, "want.exercises=8", "execution.budget_usd=0.21"), at, name="mine", until="decontaminated"
            )
        assert said(at)["rounds"]
        assert EACH * len(server.requests) <= 0.21
        run(recipe(server, "want.exercises=8", "execution.budget_usd=9"), at, name="mine", until="decontaminated")
        last = said(at)["want"][-1]
        assert (last["exercises"]["kept"], last["ended"]) == (8, "reached")
        assert last["answers"] == len(server.requests)
        summary = summarise(at.runs / "mine", at.store)
        assert summary.usd == pytest.approx(EACH * len(server.requests))
        assert summary.earlier_usd == 0
