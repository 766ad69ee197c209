"""What it means to be right: an item goes in, a ruling comes out, by execution and for validation and scoring alike.

A checker is a `Kind` in a file of its own (`KIND`), found by name (`pipeline.checkers.named`). One for another package
is an object of the same class under the entry-point group `hornbook.checkers`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol

from pipeline.sandbox.types import Mode

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Check = Mapping[str, Json]
"""What right means for one task, in its checker's own keys."""

BAD_CHECK = "bad-check"
"""The reason that every checker has: the item's check contradicts itself, so that nothing is known of the solution."""
BAD_CHECK_MEANS = "the check itself is malformed or does not hold, so that nothing is known of the solution"


@dataclass(frozen=True, slots=True)
class Item:
    """What is judged.

    id: returned with the ruling; changes no ruling. prompt: what the student reads. solution: what is judged, cut out
    of the answer. check: what right means here.
    """

    id: str
    prompt: str
    solution: str
    check: Check


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a checker says of an item.

    passed: None where nothing is known: the check itself is bad, or the machine could not judge. reason: "", or one of
    the checker's closed set; "" too where the machine could not judge, and then `detail` says why. expected, found: in
    words, cut short; "" where there are no such two. detail: one line for a person, with both. cpu_seconds: what the
    execution took.
    """

    id: str
    passed: bool | None
    reason: str = ""
    expected: str = ""
    found: str = ""
    detail: str = ""
    cpu_seconds: float = 0.0

    @property
    def state(self) -> Literal["right", "wrong", "unscored"]:
        """Unscored counts neither way."""
        return "unscored" if self.passed is None else "right" if self.passed else "wrong"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a ruling depends on beside the item; a user of a checker takes all of it into his key.

    cpu_seconds: of one item. memory_mb: address space beyond the interpreter's own, MiB. packages: distributions that
    programs may import. program: source of the folder's `check.py`, for the checker `python-check`.
    """

    cpu_seconds: float = 5.0
    memory_mb: int = 512
    packages: tuple[str, ...] = ()
    program: str = ""


@dataclass(frozen=True, slots=True)
class Means:
    """How fast and where; changes no ruling and enters no key."""

    workers: int = 1
    mode: Mode = "strong"


class Checker(Protocol):
    """Judges items. As a context manager it keeps what it needs running between calls; `rule` alone opens it itself."""

    @property
    def name(self) -> str: ...

    def __enter__(self) -> "Checker": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def rule(self, items: Iterable[Item]) -> Iterator[Ruling]:
        """One ruling an item, in order; reads `items` only as fast as it judges. One call at a time."""
        ...

    def manifest(self) -> dict[str, Any]:
        """What rulings depended on, for a manifest. Open checkers only."""
        ...


@dataclass(frozen=True, slots=True)
class Blind:
    """How solutions of a task are held against each other, where nothing else is known of a right one.

    What a check says by guess (rows, strings) counts in neither. alone: the check that a solution has to pass by
    itself. against: the one by which `solution` is what is right.
    """

    alone: Callable[[Check, str], Check]
    against: Callable[[Check, str], Check]


@dataclass(frozen=True, slots=True)
class Kind:
    """A checker's declaration.

    language: of the solution, by its name in `pipeline/languages/`. version: raised when the same item may come to be
    ruled on otherwise. what: in a few words. reasons: why it may find an item wrong, each with its meaning. keys: of
    `check`, each with its meaning. faults: why a check is itself malformed, all at once, with the key named; nothing is
    executed. make: a checker that is not open yet; raises RecipeError for terms that it cannot be made with.
    blind: how solutions of one task are held against each other; None for a checker that cannot.
    """

    name: str
    language: str
    version: int
    what: str
    reasons: Mapping[str, str]
    keys: Mapping[str, str]
    faults: Callable[[Check], list[str]]
    make: Callable[[Terms, Means], Checker]
    blind: "Blind | None" = None


def shortened(text: str, most: int = 200) -> str:
    """`text` on one line, at most about `most` characters of it."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}... ({len(text):,} characters)"


def right(item: Item, cpu_seconds: float = 0.0) -> Ruling:
    """The item is right."""
    return Ruling(item.id, True, cpu_seconds=cpu_seconds)


def wrong(item: Item, reason: str, expected: str, found: str, where: str = "", cpu_seconds: float = 0.0) -> Ruling:
    """The item is wrong. where: in which case of several, a few words that the detail begins with."""
    expected, found = shortened(expected), shortened(found)
    detail = f"expected {expected}, got {found}" if expected else found
    return Ruling(item.id, False, reason, expected, found, f"{where}: {detail}" if where else detail, cpu_seconds)


def bad_check(item: Item, faults: Sequence[str]) -> Ruling:
    """Nothing is known of the item, for its check is malformed or does not hold."""
    return Ruling(item.id, None, BAD_CHECK, detail=shortened("; ".join(faults), 400))


def unscored(item: Item, why: str) -> Ruling:
    """Nothing is known of the item, for the machine could not judge."""
    return Ruling(item.id, None, detail=why)
