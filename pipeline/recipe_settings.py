"""Every key of a recipe and of its execution settings: type, default and meaning, read from the fields themselves.

Keys of tables that may be repeated have an N in them: `teachers.N.temperature`. On the command line N is a number from
0 or, for teachers, a name. Where a table is one of several kinds, keys that not all of them have say of which they are.
"""

import difflib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.core.errors import UsageError
from pipeline.core.located import Located
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.recipe_base import MOST, tables_in
from pipeline.recipe_images import ImageRecipe
from pipeline.recipe_problems import to_toml

NUMBERED = "N"
"""In a key, the place of a number or name."""

_PLACES = {
    "path": "path",
    "journal": "path, or recorded:NAME",
    "value-model": 'path, or "graded"',
    "model": "model: a word, a path or owner/name",
    "dataset": "path, or a data set's name",
    "benchmark": "benchmark: a name or a path",
    "domain": "domain: a name or a folder",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One key.

    type: in words. default: None where it is required, or may be left out. choices: of a closed set. when: the kind of
    table that has it, as it is written ('kind = "local"'); "" where all have it.
    """

    key: str
    type: str
    default: Any
    required: bool
    meaning: str
    choices: tuple[Any, ...] = ()
    when: str = ""

    @property
    def shown(self) -> str:
        """The default as it is written in a recipe."""
        return "required" if self.required else "none" if self.default is None else to_toml(self.default)


class SettingsTable(NamedTuple):
    """A table of settings. name: as in a key; "" for the keys that stand above all tables. when: as in `Setting`."""

    name: str
    meaning: str
    settings: tuple[Setting, ...]
    when: str = ""


def tables() -> tuple[SettingsTable, ...]:
    """All tables in the order of a recipe, `execution` last."""
    return (*_tables(Recipe, ""), *_image_tables(), *_tables(Execution, "execution"))


def _image_tables() -> Iterator[SettingsTable]:
    """What a recipe over images has in the place of the tables before; its name, seed and the like are theirs."""
    when = 'walk = "images"'
    for table in _tables(ImageRecipe, ""):
        if table.name:
            yield table._replace(settings=tuple(replace(one, when=when) for one in table.settings), when=when)


def find(key: str) -> tuple[SettingsTable, ...]:
    """The tables called `key`, or those that have it as a setting, with that one alone; all for "".

    A key may be given as on the command line (`teachers.0.model`, `teachers.gpt.model`) or without a number
    (`teachers.model`). Raises UsageError with the nearest key.
    """
    found = tables()
    if not key:
        return found
    parts = key.strip().split(".")
    single = tuple(
        table._replace(settings=(setting,))
        for table in found
        for setting in table.settings
        if _matches(parts, setting.key.split("."))
    )
    if single:
        return single
    if inside := tuple(table for table in found if _begins(table.name.split("."), parts)):
        return inside
    raise UsageError(f"no setting {key!r:.100}", hint=f"{_nearest(key, found)}`hornbook settings` lists all")


def text(found: Sequence[SettingsTable]) -> str:
    """The settings for a person."""
    lines = []
    for table in found:
        if len(found) > 1 or len(table.settings) > 1:
            lines += [f"[{table.name or 'recipe'}]{f' of {table.when}' if table.when else ''}  {table.meaning}", ""]
        for setting in table.settings:
            lines += [f"  {setting.key} = {setting.shown}", f"      {setting.type}"]
            lines += [f"      of {setting.when}"] if setting.when and len(found) == len(table.settings) == 1 else []
            lines += [f"      {setting.meaning}", ""]
    return "\n".join(lines)


def to_json(found: Sequence[SettingsTable]) -> dict[str, Any]:
    """{"settings": [{"key", "type", "default", "required", "meaning", "choices", "when"}]}."""
    return {"settings": [asdict(setting) for table in found for setting in table.settings]}


def markdown(found: Sequence[SettingsTable]) -> str:
    """The settings as a Markdown page, a table each."""
    lines = ["# Settings", "", _PAGE, ""]
    for table in found:
        title = f"`{table.name}`" if table.name else "The recipe"
        lines += [f"## {title}{f' of `{table.when}`' if table.when else ''}", "", table.meaning, ""]
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        for setting in table.settings:
            cells = (f"`{setting.key}`", setting.type, f"`{setting.shown}`", setting.meaning)
            lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


_PAGE = (
    "Keys of a recipe's TOML file, and of `key=value` on the command line, where N is a number from 0 or a teacher's "
    'name. A list is written `\'["a", "b"]\'`. Paths in a file begin at the file, those on the command line at the '
    "current folder. `[execution]` says how fast and where, and never changes what is made. This page is written by "
    "`hornbook settings --markdown`."
)


def _tables(model: type[BaseModel], name: str) -> Iterator[SettingsTable]:
    below, own = [], []
    for field_name, field in model.model_fields.items():
        key = f"{name}.{field_name}" if name else field_name
        inner = tables_in(field.annotation)
        if inner:
            below.append((inner, f"{key}.{NUMBERED}" if get_origin(field.annotation) is tuple else key))
        else:
            own.append(_setting(key, field))
    yield SettingsTable(name, _line(model.__doc__), tuple(own))
    for inner, key in below:
        if "" in inner:
            yield from _tables(inner[""], key)
        else:
            yield from _kinds(inner, key)


def _kinds(tables: Mapping[str, type[BaseModel]], name: str) -> Iterator[SettingsTable]:
    """The tables of a union: first what all kinds have, then what each adds."""
    base = _shared(tables)
    for common in _tables(base, name):
        own = (_setting_of_kind(one, tables) if one.key == f"{name}.kind" else one for one in common.settings)
        yield common._replace(settings=tuple(own))
    for kind, model in tables.items():
        when, shared = f'kind = "{kind}"', {f"{name}.{key}" for key in base.model_fields}
        for table in _tables(model, name):
            added = (replace(one, when=when) for one in table.settings if one.key not in shared)
            yield table._replace(settings=tuple(added), when=when)


def _setting_of_kind(setting: Setting, kinds: Iterable[str]) -> Setting:
    choices = tuple(kinds)
    return replace(setting, type=_one_of(choices), choices=choices)


def _shared(tables: Mapping[str, type[BaseModel]]) -> type[BaseModel]:
    """The nearest class from which all of `tables` derive."""
    first, *others = tables.values()
    return next(cls for cls in first.__mro__ if issubclass(cls, BaseModel) and all(issubclass(o, cls) for o in others))


def _one_of(choices: Iterable[Any]) -> str:
    return "one of " + ", ".join(to_toml(one) for one in choices)


def _setting(key: str, field: FieldInfo) -> Setting:
    required = field.is_required()
    default = None if required else field.default
    kind, meaning = _type(field.annotation, field.metadata), _line(field.description)
    return Setting(key, kind, default, required, meaning, _choices(field.annotation))


def _choices(annotation: Any) -> tuple[Any, ...]:
    if annotation is bool:
        return (True, False)
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _type(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """A field's type in words, with its bounds."""
    if hasattr(annotation, "__metadata__"):
        return _type(get_args(annotation)[0], _flat(annotation.__metadata__))
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        (given,) = [one for one in inner if one is not type(None)]
        return f"{_type(given, metadata)}, or left out"
    if origin is Literal:
        return _one_of(inner)
    if origin is tuple:
        return f"list of {_type(inner[0])}" if inner[-1] is Ellipsis else f"list of {len(inner)}: {_type(inner[0])}"
    if origin is dict:
        return "table"
    if annotation is bool:
        return "true or false"
    if annotation in (int, float):
        return ("whole number" if annotation is int else "number") + _bounds(metadata)
    place = next((one for one in metadata if isinstance(one, Located)), None)
    return _PLACES[place.kind] if place else "text"


def _flat(metadata: Sequence[Any]) -> list[Any]:
    """Metadata with the bounds that a `Field` inside `Annotated` holds."""
    return [inner for one in metadata for inner in (one.metadata if isinstance(one, FieldInfo) else [one])]


def _bounds(metadata: Sequence[Any]) -> str:
    """The bounds of a number in words; those that only keep it representable are left out."""
    given = {name: getattr(one, name) for one in metadata for name in _BOUNDS if getattr(one, name, None) is not None}
    words = [f" {_BOUNDS[name]} {bound:,g}" for name, bound in given.items() if abs(bound) < MOST]
    return "".join(words)


_BOUNDS = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}


def _line(doc: str | None) -> str:
    return " ".join((doc or "").split())


def _matches(given: Sequence[str], key: Sequence[str]) -> bool:
    """Whether the parts given are those of `key`; its numbers may be given in any way, or not at all."""
    if not key:
        return not given
    if key[0] == NUMBERED:
        return _matches(given, key[1:]) or (bool(given) and _matches(given[1:], key[1:]))
    return bool(given) and given[0] == key[0] and _matches(given[1:], key[1:])


def _begins(table: Sequence[str], given: Sequence[str]) -> bool:
    """Whether the parts given are the name of a table, or of one that it lies in."""
    return any(_matches(given, table[:length]) for length in range(1, len(table) + 1))


def _nearest(key: str, found: Sequence[SettingsTable]) -> str:
    names = [setting.key for table in found for setting in table.settings]
    names += [table.name for table in found if table.name]
    near = difflib.get_close_matches(key[:100], names, n=1)
    if not near:
        last = key.rpartition(".")[2][:100]
        lasts = difflib.get_close_matches(last, [name.rpartition(".")[2] for name in names], n=1)
        near = [name for name in names if lasts and name.rpartition(".")[2] == lasts[0]][:1]
    return f"did you mean {near[0]!r}? " if near else ""
