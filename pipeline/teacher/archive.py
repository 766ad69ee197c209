"""Reading journals: which answer is where, in an index that stays small."""

import os
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.core.errors import InputError
from pipeline.teacher.index import Table
from pipeline.teacher.lines import HEAD, Entry, decode, is_void, shards

_OFFSET_BITS = 40
"""An index value is (shard << 40 | offset): shards of up to a tebibyte, 2^24 of them."""


class Archive:
    """Read access to the answers of journals. Memory: about 20 bytes an answer for each of the two indexes."""

    def __init__(self, places: Iterable[Path], *, by_messages: bool = False) -> None:
        """Index every whole line at `places`. by_messages: also by messages alone, for replay."""
        self._files: list[int] = []
        self._by_key = Table()
        self._by_messages = Table() if by_messages else None
        self.answers = 0
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
                head = HEAD.match(line)
                if head and line.endswith(b"}\n"):
                    self.answers += 1
                    self.prompt_tokens += int(head.group(6))
                    self.completion_tokens += int(head.group(7))
                    self.usd += float(head.group(8))
                    self._index(head, shard << _OFFSET_BITS | offset)
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

    def serving(self, keys: Iterable[str], max_tokens: int) -> Entry | None:
        """The first answer under one of `keys` that serves under `max_tokens` and is one by now's reading."""
        for key in keys:
            entry = self.find(key)
            if entry is not None and entry.serves(max_tokens) and not is_void(entry):
                return entry
        return None

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


class SharedArchive:
    """One archive for all that read it at the same time: opened for the first, closed after the last."""

    def __init__(self, opened: Callable[[], Archive]) -> None:
        self._opened = opened
        self._lock = threading.Lock()
        self._users = 0
        self._archive: Archive | None = None

    def take(self) -> Archive:
        """The archive; who takes it calls `leave` once. Raises what opening it raises."""
        with self._lock:
            if self._archive is None:
                self._archive = self._opened()
            self._users += 1
            return self._archive

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users and self._archive is not None:
                self._archive.close()
                self._archive = None


def _messages_key(messages: bytes, number: int) -> bytes:
    """16 leading hex digits that differ by `number`, for the table of messages."""
    return b"%016x" % (int(messages[:16], 16) ^ (number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF))
