"""The understanding rubric: a judge reads answers to unconventional problems and grades them from 0 to 10.

After Gunasekar et al. 2023, 4: passing tests is all or nothing and popular problems leak into training data, so answers
to 50 problems written for this purpose are graded for the logic in them, a short verdict before the number. Each
answer is graded several times, and how far the grades agree is part of the result. The problems have tests too, so a
judge can be held against them: its grades should be higher where the tests pass.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

from pipeline.benchmarks.problems import ProblemSet
from pipeline.core.errors import InputError
from pipeline.core.events import OnEvent, silent
from pipeline.core.records import Problem, Sample, Score
from pipeline.core.resources import shipped
from pipeline.core.template import Template
from pipeline.core.template import load as load_template
from pipeline.execution import Execution
from pipeline.languages.grade import HIGHEST, read_grade
from pipeline.stages.scores.statistics import Interval, interval
from pipeline.teacher import Answer, Question, Teacher, converse

TEMPLATE = "judge/understanding.md"


@dataclass(frozen=True, slots=True)
class Grade:
    """One reading of one answer. grade: 0 to 10, or None where the judge gave none; verdict: its words before that."""

    sample_id: str
    task_id: str
    repeat: int
    grade: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Understanding:
    """Grades of one model's answers.

    problems, graded: how many there are, and how many have a grade. percent: mean grade times ten, in [0, 100]; None
    where nothing is graded. interval: its 95% bootstrap interval over problems. agreement: mean absolute difference
    between two grades of the same answer, in points of ten; None with fewer than two repeats. passing, failing: mean
    grade of answers that pass and fail the problem's tests, where they were run. journal: folder with the judge's
    words, for a replay. note: how old the judge's words are, where an endpoint gave them before.
    """

    judge: str
    template_digest: str
    problems: int
    graded: int
    percent: float | None
    interval: Interval | None
    agreement: float | None
    grades: tuple[Grade, ...]
    passing: float | None = None
    failing: float | None = None
    journal: str = ""
    note: str = ""

    def to_text(self) -> str:
        """ "understanding 62.0% [55.1, 68.4] by judge, 50 of 50 graded, grades differ by 0.8 on average"."""
        if self.percent is None or self.interval is None:
            return f"understanding: no answer was graded by {self.judge}; its words are in {self.journal}"
        low, high = self.interval
        text = f"understanding {self.percent:.1f}% [{low:.1f}, {high:.1f}] by {self.judge}"
        text += f", {self.graded} of {self.problems} graded"
        if self.agreement is not None:
            text += f", two grades of an answer differ by {self.agreement:.1f} of 10 on average"
        if self.passing is not None and self.failing is not None:
            text += f"; mean grade {self.passing:.1f} where the tests pass, {self.failing:.1f} where they fail"
        return f"{text}; {self.note}" if self.note else text

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; "grades" has one object for each reading."""
        return {
            "judge": self.judge,
            "template_digest": self.template_digest,
            "problems": self.problems,
            "graded": self.graded,
            "percent": self.percent,
            "interval": None if self.interval is None else list(self.interval),
            "agreement": self.agreement,
            "grade_where_tests_pass": self.passing,
            "grade_where_tests_fail": self.failing,
            "journal": self.journal,
            "note": self.note,
            "grades": [
                {"task_id": g.task_id, "repeat": g.repeat, "grade": g.grade, "verdict": g.verdict} for g in self.grades
            ],
        }


def template(folder: Path | None = None) -> Template:
    """The judge's template, from a folder of prompts or the shipped one."""
    return load_template((folder or shipped("prompts") / "python") / TEMPLATE)


def grade(
    samples: Sequence[Sample],
    problem_set: ProblemSet,
    judge: Teacher,
    *,
    journal: Path,
    execution: Execution,
    repeats: int = 3,
    scores: Iterable[Score] = (),
    prompts: Path | None = None,
    on_event: OnEvent = silent,
    seed: int = 0,
) -> Understanding:
    """Have `judge` grade every sample `repeats` times.

    journal: folder in which the judge's answers are kept; a second call asks nothing again, and a replay teacher
    needs no network. scores: of the same samples by the problems' tests, to hold the judge against.
    """
    if repeats < 1:
        raise InputError(f"the number of repeats should be 1 or more, got {repeats}")
    by_id = {problem.id: problem for problem in problem_set.problems}
    asked = template(prompts)

    def questions() -> Iterator[Question]:
        for _ in range(repeats):
            for sample in samples:
                problem = by_id[sample.problem_id]
                messages = asked.messages(prompt=problem.prompt, answer=_answer(problem, sample))
                yield Question(sample, judge.name, messages)

    grades = []
    outcomes = converse(
        questions(),
        {judge.name: judge},
        journal=journal,
        execution=execution,
        on_event=on_event,
        total=repeats * len(samples),
    )
    for outcome in outcomes:
        sample = outcome.question.record
        if isinstance(outcome.result, Answer) and isinstance(sample, Sample):
            grades.append(Grade(sample.id, sample.task_id, outcome.result.number, *read_grade(outcome.result.text)))
    place = {sample.id: number for number, sample in enumerate(samples)}
    grades.sort(key=lambda one: (place[one.sample_id], one.repeat))
    return summarise_grades(grades, problem_set, judge.name, asked.digest, scores, seed)


def _answer(problem: Problem, sample: Sample) -> str:
    text = sample.completion.removeprefix(problem.prompt) if sample.whole else sample.completion
    return text.strip("\n") + "\n"


def summarise_grades(
    grades: Sequence[Grade],
    problem_set: ProblemSet,
    judge: str,
    template_digest: str,
    scores: Iterable[Score] = (),
    seed: int = 0,
) -> Understanding:
    """The mean of the problems' mean grades; a reading without a grade is left out, never counted as 0."""
    by_task: dict[str, list[float]] = {}
    by_sample: dict[str, list[float]] = {}
    for one in grades:
        if one.grade is not None:
            by_task.setdefault(one.task_id, []).append(one.grade)
            by_sample.setdefault(one.sample_id, []).append(one.grade)
    means = [fmean(values) * 100 / HIGHEST for values in by_task.values()]
    ends = interval([mean / 100 for mean in means], seed) if means else None
    differences = [abs(a - b) for values in by_sample.values() for a, b in combinations(values, 2)]
    passed = {score.sample_id: score.passed for score in scores}
    return Understanding(
        judge=judge,
        template_digest=template_digest,
        problems=problem_set.total,
        graded=len(means),
        percent=fmean(means) if means else None,
        interval=Interval(100 * ends.low, 100 * ends.high) if ends else None,
        agreement=fmean(differences) if differences else None,
        grades=tuple(grades),
        passing=_mean_where(by_sample, passed, True),
        failing=_mean_where(by_sample, passed, False),
    )


def _mean_where(grades: Mapping[str, list[float]], passed: Mapping[str, bool | None], wanted: bool) -> float | None:
    chosen = [fmean(values) for sample_id, values in grades.items() if passed.get(sample_id) is wanted]
    return fmean(chosen) if chosen else None
