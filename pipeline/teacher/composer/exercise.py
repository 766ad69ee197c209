"""One exercise: a family, one of its choices, one wording, one solution, and tests computed by running it.

Only code written in this package is executed here, never a model's.
"""

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import Any

from pipeline.teacher.composer.docstring import Example, docstring
from pipeline.teacher.composer.fragments import Choice, Family, clean, fill, natural_names
from pipeline.teacher.composer.inputs import Inputs
from pipeline.teacher.composer.naming import identifiers, name_arguments, rename_locals, typing_imports, typing_name
from pipeline.teacher.composer.phrasing import word_it

IMPORTS = (
    (r"\bmath\.", "import math"),
    (r"\bre\.", "import re"),
    (r"\bheapq\.", "import heapq"),
    (r"\bbisect\.", "import bisect"),
    (r"\bCounter\(", "from collections import Counter"),
    (r"\bdefaultdict\(", "from collections import defaultdict"),
    (r"\bdeque\(", "from collections import deque"),
    (r"\bdate\(", "from datetime import date"),
    (r"\breduce\(", "from functools import reduce"),
    (r"\bcombinations\(", "from itertools import combinations"),
    (r"\bgroupby\(", "from itertools import groupby"),
    (r"\baccumulate\(", "from itertools import accumulate"),
    (r"\bproduct\(", "from itertools import product"),
)
"""What a body uses, and the import it needs; imports stand before the signature, in the prompt."""

MOST_TESTS = 9
LONGEST_EXAMPLE = 78
"""Characters of a call with its result in a docstring."""


class WrongFragment(AssertionError):
    """Two bodies of a family disagree: a mistake in the composer, never the user's fault."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A finished exercise. prompt: imports, signature, docstring, ending in one newline. body: indented, likewise.

    cases: calls with their results, as source.
    """

    family: Family
    choice: Choice
    entry_point: str
    prompt: str
    body: str
    cases: tuple[Example, ...]
    lead: str

    @property
    def test(self) -> str:
        """Plain asserts on the entry point, ending in one newline."""
        return "".join(f"assert {_claim(case)}\n" for case in self.cases)

    @property
    def check(self) -> str:
        """The tests as HumanEval's `check(candidate)`."""
        pattern = rf"^{re.escape(self.entry_point)}\("
        claims = (_claim(Example(re.sub(pattern, "candidate(", case.call), case.result)) for case in self.cases)
        return "def check(candidate):\n" + "".join(f"    assert {claim}\n" for claim in claims)


def _claim(case: Example) -> str:
    return f"{case.call} is None" if case.result == "None" else f"{case.call} == {case.result}"


def imports_for(code: str) -> list[str]:
    """Import lines that a body needs."""
    return [line for pattern, line in IMPORTS if re.search(pattern, code)]


@lru_cache(maxsize=4096)
def load(source: str, name: str) -> Callable[..., Any]:
    """The function `name` that `source`, which this package has composed, defines."""
    namespace: dict[str, Any] = {}
    exec(compile(source, "<composer>", "exec"), namespace)  # noqa: S102  (our own fragments, never a model's code)
    function: Callable[..., Any] = namespace[name]
    return function


def indent(body: str) -> str:
    """`body` indented by four spaces, ending in one newline."""
    return "".join(f"    {line}\n" if line else "\n" for line in body.splitlines())


def plain_source(family: Family, choice: Choice, body: str, name: str = "answer") -> str:
    """A body as a bare function under the canonical argument names."""
    names = [arg.name for arg in family.arguments]
    code = fill(clean(body), {**choice, **{n: n for n in names}, "self": name})
    return "\n".join([*imports_for(code), f"def {name}({', '.join(names)}):", indent(code)])


def draw_cases(random: Random, family: Family, choice: Choice, words: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Argument lists and results as source, edge cases first, different results preferred, at most `MOST_TESTS`."""
    function = load(plain_source(family, choice, family.bodies[0]), "answer")
    inputs = Inputs(random, words, choice)
    types = [arg.type for arg in family.arguments]
    edges = list(family.edges[:4])
    drawn = [family.draw(inputs) if family.draw else tuple(map(inputs.by_type, types)) for _ in range(12)]
    cases: list[tuple[str, str]] = []
    again: list[tuple[str, str]] = []
    results: dict[str, int] = {}
    met: set[str] = set()
    for position, values in enumerate([*edges, *drawn]):
        shown = ", ".join(map(repr, values))
        if shown in met:
            continue
        met.add(shown)
        result = repr(function(*copy.deepcopy(values)))
        case = (shown, result)
        if position >= len(edges) and results.get(result, 0) >= (3 if family.returns == "bool" else 1):
            again.append(case)
            continue
        results[result] = results.get(result, 0) + 1
        cases.append(case)
    return (cases + again)[:MOST_TESTS]


def _examples(random: Random, cases: list[Example], *, plain: bool) -> list[Example]:
    """Up to three short cases that read well, with different results where there are any."""
    short = [c for c in cases if len(c.call) + len(c.result) <= LONGEST_EXAMPLE and "\\" not in c.call + c.result]
    short = [c for c in short if c.result != "None"]
    wanted = random.choices((0, 1, 2, 3), (20, 45, 35, 0) if plain else (18, 27, 35, 20))[0]
    picked: list[Example] = []
    for case in random.sample(short, len(short)):
        if len(picked) < wanted and case.result not in {p.result for p in picked}:
            picked.append(case)
    return picked


def _restyled(random: Random, body: str, lists: set[str]) -> str:
    """The same algorithm in another hand: `a += b` or not, a named result or not, `len(x) == 0` or `not x`."""
    if random.random() < 0.12:
        body = (
            re.sub(r"^(\s*)(\w+) (\+|-|\*)= ([^\n]*)$", r"\1\2 = \2 \3 \4", body, flags=re.M) if _simple(body) else body
        )
    if random.random() < 0.2:
        body = re.sub(r"if not (\w+):", lambda m: f"if len({m[1]}) == 0:" if m[1] in lists else m[0], body)
    if body.startswith("return ") and "\n" not in body and random.random() < 0.18 and "result" not in body:
        return f"result = {body.removeprefix('return ')}\nreturn result"
    return body


def _simple(body: str) -> bool:
    """Whether every augmented assignment adds a single term, so that writing it out keeps the precedence."""
    terms = re.findall(r"[-+*]= ([^\n]*)", body)
    return all(re.fullmatch(r"[\w.]+(\([\w., ]*\))?|\"[^\"]*\"|[\w.]+\[[\w ]+\]", term) for term in terms)


def write(
    random: Random,
    family: Family,
    choice: Choice,
    *,
    name: str = "",
    words: tuple[str, ...] = (),
    body_number: int = -1,
    hints: str = "",
    plain: bool = False,
) -> Piece:
    """An exercise of `family` under `choice`.

    name: the wanted function name, or "" for one of the family's own. words: words to prefer in examples. body_number,
    hints ("typing", "builtin" or "none"): fixed instead of drawn. plain: a typed signature, a docstring of a sentence
    or two with few examples, the solution as declared.
    """
    if "$" in family.returns:
        family = replace(family, returns=fill(family.returns, choice))
    arguments = family.arguments
    template = clean(family.bodies[body_number] if body_number >= 0 else random.choice(family.bodies))
    own = natural_names(family, choice)
    entry = name or random.choice((own[0], *own))
    used = identifiers(template) | {entry}
    names = name_arguments(random, arguments, used)
    code = fill(template, {**choice, **names, "self": entry})
    lists = {names[arg.name] for arg in arguments if arg.type.startswith(("list", "str"))}
    code = code if plain else _restyled(random, code, lists)
    code = rename_locals(random, code, set(names.values()) | {entry})
    shares = (55, 45, 0, 0) if plain else (38, 30, 22, 10)
    drawn_hints = random.choices(("typing", "builtin", "none", "none"), shares)[0]
    hints = hints or drawn_hints
    signature, imports = _signature(family, entry, names, hints, imports_for(code))
    cases = [Example(f"{entry}({args})", result) for args, result in draw_cases(random, family, choice, words)]
    wording = word_it(random, family, names, dict(choice))
    text = docstring(
        random,
        family,
        wording,
        names,
        {**choice, **names},
        _examples(random, cases, plain=plain),
        typed=hints != "none",
        plain=plain,
    )
    gap = "\n\n\n" if random.random() < 0.6 else "\n\n"
    prompt = ("\n".join(imports) + gap if imports else "") + f"{signature}\n{text}\n"
    body = indent(code)
    _verify(prompt + body, entry, cases, family)
    return Piece(family, choice, entry, prompt, body, tuple(cases), wording.lead)


def _signature(
    family: Family, entry: str, names: dict[str, str], hints: str, needed: list[str]
) -> tuple[str, list[str]]:
    if hints == "none":
        return f"def {entry}({', '.join(names.values())}):", needed
    spell = typing_name if hints == "typing" else str
    params = ", ".join(f"{names[arg.name]}: {spell(arg.type)}" for arg in family.arguments)
    line = (
        typing_imports(*(spell(arg.type) for arg in family.arguments), spell(family.returns))
        if hints == "typing"
        else ""
    )
    return f"def {entry}({params}) -> {spell(family.returns)}:", [*([line] if line else []), *needed]


def _verify(source: str, entry: str, cases: list[Example], family: Family) -> None:
    """Run the finished text on its own cases; WrongFragment where a body does not do what its family says."""
    function = load.__wrapped__(source, entry)
    for case in cases:
        got, wanted = eval(f"({case.call}, {case.result})", {entry: function})  # noqa: S307  (calls that we wrote)
        if got != wanted or type(got) is not type(wanted):
            raise WrongFragment(f"{family.name}: {case.call} is {got!r}, the first body says {case.result}\n{source}")
