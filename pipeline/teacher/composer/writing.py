"""One exercise: a family, a choice of its parameters, a wording, a solution, and tests computed by running it.

Only code that is written in this package is executed here, never a model's.
"""

import copy
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

Choice = Mapping[str, str | int]
"""Values of a family's parameters, by slot."""

TESTS = 6
"""Most asserts of an exercise."""
WORDS = ("otter", "willow", "apple", "stone", "river", "lantern", "noon", "pepper", "level", "cloud", "tea", "harbour")
NAMES: dict[str, tuple[str, ...]] = {
    "int": ("n", "number", "value", "m"),
    "list[int]": ("numbers", "values", "items", "readings", "scores"),
    "list[str]": ("words", "names", "terms", "labels"),
    "str": ("text", "line", "phrase", "message"),
    "dict[str, int]": ("counts", "stock", "prices", "table"),
}
"""What an argument may be called, by its type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of function. Texts have slots: `$a`, `$b` for the arguments and others for parameters.

    name: tells family and parameters apart from all others. args: types of the arguments. about: what it is about, for
    headings. asks: whole sentences, each of which says the task. bodies: equivalent solutions. choices: values of the
    parameters. least: smallest number that is drawn and shortest length.
    """

    name: str
    about: str
    args: tuple[str, ...]
    returns: str
    asks: tuple[str, ...]
    bodies: tuple[str, ...]
    choices: tuple[Choice, ...] = ({},)
    least: int = 0


class Case(NamedTuple):
    """A call of the function and its result, both as Python source."""

    call: str
    result: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A finished exercise.

    number: which of the family's bodies it has. names: of its arguments, by slot. ask: its sentence. prompt: signature
    and docstring; body: indented; both end in a newline.
    """

    family: Family
    choice: Choice
    number: int
    names: Mapping[str, str]
    entry_point: str
    ask: str
    prompt: str
    body: str
    cases: tuple[Case, ...]

    @property
    def test(self) -> str:
        """Plain asserts on the entry point."""
        return "".join(f"assert {call} {'is' if result == 'None' else '=='} {result}\n" for call, result in self.cases)


def each(slot: str, values: Any) -> tuple[Choice, ...]:
    """Choices that differ in one slot."""
    return tuple({slot: value} for value in values)


def fill(text: str, slots: Mapping[str, str | int]) -> str:
    """`text` with each `$slot` replaced. Raises KeyError for a slot without a value."""
    return re.sub(r"\$([a-z]+)", lambda match: str(slots[match[1]]), text)


def solution(family: Family, choice: Choice, names: Mapping[str, str], number: int) -> str:
    """A body of `family` under the argument names, indented, ending in one newline."""
    slots = {**choice, **names, "self": fill(family.name, choice)}
    return textwrap.indent(fill(textwrap.dedent(family.bodies[number]).strip("\n") + "\n", slots), "    ")


@lru_cache(maxsize=4096)
def load(source: str, name: str) -> Callable[..., Any]:
    """The function `name` of `source`, which this package has written."""
    namespace: dict[str, Any] = {}
    exec(compile(source, "<composer>", "exec"), namespace)  # noqa: S102  (never a model's code)
    function: Callable[..., Any] = namespace[name]
    return function


def write(random: Random, family: Family, choice: Choice, number: int = -1) -> Piece:
    """An exercise of `family` under `choice`. number: of the body where it is not negative, else one is drawn."""
    number = number if number >= 0 else random.randrange(len(family.bodies))
    names = _names(random, family)
    entry = fill(family.name, choice)
    typed = ", ".join(f"{names[slot]}: {kind}" for slot, kind in zip("ab", family.args, strict=False))
    said = fill(random.choice(family.asks), {**choice, **names})
    body = solution(family, choice, names, number)
    signature = f"def {entry}({typed}) -> {fill(family.returns, choice)}:\n"
    cases = _cases(random, family, entry, load(signature + body, entry))
    prompt = signature + _docstring(random, said, cases)
    return Piece(family, choice, number, names, entry, said, prompt, body, cases)


def _names(random: Random, family: Family) -> dict[str, str]:
    """Names for the arguments; two of one type never share one."""
    first = random.randrange(12)
    pools = enumerate(zip("ab", (NAMES[kind] for kind in family.args), strict=False))
    return {slot: pool[(first + place) % len(pool)] for place, (slot, pool) in pools}


def _docstring(random: Random, said: str, cases: tuple[Case, ...]) -> str:
    """The sentence, and of the cases none, one or two as examples that doctest reads."""
    short = [case for case in cases if len(case.call + case.result) <= 70 and "\\" not in "".join(case)]
    shown = [case for case in short if case.result != "None"][: random.choice((0, 1, 2))]
    lines = textwrap.wrap(said, 90)
    if shown:
        lines += ["", *(line for case in shown for line in (f">>> {case.call}", case.result))]
    if len(lines) == 1:
        return f'    """{lines[0]}"""\n'
    return textwrap.indent('"""' + "\n".join([*lines, '"""']) + "\n", "    ")


def _cases(random: Random, family: Family, entry: str, function: Callable[..., Any]) -> tuple[Case, ...]:
    """Calls with their results: the smallest input first, then drawn ones, of equal results only a second."""
    drawn = [tuple(_value(random, kind, family.least, smallest=not n) for kind in family.args) for n in range(16)]
    found: dict[str, str] = {}
    for values in drawn:
        result = repr(function(*copy.deepcopy(values)))
        if len(found) < TESTS and list(found.values()).count(result) < 2:
            found[f"{entry}({', '.join(map(repr, values))})"] = result
    return tuple(Case(*pair) for pair in found.items())


def _value(random: Random, kind: str, least: int, *, smallest: bool) -> Any:
    """A value of a type; smallest: the one that has nothing in it."""
    size = least if smallest else random.randint(max(1, least), 7)
    if kind == "int":
        return least if smallest else random.randint(least, 60)
    if kind == "list[int]":
        return [random.randint(-9, 20) for _ in range(size)]
    if kind == "list[str]":
        return random.sample(WORDS, size)
    if kind == "dict[str, int]":
        return {word: random.randint(0, 12) for word in random.sample(WORDS, min(size, 4))}
    return " ".join(random.sample(WORDS, min(size, 4)))
