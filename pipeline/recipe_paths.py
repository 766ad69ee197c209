"""Which settings of a recipe are paths, and where a relative one begins.

In a recipe's file a path is relative to the file, so that a recipe and its data move together; on the command line it
is relative to the current folder. After loading every path is absolute, so an error names the place that was looked at.
Keys see the last part of a path alone (`without_folders`): what lies there enters them by its content.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

from pydantic import BaseModel

from pipeline.core import known
from pipeline.core.located import Located, PathKind
from pipeline.core.names import objection
from pipeline.recipe_base import tables_in

WORDS = frozenset({"smollm2", "scratch", "student", "train"})
"""Values of a model's or tokenizer's setting that name no place."""
_TABLES = (".jsonl", ".jsonl.gz", ".json", ".json.gz")

Model = TypeVar("Model", bound=BaseModel)


class _Slot(NamedTuple):
    """One marked value in the raw data of a recipe. place: its keys and indexes, from the top."""

    holder: Any
    key: Any
    place: tuple[str, ...]
    kind: PathKind

    @property
    def text(self) -> str:
        return str(self.holder[self.key])


def locate(
    model: type[BaseModel],
    data: dict[str, Any],
    base: Callable[[tuple[str, ...]], Path | None],
    problems: list[str],
    above: tuple[str, ...] = (),
) -> None:
    """Make the paths in the raw data of a `model` absolute, in place; what can be no path is added to `problems`.

    base: the folder where a path at some place begins, None where nothing is changed. above: the place of `data`. Data
    that does not fit the model is passed over: validation says so.
    """
    for slot in list(_slots(model, data, above)):
        folder = base(slot.place)
        if folder is None or not slot.text:
            continue
        try:
            slot.holder[slot.key] = _located(slot.text, folder, slot.kind)
        except (ValueError, RuntimeError, OSError) as error:  # a null character, a user without a home, a loop of links
            problems.append(f"{'.'.join(slot.place)} = {slot.text!r:.60}: can be no path: {error}")


def last_part(text: str) -> str:
    """The last part of an absolute path; other text as it is."""
    path = Path(text)
    return path.name if path.is_absolute() else text


def without_folders(recipe: Model) -> Model:
    """The recipe with the last part alone of each path in it: what of a path may enter a key, wherever it lies."""
    data = recipe.model_dump(mode="json")
    paths = [slot for slot in _slots(type(recipe), data, ()) if Path(slot.text).is_absolute()]
    for slot in paths:
        slot.holder[slot.key] = last_part(slot.text)
    return type(recipe).model_validate(data) if paths else recipe


def _slots(model: type[BaseModel], data: Mapping[str, Any], place: tuple[str, ...]) -> Iterator[_Slot]:
    for name, field in model.model_fields.items():
        if name in data:
            yield from _below(field.annotation, field.metadata, data, name, (*place, name))


def _below(annotation: Any, metadata: Any, holder: Any, key: Any, place: tuple[str, ...]) -> Iterator[_Slot]:
    value = holder[key]
    marker = next((one for one in metadata if isinstance(one, Located)), None)
    if marker is not None and isinstance(value, str):
        yield _Slot(holder, key, place, _kind(marker.kind, holder))
    elif isinstance(value, dict):
        tables = tables_in(annotation)
        table = tables.get("") or tables.get(str(value.get("kind")))
        if table is not None:
            yield from _slots(table, value, place)
    elif isinstance(value, list) and get_origin(annotation) is tuple:
        inner = get_args(annotation)[0]
        for number in range(len(value)):
            bare = get_args(inner)[0] if hasattr(inner, "__metadata__") else inner
            yield from _below(bare, getattr(inner, "__metadata__", ()), value, number, (*place, str(number)))


def _kind(kind: PathKind, table: Any) -> PathKind:
    """What the value of a marked setting is, seen beside the other keys of its table."""
    return "path" if kind == "dataset" and isinstance(table, Mapping) and table.get("kind") == "folder" else kind


def _located(text: str, base: Path, kind: PathKind) -> str:
    if "\0" in text:
        raise ValueError("it has a null character in it")
    path = base / Path(os.path.expandvars(text)).expanduser()
    if not text.startswith((".", "~", "/", "$")) and not _is_path(text, path, kind):
        return text
    # Links are followed up to the last part, which is the name that the user gave and that keys see.
    return str(path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name)


def _is_path(text: str, path: Path, kind: PathKind) -> bool:
    """Whether a text that does not look like a path is one all the same."""
    parts = text.split("/")
    match kind:
        case "benchmark":
            if len(parts) > 1 or text.endswith(_TABLES):
                return True
            return text not in known.BENCHMARKS and text not in known.domains() and _exists(path)
        case "domain":
            return len(parts) > 1 or (text not in known.domains() and _exists(path))
        case "dataset":
            return len(parts) > 2 or any(map(objection, parts)) or _exists(path)
        case "model":
            if text in WORDS or text in known.models():
                return False
            on_hub = len(parts) == 2 and not text.endswith(".gguf") and not any(map(objection, parts))
            return not on_hub or _exists(path)
        case "journal":
            return not text.startswith("recorded:")
        case "value-model":
            return text != "graded"
        case "path":
            return True


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
