"""What pydantic finds wrong with a table, in our words: key, value found, value wanted, nearest key.

`validated` is for tables of a recipe, `wanted` for whoever has one of pydantic's errors to tell.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar, get_origin

from pydantic import BaseModel, ValidationError

from pipeline.recipe_base import tables_in
from pipeline.recipe_domain import GONE

Model = TypeVar("Model", bound=BaseModel)


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
    yield f"{key} = {shown(given['kind'])}: {_one_of(kinds)} is wanted" if "kind" in given else f"{key}: {_MISSING}"
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
    found = shown(entry["input"])
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
    return f"{key}: {wanted(entry)}" if entry["type"] == "value_error" else f"{key} = {found}: {wanted(entry)}"


_WANTED = {
    "int": "a whole number is wanted",
    "float": "a number is wanted",
    "finite": "a finite number is wanted",
    "bool": "true or false is wanted",
    "string_too_short": "a name is wanted",
    "string": 'text is wanted, in quotes: "..."',
    "dict": "a table is wanted",
    "greater_than": "more than {gt} is wanted",
    "greater_than_equal": "{ge} or more is wanted",
    "less_than": "less than {lt} is wanted",
    "less_than_equal": "{le} or less is wanted",
    "too_short": "at least {min_length} of them {is_are} wanted",
    "too_long": "at most {max_length} of them {is_are} wanted",
}
"""By a kind of error of pydantic's or the first word of several (int_type, int_parsing, int_from_float)."""


def wanted(entry: Mapping[str, Any]) -> str:
    """What an error of pydantic's says is wanted in the place of a value, in our words."""
    kind = str(entry["type"])
    if kind == "literal_error":
        return f"{entry['ctx']['expected']} is wanted"
    text = _WANTED.get(kind, _WANTED.get(kind.partition("_")[0], ""))
    if not text:
        return str(entry["msg"]).removeprefix("Value error, ")
    limits = {name: f"{one:g}" if isinstance(one, float) else one for name, one in entry.get("ctx", {}).items()}
    count = limits.get("min_length", limits.get("max_length"))
    return text.format(**limits, is_are="is" if count == 1 else "are")


def _instead(name: str, place: _Place) -> str:
    """What to do about a key that the table at its place does not have."""
    others = [kind for kind, table in place.kinds.items() if name in table.model_fields]
    if others:
        return f" where kind = {place.kind!r}; only {' or '.join(map(repr, others))} has it: leave it out"
    known = sorted(place.table.model_fields) if place.table else []
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(known)}"


def _one_of(names: Iterable[str]) -> str:
    return " or ".join(", ".join(map(repr, names)).rsplit(", ", 1))


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


def shown(value: Any) -> str:
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
