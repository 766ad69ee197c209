"""What `hornbook plan` says a teacher will cost."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.records import Seed
from pipeline.recipe_text import load
from pipeline.run.costs import SOURCE_TOKENS, _downloads, _source_tokens, _total, estimate, table
from pipeline.run.requests import ANSWER_TOKENS, of_judge
from pipeline.run.run import run
from pipeline.stages.seeds.files import write as write_seeds
from pipeline.store.places import places

MODEL = "qwen2.5-coder-0.5b"
RECIPE = """
name = "priced"

[seeds]
exercises = 30
textbooks = 0

[[teachers]]
name = "teacher"
kind = "openai"
model = "{model}"
base_url = "{url}"
mode = "{mode}"
max_tokens = {max_tokens}
"""


def plan(
    folder: Path, model: str, url: str, mode: str = "online", max_tokens: int = 1024
) -> tuple[dict[str, Any], str]:
    recipe = folder / "priced.toml"
    recipe.write_text(RECIPE.format(model=model, url=url, mode=mode, max_tokens=max_tokens))
    whole = estimate(load(str(recipe), ["completions.samples_per_prompt=2"]), places(str(folder / "data")))
    return whole["teacher"], table(whole)


def test_requests_tokens_and_dollars_follow_the_recipe(tmp_path: Path) -> None:
    found, text = plan(tmp_path, "gpt-4o-mini", "https://api.example.org/v1")
    (one,) = found["teachers"]
    assert found["requests"] == one["requests"] == 60
    assert one["completion_tokens"] == 60 * ANSWER_TOKENS["exercise"]
    prompt_tokens = one["tokens"] - one["completion_tokens"]
    assert prompt_tokens > 60 * 50
    dollars = (prompt_tokens * 0.15 + one["completion_tokens"] * 0.60) / 1e6
    assert found["usd"] == one["usd"] == pytest.approx(dollars, abs=1e-4)
    assert f"60 requests, ~{one['tokens']:,} tokens, ${dollars:.2f}" in text


def test_a_short_answer_is_capped_and_a_batch_costs_half(tmp_path: Path) -> None:
    found, _ = plan(tmp_path, "gpt-4o-mini", "https://api.example.org/v1", max_tokens=10)
    assert found["teachers"][0]["completion_tokens"] == 600
    whole, _ = plan(tmp_path, "gpt-4o", "https://api.example.org/v1")
    half, _ = plan(tmp_path, "gpt-4o", "https://api.example.org/v1", mode="batch")
    assert half["usd"] == pytest.approx(whole["usd"] / 2, abs=1e-4)


def test_a_server_of_ones_own_is_free_and_an_unknown_price_is_no_zero(tmp_path: Path) -> None:
    found, text = plan(tmp_path, "mine", "http://127.0.0.1:8000/v1")
    assert found["usd"] == 0
    assert "$0.00" in text
    found, text = plan(tmp_path, "mine", "https://api.example.org/v1")
    assert found["usd"] is None
    assert "price unknown, see data/prices.toml" in text


def test_each_teacher_is_asked_its_share_of_either_kind(tmp_path: Path) -> None:
    recipe = tmp_path / "two.toml"
    recipe.write_text(
        'name = "two"\n[seeds]\nexercises = 30\ntextbooks = 10\n'
        '[[teachers]]\nname = "a"\nkind = "composer"\nexercise_share = 1.0\ntextbook_share = 0.0\n'
        '[[teachers]]\nname = "b"\nkind = "composer"\nexercise_share = 0.0\ntextbook_share = 1.0\n'
    )
    found = estimate(load(str(recipe)), places(str(tmp_path / "data")))["teacher"]["teachers"]
    assert [(one["name"], one["requests"]) for one in found] == [("a", 30), ("b", 10)]
    assert [one["completion_tokens"] for one in found] == [
        30 * ANSWER_TOKENS["exercise"], 10 * ANSWER_TOKENS["textbook"],
    ]  # fmt: skip


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    assert _total([1.0, 0.25]) == 1.25
    assert _total([1.0, None]) is None
    assert _total([]) == 0


def test_real_code_counts_as_far_as_its_limit() -> None:
    def tokens(*overrides: str) -> int:
        return _source_tokens(load("tiny", overrides).recipe)

    assert tokens() == 0
    assert tokens("sources.kind=stdlib") == SOURCE_TOKENS["stdlib"]
    assert tokens("sources.kind=stdlib", "sources.limit=3") == 3000
    assert tokens("sources.kind=stdlib", "sources.limit=999999999") == SOURCE_TOKENS["stdlib"]


def test_answers_that_are_stored_are_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.run.costs.stored", lambda whole, _: {one.name: True for one in whole.stages})
    found = estimate(load("tiny"), places(str(tmp_path)))["teacher"]
    assert (found["requests"], found["stored"], found["in_all"]["requests"]) == (0, 28, 28)
    assert not found["to_make"]


def test_a_corpus_that_is_packed_is_counted_and_not_estimated(tmp_path: Path) -> None:
    where, wanted = places(str(tmp_path)), load("tiny", ["student.phases.0.steps=0", "student.phases.0.epochs=2"])
    before = estimate(wanted, where)["student"]
    run(wanted, where, until="tokens")
    after = estimate(wanted, where)["student"]
    (manifest,) = (tmp_path / "store" / "tokens").glob("*/manifest.json")
    assert after["training_tokens"] == 2 * json.loads(manifest.read_text())["facts"]["tokens"]
    assert after["training_tokens"] < before["training_tokens"] / 2


def test_a_judge_annotates_its_sample_and_part_of_it_twice(tmp_path: Path) -> None:
    server = ("kind=openai", "model=m", "base_url=http://127.0.0.1:8000/v1")
    judged = [*(f"teachers.composer.{one}" for one in server), "quality.classifier=true", "quality.embedding=smollm2"]
    for annotate, repeats, asked in ((20, 5, 25), (20, 50, 40)):
        counts = (f"quality.annotate={annotate}", f"quality.repeats={repeats}")
        assert of_judge(load("tiny", [*judged, *counts]).recipe)["requests"] == asked  # type: ignore[index]
    assert of_judge(load("tiny", [*judged, f"quality.model={tmp_path}"]).recipe) is None
    assert of_judge(load("tiny").recipe) is None


def test_what_will_be_fetched_is_what_a_stage_that_is_to_be_made_needs_and_is_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, at = load("tiny", [f"student.init={MODEL}", "tokens.tokenizer=student"]).recipe, places(str(tmp_path))
    monkeypatch.setattr("pipeline.run.costs.located", lambda model, models: None)
    to_make, made = {"tokens": False, "student": False}, {"tokens": True, "student": True}
    assert [one["name"] for one in _downloads(recipe, to_make, at)] == [MODEL]
    assert [one["name"] for one in _downloads(recipe, {"tokens": True, "student": False}, at)] == [MODEL]
    assert _downloads(recipe, made, at) == []
    monkeypatch.setattr("pipeline.run.costs.located", lambda model, models: tmp_path)
    assert _downloads(recipe, to_make, at) == []


SOLVED = """
name = "solved"
seeds = { exercises = 30, textbooks = 0 }
agreement = { solver = "cheap", solutions = 4 }

[[teachers]]
name = "writes"
kind = "openai"
model = "gpt-4o"
base_url = "https://api.example.org/v1"
tests = "agreement"

[[teachers]]
name = "writes-too"
kind = "openai"
model = "gpt-4o"
base_url = "https://api.example.org/v1"
tests = "agreement"

[[teachers]]
name = "cheap"
kind = "openai"
model = "gpt-4o-mini"
base_url = "https://api.example.org/v1"
max_tokens = 50
exercise_share = 0
textbook_share = 0
"""


def test_solutions_are_counted_for_the_one_that_is_asked_for_them_at_his_price(tmp_path: Path) -> None:
    (tmp_path / "solved.toml").write_text(SOLVED)
    whole = estimate(load(str(tmp_path / "solved.toml")), places(str(tmp_path / "data")))
    (one,) = whole["teacher"]["solutions"]
    assert (one["name"], one["model"], one["requests"]) == ("cheap", "gpt-4o-mini", 4 * 30)
    assert one["completion_tokens"] == 4 * 30 * 50
    dollars = ((one["tokens"] - one["completion_tokens"]) * 0.15 + one["completion_tokens"] * 0.60) / 1e6
    assert one["usd"] == pytest.approx(dollars, abs=1e-4)
    assert "solutions of cheap (openai, gpt-4o-mini): 120 requests" in table(whole)


def test_solutions_of_what_is_written_now_are_asked_of_the_one_a_recording_leaves_them_to(tmp_path: Path) -> None:
    asked = ["seeds.exercises=4_000", "seeds.textbooks=0", "teachers.recorded.most_otherwise=24"]
    asked += ["teachers.recorded.otherwise=live", "teachers.live.exercise_share=0"]
    whole = estimate(load("first-run", asked), places(str(tmp_path / "data")))
    recorded, live = whole["teacher"]["solutions"]
    assert (live["name"], live["requests"]) == ("live", 3 * 24)
    assert (recorded["name"], recorded["usd"]) == ("solver", 0.0)


def test_seeds_that_are_given_are_counted(tmp_path: Path) -> None:
    base = Seed(kind="exercise", number=0, topic="a/b", title="b", audience="x", form="y", teacher="composer")
    more = [replace(base, number=n) for n in range(7)]
    write_seeds(tmp_path / "seeds.jsonl", more)
    where = places(str(tmp_path / "data"))
    plain, given = (
        estimate(load("tiny", overrides), where)["teacher"]["requests"]
        for overrides in ((), (f'seeds.more=["{tmp_path}/seeds.jsonl"]',))
    )
    assert given == plain + 7
