"""Words that settings take in the place of a path: the names of models and of benchmarks."""

import tomllib
from functools import cache
from typing import Any

from pipeline.core.errors import HornbookError
from pipeline.core.resources import shipped

BENCHMARKS = (
    "humaneval",
    "humaneval+",
    "mbpp",
    "mbpp-few-shot",
    "mbpp-sanitized",
    "mbpp+",
    "held-out",
    "understanding",
)
"""The benchmarks that have a name; `pipeline.benchmarks.problems` says what each is."""


@cache
def models() -> dict[str, dict[str, Any]]:
    """`data/models.toml` as it is: a table by the name of each model.

    Raises HornbookError where the table of the installation cannot be read.
    """
    path = shipped("models.toml")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HornbookError(f"{path}: {error}", hint="mend the table, or reinstall hornbook") from error
