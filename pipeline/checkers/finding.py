"""Checkers by name: those that are shipped, and those that installed packages bring."""

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points

from pipeline.checkers import python
from pipeline.checkers.json_schema import checker as json_schema
from pipeline.checkers.protocol import Kind
from pipeline.checkers.python_check import checker as python_check
from pipeline.checkers.regex import checker as regex
from pipeline.checkers.sqlite import checker as sqlite
from pipeline.core.errors import RecipeError

GROUP = "hornbook.checkers"
"""The entry-point group under which a package brings a `Kind`."""
SHIPPED = {kind.name: kind for kind in (python.KIND, sqlite.KIND, regex.KIND, json_schema.KIND, python_check.KIND)}


def known() -> list[str]:
    """All names, those of packages last."""
    return [*SHIPPED, *(name for name in sorted(_brought()) if name not in SHIPPED)]


def find(name: str) -> Kind:
    """The kind called `name`; a shipped one goes before a package's. Raises RecipeError."""
    if name in SHIPPED:
        return SHIPPED[name]
    brought = _brought()
    if name not in brought:
        near = get_close_matches(name, known(), n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise RecipeError(f"there is no checker {name!r}", hint=f"{guess}checkers are {', '.join(known())}")
    return _loaded(brought[name])


def _brought() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _loaded(point: EntryPoint) -> Kind:
    try:
        kind = point.load()
    except Exception as error:
        raise RecipeError(
            f"the checker {point.name!r} of {point.value} cannot be loaded: {type(error).__name__}: {error}",
            hint="mend or remove the package that brings it",
        ) from error
    if not isinstance(kind, Kind):
        raise RecipeError(
            f"the checker {point.name!r} of {point.value} is a {type(kind).__name__}, not a checker's Kind",
            hint="mend or remove the package that brings it",
        )
    return kind
