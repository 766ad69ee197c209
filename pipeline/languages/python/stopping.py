"""Where an answer ends: by strings, or by what Python's grammar says of the text so far.

A rule (`StopRule`) is told the prompt and gives a `Stop`, which is asked again and again while the text grows. Rules
for code read each line once, as Python's tokenizer does: what is inside a string, an open bracket or a joined line is
no end.
"""

import builtins
import keyword
import re
import symtable
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

Ending = Literal["body", "program", "none"]


class Stop(Protocol):
    """Given the text generated so far: the index at which to cut it, or None to go on.

    A stop may remember what it has read: each text must begin with the one before.
    """

    def __call__(self, text: str, /) -> int | None: ...


@runtime_checkable
class StopRule(Protocol):
    """Makes the stop of one answer."""

    def after(self, prompt: str) -> Callable[..., int | None]:
        """A stop for what continues `prompt`; called with the text so far, and whether it has ended."""
        ...


@dataclass(frozen=True, slots=True)
class AnswerEnd:
    """The rule by which a model's answers end.

    ending: "body" ends with the function that the prompt opens (`code_stop`), "program" where definitions are followed
    by something else (`program_stop`). strings: further strings to cut before, wherever they are.
    """

    ending: Ending = "none"
    strings: tuple[str, ...] = ()

    def after(self, prompt: str) -> "CodeStop":
        return CodeStop(prompt, self.ending, self.strings)


def code_stop(text: str, prompt: str = "") -> int | None:
    """Where the whole answer `text` stops to belong to the function that `prompt` opens; None for nowhere.

    The end is the newline before the first statement at column zero, or before the comments that precede it. Not an
    end: a line inside a string or an open bracket, a comment between lines of the body, and a helper: a definition, an
    import or an assignment of a name that the code so far uses and nothing has defined. Whatever the text has before
    its first newline continues the prompt's last line. A helper that is cut off is not kept.
    """
    return CodeStop(prompt, "body")(text, ended=True)


def program_stop(text: str) -> int | None:
    """Where definitions are followed by tests, prints, other strings or prose in fences; None for nowhere."""
    return CodeStop("", "program")(text, ended=True)


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Ids of the tokens that end an answer: what generation_config.json and config.json (for a model of several parts
    that of its text) name as `eos_token_id`, and the tokenizer's special tokens.

    Special tokens that only open a part of an answer, such as a chain of thought, are none unless a config says so.
    """
    config = getattr(model, "config", None)
    sources = (getattr(model, "generation_config", None), config, getattr(config, "text_config", None))
    ends = {number for source in sources for number in _ids(getattr(source, "eos_token_id", None))}
    named = zip(tokenizer.all_special_ids, getattr(tokenizer, "all_special_tokens", ()), strict=False)
    opening = {number for number, token in named if _OPENS.search(str(token))}
    return frozenset(ends | (set(tokenizer.all_special_ids) - opening))


_OPENS = re.compile(r"think|thought|reason|tool|channel|message", re.IGNORECASE)


def _ids(value: Any) -> list[int]:
    values = value if isinstance(value, list | tuple) else [value]
    return [number for number in values if isinstance(number, int) and not isinstance(number, bool)]


def _first(text: str, strings: Iterable[str]) -> int | None:
    return min((place for place in (text.find(string) for string in strings) if place >= 0), default=None)


_CODE = re.compile(r"'''|\"\"\"|['\"]|[(\[{]|[)\]}]|#[^\n]*|\\[\s\S]|\n")
_QUOTES = {
    "'": re.compile(r"\\[\s\S]|['\n]"),
    '"': re.compile(r"\\[\s\S]|[\"\n]"),
    "'''": re.compile(r"\\[\s\S]|'''"),
    '"""': re.compile(r"\\[\s\S]|\"\"\""),
}
"""What ends a string, or is skipped in it. A prefix changes nothing: a quote after a backslash ends no raw string."""


class _Lines:
    """Reads Python line by line. at: where the next line begins. fresh: whether that line begins outside of strings,
    brackets and joined lines."""

    def __init__(self) -> None:
        self.at, self._depth, self._quote, self._joined = 0, 0, "", False

    @property
    def fresh(self) -> bool:
        return not (self._depth or self._quote or self._joined)

    def recover(self) -> None:
        """Take brackets left open for a mistake: a definition cannot stand in them."""
        self._depth = 0

    @property
    def in_brackets(self) -> bool:
        return bool(self._depth) and not self._quote

    def advance(self, text: str) -> bool:
        """Read the line that begins at `at`; False, and nothing read, where its end has not come yet."""
        end = text.find("\n", self.at) + 1
        if not end:
            return False
        place, self._joined = self.at, False
        while place < end:
            if self._quote:
                found = _QUOTES[self._quote].search(text, place, end)
                if found is None:
                    break
                if found[0][0] != "\\":
                    self._quote = ""
                elif found.end() == end and len(self._quote) == 1:
                    self._joined = True
            else:
                found = _CODE.search(text, place, end)
                if found is None:
                    break
                piece = found[0]
                if piece in _QUOTES:
                    self._quote = piece
                elif piece in "([{":
                    self._depth += 1
                elif piece in ")]}":
                    self._depth = max(self._depth - 1, 0)
                elif piece == "\\\n":
                    self._joined = True
            place = found.end()
        self.at = end
        return True


class CodeStop:
    """A stop that reads code; see `code_stop`, `program_stop` and `AnswerEnd`."""

    def __init__(self, prompt: str, ending: Ending, strings: Sequence[str] = ()) -> None:
        self._prompt, self._ending, self._strings = prompt, ending, tuple(strings)
        self._lines = _Lines()
        while self._ending == "body" and self._lines.advance(prompt):
            pass
        # What the prompt has after its last newline begins the text's first line.
        self._begun = prompt[self._lines.at :] if ending == "body" else ""
        self._lines.at = 0
        self._end: int | None = None
        self._has_body = False
        self._helpers: list[int] = []
        self._kept = -1
        self._missing: tuple[int, frozenset[str]] = (-1, frozenset())

    def __call__(self, text: str, /, ended: bool = False) -> int | None:
        """As `Stop`. ended: whether `text` is all that comes."""
        place = None if self._ending == "none" else self._read(self._begun + text, len(self._begun), ended)
        string = _first(text, self._strings)
        return min((found for found in (place, string) if found is not None), default=None)

    def _read(self, whole: str, start: int, ended: bool) -> int | None:
        """The place in the text, which begins at `start` of `whole`."""
        while True:
            if self._lines.at > start:
                found = self._line(whole, start, ended)
                if found is not None:
                    return found if found >= 0 else None
            if not self._lines.advance(whole):
                break
        if not ended:
            return None
        if self._end is not None:
            return self._end
        if self._helpers and _names_missing(self._code(whole[start:])) is None:
            return self._helpers[-1]
        return None

    def _line(self, whole: str, start: int, ended: bool) -> int | None:
        """Judge the line at hand: the place of the cut, -1 for "wait until more of it is there", None to read on."""
        lines = self._lines
        head = _HEAD.match(whole, lines.at)
        assert head is not None
        if lines.in_brackets and _DEFINITION.match(whole, lines.at):
            lines.recover()
        if not lines.fresh or (head[2] in _CLOSING and head[2]) or lines.at == self._kept:
            return None
        if not head[2]:
            return None if head.end() < len(whole) or ended else -1
        if head[1]:
            if head[2] != "#":
                self._end, self._has_body = None, True
            return None
        place = lines.at - 1 - start
        if self._ending == "program":
            return self._program(whole, place, ended)
        if head[2] == "#":
            if self._has_body and self._end is None:
                self._end = place
            return None
        return self._statement(whole, start, place, ended)

    def _program(self, whole: str, place: int, ended: bool) -> int | None:
        rest = whole[self._lines.at :]
        if rest.startswith(PROGRAM_ENDS):
            return place
        beginning = any(end.startswith(rest) for end in PROGRAM_ENDS)
        return -1 if beginning and not ended else None

    def _statement(self, whole: str, start: int, place: int, ended: bool) -> int | None:
        """As `_line`, for a statement at column zero that is no comment: the end, or a helper that is missing."""
        end = place if self._end is None else self._end
        if self._missing[0] != end:
            self._missing = (end, _names_missing(self._code(whole[start : start + end])) or frozenset())
        missing = self._missing[1]
        if not missing:
            return end
        line = whole[self._lines.at :]
        if line[0] == "@":  # the definition that it belongs to decides
            self._end = end
            return None
        names = _defined(line, ended)
        if names is None:
            return -1
        if not names & missing:
            return end
        self._helpers.append(end)
        self._end, self._kept = None, self._lines.at
        return None

    def _code(self, text: str) -> str:
        return (self._prompt or "def _():") + text


_HEAD = re.compile(r"([ \t\f]*)(\S?)")
_CLOSING = ")]}"
_DEFINITION = re.compile(r"(?:async[ \t]+def|def|class)[ \t]+\w")
PROGRAM_ENDS = ("assert ", "print(", "if ", '"""', "```")
"""Begin what follows the definitions of an answer to a prompt that opens no function (MBPP's docstring). After
bigcode-evaluation-harness' MBPP, without "class": an answer may need one."""
_DEFINES = re.compile(r"(?:async[ \t]+def|def|class)[ \t]+(\w+)[ \t]*[(:\[]")
_ASSIGNS = re.compile(r"(\w+(?:[ \t]*,[ \t]*\w+)*)[ \t]*(?::[^=\n]*)?=[^=]")
_IMPORTS = re.compile(r"(?:from[ \t]+[\w.]+[ \t]+)?import[ \t]+(\([^)]*\)|[^(\n][^\n]*(?=\n))")
_IMPORTED = re.compile(r"(\w+)(?:\.\w+)*(?:[ \t]+as[ \t]+(\w+))?")
_MAY_DEFINE = re.compile(r"(?:async|def|class|import|from)?\b[^\n(=]*=?|(?:from[^\n]*import[ \t]*\([^)]*)")


def _defined(line: str, ended: bool) -> frozenset[str] | None:
    """The names that a statement at the beginning of `line` binds; None where that cannot be told before more comes."""
    found = _DEFINES.match(line)
    if found:
        return frozenset({found[1]})
    found = _IMPORTS.match(line if not ended or line.endswith("\n") else line + "\n")
    if found:
        return frozenset(other or name for name, other in _IMPORTED.findall(found[1].strip("()")))
    word = re.match(r"\w+(?=\W)", line)
    statement = bool(word and keyword.iskeyword(word[0]) and word[0] not in ("async", "def", "class", "import", "from"))
    found = None if statement else _ASSIGNS.match(line)
    if found:
        return frozenset(re.findall(r"\w+", found[1]))
    return frozenset() if ended or statement or not _MAY_DEFINE.fullmatch(line) else None


def _names_missing(code: str) -> frozenset[str] | None:
    """The global names that `code` uses, and neither defines nor has as builtins; None where it is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = symtable.symtable(code + "\n", "answer", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    used: set[str] = set()
    defined: set[str] = set(dir(builtins))
    scopes = [module]
    while scopes:
        scope = scopes.pop()
        scopes += scope.get_children()
        for symbol in scope.get_symbols():
            bound = symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
            if bound and (scope is module or symbol.is_declared_global()):
                defined.add(symbol.get_name())
            if symbol.is_referenced() and (scope is module or symbol.is_global()):
                used.add(symbol.get_name())
    return frozenset(used - defined)
