"""From the recipe's `[[teachers]]` tables to teachers. What can be wrong is found here, before a question is asked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.execution import Execution
from pipeline.models.fetching import Tell, to_stderr
from pipeline.recipe_teachers import TeacherTable
from pipeline.teacher.kind import Kind, Setup
from pipeline.teacher.kinds import composer, local, openai, replay
from pipeline.teacher.protocol import Teacher

KINDS: Mapping[str, Kind[Any]] = {kind.name: kind for kind in (openai.KIND, local.KIND, composer.KIND, replay.KIND)}
"""Every kind of teacher by name."""


def build(
    table: TeacherTable,
    execution: Execution,
    seed: int,
    models: Path = Path("data/models"),
    tell: Tell = to_stderr,
) -> Teacher:
    """The teacher of a recipe table. seed: the recipe's; models: folder for models; tell: hears of a model's download.

    Raises RecipeError, MissingKey or MissingExtra; nothing is asked, loaded or downloaded here.
    """
    return KINDS[table.kind].build(table, Setup(execution, seed, models, tell))


def keyed(table: TeacherTable, seed: int) -> Teacher:
    """The teacher of `table`, to tell by `keys` which answers are its; needs no API key and asks nothing."""
    setup = Setup(Execution(), seed, Path("data/models"), to_stderr, with_keys=False)
    return KINDS[table.kind].build(table, setup)


def identity(table: TeacherTable, seed: int) -> dict[str, object]:
    """What changes the answers of `table`'s teacher, for keys; needs no API key."""
    return keyed(table, seed).identity()


def usd(table: TeacherTable, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Dollars that so many tokens of the teacher of `table` cost; None where their price is not known."""
    return KINDS[table.kind].usd(table, prompt_tokens, completion_tokens)
