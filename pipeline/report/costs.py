"""What the artifacts of runs took, each counted once: arms of an experiment share what is the same in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline import walks
from pipeline.run.reading import RunView, StageView
from pipeline.stages.completions.facts import WRITING, CompletionsFacts
from pipeline.stages.quality.facts import QualityFacts
from pipeline.stages.student.facts import StudentFacts

Artifacts = Mapping[str, StageView]
"""Finished stages by key."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a set of artifacts took, whichever run made them.

    usd: paid to teachers, at the price of the day. teacher_tokens: prompts and answers. cpu_hours: of all stages.
    gpu_hours: of training on a GPU.
    """

    usd: float = 0.0
    teacher_tokens: int = 0
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {name: round(getattr(self, name), 6) for name in self.__dataclass_fields__}


def artifacts(runs: Iterable[RunView]) -> dict[str, StageView]:
    """The finished stages of runs."""
    return {stage.key: stage for run in runs for stage in run.stages if stage.manifest is not None}


def cost(made: Artifacts) -> Cost:
    """What they took together. A replayed answer counts at what it cost when it was given."""
    usd, tokens, cpu, gpu = 0.0, 0, 0.0, 0.0
    for stage in made.values():
        assert stage.manifest is not None
        cpu += stage.manifest.cpu_seconds
        for told in _asked(stage):
            usd += float(told.get("usd") or 0.0) + float(told.get("earlier_usd") or 0.0)
            tokens += int(told.get("tokens") or 0)
        if stage.name == "student":
            facts = StudentFacts.from_json(stage.facts)
            gpu += (facts.seconds or 0.0) if facts.device not in (None, "cpu") else 0.0
    return Cost(usd, tokens, cpu / 3600, gpu / 3600)


def _asked(stage: StageView) -> Iterable[Mapping[str, Any]]:
    if stage.name in WRITING:
        return CompletionsFacts.from_json(stage.facts).teachers or ()
    judge = QualityFacts.from_json(stage.facts).judge if stage.name == "quality" else None
    return [judge] if judge else ()


def differing(first: Iterable[RunView], second: Iterable[RunView]) -> str:
    """The first stage of the walk whose artifacts differ, "" where none does."""
    sides = [{(stage.name, stage.key) for run in runs for stage in run.stages} for runs in (first, second)]
    apart = {name for name, _ in sides[0] ^ sides[1]}
    return next((name for name in walks.names() if name in apart), "")
