"""One ledger for a whole run: every stage that asks a teacher counts against the same caps."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from asking import ask_all, execution, prompt, table
from server import Server, serving
from walks import remade

from pipeline import teacher
from pipeline.core.errors import BudgetReached
from pipeline.core.money import Ledger
from pipeline.core.records import Message, Passage
from pipeline.recipe_text import load
from pipeline.run.run import run
from pipeline.stages.making import Making
from pipeline.store.manifest import Manifest
from pipeline.store.places import places


def test_conversations_that_share_a_ledger_share_its_cap(tmp_path: Path) -> None:
    ledger = Ledger(budget_tokens=1000)
    with serving() as server:
        ask_all([prompt(n) for n in range(10)], tmp_path / "a", [table(server.url, max_tokens=20)], ledger=ledger)
        assert ledger.tokens == 300
        judge = teacher.build(table(server.url, max_tokens=20), execution(), 0)
        asked = ((Passage(text=f"text {n}"), (Message("user", f"text {n}"),)) for n in range(100))
        with pytest.raises(BudgetReached, match="1000"):
            list(teacher.ask(asked, judge, journal=tmp_path / "b", execution=execution(), ledger=ledger))
    assert 30 * len(server.requests) <= 1000


def recipe(server: Server, budget: int):  # type: ignore[no-untyped-def]
    overrides = [
        "teachers.composer.kind=openai",
        f"teachers.composer.base_url={server.url}",
        "teachers.composer.model=m",
        "teachers.composer.max_tokens=20",
        f"execution.budget_tokens={budget}",
    ]
    return load("tiny", overrides)


def test_a_later_stage_is_held_to_what_earlier_ones_and_earlier_calls_have_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documents stage stands for a judge here: it asks twelve questions of its own."""

    def documents(made: Making) -> Manifest:
        asked = teacher.build(made.recipe.teachers[0], made.execution, 0)
        questions = ((Passage(text=f"judge {n}"), (Message("user", f"judge {n}"),)) for n in range(12))
        folder = made.places.data / "judge"
        list(teacher.ask(questions, asked, journal=folder, execution=made.execution, ledger=made.ledger))
        raise AssertionError("the budget held nothing")

    with serving() as server:
        loaded, at = recipe(server, 10**6), places(str(tmp_path))
        first = run(loaded, at, until="completions")
        answered = len(server.requests)
        assert first.made[-1] == "completions"
        (stage,) = [s for s in json.loads((first.folder / "run.json").read_text())["stages"] if "spent" in s]
        assert (stage["name"], stage["spent"]) == ("completions", [10 * answered, 20 * answered, 0.0])

        remade(monkeypatch, "documents", documents)
        cap = 30 * answered + 200
        capped = replace(loaded, execution=loaded.execution.model_copy(update={"budget_tokens": cap}))
        for _ in range(2):
            with pytest.raises(BudgetReached, match=f"budget_tokens = {cap}"):
                run(capped, at, until="documents")
            assert 30 * len(server.requests) <= cap
        assert len(server.requests) > answered
    assert json.loads((first.folder / "run.json").read_text())["state"] == "budget"
