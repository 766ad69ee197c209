"""The one place for whole files, whole folders and full disks.

Whatever is written through here is written elsewhere on the same disk, synced and renamed, so a `kill -9` leaves the
old or the new, and never half of one. Local disks are meant; a remote file system has a way of its own.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from pipeline.core.errors import DiskFull, HornbookError, StoreError

Content = str | bytes | Callable[[IO[bytes]], Any]
"""What a file is to hold: text (UTF-8), bytes, or a function that writes into the open file."""


def write_atomically(path: Path, content: Content, *, scratch: Path | None = None) -> int:
    """Write beside `path`, sync, rename over it; returns the size in bytes. A crash leaves the old file or the new.

    scratch: where it is written first, on the same disk; what a kill has left there is written over. By default a name
    of its own beside `path`, so that several processes may write at once.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if scratch is None:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.fchmod(handle, 0o666 & ~_umask())
        scratch, file = Path(name), os.fdopen(handle, "wb")
    else:
        file = scratch.open("wb")
    try:
        with file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            sync(file)
            size = file.tell()
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return size


@contextlib.contextmanager
def whole_folder(folder: Path, *, scratch: Path | None = None, replace: bool = True) -> Iterator[Path]:
    """A folder to write in that takes the place of `folder` at the end, with all files in it synced.

    Where the body fails it is removed, and `folder` stays as it was. scratch: as of `write_atomically`. replace:
    whether a folder that is there gives way; else the one stays that another process has brought there first.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if scratch is None:
        scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        scratch.chmod(0o777 & ~_umask())
    else:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
    try:
        yield scratch
        for written in scratch.rglob("*"):
            if written.is_file():
                with written.open("rb") as file:
                    os.fsync(file.fileno())
        if replace:
            shutil.rmtree(folder, ignore_errors=True)
        try:
            scratch.rename(folder)
        except OSError:
            if replace or not folder.is_dir():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _sync_folder(folder.parent)


def sync(file: IO[Any]) -> None:
    """What was written to `file` is on the disk when this returns."""
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's umask; the kernel has no call that only reads it, /proc has."""
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o022


_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_SAID = ("file write failed", "No space left on device", "Disk quota exceeded")
"""What torch and safetensors say of a full disk, whose errors carry no number."""

_UNWRITABLE = frozenset(
    {
        errno.EACCES,
        errno.EROFS,
        errno.EPERM,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EEXIST,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.EFBIG,
        errno.EIO,
    }
)
"""What a place says that cannot be written, whoever made it so."""


def is_full(error: BaseException | None) -> bool:
    """Whether an error says that a disk is full, or a quota used up."""
    number = getattr(error, "errno", None)
    return number in _FULL if number is not None else any(mark in str(error) for mark in _FULL_SAID)


@contextlib.contextmanager
def full_disk(message: str, hint: str) -> Iterator[None]:
    """Raises DiskFull with these words where the body fails because a disk is full; every other error as it is."""
    try:
        yield
    except Exception as error:  # safetensors has an error of its own for a full disk
        if isinstance(error, HornbookError) or not is_full(error):
            raise
        raise DiskFull(message, hint=hint) from error


@contextlib.contextmanager
def disk_errors(path: str | Path) -> Iterator[None]:
    """Turn a full disk, a quota or a read-only place into errors that say what to do."""
    full_hint = "free space or move the store with --data FOLDER, then run again: finished work is kept"
    try:
        with full_disk(f"no space left while writing {path}", full_hint):
            yield
    except NotImplementedError as error:  # fsspec: a file system that can only be read, as one at http://
        raise StoreError(
            f"cannot write {path}: stores of this kind are read-only", hint="choose a writable one with --data FOLDER"
        ) from error
    except OSError as error:
        if error.errno in _UNWRITABLE:
            raise StoreError(
                f"cannot write {path}: {error.strerror}",
                hint="choose a writable folder; that of the store is --data FOLDER",
            ) from error
        raise
