"""Runs a plan: the only place where stages meet files.

For each stage in order: if its artifact is in the store, it is reused; else it is made under a lock, so that two runs
at once share the work instead of doing it twice. A crash at any moment leaves finished artifacts and the work in
progress of the stages that can go on (completions, student, samples); the next call starts there.
"""

import contextlib
import json
import os
import platform
import subprocess
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.artifacts import Making
from pipeline.digests import digests
from pipeline.errors import BudgetReached, EmptyCorpus, HornbookError, Interrupted, happening_in
from pipeline.executors import executor
from pipeline.interrupts import terminable
from pipeline.loading import Loaded, dump
from pipeline.making import make
from pipeline.names import LONGEST, checked
from pipeline.places import Places
from pipeline.plan import Plan, PlannedStage, plan
from pipeline.progress import Event, EventLog
from pipeline.store import Manifest, disk_errors, write_atomically
from pipeline.teacher.money import Ledger
from pipeline.teacher.redaction import redact
from pipeline.training.trackers import Trackers

CORPUS_STAGES = ("completions", "raw-code", "documents", "validated", "distinct", "quality", "decontaminated")
"""Stages after which an empty result ends the run: there is nothing for the next one to work on."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did. made and reused: names of stages, in order."""

    name: str
    folder: Path
    made: tuple[str, ...]
    reused: tuple[str, ...]


def planned(loaded: Loaded, places: Places) -> Plan:
    """The plan of a recipe with the digests of everything it reads; makes nothing."""
    return plan(loaded.recipe, digests(loaded.recipe, places))


def run(
    loaded: Loaded,
    places: Places,
    *,
    name: str = "",
    until: str = "",
    watch: Callable[[Event], None] = lambda _: None,
    stopped: Callable[[Path], None] = lambda _: None,
) -> Outcome:
    """Make what is missing of a recipe.

    name: the run's folder below `places.runs`; by default the recipe's name and the start of its plan's key, so that
    the same recipe is the same run. until: last stage to make. stopped: called with the run's folder where the run
    ends before its last stage, once run.json says where and why; what goes wrong in it never hides the run's own
    error. Raises HornbookError, always after run.json says how the run ended; KeyboardInterrupt and SIGTERM become
    Interrupted.
    """
    if name:
        checked(name, "--name")
    whole = planned(loaded, places)
    todo = whole.until(until) if until else whole
    name = name or f"{loaded.recipe.name[: LONGEST - 9]}-{whole.key[:8]}"
    folder = places.prepared().run(name)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        recipe = dump(loaded.recipe, loaded.execution).encode()
        write_atomically(folder / "recipe.toml", lambda file: file.write(recipe))
    trackers = Trackers(loaded.execution.trackers, folder, loaded.recipe.student.model_dump(mode="json"))

    def seen(event: Event) -> None:
        watch(event)
        trackers(event)

    log = EventLog(folder / "events.jsonl", seen)
    paid = _paid(folder)
    record = _RunRecord(folder, name, loaded.recipe.name, whole, paid)
    ledger = Ledger(loaded.execution.budget_usd, loaded.execution.budget_tokens)
    try:
        with terminable(), executor(loaded.execution) as where:
            making = Making(loaded.recipe, loaded.execution, places, whole, log, ledger=ledger, executor=where)
            for stage in todo.stages:
                record.at(stage.name, "making")
                started = time.monotonic()
                before = (ledger.prompt_tokens, ledger.completion_tokens, ledger.usd)
                manifest, state = _one(stage, making, log)
                if state == "reused" and stage.key in paid:
                    # This run made it in an earlier call: what it cost counts against this run's budget.
                    ledger.charge(*paid[stage.key])
                now = (ledger.prompt_tokens, ledger.completion_tokens, ledger.usd)
                spent = tuple(after - was for after, was in zip(now, before, strict=True))
                record.at(stage.name, state, time.monotonic() - started, spent)
                _not_empty(stage, manifest)
    except KeyboardInterrupt:
        error = Interrupted("interrupted", hint="run the same command again to go on from here")
        _stopped(record, log, stopped, folder, "interrupted", error)
        raise error from None
    except OSError as error:
        _stopped(record, log, stopped, folder, "failed", error)
        with disk_errors(error.filename or places.data):
            raise
        raise
    except BaseException as error:
        state = (
            "budget"
            if isinstance(error, BudgetReached)
            else "interrupted"
            if isinstance(error, Interrupted)
            else "failed"
        )
        _stopped(record, log, stopped, folder, state, error)
        raise
    finally:
        trackers.close()
    record.end("done")
    return Outcome(name, folder, record.names("made"), record.names("reused"))


def _stopped(
    record: "_RunRecord",
    log: Callable[[Event], None],
    tell: Callable[[Path], None],
    folder: Path,
    state: str,
    error: BaseException,
) -> None:
    happening_in(error, folder.name, record.stage)
    record.end(state, error)
    if not isinstance(error, HornbookError):
        text = redact("".join(traceback.format_exception(error)))
        with contextlib.suppress(OSError):
            (folder / "traceback.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    try:
        tell(folder)
    except Exception as second:
        with contextlib.suppress(OSError, HornbookError):
            log({"event": "warning", "text": f"the report could not be written: {second}"})


def _one(stage: PlannedStage, making: Making, log: Callable[[Event], None]) -> tuple[Manifest, str]:
    store = making.places.store
    manifest = store.manifest(stage.name, stage.key)
    if manifest is None:
        with store.lock(stage.name, stage.key, lambda text: log({"event": "note", "stage": stage.name, "text": text})):
            manifest = store.manifest(stage.name, stage.key)
            if manifest is None:
                log({"event": "stage-started", "stage": stage.name})
                manifest = make(stage, making)
                log({"event": "stage-finished", "stage": stage.name, "key": stage.key, **_numbers(manifest)})
                return manifest, "made"
    log({"event": "stage-reused", "stage": stage.name, "key": stage.key, **_numbers(manifest)})
    return manifest, "reused"


def _numbers(manifest: Manifest) -> dict[str, Any]:
    return {
        "in": manifest.entered,
        "kept": manifest.kept,
        "dropped": dict(manifest.dropped),
        "seconds": manifest.seconds,
    }


def _not_empty(stage: PlannedStage, manifest: Manifest) -> None:
    if stage.name not in CORPUS_STAGES or manifest.kept:
        return
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in manifest.dropped.items()) or "nothing came in"
    raise EmptyCorpus(
        f"stage {stage.name} kept 0 of {manifest.entered:,} records ({reasons})",
        hint=f"look at them with `hornbook show LATEST {stage.name} --dropped REASON`, then change the recipe",
    )


class _RunRecord:
    """run.json, rewritten whole at every change."""

    def __init__(self, folder: Path, name: str, recipe: str, whole: Plan, paid: Mapping[str, "_Spent"]) -> None:
        self._path = folder / "run.json"
        self._at = ""
        self._started = time.monotonic()
        self._data: dict[str, Any] = {
            "run": name,
            "recipe": recipe,
            "state": "running",
            "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "finished": None,
            "seconds": 0.0,
            "hornbook": __version__,
            "commit": _commit(),
            "python": platform.python_version(),
            "machine": {"system": platform.platform(), "cores": os.cpu_count()},
            "stages": [
                {"name": s.name, "key": s.key, "state": "to-make", "seconds": 0.0, **_spent(s.key, paid)}
                for s in whole.stages
            ],
        }
        self._write()

    def at(self, name: str, state: str, seconds: float = 0.0, spent: Sequence[float] = ()) -> None:
        """spent: prompt tokens, completion tokens and dollars that the stage cost this run."""
        self._at = name
        for stage in self._data["stages"]:
            if stage["name"] == name:
                stage |= {"state": state, "seconds": round(seconds, 3)}
                if any(spent):
                    stage["spent"] = list(spent)
        self._write()

    def end(self, state: str, error: BaseException | None = None) -> None:
        """How the run ended. With an error: in which stage, and what it says (a bug's message has its type)."""
        if error is not None:
            message, hint = f"{type(error).__name__}: {error}", ""
            if isinstance(error, HornbookError):
                message, hint = error.message, error.hint
            self._data["stopped"] = {"stage": self._at, "message": message, "hint": hint}
        self._data |= {"state": state, "finished": datetime.now(UTC).isoformat(timespec="milliseconds")}
        try:
            self._write()
        except HornbookError:  # a full disk must not hide the error that the caller is about to see
            return

    @property
    def stage(self) -> str:
        """The stage that is being made, or was last; "" before the first."""
        return self._at

    def names(self, state: str) -> tuple[str, ...]:
        return tuple(stage["name"] for stage in self._data["stages"] if stage["state"] == state)

    def _write(self) -> None:
        self._data["seconds"] = round(time.monotonic() - self._started, 3)
        text = json.dumps(self._data, indent=1)
        with disk_errors(self._path):
            write_atomically(self._path, lambda file: file.write(text.encode()))


_Spent = tuple[int, int, float]
"""Prompt tokens, completion tokens and dollars."""


def _paid(folder: Path) -> dict[str, _Spent]:
    """What each stage that earlier calls of this run finished has cost it, by the stage's key."""
    try:
        stages = json.loads((folder / "run.json").read_text(encoding="utf-8"))["stages"]
        return {
            s["key"]: (int(s["spent"][0]), int(s["spent"][1]), float(s["spent"][2])) for s in stages if "spent" in s
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return {}


def _spent(key: str, paid: Mapping[str, _Spent]) -> dict[str, Any]:
    return {"spent": list(paid[key])} if key in paid else {}


def _commit() -> str:
    """Commit of the checkout that runs, "" for an installed wheel."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    try:
        command = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def stored(whole: Plan, places: Places) -> Mapping[str, bool]:
    """For each stage, whether its artifact is in the store."""
    return {stage.name: places.store.manifest(stage.name, stage.key) is not None for stage in whole.stages}
