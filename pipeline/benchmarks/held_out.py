"""Hornbook's own held-out problems: 120, in three groups of 40.

They are what an earlier composer's corpus taught, each group further from it: "new parameters" and "new compositions"
of its exercises, drawn once, and "new wordings" of its skills, written by hand. Nothing draws exercises of that kind
any more.

The problems are in HumanEval's form (typed signature and docstring, `check(candidate)`) and are data, below
`data/held_out/`.
"""

import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.core.records import Problem
from pipeline.core.resources import shipped
from pipeline.store import jsonl

BENCHMARK = "held-out"
NEW_WORDINGS = "new wordings"
_FIELDS = ("group", "prompt", "entry_point", "test", "canonical_solution")


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
