"""The one place for locks between processes. The kernel drops each with its process, however that ends.

`exclusive` is filelock's lock, which knows a file that was removed while it was waited for. What filelock has not is
flock's own: holding with others (`locked`), and asking whether somebody holds (`held`). All see each other. Where the
file cannot be written, an error of the store says what to do.
"""

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from pipeline.core.errors import StoreBusy
from pipeline.store.disk import disk_errors


@contextlib.contextmanager
def exclusive(path: Path, *, busy: StoreBusy | None = None, on_wait: Callable[[], object] = tuple) -> Iterator[None]:
    """Hold `path` alone; the file is made, its folder is not.

    busy: raised where another process holds it. Without it the other is waited for, after `on_wait` was called.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        with disk_errors(path):
            lock.acquire(blocking=False)
    except Timeout:
        with disk_errors(path):  # where no file can be made, as in /proc, filelock says no more than that it has none
            path.open("ab").close()
        if busy is not None:
            raise busy from None
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def locked(
    path: Path, *, shared: bool = False, busy: StoreBusy | None = None, needed: bool = True
) -> Iterator[IO[bytes]]:
    """Hold `path`, which is made, and may be read and written inside; `shared`: with others that share it.

    busy: raised where another process holds it otherwise; without it the other is waited for. needed: whether a file
    system without locks is an OSError; else nobody is locked out there.
    """
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with disk_errors(path):
        file = path.open("a+b", buffering=0)
    with file:
        try:
            fcntl.flock(file, how if busy is None else how | fcntl.LOCK_NB)
        except OSError as error:
            if busy is not None and isinstance(error, BlockingIOError):
                raise busy from None
            if needed:
                raise
        yield file


def held(path: Path, *, shared: bool = False) -> bool:
    """Whether a process holds `path`, `shared` or alone; False where nobody can tell."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_NB | (fcntl.LOCK_EX if shared else fcntl.LOCK_SH))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


LOCK = ".lock"
"""File in a folder of `own_folder` that its process holds."""


@contextlib.contextmanager
def own_folder(parent: Path | None = None, prefix: str = "hornbook-", suffix: str = "") -> Iterator[Path]:
    """A folder of this process's own below `parent` (None: where temporary files lie); gone at the end, whatever
    happened, or else by the next call of the same user: it holds a lock while its process lives, so one that nobody
    holds was left by a process that was killed. A folder without a lock is another thing, and stays.
    """
    parent = parent or Path(tempfile.gettempdir())
    for left in parent.glob(f"{glob.escape(prefix)}*{glob.escape(suffix)}"):
        with contextlib.suppress(OSError):
            ours = left.lstat().st_uid == os.getuid() and not left.is_symlink()
            if ours and (left / LOCK).is_file() and not held(left / LOCK):
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f".new-{prefix}", dir=parent))
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: shutil.rmtree(folder, ignore_errors=True))
        try:
            stack.enter_context(locked(folder / LOCK))
        except OSError:  # without locks nobody could tell that it is in use
            (folder / LOCK).unlink()
        folder = folder.rename(parent / f"{prefix}{folder.name.removeprefix(f'.new-{prefix}')}{suffix}")
        yield folder
