"""Trackers get the numbers of training, and only those; one that is missing is an error before anything is made."""

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.core.errors import MissingExtra
from pipeline.run.trackers import Trackers

STEP = {"event": "train", "stage": "student", "step": 3, "loss": 2.5, "lr": 1e-3, "mfu": 0.4, "phase": "fine-tune"}
HELD_OUT = {"event": "held-out", "stage": "student", "step": 4, "held_out_loss": 2.0}
OTHER = {"event": "checkpoint", "stage": "student", "step": 4, "loss": 9.0}


class Fake:
    """Stands for `wandb` and for `trackio`: what it was told, in order."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def init(self, **settings: Any) -> "Fake":
        self.told.append(settings)
        return self

    def log(self, numbers: dict[str, float], step: int) -> None:
        self.told.append((step, numbers))

    def finish(self) -> None:
        self.told.append("finished")


@pytest.mark.parametrize("name", ["wandb", "trackio"])
def test_steps_are_logged_and_the_run_is_finished(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake()
    monkeypatch.setitem(sys.modules, name, fake)
    monkeypatch.setattr("pipeline.run.trackers.importlib.util.find_spec", lambda found: SimpleNamespace(name=found))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    tracked = Trackers((name,), tmp_path, {"dropout": 0.1})  # type: ignore[arg-type]
    tracked(OTHER)
    assert fake.told == []
    for event in (STEP, OTHER, HELD_OUT):
        tracked(event)
    tracked.close()
    settings, *rest = fake.told
    assert settings["config"] == {"dropout": 0.1}
    assert settings.get("mode") == ("offline" if name == "wandb" else None)
    assert rest == [(3, {"loss": 2.5, "lr": 1e-3, "mfu": 0.4}), (4, {"held_out_loss": 2.0}), "finished"]


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracked = Trackers(("tensorboard",), tmp_path, {})
    for event in (STEP, HELD_OUT):
        tracked(event)
    tracked.close()
    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert [(e.step, e.value) for e in read.Scalars("training/loss")] == [(3, 2.5)]
    assert [(e.step, e.value) for e in read.Scalars("training/held_out_loss")] == [(4, 2.0)]


def test_a_tracker_that_is_not_installed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"execution.trackers names 'trackio', which is not installed") as error:
        Trackers(("trackio",), tmp_path, {})
    assert error.value.hint == "pip install trackio, or take it out of execution.trackers"


def test_no_tracker_is_none(tmp_path: Path) -> None:
    tracked = Trackers((), tmp_path, {})
    tracked(STEP)
    tracked.close()
    assert list(tmp_path.iterdir()) == []
