"""Words that settings take in the place of a path: the names of models, of benchmarks and of domains."""

from functools import cache
from pathlib import Path
from typing import Any

from pipeline.core.resources import shipped, shipped_table

BENCHMARKS = (
    "humaneval",
    "humaneval+",
    "mbpp",
    "mbpp-validation",
    "mbpp-train",
    "mbpp-few-shot",
    "mbpp-sanitized",
    "mbpp+",
    "composed",
    "understanding",
)
"""The benchmarks that have a name; `pipeline.benchmarks.problems` says what each is."""

HELD_OUT = "held-out"
"""The benchmark that a run makes: exercises of its own corpus that were kept back."""
HELD_OUT_FILE = "problems.jsonl"
"""File of the artifact `held-out` with the problems, in HumanEval's form."""

COMPOSER = "hornbook-composer"
"""What the answers of the composer name as their model. It reads no topic, so its documents are about none."""


@cache
def domains() -> tuple[str, ...]:
    """The names of the shipped domains; each that has problems is a benchmark, too."""
    return tuple(sorted(path.parent.name for path in shipped("prompts").glob("*/domain.toml")))


def has_problems(domain: str) -> bool:
    """Whether a domain, by its shipped name or its folder, has held-out problems; False for what is no domain."""
    place = domain_folder(domain)
    return (place / "domain.toml").is_file() and (place / "problems.jsonl").is_file()


def domain_folder(domain: str) -> Path:
    """The folder of a shipped domain by its name, or the one named."""
    return shipped("prompts") / domain if domain in domains() else Path(domain)


@cache
def models() -> dict[str, dict[str, Any]]:
    """`data/models.toml` as it is: a table by the name of each model.

    Raises HornbookError where the table of the installation cannot be read.
    """
    return shipped_table("models.toml")
