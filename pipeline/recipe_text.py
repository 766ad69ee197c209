"""From recipe text and `key=value` overrides to a checked `Recipe` and its `Execution` settings, all errors at once.

Lies below `recipe` and `execution` because it is the only place where the two meet: the `[execution]` table is cut off
here, and from then on no object holds both.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from pipeline.core.errors import RecipeError
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.recipe_checks import refused
from pipeline.recipe_domain import recipe_of, with_problems
from pipeline.recipe_kinds import LoadedOf, inconsistencies, kind_of
from pipeline.recipe_paths import locate
from pipeline.recipe_problems import validated
from pipeline.recipe_seeds import ask_first
from pipeline.recipe_teachers import forget_other_kinds

Loaded = LoadedOf[Recipe]
"""A recipe of the walk over text."""


def shipped_recipes(folder_name: str = "recipes") -> dict[str, str]:
    """Text of each recipe that comes with Hornbook, or of each TOML file in another folder of the package, by name, in
    alphabetical order."""
    folder = resources.files("pipeline").joinpath(folder_name)
    found = {f.name.removesuffix(".toml"): f for f in folder.iterdir() if f.name.endswith(".toml")}
    return {name: found[name].read_text(encoding="utf-8") for name in sorted(found)}


class Layer(NamedTuple):
    """Values that are laid over a recipe's, as a recipe has them: tables in tables, whole lists.

    Of a list of tables one may be named, by its number or its name (`teachers.composer.model`). folder: where relative
    paths in it begin, None for values without any.
    """

    values: Mapping[str, Any]
    folder: Path | None = None


def load(name_or_path: str, overrides: Sequence[str] = (), layers: Sequence[Layer] = ()) -> LoadedOf[Any]:
    """Read a recipe by shipped name or path, lay `layers` over it in their order, then overrides, and check it:
    of a kind of `pipeline.recipe_kinds`, as its `walk` says.

    A name that is also a file is the file. Raises RecipeError with every problem found: TOML syntax with its line,
    unknown keys with the nearest known one, wrong types, overrides that name no key.
    """
    text, source, folder = read(recipe_of(name_or_path, overrides, shipped_recipes()), "recipe", shipped_recipes())
    data = parsed(text, source)
    problems: list[str] = []
    model = kind_of(data)
    _override(model, data, overrides, folder, problems, layers)
    with_problems(data)
    ask_first(data)
    execution_data = data.pop("execution", {})
    recipe = validated(model, data, "", problems)
    execution = validated(Execution, execution_data, "execution", problems)
    problems.extend(inconsistencies(recipe, execution))
    if problems or recipe is None or execution is None:
        raise refused(f"{source} has", problems, "; `hornbook recipes` lists recipes that work")
    return LoadedOf(recipe, execution, source)


def parsed(text: str, source: str) -> dict[str, Any]:
    """TOML as raw data; RecipeError that names the line where it is none."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a ValueError that is no TOMLDecodeError: a number too long to read
        raise RecipeError(f"{source} is not valid TOML: {error}", hint="mend the line it names") from error


def settings(overrides: Sequence[str], tables: Sequence[str]) -> Loaded:
    """A recipe of defaults with `key=value` settings of the named tables (or of execution), for verbs without a recipe.

    Raises RecipeError with every problem found.
    """
    data: dict[str, Any] = {}
    problems: list[str] = []
    _override(Recipe, data, overrides, None, problems)
    problems += [
        f"{name}: not a table that counts here; use {', '.join(tables)}" for name in data if name not in tables
    ]
    execution = validated(Execution, data.pop("execution", {}), "execution", problems)
    recipe = validated(Recipe, {name: data[name] for name in data if name in tables}, "", problems)
    if problems or recipe is None or execution is None:
        raise refused("the settings have", problems)
    return Loaded(recipe, execution, "")


def dump(recipe: BaseModel, execution: Execution | None = None) -> str:
    """TOML text of a fully resolved recipe; `load` of it gives an equal recipe (keys that are None are left out)."""
    import tomlkit

    data = recipe.model_dump(mode="json", exclude_none=True)
    if execution is not None:
        data["execution"] = execution.model_dump(mode="json", exclude_none=True)
    return tomlkit.dumps(data)


LARGEST = 16 * 2**20
"""Bytes of the largest file that is read as a recipe; what is larger is something else, named by mistake."""


class Text(NamedTuple):
    """A recipe or another TOML file as it stands. folder: where it lies, None for a shipped one, which has no paths."""

    text: str
    source: str
    folder: Path | None


def read(name_or_path: str, what: str, shipped: Mapping[str, str]) -> Text:
    """A file, or the text that is shipped under that name. what: what it is, in errors. Raises RecipeError."""
    path = Path(name_or_path)
    try:
        if path.is_file():
            if path.stat().st_size > LARGEST:
                raise RecipeError(
                    f"{path} has {path.stat().st_size:,} bytes, more than the {LARGEST:,} of the largest recipe",
                    hint="name a TOML file; `hornbook recipes copy NAME FILE` gives you one to edit",
                )
            return Text(path.read_text(encoding="utf-8-sig"), str(path), path.absolute().parent)
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not UTF-8 text: byte {error.start}", hint="save the recipe as UTF-8") from error
    except OSError as error:
        raise RecipeError(
            f"{name_or_path!r:.200} cannot be read: {error.strerror}", hint="name a file that can be read"
        ) from error
    if name_or_path in shipped:
        return Text(shipped[name_or_path], name_or_path, None)
    near = difflib.get_close_matches(name_or_path[:100], shipped, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise RecipeError(
        f"no {what} {name_or_path!r:.200}: neither a file nor one of {', '.join(shipped)}",
        hint=f"{guess}`hornbook recipes copy NAME FILE` gives you one to edit",
    )


def _override(
    model: type[BaseModel],
    data: dict[str, Any],
    overrides: Sequence[str],
    folder: Path | None,
    problems: list[str],
    layers: Sequence[Layer] = (),
) -> None:
    """Apply layers and `key=value` overrides to raw data, then make its paths absolute.

    Those of overrides are relative to the current folder, those of a layer to its own, others to `folder`, the recipe's
    (None: left as they are).
    """
    here = Path.cwd()
    given: dict[tuple[str, ...], Path | None] = {}
    for layer in layers:
        given |= dict.fromkeys(_lay(data, layer.values, (), problems), layer.folder)
    given |= {place: here for override in overrides if (place := _apply(data, override, problems))}
    forget_other_kinds(data.get("teachers"), given)

    def base(place: tuple[str, ...]) -> Path | None:
        set_at = (place[:length] for length in range(len(place), 0, -1) if place[:length] in given)
        return next((given[one] for one in set_at), folder)

    locate(model, data, base, problems)
    if isinstance(data.get("execution"), dict):
        locate(Execution, data["execution"], base, problems, ("execution",))


def _lay(
    holder: Any, values: Mapping[str, Any], above: tuple[str, ...], problems: list[str]
) -> Iterator[tuple[str, ...]]:
    """Lay values over raw data; the places that were set."""
    for key, value in values.items():
        below, step = _step(holder, key) if isinstance(holder, list) or key in holder else (None, key)
        place = (*above, step)
        if isinstance(value, Mapping) and isinstance(below, dict | list):
            yield from _lay(below, value, place, problems)
        elif isinstance(holder, dict):
            holder[key] = deepcopy(value)
            yield place
        elif below is not None:
            holder[int(step)] = deepcopy(value)
            yield place
        else:
            names = [str(one.get("name", number)) for number, one in enumerate(holder) if isinstance(one, dict)]
            problems.append(
                f"{'.'.join(above)}: {key!r} is none of them; there are {', '.join(names) or 'none'}: name one, or "
                "give the whole list"
            )


def _apply(data: dict[str, Any], override: str, problems: list[str]) -> tuple[str, ...]:
    """Set one dotted key, e.g. `seeds.exercises=10`, `teachers.0.model="x"`; the value is TOML, else a plain string.

    Returns the keys and indexes of the place that was set, () where none was.
    """
    key, equals, raw = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        problems.append(f"override {override!r:.100}: expected key=value, e.g. seeds.exercises=100")
        return ()
    if not override.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in override):
        problems.append(f"override {override!r:.100}: is not UTF-8 text")
        return ()
    try:
        value = tomllib.loads(f"v = {raw}")["v"]
    except (ValueError, RecursionError):
        value = raw
    holder: Any = data
    place: list[str] = []
    for part in parts[:-1]:
        holder, step = _step(holder, part)
        if holder is None:
            problems.append(f"override {override!r:.100}: {part!r} is not a table of this recipe")
            return ()
        place.append(step)
    last = parts[-1]
    if isinstance(holder, list) and _is_index(last, holder):
        holder[int(last)] = value
    elif isinstance(holder, dict):
        holder[last] = value
    else:
        problems.append(f"override {override!r:.100}: {last!r} cannot be set there")
        return ()
    return (*place, last)


def _step(holder: Any, part: str) -> tuple[Any, str]:
    """What lies under `part` in raw data, with its key or index; None where there is nothing."""
    if isinstance(holder, dict):
        return holder.setdefault(part, {}), part
    if isinstance(holder, list):
        if _is_index(part, holder):
            return holder[int(part)], str(int(part))
        for number, entry in enumerate(holder):
            if isinstance(entry, dict) and entry.get("name") == part:
                return entry, str(number)
    return None, part


def _is_index(part: str, entries: Sequence[Any]) -> bool:
    return part.isascii() and part.isdigit() and len(part) < 10 and int(part) < len(entries)
