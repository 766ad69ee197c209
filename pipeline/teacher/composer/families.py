"""All families, and how a wanted topic or function name is matched with one of them."""

import builtins
import keyword
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from pipeline.teacher.composer import (
    conversions,
    dictionaries,
    digits,
    dynamic,
    games,
    grids,
    lists_building,
    lists_runs,
    lists_scanning,
    numbers,
    ordering,
    parsing,
    recursion,
    simulation,
    strings_building,
    strings_counting,
    words,
)
from pipeline.teacher.composer.fragments import Choice, Family, natural_names, split

_MODULES = (
    numbers,
    digits,
    strings_counting,
    strings_building,
    words,
    lists_scanning,
    lists_runs,
    lists_building,
    ordering,
    dictionaries,
    grids,
    conversions,
    parsing,
    recursion,
    dynamic,
    simulation,
    games,
)
_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an and of the in to from by with for get compute calculate make do is are has have be as on or at it its "
        "return returns given value function using use basic simple python introduction",
    )
)
_TOPIC_WEIGHT = 1.0
_NAME_WEIGHT = 1.6
_CANDIDATES = 60
"""How many of the nearest entries are tried for whether the wanted name fits them."""


@lru_cache(maxsize=1)
def families() -> tuple[Family, ...]:
    """Every family of one function, in declaration order."""
    return tuple(family for module in _MODULES for family in module.FAMILIES)


@dataclass(frozen=True, slots=True)
class Entry:
    """A family under one open choice, with what it can be called. words: stems of its names, keywords and topic."""

    family: Family
    choice: Choice
    names: tuple[str, ...]
    words: frozenset[str]


@lru_cache(maxsize=8192)
def stems(text: str) -> frozenset[str]:
    """The words of a name, path or title in a crude normal form: lower case, no plural, no stop words."""
    words = re.findall(r"[a-z]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", text).lower())
    return frozenset(re.sub(r"(?<=[a-z]{2})(ies|es|s)$", "", word) for word in words if word not in _STOP)


@lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """All families under all open choices."""
    made = []
    for family in families():
        for choice in split(family).open:
            names = natural_names(family, choice)
            words = stems(" ".join((*names, family.keywords, family.topic)))
            made.append(Entry(family, choice, names, words))
    return tuple(made)


@lru_cache(maxsize=1)
def _index() -> dict[str, dict[int, float]]:
    """For each stem, the entries that have it with the stem's weight: rare stems weigh more, by family."""
    having: dict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries()):
        for word in entry.words:
            having[word].append(number)
    weights = {}
    for word, places in having.items():
        spread = len({entries()[place].family.name for place in places})
        weights[word] = dict.fromkeys(places, 1.0 / (1 + spread) ** 0.5)
    return weights


@lru_cache(maxsize=1)
def by_name() -> dict[str, tuple[Entry, ...]]:
    """Entries by each of their natural names."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries():
        for name in dict.fromkeys(entry.names):
            found[name].append(entry)
    return {name: tuple(same) for name, same in found.items()}


def fits(name: str, entry: Entry) -> bool:
    """Whether a function called `name` may honestly do what `entry` does.

    Every content word of the name belongs to the entry, and it names most of one of the entry's own names. Names of
    builtins never fit: a body that calls `sum` inside a function called `sum` calls itself.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or hasattr(builtins, name):
        return False
    wanted = stems(name)
    if not wanted or not wanted <= stems(" ".join((*entry.names, entry.family.keywords))):
        return False
    return any(len(wanted & stems(own)) >= 0.7 * len(stems(own)) for own in entry.names)


def match(random: Random, topic: str, name: str) -> Entry:
    """An entry that the wanted name fits, else one near the topic and the name. Where nothing is near, any family."""
    scores: dict[int, float] = defaultdict(float)
    index = _index()
    for wanted, weight in ((stems(topic), _TOPIC_WEIGHT), (stems(name), _NAME_WEIGHT)):
        for word in wanted:
            for number, rarity in index.get(word, {}).items():
                scores[number] += weight * rarity
    if name:
        ranked = sorted(scores, key=lambda number: (-scores[number], number))[:_CANDIDATES]
        fitting = [number for number in ranked if fits(name, entries()[number])]
        if fitting:
            return entries()[random.choice(fitting)]
    best = max(scores.values(), default=0.0)
    if best >= 0.45:
        near: dict[str, list[int]] = defaultdict(list)
        for number, score in sorted(scores.items()):
            if score >= 0.75 * best:
                near[entries()[number].family.name].append(number)
        family = random.choice(list(near))
        return entries()[random.choice(near[family])]
    return any_entry(random)


def any_entry(random: Random) -> Entry:
    """A family at random, then one of its open choices: families with many parameters are not more frequent."""
    family = random.choice(families())
    choice = random.choice(split(family).open)
    return next(entry for entry in _of_family()[family.name] if entry.choice == choice)


@lru_cache(maxsize=1)
def _of_family() -> dict[str, tuple[Entry, ...]]:
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries():
        found[entry.family.name].append(entry)
    return {name: tuple(same) for name, same in found.items()}
