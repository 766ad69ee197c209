"""What a stage that is not finished has been answered: its journal, which is there after a kill, too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.recipe import Recipe
from pipeline.recipe_teachers import TeacherTable
from pipeline.run.reading import RunView, StageView
from pipeline.stages.completions.facts import WRITING

ASKING = (*WRITING, "quality")
"""Stages that ask teachers."""


@dataclass(frozen=True, slots=True)
class Journalled:
    """Answers in a journal. whole: those that were not cut. tokens, usd: of all, prompts included."""

    answers: int = 0
    whole: int = 0
    tokens: int = 0
    usd: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The `journalled` of a stage in `status` and in the report's funnel."""
        return {"answers": self.answers, "tokens": self.tokens, "usd": round(self.usd, 8)}


def journalled(stage: StageView, run: RunView) -> Journalled | None:
    """What the stage's journal holds in all; None for a stage that is finished or has none."""
    if stage.manifest is not None:
        return None
    folder = run.store.partial_folder(stage.name, stage.key)
    if stage.name.startswith("samples"):
        path = folder / "samples.jsonl"
        lines = path.read_bytes().count(b"\n") if path.is_file() else 0
        return Journalled(answers=lines, whole=lines) if lines else None
    parts = by_teacher(stage, run).values()
    if not parts:
        return None
    return Journalled(*(sum(getattr(part, name) for part in parts) for name in Journalled.__dataclass_fields__))


def by_teacher(stage: StageView, run: RunView) -> Mapping[str, Journalled]:
    """The same by teacher's name, for a stage that asks teachers; "" for answers that are none of the recipe's."""
    if stage.manifest is not None or stage.name not in ASKING:
        return {}
    recipe: Recipe | None = run.loaded.recipe if run.loaded else None
    tables, seed = (asked_in(stage.name, recipe), recipe.seed) if recipe else ((), 0)
    return answers_in(run.store.partial_folder(stage.name, stage.key), tables, seed)


def answers_in(folder: Path, tables: Sequence[TeacherTable], seed: int) -> dict[str, Journalled]:
    """The answers journalled in a folder of work in progress, by name of the teacher; none where there is no such."""
    from pipeline.teacher.lines import heads

    if not folder.is_dir():
        return {}
    name_of = _Names(tables, seed)
    found: dict[str, list[float]] = {}
    for head in heads(folder):
        counts = found.setdefault(name_of(head), [0, 0, 0, 0.0])
        for place, value in enumerate((1, head.finish != "length", head.tokens, head.usd)):
            counts[place] += value
    return {name: Journalled(int(n), int(whole), int(tokens), usd) for name, (n, whole, tokens, usd) in found.items()}


def asked_in(stage: str, recipe: Recipe) -> tuple[TeacherTable, ...]:
    """The teachers that a stage asks."""
    from pipeline.stages.quality.judge import teacher_of
    from pipeline.stages.rewordings.step import asked
    from pipeline.stages.solutions.step import solving

    if stage == "quality":
        return (teacher_of(recipe),)
    if stage == "rewordings":
        return asked(recipe)
    return solving(recipe) if stage == "solutions" else recipe.teachers


class _Names:
    """Which teacher gave an answer: the one under whose keys it is journalled, else the one whose keys are of prompts,
    which a journal does not hold."""

    def __init__(self, tables: Sequence[TeacherTable], seed: int) -> None:
        from pipeline.teacher.building import KINDS, keyed

        alone = len(tables) == 1
        self._only = tables[0].name if alone else ""
        by = {table.name: KINDS[table.kind].keyed for table in tables}
        self._other = next((name for name, what in by.items() if what == "prompts"), "")
        self._keyed = {t.name: keyed(t, seed) for t in tables if not alone and by[t.name] == "messages"}

    def __call__(self, head: Any) -> str:
        if self._only:
            return self._only
        for name, teacher in self._keyed.items():
            if head.key in teacher.keys(head.messages, head.number):
                return name
        return self._other
