"""The training curve: loss and learning rate by step, as lines of a file and as points of a chart."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.store import jsonl

FILE = "curve.jsonl"
"""Name of the file of a curve, in the folder of the training."""

POINTS = 400
"""Most points of a curve that is kept; a longer one is thinned evenly, first and last kept."""


class CurvePoint(NamedTuple):
    """Training at one step: loss in nats per token that carries loss, and the learning rate, None where not known."""

    step: int
    loss: float
    lr: float | None


def curve(entries: Iterable[Mapping[str, Any]]) -> tuple[CurvePoint, ...]:
    """The points of `entries` with a step and a loss, in the order of steps, thinned to `POINTS`.

    Of several entries of a step the last one counts: a resumed run repeats some, with the weights that it goes on with.
    """
    by_step = {int(entry["step"]): entry for entry in entries if entry.get("step") is not None}
    points = [
        CurvePoint(step, float(entry["loss"]), None if entry.get("lr") is None else float(entry["lr"]))
        for step, entry in sorted(by_step.items())
        if entry.get("loss") is not None
    ]
    if len(points) <= POINTS:
        return tuple(points)
    stride = (len(points) - 1) / (POINTS - 1)
    return tuple(points[round(place * stride)] for place in range(POINTS))


def add(path: Path, entry: Mapping[str, Any]) -> None:
    """Append a step to the file of a curve."""
    jsonl.append(path, {name: entry.get(name) for name in CurvePoint._fields})


def read(path: Path) -> tuple[CurvePoint, ...]:
    """The curve of a file, empty where there is none; a line that a kill has cut short is left out."""
    return curve(jsonl.rows(path))
