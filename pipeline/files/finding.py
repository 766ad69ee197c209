"""Which files an input stands for: a file by its suffix, a folder of code or of data, saved and cached HF datasets.

Nothing of a folder is left out without a word: what is not read is counted in a note. Symbolic links to files are
followed, those to folders are not (they may lead in circles, or out of the folder); hidden folders are passed over.
"""

import os
import tokenize
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from pipeline.core.errors import InputError
from pipeline.core.names import LOCAL_ALONE, is_address

Kind = Literal["python", "json", "parquet", "arrow", "saved"]

COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
_SUFFIXES: dict[str, Kind] = {
    ".py": "python",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
_NOT_IN_FOLDERS = (".json",)
"""Kinds that are read where they are named, and not where they lie in a folder: there they describe other files."""
_PASSED_OVER = frozenset({"__pycache__", "node_modules"})
SHOWN = 5
"""Names or kinds that a note lists."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file, or a folder that `datasets.save_to_disk` wrote. label: its name in messages and origins."""

    path: Path
    kind: Kind
    label: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files in the order in which they are read, and what a person should know about what is not."""

    files: tuple[Found, ...]
    notes: tuple[str, ...]


def shown(path: Path | str) -> str:
    """A path as text that every file can hold: bytes of a name that are not UTF-8 are written as \\xNN."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def bare_suffix(path: Path) -> str:
    """The suffix of the path, that of its compression left aside."""
    return path.with_suffix("").suffix if path.suffix in COMPRESSED else path.suffix


def kind_of(path: Path) -> Kind | None:
    """What a file is by its name; None where that is not known. Only JSON may be packed."""
    kind = _SUFFIXES.get(bare_suffix(path))
    return kind if kind == "json" or path.suffix not in COMPRESSED else None


def found(given: Path, skipped: Collection[Path] = (), *, code: bool = True) -> Inputs:
    """The files of one input. skipped: folders, resolved, that are not looked into. code: whether .py files are read.

    Raises InputError where it is not there, is of no known kind, or is a folder without anything to read.
    """
    if given.is_dir():
        if _is_saved(given):
            return Inputs((Found(given, "saved", shown(given)),), ())
        return _in_folder(given, skipped, code)
    if given.is_file():
        kind = kind_of(given)
        if kind is None or (kind == "python" and not code):
            unknown = "cannot tell what kind of file this is" if kind is None else "code, where data is wanted"
            last = ".parquet, .arrow or .py" if code else ".parquet or .arrow"
            raise InputError(
                f"{shown(given)}: {unknown}",
                hint=f"give .jsonl or .json (also {', '.join(COMPRESSED)}), {last}, or a folder",
            )
        return Inputs((_file(given, kind, shown(given)),), ())
    if given.exists():
        raise InputError(f"{shown(given)}: neither a file nor a folder", hint="write what it gives into a file first")
    hint = LOCAL_ALONE if is_address(given) else "check the path"
    raise InputError(f"{shown(given)}: no such file or folder", hint=hint)


def walked(
    top: Path, passed_over: Collection[str] = (), skipped: Collection[Path] = (), links: list[Path] | None = None
) -> Iterator[Path]:
    """All that is not a folder below `top`, by name, and folders of saved datasets, which are not looked into.

    passed_over: names of folders that are not looked into; skipped: such folders, resolved; hidden ones never are.
    links: where links to folders, which are not followed, are put. Raises InputError where a folder cannot be listed.
    """

    def refused(error: OSError) -> None:
        raise InputError(
            f"{shown(error.filename or top)}: cannot be listed: {error.strerror}", hint="change who may read it"
        ) from error

    kept: list[Path] = []
    for folder, folders, files in os.walk(top, onerror=refused):
        here = Path(folder)
        cached = _snapshot(here)
        if cached is not None:
            folders[:] = [name for name in folders if name == "snapshots"]
        elif here.name == "snapshots" and (chosen := _snapshot(here.parent)) is not None:
            folders[:] = [chosen]
        below = []
        for name in folders:
            path = here / name
            if name.startswith(".") or name in passed_over or (skipped and path.resolve() in skipped):
                continue
            if path.is_symlink():
                if links is not None:
                    links.append(path)
            elif _is_saved(path):
                kept.append(path)
            else:
                below.append(name)
        folders[:] = below
        kept.extend(here / name for name in files if not name.startswith("."))
    yield from sorted(kept, key=lambda path: path.relative_to(top).as_posix())


def _is_saved(folder: Path) -> bool:
    if (folder / "dataset_dict.json").is_file():
        return True
    return (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()


def _snapshot(folder: Path) -> str | None:
    """The snapshot to read where `folder` is a repository in the hub's cache: that of refs/main, else the newest."""
    snapshots = folder / "snapshots"
    if not (folder / "refs").is_dir() or not snapshots.is_dir():
        return None
    main = folder / "refs" / "main"
    name = main.read_text(encoding="utf-8", errors="replace").strip() if main.is_file() else ""
    if name and (snapshots / name).is_dir():
        return name
    there = sorted((path for path in snapshots.iterdir() if path.is_dir()), key=lambda p: (p.stat().st_mtime, p.name))
    return there[-1].name if there else None


def _file(path: Path, kind: Kind, label: str) -> Found:
    if kind != "python" and shown(path) != str(path):
        raise InputError(f"{label}: its name is not UTF-8, and such a table cannot be opened", hint="rename it")
    return Found(path, kind, label)


def _in_folder(folder: Path, skipped: Collection[Path], with_code: bool) -> Inputs:
    code: list[Found] = []
    data: list[Found] = []
    links: list[Path] = []
    others: Counter[str] = Counter()
    dropped = 0
    for path in walked(folder, _PASSED_OVER, skipped, links):
        kind = "saved" if path.is_dir() else kind_of(path)
        kind = None if kind == "python" and not with_code else kind
        label = shown(Path(folder.name or folder) / path.relative_to(folder)) if kind == "python" else shown(path)
        if _was_dropped(path, folder):
            dropped += 1
        elif (
            kind is None or bare_suffix(path) in _NOT_IN_FOLDERS or (kind == "arrow" and path.name.startswith("cache-"))
        ):
            others[path.suffix or "without suffix"] += 1
        else:
            (code if kind == "python" else data).append(_file(path, kind, label))
    name = shown(folder)
    notes = []
    if links:
        listed = ", ".join(shown(path) for path in links[:SHOWN])
        notes.append(f"{name}: links to folders are not followed: {_more(listed, len(links))}; name them to read them")
    if others:
        listed = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(SHOWN))
        notes.append(f"{name}: files of other kinds are not read: {_more(listed, len(others))}")
    if dropped:
        notes.append(f"{name}: {dropped} files of what Hornbook dropped are not read; name them to read them")
    scripts = [file for file in code if file.path.parent == folder and file.path.stem == folder.name]
    if data and len(code) == len(scripts):  # a dataset beside its loading script
        return Inputs(tuple(data), tuple(notes))
    if code:
        if data:
            notes.append(f"{name}: read as a folder of .py; name its {len(data)} data files to read those")
        return Inputs(tuple(code), tuple(notes))
    there = f", only {_more(', '.join(others), len(others))}" if others else ""
    kinds = ".py, .jsonl, .parquet or .arrow" if with_code else ".jsonl, .parquet or .arrow"
    raise InputError(
        f"{name}: no {kinds} file and no saved dataset in it{there}",
        hint="name a folder or file that has data",
    )


def _was_dropped(path: Path, folder: Path) -> bool:
    """Whether a file below `folder` holds what a stage, `clean` or `export` dropped, and `folder` is not just that."""
    here = path.parent
    if path.name.startswith("dropped-"):
        return (here / "manifest.json").is_file()
    results = here.name == "dropped" and here != folder
    return results and any((here.parent / name).is_file() for name in ("clean.json", "export.json"))


def _more(listed: str, count: int) -> str:
    return listed if count <= SHOWN else f"{listed} and {count - SHOWN} more"


UNDECODED = (SyntaxError, ValueError, LookupError)
"""What `decoded` raises, and the codings of Python's that a file may name (unicode_escape, undefined, ...)."""


def decoded(data: bytes) -> str:
    """Text of a Python file by its byte-order mark or coding line (PEP 263), UTF-8 without one; newlines unchanged.

    Raises one of `UNDECODED`; also for half of a surrogate pair, which some codings give and no file can store.
    """
    encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
    text = data.decode(encoding)
    if not text.isascii():
        text.encode("utf-8")
    return text
