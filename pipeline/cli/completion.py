"""What the shell completes: names of recipes, runs, stages, benchmarks, models and settings.

Each function gets the beginning of a word and gives the words that go on from it. A completion that fails gives none: a
shell has no place for an error.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import typer

from pipeline.core.known import BENCHMARKS


def _silent(words: Callable[..., Iterable[str]]) -> Callable[..., list[str]]:
    """The words of a function, those that begin as what was typed; none where it fails."""

    @wraps(words)
    def completed(*args: Any, **kwargs: Any) -> list[str]:
        try:
            return [word for word in words(*args, **kwargs) if word.startswith(kwargs["incomplete"])]
        except Exception:
            return []

    return completed


@_silent
def recipes(incomplete: str) -> Iterable[str]:
    """Shipped recipes, and TOML files; where none of them begins so, the shell completes paths."""
    from pathlib import Path

    from pipeline.recipe_text import shipped_recipes

    return [*shipped_recipes(), *sorted(path.name for path in Path().glob("*.toml"))]


@_silent
def shipped(incomplete: str) -> Iterable[str]:
    """Shipped recipes alone."""
    from pipeline.recipe_text import shipped_recipes

    return shipped_recipes()


@_silent
def experiments(incomplete: str) -> Iterable[str]:
    """Shipped experiments, and TOML files."""
    from pathlib import Path

    from pipeline.sweep.file import shipped

    return [*shipped(), *sorted(path.name for path in Path().glob("*.toml"))]


@_silent
def runs(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Runs of the data folder that the line names, the newest first, and LATEST."""
    from pipeline.core.names import LATEST
    from pipeline.run.reading import existing_runs
    from pipeline.store.places import places

    folders = existing_runs(places(ctx.params.get("data") or "").runs)
    return [LATEST, *(folder.name for folder in reversed(folders))]


@_silent
def stages(incomplete: str) -> Iterable[str]:
    """Stages of the walks, in their order."""
    from pipeline import walks

    return walks.names()


@_silent
def benchmarks(incomplete: str) -> Iterable[str]:
    """Benchmarks that are known by name."""
    return BENCHMARKS


@_silent
def references(incomplete: str) -> Iterable[str]:
    """Published scores that are known by name."""
    from pipeline.evaluation.references import known

    return known()


@_silent
def settings(incomplete: str) -> Iterable[str]:
    """Tables and keys of a recipe."""
    from pipeline.recipe_settings import tables

    found = tables()
    yield from dict.fromkeys(
        name for table in found for name in (table.name, *(one.key for one in table.settings)) if name
    )


@_silent
def overrides(incomplete: str) -> Iterable[str]:
    """`key=` for every setting, and `key=value` where its values are a closed set; a number begins at 0."""
    from pipeline.recipe_settings import NUMBERED, tables

    choices: dict[str, list[Any]] = {}  # a key may be one of several kinds of a table
    for setting in (setting for table in tables() for setting in table.settings):
        key = ".".join("0" if part == NUMBERED else part for part in setting.key.split("."))
        choices.setdefault(key, []).extend(setting.choices)
    for key, values in choices.items():
        yield f"{key}="
        if "=" in incomplete:
            yield from (f"{key}={str(one).lower() if isinstance(one, bool) else one}" for one in values)


@_silent
def cleaning(incomplete: str) -> Iterable[str]:
    """As `overrides`, once a word has begun: before, the shell completes the paths of inputs."""
    return overrides(incomplete=incomplete) if incomplete else []


@_silent
def models(incomplete: str) -> Iterable[str]:
    """Language models that can be named."""
    from pipeline.models.named import known

    return ["smollm2", *known()]
