"""What is left to ask and to pay, and whether that fits the budget."""

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recipe_text import load
from pipeline.run import remaining
from pipeline.run.remaining import PRICES, against_budget, left
from pipeline.run.run import planned
from pipeline.stages.prompts import stage
from pipeline.stages.prompts.stage import rendered
from pipeline.store.places import places
from pipeline.teacher import recorded
from pipeline.teacher.building import keyed
from pipeline.teacher.kinds.local import LocalTeacher
from pipeline.teacher.lines import encode, entry_of
from pipeline.teacher.protocol import Reply, answer_key, messages_digest
from pipeline.teacher.recorded import pack

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


def test_prompts_are_rendered_and_a_recording_unpacked_once_to_tell_who_is_asked_and_what_is_answered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def journal(folder: Path, variant: str, messages: str) -> Path:
        body = {"choices": [{"message": {"content": "an answer"}, "finish_reason": "stop"}]}
        reply = Reply(answer_key(variant, messages, 0), "", "toy", b"", body, 640)
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_bytes(encode(entry_of(messages, 0, reply), json.dumps(body).encode()))
        return folder

    recording = tmp_path / "recording"
    pack([journal(tmp_path / "first", "v", "0" * 64)], {"v"}, recording, {})
    overrides = [f"teachers.recorded.replay={recording}", "seeds.exercises=6", "seeds.textbooks=0"]
    overrides += ["teachers.recorded.otherwise=live", "teachers.live.exercise_share=0"]
    loaded, at = load("first-run", overrides), places(str(tmp_path / "data"))
    live = keyed(loaded.recipe.teachers[2], loaded.recipe.seed)
    assert isinstance(live, LocalTeacher)
    prompts = list(rendered(loaded.recipe))
    journal(at.store.partial_folder("completions", "0" * 20), live.variant, messages_digest(prompts[3].messages))
    rendering, unpacking = Mock(side_effect=rendered), Mock(side_effect=recorded._unpack)
    monkeypatch.setattr(stage, "rendered", rendering)
    monkeypatch.setattr(recorded, "_unpack", unpacking)
    found = remaining.asked(loaded, planned(loaded, at).plan, at, to_make=True)
    assert (found.routed, +found.answered) == ({("live", "exercise"): 6}, {"live": 1})
    assert (rendering.call_count, unpacking.call_count) == (1, 1)


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
