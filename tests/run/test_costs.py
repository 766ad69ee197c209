"""What `hornbook plan` says a teacher will cost."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.recipe_text import load
from pipeline.run.costs import ANSWER_TOKENS, estimate, table
from pipeline.store.places import places

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
