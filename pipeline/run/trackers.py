"""The training curve in other tools: TensorBoard, Weights & Biases, trackio, each only where it is asked for.

`execution.trackers` names them. events.jsonl has everything in any case; a tracker is a view of it. Nothing is sent
anywhere: Weights & Biases is started offline (`wandb sync` uploads a folder later).
"""

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from pipeline.core.errors import MissingExtra

Tracker = Literal["tensorboard", "wandb", "trackio"]

MEASURED = ("loss", "lr", "grad_norm", "tokens_per_second", "mfu", "held_out_loss", "held_out_pass_rate",
            "images_per_second", "spread", "rank", "knn")  # fmt: skip
"""Fields of training events that are passed on."""


class Track(Protocol):
    """Takes the numbers of a step; `close` after the last."""

    def __call__(self, numbers: Mapping[str, float], step: int) -> None: ...

    def close(self) -> None: ...


class Trackers:
    """All that were asked for; called with every event of a run, of which they take the numbers of training.

    They are started by the first of these. Raises MissingExtra at once for one that is not installed.
    """

    def __init__(self, names: Sequence[Tracker], folder: Path, settings: Mapping[str, Any]) -> None:
        for name in names:
            if importlib.util.find_spec(name) is None:
                raise MissingExtra(
                    f"execution.trackers names {name!r}, which is not installed",
                    hint=f"pip install {name}, or take it out of execution.trackers",
                )
        self._names, self._folder, self._settings = names, folder, settings
        self._tracks: list[Track] | None = None

    def __call__(self, event: Mapping[str, Any]) -> None:
        if event["event"] not in ("train", "held-out"):
            return
        if self._tracks is None:
            self._tracks = [MAKERS[name](self._folder, self._settings) for name in self._names]
        numbers = {name: float(event[name]) for name in MEASURED if event.get(name) is not None}
        for track in self._tracks:
            track(numbers, event["step"])

    def close(self) -> None:
        """Write what is buffered."""
        for track in self._tracks or ():
            track.close()


class _TensorBoard:
    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        writer = importlib.import_module("torch.utils.tensorboard").SummaryWriter
        self.writer = writer(log_dir=str(folder / "tensorboard"))

    def __call__(self, numbers: Mapping[str, float], step: int) -> None:
        for name, value in numbers.items():
            self.writer.add_scalar(f"training/{name}", value, step)

    def close(self) -> None:
        self.writer.close()


class _Wandb:
    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        wandb: Any = importlib.import_module("wandb")
        folder.mkdir(parents=True, exist_ok=True)
        mode = os.environ.get("WANDB_MODE", "offline")
        self.run = wandb.init(project="hornbook", dir=str(folder), mode=mode, config=dict(settings))

    def __call__(self, numbers: Mapping[str, float], step: int) -> None:
        self.run.log(dict(numbers), step=step)

    def close(self) -> None:
        self.run.finish()


class _Trackio:
    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.trackio: Any = importlib.import_module("trackio")
        self.trackio.init(project="hornbook", config=dict(settings))

    def __call__(self, numbers: Mapping[str, float], step: int) -> None:
        self.trackio.log(dict(numbers), step=step)

    def close(self) -> None:
        self.trackio.finish()


MAKERS: dict[Tracker, Callable[[Path, Mapping[str, Any]], Track]] = {
    "tensorboard": _TensorBoard,
    "wandb": _Wandb,
    "trackio": _Trackio,
}
