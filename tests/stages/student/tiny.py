"""Tiny exercises and passages, and the settings of a student that reads them in seconds."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from pipeline.core.records import Document, Exercise, Passage
from pipeline.models.products import available
from pipeline.recipe import PhaseTable, StudentTable, TokensTable
from pipeline.stages.student import passes
from pipeline.stages.student.summary import TrainingSummary


def plant_products() -> None:
    """Matrix products go through oneDNN wherever it is: what was measured, process by process, would also be load."""
    passes.onednn_wins = lambda: available(torch.empty(0))  # type: ignore[assignment, attr-defined]


class Planted(NamedTuple):
    """Held-out losses by order of measurement, the one before training first, and `WEIGHT` at each of them."""

    losses: tuple[float, ...]
    weights: list[torch.Tensor]


WEIGHT = "model.layers.0.mlp.fc1.weight"


def planted(monkeypatch: pytest.MonkeyPatch, *losses: float) -> Planted:
    """From now on the held-out losses are these, whatever was learnt."""
    made = Planted(losses, [])

    def mean_loss(self: passes.Passes, rows: Any) -> float:
        made.weights.append(self.objective.model.get_parameter(WEIGHT).detach().clone())
        return losses[len(made.weights) - 1]

    monkeypatch.setattr(passes.Passes, "mean_loss", mean_loss)
    return made


class Alone(NamedTuple):
    """A finished run."""

    out: Path
    summary: TrainingSummary
    events: list[dict[str, Any]]

    @property
    def curve(self) -> dict[int, float]:
        """Loss by step."""
        return {event["step"]: event["loss"] for event in self.events if event["event"] == "train"}


def documents() -> list[Document]:
    exercises: list[Document] = [
        Exercise(
            prompt=f'def f{n}(x):\n    """Add {n} to x{" and again" * (n % 5)}."""\n',
            solution=f"    return x + {n}\n",
            entry_point=f"f{n}",
            test="",
            test_owner="seed",
        )
        for n in range(60)
    ]
    return exercises + [Passage(text=f"Lesson {n}. " + "Lists hold items. " * (n % 9)) for n in range(30)]


TOKENS = TokensTable(tokenizer="train", vocabulary=320, sequence_length=32)
PHASE = PhaseTable(batch=4, epochs=0.6, lr=1e-2, warmup_steps=2)
STUDENT = StudentTable(init="scratch", architecture="phi-1-nano", phases=(PHASE,), held_out=0.1)
