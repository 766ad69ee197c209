"""Regular expressions as a `Language`, parsed by the parser of Python's `re` itself."""

import re
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from pipeline.core.syntax import literal_of
from pipeline.languages.base import Found, Missing, Stop, chosen_block, cut_before, digest, lines_outside
from pipeline.languages.fences import Block
from pipeline.languages.normalise import normalised

LONGEST = 5_000
"""Characters of a pattern that is parsed; a longer one has no form."""
_STRING = re.compile(r"""[rR](?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")""")
_SLASHED = re.compile(r"/(?P<pattern>.+)/(?P<flags>[gimsuxy]*)")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_CALL = re.compile(r"\bre\.(?:compile|search|match|fullmatch|findall|finditer|sub|split)\(")


def _in_word(one: str) -> bool:
    return one.isalnum() or one == "_"


_ASCII = [chr(code) for code in range(128)]
_IN_CATEGORY: dict[Any, Callable[[str], bool]] = {
    op.CATEGORY_DIGIT: str.isdigit,
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_WORD: _in_word,
}
_NOT = {
    op.CATEGORY_NOT_DIGIT: op.CATEGORY_DIGIT,
    op.CATEGORY_NOT_SPACE: op.CATEGORY_SPACE,
    op.CATEGORY_NOT_WORD: op.CATEGORY_WORD,
}


class Regex:
    """Patterns."""

    name = "regex"
    tags = frozenset({"regex", "regexp", "re", "pcre", "regular-expression"})
    stop_strings = ("\n",)
    min_alphanumeric = 0.0

    def holds(self, block: Block) -> bool:
        if block.tag in self.tags:
            return True
        if block.is_python and block.tag:
            return bool(_CALL.search(block.code) and _STRING.search(block.code))
        return block.tag in ("", "text", "txt", "plaintext") and len(block.code.strip().split("\n")) == 1

    def solution(self, answer: str) -> Found | Missing:
        """The first block that is a pattern, or a call of `re` with one; or the first code span; or an answer that is
        one line."""
        found, text = chosen_block(answer, self.holds, "regex")
        if isinstance(found, Found):
            return Found(_pattern(found.text) + "\n", found.line)
        if found.reason != "no-code":
            return found
        rest = "\n".join(lines_outside(text)).strip()
        span = _SPAN.search(rest)
        if span:
            return Found(_pattern(span[1]) + "\n")
        line = normalised(answer).strip()
        return Found(_pattern(line) + "\n") if line and "\n" not in line and "```" not in line else found

    def flaw(self, text: str) -> str:
        pattern = text.strip("\n")
        if not pattern:
            return "there is no pattern"
        tree = _parsed(pattern)
        return tree if isinstance(tree, str) else ""

    def normal_form(self, text: str, *, constants: bool = True) -> bytes:
        """Sets of characters are equal where they hold the same of ASCII; names of groups do not count."""
        tree = _parsed(text.strip("\n"))
        return b"" if isinstance(tree, str) else digest(_written(tree, constants))

    def shape(self, text: str) -> tuple[str, ...]:
        tree = _parsed(text.strip("\n"))
        return () if isinstance(tree, str) else tuple(_kinds(tree))

    def bare(self, text: str) -> list[tuple[int, int]]:
        """None of it: what is no sign of a pattern stands for itself, and prose is a pattern too."""
        return []

    def stop(self, prompt: str) -> Stop:
        """The end of the line."""
        return cut_before("\n")


def _pattern(code: str) -> str:
    """The pattern in a block or a span: taken out of a call, a raw string or slashes; of several lines the first,
    unless they are one verbose pattern."""
    text = code.strip()
    string = _STRING.search(text) if _CALL.search(text) or _STRING.match(text) else None
    if string:
        value = literal_of(string[0])
        return str(value)
    if "\n" in text and not re.match(r"\(\?[a-z]*x", text):
        text = next(line.strip() for line in text.split("\n") if line.strip())
    slashed = _SLASHED.fullmatch(text)
    if slashed:
        flags = "".join(sorted(set(slashed["flags"]) & set("imsx")))
        return (f"(?{flags})" if flags else "") + slashed["pattern"].replace("\\/", "/")
    return text


@lru_cache(maxsize=256)
def _parsed(pattern: str) -> Any:
    """The tree of a pattern, or as a text why it has none. Parsing alone, for compiling can take long."""
    if len(pattern) > LONGEST:
        return f"{len(pattern):,} characters > {LONGEST:,}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return parser.parse(pattern)
    except (re.error, OverflowError) as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"


def _written(tree: Any, constants: bool) -> Iterator[str]:
    """The tree in pre-order, with numbers of repeats and characters; constants: without literal characters."""
    for node in _nodes(tree):
        kind, given = node
        if kind is op.LITERAL:
            yield f"in {chr(given)}" if constants else "K"
        elif kind in (op.NOT_LITERAL, op.IN):
            yield f"in {_members(kind, given)}"
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            yield f"{kind} {int(given[0])} {int(given[1])}"
        elif kind is op.SUBPATTERN:
            yield f"{kind} {given[0]} {given[1]} {given[2]}"
        elif kind in (op.ASSERT, op.ASSERT_NOT):
            yield f"{kind} {given[0]}"
        elif kind in (op.AT, op.GROUPREF, op.CATEGORY):
            yield f"{kind} {given}"
        else:
            yield str(kind)


def _kinds(tree: Any) -> Iterator[str]:
    for kind, given in _nodes(tree):
        yield f"{kind} {given}" if kind is op.AT else str(kind)


_END = "end"


def _nodes(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Nodes in pre-order, each list of them closed by an end."""
    for kind, given in tree:
        yield kind, given
        for inner in _inside(kind, given):
            yield from _nodes(inner)
            yield _END, None


def _inside(kind: Any, given: Any) -> list[Any]:
    if kind is op.BRANCH:
        return list(given[1])
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        return [given[2]]
    if kind is op.SUBPATTERN:
        return [given[3]]
    if kind is op.ATOMIC_GROUP:
        return [given]
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return [given[1]]
    if kind is op.GROUPREF_EXISTS:
        return [branch for branch in given[1:] if branch is not None]
    return []


def _members(kind: Any, given: Any) -> str:
    """A set of characters: its members of ASCII, and what lies beyond as it is written."""
    if kind is op.NOT_LITERAL:
        return "".join(one for one in _ASCII if one != chr(given)) + " and beyond"
    negated = any(item is op.NEGATE for item, _ in given)
    inside: set[str] = set()
    beyond: list[str] = []
    for item, value in given:
        if item is op.LITERAL:
            inside.add(chr(value))
        elif item is op.RANGE:
            inside |= {one for one in _ASCII if value[0] <= ord(one) <= value[1]}
            beyond += [f"{value[0]}-{value[1]}"] if value[1] > 127 else []
        elif item is op.CATEGORY:
            wanted = _IN_CATEGORY[_NOT.get(value, value)]
            inside |= {one for one in _ASCII if bool(wanted(one)) != (value in _NOT)}
            beyond += ["not"] if value in _NOT else []
    beyond += sorted(one for one in inside if ord(one) > 127)
    members = "".join(one for one in _ASCII if (one in inside) != negated)
    return members + (" and beyond" if negated != bool(beyond) else "") + "".join(sorted(beyond))
