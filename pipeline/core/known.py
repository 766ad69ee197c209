"""Words that settings take in the place of a path: the names of models, of benchmarks and of domains."""

from functools import cache
from typing import Any

from pipeline.core.resources import shipped, shipped_table

BENCHMARKS = (
    "humaneval",
    "humaneval+",
    "mbpp",
    "mbpp-few-shot",
    "mbpp-sanitized",
    "mbpp+",
    "held-out",
    "composed",
    "understanding",
)
"""The benchmarks that have a name; `pipeline.benchmarks.problems` says what each is."""


COMPOSER = "hornbook-composer"
"""What the answers of the composer name as their model. It reads no topic, so its documents are about none."""


@cache
def domains() -> tuple[str, ...]:
    """The names of the shipped domains; each that has problems is a benchmark, too."""
    return tuple(sorted(path.parent.name for path in shipped("prompts").glob("*/domain.toml")))


@cache
def models() -> dict[str, dict[str, Any]]:
    """`data/models.toml` as it is: a table by the name of each model.

    Raises HornbookError where the table of the installation cannot be read.
    """
    return shipped_table("models.toml")
