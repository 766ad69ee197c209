"""The places that a command line names to be written: looked at before anything is made, for all verbs alike."""

import tempfile
from pathlib import Path
from typing import Literal

from pipeline.core.errors import DiskFull, UsageError
from pipeline.core.names import LOCAL_ALONE, is_address
from pipeline.store.disk import is_full


def output(option: str, given: str, kind: Literal["file", "folder"]) -> Path:
    """The file or folder that `option` names, there or not. Nothing is made.

    Raises UsageError where its name is empty, another thing is there, or nothing can be written there; DiskFull.
    """
    another = f"name another {kind}, in a place that you can write"
    if not given:
        here = "; . is the current one" if kind == "folder" else ""
        raise UsageError(f"{option} = '', which is no name", hint=f"name a {kind}{here}")
    path = Path(given)
    if is_address(given) and not path.exists():
        raise UsageError(f"{option} = {given:.200} is an address, a {kind} is wanted", hint=LOCAL_ALONE)
    try:
        if path.exists() and not (path.is_dir() if kind == "folder" else path.is_file()):
            found = "folder" if path.is_dir() else "file" if path.is_file() else "device or pipe"
            raise UsageError(f"{option}: {given} is a {found}, a {kind} is wanted", hint=another)
        if path.is_symlink() and not path.exists():
            raise UsageError(f"{option}: {given} is a link to {path.readlink()}, which is not there", hint=another)
        places = [path] if path.is_dir() else path.absolute().parents
        nearest = next(one for one in places if one.exists())
        with tempfile.TemporaryFile(dir=nearest):  # of a file in a folder's place it says that it is none
            return path
    except OSError as error:
        message = f"{option}: {given:.200} cannot be written: {error.strerror}"
        if is_full(error):
            raise DiskFull(message, hint=another) from error
        raise UsageError(message, hint=another) from error
