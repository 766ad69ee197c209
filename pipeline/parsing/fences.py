"""Fenced code in a teacher's Markdown, found in one pass over the lines.

As CommonMark 0.31 (section 4.5), with what models write taken into account:

- a fence may be indented at any depth, as inside a list; its indent is removed from the lines of the block;
- a fence inside a triple-quoted string of Python code does not close the block (Markdown in a docstring);
- an answer that is wrapped as a whole in a `markdown` fence is unwrapped;
- reasoning before `</think>` at the start of an answer is no part of it.

Indented code without a fence is prose here: in the answers of chat models it nearly always is.
"""

import re
from dataclasses import dataclass

PYTHON_TAGS = frozenset({"python", "py", "python3", "py3", "python2", "ipython", "ipython3"})
CONSOLE_TAGS = frozenset({"pycon", "doctest"})

_OPENING = re.compile(r"^([ \t]*)(`{3,}|~{3,})([^\n]*)$")
_TAG = re.compile(r"\{?\.?([A-Za-z0-9_+#-]*)")
_INDENT_OF_CLOSING = 3
"""A closing fence may be indented by up to three spaces more than the opening one (CommonMark)."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    tag: first word of the info string, lower case, "" for none. code: the lines inside, each ending in a newline.
    line: of the opening fence in the text, counted from 1. closed: whether a closing fence was found.
    """

    tag: str
    code: str
    line: int
    closed: bool

    @property
    def is_python(self) -> bool:
        """Whether the tag says Python, or nothing."""
        return not self.tag or self.tag in PYTHON_TAGS


@dataclass(frozen=True, slots=True)
class Opening:
    """An opening fence: its indent, in columns, its character, its length and its tag."""

    indent: int
    character: str
    length: int
    tag: str

    def closed_by(self, line: str) -> bool:
        """Whether `line` is a closing fence for this one."""
        text = line.strip()
        return (
            len(text) >= self.length
            and text == self.character * len(text)
            and _width(line) <= self.indent + _INDENT_OF_CLOSING
        )


def normalised(text: str) -> str:
    """`text` with `\\n` line endings, without reasoning before `</think>` or a `markdown` fence around it all."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    if text.lstrip().startswith("<think>"):
        _, ended, answer = text.partition("</think>")
        text = answer if ended else text
    lines = text.strip().split("\n")
    opening = opening_fence(lines[0])
    if opening and opening.tag in {"markdown", "md"} and len(lines) > 1 and opening.closed_by(lines[-1]):
        return "\n".join(lines[1:-1])
    return text


def opening_fence(line: str) -> Opening | None:
    """The opening fence on `line`, or None."""
    found = _OPENING.match(line)
    if not found:
        return None
    indent, fence, info = found.groups()
    if fence[0] == "`" and "`" in info:
        return None
    tag = _TAG.match(info.strip())
    return Opening(_width(indent), fence[0], len(fence), tag.group(1).lower() if tag else "")


def code_blocks(text: str) -> list[Block]:
    """All fenced blocks of normalised Markdown, in order. Linear in the length of `text`; never raises."""
    lines = text.split("\n")
    blocks: list[Block] = []
    strings_matter = True
    at = 0
    while at < len(lines):
        opening = opening_fence(lines[at])
        if opening is None:
            at += 1
            continue
        first, stop = _closing(lines, at + 1, opening, strings_matter)
        if stop is None and first is not None:
            # A string that never ends: the first fence closed the block after all. Trusting strings again would cost
            # another pass to the end of the text for every such block.
            stop, strings_matter = first, False
        end = len(lines) if stop is None else stop
        code = "".join(_dedented(line, opening.indent) + "\n" for line in lines[at + 1 : end])
        blocks.append(Block(opening.tag, code, at + 1, stop is not None))
        at = end + 1
    return blocks


def _closing(lines: list[str], start: int, opening: Opening, strings_matter: bool) -> tuple[int | None, int | None]:
    """The first line that looks like the closing fence, and the first of these that is not inside a string."""
    first = None
    quotes = ""
    strings_matter = strings_matter and (not opening.tag or opening.tag in PYTHON_TAGS)
    for at in range(start, len(lines)):
        if opening.closed_by(lines[at]):
            first = at if first is None else first
            if not quotes:
                return first, at
        if strings_matter:
            quotes = open_string(lines[at], quotes)
    return first, None


def open_string(line: str, quotes: str = "") -> str:
    """The triple quotes open after a line of Python, given those open before it; "" for none.

    Knows comments, strings on one line and backslashes; a raw string's last backslash is taken as an escape.
    """
    at = 0
    while at < len(line):
        if quotes:
            if line[at] == "\\":
                at += 2
            elif line.startswith(quotes, at):
                at += 3
                quotes = ""
            else:
                at += 1
            continue
        character = line[at]
        if character == "#":
            break
        if character in "\"'":
            if line.startswith(character * 3, at):
                quotes = character * 3
                at += 3
            else:
                at = _after_short_string(line, at)
        else:
            at += 1
    return quotes


def _after_short_string(line: str, at: int) -> int:
    quote = line[at]
    at += 1
    while at < len(line) and line[at] != quote:
        at += 2 if line[at] == "\\" else 1
    return at + 1


def _width(line: str) -> int:
    """Columns of leading white space; a tab counts as four."""
    return len((line[: len(line) - len(line.lstrip(" \t"))]).replace("\t", "    "))


def _dedented(line: str, indent: int) -> str:
    """`line` without up to `indent` columns of leading white space."""
    at = columns = 0
    while columns < indent and at < len(line) and line[at] in " \t":
        columns += 4 if line[at] == "\t" else 1
        at += 1
    return line[at:]
