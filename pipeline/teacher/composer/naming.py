"""How arguments, types and local variables are called: pools of names that people use for the same thing."""

import re
from random import Random

from pipeline.teacher.composer.fragments import Argument

POOLS: dict[str, tuple[str, ...]] = {
    name: tuple(pool.split())
    for name, pool in {
        "xs": "numbers nums values lst xs arr l array integers numbers",
        "ys": "others second other ys b nums2",
        "text": "text s string line text st string",
        "other": "other t second other_text",
        "word": "word s w word",
        "sentence": "sentence text s phrase line",
        "words": "words strings lst words tokens items",
        "n": "n number num n x",
        "m": "m other b",
        "k": "k size step k amount",
        "limit": "limit threshold t bound limit",
        "target": "target goal wanted target",
        "counts": "counts d data mapping table dictionary",
        "scores": "scores d points marks results_by_name",
        "prices": "prices d costs price_list",
        "grid": "grid matrix rows table m board",
        "pairs": "pairs items entries records",
        "a": "a x first",
        "b": "b y second",
    }.items()
}
"""Names for an argument's role; a role that is not here keeps its canonical name."""

LOCALS: dict[str, tuple[str, ...]] = {
    name: tuple(pool.split())
    for name, pool in {
        "result": "result res output out answer ans",
        "total": "total result acc running total s",
        "count": "count counter total c cnt",
        "x": "x num value v number item",
        "i": "i i idx j index",
        "w": "w word token item s",
        "c": "c ch char letter",
        "row": "row line r",
        "new": "new changed_item y result_item",
        "changed": "changed mapped new_values transformed",
        "best": "best current_best answer best_so_far",
        "kept": "kept selected chosen filtered",
        "parts": "parts pieces chunks",
        "seen": "seen visited known",
        "key": "key k name",
        "value": "value v val amount",
    }.items()
}
"""Alternatives for the local variables that bodies use, so that one algorithm is not always spelt alike."""

NOUNS: dict[str, tuple[str, ...]] = {
    "int": ("an integer", "an integer", "a whole number", "an int", "a number"),
    "str": ("a string", "a string", "a text", "a piece of text"),
    "bool": ("a boolean", "a flag"),
    "float": ("a number", "a float"),
    "list[int]": (
        "a list of integers",
        "a list of numbers",
        "an array of integers",
        "a list of ints",
        "a sequence of integers",
    ),
    "list[float]": ("a list of numbers", "a list of floats"),
    "list[str]": ("a list of strings", "an array of strings", "a list of words"),
    "list[bool]": ("a list of booleans",),
    "dict[str, int]": (
        "a dictionary that maps strings to integers",
        "a dict from strings to ints",
        "a dictionary with integer values",
    ),
    "dict[str, str]": ("a dictionary that maps strings to strings", "a dict from strings to strings"),
    "dict[str, list[str]]": ("a dictionary that maps strings to lists of strings",),
    "dict[str, list[int]]": ("a dictionary that maps strings to lists of integers",),
    "dict[int, list[str]]": ("a dictionary that maps integers to lists of strings",),
    "dict[int, int]": ("a dictionary that maps integers to integers",),
    "list[list[int]]": (
        "a list of lists of integers",
        "a grid of integers given as a list of rows",
        "a matrix (a list of rows)",
    ),
    "list[list[str]]": ("a list of lists of strings",),
    "list[tuple[str, int]]": ("a list of (string, integer) pairs", "a list of tuples, each a string and an integer"),
    "list[tuple[int, int]]": ("a list of pairs of integers", "a list of tuples of two integers"),
    "tuple[int, int]": ("a tuple of two integers", "a pair of integers"),
    "tuple[int, int, int]": ("a tuple of three integers",),
    "tuple[str, str]": ("a pair of strings",),
    "tuple[str, int]": ("a pair of a string and an integer",),
    "tuple[list[int], list[int]]": ("a pair of lists of integers",),
    "list[object]": ("a nested list of integers", "a list of integers and of lists of the same kind"),
    "int | None": ("an integer or None",),
    "str | None": ("a string or None",),
}
"""Noun phrases for the types of signatures."""

ROLE_NOUNS: dict[str, tuple[str, ...]] = {
    "word": ("a word", "a string"),
    "sentence": ("a sentence", "a string of words", "a string"),
    "year": ("a year", "an integer year"),
    "grid": NOUNS["list[list[int]]"],
}
"""Noun phrases that say more than the type, for arguments with such a role."""

_WORD = re.compile(r"[A-Za-z_]\w*")


def identifiers(code: str) -> set[str]:
    """Every word of `code` that could be a name; words inside string literals are included, which is harmless here."""
    return set(_WORD.findall(code))


def name_arguments(random: Random, args: tuple[Argument, ...], taken: set[str]) -> dict[str, str]:
    """Names for the arguments, by canonical name; none collides with `taken` or with another.

    An argument keeps its canonical name where every name of its pool is taken. Two arguments a and b are named as a
    pair: x and y, never x and second.
    """
    chosen: dict[str, str] = {}
    if {"a", "b"} <= {arg.name for arg in args}:
        pairs = [pair for pair in zip(POOLS["a"], POOLS["b"], strict=True) if not taken & set(pair)]
        if pairs:
            chosen["a"], chosen["b"] = random.choice(pairs)
    for arg in args:
        if arg.name in chosen:
            continue
        free = [name for name in POOLS.get(arg.name, (arg.name,)) if name not in taken and name not in chosen.values()]
        chosen[arg.name] = random.choice(free) if free else arg.name
    return chosen


def rename_locals(random: Random, body: str, taken: set[str]) -> str:
    """`body` with some of its local variables called differently; names in strings are left alone."""
    used = identifiers(body)
    for name, pool in LOCALS.items():
        if (
            name not in used
            or name in taken
            or not re.search(rf"^\s*(for .*\b{name}\b.* in |{name}\b.* = )|\bfor (\w+, )*{name}\b", body, re.M)
        ):
            continue
        new = random.choice((name, *pool))
        if new == name or new in used or new in taken or new in _RESERVED or _in_string(name, body):
            continue
        body = re.sub(rf"(?<![\w.]){name}\b(?!=[^=])", new, body)
        used = (used - {name}) | {new}
    return body


_RESERVED = {"sum", "max", "min", "len", "list", "sorted", "key", "reverse"} - {"key"}


def _in_string(name: str, body: str) -> bool:
    """Whether `name` stands inside a quoted literal of `body`, where renaming would change what the code does."""
    return any(name in identifiers(quoted) for quoted in re.findall(r'"[^"\n]*"|\'[^\'\n]*\'', body))


def noun(random: Random, arg: Argument) -> str:
    """A noun phrase for what the argument is."""
    return random.choice(ROLE_NOUNS.get(arg.name) or NOUNS[arg.type])


def typing_name(type_name: str) -> str:
    """The type as `typing` spelt it before Python 3.9: list[int] is List[int], int | None is Optional[int]."""
    if type_name.endswith(" | None"):
        return f"Optional[{typing_name(type_name.removesuffix(' | None'))}]"
    if type_name == "list[object]":
        return "List"
    return re.sub(r"\b(list|dict|tuple|set)\b", lambda match: match[1].capitalize(), type_name)


def typing_imports(*type_names: str) -> str:
    """The import line that the given `typing` spellings need, or "" where they need none."""
    wanted = sorted({word for name in type_names for word in re.findall(r"\b(List|Dict|Tuple|Set|Optional)\b", name)})
    return f"from typing import {', '.join(wanted)}" if wanted else ""
