"""Sequences that may be larger than memory: kept in order, sorted, or looked up by number, on disk past a limit.

Files are temporary, have no name, and go with the object (or the process). `TMPDIR` says where.
"""

import heapq
import pickle
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import IO, Any, Generic, TypeVar

Item = TypeVar("Item")

MEMORY_CHARACTERS = 128_000_000
"""Characters of text that one sequence holds in memory before it goes to disk: 200 to 500 MB of Python objects."""
ITEM_CHARACTERS = 400
"""What an item costs beside its text."""
FRAME = 256
"""Items written and read at once."""
BUFFER = 1_000_000
"""Bytes of texts written at once."""


def _size(item: Any) -> int:
    return len(getattr(item, "text", "")) + ITEM_CHARACTERS


class Spool(Generic[Item]):
    """Items in the order in which they came; can be read again and again once all are in."""

    def __init__(self, items: Iterable[Item] = (), *, memory: int | None = None) -> None:
        self._memory = MEMORY_CHARACTERS if memory is None else memory
        self._recent: list[Item] = []
        self._size = 0
        self._count = 0
        self._file: IO[bytes] | None = None
        for item in items:
            self.append(item)

    def append(self, item: Item) -> None:
        """Add one item at the end."""
        self._recent.append(item)
        self._count += 1
        self._size += _size(item)
        if self._size > self._memory or (self._file is not None and len(self._recent) >= FRAME):
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the spool
            _dump(self._recent, self._file)
            self._recent, self._size = [], 0

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        if self._file is not None:
            self._file.flush()
            yield from _frames(self._file, 0)
        yield from self._recent


def ordered(items: Iterable[Item], key: Callable[[Item], Any], *, memory: int | None = None) -> Iterator[Item]:
    """`items` sorted by `key`, equals in the order in which they came: an external merge sort (Knuth, 5.4)."""
    limit = MEMORY_CHARACTERS if memory is None else memory
    with ExitStack() as open_files:
        runs: list[IO[bytes]] = []
        batch: list[Item] = []
        size = 0
        for item in items:
            batch.append(item)
            size += _size(item)
            if size > limit:
                batch.sort(key=key)
                runs.append(open_files.enter_context(tempfile.TemporaryFile()))
                _dump(batch, runs[-1])
                batch, size = [], 0
        batch.sort(key=key)
        if not runs:
            yield from batch
        else:
            yield from heapq.merge(*(_frames(run, 0) for run in runs), batch, key=key)


class Texts:
    """Texts by the number in which they were added: the first ones in memory, those past a limit on disk."""

    def __init__(self, memory: int = 64_000_000) -> None:
        self._room = memory
        self._held: list[str] = []
        self._recent: list[bytes] = []
        self._size = 0
        self._file: IO[bytes] | None = None
        self._ends = array("Q", [0])

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()

    def __len__(self) -> int:
        return len(self._held) + len(self._ends) - 1

    def append(self, text: str) -> int:
        """Add a text; its number."""
        if self._file is None:
            self._room -= len(text)
            if self._room >= 0:
                self._held.append(text)
                return len(self._held) - 1
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the object
        data = text.encode("utf-8", "surrogatepass")
        self._recent.append(data)
        self._size += len(data)
        self._ends.append(self._ends[-1] + len(data))
        if self._size >= BUFFER:
            self._file.seek(0, 2)
            self._file.write(b"".join(self._recent))
            self._recent, self._size = [], 0
        return len(self) - 1

    def __getitem__(self, number: int) -> str:
        if number < len(self._held):
            return self._held[number]
        place = number - len(self._held)
        written = len(self._ends) - 1 - len(self._recent)
        if place >= written:
            return self._recent[place - written].decode("utf-8", "surrogatepass")
        start, end = self._ends[place], self._ends[place + 1]
        assert self._file is not None
        self._file.seek(start)
        return self._file.read(end - start).decode("utf-8", "surrogatepass")


def _dump(items: list[Item], file: IO[bytes]) -> None:
    for start in range(0, len(items), FRAME):
        pickle.dump(items[start : start + FRAME], file, protocol=pickle.HIGHEST_PROTOCOL)


def _frames(file: IO[bytes], at: int) -> Iterator[Any]:
    """Items of a file from byte `at`; several readers may take turns, and a writer may go on at the end."""
    file.seek(0, 2)
    end = file.tell()
    while at < end:
        file.seek(at)
        frame = pickle.load(file)
        at = file.tell()
        yield from frame
    file.seek(0, 2)
