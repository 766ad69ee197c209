"""Checkpoints of a training run: whole or absent, newest first, old ones removed.

A checkpoint is a folder `step-000123` with `state.pt` and `meta.json`. It is written under another name and renamed,
so a kill at any moment leaves either the old newest one or the new one.
"""

import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import DiskFull, StoreFormatError

FORMAT = 2
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
        meta = json.loads((candidate / "meta.json").read_text(encoding="utf-8"))
        if meta["format"] > FORMAT:
            raise StoreFormatError(
                f"{candidate} has checkpoint format {meta['format']}, this version reads up to {FORMAT}",
                hint="use a newer hornbook, or delete that folder to train from the start",
            )
        if meta["settings"] == settings:
            return Checkpoint(candidate, meta["step"])
    return None


def write_best(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    """Put the best weights so far aside, in the place of those before; whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".best.pt"
    with partial.open("wb") as file:
        torch.save(weights, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / "best.pt")


def read_best(folder: Path) -> dict[str, torch.Tensor]:
    """What `write_best` wrote last."""
    weights: dict[str, torch.Tensor] = torch.load(folder / "best.pt", map_location="cpu", weights_only=True)
    return weights


def write(folder: Path, step: int, state: dict[str, Any], settings: str) -> Checkpoint:
    """Write the checkpoint of `step` and remove all but the `KEEP` newest. Raises DiskFull where there is no room."""
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".partial-*"):
        shutil.rmtree(left, ignore_errors=True)
    name = f"step-{step:08d}"
    partial = folder / f".partial-{name}"
    partial.mkdir()
    try:
        with (partial / "state.pt").open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        (partial / "meta.json").write_text(
            json.dumps({"format": FORMAT, "step": step, "settings": settings}), encoding="utf-8"
        )
    except (OSError, RuntimeError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        if getattr(error, "errno", None) == errno.ENOSPC or "file write failed" in str(error):
            raise DiskFull(
                f"no space left for the checkpoint of step {step} in {folder}",
                hint="free some space and run the same command again: it goes on from the checkpoint before",
            ) from error
        raise
    shutil.rmtree(folder / name, ignore_errors=True)
    partial.rename(folder / name)
    for old in sorted(folder.glob("step-*"), reverse=True)[KEEP:]:
        shutil.rmtree(old, ignore_errors=True)
    return Checkpoint(folder / name, step)
