"""A domain as it is read from its folder: what a corpus is about, what is asked, what it means to be right."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.records import Choice, Column, DocumentKind

TEMPLATES = {
    "passage": "passage.md",
    "exercise": "exercise.md",
    "calls": "exercise-calls.md",
    "complete": "complete.md",
    "value": "judge/value.md",
    "reword": "reword.md",
}
"""The templates that a domain may have, and where they lie below its folder unless `[templates]` says otherwise."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an axis. columns: sorted by name. kinds: of documents that may have it. only: "topic" or
    another axis -> the topics, or values, with which it may come together; empty for all."""

    key: str
    name: str
    columns: tuple[Column, ...]
    kinds: tuple[DocumentKind, ...]
    only: Mapping[str, tuple[str, ...]]

    def suits(self, topic: str, chosen: Mapping[str, str]) -> bool:
        """Whether it may come with a topic and with what was chosen on the axes before; chosen: axis -> key."""
        for axis, allowed in self.only.items():
            if axis == "topic":
                if not any(below(topic, prefix) for prefix in allowed):
                    return False
            elif chosen.get(axis) not in allowed:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Axis:
    """In what texts of one topic differ. values: sorted by their keys. columns: of every value."""

    name: str
    values: tuple[Value, ...]
    columns: tuple[str, ...]

    def of(self, kind: DocumentKind) -> dict[str, Value]:
        """The values that documents of a kind may have, by key."""
        return {value.key: value for value in self.values if kind in value.kinds}

    def choice(self, value: Value) -> Choice:
        return Choice(axis=self.name, name=value.name, columns=value.columns)

    @property
    def variables(self) -> tuple[str, ...]:
        """What a template calls the axis and its columns."""
        return (self.name, *(f"{self.name}_{column}" for column in self.columns))


@dataclass(frozen=True, slots=True)
class Part:
    """Where the parts of a teacher's exercise stand in its answer: tags of fenced blocks.

    task: "" for the prose before the first block. check: "" where the teacher writes none.
    """

    task: str
    solution: str
    check: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What is made of the parts of an answer: Jinja2 sources. check: "" for the teacher's block as it is."""

    prompt: str
    check: str


@dataclass(frozen=True, slots=True)
class Given:
    """An item of the folder: a task with its check and a solution. place: file and line. solution: "" where none is
    known. group: a named part of the problems, or ""."""

    id: str
    prompt: str
    solution: str
    check: Mapping[str, Any]
    place: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Twin:
    """A wrong solution that the check must reject. why: what is wrong with it."""

    solution: str
    why: str
    place: str


@dataclass(frozen=True, slots=True)
class Gold:
    """An example: an item that is right, and wrong twins of its solution."""

    item: Given
    wrong: tuple[Twin, ...]


@dataclass(frozen=True, slots=True)
class Domain:
    """A folder, read and checked.

    text: BCP 47 tag of the prose. topics: leaf path -> title, sorted. axes: in the order in which they are dealt, each
    after those that its values' `only` names. names: topic prefix -> names. templates: by the names of `TEMPLATES`,
    path below the folder, those that are there. answer, shape: None where the language is Python. program: source of
    `check.py`, "" for none.
    """

    folder: Path
    name: str
    title: str
    licence: str
    text: str
    language: str
    checker: str
    packages: tuple[str, ...]
    topics: Mapping[str, str]
    axes: tuple[Axis, ...]
    names: Mapping[str, tuple[str, ...]]
    words: tuple[str, ...]
    templates: Mapping[str, str]
    answer: Part | None
    shape: Shape | None
    examples: tuple[Gold, ...]
    problems: tuple[Given, ...]
    tasks: tuple[Given, ...]
    program: str

    def name_group(self, topic: str) -> str | None:
        """The longest prefix of `topic` that has names, "" for the general group; None where there is none."""
        parts = topic.split("/")
        for length in range(len(parts), -1, -1):
            prefix = "/".join(parts[:length])
            if prefix in self.names:
                return prefix
        return None

    def template(self, name: str) -> Path:
        """Where the template of a name of `TEMPLATES` lies, or would lie."""
        return self.folder / self.templates.get(name, TEMPLATES[name])

    @property
    def variables(self) -> frozenset[str]:
        """What a template may use beside `core.template.SEED_VARIABLES`."""
        return frozenset(name for axis in self.axes for name in axis.variables)


def below(topic: str, prefix: str) -> bool:
    """Whether a topic is `prefix` or lies below it."""
    return topic == prefix or topic.startswith(prefix + "/")


def prefixes(topics: Mapping[str, str]) -> set[str]:
    """All topics and all branches above them."""
    return {"/".join(topic.split("/")[:length]) for topic in topics for length in range(1, topic.count("/") + 2)}
