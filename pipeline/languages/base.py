"""What the stages need of a language in which solutions are written, found by name (`finding.py`)."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple, Protocol

from pipeline.languages.fences import Block, code_blocks
from pipeline.languages.normalise import read_answer

Stop = Callable[[str], int | None]
"""Given the text generated so far: the index at which to cut it, or None to go on. Each text begins with the one
before."""

LONGEST = 20_000
"""Characters of a solution that is parsed for its form; a longer one has none."""


class Found(NamedTuple):
    """text: the solution, ending in one newline. line: of the answer as normalised, from 1, at which its fence opens, 0
    where it has none."""

    text: str
    line: int = 0


class Missing(NamedTuple):
    """Why an answer has no solution: a reason of the stage `documents`, and a detail with both numbers."""

    reason: Literal["no-code", "unclosed-fence", "unparsable"]
    detail: str


class Language(Protocol):
    """One language.

    name: as in `language = "NAME"` of a domain. tags: of fences that hold it, in small letters. stop_strings: what
    ends an answer, for endpoints, which take at most four. min_alphanumeric: smallest share of letters and digits of
    a text that is worth reading.
    """

    @property
    def name(self) -> str: ...

    @property
    def tags(self) -> frozenset[str]: ...

    @property
    def stop_strings(self) -> tuple[str, ...]: ...

    @property
    def min_alphanumeric(self) -> float: ...

    def holds(self, block: Block) -> bool:
        """Whether a fenced block is of this language, by its tag or where that says nothing by its content."""
        ...

    def solution(self, answer: str) -> Found | Missing:
        """The solution in a model's whole answer."""
        ...

    def flaw(self, text: str) -> str:
        """Why `text` is none of this language, "" where it is. Nothing is executed; never raises."""
        ...

    def normal_form(self, text: str, *, constants: bool = True) -> bytes:
        """16-byte digest, equal for two texts that differ in layout, comments and the names that they bind; b"" for a
        text without one. constants: False makes texts equal that differ only in their literals."""
        ...

    def shape(self, text: str) -> tuple[str, ...]:
        """Kinds of what the text is made of, in order, without names and literals; () for a text without a form. Two
        of them are compared by `match_rate`, or by their n-grams."""
        ...

    def bare(self, text: str) -> list[tuple[int, int]]:
        """Character ranges, in order, of the names and operators: of what is neither string nor comment, in which a
        person would have written something. [] for a text that is none of this language, or that is all words."""
        ...

    def stop(self, prompt: str) -> Stop:
        """Where a student's answer ends that continues `prompt`."""
        ...


def match_rate(one: Sequence[str], other: Sequence[str]) -> float:
    """1 - (Levenshtein distance) / (length of the longer) of two shapes, in [0, 1]; 0 where one of them is empty."""
    if not one or not other:
        return 0.0
    row = list(range(len(other) + 1))
    for i, mine in enumerate(one, start=1):
        above, row[0] = row[0], i
        for j, theirs in enumerate(other, start=1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (mine != theirs))
    return 1 - row[-1] / max(len(one), len(other))


def digest(parts: Iterable[str]) -> bytes:
    """16 bytes for a form in parts; b"" for none."""
    text = "\x00".join(parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() if text else b""


def cut_before(*strings: str) -> Stop:
    """The stop before the first of some strings, once the text has said something."""

    def stop(text: str) -> int | None:
        start = len(text) - len(text.lstrip())
        places = [place for place in (text.find(string, start) for string in strings) if place >= 0]
        return min(places) if start < len(text) and places else None

    return stop


def chosen_block(answer: str, holds: Callable[[Block], bool], what: str) -> tuple[Found | Missing, str]:
    """The first block that `holds`, and the normalised answer, for those who look further where there is none."""
    read = read_answer(answer)
    blocks = code_blocks(read.text)
    for block in filter(holds, blocks):
        if not block.closed:
            return Missing("unclosed-fence", f"the fence opened on line {block.line} is not closed"), read.text
        if block.code.strip():
            return Found(block.code.strip("\n") + "\n", block.line), read.text
    tags = ", ".join(sorted({block.tag or "no tag" for block in blocks}))
    found = f"0 {what} blocks of {len(blocks)} ({tags})" if blocks else "0 fenced blocks"
    return Missing("no-code", found + "; the answer ends inside its reasoning" * read.unfinished), read.text


def lines_outside(text: str) -> list[str]:
    """The lines of a text that are in no fenced block, without fences."""
    inside: set[int] = set()
    for block in code_blocks(text):
        inside |= set(range(block.line, block.line + block.code.count("\n") + 2))
    return [line for number, line in enumerate(text.split("\n"), start=1) if number not in inside]
