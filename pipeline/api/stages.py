"""The cleaning stages on texts in memory."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.errors import UsageError
from pipeline.core.records import Passage
from pipeline.core.stage import Kept, Tally, checked
from pipeline.recipe import Recipe


@dataclass(frozen=True, slots=True)
class DroppedText:
    """A text that a stage dropped. place: its number in the list. kept_text: of a duplicate, what it is one of."""

    place: int
    text: str
    reason: str
    detail: str
    kept_text: str = ""
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a stage made of a list of texts: len(kept) + len(dropped) is the length of the list."""

    kept: tuple[str, ...]
    dropped: tuple[DroppedText, ...]


def stages() -> tuple[str, ...]:
    """The stages that `run_stage` knows, in the order of the walk."""
    return tuple(_STAGES)


def run_stage(stage: str, texts: Iterable[str], *settings: str, benchmarks: Sequence[str] = ()) -> Cleaned:
    """Run one stage of the walk on texts, each of them a document.

    settings: as on the command line, "distinct.similarity=0.8". benchmarks: for `decontaminated`, names or files of
    problems. Equal texts are one document to every stage but `distinct`, which drops all but the first. Raises
    HornbookError for a stage or a setting that is none.
    """
    from pipeline.recipe_text import settings as read_settings

    if stage not in _STAGES:
        raise UsageError(f"run_stage takes no stage {stage!r}", hint=f"use {', '.join(_STAGES)}")
    recipe = read_settings(settings, (stage,)).recipe
    listed = list(texts)
    places: dict[str, list[int]] = {}
    records = []
    for place, text in enumerate(listed):
        record = Passage(text=text)
        if record.id not in places or stage == "distinct":
            records.append(record)
        places.setdefault(record.id, []).append(place)
    kept: list[int] = []
    dropped: list[DroppedText] = []
    for outcome in checked(_STAGES[stage](recipe, benchmarks), records, Tally()):
        found = places[outcome.record.id]
        # A stage that sees each copy says of each what becomes of it.
        meant = [found.pop(0)] if stage == "distinct" else found
        if isinstance(outcome, Kept):
            kept += meant
            continue
        other = next((one.text for one in records if one.id == outcome.kept_id), "") if outcome.kept_id else ""
        dropped += [
            DroppedText(place, listed[place], outcome.reason, outcome.detail, other, outcome.similarity)
            for place in meant
        ]
    return Cleaned(tuple(listed[place] for place in sorted(kept)), tuple(sorted(dropped, key=lambda one: one.place)))


def _distinct(recipe: Recipe, benchmarks: Sequence[str]) -> Any:
    from pipeline.stages.distinct.stage import Distinct

    return Distinct(recipe.distinct)


def _quality(recipe: Recipe, benchmarks: Sequence[str]) -> Any:
    from pipeline.stages.quality.exclusion import excluded
    from pipeline.stages.quality.stage import Quality

    if recipe.quality.classifier:
        raise UsageError("quality.classifier needs a judge", hint="use a recipe and `hornbook run`")
    return Quality(recipe.quality, excluded=excluded(recipe.quality.exclude))


def _decontaminated(recipe: Recipe, benchmarks: Sequence[str]) -> Any:
    from pipeline.benchmarks.problems import load
    from pipeline.stages.decontaminated.stage import Decontaminate

    if not benchmarks:
        raise UsageError("decontaminated compares with benchmarks, and none is named", hint='benchmarks=["humaneval"]')
    if recipe.decontaminated.embedding < 1:
        raise UsageError("decontaminated.embedding reads with a model", hint="use `hornbook clean`")
    return Decontaminate(recipe.decontaminated, [problem for name in benchmarks for problem in load(name).problems])


_STAGES: dict[str, Callable[[Recipe, Sequence[str]], Any]] = {
    "distinct": _distinct,
    "quality": _quality,
    "decontaminated": _decontaminated,
}
