"""The folder that `hornbook clean` writes: made beside its place, and moved there when it is whole."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import StoreError, UsageError
from pipeline.files.finding import shown
from pipeline.store.configs import README
from pipeline.store.disk import full_disk, is_full
from pipeline.store.locks import own_folder

RESULTS = (README, "kept", "dropped", "splits.json", "clean.json")
"""In the order of their moves: at no moment are kept and dropped rows there without the README that says so."""


def check_folder(folder: Path, hint: str, what: str = "") -> None:
    """Raises UsageError where there can be no folder: a file, a link that leads nowhere, a name that no file system or
    Parquet file takes. what: said before its name."""
    said = f"{what}{shown(folder)}"
    try:
        there = folder.exists()
        if there and not folder.is_dir():
            raise UsageError(f"{said} is a file", hint=hint)
        if not there and folder.is_symlink():
            raise UsageError(f"{said} is a link to {shown(folder.readlink())}, which is not there", hint=hint)
    except OSError as error:
        raise UsageError(f"{said}: cannot be written: {error.strerror}", hint=hint) from error
    if said != f"{what}{folder}":
        raise UsageError(f"{said}: its name is not UTF-8, and no table can be written there", hint=hint)


def check(out: Path, inputs: Sequence[Path]) -> None:
    """Raises UsageError where `out` cannot be a folder, holds anything but results of an earlier clean, or an input."""
    check_folder(out, "name a folder for the results")
    if out.is_dir() and any(out.iterdir()) and not (out / "clean.json").is_file():
        raise UsageError(
            f"{out} is not empty and holds no results of an earlier clean", hint="name another folder, or empty it"
        )
    for path in inputs:
        if out.resolve() in (path.resolve(), *path.resolve().parents):
            raise UsageError(f"the input {path} lies in the output folder {out}", hint="name another output folder")


def earlier(out: Path) -> dict[str, Any]:
    """What `clean.json` of an earlier call says; empty where there is none, or none that can be read."""
    try:
        said = json.loads((out / "clean.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def disk(out: Path | None) -> contextlib.AbstractContextManager[None]:
    """Says which disk is full."""
    return full_disk(
        f"no space left where {f'{out} or ' if out else ''}temporary files are written ({tempfile.gettempdir()})",
        "free some, or point TMPDIR at a larger disk, and run the same command again",
    )


@contextlib.contextmanager
def partial(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write in, as `own_folder` makes it. Raises UsageError where there can be none."""
    with contextlib.ExitStack() as stack:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(own_folder(out.parent, f".{out.name}.", ".partial"))
        except (OSError, StoreError) as error:
            cause = error.__cause__ if isinstance(error, StoreError) else error
            if is_full(cause):
                raise
            raise UsageError(
                f"{out}: cannot be written: {getattr(cause, 'strerror', cause)}",
                hint="name another output folder with --to",
            ) from error
        yield folder


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
