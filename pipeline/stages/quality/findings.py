"""What was found in a text, where in the text it counts, and how it is masked."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.languages.base import Language
from pipeline.languages.fences import code_blocks


@dataclass(frozen=True, slots=True)
class Finding:
    """One secret or piece of personal data. kind: for a person, "AWS access key"; start, stop: characters."""

    kind: str
    start: int
    stop: int


_MARKS = {
    "e-mail address": "<EMAIL>",
    "IP address": "<IP>",
    "phone number": "<PHONE>",
    "password in a URL": "<PASSWORD>",
}
"""StarCoder's marks (Li et al. 2023, 4) and one more for telephone numbers; every other kind becomes <KEY>."""

_LINE_END = re.compile(r"\r\n|\r|\n")


def in_words(text: str, findings: Iterable[Finding], language: Language) -> Iterator[Finding]:
    """Those findings that do not lie in operators and names of code: in Python `weights@layer.bias` is no address.

    In text of the language (or in a fenced block of it), a finding counts where it begins in a string or a comment;
    everywhere else it counts.
    """
    doubtful: list[Finding] = []
    for finding in findings:
        if _quoted(text, finding):
            yield finding
        else:
            doubtful.append(finding)
    if not doubtful:
        return
    bare = language.bare(text) or _bare_code_of_blocks(text, language)
    starts = [start for start, _ in bare]
    for finding in doubtful:
        place = bisect_right(starts, finding.start) - 1
        if place < 0 or finding.start >= bare[place][1]:
            yield finding


_OPEN = ("<", '"', "'")
_CLOSE = (">", '"', "'")


def _quoted(text: str, finding: Finding) -> bool:
    """Whether a finding is plainly in a string or a comment, so that the text need not be parsed."""
    line = text[text.rfind("\n", 0, finding.start) + 1 : finding.start]
    around = line[-1:], text[finding.stop : finding.stop + 1]
    return line.lstrip()[:1] == "#" or (around[0] in _OPEN and around[1] in _CLOSE)


def _bare_code_of_blocks(markdown: str, language: Language) -> list[tuple[int, int]]:
    """What is bare in the fenced blocks of the language, as character ranges of the whole text."""
    starts = [0, *(found.end() for found in _LINE_END.finditer(markdown)), len(markdown)]
    found: list[tuple[int, int]] = []
    for block in code_blocks(markdown):
        if not language.holds(block):
            continue
        lines = block.code.split("\n")
        # Where each line of the block begins in its code and in the text, which has the indent of the fence as well.
        here = [0]
        for line in lines:
            here.append(here[-1] + len(line) + 1)
        for start, stop in language.bare(block.code):
            row = bisect_right(here, start) - 1
            line_start, line_end = starts[block.line + row], starts[block.line + row + 1]
            indent = len(markdown[line_start:line_end].rstrip("\r\n")) - len(lines[row])
            offset = line_start + max(indent, 0) - here[row]
            found.append((start + offset, stop + offset))
    return found


def masked(text: str, findings: Iterable[Finding]) -> str:
    """`text` with every finding replaced by its mark; overlapping findings become the mark of the first."""
    parts: list[str] = []
    at = 0
    for finding in sorted(findings, key=lambda f: (f.start, -f.stop)):
        if finding.start >= at:
            parts.extend((text[at : finding.start], _MARKS.get(finding.kind, "<KEY>")))
            at = finding.stop
    return "".join((*parts, text[at:]))


def described(text: str, finding: Finding) -> str:
    """The finding for a person, without the secret itself: its kind, line and first characters."""
    line = text.count("\n", 0, finding.start) + 1
    length = finding.stop - finding.start
    return f"{finding.kind} at line {line}: {text[finding.start : finding.start + 4]}... ({length} characters)"
