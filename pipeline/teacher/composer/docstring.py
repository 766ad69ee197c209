"""Layouts of a docstring: where the sentences, the argument list and the examples go, and in which dialect."""

import textwrap
from random import Random
from typing import NamedTuple

from pipeline.teacher.composer.fragments import Family, fill
from pipeline.teacher.composer.naming import noun
from pipeline.teacher.composer.phrasing import Wording, capital


class Example(NamedTuple):
    """A call of the function and its result, both as Python source."""

    call: str
    result: str


def _doctest(examples: list[Example]) -> list[str]:
    return [line for example in examples for line in (f">>> {example.call}", example.result)]


def _lines(form: str, examples: list[Example]) -> list[str]:
    return [form.format(c=example.call, r=example.result) for example in examples]


def example_lines(random: Random, examples: list[Example]) -> list[str]:
    """The examples in one of the ways in which people write them; [] for none. Lines may be blank."""
    if not examples:
        return []
    if random.random() < 0.45:
        header = random.choice(
            ([], [], [], ["Examples:"], ["Example:"], ["For example:"], [""], ["Examples", "--------"])
        )
        return [*header, *_doctest(examples)]
    one = len(examples) == 1
    header = random.choice(
        (["Example:"] if one else ["Examples:"], ["For example:"], ["For example:"], [], [""], ["e.g."])
    )
    indent = random.choice(("", "", "  ", "    ")) if header and header[0] else ""
    style = random.random()
    if style < 0.6:
        form = random.choice(
            (
                "{c} == {r}",
                "{c} == {r}",
                "{c} -> {r}",
                "{c} -> {r}",
                "{c} => {r}",
                "{c} returns {r}",
                "{c} # {r}",
                "{c} = {r}",
            )
        )
        return [*header, *(indent + line for line in _lines(form, examples))]
    if style < 0.85:
        form = random.choice(
            (
                "For example, {c} returns {r}.",
                "{c} should return {r}.",
                "For instance, {c} is {r}.",
                "So {c} gives {r}.",
                "{c} should be {r}",
            )
        )
        first, *others = examples
        return [form.format(c=first.call, r=first.result), *_lines("{c} returns {r}.", others)]
    return [
        line
        for example in examples
        for line in (f"Input: {example.call[example.call.index('(') + 1 : -1]}", f"Output: {example.result}")
    ]


def _argument_section(random: Random, family: Family, names: dict[str, str], slots: dict[str, str | int]) -> list[str]:
    described = {arg.name: noun(random, arg) for arg in family.arguments}
    returned = _returned(random, family, slots)
    dialect = random.random()
    if dialect < 0.55:
        lines = ["Args:", *(f"    {names[name]}: {capital(text, set())}." for name, text in described.items())]
        return [*lines, "", "Returns:", f"    {returned}."]
    if dialect < 0.8:
        return [*(f":param {names[name]}: {text}" for name, text in described.items()), f":return: {returned}"]
    types = {arg.name: arg.type for arg in family.arguments}
    lines = ["Parameters", "----------", *(f"{names[name]} : {types[name]}" for name in described)]
    return [*lines, "", "Returns", "-------", family.returns, f"    {returned}."]


def _returned(random: Random, family: Family, slots: dict[str, str | int]) -> str:
    if family.result:
        return capital(fill(random.choice(family.result), slots), set(map(str, slots.values())))
    if family.cond:
        return f"True if {fill(random.choice(family.cond), slots)}, else False"
    kind = family.returns.split("[")[0]
    return {"int": "An integer", "str": "The new string", "list": "The new list", "dict": "The new dictionary"}.get(
        kind, "The result"
    )


def _types_sentence(random: Random, family: Family, names: dict[str, str]) -> str:
    facts = [f"{names[arg.name]} is {noun(random, arg)}" for arg in family.arguments]
    return ", ".join(facts[:-1]) + (" and " if len(facts) > 1 else "") + facts[-1] + "."


def _wrapped(paragraph: str, width: int) -> list[str]:
    return textwrap.wrap(paragraph, width, break_long_words=False, break_on_hyphens=False) or [""]


def docstring(
    random: Random,
    family: Family,
    wording: Wording,
    names: dict[str, str],
    slots: dict[str, str | int],
    examples: list[Example],
    *,
    typed: bool,
    plain: bool = False,
) -> str:
    """The whole docstring, quotes and four-space indent included, without a final newline. plain: no sections."""
    width = random.choice((68, 76, 84, 96, 110))
    rest = list(wording.rest)
    if not typed and not wording.types_told and random.random() < 0.35:
        rest.insert(0, _types_sentence(random, family, names))
    layout = random.choices(
        ("paragraph", "lines", "summary", "bullets", "sections", "terse"),
        (55, 25, 0, 0, 0, 20) if plain else (30, 25, 14, 10, 10, 11),
    )[0]
    if layout == "bullets" and rest:
        bullet = random.choice(("- ", "* ", "- "))
        body = [*_wrapped(wording.lead, width), *(line for s in rest for line in _wrapped(bullet + s, width))]
    elif layout == "summary" and rest:
        body = [*_wrapped(wording.lead, width), "", *_wrapped(" ".join(rest), width)]
    elif layout == "sections":
        body = [
            *_wrapped(wording.lead, width),
            *([""] if rest else []),
            *_wrapped(" ".join(rest), width)[: None if rest else 0],
        ]
        body += ["", *_argument_section(random, family, names, slots)]
    elif layout == "lines":
        body = [line for sentence in (wording.lead, *rest) for line in _wrapped(sentence, width)]
    else:
        body = _wrapped(" ".join((wording.lead, *rest)), width)
    shown = example_lines(random, examples)
    if shown and shown[0] != "" and (layout in ("sections", "summary") or random.random() < 0.3):
        body.append("")
    return _quoted(random, [*body, *shown], single=layout == "terse")


def _quoted(random: Random, lines: list[str], *, single: bool) -> str:
    """The lines between triple quotes, indented by four spaces; backslashes make it a raw docstring."""
    quotes = "'''" if random.random() < 0.1 and not any("'''" in line for line in lines) else '"""'
    prefix = "r" if any("\\" in line for line in lines) else ""
    if len(lines) == 1 and (single or random.random() < 0.5) and not lines[0].endswith('"'):
        blank = " " if random.random() < 0.15 else ""
        return f"    {prefix}{quotes}{blank}{lines[0]}{blank}{quotes}"
    opening = random.choices(("same", "blank", "below"), (45, 25, 30))[0]
    indented = [f"    {line}".rstrip() for line in lines]
    if opening == "below":
        return "\n".join([f"    {prefix}{quotes}", *indented, f"    {quotes}"])
    first = f"    {prefix}{quotes}{' ' if opening == 'blank' else ''}{lines[0]}"
    return "\n".join([first, *indented[1:], f"    {quotes}"])
