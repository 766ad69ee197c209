"""The mark of a setting that may hold a path: see `pipeline.recipe_paths`."""

from dataclasses import dataclass
from typing import Literal

PathKind = Literal["path", "journal", "value-model", "model", "dataset", "benchmark", "domain"]


@dataclass(frozen=True, slots=True)
class Located:
    """Marks a setting that may hold a path.

    kind: "path" always is one, "journal" all but recorded:NAME, "value-model" all but "graded"; "model" may be a word
    of `recipe_paths.WORDS`, a model's name or "owner/name" on the hub; "dataset" is a folder, or also a name on the
    hub; "benchmark" and "domain" may be a known name.
    """

    kind: PathKind
