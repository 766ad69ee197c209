"""Functions of two and three steps: a source, then a filter, a map or both, then an end.

A chain becomes a `Family` of its own, so it is worded, solved and tested like any other. A sixth of the combinations of
filter, map and end is reserved for the held-out problems, whatever their source.
"""

import re
from random import Random
from typing import NamedTuple

from pipeline.teacher.composer.fragments import Family, is_reserved
from pipeline.teacher.composer.step_ends import ENDS
from pipeline.teacher.composer.step_filters import FILTERS
from pipeline.teacher.composer.step_maps import MAPS
from pipeline.teacher.composer.step_parts import End, Filter, Map, Source
from pipeline.teacher.composer.step_sources import SOURCES


class Chain(NamedTuple):
    """Steps in order. first, second: filter and map; one may be None. map_first: the map comes before the filter."""

    domain: str
    source: Source
    filter: Filter | None
    map: Map | None
    end: End
    map_first: bool

    @property
    def key(self) -> list[str]:
        """What makes it this combination; the source and the numbers do not matter."""
        names = [self.filter.name if self.filter else "", self.map.name if self.map else "", self.end.name]
        return [self.domain, *names, "map-first" if self.map_first else "filter-first"]


class Parts(NamedTuple):
    """Names of the parts that a chain may be made of, over all domains; sources go by their short names."""

    sources: tuple[str, ...]
    filters: tuple[str, ...]
    maps: tuple[str, ...]
    ends: tuple[str, ...]
    shapes: tuple[str, ...]


SHAPES = {"filter": 25, "map": 22, "both": 38, "map-first": 15}
"""Shapes of a chain and how often each is drawn."""


def draw_chain(random: Random, *, reserved: bool, parts: Parts | None = None) -> Chain:
    """A combination from the open part, or from the reserved one; of all parts, or of those named in `parts`."""
    shapes = {name: share for name, share in SHAPES.items() if parts is None or name in parts.shapes}
    while True:
        domain = random.choices(("numbers", "words", "characters"), (55, 30, 15))[0]
        shape = random.choices(tuple(shapes), tuple(shapes.values()))[0]
        sources = [s for s in SOURCES[domain] if parts is None or s.short in parts.sources]
        filters = [f for f in FILTERS[domain] if parts is None or f.name in parts.filters]
        maps = [m for m in MAPS[domain] if parts is None or m.name in parts.maps]
        ends = [e for e in ENDS[domain] if parts is None or e.name in parts.ends]
        source = random.choice(sources) if domain != "numbers" or random.random() < 0.7 else sources[0]
        chosen = random.choice(filters) if shape != "map" else None
        change = random.choice(maps) if shape != "filter" else None
        chain = Chain(domain, source, chosen, change, random.choice(ends), shape == "map-first")
        if _sensible(chain) and is_reserved(chain.key) == reserved:
            return chain


_BY_LENGTH = {"long", "short", "even_length", "odd_length", "exactly"}
_LETTERS = {"initials", "last_letters", "prefixes", "tails"}
_TAME = {"squares", "cubes", "doubles", "scaled", "shifted", "lowered", "distances", "remainders", "halves"}


def _sensible(chain: Chain) -> bool:
    """Whether each step does something: no second filter by a property that the map made trivial."""
    kept, change, end = chain.filter, chain.map, chain.end
    if end.plain and change and not chain.map_first:
        return False
    if end.plain and change is None and kept is None:
        return False
    if change and kept and chain.domain == "words":
        if chain.map_first and change.name in {
            "upper",
            "lower",
            "initials",
            "last_letters",
            "prefixes",
            "quoted",
            "marked",
        }:
            return False
        if not chain.map_first and change.name == "capitalised" and kept.name == "capitalised":
            return False
        if not chain.map_first and {change.name, kept.name} <= {
            "upper",
            "lower",
            "palindromic",
            "reversed",
            "capitalised",
        }:
            return False
        if chain.map_first and change.name in {"reversed", "doubled"} and kept.name in {"palindromic", *_BY_LENGTH}:
            return False
    cased = {"upper", "lower", "swapped"}
    recased = bool(kept and change and kept.name in {"digits", "upper", "lower"} and change.name in cased)
    if chain.domain == "characters" and change and kept and (chain.map_first or recased):
        return False
    if change and kept and chain.domain == "numbers":
        if kept.name in {"positive", "above", "at_least"} and change.name == "sizes":
            return False
        if chain.map_first and change.name not in _TAME:
            return False
        if chain.map_first and change.name == "doubles" and kept.name in {"even", "odd"}:
            return False
    if chain.source.short in {"up_to_n", "digits", "lengths"} and change and change.name == "sizes":
        return False
    if chain.source.short in {"up_to_n", "lengths"} and kept and kept.name in {"positive", "nonzero"}:
        return False
    if kept and change and kept.name == "starting_b" and change.name == "initials":
        return False
    return not (change and change.name in _LETTERS and end.name in {"longest", "total_length"})


def _numbers_in(random: Random, part: Filter | Map | None) -> str:
    return str(random.randint(*part.p)) if part and part.p else ""


def _at(part: str, p: str) -> str:
    return part.replace("$p", p)


def _indented(code: str) -> str:
    return "\n".join("    " + line for line in code.splitlines())


def bodies(chain: Chain, fp: str, mp: str) -> tuple[str, ...]:
    """Equivalent bodies: one expression, a loop, named intermediate lists."""
    test = _at(chain.filter.test, fp) if chain.filter else ""
    negated = _at(chain.filter.negated, fp) if chain.filter else ""
    change = _at(chain.map.code, mp) if chain.map else "x"
    over, end = chain.source.over, chain.end
    condition = f" if {test}" if test else ""
    if chain.map_first and chain.filter:
        inner = f"({change} for x in {over})"
        gen = f"x for x in {inner}{condition}"
        again = re.sub(r"(?<![a-z])x(?![a-z])", "value", test)
        loop = f"value = {change}\nif {again}:\n{_indented(end.step.replace('{v}', 'value'))}"
        steps = [f"changed = [{change} for x in {over}]", f"kept = [x for x in changed{condition}]"]
        last = "kept"
    else:
        gen = f"{change} for x in {over}{condition}"
        step = end.step.replace("{v}", change)
        if end.name == "longest" and chain.map:
            step = f"new = {change}\n{end.step.replace('{v}', 'new')}"
        loop = f"if {test}:\n{_indented(step)}" if test else step
        steps = [f"kept = [x for x in {over}{condition}]"] if test else []
        last = "kept" if test else over
        if chain.map:
            steps.append(f"changed = [{change} for x in {last}]")
            last = "changed"
    whole = end.whole.replace("{gen}", gen)
    made = [f"return {whole}"] if whole else []
    made.append(f"{end.start}\nfor x in {over}:\n{_indented(loop)}\nreturn {end.close}")
    if last != over:
        made.append("\n".join([*steps, f"return {_of_list(end, last)}"]))
    if test and not chain.map_first and len(loop.splitlines()) <= 3:
        step = "\n".join(line.removeprefix("    ") for line in loop.splitlines()[1:])
        made.append(
            f"{end.start}\nfor x in {over}:\n    if {negated}:\n        continue\n{_indented(step)}\nreturn {end.close}"
        )
    item = {"numbers": "x", "words": "w", "characters": "c"}[chain.domain]
    return tuple(re.sub(r"(?<![\w])x(?!\w)", item, body) for body in made)


def _of_list(end: End, last: str) -> str:
    """The end applied to a list that has a name already."""
    if end.listed:
        return end.listed.replace("{l}", last)
    whole = end.whole
    for wrapped in ("[{gen}]", "({gen})"):
        if whole == wrapped:
            return last
    if "({gen})," in whole:
        return whole.replace("({gen})", last)
    return whole.replace("[{gen}]", last).replace("{gen}", last)


def chain_family(random: Random, chain: Chain) -> Family:
    """The chain as a family with one choice; its numbers and its wordings are drawn here."""
    fp, mp = _numbers_in(random, chain.filter), _numbers_in(random, chain.map)
    item = {"numbers": "int", "words": "str", "characters": "str"}[chain.domain]
    result, does, says = [], [], []
    for _ in range(4):
        result.append(noun_phrase(random, chain, fp, mp))
        commands = [_at(c, p) for c, p in _commands(random, chain, fp, mp)]
        source = f"{random.choice(chain.source.nouns)} {random.choice(chain.source.where)}"
        verb = random.choice(("take", "go through", "look at", "start with", "consider", "take"))
        does.append(f"{verb} the {source}, {_listed(commands)}")
        says.append(_told(random, source, commands))
    note = (chain.end.note,) if chain.end.note else ()
    return Family(
        name=_name(random, chain),
        topic=f"compositions/{chain.domain}/{'-'.join(part for part in chain.key[1:-1] if part)}",
        args=chain.source.args,
        returns=chain.end.returns.replace("{t}", item),
        bodies=bodies(chain, fp, mp),
        does=tuple(does),
        result=tuple(result),
        says=tuple(says),
        must=note,
        draw=chain.source.draw,
        edges=chain.source.edges,
        skills=("pipeline",),
    )


def noun_phrase(random: Random, chain: Chain, fp: str, mp: str) -> str:
    """The result in one phrase: "the sum of the squares of the even numbers in $xs"."""
    noun, where = random.choice(chain.source.nouns), random.choice(chain.source.where)
    kept, change, end = chain.filter, chain.map, chain.end
    phrase = f"{noun} {where}"
    if kept and not chain.map_first:
        after = _at(random.choice(kept.after), fp)
        phrase = f"{kept.before} {noun} {where}" if kept.before and random.random() < 0.6 else f"{noun} {where} {after}"
    phrase = _at(random.choice(change.of), mp).replace("{np}", phrase) if change else f"the {phrase}"
    if kept and chain.map_first:
        after = _at(random.choice(kept.after), fp)
        phrase = (
            f"those among {phrase} {after}"
            if after.startswith(("that", "which"))
            else f"those of {phrase} that are {after}"
        )
        phrase = re.sub(r"that are (with|whose|in|of) ", r"\1 ", phrase)
    of = random.choice(end.of)
    if of.startswith(("the number of {np}", "how many {np}")):
        phrase = phrase.removeprefix("the ")
    return of.replace("{np}", phrase)


def _commands(random: Random, chain: Chain, fp: str, mp: str) -> list[tuple[str, str]]:
    kept = [(random.choice(chain.filter.do), fp)] if chain.filter else []
    change = [(random.choice(chain.map.do), mp)] if chain.map else []
    steps = change + kept if chain.map_first else kept + change
    return [*steps, (random.choice(chain.end.do), "")]


def _listed(commands: list[str]) -> str:
    marked = [f"^{command}" for command in commands]
    return ", ".join(marked[:-1]) + f" and {marked[-1]}"


def _told(random: Random, source: str, commands: list[str]) -> str:
    """The steps one by one, as a recipe."""
    caps = [command[0].upper() + command[1:] for command in commands]
    if len(commands) == 2:
        return random.choice(
            (
                f"From the {source}, {commands[0]}. Then {commands[1]}.",
                f"Look at the {source}. {caps[0]}, then {commands[1]}.",
                f"Two steps: {commands[0]} (of the {source}), then {commands[1]}.",
                f"Start with the {source}; {commands[0]}; finally {commands[1]}.",
            )
        )
    return random.choice(
        (
            f"First, from the {source}, {commands[0]}. Next, {commands[1]}. Finally, {commands[2]}.",
            f"Start from the {source}. {caps[0]}. {caps[1]}. {caps[2]}.",
            f"Three steps: 1. {commands[0]} (of the {source}); 2. {commands[1]}; 3. {commands[2]}.",
            f"Begin with the {source}; {commands[0]}, {commands[1]}, and at the end {commands[2]}.",
            f"Go through the {source}: {commands[0]}, then {commands[1]}. After that, {commands[2]}.",
        )
    )


def _name(random: Random, chain: Chain) -> str:
    """A function name made of the steps, such as sum_of_even_squares or even_squares_sum."""
    middle = [chain.filter.name if chain.filter else "", chain.map.name if chain.map else "", chain.source.short]
    if chain.map and chain.source.short == "digits":
        middle[2] = "of_digits"
    words = "_".join(part for part in middle if part)
    tail = {"numbers": "numbers", "words": "words", "characters": "characters"}[chain.domain]
    if not chain.map and not chain.source.short:
        words = f"{words}_{tail}"
    if chain.end.name in {"list", "string"}:
        return random.choice((words, f"get_{words}", f"select_{words}"))
    return random.choice((f"{chain.end.name}_{words}", f"{chain.end.name}_of_{words}", f"{words}_{chain.end.name}"))
