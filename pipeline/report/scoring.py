"""From rows of verdicts to what may be said about them: rates with intervals, paired tests, and the sentence.

A score that is None was not made and is counted apart, never as a failure.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from pipeline.stages.scores.estimates import Estimate, estimated
from pipeline.stages.scores.splits import SplitScore, split_scores
from pipeline.stages.scores.statistics import SIGNIFICANT, Difference, McNemar, mcnemar, paired_difference

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
    """Two models on the problems that both have a score for.

    test: of the first sample of each problem. difference: of pass@1 over all samples, where a problem has several.
    claim: "rise" or "fall" only where the paired test (the difference's, where there is one) gives p < 0.05 and the two
    intervals do not overlap.
    """

    benchmark: str
    first: str
    second: str
    problems: int
    test: McNemar
    overlap: bool
    claim: Claim
    difference: Difference | None = None

    @property
    def p(self) -> float:
        """Of the test that the claim rests on."""
        return self.test.p if self.difference is None else self.difference.p

    def changes(self) -> str:
        """What changed, in numbers: "3 gained, 1 lost" of single answers, "+2.1 points [0.3, 3.9]" of several."""
        if self.difference is None:
            return f"{self.test.gained} gained, {self.test.lost} lost"
        low, high = (100 * end for end in self.difference.interval)
        return f"{100 * self.difference.value:+.1f} points [{low:+.1f}, {high:+.1f}]"

    def test_name(self) -> str:
        """The test that the claim rests on, with its p: "McNemar p = 0.03"."""
        return f"{'McNemar' if self.difference is None else 'paired bootstrap'} p {format_p(self.p)}"

    def sentence(self) -> str:
        """What may be said, and no more."""
        changes = f"{self.changes()} on {_count(self.problems, 'problem')}"
        p = self.test_name()
        if self.claim != "none":
            return f"A {self.claim} that chance does not explain: {changes}; {p}, intervals apart."
        if self.p < SIGNIFICANT:
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
            "p": self.p,
            "difference": None
            if self.difference is None
            else {"value": self.difference.value, "interval": list(self.difference.interval)},
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
    rows: Iterable[Mapping[str, Any]], scores: Sequence[ModelScore], first: str, second: str, seed: int = 0
) -> list[Comparison]:
    """`first` against `second` on each benchmark where both were scored on a common problem. seed: of the bootstrap."""
    passed: dict[tuple[str, str], dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(rows, key=lambda row: int(row.get("number") or 0)):
        if row["passed"] is not None:
            passed[row["benchmark"], row["model"]][row["problem_id"]].append(row["passed"])
    found = []
    for benchmark in dict.fromkeys(score.benchmark for score in scores):
        one, two = passed[benchmark, first], passed[benchmark, second]
        common = sorted(one.keys() & two.keys())
        if not common:
            continue
        test = mcnemar([one[problem][0] for problem in common], [two[problem][0] for problem in common])
        difference = None
        if any(len(side[problem]) > 1 for side in (one, two) for problem in common):
            first_rates, second_rates = (np.array([[np.mean(side[n]) for n in common]]) for side in (one, two))
            difference = paired_difference(first_rates, second_rates, seed)
        overlap = _overlap(scores, benchmark, first, second)
        p, change = (difference.p, difference.value) if difference else (test.p, test.gained - test.lost)
        claim = _claim(p, change, overlap)
        found.append(Comparison(benchmark, first, second, len(common), test, overlap, claim, difference))
    return found


POOLS = (("humaneval", ("mbpp", "mbpp-few-shot", "mbpp-sanitized")), ("humaneval+", ("mbpp+",)))
"""What is taken together where a run has both: a benchmark, and the first of others that ask for the same skill with
problems of their own."""


def pools(names: Collection[str]) -> dict[str, tuple[str, str]]:
    """The pools that benchmarks of these names allow, as "humaneval + mbpp", with their parts.

    164 problems cannot show a rise of under about five points; several benchmarks together show smaller ones.
    """
    found = {}
    for first, others in POOLS:
        second = next((name for name in others if name in names), None)
        if first in names and second is not None:
            found[f"{first} + {second}"] = (first, second)
    return found


def with_pools(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows, and those of each pool as of one benchmark whose groups its parts are."""
    every = list(rows)
    for pool, parts in pools({row["benchmark"] for row in rows}).items():
        every += [
            {**row, "benchmark": pool, "group": row["benchmark"], "task_id": f"{row['benchmark']}/{row['task_id']}"}
            for row in rows
            if row["benchmark"] in parts
        ]
    return every


def _overlap(scores: Sequence[ModelScore], benchmark: str, first: str, second: str) -> bool:
    ends = [s.overall.interval for s in scores if s.benchmark == benchmark and s.model in (first, second)]
    known = [end for end in ends if end is not None]
    return len(known) < 2 or (known[0].low <= known[1].high and known[1].low <= known[0].high)


def _claim(p: float, change: float, overlap: bool) -> Claim:
    if p >= SIGNIFICANT or overlap:
        return "none"
    return "rise" if change > 0 else "fall"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
