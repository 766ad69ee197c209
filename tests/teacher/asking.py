"""Short ways to ask, shared by the teacher's tests."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline import teacher
from pipeline.core.records import Completion, Message, Prompt, Seed
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.execution import Execution
from pipeline.recipe_teachers import OpenAITable, TeacherTable
from pipeline.stages.completions.stage import Complete
from pipeline.store.places import Places


def prompt(number: int, text: str = "", asked: str = "mock") -> Prompt:
    seed = Seed(kind="textbook", number=number, topic="a/b", title="b", audience="x", form="y", teacher=asked)
    messages = (Message("system", "You teach."), Message("user", text or f"question {number}"))
    return Prompt(seed=seed, messages=messages, template="t", template_digest="d")


def table(url: str, **settings: Any) -> OpenAITable:
    return OpenAITable(**{"name": "mock", "base_url": url, "model": "m", **settings})


def execution(**settings: Any) -> Execution:
    return Execution(**{"concurrency": 8, "timeout_seconds": 60.0, **settings})


def ask_all(
    prompts: Iterable[Prompt],
    journal: Path,
    tables: Iterable[TeacherTable],
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> tuple[dict[str, Completion], dict[str, Dropped]]:
    """Ask and check conservation; completions and drops by prompt id."""
    run = execution(**(settings or {}))
    teachers = {entry.name: teacher.build(entry, run, 0) for entry in tables}
    kept: dict[str, Completion] = {}
    dropped: dict[str, Dropped] = {}
    stage = Complete(teachers, journal, run, **more)
    for outcome in checked(stage, prompts, Tally()):
        if isinstance(outcome, Kept):
            kept[outcome.record.prompt_id] = outcome.record
        else:
            dropped[outcome.record.id] = outcome
    return kept, dropped


def written(folder: Path, recipe: str, **values: Any) -> Path:
    """A recipe file of this text, its {places} filled."""
    path = folder / "recipe.toml"
    path.write_text(recipe.format(**values), encoding="utf-8")
    return path


def kept(where: Places, name: str, stage: str) -> list[Any]:
    """What a stage of a run has kept."""
    stages = json.loads((where.runs / name / "run.json").read_text())["stages"]
    (key,) = [entry["key"] for entry in stages if entry["name"] == stage]
    return list(where.store.kept(stage, key))
