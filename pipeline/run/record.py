"""run.json: what a run says of itself, over all calls of `hornbook run` that it was made in.

A stage's entry says who made its artifact, when, and how long that took; a later call that finds it in the store leaves
the entry as it is. `seconds` is the time of all calls that made something, `started` when the first of them began,
`called` when the newest call did. What was asked for again (`--fresh`) has a generation, the time of that wish, which
is part of the stage's key: so the next call of the run goes on with the new answers, and the old ones keep their key.
Where a recipe wants a number of documents, `rounds` has the stages of each round before the last, and `want` says what
was found after each (`pipeline.run.wanting`).
"""

import contextlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.core.errors import EmptyCorpus, HornbookError, StoreBusy, UsageError
from pipeline.core.plan import Plan
from pipeline.recipe_kinds import LoadedOf
from pipeline.recipe_text import dump
from pipeline.run.wanting import Count
from pipeline.store import locks
from pipeline.store.disk import disk_errors, write_atomically
from pipeline.store.manifest import Manifest

FILE = "run.json"
LOCK = "run.lock"

MOST_CALLS = 100
"""Calls that run.json remembers, the newest; one that made nothing is not among them."""

MADE_WITH = ("hornbook", "commit", "python", "machine")
"""What run.json says of where the newest call that made something ran."""

FINISHED = ("made", "reused")
"""States of a stage whose artifact is there."""

Spent = tuple[int, int, float]
"""Prompt tokens, completion tokens and dollars."""


def now() -> str:
    """The time in UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def read(folder: Path) -> dict[str, Any]:
    """What run.json says; empty where there is none that can be read."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def generations(said: Mapping[str, Any]) -> dict[str, str]:
    """The generation of each stage that a run was once told to make again."""
    found = said.get("generations")
    return {str(k): v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}


def renewed(said: Mapping[str, Any], base: Plan, fresh: Sequence[str], until: str) -> dict[str, str]:
    """The generations of a call that is told to make the stages `fresh` again.

    One that was told so before and did not come to its end goes on with what it began: its answers are paid for. (Where
    nothing of them was left to go on with, that was an end.)
    Raises UsageError for a stage that the recipe has not, or that lies after `until`.
    """
    names = [stage.name for stage in base.stages]
    last = names.index(until) if until in names else len(names)
    for name in fresh:
        if name not in names:
            raise UsageError(f"--fresh {name}: no such stage in this recipe", hint=f"its stages are {', '.join(names)}")
        if names.index(name) > last:
            raise UsageError(f"--fresh {name} lies after --until {until}", hint="leave one of them out")
    found, under_way = generations(said), said.get("fresh") or ()
    moment = datetime.now(UTC).isoformat(timespec="microseconds")
    return found | {name: moment for name in fresh if not (name in under_way and name in found)}


def entries(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of run.json's stages that are whole."""
    stages = said.get("stages")
    listed = stages if isinstance(stages, list) else []
    return [entry for entry in listed if isinstance(entry, dict) and "name" in entry and "key" in entry]


def rounds(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of run.json's earlier rounds, one round after the other."""
    found = said.get("rounds")
    return [entry for part in found if isinstance(part, list) for entry in entries({"stages": part})] if found else []


def spent(said: Mapping[str, Any]) -> dict[str, Spent]:
    """What each stage that earlier calls of this run finished has cost it, by the stage's key. What a round took over
    from the one before it counts in both."""
    return _spent(entries(said))


def _spent(listed: Iterable[Mapping[str, Any]]) -> dict[str, Spent]:
    found: dict[str, Spent] = {}
    for entry in listed:
        with contextlib.suppress(KeyError, TypeError, ValueError, IndexError):
            prompt, completion, usd = entry["spent"][:3]
            found[entry["key"]] = (int(prompt), int(completion), float(usd))
    return found


def begun(said: Mapping[str, Any]) -> bool:
    """Whether a run has come as far as its first stage, or may yet."""
    ended = said.get("state") in ("failed", "interrupted", "budget")
    stages = entries(said)
    return not ended or not stages or any(entry.get("state") in FINISHED for entry in stages)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Say that a process is at work on the run; the kernel forgets it with the process, however it ends.

    Several processes may be. Raises StoreBusy while the run is being removed.
    """
    busy = StoreBusy(f"the run {folder.name} is being removed", hint="run again when that is done")
    with locks.locked(folder / LOCK, shared=True, busy=busy, needed=False):  # without locks nobody can tell it runs
        yield


def under_way(folder: Path) -> bool:
    """Whether a process is at work on the run."""
    return locks.held(folder / LOCK, shared=True)


def state(folder: Path, said: Mapping[str, Any]) -> str:
    """ "running", "done", "budget", "interrupted" or "failed"; "killed" where it says running and no process is."""
    found = str(said.get("state") or "unknown")
    killed = found == "running" and (folder / LOCK).exists() and not under_way(folder)
    return "killed" if killed else found


class RunRecord:
    """run.json, rewritten whole at every change, and recipe.toml beside it.

    folder: the run's. paid: what each stage that earlier calls finished has cost this run, by the stage's key.
    going_on: stages that this call was told to make again, as an earlier one was that did not come to its end.
    """

    def __init__(
        self,
        folder: Path,
        loaded: LoadedOf[Any],
        whole: Plan,
        until: str,
        again: Mapping[str, str],
        fresh: set[str],
        rounds_before: Sequence[Plan] = (),
        counts: Sequence[Count] = (),
    ) -> None:
        """whole: the plan of this call. again: generation by stage. fresh: stages that this call was told to make
        again. rounds_before: the plans of earlier rounds; counts: what was found after each that is finished."""
        self.folder, self._path = folder, folder / FILE
        self._before, self._until = read(folder), until
        self.paid = spent(self._before) | _spent(rounds(self._before))
        text = dump(loaded.recipe, loaded.execution)
        with disk_errors(folder):
            known_files = [path for path in (self._path, folder / "recipe.toml") if path.is_file()]
            self._files = {path: path.read_bytes() for path in known_files}
            write_atomically(folder / "recipe.toml", text)
        self._same = self._before.get("plan") in {plan.key for plan in (*rounds_before, whole)}
        self._at = ""
        self._states: dict[str, str] = {}
        self._clock = time.monotonic()
        told_of = [*rounds(self._before), *entries(self._before)]
        self._known = {entry["key"]: entry for entry in told_of if entry.get("state") in FINISHED}
        keys = {stage.key for plan in (*rounds_before, whole) for stage in plan.stages}
        replaced = [entry for key, entry in self._known.items() if key not in keys] if fresh else []
        self._called = now()
        told = set(self._before.get("fresh") or ()) | fresh
        self.going_on = sorted(one for one in fresh if generations(self._before).get(one) == again[one])
        self._data: dict[str, Any] = {
            "run": folder.name,
            "recipe": loaded.recipe.name,
            "state": "running",
            "started": (self._before.get("started") if self._same else None) or self._called,
            "called": self._called,
            "finished": None,
            "seconds": 0.0,
            **_made_with(),
            "plan": whole.key,
            "until": until or None,
            "generations": dict(again),
            "fresh": sorted(name for name in told if name in again),
            "stages": self._stages(whole),
            **self._counted(rounds_before, counts),
            "earlier": [*(self._before.get("earlier") or ()), *replaced],
            "calls": list(self._before.get("calls") or ()),
        }
        self._elapsed = self._kept_seconds()
        self._write()

    def _stages(self, plan: Plan) -> list[dict[str, Any]]:
        """The entries of a plan's stages up to the last one wanted, or the last that is there."""
        stages = [
            dict(self._known.get(s.key, {"name": s.name, "key": s.key, "state": "to-make", "seconds": 0.0}))
            for s in plan.stages
        ]
        done = [place for place, entry in enumerate(stages) if entry.get("state") in FINISHED]
        names = [stage.name for stage in plan.stages]
        return stages[: max([names.index(self._until) if self._until else len(names) - 1, *done]) + 1]

    def _counted(self, before: Sequence[Plan], counts: Sequence[Count]) -> dict[str, Any]:
        """`rounds` and `want`, where the recipe wants a number of documents."""
        if not counts:
            return {}
        finished = [[e for e in self._stages(plan) if e["state"] in FINISHED] for plan in before]
        return {"rounds": finished, "want": [count.to_json() for count in counts]}

    def counted(self, loaded: LoadedOf[Any], plan: Plan, before: Sequence[Plan], counts: Sequence[Count]) -> None:
        """What is kept was counted; plan: of the round that is asked next, or the one there was. before: of earlier
        rounds."""
        self._known |= {e["key"]: e for e in self._data["stages"] if e.get("state") in FINISHED}
        self._data |= {"plan": plan.key, "stages": self._stages(plan), **self._counted(before, counts)}
        with disk_errors(self.folder):
            write_atomically(self.folder / "recipe.toml", dump(loaded.recipe, loaded.execution))
        self._write()

    def _kept_seconds(self) -> float:
        """Seconds that earlier calls spent on what this run holds."""
        if self._same:
            return float(self._before.get("seconds") or 0.0)
        return float(sum(e.get("seconds") or 0.0 for e in self._data["stages"] if e.get("state") == "made"))

    def at(self, name: str) -> None:
        """The stage that is looked at; what is said of it by earlier calls stands until it is made anew."""
        self._at = name

    def finished(self, name: str, state: str, manifest: Manifest, seconds: float, paid: Sequence[float]) -> None:
        """state: "made" or "reused", by this call. paid: prompt tokens, completion tokens, dollars it cost this run."""
        entry = self._entry(name)
        self._states[name] = state
        if state == "made":
            entry |= {"state": "made", "seconds": round(seconds, 3), "made_by": self._data["run"], "made_at": now()}
        elif entry.get("state") not in FINISHED:
            own = bool(manifest.run) and manifest.run == self._data["run"]
            entry |= {
                "state": "made" if own else "reused",
                "seconds": manifest.seconds if own else round(seconds, 3),
                "made_by": manifest.run,
                "made_at": manifest.finished,
            }
        if any(paid):
            entry["spent"] = list(paid)
            self.paid[entry["key"]] = (int(paid[0]), int(paid[1]), float(paid[2]))
        self._write()

    @property
    def stage(self) -> str:
        """The stage that is being made, or was last; "" before the first."""
        return self._at

    def started(self, name: str) -> None:
        """The stage is not in the store and is being made."""
        self._entry(name)["state"] = "making"
        self._write()

    def end(self, state: str, error: BaseException | None = None) -> bool:
        """How the call ended; with an error: in which stage, and what it says (a bug's message has its type).

        False where the call is forgotten: it failed before its first stage was there, under the name of a run of
        another plan, which run.json goes on to describe.
        """
        if error is not None and not self._same and not self._states and entries(self._before):
            self._restore()
            return False
        if state == "done" and not self.names("made") and self._same and self._before.get("state") == "done":
            # Nothing was done, so all that is said of the run stays true.
            kept = {key: self._before[key] for key in ("finished", "seconds", *MADE_WITH) if key in self._before}
            self._data |= {"state": "done", "fresh": [], **kept}
            self._write(timed=False)
            return True
        if error is not None:
            message, hint = f"{type(error).__name__}: {error}", ""
            if isinstance(error, HornbookError):
                message, hint = error.message, error.hint
            self._data["stopped"] = {"stage": self._at, "message": message, "hint": hint}
        if state == "done" or isinstance(error, EmptyCorpus):
            # Of answers that came to nothing others are wanted, where the same is wished for again.
            self._data["fresh"] = []
        self._data |= {"state": state, "finished": now()}
        call = {"started": self._called, "finished": self._data["finished"], "state": state,
                "seconds": round(time.monotonic() - self._clock, 3), "made": list(self.names("made")),
                "hornbook": __version__}  # fmt: skip
        self._data["calls"] = [*self._data["calls"], call][-MOST_CALLS:]
        with contextlib.suppress(HornbookError):  # a full disk must not hide the error that the caller is about to see
            self._write()
        return True

    def names(self, state: str) -> tuple[str, ...]:
        """The stages that this call has made, or has found in the store."""
        return tuple(name for name, found in self._states.items() if found == state)

    def _entry(self, name: str) -> dict[str, Any]:
        return next(entry for entry in self._data["stages"] if entry["name"] == name)

    def _restore(self) -> None:
        with contextlib.suppress(OSError):
            for path, data in self._files.items():
                write_atomically(path, data)

    def _write(self, *, timed: bool = True) -> None:
        if timed:
            self._data["seconds"] = round(self._elapsed + time.monotonic() - self._clock, 3)
        text = json.dumps(self._data, indent=1)
        with disk_errors(self._path):
            write_atomically(self._path, text)


def _made_with() -> dict[str, Any]:
    return {
        "hornbook": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
    }


def _commit() -> str:
    """Commit of the checkout that runs, "" for an installed wheel."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        command = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
