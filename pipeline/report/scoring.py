"""From rows of verdicts to what may be said about them: rates with intervals, paired tests, and the sentence.

A score that is None was not made and is counted apart, never as a failure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from pipeline.stages.scores.estimates import Estimate, estimated
from pipeline.stages.scores.splits import SplitScore, split_scores
from pipeline.stages.scores.statistics import McNemar, mcnemar

SIGNIFICANT = 0.05
"""p-value below which a difference may be called one."""

REPORTED_K = (1, 5, 10, 100)
"""The k of pass@k that are reported where every scored problem has as many samples (Chen et al. 2021: 1, 10, 100)."""

Claim = Literal["rise", "fall", "none"]


@dataclass(frozen=True, slots=True)
class ModelScore:
    """One model on one benchmark.

    overall: over the problems asked. groups: the benchmark's parts by name, empty where it has none. total: problems of
    the whole benchmark, None where it cannot be told. splits: by what the training corpus holds (Gunasekar et al. 2023,
    table 3), from the largest tau down; empty where the corpus was not compared.
    """

    benchmark: str
    model: str
    overall: Estimate
    groups: Mapping[str, Estimate]
    verdicts: Mapping[str, int]
    total: int | None = None
    splits: tuple[SplitScore, ...] = ()

    @property
    def partial(self) -> bool:
        """Whether problems of the benchmark were left out, or could not be scored."""
        missing = self.total is not None and self.overall.problems < self.total
        return missing or self.overall.scored < self.overall.problems

    def to_json(self) -> dict[str, Any]:
        """One entry of the report's `scores`."""
        return {
            "benchmark": self.benchmark,
            "model": self.model,
            **self.overall.to_json(),
            "groups": [{"group": name, **part.to_json()} for name, part in self.groups.items()],
            "verdicts": dict(self.verdicts),
            "partial": self.partial,
            "benchmark_problems": self.total,
            "splits": [split.to_json() for split in self.splits],
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the problems that both have a score for (the first sample of each).

    claim: "rise" or "fall" only where the paired test gives p < 0.05 and the two intervals do not overlap.
    """

    benchmark: str
    first: str
    second: str
    problems: int
    test: McNemar
    overlap: bool
    claim: Claim

    def sentence(self) -> str:
        """What may be said, and no more."""
        changes = f"{self.test.gained} gained, {self.test.lost} lost on {_count(self.problems, 'problem')}"
        p = f"McNemar p {format_p(self.test.p)}"
        if self.claim != "none":
            return f"A {self.claim} that chance does not explain: {changes}; {p}, intervals apart."
        if self.test.p < SIGNIFICANT:
            return f"No claim: {p} speaks for a change ({changes}), but the two 95% intervals overlap."
        return f"No claim: {changes}; {p}, a difference that chance alone could give."

    def to_json(self) -> dict[str, Any]:
        """One entry of the report's `comparisons`."""
        return {
            "benchmark": self.benchmark,
            "first": self.first,
            "second": self.second,
            "problems": self.problems,
            "gained": self.test.gained,
            "lost": self.test.lost,
            "p": self.test.p,
            "intervals_overlap": self.overlap,
            "claim": self.claim,
            "sentence": self.sentence(),
        }


def format_p(p: float) -> str:
    """ "= 0.45", "= 0.003" or "< 0.001"."""
    if p < 0.001:
        return "< 0.001"
    return f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def model_scores(
    rows: Iterable[Mapping[str, Any]],
    seed: int,
    totals: Mapping[str, int],
    closest: Mapping[str, Mapping[str, Sequence[Any]]] = MappingProxyType({}),
) -> list[ModelScore]:
    """Scores of each benchmark and model, in order of first appearance, "before" ahead of "after".

    rows: score rows (benchmark, model, task_id, group, passed, verdict). totals: problems of each whole benchmark.
    closest: for each benchmark that was compared with the training corpus, match rate and id of the closest document by
    task id.
    """
    by_model: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_model[row["benchmark"], row["model"]].append(row)
    benchmarks = list(dict.fromkeys(benchmark for benchmark, _ in by_model))
    ordered = sorted(by_model, key=lambda pair: (benchmarks.index(pair[0]), _place(pair[1])))
    return [_model_score(by_model[pair], *pair, seed, totals.get(pair[0]), closest.get(pair[0])) for pair in ordered]


def _place(model: str) -> tuple[int, str]:
    return ({"before": 0, "after": 1}.get(model, 2), model)


def _model_score(
    rows: Sequence[Mapping[str, Any]],
    benchmark: str,
    model: str,
    seed: int,
    total: int | None,
    closest: Mapping[str, Sequence[Any]] | None,
) -> ModelScore:
    verdicts: dict[str, list[bool | None]] = defaultdict(list)
    group_of: dict[str, str] = {}
    for row in rows:
        verdicts[row["task_id"]].append(row["passed"])
        group_of[row["task_id"]] = row.get("group") or ""
    groups = {
        name: estimated([verdicts[task] for task, group in group_of.items() if group == name], REPORTED_K, seed)
        for name in sorted({name for name in group_of.values() if name})
    }
    rates = {task: float((closest.get(task) or (0.0,))[0]) for task in verdicts} if closest is not None else {}
    counted = Counter(str(row["verdict"]) for row in rows)
    return ModelScore(
        benchmark=benchmark,
        model=model,
        overall=estimated(verdicts.values(), REPORTED_K, seed),
        groups=groups if len(groups) > 1 else {},
        verdicts=dict(sorted(counted.items(), key=lambda item: (-item[1], item[0]))),
        total=total,
        splits=split_scores(verdicts, rates, REPORTED_K, seed=seed) if closest is not None else (),
    )


def compare(
    rows: Iterable[Mapping[str, Any]], scores: Sequence[ModelScore], first: str, second: str
) -> list[Comparison]:
    """`first` against `second` on each benchmark where both were scored on a common problem."""
    passed: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: int(row.get("number") or 0)):
        if row["passed"] is not None:
            passed[row["benchmark"], row["model"]].setdefault(row["problem_id"], row["passed"])
    found = []
    for benchmark in dict.fromkeys(score.benchmark for score in scores):
        one, two = passed[benchmark, first], passed[benchmark, second]
        common = sorted(one.keys() & two.keys())
        if common:
            test = mcnemar([one[problem] for problem in common], [two[problem] for problem in common])
            overlap = _overlap(scores, benchmark, first, second)
            claim = _claim(test, overlap)
            found.append(Comparison(benchmark, first, second, len(common), test, overlap, claim))
    return found


def _overlap(scores: Sequence[ModelScore], benchmark: str, first: str, second: str) -> bool:
    ends = [s.overall.interval for s in scores if s.benchmark == benchmark and s.model in (first, second)]
    known = [end for end in ends if end is not None]
    return len(known) < 2 or (known[0].low <= known[1].high and known[1].low <= known[0].high)


def _claim(test: McNemar, overlap: bool) -> Claim:
    if test.p >= SIGNIFICANT or overlap:
        return "none"
    return "rise" if test.gained > test.lost else "fall"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
