"""`python -m pipeline.cli.train` distils as a run does, or says what it lacks."""

import json
import sys
from pathlib import Path

import pytest
from distilled import TOKENS  # type: ignore[import-not-found]

from pipeline.cli.train import main
from pipeline.execution import Execution
from pipeline.models.loading import LoadedModel, save
from pipeline.recipe import SoftTargetsTable
from pipeline.stages.soft_targets.stage import write_soft_targets

# Nothing is learnt: the losses are those of the weights that all three begin with.
RECIPE = ["tokens.sequence_length=24", "student.phases.0.steps=1", "student.phases.0.lr=1e-30", "execution.threads=1"]


@pytest.fixture
def saved(teacher: LoadedModel, tmp_path: Path) -> Path:
    save(teacher.model, teacher.tokenizer, tmp_path / "teacher")
    return tmp_path / "teacher"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments), *RECIPE])
    return main()


def test_soft_targets_that_are_missing_are_asked_for(
    exercises: Path, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, exercises, "tiny", tmp_path / "out", f"soft_targets.teacher={saved}") == 2
    assert f"tiny distils from {saved}, whose soft targets were not given" in capsys.readouterr().err


def test_cached_and_online_targets_train_alike(
    exercises: Path, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 64 of 300 logits kept, and with all of them; hard labels alone give another loss."""
    table = SoftTargetsTable(teacher=str(saved))
    folder = tmp_path / "soft"
    write_soft_targets(exercises, table, TOKENS, out=folder, cache=tmp_path, execution=Execution(threads=1))
    losses = []
    for number, extra in enumerate(
        (
            ["--soft-targets", folder, f"soft_targets.teacher={saved}"],
            [f"soft_targets.teacher={saved}", "soft_targets.mode=online"],
            [],
        )
    ):
        assert run(monkeypatch, exercises, "tiny", tmp_path / f"out-{number}", *extra) == 0  # type: ignore[misc]
        losses.append(json.loads(capsys.readouterr().out)["loss"])
    cached, online, hard = losses
    # What 64 tokens of 300 and a tail leave out of a random teacher's divergence is a share of it.
    assert cached < online < hard
    assert hard - online > 3 * (online - cached)
