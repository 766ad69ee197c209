"""Whose answers a run has and what they cost it: asked for now, kept from earlier runs, replayed, not yet all there."""

import json
from pathlib import Path
from typing import Any

import pytest
from server import Body, Reply, Server, chat, serving

from pipeline.core.errors import BudgetReached, EmptyCorpus, HornbookError
from pipeline.core.events import Event
from pipeline.recipe_text import load
from pipeline.report import write_report
from pipeline.report.summary import status, status_text
from pipeline.run.costs import estimate, table
from pipeline.run.run import Outcome, run
from pipeline.store.places import Places, places

EACH = 20 * 100 / 1e6
"""Dollars of one answer: 20 tokens at $100 for a million; what is asked costs nothing."""


@pytest.fixture(autouse=True)
def _prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "prices.toml"
    file.write_text('[models]\n"m" = { prompt = 0, completion = 100 }\n')
    monkeypatch.setenv("HORNBOOK_PRICES", str(file))


@pytest.fixture
def at(tmp_path: Path) -> Places:
    return places(str(tmp_path / "data"))


def overrides(server: Server) -> list[str]:
    return [
        "seeds.exercises=20", "seeds.textbooks=0", "teachers.composer.kind=openai", "teachers.composer.model=m",
        f"teachers.composer.base_url={server.url}", "teachers.composer.max_tokens=40",
    ]  # fmt: skip


def go(server: Server, at: Places, *more: str, **options: Any) -> Outcome:
    return run(load("tiny", [*overrides(server), *more]), at, **{"until": "completions", **options})


def report(outcome: Outcome, at: Places) -> tuple[dict[str, Any], str]:
    summary, text = write_report(outcome.folder, at.store)
    return summary.to_json(), text


def test_a_run_stopped_by_its_budget_says_how_many_answers_it_has_and_what_they_cost(at: Places) -> None:
    with serving() as server:
        for _ in range(2):
            with pytest.raises(BudgetReached):
                go(server, at, "execution.budget_usd=0.03", name="poor")
            answers, usd = len(server.requests), len(server.requests) * EACH
            assert answers > 5
            summary, text = write_report(at.runs / "poor", at.store)
            found = summary.to_json()
            (teacher,) = found["teachers"]
            assert (teacher["completions"], teacher["tokens"]) == (answers, 30 * answers)
            assert teacher["usd"] == found["cost"]["usd"] == pytest.approx(usd)
            assert f"{answers} answers" in text
            assert f"Cost    ${usd:.3f}" in text
            page = (at.runs / "poor" / "report.html").read_text(encoding="utf-8")
            assert f"stopped here, {answers} answers in the journal" in page
            stage = status(at.runs / "poor", at.store)["stages"][-1]
            assert (stage["state"], stage["in"], stage["kept"]) == ("stopped", 0, 0)
            assert stage["journalled"] == {"answers": answers, "tokens": 30 * answers, "usd": pytest.approx(usd)}
            assert f"{answers} answers in the journal" in status_text(status(at.runs / "poor", at.store))
        found, _ = report(go(server, at, name="poor"), at)
    assert found["teachers"][0]["completions"] == 20
    assert found["cost"]["usd"] == pytest.approx(20 * EACH)


def test_answers_in_the_journal_are_shared_out_among_teachers(at: Places) -> None:
    """The second teacher differs from the first in its temperature alone."""
    recipe = at.data.parent / "two.toml"
    with serving() as server:
        table = '[[teachers]]\nname = "{}"\nkind = "openai"\nmodel = "m"\nmax_tokens = 40\nbase_url = "{}"\n'
        first = table.format("first", server.url) + "temperature = 0.5\n"
        recipe.write_text(
            'name = "two"\n[seeds]\nexercises = 30\ntextbooks = 0\n'
            + first + "exercise_share = 0.7\n" + table.format("second", server.url) + "exercise_share = 0.3\n"
        )  # fmt: skip
        with pytest.raises(BudgetReached):
            run(load(str(recipe), ["execution.budget_usd=0.03"]), at, until="completions", name="two")
        asked = dict.fromkeys(("first", "second"), 0)
        for body in server.requests:
            asked["first" if body.get("temperature") == 0.5 else "second"] += 1
    summary, _ = write_report(at.runs / "two", at.store)
    assert {teacher.name: teacher.completions for teacher in summary.teachers} == asked
    assert sum(asked.values()) > 5


def test_answers_of_an_earlier_run_are_counted_apart_and_said_to_be_old(at: Places) -> None:
    events: list[Event] = []
    with serving() as server:
        old, _ = report(go(server, at, name="first"), at)
        new, text = report(go(server, at, "seeds.exercises=25", name="second", watch=events.append), at)
        asked = len(server.requests)
    assert (old["teachers"][0]["reused"], old["cost"]["reused_usd"]) == (0, 0)
    (teacher,) = new["teachers"]
    kept = 45 - asked
    assert kept > 0
    assert (teacher["completions"], teacher["reused"]) == (25, kept)
    assert teacher["usd"] == pytest.approx((25 - kept) * EACH)
    assert teacher["reused_usd"] == new["cost"]["reused_usd"] == pytest.approx(kept * EACH)
    assert f"{kept} of them reused from earlier runs, which paid ${kept * EACH:.3f} for them" in text
    notes = [event["text"] for event in events if event["event"] == "note"]
    told = f"completions: {kept} of 25 answers are reused from earlier runs; --fresh completions asks for them again"
    assert told in notes


def test_a_run_that_finds_all_answers_in_the_store_paid_for_none_of_them(at: Places) -> None:
    with serving() as server:
        go(server, at, name="first")
        found, text = report(go(server, at, name="second"), at)
        again, _ = report(go(server, at, name="first"), at)
    assert found["teachers"][0] | {"usd": 0.0, "reused": 20} == found["teachers"][0]
    assert found["cost"] | {"usd": 0.0, "reused_usd": pytest.approx(20 * EACH)} == found["cost"]
    assert "all of them reused from earlier runs" in text
    assert again["cost"]["usd"] == pytest.approx(20 * EACH)


def test_a_replay_costs_nothing(at: Places) -> None:
    with serving() as server:
        first = go(server, at, name="first")
    key = json.loads((first.folder / "run.json").read_text())["stages"][2]["key"]
    replay = [
        "seeds.exercises=20", "seeds.textbooks=0", "teachers.composer.kind=replay",
        f"teachers.composer.replay={at.store.folder('completions', key)}",
    ]  # fmt: skip
    found, text = report(run(load("tiny", replay), at, until="completions", name="replayed"), at)
    assert found["teachers"][0]["completions"] == found["teachers"][0]["reused"] == 20
    assert found["cost"]["usd"] == 0
    assert found["cost"]["reused_usd"] == pytest.approx(20 * EACH)
    assert "all of them reused from earlier runs, which paid $0.040 for them" in text


def test_fresh_asks_a_mended_server_again_and_the_broken_ones_answers_are_never_used(at: Places) -> None:
    text = "nothing that could be code"

    def answer(body: Body) -> Reply:
        return Reply(body=chat(text))

    with serving(answer) as server:
        with pytest.raises(EmptyCorpus) as raised:
            go(server, at, until="documents", name="mine")
        assert "--fresh completions" in raised.value.hint
        with pytest.raises(EmptyCorpus):
            go(server, at, until="documents", name="mine")
        assert len(server.requests) == 20
        with pytest.raises(EmptyCorpus):  # still broken: the wish came to nothing, so the next one is another
            go(server, at, until="documents", name="mine", fresh=["completions"])
        assert len(server.requests) == 40
        text = '```python\ndef f(x):\n    """Return x."""\n    return x\n```\n'
        with pytest.raises(BudgetReached):
            go(server, at, "execution.budget_usd=0.03", until="documents", name="mine", fresh=["completions"])
        begun = len(server.requests) - 40
        assert begun > 3
        # The same command again, and then a plain one, go on with what is paid for of the new generation.
        events: list[Event] = []
        again: dict[str, Any] = {"until": "documents", "name": "mine", "fresh": ["completions"], "watch": events.append}
        with pytest.raises(BudgetReached):
            go(server, at, "execution.budget_usd=0.03", **again)
        assert len(server.requests) == 40 + begun
        assert [e["text"] for e in events if "going on" in str(e.get("text"))] == [
            "--fresh completions: going on with what was begun then, as the run did not come to its end"
        ]
        with pytest.raises(HornbookError):  # exercises without tests: whatever becomes of them, they are the new ones
            go(server, at, until="decontaminated", name="mine")
        assert len(server.requests) == 60
        found, card = report(Outcome("mine", at.runs / "mine", (), ()), at)
    (teacher,) = found["teachers"]
    assert (teacher["completions"], teacher["reused"], teacher["usd"]) == (20, 0, pytest.approx(20 * EACH))
    entry = json.loads((at.runs / "mine" / "run.json").read_text())["stages"][2]
    answers = {completion.text for completion in at.store.kept("completions", entry["key"])}  # type: ignore[attr-defined]
    assert answers == {text}
    assert "earlier runs" not in card


def test_a_larger_corpus_of_a_fresh_run_has_the_newest_answers_and_pays_for_none_twice(at: Places) -> None:
    text = "old"
    with serving(lambda _: Reply(body=chat(text))) as server:
        go(server, at, name="mine")
        text = "new"
        go(server, at, name="mine", fresh=["completions"])
        assert len(server.requests) == 40
        go(server, at, "seeds.exercises=22", name="mine")
        shared = 42 + 20 - len(server.requests)
        assert len(server.requests) < 42 + 20
        for name in ("mine", "other"):
            outcome = go(server, at, "seeds.exercises=22", name=name)
            key = json.loads((outcome.folder / "run.json").read_text())["stages"][2]["key"]
            assert {completion.text for completion in at.store.kept("completions", key)} == {"new"}  # type: ignore[attr-defined]
    assert shared > 0


def planned(server: Server, at: Places, *more: str, name: str = "") -> tuple[dict[str, Any], str]:
    found = estimate(load("tiny", [*overrides(server), *more]), at, name)
    return found, table(found)


def test_a_plan_asks_for_what_no_journal_holds_and_compares_that_with_the_budget(at: Places) -> None:
    cap = "execution.budget_usd=0.03"
    with serving() as server:
        whole, text = planned(server, at, cap, name="poor")
        assert (whole["teacher"]["requests"], whole["teacher"]["stored"]) == (20, 0)
        # 20 answers of 40 tokens at most: $0.08 is more than the budget by $0.05.
        assert whole["budget"] | {"spent_usd": 0.0, "exceeds_usd": 0.05, "fits": False} == whole["budget"]
        assert "budget: $0.030, $0.00 spent, ~$0.080 to come: exceeds it by $0.050" in text
        with pytest.raises(BudgetReached):
            go(server, at, cap, name="poor")
        answers = len(server.requests)
        rest, text = planned(server, at, cap, name="poor")
        teacher = rest["teacher"]
        assert (teacher["requests"], teacher["stored"]) == (20 - answers, answers)
        assert teacher["usd"] == pytest.approx((20 - answers) * 40 * 100 / 1e6)
        assert teacher["in_all"] == {name: whole["teacher"][name] for name in ("requests", "tokens", "usd")}
        assert rest["budget"]["spent_usd"] == pytest.approx(answers * EACH)
        assert f"{answers} of 20 answers are stored" in text
        # The answers serve other runs too: those of another corpus that asks some of the same, found one by one.
        larger, _ = planned(server, at, "seeds.exercises=25")
        go(server, at, "seeds.exercises=25", name="larger")
        assert larger["teacher"]["requests"] == len(server.requests) - answers
        assert larger["teacher"]["stored"] > 0
        fits, text = planned(server, at, "seeds.exercises=25", "execution.budget_usd=0.2", name="larger")
        assert (fits["teacher"]["requests"], fits["teacher"]["usd"], fits["budget"]["fits"]) == (0, 0, True)
        assert text.count("to come: fits") == 1
        assert "nothing more to pay" in text


def test_a_plan_is_of_the_fresh_generation_that_the_run_keeps_to(at: Places) -> None:
    with serving() as server:
        go(server, at)
        assert planned(server, at)[0]["teacher"]["requests"] == 0
        with pytest.raises(BudgetReached):
            go(server, at, "execution.budget_usd=0.03", fresh=["completions"])
        asked = len(server.requests) - 20
        assert planned(server, at)[0]["teacher"]["requests"] == 20 - asked
        assert planned(server, at, name="another")[0]["teacher"]["requests"] == 0


def test_a_budget_of_tokens_and_one_without_a_price(at: Places) -> None:
    with serving() as server:
        found, text = planned(server, at, "execution.budget_tokens=100")
        assert found["budget"]["exceeds_tokens"] == found["teacher"]["tokens"] - 100
        assert "100 tokens, 0 spent" in text
        assert planned(server, at)[0]["budget"] is None
        found, text = planned(
            server,
            at,
            "teachers.composer.model=x",
            "execution.budget_usd=1",
            "teachers.composer.base_url=https://x.example.org/v1",
        )
        assert (found["budget"]["fits"], found["budget"]["exceeds_usd"]) == (None, None)
        assert "the price is unknown" in text
