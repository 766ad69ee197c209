"""Fenced code in Markdown: the one reader for what teachers and chat models write.

Blocks are found by markdown-it-py as CommonMark 0.31 has them (section 4.5), in list items and block quotes too. Where
models write what CommonMark reads otherwise, the reader follows what is meant:

- a fence may be indented at any depth, by a tab too, and stand right after a line of prose;
- a fence inside a triple-quoted string of Python code does not close the block (Markdown in a docstring);
- lines of a block in a list item may be indented less than the item;
- HTML hides no fence, and a block tagged `markdown` that holds blocks stands for those.

Indented code without a fence is prose here: in the answers of chat models it nearly always is.
"""

import ast
import builtins
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock

from pipeline.languages.python.source import FunctionNode, parse_indented

Language = Literal["python", "session", "unsure", "other"]

_OPENING = re.compile(r"(?P<fence>`{3,})(?P<info>[^`\n]*)|(?P<tildes>~{3,})(?P<rest>[^\n]*)")
_DIRECTIVE = re.compile(r"\{(?:code-cell|code-block|code|sourcecode|prompt)\}\s*")
_PREFIX = re.compile(r"[{.\"'\s#!]*(?:(?:language|lang|highlight|code)[-=:])?[{.\"'\s]*")
_TAG = re.compile(r"[\w+#./\\-]*")
_PYTHON = re.compile(
    r"(?:i|c|jupyter-|pyodide-|micro|circuit)?py(?:thon)?[-_]?(?:[23](?:\.\d+)*)?|pypy3?|pyodide|.*[\w-]\.pyi?|(?:numpy|sage)"
)
_SESSION = re.compile(r"pycon3?|(?:i?python3?|py)[-_]?(?:repl|console|session|shell|interactive)|doctest|repl")
_MAYBE_SESSION = frozenset({"", "console", "text", "txt", "plain", "plaintext", "none", "output", "shell", "terminal"})
_PROMPT = re.compile(r"[ \t]*>>> ", re.M)
_MARKDOWN = frozenset({"markdown", "md"})
_INDENT_OF_CLOSING = 3
"""A closing fence may be indented by up to three spaces more than the opening one (CommonMark)."""
_STRINGS_TRIED = 8
"""Blocks of one text whose strings are followed past a closing fence in vain; each costs a pass to the end."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    tag: first word of the info string, lower case, "" for none; of `{.python #id}`, `python:a.py` and `python,editable`
    it is "python". code: the lines inside, each ending in a newline, without the indent of the fence. line: of the
    opening fence in the text, counted from 1. closed: whether a closing fence was found.
    """

    tag: str
    code: str
    line: int
    closed: bool

    @property
    def is_python(self) -> bool:
        """Whether the tag says Python, or nothing."""
        return not self.tag or bool(_PYTHON.fullmatch(self.tag))

    @property
    def language(self) -> Language:
        """What the block is, by its tag and, where that says nothing, by its content.

        python: runs as it stands. session: `>>>` examples with their output. unsure: an untagged block that may be
        Python or output (`total = 3`), which names decide (`runnable`). other: everything else.
        """
        tagged = bool(_PYTHON.fullmatch(self.tag))
        if _SESSION.fullmatch(self.tag) or (tagged and _is_session(self.code)):
            return "session"
        if tagged:
            return "python"
        if self.tag in _MAYBE_SESSION and _PROMPT.match(self.code.lstrip("\n")):
            return "session"
        return "other" if self.tag else _untagged(self.code)


def _is_session(code: str) -> bool:
    return _PROMPT.search(code) is not None and parse_indented(code) is None


def _untagged(code: str) -> Language:
    """Statements that no output looks like are Python; an assignment or a call may be either."""
    tree = parse_indented(code)
    plain = ast.Assign | ast.AnnAssign | ast.Expr
    if tree is None or not tree.body or not _compiles(tree):
        return "other"
    if not all(isinstance(node, plain) for node in tree.body):
        return "python"
    does = any(
        not isinstance(node, ast.Expr) or any(isinstance(inner, ast.Call | ast.NamedExpr) for inner in ast.walk(node))
        for node in tree.body
    )
    return "unsure" if does else "other"


def _compiles(tree: ast.Module) -> bool:
    """Whether a tree is a program: `return x` alone is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(tree, "block", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def code_blocks(text: str) -> list[Block]:
    """All fenced blocks of Markdown, in order. Linear in the length of `text`; never raises."""
    if "```" not in text and "~~~" not in text:
        return []
    source = text.replace("\r\n", "\n").replace("\r", "\n")
    blocks: list[Block] = []
    for token in _reader().parse(source):
        if token.type != "fence" or token.map is None:
            continue
        block = Block(tag_of(token.info), token.content, token.map[0] + 1, bool(token.meta["closed"]))
        inner = code_blocks(block.code) if block.tag in _MARKDOWN else []
        blocks += [Block(b.tag, b.code, b.line + block.line, b.closed) for b in inner] or [block]
    return blocks


def runnable(blocks: Iterable[Block]) -> list[tuple[Block, Language]]:
    """The blocks that are Python or a session at its prompt, in order, each with which of the two.

    An untagged block that reads as Python but may be output is code where all names that it uses are known: builtins,
    or bound by it or by the blocks before.
    """
    known = set(dir(builtins))
    found: list[tuple[Block, Language]] = []
    for block in blocks:
        language = block.language
        if language == "other":
            continue
        bound, used = _names(block.code)
        if language == "unsure" and not used <= known | bound:
            continue
        known |= bound
        found.append((block, "python" if language == "unsure" else language))
    return found


def _names(code: str) -> tuple[set[str], set[str]]:
    """Names that code binds anywhere in it, and names that it reads; of a session, those of its examples."""
    tree = parse_indented(code)
    if tree is None:
        lines = (line.strip() for line in code.split("\n"))
        tree = parse_indented("".join(line[4:] + "\n" for line in lines if line.startswith((">>> ", "... "))))
    bound: set[str] = set()
    used: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, FunctionNode | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name.partition(".")[0])
    return bound, used


def tag_of(info: str) -> str:
    """The first word of an info string, lower case: what it says of the language, without attributes and file names."""
    info = info.strip().lower()
    info = _DIRECTIVE.sub("", info, count=1)
    rest = info[_match_end(_PREFIX, info) :]
    tag = rest[: _match_end(_TAG, rest)].rstrip("./\\-")
    if _PYTHON.fullmatch(tag.partition("#")[0]):
        return tag.partition("#")[0]
    if rest.startswith(tag + ":") and not _PYTHON.fullmatch(tag):
        # Editors write a range of lines before the file's name: `12:20:src/a.py`.
        last = rest.split()[0].rpartition(":")[2]
        return last if last.endswith(".py") else tag
    return tag


def _match_end(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.match(text)
    return found.end() if found else 0


@dataclass(frozen=True, slots=True)
class Opening:
    """An opening fence: its character, its length and its info string."""

    character: str
    length: int
    info: str

    @property
    def tag(self) -> str:
        return tag_of(self.info)

    def closed_by(self, line: str) -> bool:
        """Whether `line`, wherever it is indented, is a closing fence for this one."""
        text = line.strip()
        return len(text) >= self.length and text == self.character * len(text)


def opening_fence(line: str) -> Opening | None:
    """The opening fence on `line`, wherever it is indented, or None."""
    found = _OPENING.fullmatch(line.strip())
    if not found:
        return None
    fence = found["fence"] or found["tildes"]
    return Opening(fence[0], len(fence), found["info"] if found["fence"] else found["rest"])


@cache
def _reader() -> MarkdownIt:
    """Markdown's containers and fences alone: what is inside a paragraph does not matter here."""
    reader = MarkdownIt("zero").enable(["list", "blockquote", "heading", "hr"])
    reader.core.ruler.enableOnly(["block"])
    stops: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    reader.block.ruler.before("blockquote", "fence_as_written", _fence, stops)
    reader.block.ruler.at("paragraph", _line)
    reader.block.ruler.enable(["fence_as_written", "paragraph"])
    return reader


def _line(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A line of prose, in place of the paragraph, which would take in an indented fence that follows it."""
    state.line = start + 1
    return True


def _fence(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    opening = opening_fence(_shown(state, start))
    if opening is None:
        return False
    if silent:
        return True
    stop, last = _closing(state, start, end, opening)
    token = state.push("fence", "code", 0)
    token.info = opening.info
    token.content = state.getLines(start + 1, last, state.sCount[start], True)
    if token.content and not token.content.endswith("\n"):
        token.content += "\n"
    token.map = [start, last + (stop is not None)]
    token.meta["closed"] = stop is not None
    state.line = last + (stop is not None)
    return True


def _shown(state: StateBlock, line: int) -> str:
    """A line without its indent and the marks of the containers that it is in."""
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _closing(state: StateBlock, start: int, end: int, opening: Opening) -> tuple[int | None, int]:
    """The line of the closing fence, None where there is none, and the line at which the content ends."""
    deepest = state.sCount[start] + _INDENT_OF_CLOSING
    first = None
    left = None
    in_python = not opening.tag or bool(_PYTHON.fullmatch(opening.tag))
    quotes = ""
    for line in range(start + 1, end):
        shown = _shown(state, line)
        if shown and left is None and state.sCount[line] < state.blkIndent:
            left = line
        if left is not None and (found := opening_fence(shown)) and found.tag:
            break
        if state.sCount[line] <= deepest and opening.closed_by(shown):
            if not quotes:
                return _within(state, start, first, line)
            first = line if first is None else first
            if state.env.get("vain", 0) >= _STRINGS_TRIED:
                break
        if in_python:
            quotes = open_string(shown, quotes)
    if first is not None:
        # A string that never ends: the first fence closed the block after all.
        state.env["vain"] = state.env.get("vain", 0) + 1
        return first, first
    return None, end if left is None else left


def _within(state: StateBlock, start: int, first: int | None, last: int) -> tuple[int | None, int]:
    """`last` closes the block, unless the string that hid `first`, the fence before it, hid another block as well."""
    if first is None:
        return last, last
    code = state.getLines(start + 1, last, state.sCount[start], True)
    if parse_indented(code) is None and any(
        (found := opening_fence(_shown(state, line))) and found.tag for line in range(first + 1, last)
    ):
        state.env["vain"] = state.env.get("vain", 0) + 1
        return first, first
    return last, last


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
