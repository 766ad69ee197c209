"""Strings on which two patterns may differ: near-misses of given strings, and strings drawn from the patterns' trees.

They are made of printable ASCII and of the characters of the given strings and patterns, so that `\\d` and `[0-9]` are
one; a newline is in them where one is in a given string, so that `$` and `\\Z` are one elsewhere.
"""

import random
import re
import string
from collections.abc import Callable, Iterator, Sequence
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

PRINTABLE = "".join(chr(code) for code in range(32, 127))
_CATEGORIES = {
    op.CATEGORY_DIGIT: string.digits,
    op.CATEGORY_SPACE: " \t",
    op.CATEGORY_WORD: string.ascii_letters + string.digits + "_",
}
_NOT = {
    op.CATEGORY_NOT_DIGIT: op.CATEGORY_DIGIT,
    op.CATEGORY_NOT_SPACE: op.CATEGORY_SPACE,
    op.CATEGORY_NOT_WORD: op.CATEGORY_WORD,
}
_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
PUMPED = 40
"""How often a part without an upper bound is repeated to find patterns that backtrack without end."""
_LONGEST = 400
_DEEPEST = 60


def near_misses(text: str, alphabet: str, draw: random.Random) -> Iterator[str]:
    """Strings one edit away: a character deleted, doubled, swapped with the next, of another class, or put in; cut at
    each end; twice over."""
    yield from ("", text + text, text + " ", " " + text)
    places = range(len(text)) if len(text) <= 40 else sorted(draw.sample(range(len(text)), 40))
    for place in places:
        head, one, tail = text[:place], text[place], text[place + 1 :]
        yield head + tail
        yield head + one + one + tail
        if tail:
            yield head + tail[0] + one + tail[1:]
        for other in {_other_class(one, draw), _neighbour(one), one.swapcase(), draw.choice(alphabet)} - {one}:
            yield head + other + tail
        yield head + draw.choice(alphabet) + one + tail
        yield head
        yield one + tail
    for end in (draw.choice(string.digits), draw.choice(string.ascii_letters), draw.choice(string.punctuation)):
        yield text + end
        yield end + text


def _other_class(one: str, draw: random.Random) -> str:
    if one.isdigit():
        return draw.choice(string.ascii_lowercase)
    if one.isalpha():
        return draw.choice(string.digits)
    return draw.choice(string.ascii_lowercase) if one == " " else draw.choice(string.punctuation)


def _neighbour(one: str) -> str:
    """The next digit or letter round a circle: 9 becomes 0."""
    for ring in (string.digits, string.ascii_lowercase, string.ascii_uppercase):
        if one in ring:
            return ring[(ring.index(one) + 1) % len(ring)]
    return one


def in_context(text: str, draw: random.Random) -> Iterator[str]:
    """The string inside others, for patterns that are searched."""
    for before, after in ((" ", " "), ("x", "x"), ("1", "1"), ("(", ")"), ("a ", ", b"), ("_", ""), ("", ".")):
        yield before + text + after
    yield f"{text} {text}"
    yield text + draw.choice(PRINTABLE) + text


class Drawn:
    """Strings that a pattern's tree describes. Look-arounds and anchors say nothing here, so not all of them match.

    Raises re.error, RecursionError or OverflowError as compiling does.
    """

    def __init__(self, pattern: str, flags: int, alphabet: str, draw: random.Random) -> None:
        self.tree = parser.parse(pattern, flags)
        self.ignore_case = bool(self.tree.state.flags & re.IGNORECASE)
        self.alphabet = alphabet
        self.draw = draw
        self.groups: dict[int, str] = {}
        self.times: Callable[[int, int], int] = self._some
        self.unbounded = 0
        self.left = 0

    def strings(self, count: int) -> Iterator[str]:
        """`count` strings, with numbers of repeats at and near their bounds."""
        for _ in range(count):
            yield self._string()

    def pumped(self) -> Iterator[str]:
        """Strings with one unbounded part repeated `PUMPED` times and all others once, then with all of them so."""
        self.times = self._few
        self.unbounded = 0
        self._string()
        total = self.unbounded
        for chosen in range(min(total, 12)):
            self.times = lambda low, high, chosen=chosen: self._pump(low, high, chosen)  # type: ignore[misc]
            self.unbounded = 0
            yield self._string()
        if total > 1:
            self.times = lambda low, high: self._pump(low, high, None)
            yield self._string()
        self.times = self._some

    def _some(self, low: int, high: int) -> int:
        most = min(high, low + 3 if high > low + 70 else high)
        return self.draw.choice((low, min(low + 1, most), self.draw.randint(low, most), most))

    def _few(self, low: int, high: int) -> int:
        self.unbounded += high >= PUMPED
        return max(low, 1 if high else 0)

    def _pump(self, low: int, high: int, chosen: int | None) -> int:
        number = self.unbounded
        self.unbounded += high >= PUMPED
        pump = high >= PUMPED and chosen in (None, number)
        return max(low, PUMPED) if pump else max(low, 1 if high else 0)

    def _string(self) -> str:
        self.groups = {}
        self.left = _LONGEST
        return "".join(self._sequence(self.tree, 0))[:_LONGEST]

    def _sequence(self, tree: Any, depth: int) -> Iterator[str]:
        if depth > _DEEPEST:
            return
        for kind, given in tree:
            if self.left <= 0:
                return
            yield self._node(kind, given, depth)

    def _inside(self, tree: Any, depth: int) -> str:
        return "".join(self._sequence(tree, depth + 1))

    def _node(self, kind: Any, given: Any, depth: int) -> str:
        if kind is op.LITERAL:
            return self._character(chr(given))
        if kind is op.NOT_LITERAL:
            return self._of([one for one in self.alphabet if one != chr(given)])
        if kind is op.ANY:
            return self._of(self.alphabet)
        if kind is op.IN:
            return self._of(self._members(given))
        if kind is op.BRANCH:
            return self._inside(self.draw.choice(given[1]), depth)
        if kind in _REPEATS:
            low, high, inner = given
            high = min(int(high), 1_000)
            times = self.times(int(low), high)
            return "".join(self._inside(inner, depth) for _ in range(min(times, self.left)) if self.left > 0)
        if kind is op.SUBPATTERN:
            text = self._inside(given[3], depth)
            if given[0] is not None:
                self.groups[given[0]] = text
            return text
        if kind is op.ATOMIC_GROUP:
            return self._inside(given, depth)
        if kind is op.GROUPREF:
            return self.groups.get(given, "")
        if kind is op.GROUPREF_EXISTS:
            branch = given[1] if given[0] in self.groups else given[2]
            return self._inside(branch, depth) if branch is not None else ""
        return ""

    def _character(self, one: str) -> str:
        self.left -= 1
        return one.swapcase() if self.ignore_case and self.draw.random() < 0.5 else one

    def _of(self, choices: Sequence[str]) -> str:
        return self._character(self.draw.choice(choices)) if choices else ""

    def _members(self, given: Any) -> list[str]:
        found: dict[str, None] = {}
        negated = False
        for kind, value in given:
            if kind is op.NEGATE:
                negated = True
            elif kind is op.LITERAL:
                found[chr(value)] = None
            elif kind is op.RANGE:
                first, last = value
                found |= dict.fromkeys(map(chr, range(first, min(last, first + 200) + 1)))
            elif kind is op.CATEGORY and value in _NOT:
                found |= dict.fromkeys(one for one in self.alphabet if one not in _CATEGORIES[_NOT[value]])
            elif kind is op.CATEGORY:
                found |= dict.fromkeys(_CATEGORIES.get(value, ""))
        return [one for one in self.alphabet if one not in found] if negated else list(found)
