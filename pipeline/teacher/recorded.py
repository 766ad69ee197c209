"""A recorded corpus: what a teacher answered, compressed, for a replay teacher to answer from.

A recording is a folder with `journal.jsonl.xz`, a journal as runs write it (`pipeline.teacher.journal`), and
`recording.json`, which says whose answers they are. Shipped ones lie below `data/recorded/` and are named
`recorded:NAME` in `teachers.replay`.
"""

import contextlib
import dataclasses
import json
import lzma
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from pipeline.core.contents import digest_of, file_digest
from pipeline.core.errors import InputError, RecipeError
from pipeline.core.resources import shipped
from pipeline.store.disk import write_atomically
from pipeline.store.locks import own_folder
from pipeline.teacher.lines import Entry, encode, entries, shards
from pipeline.teacher.protocol import answer_key

PREFIX = "recorded:"
JOURNAL = "journal.jsonl.xz"
ABOUT = "recording.json"


def replayed(spec: str) -> Path:
    """The journal, or folder with journals or recordings, that `teachers.replay` names.

    spec: a path, in which variables and "~" are expanded, or `recorded:NAME` for a shipped recording. Raises
    RecipeError where there is no shipped recording of that name; a path is not looked at.
    """
    if not spec.startswith(PREFIX):
        return Path(os.path.expandvars(spec)).expanduser()
    name, folder = spec.removeprefix(PREFIX), shipped("recorded")
    names = sorted(path.parent.name for path in folder.glob(f"*/{JOURNAL}"))
    if name not in names:
        raise RecipeError(
            f"no shipped recording {name!r}; there are {names}", hint="name one of them, or the path of a journal"
        )
    return folder / name


def journals(place: Path) -> list[Path]:
    """The journals at `place`, plain and recorded: the file itself, or all below the folder, in a fixed order."""
    return shards(place) + (sorted(place.rglob(JOURNAL)) if place.is_dir() else [])


def contents(place: Path) -> list[list[str]]:
    """What tells the journals at `place` from others, for keys: each recording's bytes, the plain ones' contents."""
    found = journals(place)
    plain = [(path.name, path) for path in found if path.suffix != ".xz"]
    recordings = [[file_digest(path)] for path in found if path.suffix == ".xz"]
    return recordings + ([[digest_of(plain)]] if plain else [])


@contextlib.contextmanager
def unpacked(place: Path) -> Iterator[list[Path]]:
    """Plain journals of all that is at `place`; those of recordings are deleted at the end.

    Raises InputError where a recording is not whole.
    """
    with own_folder() as scratch:
        found = []
        for number, path in enumerate(journals(place)):
            if path.suffix == ".xz":
                plain = scratch / f"journal-{number:05}.jsonl"
                _unpack(path, plain)
                path = plain
            found.append(path)
        yield found


def _unpack(path: Path, plain: Path) -> None:
    try:
        with lzma.open(path) as packed, plain.open("wb") as out:
            shutil.copyfileobj(packed, out)
    except (lzma.LZMAError, EOFError) as error:
        raise InputError(f"{path} is not whole: {error}", hint="install hornbook again, or record again") from error


def pack(
    places: Iterable[Path],
    variants: Collection[str],
    folder: Path,
    about: Mapping[str, Any],
    asked: Collection[str] | None = None,
) -> dict[str, Any]:
    """Write the answers of one teacher in the journals at `places` as a recording; returns its `recording.json`.

    variants: `answer_key`'s, of which an answer must have one to be taken, so other teachers' stay out. Answers come in
    the order of their keys, each once: where it was asked twice, the later one. A question has one answer, whatever the
    order of the journals: where several variants gave one, that which the recording holds already stays, so it grows on
    whichever machine; of others that with the greatest key is taken. about: what it says of itself, beside the counts.
    asked: digests of messages, of which an answer must answer one to be taken or to stay; None for any.
    """
    taken: dict[tuple[str, int], Entry] = {}

    def take(found: Iterable[Entry], held: Collection[str]) -> None:
        """held: keys that give way to no other."""
        for entry in found:
            if asked is not None and entry.messages not in asked:
                continue
            if entry.key in {answer_key(variant, entry.messages, entry.number) for variant in variants}:
                known = taken.setdefault((entry.messages, entry.number), entry)
                if known.key == entry.key or (known.key < entry.key and known.key not in held):
                    taken[entry.messages, entry.number] = entry

    with unpacked(folder) as there:
        take((entry for place in there for entry in entries(place)), ())
    take((entry for place in places for entry in entries(place)), {entry.key for entry in taken.values()})
    told = {
        **about,
        "answers": len(taken),
        "prompt_tokens": sum(entry.prompt_tokens for entry in taken.values()),
        "completion_tokens": sum(entry.completion_tokens for entry in taken.values()),
    }

    def write(file: IO[bytes]) -> None:
        with lzma.open(file, "wb", preset=9 | lzma.PRESET_EXTREME) as out:
            for entry in sorted(taken.values(), key=lambda entry: entry.key):
                out.write(encode(entry, json.dumps(entry.body).encode()))

    write_atomically(folder / JOURNAL, write)
    write_atomically(folder / ABOUT, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return told


def unpack(folder: Path, variants: Collection[str], journal: Path) -> None:
    """Write what is recorded in `folder` as a journal that a run finds its answers in, whichever variant it asks.

    variants: `answer_key`'s, all those of the model that has answered: each answer is written under the key of each, so
    that a machine which would ask by another engine than the recording's does not ask again. Without a recording in
    `folder` the journal is empty.
    """

    def write(file: IO[bytes]) -> None:
        with unpacked(folder) as there:
            for entry in (entry for place in there for entry in entries(place)):
                for variant in sorted(variants):
                    key = answer_key(variant, entry.messages, entry.number)
                    file.write(encode(dataclasses.replace(entry, key=key), json.dumps(entry.body).encode()))

    write_atomically(journal, write)
