"""Raw code in the walk."""

import platform
from typing import Any

from pipeline.core.contents import content_digest
from pipeline.core.errors import InputError
from pipeline.core.records import Passage
from pipeline.core.stage import Tally, sourced
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.store.manifest import Manifest


def _reads(recipe: Recipe) -> Any:
    """The standard library by Python version; local files by `content_digest`; a hub dataset by name."""
    table = recipe.sources
    if table.kind == "stdlib":
        return {"python": platform.python_version()}
    place = table.place
    if place.is_dir() or (table.kind == "dataset" and place.is_file()):
        return {"files": content_digest(place)}
    if place.is_absolute():
        kinds = "folder" if table.kind == "folder" else "file or folder"
        raise InputError(f"sources.path: there is no {kinds} at {table.path!r}", hint=f"name a {kinds} that is there")
    return {"name": table.path}


def _make(making: Making) -> Manifest:
    from pipeline.stages.raw_code.stage import passages

    tally = Tally()
    outcomes = passages(making.recipe.sources, making.executor, making.note)
    return making.write(sourced(outcomes, tally, STEP.name, STEP.reasons), tally)


STEP = TextStep(
    name="raw-code",
    version=6,
    caption="real code, taken in beside the answers",
    make=_make,
    wanted=lambda recipe: recipe.sources.kind != "none",
    settings=lambda recipe: {"sources": recipe.sources.keyed("data_dir", "languages", "split", "revision")},
    reads=_reads,
    kept=(Passage,),
    dropped=(Passage,),
    reasons={
        "unreadable": "a file or row that is broken, no text, no Python, or empty",
        "licence": "its licence is not among sources.licences",
        "generated": "a machine wrote it: its head says so, or its lines are too long for a person's",
        "too-long": "longer than sources.max_characters",
    },
    corpus=True,
)
