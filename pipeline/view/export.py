"""`hornbook view --export`: the browser as a folder of files, for a colleague or any web server that serves files.

The page is the same. Its records lie in parts of `ROWS` rows, gzipped JSON, and an index in 256 shards says where each
id is, so that a page fetches what it shows. A search reads the parts of one list. Nothing in the folder names a path of
this machine, but what the recipe itself names.
"""

import gzip
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.core.contents import size_text
from pipeline.core.errors import HornbookError, UsageError
from pipeline.core.names import typed
from pipeline.run.reading import RunView, StageView, existing_runs
from pipeline.store.disk import disk_errors, whole_folder
from pipeline.store.places import Places
from pipeline.view import labels
from pipeline.view.pages import PREFIXES, Viewer, classed, shortened
from pipeline.view.records import Source
from pipeline.view.server import json_bytes, page_files

ROWS = 500
"""Rows of a part."""
PARENTS = ("prompt_id", "completion_id", "document_id", "sample_id")
"""Columns that name a record's parent; a prompt's is its seed."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. bytes: of all files together."""

    folder: str
    runs: tuple[str, ...]
    records: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """What `hornbook view --export DIR --json` prints."""
        return asdict(self)

    def to_text(self) -> str:
        """The same for a person."""
        return (
            f"{self.folder}: {', '.join(self.runs)}, {self.records:,} records, {size_text(self.bytes)}\n"
            f"see it with: python -m http.server --bind 127.0.0.1 --directory {typed(self.folder)}"
        )


def export(places: Places, names: Sequence[str], to: Path, say: Callable[[str], object]) -> Exported:
    """Write the runs `names`, all that can be read for none, below `to`, whole or not at all; an earlier export there
    is replaced.

    say: told which run is being written, or left out. Raises UsageError where `to` holds anything else.
    """
    to = to.expanduser().absolute()
    if to.exists() and not (to.is_dir() and (not any(to.iterdir()) or _is_export(to))):
        raise UsageError(
            f"{to} is no folder of an earlier export", hint="name a folder that is empty, or not there yet"
        )
    viewer = Viewer(places)
    chosen = list(names) or list(_read(viewer, say))
    records = 0
    with disk_errors(to), whole_folder(to) as folder:
        for name, content in page_files().items():
            if name == "index.html":
                content = content.replace(b'<html lang="en">', b'<html lang="en" data-exported>')
            (folder / name).write_bytes(content)
        listed = [one for one in viewer.runs() if one["name"] in chosen]
        _write(folder / "data/runs.json", listed)
        for name in chosen:
            say(f"writing {name}")
            records += _run(viewer, name, folder / "data" / name)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Exported(str(to), tuple(chosen), records, size)


def _read(viewer: Viewer, say: Callable[[str], object]) -> Iterator[str]:
    """All runs that can be read, the one called last first."""
    for folder in reversed(existing_runs(viewer.places.runs)):
        try:
            yield viewer.open(folder.name).folder.name
        except HornbookError as error:
            say(f"left out: {error.message}")


def _is_export(folder: Path) -> bool:
    page = folder / "index.html"
    return (folder / "data/runs.json").is_file() and page.is_file() and b"data-exported" in page.read_bytes()


def _run(viewer: Viewer, name: str, folder: Path) -> int:
    """Everything of a run; returns how many rows of records there are."""
    run = viewer.open(name)
    _write(folder / "run.json", {key: told for key, told in viewer.run(name).items() if key != "places"})
    for what in ("problems", "curves", "labels"):
        _write(folder / f"{what}.json", getattr(viewer, what)(name))
    index = _Index()
    rows = 0
    for place, stage in enumerate(run.stages):
        for kind in PREFIXES if stage.manifest else ():
            rows += _list(viewer, run, stage, kind, folder, partial(index.add, place, kind))
    for shard, entries in index.shards():
        _pack(folder / "ids" / f"{shard}.gz", entries)
    return rows


def _list(viewer: Viewer, run: RunView, stage: StageView, kind: str, folder: Path, add: Callable[..., None]) -> int:
    """The records of a stage in parts, with what they can be filtered by."""
    source = Source(run.store, stage.name, stage.key, PREFIXES[kind])
    values, said = viewer.valued(run), labels.read(run.folder)
    sizes: list[int] = []
    for batch in (batch for file in source.files() for batch in file.batches(ROWS)):
        rows = shortened([classed(row) for row in batch.to_pylist()])
        for place, row in enumerate(rows):
            add(len(sizes), place, row)
            row |= {"value": values.get(row["id"]), "label": said.get(row["id"])}
        _pack(folder / stage.name / kind / f"{len(sizes)}.gz", rows)
        sizes.append(len(rows))
    if sizes:
        _write(
            folder / stage.name / kind / "list.json",
            {"parts": sizes, **viewer.facets(run.folder.name, stage.name, kind)},
        )
    return sum(sizes)


class _Index:
    """Where each id is, and the records that came of it: places are (stage's number, kind, part, row)."""

    def __init__(self) -> None:
        self._places: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self._children: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, stage: int, kind: str, part: int, place: int, row: Mapping[str, Any]) -> None:
        if row["id"] not in self._places:
            parents = [row.get(name) for name in PARENTS]
            if row.get("type") == "prompt":
                parents.append((row.get("seed") or {}).get("id"))
            for parent in filter(None, parents):
                self._children[parent].append(row["id"])
        self._places[row["id"]].append((stage, kind, part, place))

    def shards(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """By the first two signs of the id."""
        found: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for record in self._places.keys() | self._children.keys():
            found[record[:2]][record] = [self._places.get(record, []), self._children.get(record, [])]
        yield from sorted(found.items())


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json_bytes(value))


def _pack(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json_bytes(value), 6, mtime=0))
