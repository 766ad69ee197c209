"""The journal: every paid answer on disk before anything is made of it.

Append-only JSON Lines in a folder of its own, `journal.jsonl` and then `journal-00001.jsonl` ... once a shard is
full. A line is written with one system call as soon as the answer has arrived, so it survives `kill -9`; a thread
syncs the file a few times a second, so no more than that is lost when the power fails. A torn last line (a full disk,
a power cut) is skipped by every reader and ended by the next writer.

A line starts with fixed fields, so that an index of a million answers is built without parsing them::

    {"key": 64 hex, "messages": 64 hex, "n": 0, "finish": "stop", "max_tokens": 1024, "tokens": [60, 330],
     "usd": 0.000207, "at": 1764288000, "model": "...", "endpoint": "...", "answer": {the response as it came}}

"finish" is what the answer was taken for when it was written; readers take it from the answer itself. "at" is when it
came, in seconds since the epoch; lines of earlier versions lack it.
"""

import contextlib
import functools
import json
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import DiskFull, InputError, StoreBusy, StoreError
from pipeline.store.disk import is_full
from pipeline.store.locks import locked
from pipeline.teacher.content import Content, content_of
from pipeline.teacher.index import Table
from pipeline.teacher.protocol import Reply

SHARD_BYTES = 1 << 30
"""A new shard is begun past this size."""
SYNC_SECONDS = 0.25
"""Time between two group commits."""
LONGEST_SYNC_PAUSE = 5.0
"""The same on a disk that is so busy that a commit takes a second or more."""
_HEAD = re.compile(
    rb'\{"key": "([0-9a-f]{64})", "messages": "([0-9a-f]{64})", "n": (\d+), "finish": "(\w+)", '
    rb'"max_tokens": (\d+), "tokens": \[(\d+), (\d+)\], "usd": ([0-9.e+-]+), '
)
_OFFSET_BITS = 40
"""An index value is (shard << 40 | offset): shards of up to a tebibyte, 2^24 of them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a journal."""

    key: str
    messages: str
    number: int
    finish: str
    max_tokens: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    model: str
    endpoint: str
    body: dict[str, Any]
    at: int = 0

    def serves(self, max_tokens: int) -> bool:
        """Whether this is the answer under a limit of `max_tokens`.

        The same limit: yes. A larger one: if it did not stop on length. A smaller one: if it fits.
        """
        if self.max_tokens == max_tokens:
            return True
        return self.finish != "length" and (max_tokens > self.max_tokens or 0 < self.completion_tokens <= max_tokens)


def entry_of(messages: str, number: int, reply: Reply) -> Entry:
    """The journal entry of a reply. Never raises: an odd body is journalled too, it may have been paid for."""
    content = content_of(reply.body)
    if not isinstance(content, Content):
        content = Content("", "stop", "", 0, 0)
    return Entry(
        key=reply.key,
        messages=messages,
        number=number,
        finish=content.finish,
        max_tokens=reply.max_tokens,
        prompt_tokens=content.prompt_tokens,
        completion_tokens=content.completion_tokens,
        usd=reply.usd,
        model=reply.model,
        endpoint=reply.endpoint,
        body=reply.body,
        at=reply.at or int(time.time()),
    )


def encode(entry: Entry, raw: bytes) -> bytes:
    """The journal line of `entry`; `raw` is the JSON of its body, put in as it came.

    A line break in JSON can only be white space between its tokens, so a blank in its place changes nothing.
    """
    head = (
        f'{{"key": "{entry.key}", "messages": "{entry.messages}", "n": {entry.number}, "finish": "{entry.finish}", '
        f'"max_tokens": {entry.max_tokens}, "tokens": [{entry.prompt_tokens}, {entry.completion_tokens}], '
        f'"usd": {entry.usd!r}, "at": {entry.at}, {_origin(entry.model, entry.endpoint)}, "answer": '
    )
    flat = raw.replace(b"\r", b" ").replace(b"\n", b" ") if b"\n" in raw or b"\r" in raw else raw
    return head.encode() + flat + b"}\n"


@functools.lru_cache(maxsize=64)
def _origin(model: str, endpoint: str) -> str:
    return f'"model": {json.dumps(model)}, "endpoint": {json.dumps(endpoint)}'


def decode(line: bytes) -> Entry | None:
    """The entry of a line, or None if the line is torn or not a journal's."""
    try:
        value = json.loads(line)
        content = content_of(value["answer"])
        return Entry(
            key=value["key"],
            messages=value["messages"],
            number=value["n"],
            finish=content.finish if isinstance(content, Content) else value["finish"],
            max_tokens=value["max_tokens"],
            prompt_tokens=value["tokens"][0],
            completion_tokens=value["tokens"][1],
            usd=value["usd"],
            model=value["model"],
            endpoint=value["endpoint"],
            body=value["answer"],
            at=value.get("at", 0),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return None


def shards(place: Path) -> list[Path]:
    """Journal files at `place`: the file itself, or all `*.jsonl` journals below the folder, in order of name."""
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("journal*.jsonl") if path.is_file())


class Archive:
    """Read access to the answers of journals. Memory: about 20 bytes an answer for each of the two indexes."""

    def __init__(self, places: Iterable[Path], *, by_messages: bool = False) -> None:
        """Index every whole line at `places`. by_messages: also by messages alone, for replay."""
        self._files: list[int] = []
        self._by_key = Table()
        self._by_messages = Table() if by_messages else None
        self.answers = 0
        self.torn = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.usd = 0.0
        for place in places:
            for path in shards(place):
                self._add(path)

    def _add(self, path: Path) -> None:
        shard = len(self._files)
        try:
            self._files.append(os.open(path, os.O_RDONLY))
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}", hint="name a journal or its folder") from None
        offset = 0
        with path.open("rb", buffering=1 << 20) as lines:
            for line in lines:
                head = _HEAD.match(line)
                if head and line.endswith(b"}\n"):
                    self.answers += 1
                    self.prompt_tokens += int(head.group(6))
                    self.completion_tokens += int(head.group(7))
                    self.usd += float(head.group(8))
                    self._index(head, shard << _OFFSET_BITS | offset)
                elif line.strip():
                    self.torn += 1
                offset += len(line)

    def _index(self, head: "re.Match[bytes]", place: int) -> None:
        key, messages, number, finish = head.group(1, 2, 3, 4)
        known = self._by_key.get(key)
        # A later line answers for an earlier one unless it is the one that was cut off.
        if known is None or finish != b"length" or self._finish(known) == "length":
            self._by_key.put(key, place)
        if self._by_messages is not None:
            self._by_messages.put(_messages_key(messages, int(number)), place)

    def _finish(self, place: int) -> str:
        entry = self._read(place)
        return entry.finish if entry else "length"

    def find(self, key: str) -> Entry | None:
        """The answer journalled under `key`, or None."""
        place = self._by_key.get(key.encode())
        entry = self._read(place) if place is not None else None
        return entry if entry is not None and entry.key == key else None

    def find_messages(self, messages: str, number: int) -> Entry | None:
        """The n-th answer to messages with this digest, whoever gave it (needs by_messages), or None."""
        if self._by_messages is None:
            return None
        place = self._by_messages.get(_messages_key(messages.encode(), number))
        entry = self._read(place) if place is not None else None
        return entry if entry is not None and entry.messages == messages else None

    def _read(self, place: int) -> Entry | None:
        file, offset = self._files[place >> _OFFSET_BITS], place & ((1 << _OFFSET_BITS) - 1)
        chunks, size = [], 8192
        while chunk := os.pread(file, size, offset):
            chunks.append(chunk)
            if b"\n" in chunk:
                break
            offset, size = offset + len(chunk), size * 2
        return decode(b"".join(chunks).split(b"\n", 1)[0])

    def close(self) -> None:
        """Close the files; nothing can be found afterwards."""
        for file in self._files:
            os.close(file)
        self._files.clear()


def _messages_key(messages: bytes, number: int) -> bytes:
    """16 leading hex digits that differ by `number`, for the table of messages."""
    return b"%016x" % (int(messages[:16], 16) ^ (number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF))


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


@dataclass(frozen=True, slots=True)
class Head:
    """The fixed fields of a journal line."""

    key: str
    messages: str
    number: int
    finish: str
    tokens: int
    usd: float


def heads(place: Path) -> Iterator[Head]:
    """The fixed fields of every whole line of the journals at `place`; the answers are not parsed."""
    for path in shards(place):
        with path.open("rb", buffering=1 << 20) as lines:
            for line in lines:
                head = head_of(line)
                if head is not None:
                    yield head


def head_of(line: bytes) -> Head | None:
    """The fixed fields of one line; None for one that is torn, or no journal's."""
    found = _HEAD.match(line) if line.endswith(b"}\n") else None
    if found is None:
        return None
    key, messages, number, finish, _, prompt, completion, usd = found.groups()
    tokens = int(prompt) + int(completion)
    return Head(key.decode(), messages.decode(), int(number), finish.decode(), tokens, float(usd))


def entries(place: Path) -> Iterator[Entry]:
    """Every whole entry of the journals at `place`, in the order in which they were written."""
    for path in shards(place):
        with path.open("rb") as lines:
            for line in lines:
                entry = decode(line)
                if entry is not None:
                    yield entry
