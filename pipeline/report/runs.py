"""The list of runs, and the removal of one."""

import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.contents import size_text
from pipeline.core.errors import HornbookError, StoreBusy
from pipeline.report.score_rows import NETWORKS
from pipeline.run import record as run_record
from pipeline.run.reading import RunView, existing_runs, open_run
from pipeline.store.disk import disk_errors
from pipeline.store.locks import locked
from pipeline.store.places import Places
from pipeline.store.store import Store


@dataclass(frozen=True, slots=True)
class Listed:
    """One run. state: as `run_record.state` says, or "unreadable" where run.json or a manifest is broken. finished:
    stages whose artifact is there, of all. score: the entry of report.json's `scores` for the trained student, None
    where there is none yet. called: when `hornbook run` last was. bytes: of the run's folder and of the artifacts that
    it uses, also of those that other runs use."""

    name: str
    recipe: str
    state: str
    finished: int
    stages: int
    score: Mapping[str, Any] | None
    started: str
    called: str
    seconds: float
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """One entry of what `hornbook runs --json` prints."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def listed(places: Places) -> list[Listed]:
    """All runs, the one called last first; those that failed before their first stage come last."""
    return [_tried(folder, places.store) for folder in reversed(existing_runs(places.runs))]


def _tried(folder: Path, store: Store) -> Listed:
    """A run that is broken must not hide the others."""
    try:
        return _listed(open_run(folder, store))
    except HornbookError:
        return _listed(RunView(folder, store, run_record.read(folder) | {"state": "unreadable"}, ()))


def _listed(run: RunView) -> Listed:
    info = run.info
    manifests = [stage.manifest for stage in run.stages if stage.manifest is not None]
    partial = [run.store.partial_folder(stage.name, stage.key) for stage in run.stages if stage.manifest is None]
    stored = sum(sum(manifest.files.values()) for manifest in manifests)
    return Listed(
        name=run.folder.name,
        recipe=str(info.get("recipe") or ""),
        state=str(info.get("state") or "unknown"),
        finished=len(manifests),
        stages=len(run.stages),
        score=_score(run.folder),
        started=str(info.get("started") or ""),
        called=str(info.get("called") or info.get("started") or ""),
        seconds=float(info.get("seconds") or 0.0),
        bytes=stored + sum(map(_bytes_below, [run.folder, *partial])),
    )


def _score(folder: Path) -> dict[str, Any] | None:
    try:
        scores = json.loads((folder / "report.json").read_text(encoding="utf-8"))["scores"]
        about = {"after", *NETWORKS}
        after = next(score for score in scores if score["model"] in about)
        return {name: after[name] for name in ("benchmark", "model", "problems", "pass@1", "interval")}
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return None


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # another process may take it away meanwhile
            total += path.lstat().st_size if path.is_file() else 0
    return total


def text(runs: Sequence[Listed], place: Path) -> str:
    """The list for a person, one line a run."""
    if not runs:
        return f"there is no run in {place}; `hornbook run first-run` makes one"
    width = max(len(run.name) for run in runs)
    rows = [
        f"{'run':<{width}}  {'recipe':<12} {'state':<12} {'stages':>7}  {'score':<26} {'called (UTC)':<16} {'size':>10}"
    ]
    for run in runs:
        score = ""
        if run.score and run.score["pass@1"] is not None:
            score = f"{run.score['pass@1']:.1%} {Path(str(run.score['benchmark'])).stem}"
        rows.append(
            f"{run.name:<{width}}  {run.recipe:<12} {run.state:<12} {f'{run.finished}/{run.stages}':>7}  {score:<26} "
            f"{run.called[:16].replace('T', ' '):<16} {size_text(run.bytes):>10}"
        )
    return "\n".join(rows)


def remove(places: Places, name: str) -> None:
    """Delete a run's folder, and nothing of the store. Raises StoreBusy where a process is at work on it."""
    folder = places.run(name)
    busy = StoreBusy(f"the run {name} is under way", hint="stop it, or wait until it is done")
    with disk_errors(folder), locked(folder / run_record.LOCK, busy=busy, needed=False):
        # Without run.json it is no run any more, should the removal be cut short.
        (folder / run_record.FILE).unlink(missing_ok=True)
        shutil.rmtree(folder)
