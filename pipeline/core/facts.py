"""What a finished stage says of itself beside its counts: a dataclass for each stage, plain JSON in its manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a stage that has none. False where nothing is said.

    Fields of subclasses are None where the stage did not say: manifests of earlier versions lack some, and those of
    other recipes too.
    """

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) is not None for field in fields(self))

    def to_json(self) -> dict[str, Any]:
        """As a manifest holds them, by name; what is read from disk again is equal."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From a manifest; what it lacks is None, and what is not known here is left out."""
        return cls(**{field.name: data.get(field.name) for field in fields(cls)})


def _plain(value: Any) -> Any:
    """A value of tables and tuples as JSON gives it back."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
