"""What files are, by their contents: the same files in another place, or of another time, are the same."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

MOST_BYTES = 2**30
"""Bytes of files that are read for a digest; a few seconds."""


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size_text(count: int) -> str:
    """So many bytes for people: "812 B", "34.1 KiB", "1.3 MiB" or "2.4 GiB"."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= unit:
            return f"{count / unit:,.1f} {name}"
    return f"{count} B"


def content_digest(place: Path, wanted: Callable[[str], bool] = lambda name: True) -> str:
    """`digest_of` a file, or of a folder's files whose names are `wanted`; hidden ones and __pycache__ aside."""
    return digest_of([(place.name, place)] if place.is_file() else sorted(_below(place, wanted)))


def digest_of(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 over names and contents, 64 hex digits; over names, sizes and times where all have over `MOST_BYTES`."""
    listed = list(files)
    read = sum(path.stat().st_size for _, path in listed) <= MOST_BYTES
    listing = hashlib.sha256()
    for name, path in listed:
        status = path.stat()
        what = file_digest(path) if read else f"{status.st_size}\0{status.st_mtime_ns}"
        listing.update(f"{name}\0{what}\n".encode("utf-8", "surrogateescape"))
    return listing.hexdigest()


def _below(folder: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Path]]:
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for name in names:
            path = Path(here) / name
            if not name.startswith(".") and wanted(name) and path.is_file():
                yield path.relative_to(folder).as_posix(), path
