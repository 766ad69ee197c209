"""The folder that `hornbook clean` writes: made beside its place, and moved there when it is whole."""

import contextlib
import glob
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.core.errors import UsageError
from pipeline.store.configs import README
from pipeline.store.disk import full_disk, is_full
from pipeline.store.locks import held, locked

RESULTS = (README, "kept", "dropped", "splits.json", "clean.json")
"""In the order of their moves: at no moment are kept and dropped rows there without the README that says so."""
LOCK = ".lock"


def check(out: Path, inputs: Sequence[Path]) -> None:
    """Raises UsageError where `out` is a file, holds anything but results of an earlier clean, or holds an input."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", hint="name a folder for the results")
    if out.is_dir() and any(out.iterdir()) and not (out / "clean.json").is_file():
        raise UsageError(
            f"{out} is not empty and holds no results of an earlier clean", hint="name another folder, or empty it"
        )
    for path in inputs:
        if out.resolve() in (path.resolve(), *path.resolve().parents):
            raise UsageError(f"the input {path} lies in the output folder {out}", hint="name another output folder")


def disk(out: Path | None) -> contextlib.AbstractContextManager[None]:
    """Says which disk is full."""
    return full_disk(
        f"no space left where {f'{out} or ' if out else ''}temporary files are written ({tempfile.gettempdir()})",
        "free some, or point TMPDIR at a larger disk, and run the same command again",
    )


@contextlib.contextmanager
def partial(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write in; gone at the end, whatever happened, or else by the next call.

    It holds a lock while its process lives: a folder without one was left by a process that was killed.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for left in out.parent.glob(f".{glob.escape(out.name)}.*.partial"):
            if (left / LOCK).is_file() and not held(left / LOCK):
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    except OSError as error:
        if is_full(error):
            raise
        raise UsageError(
            f"{out}: cannot be written: {error.strerror}", hint="name another output folder with --to"
        ) from error
    try:
        with locked(folder / LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def replace(folder: Path, out: Path) -> None:
    """Move the finished results into `out`; `clean.json` goes first and comes last, so that it vouches for the rest."""
    out.mkdir(exist_ok=True)
    (out / "clean.json").unlink(missing_ok=True)
    for name in RESULTS:
        if (out / name).is_dir():
            shutil.rmtree(out / name)
        (out / name).unlink(missing_ok=True)
        if (folder / name).exists():
            (folder / name).replace(out / name)
