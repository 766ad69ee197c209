"""From scores to a result: pass@k with intervals, groups, what was not scored, and the JSON that programs rely on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.evaluation.problems import ProblemSet
from pipeline.evaluation.statistics import Interval, interval, pass_at_k
from pipeline.records import Score


@dataclass(frozen=True, slots=True)
class Estimate:
    """pass@k over a set of problems.

    problems: how many there are. scored: how many have at least one scored sample. pass_at_k: mean over the scored
    problems, by k; without a k that some scored problem has too few samples for. intervals: 95% bootstrap, by k.
    """

    problems: int
    scored: int
    pass_at_k: Mapping[int, float]
    intervals: Mapping[int, Interval]

    def to_json(self) -> dict[str, Any]:
        """Keys as in a result's own JSON: "pass@k" and "interval" (of the smallest k), null where nothing is scored."""
        smallest = min(self.intervals, default=None)
        return {
            "problems": self.problems,
            "scored": self.scored,
            "pass@k": {str(k): value for k, value in self.pass_at_k.items()},
            "interval": None if smallest is None else list(self.intervals[smallest]),
            "intervals": {str(k): list(ends) for k, ends in self.intervals.items()},
        }


@dataclass(frozen=True, slots=True)
class Result:
    """One model on one benchmark.

    estimate: over the whole benchmark. groups: by problem group, empty where the benchmark has none. scores: one a
    sample, in the order of the samples. unscored: task id to the reason why none of its samples counts. partial: why
    this is not a score of the whole benchmark, or "". raw: pass@k of the text as generated, where it differs from
    that of the post-processed text. notes: what a reader must know (calibration failures, k without enough samples).
    """

    benchmark: str
    data_digest: str
    source: str
    estimate: Estimate
    scores: tuple[Score, ...]
    groups: Mapping[str, Estimate] = field(default_factory=dict)
    unscored: Mapping[str, str] = field(default_factory=dict)
    partial: str = ""
    model: str = ""
    checkpoint: str = ""
    prompt_form: str = "given"
    post_processing: str = "none"
    raw: Estimate | None = None
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The object that `hornbook score` and `hornbook evaluate` print with --json; all values are plain JSON."""
        return {
            "benchmark": self.benchmark,
            "data_digest": self.data_digest,
            "source": self.source,
            "model": self.model,
            "checkpoint": self.checkpoint,
            **self.estimate.to_json(),
            "partial": self.partial or None,
            "prompt_form": self.prompt_form,
            "post_processing": self.post_processing,
            "raw": None if self.raw is None else self.raw.to_json(),
            "groups": {name: estimate.to_json() for name, estimate in self.groups.items()},
            "unscored": dict(self.unscored),
            "notes": list(self.notes),
            "settings": dict(self.settings),
            "results": [
                {"task_id": s.task_id, "passed": s.passed, "verdict": s.verdict, "detail": s.detail, "number": s.number}
                for s in self.scores
            ],
        }


def summarise(
    scores: Iterable[Score],
    problem_set: ProblemSet,
    ks: Sequence[int] = (1,),
    *,
    seed: int = 0,
    raw_scores: Iterable[Score] | None = None,
    prompt_form: str = "given",
    post_processing: str = "none",
    notes: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> Result:
    """The result of one model's scores on `problem_set`.

    seed: of the bootstrap. raw_scores: scores of the same samples without post-processing, reported where the two
    differ. Raises ValueError for a score of a problem outside the set: data and scores do not belong together.
    """
    scores = tuple(scores)
    known = {problem.id for problem in problem_set.problems}
    for score in scores:
        if score.problem_id not in known:
            raise ValueError(f"score {score.id} is of {score.task_id} as it is in other data than {problem_set.source}")
    estimate = estimated(scores, problem_set, ks, seed)
    raw = None
    if raw_scores is not None:
        raw_scores = tuple(raw_scores)
        if [s.passed for s in raw_scores] != [s.passed for s in scores]:
            raw = estimated(raw_scores, problem_set, ks, seed)
    group_names = sorted({p.group for p in problem_set.problems} - {""})
    omitted = [k for k in ks if k not in estimate.pass_at_k]
    unscored = _unscored(scores, problem_set)
    return Result(
        benchmark=problem_set.name,
        data_digest=problem_set.digest,
        source=problem_set.source,
        estimate=estimate,
        scores=scores,
        groups={name: estimated(scores, problem_set, ks, seed, group=name) for name in group_names},
        unscored=unscored,
        partial=""
        if estimate.scored == estimate.problems
        else f"{estimate.scored} of {estimate.problems} problems scored",
        model=scores[0].model if scores else "",
        prompt_form=prompt_form,
        post_processing=post_processing,
        raw=raw,
        notes=(*notes, *(_too_few(k, scores) for k in omitted)),
        settings=settings or {},
    )


def estimated(
    scores: Sequence[Score], problem_set: ProblemSet, ks: Sequence[int], seed: int, group: str = ""
) -> Estimate:
    """pass@k of `group` ("" for the whole set). A sample without a verdict does not count as one."""
    outcomes: dict[str, list[bool]] = defaultdict(list)
    for score in scores:
        if score.passed is not None and group in ("", score.group):
            outcomes[score.problem_id].append(score.passed)
    fewest = min(map(len, outcomes.values()), default=0)
    values: dict[int, float] = {}
    intervals: dict[int, Interval] = {}
    for k in sorted(set(ks)):
        if 1 <= k <= fewest:
            each = [pass_at_k(len(passed), sum(passed), k) for passed in outcomes.values()]
            values[k] = sum(each) / len(each)
            intervals[k] = interval(each, seed)
    total = sum(1 for p in problem_set.problems if group in ("", p.group)) if group else problem_set.total
    return Estimate(total, len(outcomes), values, intervals)


def _unscored(scores: Sequence[Score], problem_set: ProblemSet) -> dict[str, str]:
    """Task id to reason, for each problem of the set without a verdict that counts."""
    counted = {score.problem_id for score in scores if score.passed is not None}
    failed = {score.problem_id: score.detail for score in scores if score.passed is None}
    return {
        problem.task_id: f"infrastructure: {failed[problem.id]}" if problem.id in failed else "no sample"
        for problem in problem_set.problems
        if problem.id not in counted
    }


def _too_few(k: int, scores: Sequence[Score]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for score in scores:
        counts[score.task_id] += score.passed is not None
    if not any(counts.values()):
        return f"pass@{k}: nothing is scored"
    task_id, fewest = min(((t, n) for t, n in counts.items() if n), key=lambda item: item[1])
    return f"pass@{k} needs {k} scored samples a problem; {task_id} has {fewest}"
