"""What `hornbook plan` says of soft targets."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.models.loading import LoadedModel, save
from pipeline.recipe_text import load
from pipeline.run.costs import estimate, table
from pipeline.store.places import places


@pytest.fixture
def saved(teacher: LoadedModel, tmp_path: Path) -> Path:
    save(teacher.model, teacher.tokenizer, tmp_path / "teacher")
    return tmp_path / "teacher"


def soft(tmp_path: Path, *overrides: str) -> tuple[dict[str, Any], str]:
    whole = estimate(load("tiny", overrides), places(str(tmp_path / "data")))
    return whole["soft_targets"], table(whole)


def test_cached_targets_cost_disk_once(teacher: LoadedModel, saved: Path, tmp_path: Path) -> None:
    parameters = sum(p.numel() for p in teacher.model.parameters())
    stated, text = soft(tmp_path, f"soft_targets.teacher={saved}", "soft_targets.top_k=16")
    tokens = stated["tokens"]
    assert stated["teacher_parameters"] == parameters
    assert stated["flops"] == 2 * parameters * tokens
    # 16 ids of 2 bytes, 17 float16, an int64 per token.
    assert stated["bytes"] == tokens * (16 * 2 + 17 * 2 + 8)
    assert f"soft targets (cached): {saved} reads {tokens:,} tokens" in text
    assert f"at most {stated['bytes'] / 2**20:,.1f} MiB on disk" in text


def test_a_teacher_in_the_loop_reads_what_the_student_reads(saved: Path, tmp_path: Path) -> None:
    stated, text = soft(tmp_path, f"soft_targets.teacher={saved}", "soft_targets.mode=online")
    assert (stated["mode"], stated["bytes"]) == ("online", 0)
    assert stated["tokens"] == 8 * 4 * 128
    assert "nothing on disk" in text


def test_a_teacher_that_is_not_here_has_no_known_flops(tmp_path: Path) -> None:
    stated, text = soft(tmp_path, "soft_targets.teacher=someone/large")
    assert (stated["teacher_parameters"], stated["flops"]) == (None, None)
    assert stated["bytes"] > 0
    assert "FLOPs unknown" in text


def test_without_a_teacher_nothing_is_stated(tmp_path: Path) -> None:
    stated, text = soft(tmp_path)
    assert stated is None
    assert "soft targets" not in text
