"""Hornbook's own held-out problems: 120, in three groups of 40, each further from the composer's corpus.

"new parameters": families that the composer teaches, under parameter values that its answers never use. "new
compositions": combinations of a filter, a map and an end that its answers never use. "new wordings": problems written by
hand, `data/held_out/new_wordings.toml`, over skills that the families teach, in words that no wording of the composer
has. The first two groups measure whether the student learnt a procedure or a text; the third whether it understands
what is asked.

The problems are in HumanEval's form (typed signature and docstring, `check(candidate)`), and are the same for ever:
nothing here depends on a recipe.
"""

import tomllib
from collections.abc import Iterator
from functools import lru_cache

from pipeline.errors import InputError
from pipeline.identity import digest, rng
from pipeline.records import Problem
from pipeline.resources import shipped
from pipeline.teacher.composer.exercise import Piece, write
from pipeline.teacher.composer.families import families
from pipeline.teacher.composer.fragments import split
from pipeline.teacher.composer.steps import chain_family, draw_chain

BENCHMARK = "held-out"
GROUP_SIZE = 40
_SEED = 20230620
"""Fixes which problems are drawn; the day on which phi-1's paper appeared."""


@lru_cache(maxsize=1)
def _all() -> tuple[Problem, ...]:
    groups = (
        ("new parameters", _new_parameters()),
        ("new compositions", _new_compositions()),
        ("new wordings", _new_wordings()),
    )
    numbered = ((group, fields) for group, problems in groups for fields in problems)
    return tuple(
        Problem(benchmark=BENCHMARK, task_id=f"{BENCHMARK}/{number:03d}", group=group, **fields)
        for number, (group, fields) in enumerate(numbered)
    )


def problems() -> list[Problem]:
    """All 120 problems, in a fixed order; `group` tells the three kinds apart."""
    return list(_all())


def _fields(piece: Piece) -> dict[str, str]:
    return {
        "prompt": piece.prompt,
        "entry_point": piece.entry_point,
        "test": piece.check,
        "canonical_solution": piece.body,
    }


def _new_parameters() -> Iterator[dict[str, str]]:
    """One problem from each of `GROUP_SIZE` families that reserve choices."""
    reserving = [family for family in families() if split(family).reserved]
    chosen = sorted(reserving, key=lambda family: digest([_SEED, family.name]))[:GROUP_SIZE]
    for family in sorted(chosen, key=lambda family: family.topic):
        random = rng(_SEED, "new parameters", family.name)
        yield _fields(write(random, family, random.choice(split(family).reserved), hints="typing"))


def _new_compositions() -> Iterator[dict[str, str]]:
    """`GROUP_SIZE` different reserved combinations of steps."""
    used: list[list[str]] = []
    number = 0
    while len(used) < GROUP_SIZE:
        random = rng(_SEED, "new compositions", number)
        number += 1
        chain = draw_chain(random, reserved=True)
        if chain.key not in used:
            used.append(chain.key)
            yield _fields(write(random, chain_family(random, chain), {}, hints="typing"))


def _new_wordings() -> Iterator[dict[str, str]]:
    """The problems of `new_wordings.toml`. Raises InputError for an entry that lacks a field."""
    path = shipped("held_out") / "new_wordings.toml"
    with path.open("rb") as file:
        entries = tomllib.load(file)["problem"]
    for number, entry in enumerate(entries, 1):
        missing = sorted({"prompt", "entry_point", "test", "solution"} - entry.keys())
        if missing:
            raise InputError(
                f"{path}: problem {number} has no {', '.join(missing)}",
                hint="each [[problem]] needs prompt, entry_point, test and solution",
            )
        yield {
            "prompt": entry["prompt"],
            "entry_point": entry["entry_point"],
            "test": entry["test"],
            "canonical_solution": entry["solution"],
        }
