"""Names that become folders and keys, of runs, recipes, teachers, domains and models: one rule for all of them.

A letter or digit, then letters, digits, ".", "_" and "-", at most `LONGEST` characters. Letters are those of ASCII:
other alphabets have letters that look alike, and one word may be spelled as several sequences of bytes, so that two
file systems disagree on whether a name is there. Such a name has no separator, is not hidden and never leads upward.
"""

import re
import shlex
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from pipeline.core.errors import UsageError

LONGEST = 100
"""Most characters of a name, so that what is appended (a key, ".partial") stays below the 255 of file systems."""

LATEST = "LATEST"
"""The newest run, wherever a run is asked for. No name may be this word, in any case: some file systems see none."""

RULE = (
    f'a name is a letter or digit, then letters, digits, ".", "_" and "-" (ASCII, at most {LONGEST} characters); '
    f"{LATEST} is reserved for the newest run"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
LOCAL_ALONE = "files of this machine are read and written here: fetch it, copy what comes out, or mount the place"


def is_address(path: Path | str) -> bool:
    """Whether a path is an address ("s3://bucket/x", which as a path is "s3:/bucket/x")."""
    return bool(_ADDRESS.match(str(path)))


def objection(name: str) -> str:
    """What is wrong with `name` as a name, "" where nothing is."""
    if not name:
        return "is empty"
    if len(name) > LONGEST:
        return f"has {len(name)} characters, more than {LONGEST}"
    if name.upper() == LATEST:
        return "is reserved for the newest run"
    if _NAME.fullmatch(name):
        return ""
    if not _NAME.match(name):
        return f"begins with {name[0]!r}"
    return f"has {next(one for one in name if not _NAME.fullmatch('x' + one))!r} in it"


def checked(name: str, what: str) -> str:
    """`name`, where it is one. what: what it names, e.g. "--name". Raises UsageError that says what is wrong."""
    found = objection(name)
    if found:
        raise UsageError(f"{what} = {_short(name)} {found}", hint=RULE)
    return name


def _short(name: str) -> str:
    return repr(name) if len(name) <= LONGEST else f"{name[:40]!r}..."


def _valid(name: str) -> str:
    found = objection(name)
    if found:
        raise ValueError(f"{_short(name)} {found}; {RULE}")
    return name


Name = Annotated[str, AfterValidator(_valid)]
"""A name in a recipe."""


def typed(path: str | Path) -> str:
    """A path as it is typed in a shell, where a command is told to somebody: quoted where it must be, and never taken
    for an option."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)
