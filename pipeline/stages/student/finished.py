"""A finished training on disk: the model, and in its folder what was trained on what, and what that came to.

Both are written at once, so that one is never there without the other. Whoever is to train the same finds it done.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.core.identity import canonical_json
from pipeline.recipe import StudentTable, TokensTable
from pipeline.stages.student.objective import NamedLoss
from pipeline.stages.student.passes import HeldOut
from pipeline.stages.student.summary import TrainingSummary
from pipeline.stages.tokens.shards import TokenStore

FILE = "training.json"
FORMAT = 1

Settings = dict[str, Any]
"""What decides a training's result, but for the arithmetic, as JSON: tables of settings, and what was read."""


def settings_of(
    version: int, store: TokenStore, student: StudentTable, limits: TokensTable, seed: int, loss: NamedLoss | None
) -> Settings:
    """The settings of a training. version: of the training loop. The documents are known by their ids, which are hashes
    of their content."""
    documents = hashlib.sha256()
    for number in store.spans.document_id:
        documents.update(number.encode() + b"\n")
    settings: Settings = json.loads(
        canonical_json(
            {
                "version": version,
                "student": student.keyed("base_share"),
                "tokens": limits.model_dump(mode="json"),
                "seed": seed,
                "loss": loss.settings if loss else None,
                "packed": {key: value for key, value in store.manifest.items() if key != "format"},
                "documents": documents.hexdigest(),
            }
        )
    )
    return settings


def write(folder: Path, settings: Settings, summary: TrainingSummary) -> None:
    """Say in the model's folder what its training was."""
    said = {name: value for name, value in asdict(summary).items() if name != "model"}
    said["held_out_by_kind"] = {kind: of._asdict() for kind, of in summary.held_out_by_kind.items()}
    text = json.dumps({"format": FORMAT, "settings": settings, "summary": said}, indent=1)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def read(out: Path, settings: Callable[[], Settings]) -> TrainingSummary | None:
    """The training that is finished in `out`; None where there is none, or one of other settings."""
    said = _said(out)
    return _summary(out, said) if said and said["settings"] == settings() else None


def latest(out: Path) -> TrainingSummary | None:
    """The training that is finished in `out`, whichever it is."""
    said = _said(out)
    return _summary(out, said) if said else None


def adopted(out: Path, settings: Settings) -> TrainingSummary:
    """The training that is finished in `out`. Raises InputError where there is none, and where it is another one: with
    the first setting that differs, and both values."""
    said = _said(out)
    if said is None:
        started = " (only checkpoints: it is not at its end)" if (out / "checkpoints").is_dir() else ""
        raise InputError(
            f"{out} holds no finished training{started}: there is no {Path('model', FILE)}",
            hint="name the OUT of `python -m pipeline.cli.train TOKENS RECIPE OUT` once that has ended",
        )
    different = difference(said["settings"], settings)
    if different:
        raise InputError(
            f"{out} is another training than this run's: {different}",
            hint="train with the run's recipe.toml and the run's tokens, or make a run of that recipe",
        )
    return _summary(out, said)


def difference(theirs: Any, ours: Any, place: str = "") -> str:
    """Where two settings first differ, "student.phases.0.lr = 0.1 there, 0.2 in the run"; "" for nowhere."""
    if isinstance(theirs, Mapping) and isinstance(ours, Mapping):
        names = [*ours, *(name for name in theirs if name not in ours)]
        parts = [(name, theirs.get(name), ours.get(name)) for name in names]
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        parts = [(str(number), *pair) for number, pair in enumerate(zip(theirs, ours, strict=True))]
    else:
        return "" if theirs == ours else f"{place} = {json.dumps(theirs):.80} there, {json.dumps(ours):.80} in the run"
    found = (difference(one, other, f"{place}.{name}" if place else name) for name, one, other in parts)
    return next((text for text in found if text), "")


def _said(out: Path) -> dict[str, Any] | None:
    try:
        said = json.loads((out / "model" / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) and said.get("format") == FORMAT else None


def _summary(out: Path, said: Mapping[str, Any]) -> TrainingSummary:
    values = dict(said["summary"])
    values["held_out_by_kind"] = {kind: HeldOut(**of) for kind, of in values["held_out_by_kind"].items()}
    return TrainingSummary(**values, model=out / "model")
