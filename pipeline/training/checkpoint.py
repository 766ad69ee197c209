"""Checkpoints of a training run: whole or absent, newest first, old ones removed.

A checkpoint is a folder `step-00000123` with `state.pt` and `meta.json`. It is written under another name and renamed,
so a kill at any moment leaves either the old newest one or the new one. Beside them lie the best weights so far,
`best-00000100.pt`: those of every checkpoint that is kept, so that a run which goes on from one finds its own.
"""

import json
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.core.errors import StoreFormatError
from pipeline.store.disk import full_disk, whole_folder, write_atomically

FORMAT = 3
KEEP = 2
"""Checkpoints kept: the newest, and the one before it for the case that the newest is where the loss went wrong."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A finished checkpoint on disk."""

    folder: Path
    step: int

    def load(self) -> dict[str, Any]:
        """The state that `write` was given, on the CPU."""
        state: dict[str, Any] = torch.load(self.folder / "state.pt", map_location="cpu", weights_only=True)
        return state


def newest(folder: Path, settings: str) -> Checkpoint | None:
    """The newest checkpoint below `folder` made under the same `settings` (a digest), or None.

    Raises StoreFormatError for one written by a newer format.
    """
    for candidate in sorted(folder.glob("step-*"), reverse=True):
        meta = _meta(candidate)
        if meta["format"] > FORMAT:
            raise StoreFormatError(
                f"{candidate} has checkpoint format {meta['format']}, this version reads up to {FORMAT}",
                hint="use a newer hornbook, or delete that folder to train from the start",
            )
        if meta["format"] == FORMAT and meta["settings"] == settings:
            return Checkpoint(candidate, meta["step"])
    return None


def _meta(folder: Path) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    return {"best": None, **meta}


def write_best(folder: Path, step: int, weights: Mapping[str, torch.Tensor]) -> None:
    """Put the weights after `step`, the best so far, aside; whole or not at all. Raises DiskFull."""
    with room(f"the weights of step {step}, the best so far,", folder):
        write_atomically(
            folder / _best_name(step), lambda file: torch.save(dict(weights), file), scratch=folder / ".best.pt"
        )


def read_best(folder: Path, step: int) -> dict[str, torch.Tensor]:
    """What `write_best` wrote for `step`."""
    weights: dict[str, torch.Tensor] = torch.load(folder / _best_name(step), map_location="cpu", weights_only=True)
    return weights


def drop_older(folder: Path) -> int:
    """Remove all checkpoints below `folder` but the newest; how many there were."""
    older = sorted(folder.glob("step-*"), reverse=True)[1:]
    for one in older:
        shutil.rmtree(one, ignore_errors=True)
    return len(older)


def _best_name(step: int) -> str:
    return f"best-{step:08d}.pt"


def room(what: str, folder: Path) -> AbstractContextManager[None]:
    hint = "free some space and run the same command again: it goes on from the checkpoint before"
    return full_disk(f"no space left for {what} in {folder}", hint)


def write(folder: Path, step: int, state: dict[str, Any], settings: str, best: int | None = None) -> Checkpoint:
    """Write the checkpoint of `step` and remove all but the `KEEP` newest. Raises DiskFull where there is no room.

    best: the step whose weights are the best so far.
    """
    place = folder / f"step-{step:08d}"
    meta = {"format": FORMAT, "step": step, "settings": settings, "best": best}
    with room(f"the checkpoint of step {step}", folder), whole_folder(place, scratch=folder / ".partial") as scratch:
        torch.save(state, scratch / "state.pt")
        (scratch / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    for old in sorted(folder.glob("step-*"), reverse=True)[KEEP:]:
        shutil.rmtree(old, ignore_errors=True)
    kept = {_meta(left)["best"] for left in folder.glob("step-*")}
    for weights in folder.glob("best-*.pt"):
        if weights.name not in {_best_name(number) for number in kept if number is not None}:
            weights.unlink()
    return Checkpoint(place, step)
