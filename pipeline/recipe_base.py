"""What every table of a recipe is made of: the base of all tables, the types of their values, and marks of paths."""

import json
import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipeline.core.located import Located


def _json(value: object) -> object:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{value!r:.60} cannot be sent as JSON: {error}") from None
    return value


MOST = 10**15
"""Largest whole number of a setting: more than any corpus has, and exact as a float."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=0, le=MOST)]
Positive = Annotated[int, Field(ge=1, le=MOST)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Json = Annotated[object, AfterValidator(_json)]
"""A value that JSON has a form for: not a date, and no number that is none."""
PathText = Annotated[str, Located("path")]
ModelText = Annotated[str, Located("model")]
DomainText = Annotated[str, Located("domain")]
BenchmarkText = Annotated[str, Located("benchmark")]


class Table(BaseModel):
    """Base of all recipe tables: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    def keyed(self, *later: str) -> dict[str, Any]:
        """The values that enter a key, as JSON: all, but those of `later` only where they are not the default. A
        setting that was added later so leaves the keys of recipes that do not use it."""
        unused = {name for name in later if getattr(self, name) == type(self).model_fields[name].default}
        return self.model_dump(mode="json", exclude=unused)


def tables_in(annotation: Any) -> dict[str, type[BaseModel]]:
    """The table that a field holds, or holds several of, listed or named, under ""; where it is one of a union, all by
    their `kind`.

    Empty for the annotation of a plain value.
    """
    if get_origin(annotation) in (tuple, Annotated):
        return tables_in(get_args(annotation)[0])
    if get_origin(annotation) is dict:
        return tables_in(get_args(annotation)[1])
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [one for one in get_args(annotation) if _is_table(one) and "kind" in one.model_fields]
        return {one.model_fields["kind"].default: one for one in kinds}
    return {"": annotation} if _is_table(annotation) else {}


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
