"""Answers to look at: problems beside what the student wrote before and after, chosen by a rule, never by hand."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pipeline.core.errors import HornbookError
from pipeline.core.known import HELD_OUT
from pipeline.core.records import Exercise, Problem
from pipeline.run.reading import RunView
from pipeline.stages.held_out.stage import problem_of
from pipeline.store.rows import from_row

Change = Literal["gained", "lost", "solved", "failed", "unscored"]

WANTED: Mapping[Change, int] = {"gained": 2, "lost": 1, "solved": 1, "failed": 2, "unscored": 1}
"""Problems shown of each kind and benchmark: those with the smallest ids, so that a report shows failures too."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One sample with its verdict. score_id: what `hornbook trace` takes."""

    model: str
    text: str
    passed: bool | None
    verdict: str
    detail: str
    finish_reason: str
    sample_id: str
    score_id: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A problem and the first answer of each model to it. prompt: "" where the benchmark's data is not at hand."""

    benchmark: str
    task_id: str
    group: str
    prompt: str
    change: Change
    answers: tuple[Answer, ...]

    def to_json(self) -> dict[str, Any]:
        """One entry of the report's `samples`."""
        answers = [{name: getattr(a, name) for name in Answer.__dataclass_fields__} for a in self.answers]
        return {
            "benchmark": self.benchmark,
            "task_id": self.task_id,
            "group": self.group,
            "prompt": self.prompt,
            "change": self.change,
            "answers": answers,
        }


def problems(run: RunView, names_or_paths: Iterable[str]) -> dict[str, tuple[Problem, ...]]:
    """The problems of each benchmark, under its own name; those whose data is not at hand are left out."""
    from pipeline.benchmarks.problems import load

    found: dict[str, tuple[Problem, ...]] = {}
    for name_or_path in names_or_paths:
        try:
            if name_or_path == HELD_OUT:
                found[HELD_OUT] = _kept_back(run)
            else:
                loaded = load(name_or_path)
                found[loaded.name] = loaded.problems
        except HornbookError:
            continue
    return found


def _kept_back(run: RunView) -> tuple[Problem, ...]:
    """The exercises of the corpus that the run kept back as problems."""
    exercises = map(from_row, run.where(HELD_OUT, "dropped", "reason", {HELD_OUT}))
    return tuple(problem_of(exercise) for exercise in exercises if isinstance(exercise, Exercise))


def shown(run: RunView, scores: Sequence[Mapping[str, Any]], known: Mapping[str, Sequence[Problem]]) -> list[Shown]:
    """A few problems of each benchmark, of every kind of change that occurs."""
    taken: dict[tuple[str, Change], int] = defaultdict(int)
    chosen: list[_Answered] = []
    for one in _answered(scores):
        benchmark, change = one.head["benchmark"], one.change
        if taken[benchmark, change] < WANTED[change]:
            taken[benchmark, change] += 1
            chosen.append(one)
    order, names = list(WANTED), list(dict.fromkeys(row["benchmark"] for row in scores))
    return _shown(run, sorted(chosen, key=lambda o: (names.index(o.head["benchmark"]), order.index(o.change))), known)


def every(run: RunView, scores: Sequence[Mapping[str, Any]], known: Mapping[str, Sequence[Problem]]) -> list[Shown]:
    """All problems, by benchmark and task."""
    in_order = sorted(_answered(scores), key=lambda one: (one.head["benchmark"], _natural(one.head["task_id"])))
    return _shown(run, in_order, known)


class _Answered(NamedTuple):
    """A problem's first score of each model."""

    change: Change
    by_model: Mapping[str, Mapping[str, Any]]

    @property
    def head(self) -> Mapping[str, Any]:
        return next(iter(self.by_model.values()))


def _answered(scores: Sequence[Mapping[str, Any]]) -> list[_Answered]:
    first: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in sorted(scores, key=lambda row: int(row.get("number") or 0)):
        first[row["benchmark"], row["problem_id"]].setdefault(row["model"], row)
    return [_Answered(_change(by_model), by_model) for _, by_model in sorted(first.items())]


def _natural(task_id: str) -> list[tuple[int, str]]:
    """A key that sorts "mine/10" after "mine/9"."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", task_id)]


def _change(by_model: Mapping[str, Mapping[str, Any]]) -> Change:
    after = by_model.get("after") or list(by_model.values())[-1]
    before = by_model.get("before")
    if after["passed"] is None:
        return "unscored"
    if before is None or before is after or before["passed"] is None:
        return "solved" if after["passed"] else "failed"
    if after["passed"]:
        return "solved" if before["passed"] else "gained"
    return "lost" if before["passed"] else "failed"


def _samples(run: RunView, wanted: set[str]) -> dict[str, Mapping[str, Any]]:
    names = [stage.name for stage in run.stages if stage.name.startswith("samples")]
    columns = ["id", "raw", "completion", "finish_reason"]
    return {row["id"]: row for name in names for row in run.rows(name, columns=columns) if row["id"] in wanted}


def _shown(run: RunView, chosen: Sequence[_Answered], known: Mapping[str, Sequence[Problem]]) -> list[Shown]:
    answers = _samples(run, {row["sample_id"] for one in chosen for row in one.by_model.values()})
    prompts = {problem.id: problem.prompt for entries in known.values() for problem in entries}
    found = []
    for one in chosen:
        rows = sorted(one.by_model.values(), key=lambda row: row["model"] != "before")
        head, own = rows[0], tuple(_answer(row, answers.get(row["sample_id"], {})) for row in rows)
        prompt = prompts.get(head["problem_id"], "")
        found.append(Shown(head["benchmark"], head["task_id"], head.get("group") or "", prompt, one.change, own))
    return found


def _answer(row: Mapping[str, Any], sample: Mapping[str, Any]) -> Answer:
    return Answer(
        model=row["model"],
        text=str(sample.get("completion") or ""),
        passed=row["passed"],
        verdict=row["verdict"],
        detail=row.get("detail") or "",
        finish_reason=str(sample.get("finish_reason") or ""),
        sample_id=row["sample_id"],
        score_id=row["id"],
    )
