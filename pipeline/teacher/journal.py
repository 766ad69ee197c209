"""The journal: every paid answer on disk before anything is made of it.

Append-only JSON Lines in a folder of its own, `journal.jsonl` and then `journal-00001.jsonl` ... once a shard is
full. A line is written with one system call as soon as the answer has arrived, so it survives `kill -9`; a thread
syncs the file a few times a second, so no more than that is lost when the power fails. A torn last line (a full disk,
a power cut) is skipped by every reader and ended by the next writer.
"""

import contextlib
import os
import threading
import time
from pathlib import Path

from pipeline.core.errors import DiskFull, StoreBusy, StoreError
from pipeline.store.disk import is_full
from pipeline.store.locks import locked
from pipeline.teacher.lines import shards

SHARD_BYTES = 1 << 30
"""A new shard is begun past this size."""
SYNC_SECONDS = 0.25
"""Time between two group commits."""
LONGEST_SYNC_PAUSE = 5.0
"""The same on a disk that is so busy that a commit takes a second or more."""


class Journal:
    """Write access to one journal folder, exclusive among processes. Use as a context manager."""

    def __init__(self, folder: Path, *, shard_bytes: int = SHARD_BYTES) -> None:
        self.folder = folder
        self._shard_bytes = shard_bytes
        self._file = -1
        self._size = 0
        self._dirty = threading.Event()
        self._closed = threading.Event()
        self._full: list[int] = []
        self._sync_error: OSError | None = None
        self._syncer: threading.Thread | None = None
        self._lock = contextlib.ExitStack()

    def __enter__(self) -> "Journal":
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = self.folder / "journal.lock"
            owner = self._lock.enter_context(locked(lock, busy=_busy(lock)))
            owner.truncate(0)
            owner.write(f"{os.getpid()}\n".encode())
            self._open_last()
        except OSError as error:
            self._lock.close()
            raise store_error(error, self.folder) from error
        self._syncer = threading.Thread(target=self._sync_often, name="journal-sync", daemon=True)
        self._syncer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._dirty.set()
        if self._syncer:
            self._syncer.join()
        try:
            if self._file >= 0:
                self._sync()
        except OSError as error:
            raise store_error(error, self.folder) from error
        finally:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1
            self._lock.close()

    def append(self, line: bytes) -> None:
        """Write one line, whole or not at all. Raises DiskFull or StoreError; what was written before stays whole."""
        if self._sync_error is not None:
            raise store_error(self._sync_error, self.folder)
        try:
            written = os.write(self._file, line)
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError as error:
            self._cut_to(self._size)
            raise store_error(error, self.folder) from error
        self._size += len(line)
        self._dirty.set()
        if self._size >= self._shard_bytes:
            self._next_shard()

    def _cut_to(self, size: int) -> None:
        try:
            os.ftruncate(self._file, size)
        except OSError:
            pass  # the torn line stays and is skipped by readers

    def _open_last(self) -> None:
        existing = shards(self.folder)
        path = existing[-1] if existing else self.folder / "journal.jsonl"
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._size = os.fstat(self._file).st_size
        if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
            self._size += os.write(self._file, b"\n")
        if self._size >= self._shard_bytes:
            self._next_shard()

    def _next_shard(self) -> None:
        number = len(shards(self.folder))
        path = self.folder / f"journal-{number:05d}.jsonl"
        try:
            fresh = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            # The full shard keeps a descriptor of its own until the syncing thread has synced it; dup2 keeps the
            # number of the one that is written to, so that thread never sees a closed one.
            self._full.append(os.dup(self._file))
            os.dup2(fresh, self._file, inheritable=False)
            os.close(fresh)
        except OSError as error:
            raise store_error(error, self.folder) from error
        self._size = 0

    def _sync(self) -> None:
        """Full shards, then the one that is written."""
        while self._full:
            file = self._full.pop()
            try:
                os.fdatasync(file)
            finally:
                os.close(file)
        os.fdatasync(self._file)

    def _sync_often(self) -> None:
        while not self._closed.is_set():
            self._dirty.wait()
            self._dirty.clear()
            if self._closed.is_set():
                return
            start = time.monotonic()
            try:
                self._sync()
            except OSError as error:
                self._sync_error = error
                return
            # A sync holds up writes to the same file: on a busy disk, syncing is a fifth of the time at most.
            self._closed.wait(max(SYNC_SECONDS, min(LONGEST_SYNC_PAUSE, 4 * (time.monotonic() - start))))


def _busy(lock: Path) -> StoreBusy:
    """Names the process that has written its number into the lock."""
    holder = lock.read_text(encoding="ascii", errors="replace").strip() if lock.is_file() else ""
    return StoreBusy(
        f"{lock.parent} is being written by another run (process {holder or 'unknown'})",
        hint="wait for it to end, then run again: its answers will be reused",
    )


def store_error(error: OSError, folder: Path) -> StoreError:
    if is_full(error):
        return DiskFull(
            f"no space left for the journal in {folder}",
            hint="free some space and run again: every answer up to here is kept",
        )
    return StoreError(f"the journal in {folder} cannot be written: {error.strerror}")
