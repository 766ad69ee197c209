"""From recipe text and `key=value` overrides to a checked `Recipe` and its `Execution` settings, all errors at once.

Lies below `recipe` and `execution` because it is the only place where the two meet: the `[execution]` table is cut off
here, and from then on no object holds both.
"""

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_origin

from pydantic import BaseModel, ValidationError

from pipeline.core.errors import RecipeError
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.recipe_base import tables_in
from pipeline.recipe_checks import refused
from pipeline.recipe_domain import GONE, recipe_of, with_problems
from pipeline.recipe_kinds import LoadedOf, inconsistencies, kind_of
from pipeline.recipe_paths import locate
from pipeline.recipe_seeds import ask_first
from pipeline.recipe_teachers import forget_other_kinds

Model = TypeVar("Model", bound=BaseModel)


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


def validated(model: type[Model], data: Any, prefix: str, problems: list[str]) -> Model | None:
    """The table that raw data is, None where there is something wrong with it, which is added to `problems`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        entries = error.errors()
        for entry in entries:
            # Of a list with a wrong entry pydantic says, too, that without this one it is too short.
            inside = any(entry["loc"] == other["loc"][: len(entry["loc"])] for other in entries if other is not entry)
            if not (inside and entry["type"] == "too_short"):
                problems.extend(_problems(model, entry, prefix))
        return None


class _Place(NamedTuple):
    """Where a pydantic error is.

    parts: keys and indexes, without the kinds that pydantic puts between them. kind: of the table with the last key,
    where it is one of several; kinds: those. table: itself, None where there is none. inside: what may lie there.
    """

    parts: list[str]
    kind: str
    kinds: Mapping[str, type[BaseModel]]
    table: type[BaseModel] | None
    inside: Mapping[str, type[BaseModel]]


def _place(model: type[BaseModel], location: Iterable[Any], prefix: str) -> _Place:
    parts = [prefix] if prefix else []
    kind, table, named = "", None, False
    kinds: Mapping[str, type[BaseModel]] = {}
    inside: Mapping[str, type[BaseModel]] = {"": model}
    for part in location:
        if isinstance(part, int) or named:
            parts, named = [*parts, str(part)], False
        elif part in inside:
            kind, kinds, inside = part, inside, {"": inside[part]}
        else:
            parts.append(part)
            table = inside.get("")
            if kinds.get(kind) is not table:
                kind, kinds = "", {}
            field = table.model_fields.get(part) if table else None
            inside = tables_in(field.annotation) if field else {}
            named = field is not None and get_origin(field.annotation) is dict
    return _Place(parts, kind, kinds, table, inside)


def _problems(model: type[BaseModel], entry: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """One pydantic error in our words: key, value found, value wanted, nearest key."""
    place = _place(model, entry["loc"], prefix)
    if entry["type"] not in ("union_tag_not_found", "union_tag_invalid"):
        yield _problem(entry, place)
        return
    # A table that does not say of which kind it is. What all kinds have in common is looked at nevertheless.
    given, kinds = entry["input"], place.inside
    key = ".".join([*place.parts, "kind"])
    wanted = " or ".join(", ".join(map(repr, kinds)).rsplit(", ", 1))
    yield f"{key} = {_shown(given['kind'])}: input should be {wanted}" if "kind" in given else f"{key}: {_MISSING}"
    having = {name: sum(name in table.model_fields for table in kinds.values()) for name in given if name != "kind"}
    first = next(iter(kinds))
    try:
        kinds[first].model_validate({name: given[name] for name, count in having.items() if count in (0, len(kinds))})
    except ValidationError as error:
        for inner in error.errors():
            yield from _problems(model, {**inner, "loc": (*entry["loc"], first, *inner["loc"])}, prefix)


_MISSING = "missing; it must be given"


def _problem(entry: Mapping[str, Any], place: _Place) -> str:
    key = ".".join(place.parts) or "the recipe"
    found = _shown(entry["input"])
    if entry["type"] == "extra_forbidden" and key in GONE:
        return (
            f"{key}: there is no such key any more; {GONE[key]}: `hornbook domain new FOLDER --from python` gives you "
            'one to change, and domain = "FOLDER" names it'
        )
    if entry["type"] == "extra_forbidden":
        return f"{key}: unknown key{_instead(str(entry['loc'][-1]), place)}"
    if entry["type"] == "missing":
        return f"{key}: {_MISSING}"
    inside = sorted({name for table in place.inside.values() for name in table.model_fields})
    if entry["type"] in ("tuple_type", "list_type"):
        return f"{key} = {found}: {_list_wanted(key, entry['input'], bool(inside))}"
    if entry["type"] in ("model_type", "model_attributes_type") and inside:
        return f"{key} = {found}: a table is wanted; set its keys, e.g. {'.'.join([*place.parts, inside[0]])}=..."
    wanted = str(entry["msg"]).removeprefix("Value error, ")
    if entry["type"] == "value_error":
        return f"{key}: {wanted}"
    return f"{key} = {found}: {wanted[0].lower() + wanted[1:]}"


def _instead(name: str, place: _Place) -> str:
    """What to do about a key that the table at its place does not have."""
    others = [kind for kind, table in place.kinds.items() if name in table.model_fields]
    if others:
        return f" where kind = {place.kind!r}; only {' or '.join(map(repr, others))} has it: leave it out"
    known = sorted(place.table.model_fields) if place.table else []
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(known)}"


def _list_wanted(key: str, value: Any, of_tables: bool) -> str:
    """How the list is written that `value` was meant to be."""
    if of_tables:
        header = ".".join(part for part in key.split(".") if not part.isdigit())
        return f"tables are wanted: [[{header}]] in a recipe, {key}.0.KEY=value on the command line"
    parts = value.strip("[]() ").split(",") if isinstance(value, str) else [value]
    bare = [part.strip(" \"'") if isinstance(part, str) else part for part in parts]
    try:
        numbers = [float(part) if "." in str(part) else int(part) for part in bare]
        listed = to_toml(numbers)
    except (ValueError, TypeError, OverflowError):
        listed = to_toml(bare)
    return f"a list is wanted: {_short(listed)} in a recipe, {key}='{_short(listed)}' on the command line"


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _shown(value: Any) -> str:
    """At most 60 characters of a value; a number may be too long to be written."""
    try:
        found = repr(value)
    except ValueError:
        return "a number that is too long to be shown"
    return _short(found)


def to_toml(value: Any) -> str:
    """A value as it stands behind `key =` in a recipe, on one line."""
    import tomlkit

    array = tomlkit.array()  # in which a table is written on one line, too
    array.append(value)
    return array.as_string()[1:-1]
