"""The teacher-student board: models side by side on the same problems with the same harness, and what each costs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.stages.scores.estimates import Estimate
from pipeline.stages.scores.results import Result
from pipeline.stages.scores.statistics import McNemar, mcnemar


@dataclass(frozen=True, slots=True)
class Contestant:
    """One model. parameters and bytes: of its weights, None where an endpoint does not tell. results: by benchmark."""

    name: str
    results: Sequence[Result]
    parameters: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One model on one benchmark.

    share: of the teacher's pass@1, None where that is 0 or unknown. paired: against the teacher on the problems that
    both have one score of; None for the teacher itself and for sampled scores. tokens_per_second, usd_per_1000:
    speed, and price of 1,000 answers, None where they were not measured. prompt_form: how the model was asked.
    """

    model: str
    benchmark: str
    estimate: Estimate
    share: float | None
    paired: McNemar | None
    parameters: int | None
    bytes: int | None
    tokens_per_second: float | None
    usd_per_1000: float | None
    prompt_form: str = ""

    def to_text(self) -> str:
        """One line: score, share of the teacher's, what the model weighs, how fast and how dear it is."""
        score, ends = self.estimate.pass_at_k.get(1), self.estimate.intervals.get(1)
        points = (
            "unscored"
            if score is None or ends is None
            else f"{score:.1%} [{100 * ends.low:.1f}, {100 * ends.high:.1f}]"
        )
        share = "-" if self.share is None else f"{self.share:.0%}"
        weight = "-" if self.parameters is None else f"{self.parameters / 1e6:,.1f}M"
        size = "-" if self.bytes is None else f"{self.bytes / 1e6:,.0f} MB"
        speed = "-" if self.tokens_per_second is None else f"{self.tokens_per_second:,.0f}"
        price = "-" if self.usd_per_1000 is None else f"${self.usd_per_1000:,.4g}"
        head = f"{self.model[-28:]:<28} {self.prompt_form:<9} {points:<21} {share:>6}"
        return f"{head} {weight:>10} {size:>9} {speed:>9} {price:>9}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "model": self.model,
            "benchmark": self.benchmark,
            "prompt_form": self.prompt_form,
            **self.estimate.to_json(),
            "share_of_teacher": self.share,
            "paired_with_teacher": None if self.paired is None else self.paired._asdict(),
            "parameters": self.parameters,
            "bytes": self.bytes,
            "tokens_per_second": self.tokens_per_second,
            "usd_per_1000_answers": self.usd_per_1000,
        }


HEADING = (
    f"{'model':<28} {'asked':<9} {'pass@1':<21} {'share':>6} "
    f"{'parameters':>10} {'weights':>9} {'tokens/s':>9} {'per 1,000':>9}"
)
"""Above rows as text."""


def board(teacher: Contestant, students: Sequence[Contestant]) -> tuple[Row, ...]:
    """One row for each model and benchmark, the teacher's first.

    Raises ValueError where a student was scored on other data, or asked otherwise, than the teacher: such numbers do
    not stand side by side.
    """
    rows = []
    for of_teacher in teacher.results:
        rows.append(_row(teacher, of_teacher, None))
        for student in students:
            for of_student in student.results:
                if of_student.benchmark == of_teacher.benchmark:
                    _comparable(of_teacher, of_student, student.name)
                    rows.append(_row(student, of_student, of_teacher))
    return tuple(rows)


def _comparable(teacher: Result, student: Result, name: str) -> None:
    for what, first, second in (
        ("data_digest", teacher.data_digest, student.data_digest),
        ("settings", _same_for_all(teacher), _same_for_all(student)),
    ):
        if first != second:
            raise ValueError(f"{name} and the teacher on {teacher.benchmark} differ in {what}: {second} and {first}")


def _same_for_all(result: Result) -> dict[str, Any]:
    """Settings that must agree: all but the prompt form, which the row names, the stop rule, which goes with it, and
    the arithmetic, which an endpoint does not tell."""
    other = ("prompt_form", "stop", "precision")
    return {name: value for name, value in result.settings.items() if name not in other}


def _row(contestant: Contestant, result: Result, teacher: Result | None) -> Row:
    of_teacher = teacher.estimate.pass_at_k.get(1) if teacher else result.estimate.pass_at_k.get(1)
    own = result.estimate.pass_at_k.get(1)
    speed = result.speed
    return Row(
        model=contestant.name,
        benchmark=result.benchmark,
        estimate=result.estimate,
        share=own / of_teacher if own is not None and of_teacher else None,
        paired=paired(teacher, result) if teacher else None,
        parameters=contestant.parameters,
        bytes=contestant.bytes,
        tokens_per_second=speed.tokens_per_second if speed else None,
        usd_per_1000=speed.usd_per_1000 if speed else None,
        prompt_form=result.prompt_form,
    )


def paired(before: Result, after: Result) -> McNemar | None:
    """McNemar's test over the problems with exactly one scored sample in both results; None without such."""
    first, second = _single(before), _single(after)
    both = [task for task in first if task in second]
    return mcnemar([first[t] for t in both], [second[t] for t in both]) if both else None


def _single(result: Result) -> dict[str, bool]:
    scored: dict[str, list[bool]] = {}
    for score in result.scores:
        if score.passed is not None:
            scored.setdefault(score.task_id, []).append(score.passed)
    return {task: passed[0] for task, passed in scored.items() if len(passed) == 1}
