"""Which weights of a run are exported: the last, or the best of the last phase by held-out loss or by pass@1."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from pipeline.models.loading import LoadedModel
from pipeline.recipe import StudentTable
from pipeline.training import checkpoint


class Solved(NamedTuple):
    """Held-out exercises that were solved, and those whose answer could be scored."""

    solved: int
    scored: int


class Judge(Protocol):
    """Has a model answer held-out exercises and runs the answers against the exercises' tests."""

    def __call__(self, model: LoadedModel, weights: str, journal: Path) -> Solved:
        """weights: digest of the model's weights, under which answers and scores are kept in the folder `journal`, so
        that they are not made again after a restart."""
        ...


class Candidate(NamedTuple):
    """Weights that may be exported. loss: held out, nats per loss token. pass_rate: share of the held-out exercises
    solved, None where the recipe does not choose by it."""

    step: int
    loss: float
    pass_rate: float | None = None

    def better(self, other: "Candidate | None") -> bool:
        """Whether to export these rather than `other`: more solved, or as many (or none counted) and less loss."""
        if other is None:
            return True
        return (-(self.pass_rate or 0.0), self.loss) < (-(other.pass_rate or 0.0), other.loss)


class Selection:
    """The best weights so far, kept in `folder`.

    first: the last phase's first step, from 1; earlier ones are not chosen from, for what was best at pretraining is
    not what a fine-tune is for.
    """

    def __init__(self, student: StudentTable, folder: Path, first: int, judge: Judge | None) -> None:
        self.student, self.folder, self.first, self.judge = student, folder, first, judge
        self.best: Candidate | None = None

    @property
    def chooses(self) -> bool:
        """Whether the best weights are wanted, not the last."""
        return self.student.keep != "last"

    def due(self, step: int) -> bool:
        """Whether the weights after `step` may be chosen."""
        return self.chooses and step >= self.first

    def keep_if_best(self, candidate: Candidate, weights: Mapping[str, Tensor], *, write: bool) -> None:
        """Put the weights aside if none before were better; write: whether this process is the one that does."""
        if not candidate.better(self.best):
            return
        self.best = candidate
        if write:
            checkpoint.write_best(self.folder, candidate.step, weights)

    def weights(self) -> dict[str, Tensor]:
        """The best weights so far."""
        assert self.best is not None
        return checkpoint.read_best(self.folder, self.best.step)

    def state(self) -> list[Any] | None:
        """What `load` takes."""
        return list(self.best) if self.best else None

    def load(self, state: list[Any] | None) -> None:
        """Go on from a checkpoint's best."""
        self.best = Candidate(*state) if state else None


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights on the CPU, names included."""
    found = hashlib.sha256()
    for name, weight in weights.items():
        found.update(name.encode())
        found.update(weight.contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
