"""Artifacts on disk, by content key.

::

    ROOT/quality/3f9c.../part-00000.parquet      kept records
                         dropped-00000.parquet   dropped records, reason, detail
                         README.md               tells `datasets.load_dataset` which are which
                         manifest.json           written last: its presence means complete
    ROOT/completions/77ab....partial/            work in progress that a later call goes on from

A folder without a manifest is unfinished work, whatever else it holds. Local files are written beside their place,
synced and renamed, so a `kill -9` leaves either the whole file or none. ROOT may be any fsspec URL (`s3://...`,
`memory://...`); there a put is atomic by itself, and work in progress stays in a local folder.
"""

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import fsspec

from pipeline.core.errors import StoreFormatError
from pipeline.core.records import Record
from pipeline.core.stage import Dropped, Kept, Tally
from pipeline.store import configs
from pipeline.store.disk import disk_errors, whole_folder, write_atomically
from pipeline.store.locks import exclusive
from pipeline.store.manifest import FORMAT, Manifest
from pipeline.store.parquet import Parquet, opened, readable, write_table
from pipeline.store.rows import dropped_from_row, dropped_row, from_row, schema_of, to_row, to_table

ROWS_PER_PART = 20_000


@dataclass(frozen=True, slots=True)
class Store:
    """All artifacts below one root, a folder or an fsspec URL. work: where work in progress lies if that is remote."""

    root: str
    work: Path | None = None

    def folder(self, stage: str, key: str) -> str:
        """Path of an artifact's folder, as the filesystem names it."""
        return f"{self.base}/{stage}/{key}"

    def manifest(self, stage: str, key: str) -> Manifest | None:
        """The manifest of a finished artifact, None where there is none.

        Raises StoreFormatError for one written by a newer format, StoreError for one that is not a manifest.
        """
        path = f"{self.folder(stage, key)}/manifest.json"
        with readable(path):
            try:
                file = self.filesystem.open(path, "rb")
            except FileNotFoundError:
                return None
            with file:
                data = json.loads(file.read())
            if data["format"] > FORMAT:
                raise StoreFormatError(
                    f"{path} has format {data['format']}; this version of hornbook reads formats up to {FORMAT}",
                    hint="upgrade hornbook, or use another store with --data FOLDER",
                )
            return Manifest(**{name: value for name, value in data.items() if name in Manifest.__dataclass_fields__})

    def kept(self, stage: str, key: str) -> Iterator[Record]:
        """The kept records of a finished artifact, in the order they were written."""
        for row in self.rows(stage, key, "part"):
            yield from_row(row)

    def dropped(self, stage: str, key: str) -> Iterator[Dropped]:
        """The dropped records of a finished artifact."""
        for row in self.rows(stage, key, "dropped"):
            yield dropped_from_row(row)

    def rows(self, stage: str, key: str, prefix: str) -> Iterator[dict[str, Any]]:
        """Raw rows of the files named PREFIX-00000.parquet, PREFIX-00001.parquet, ..."""
        for file in self.files(stage, key, f"{prefix}-"):
            for batch in file.batches(1024):
                yield from batch.to_pylist()

    def files(self, stage: str, key: str, prefix: str) -> Iterator[Parquet]:
        """The PREFIX*.parquet files of a finished artifact in the order written, each open until the next is asked for.

        They are those that the manifest names: records that went missing would else be taken for never made. Raises
        StoreError where one is gone or cannot be read.
        """
        manifest = self.manifest(stage, key)
        for name in sorted(manifest.files if manifest else ()):
            if name.startswith(prefix) and name.endswith(".parquet"):
                with opened(self.filesystem, f"{self.folder(stage, key)}/{name}") as file:
                    yield file

    def local(self, stage: str, key: str, cache: Path) -> Path:
        """A local folder with the artifact's files: the folder itself, or a copy below `cache` for a remote store."""
        if self.is_local:
            return Path(self.folder(stage, key))
        copy = cache / stage / key
        if not (copy / "manifest.json").exists():
            with whole_folder(copy, scratch=copy.with_name(f"{key}.incoming")) as scratch:
                self.filesystem.get(f"{self.folder(stage, key)}/", f"{scratch}/", recursive=True)
        return copy

    @property
    def is_local(self) -> bool:
        """Whether the root is a plain folder of this machine."""
        return bool(self.filesystem.protocol in ("file", ("file", "local")))

    def partial(self, stage: str, key: str, cache: Path) -> Path:
        """Local folder for work in progress on an artifact; it survives a crash and is removed by `finish`."""
        folder = self.partial_folder(stage, key, cache)
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def partial_folder(self, stage: str, key: str, cache: Path | None = None) -> Path:
        """Where work in progress on an artifact lies, there or not."""
        root = Path(self.base) if self.is_local else cache or self.work or Path(tempfile.gettempdir(), "no-work")
        return root / stage / f"{key}.partial"

    @contextlib.contextmanager
    def lock(self, stage: str, key: str, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Hold an artifact while it is made; a second process waits, after `on_wait` was told why.

        The kernel drops the lock with the process, however it ends. A remote store has no lock: there the last
        manifest wins, and both are equal by construction.
        """
        if not self.is_local:
            yield
            return
        path = Path(f"{self.folder(stage, key)}.lock")
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(path, on_wait=lambda: on_wait(f"another process is making {stage} {key[:12]}; waiting for it")):
            yield
            path.unlink(missing_ok=True)

    @property
    def filesystem(self) -> Any:
        """The fsspec filesystem of the root."""
        return fsspec.core.url_to_fs(self.root)[0]

    @property
    def base(self) -> str:
        """The root, as its filesystem names it."""
        return str(fsspec.core.url_to_fs(self.root)[1]).rstrip("/")


class Writer:
    """Writes one artifact: outcomes into parts, other files beside them, the manifest last.

    Nothing counts as written before `finish`; what a crash leaves behind is overwritten by the next writer.
    """

    def __init__(
        self,
        store: Store,
        stage: str,
        key: str,
        kept_types: Sequence[type[Record]],
        dropped_types: Sequence[type[Record]] = (),
    ) -> None:
        self._store, self._stage, self._key = store, stage, key
        self._folder = store.folder(stage, key)
        self._fs = store.filesystem
        self._schemas = {"part": schema_of(kept_types), "dropped": schema_of(dropped_types, dropped=True)}
        self._buffers: dict[str, list[dict[str, Any]]] = {"part": [], "dropped": []}
        self._counts = {"part": 0, "dropped": 0}
        self._files: dict[str, int] = {}
        with disk_errors(self._folder):
            if self._fs.exists(self._folder):
                self._fs.rm(self._folder, recursive=True)
            self._fs.makedirs(self._folder, exist_ok=True)

    def write(self, outcome: Kept[Any] | Dropped) -> None:
        """Take one outcome; full parts go to disk at once."""
        name = "dropped" if isinstance(outcome, Dropped) else "part"
        self._buffers[name].append(dropped_row(outcome) if isinstance(outcome, Dropped) else to_row(outcome.record))
        if len(self._buffers[name]) >= ROWS_PER_PART:
            self._flush(name)

    def add(self, path: Path) -> None:
        """Take a local file or folder into the artifact under its own name; it stays where it was, too.

        On a local store it is linked, which costs nothing, else copied. So a process that is killed before `finish` has
        lost nothing: what a later writer deletes is the unfinished artifact, never the work in progress.
        """
        with disk_errors(self._folder):
            for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
                name = file.relative_to(path.parent).as_posix()
                self._files[name] = file.stat().st_size
                target = f"{self._folder}/{name}"
                self._fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
                if self._store.is_local:
                    _link(file, Path(target))
                else:
                    self._fs.put_file(str(file), target)

    def finish(
        self,
        tally: Tally,
        *,
        version: int,
        inputs: Mapping[str, str],
        settings: Mapping[str, Any],
        facts: Mapping[str, Any],
        made_by: str,
        seconds: float,
        cpu_seconds: float,
        run: str = "",
    ) -> Manifest:
        """Write what is left and then the manifest; after this the artifact is complete."""
        for name in self._buffers:
            if self._buffers[name] or (name == "part" and not self._counts[name] and not self._files):
                self._flush(name)
        if self._counts["part"]:
            dropped = "dropped-*.parquet" if self._counts["dropped"] else None
            text = configs.readme("part-*.parquet", dropped, f"Records of the stage `{self._stage}`, by {made_by}.")
            self._files[configs.README] = self._put(configs.README, lambda file: file.write(text.encode()))
        manifest = Manifest(
            stage=self._stage,
            key=self._key,
            version=version,
            inputs=dict(inputs),
            settings=dict(settings),
            entered=tally.entered,
            kept=tally.kept,
            dropped=dict(sorted(tally.dropped.items())),
            seconds=round(seconds, 3),
            cpu_seconds=round(cpu_seconds, 3),
            files=dict(sorted(self._files.items())),
            facts=dict(facts),
            made_by=made_by,
            run=run,
            finished=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        told = json.dumps({name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}, indent=1)
        self._put("manifest.json", lambda file: file.write(told.encode()))
        return manifest

    def _flush(self, name: str) -> None:
        rows, self._buffers[name] = self._buffers[name], []
        table = to_table(rows, self._schemas[name])
        file_name = f"{name}-{self._counts[name]:05d}.parquet"
        self._counts[name] += 1
        self._files[file_name] = self._put(file_name, lambda file: write_table(table, file))

    def _put(self, name: str, write: Callable[[IO[bytes]], Any]) -> int:
        path = f"{self._folder}/{name}"
        with disk_errors(path):
            if self._store.is_local:
                return write_atomically(Path(path), write)
            with self._fs.open(path, "wb") as file:
                write(file)
            return int(self._fs.size(path))


def _link(file: Path, target: Path) -> None:
    """A hard link at `target`, or a copy on a filesystem without them."""
    target.unlink(missing_ok=True)
    try:
        os.link(file, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        shutil.copyfile(file, target)
