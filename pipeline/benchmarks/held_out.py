"""Hornbook's own held-out problems: 120, in three groups of 40, each further from the composer's corpus.

They ask for what the composer's basics teach (`repertoire.py`). "new parameters": its families under parameter values
that its answers never use. "new compositions": combinations of a filter, a map and an end that its answers never use.
"new wordings": problems written by hand, plainly, over skills that the families teach, in words that no wording of the
composer has. The first two groups measure whether the student learnt a procedure or a text; the third whether it
understands what is asked.

The problems are in HumanEval's form (typed signature and docstring, `check(candidate)`) and are data, below
`data/held_out/`: `composed.jsonl` was drawn once from the composer's reserved part (`draw`), `new_wordings.toml` was
written by hand. A change of the composer does not change the benchmark; that its answers keep off the benchmark's keys
is held by the tests.
"""

import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.core.identity import rng
from pipeline.core.records import Problem
from pipeline.core.resources import shipped
from pipeline.store import jsonl
from pipeline.teacher.composer.exercise import Piece
from pipeline.teacher.composer.fragments import split
from pipeline.teacher.composer.repertoire import BASIC_PARTS, basics
from pipeline.teacher.composer.steps import chain_family, draw_chain

BENCHMARK = "held-out"
GROUP_SIZE = 40
NEW_PARAMETERS, NEW_COMPOSITIONS, NEW_WORDINGS = "new parameters", "new compositions", "new wordings"
_FIELDS = ("group", "prompt", "entry_point", "test", "canonical_solution")
_SEED = 20230620
"""Fixes which problems `draw` draws; the day on which phi-1's paper appeared."""


def problems() -> list[Problem]:
    """All 120 problems, in a fixed order; `group` tells the three kinds apart."""
    return list(_load())


@lru_cache(maxsize=1)
def _load() -> tuple[Problem, ...]:
    folder = shipped("held_out")
    entries = [*_composed(folder / "composed.jsonl"), *_new_wordings(folder / "new_wordings.toml")]
    return tuple(
        Problem(benchmark=BENCHMARK, task_id=f"{BENCHMARK}/{number:03d}", **fields)
        for number, fields in enumerate(entries)
    )


def _composed(path: Path) -> Iterator[dict[str, str]]:
    for number, row in jsonl.objects(path):
        yield _checked(row, f"{path}, line {number}")


def _new_wordings(path: Path) -> Iterator[dict[str, str]]:
    with path.open("rb") as file:
        entries = tomllib.load(file)["problem"]
    for number, entry in enumerate(entries, 1):
        yield _checked({"group": NEW_WORDINGS, **entry}, f"{path}, problem {number}")


def _checked(entry: dict[str, Any], where: str) -> dict[str, str]:
    """The fields that a problem needs. Raises InputError, naming the place, where one is missing or no text."""
    wrong = [name for name in _FIELDS if not isinstance(entry.get(name), str)]
    if wrong:
        raise InputError(f"{where}: no text for {', '.join(wrong)}", hint=f"each problem needs {', '.join(_FIELDS)}")
    return {name: entry[name] for name in _FIELDS}


def draw() -> Iterator[dict[str, object]]:
    """The entries of `composed.jsonl`, drawn from what the composer's basics reserve, with the key of each.

    key: [family, choice] for new parameters, the chain's key for new compositions.
    """
    known = basics()
    reserving = [family for family in known.families if split(family).reserved]
    for number in range(GROUP_SIZE):
        family = reserving[number % len(reserving)]
        random = rng(_SEED, NEW_PARAMETERS, number)
        reserved = split(family).reserved
        choice = dict(reserved[number // len(reserving) % len(reserved)])
        yield _entry(NEW_PARAMETERS, [family.name, choice], known.exercise(random, family, choice))
    used: list[list[str]] = []
    number = 0
    while len(used) < GROUP_SIZE:
        random = rng(_SEED, NEW_COMPOSITIONS, number)
        number += 1
        chain = draw_chain(random, reserved=True, parts=BASIC_PARTS)
        if used.count(chain.key) < 2:
            used.append(chain.key)
            yield _entry(NEW_COMPOSITIONS, chain.key, known.exercise(random, chain_family(random, chain), {}))


def _entry(group: str, key: list[Any], piece: Piece) -> dict[str, object]:
    return {
        "group": group,
        "key": key,
        "prompt": piece.prompt,
        "entry_point": piece.entry_point,
        "test": piece.check,
        "canonical_solution": piece.body,
    }
