"""How evenly the kept documents cover the axes that they were asked by: topic, and each axis of the domain."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.core.errors import HornbookError
from pipeline.domains.domain import Domain
from pipeline.domains.loading import load
from pipeline.report.corpus import entropy
from pipeline.run.reading import RunView


@dataclass(frozen=True, slots=True)
class AxisCover:
    """One axis. values: that the domain has; 0 where it cannot be read any more. kept: values of which some document
    is kept. effective: exp of the entropy, the number of equally frequent values that would be as varied. least: the
    value asked of which least is kept, with documents kept and seeds asked."""

    name: str
    values: int
    kept: int
    effective: float
    least: tuple[str, int, int]

    def to_json(self) -> dict[str, Any]:
        """One entry of the report's `axes`."""
        return asdict(self)


def axes(run: RunView) -> tuple[AxisCover, ...]:
    """Each axis by which the corpus was asked for, `topic` first; empty before the corpus is there."""
    kept_ids = {row["completion_id"] for row in run.rows("decontaminated", columns=["completion_id"])}
    if not kept_ids:
        return ()
    asked: dict[str, Counter[str]] = defaultdict(Counter)
    for row in run.rows("seeds"):
        for axis, value in _choices(row):
            asked[axis][value] += 1
    kept: dict[str, Counter[str]] = defaultdict(Counter)
    for row in run.rows("completions", columns=["id", "seed"]):
        if row["id"] in kept_ids:
            for axis, value in _choices(row["seed"]):
                kept[axis][value] += 1
    there = _there(run)
    return tuple(_cover(axis, there.get(axis, 0), asked[axis], kept[axis]) for axis in asked)


def _cover(name: str, values: int, asked: Counter[str], kept: Counter[str]) -> AxisCover:
    least = min(asked, key=lambda value: (kept[value], -asked[value], value))
    effective = round(math.exp(entropy(kept)), 1) if kept else 0.0
    return AxisCover(name, values, len(kept), effective, (least, kept[least], asked[least]))


def _choices(seed: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Axis and value of each choice of a seed; those of seeds with a task are fixed by the task."""
    if seed.get("task"):
        return []
    own = [(name, str(seed.get(name) or "")) for name in ("topic", "audience", "form")]
    further = [(str(one["axis"]), str(one["name"])) for one in seed.get("axes") or ()]
    return list(dict.fromkeys((axis, value) for axis, value in (*own, *further) if value))


def _there(run: RunView) -> dict[str, int]:
    domain = _domain(run)
    return {"topic": len(domain.topics), **{axis.name: len(axis.values) for axis in domain.axes}} if domain else {}


def language(run: RunView) -> str:
    """Name of the language of the run's domain, "" where that cannot be read any more."""
    domain = _domain(run)
    return domain.language if domain else ""


def _domain(run: RunView) -> Domain | None:
    try:
        return load(run.loaded.recipe.domain) if run.loaded else None
    except HornbookError:
        return None
