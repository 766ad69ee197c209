"""Artifacts that no run needs any more: what there is, and its removal.

A run needs the artifacts that its run.json names, and those that they were made from. What an unfinished stage of a run
has in progress is needed too. All else can be removed, but for answers that an endpoint was paid for (they serve every
later run that asks the same): those stay unless the caller says otherwise. What a process holds the lock of is in use.
Of a remote store only the runs of this data folder are known, so what another machine is writing there is left alone.
"""

import contextlib
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec

from pipeline import walks
from pipeline.core.contents import size_text
from pipeline.core.errors import HornbookError
from pipeline.core.plan import KEY_LENGTH
from pipeline.run import record as run_record
from pipeline.store.disk import disk_errors
from pipeline.store.locks import held, locked
from pipeline.store.places import Places

_KEY = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}")

LOCK = "store.lock"

LEFT_ALONE_SECONDS = 86_400.0
"""Age from which an unfinished artifact of a remote store is taken to be nobody's: there are no locks there."""


@dataclass(frozen=True, slots=True)
class Found:
    """One artifact, or work in progress on one, that no run needs.

    kind: "artifact", "unfinished" (an artifact without a manifest) or "partial" (work in progress). answers, usd: those
    of an endpoint in its journal, and what they cost. fate: "remove", "paid" or "in use".
    """

    stage: str
    key: str
    kind: str
    bytes: int
    answers: int
    usd: float
    fate: str
    path: str

    def to_json(self) -> dict[str, Any]:
        """One entry of what `hornbook store gc --json` prints."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def starting(places: Places) -> contextlib.AbstractContextManager[Any]:
    """Inside, a run writes down which artifacts it needs, and nobody takes them away; waits for a removal to end."""
    return locked(places.data / LOCK, shared=True, needed=False)


def collect(places: Places, *, paid: bool = False, remove: bool = False) -> list[Found]:
    """What no run needs, largest first; with `remove`, what of it may be removed is.

    paid: whether answers that an endpoint was paid for go too.
    """
    if not places.data.is_dir():
        return []
    with locked(places.data / LOCK, needed=False) if remove else contextlib.nullcontext():
        found = list(_found(places, _needed(places), paid))
        for one in found:
            if remove and one.fate == "remove":
                _remove(places, one)
    return sorted(found, key=lambda one: (-one.bytes, one.path))


def _needed(places: Places) -> set[tuple[str, str]]:
    """Stage and key of all that the runs name, in their recipes too (a replay's journal), and of what that was made
    from."""
    needed: set[tuple[str, str]] = set()
    folders = [folder for folder in places.runs.iterdir() if folder.is_dir()] if places.runs.is_dir() else []
    for folder in folders:
        if (folder / run_record.FILE).is_file() and not run_record.read(folder):
            raise HornbookError(
                f"{folder / run_record.FILE} cannot be read, so what that run needs is not known",
                hint=f"run its recipe again, or remove it with `hornbook runs rm {folder.name}`",
            )
        said = run_record.read(folder)
        entries = (*run_record.entries(said), *run_record.rounds(said))
        needed |= {(str(entry["name"]), str(entry["key"])) for entry in entries}
        with contextlib.suppress(OSError):
            recipe = (folder / "recipe.toml").read_text(encoding="utf-8", errors="replace")
            needed |= {(stage, key) for key in _KEY.findall(recipe) for stage in walks.names()}
    waiting = list(needed)
    while waiting:
        stage, key = waiting.pop()
        manifest = places.store.manifest(stage, key)
        for source in (manifest.inputs if manifest else {}).items():
            if source not in needed:
                needed.add(source)
                waiting.append(source)
    return needed


def _found(places: Places, needed: set[tuple[str, str]], paid: bool) -> Iterator[Found]:
    fs = places.store.filesystem
    for stage in walks.names():
        for path in _children(fs, f"{places.store.base}/{stage}"):
            key, _, suffix = path.rpartition("/")[2].partition(".")
            if (stage, key) in needed or not _KEY.fullmatch(key) or suffix not in ("", "partial") or not fs.isdir(path):
                continue
            whole = fs.exists(f"{path}/manifest.json")
            kind = "partial" if suffix else "artifact" if whole else "unfinished"
            yield _one(places, fs, stage, key, kind, path, paid)
        if places.store.is_local:
            continue
        # Copies of a remote store's artifacts, and work in progress on them, are here.
        for folder in sorted((places.models / stage).glob("*")):
            key, _, suffix = folder.name.partition(".")
            if (stage, key) not in needed and _KEY.fullmatch(key) and suffix in ("", "partial", "incoming"):
                kind = "partial" if suffix == "partial" else "copy"
                yield _one(places, fsspec.filesystem("file"), stage, key, kind, str(folder), paid)


def _children(fs: Any, path: str) -> list[str]:
    try:
        return sorted(str(name).rstrip("/") for name in fs.ls(path, detail=False))
    except FileNotFoundError:
        return []


def _one(places: Places, fs: Any, stage: str, key: str, kind: str, path: str, paid: bool) -> Found:
    answers, usd = _paid(fs, path) if kind != "copy" else (0, 0.0)
    fate = "in use" if _in_use(places, fs, stage, key, kind, path) else "paid" if answers and not paid else "remove"
    return Found(stage, key, kind, int(fs.du(path)), answers, round(usd, 8), fate, path)


def _paid(fs: Any, path: str) -> tuple[int, float]:
    """Answers of an endpoint in the journals of a folder, and dollars; those of a model in this process cost none."""
    from pipeline.teacher.lines import head_of

    answers, usd = 0, 0.0
    for name in fs.glob(f"{path}/journal*.jsonl"):
        with fs.open(name, "rb") as lines:
            for line in lines:
                head = head_of(line)
                if head is not None and (head.usd or b'"endpoint": "http' in line[:2000]):
                    answers += 1
                    usd += head.usd
    return answers, usd


def _in_use(places: Places, fs: Any, stage: str, key: str, kind: str, path: str) -> bool:
    """Whether a process is at work on it; an unfinished artifact elsewhere is, until it is old."""
    if places.store.is_local:
        locks = (Path(f"{places.store.folder(stage, key)}.lock"), Path(path) / "journal.lock")
        return any(held(lock) for lock in locks)
    if kind == "unfinished":
        return time.time() - max(map(_changed, fs.find(path, detail=True).values()), default=0) < LEFT_ALONE_SECONDS
    return kind == "partial" and held(Path(path) / "journal.lock")


def _changed(info: dict[str, Any]) -> float:
    """When a file was last written, Unix seconds; now where its store does not say."""
    when = next((info[name] for name in ("mtime", "LastModified", "updated", "created") if info.get(name)), None)
    return (
        when.timestamp()
        if isinstance(when, datetime)
        else float(when)
        if isinstance(when, int | float)
        else time.time()
    )


def _remove(places: Places, one: Found) -> None:
    """Take an artifact away, its manifest first: what a kill leaves is unfinished work, not half of an artifact."""
    if one.kind == "copy" or one.kind == "partial" or places.store.is_local:
        with disk_errors(one.path):
            (Path(one.path) / "manifest.json").unlink(missing_ok=True)
            shutil.rmtree(one.path, ignore_errors=False)
            Path(f"{places.store.folder(one.stage, one.key)}.lock").unlink(missing_ok=True)
        return
    fs = places.store.filesystem
    if fs.exists(f"{one.path}/manifest.json"):
        fs.rm_file(f"{one.path}/manifest.json")
    if fs.exists(one.path):
        fs.rm(one.path, recursive=True)


def text(found: Iterable[Found], *, removed: bool, runs: Path, remote: bool) -> str:
    """What was found, for a person."""
    found = list(found)
    lines = [
        f"  {one.stage:<15} {one.key[:12]}  {one.kind:<10} {size_text(one.bytes):>10}  {_fate(one, removed)}"
        for one in found
    ]
    gone = [one for one in found if one.fate == "remove"]
    total = size_text(sum(one.bytes for one in gone))
    if removed:
        lines.append(f"{len(gone):,} removed, {total} freed")
    elif gone:
        lines.append(f"{len(gone):,} that no run in {runs} needs, {total}; `hornbook store gc --yes` removes them")
    else:
        lines.append(f"nothing to remove: the runs in {runs} need all the rest")
    kept = [one for one in found if one.fate == "paid"]
    if kept:
        answers, usd = sum(one.answers for one in kept), sum(one.usd for one in kept)
        lines.append(f"kept: {answers:,} answers that cost ${usd:,.4f}; with --paid they go too")
    if remote and gone and not removed:
        lines.append("only the runs of this machine's data folder are known: others may need what lies in this store")
    return "\n".join(lines)


def _fate(one: Found, removed: bool) -> str:
    answers = f"{one.answers:,} answers that cost ${one.usd:,.4f}" if one.answers else ""
    said = {"remove": "removed" if removed else "", "paid": "kept", "in use": "in use"}[one.fate]
    return ", ".join(part for part in (said, answers) if part)
