"""The data folder behind the seeds: topics, audiences, forms, function names and words, read and checked as a whole.

::

    topics.toml          [strings.slicing]              a branch; `title` is its own title, every other key a leaf:
                         title = "Slicing"
                         steps = "Slicing with a step"   topic "strings/slicing/steps"
    audiences.toml       [school-pupil]                  name = "a pupil ...", differs = "how the text differs"
    forms.toml           [textbook.worked-example]       as audiences, under `textbook` and under `exercise`
    function_names.toml  "strings/slicing" = [...]       names for the leaves below a topic path; "" for all others
    words.toml           household = [...]               groups are for the reader of the file only

A folder of the user's is checked before anything is drawn, and an error lists every problem with its file, key and,
where the key can be found in the text, its line.
"""

import builtins
import difflib
import keyword
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError, RecipeError
from pipeline.core.identity import digest
from pipeline.core.records import DocumentKind
from pipeline.core.resources import shipped
from pipeline.recipe import SeedsTable

FILES = ("topics.toml", "audiences.toml", "forms.toml", "function_names.toml", "words.toml")
KINDS: tuple[DocumentKind, ...] = ("textbook", "exercise")
TITLE = "title"
"""The key of a branch that names the branch itself, and so can be no leaf's."""

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Note:
    """An audience or a form. name: as it stands in a sentence; differs: how a text for it differs from any other."""

    key: str
    name: str
    differs: str


@dataclass(frozen=True, slots=True)
class Curriculum:
    """A data folder, checked.

    topics: leaf path -> title, sorted by path. names: topic prefix -> function names. Forms are by document kind.
    """

    topics: dict[str, str]
    audiences: tuple[Note, ...]
    forms: dict[DocumentKind, tuple[Note, ...]]
    names: dict[str, tuple[str, ...]]
    words: tuple[str, ...]

    def name_group(self, topic: str) -> str | None:
        """The longest prefix of `topic` that has function names, "" for the general group; None where there is none."""
        parts = topic.split("/")
        for length in range(len(parts), -1, -1):
            prefix = "/".join(parts[:length])
            if prefix in self.names:
                return prefix
        return None


class _Problems:
    """Collects the problems of one data file; `line` finds where a key stands."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        self.found: list[str] = []

    def add(self, key: str, message: str) -> None:
        line = self.line(key)
        place = f"{self.path}:{line}" if line else str(self.path)
        self.found.append(f"{place}: {message}")

    def line(self, key: str) -> int | None:
        """Line on which `key` is set, or its table opened, counted from 1; for a list's item, where it first occurs."""
        last = re.escape(key.rpartition(".")[2] if "/" not in key else key)
        for pattern in (rf'^\s*"?{last}"?\s*=', rf"^\s*\[.*{last}.*\]", rf'"{last}"'):
            found = re.search(pattern, self.text, re.MULTILINE)
            if found:
                return self.text.count("\n", 0, found.start()) + 1
        return None


def folder(table: SeedsTable) -> Path:
    """The data folder that a recipe's `seeds` table means."""
    return Path(table.data) if table.data else shipped("seeds")


def data_digest(table: SeedsTable) -> str:
    """Digest of the data folder's meaning: comments, layout and the order of keys do not change it."""
    place = folder(table)
    return digest({name: _read(place / name)[0] for name in FILES})


def load(table: SeedsTable) -> Curriculum:
    """Read and check the data folder, cut down to `table.topics`.

    Raises InputError that lists every problem of the folder, RecipeError where `seeds.topics` names no topic.
    """
    return _selected(read_folder(folder(table)), table.topics)


def read_folder(place: Path) -> Curriculum:
    """Read and check all five files of a folder. Raises InputError."""
    problems: list[str] = []
    parsed: dict[str, tuple[dict[str, Any], _Problems]] = {}
    for name in FILES:
        data, text = _read(place / name)
        parsed[name] = (data, _Problems(place / name, text))
    curriculum = Curriculum(
        topics=dict(sorted(_topics(*parsed["topics.toml"]).items())),
        audiences=_notes(parsed["audiences.toml"][0], "", parsed["audiences.toml"][1]),
        forms=_forms(*parsed["forms.toml"]),
        names=_names(*parsed["function_names.toml"]),
        words=_words(*parsed["words.toml"]),
    )
    names = parsed["function_names.toml"][1]
    for topic in curriculum.topics:
        if curriculum.name_group(topic) is None:
            names.add(topic, f"no function names for topic '{topic}'; add a list under it, a prefix of it, or \"\"")
    for prefix in curriculum.names:
        if prefix and not any(_below(topic, prefix) for topic in curriculum.topics):
            names.add(prefix, f"'{prefix}' is no topic{_nearest(prefix, _prefixes(curriculum.topics))}")
    for name in FILES:
        problems += parsed[name][1].found
    if problems:
        raise InputError("\n".join(problems), hint="the format of the five files is in the shipped data/seeds/")
    return curriculum


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            f"{path} is missing; a folder of seeds holds {', '.join(FILES)}",
            hint="copy the shipped data/seeds/ and change what you need",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="it should be a TOML file in UTF-8") from None
    try:
        return tomllib.loads(text), text
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}", hint="correct that line") from None


def _topics(data: dict[str, Any], problems: _Problems) -> dict[str, str]:
    topics: dict[str, str] = {}

    def walk(branch: dict[str, Any], parts: tuple[str, ...]) -> None:
        for key, value in branch.items():
            dotted = ".".join((*parts, key))
            if isinstance(value, dict):
                if not _SLUG.fullmatch(key):
                    problems.add(dotted, f"branch '{dotted}' should be lower-case words joined by dashes")
                walk(value, (*parts, key))
            elif not isinstance(value, str) or not value.strip():
                problems.add(dotted, f"'{dotted}' should be a title in words, got {value!r}")
            elif key != TITLE:
                if not _SLUG.fullmatch(key):
                    problems.add(dotted, f"leaf '{dotted}' should be lower-case words joined by dashes")
                if len(parts) != 2:
                    problems.add(dotted, f"leaf '{dotted}' is at level {len(parts) + 1}; leaves are at level 3")
                topics["/".join((*parts, key))] = value.strip()

    walk(data, ())
    if not topics:
        problems.add("", "no topic; add a table [branch.section] with leaves")
    return topics


def _notes(data: dict[str, Any], parent: str, problems: _Problems) -> tuple[Note, ...]:
    notes = []
    for key, value in sorted(data.items()):
        dotted = f"{parent}.{key}" if parent else key
        if not isinstance(value, dict) or set(value) != {"name", "differs"}:
            got = sorted(value) if isinstance(value, dict) else repr(value)
            problems.add(dotted, f"'{dotted}' should be a table with the keys name and differs, got {got}")
            continue
        empty = [part for part in ("name", "differs") if not isinstance(value[part], str) or not value[part].strip()]
        if empty:
            problems.add(dotted, f"'{dotted}.{empty[0]}' should be text, got {value[empty[0]]!r}")
            continue
        notes.append(Note(key, " ".join(value["name"].split()), " ".join(value["differs"].split())))
    if not notes and not problems.found:
        problems.add(parent, f"no entry under '{parent}'" if parent else "no entry; add a table with name and differs")
    return tuple(notes)


def _forms(data: dict[str, Any], problems: _Problems) -> dict[DocumentKind, tuple[Note, ...]]:
    for key in data:
        if key not in KINDS:
            problems.add(key, f"unknown table '{key}'; forms are under {' and '.join(KINDS)}")
    forms: dict[DocumentKind, tuple[Note, ...]] = {}
    for kind in KINDS:
        section = data.get(kind)
        if not isinstance(section, dict):
            problems.add(kind, f"no forms for kind {kind}; add a table [{kind}.some-form]")
            section = {}
        else:
            forms[kind] = _notes(section, kind, problems)
    return forms


def _strings(value: Any, key: str, problems: _Problems) -> list[str]:
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return value
    problems.add(key, f"'{key}' should be a list of strings with at least one item, got {value!r:.80}")
    return []


def why_not_a_name(name: str) -> str:
    """Why `name` cannot be the name of an exercise's function, or "".

    Built-in names are refused because a body that uses the built-in would call itself.
    """
    if not name.isidentifier() or not name.isascii():
        return "is no Python identifier"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return "is a Python keyword"
    if hasattr(builtins, name):
        return "is a built-in, which the body would then call instead"
    if name.startswith("_"):
        return "starts with an underscore"
    return ""


def _names(data: dict[str, Any], problems: _Problems) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    owner: dict[str, str] = {}
    for prefix, value in sorted(data.items()):
        names = _strings(value, prefix, problems)
        for name in names:
            reason = why_not_a_name(name)
            if reason:
                problems.add(name, f"function name '{name}' under \"{prefix}\" {reason}; choose another")
            elif name in owner:
                problems.add(name, f'function name \'{name}\' is under "{owner[name]}" and under "{prefix}"; keep one')
            owner[name] = prefix
        if names:
            groups[prefix] = tuple(names)
    return groups


def _words(data: dict[str, Any], problems: _Problems) -> tuple[str, ...]:
    words: dict[str, str] = {}
    for group, value in sorted(data.items()):
        for word in _strings(value, group, problems):
            if not word.isalpha() or not word.islower():
                problems.add(word, f"word {word!r} under '{group}' should be one lower-case word")
            elif word in words:
                problems.add(word, f"word '{word}' is under '{words[word]}' and under '{group}'; keep one")
            words[word] = group
    if not words and not problems.found:
        problems.add("", "no words; add a list under any key")
    return tuple(words)


def _below(topic: str, prefix: str) -> bool:
    return topic == prefix or topic.startswith(prefix + "/")


def _prefixes(topics: dict[str, str]) -> set[str]:
    return {topic.rsplit("/", cut)[0] for topic in topics for cut in (0, 1, 2)}


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _selected(curriculum: Curriculum, prefixes: tuple[str, ...]) -> Curriculum:
    if not prefixes:
        return curriculum
    wanted = tuple(prefix.strip("/") for prefix in prefixes)
    unknown = [prefix for prefix in wanted if not any(_below(topic, prefix) for topic in curriculum.topics)]
    if unknown:
        known = _prefixes(curriculum.topics)
        lines = [f"'seeds.topics': no topic is at or below '{prefix}'{_nearest(prefix, known)}" for prefix in unknown]
        branches = sorted({topic.split("/")[0] for topic in curriculum.topics})
        raise RecipeError("\n".join(lines), hint=f"the branches are {', '.join(branches)}")
    topics = {t: title for t, title in curriculum.topics.items() if any(_below(t, prefix) for prefix in wanted)}
    return Curriculum(topics, curriculum.audiences, curriculum.forms, curriculum.names, curriculum.words)
