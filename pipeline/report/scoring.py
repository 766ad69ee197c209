"""From rows of verdicts to what may be said about them: rates with intervals, paired tests, and the sentence.

A score that is None was not made and is counted apart, never as a failure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from pipeline.stages.decontaminated.split import TAUS
from pipeline.stages.scores.statistics import Interval, McNemar, interval, mcnemar, pass_at_k

SIGNIFICANT = 0.05
"""p-value below which a difference may be called one."""

REPORTED_K = (1, 5, 10, 100)
"""The k of pass@k that are reported where every scored problem has as many samples (Chen et al. 2021: 1, 10, 100)."""

Claim = Literal["rise", "fall", "none"]


@dataclass(frozen=True, slots=True)
class Rate:
    """pass@1 of a set of problems.

    problems: asked. scored: of these, with at least one verdict. passed: sum over scored problems of pass@1, which with
    one sample a problem is the number solved. interval: 95%, None where nothing was scored.
    """

    name: str
    problems: int
    scored: int
    passed: float
    interval: Interval | None

    @property
    def value(self) -> float | None:
        """Mean pass@1 over scored problems, None where nothing was scored."""
        return self.passed / self.scored if self.scored else None

    def to_json(self) -> dict[str, Any]:
        """Keys of the report for one rate, without its name."""
        return {
            "problems": self.problems,
            "scored": self.scored,
            "passed": round(self.passed, 6),
            "pass@1": None if self.value is None else round(self.value, 6),
            "interval": None if self.interval is None else [round(end, 6) for end in self.interval],
        }


@dataclass(frozen=True, slots=True)
class SplitRates:
    """Problems that the training corpus has something like, at an AST match rate of `tau` or more, and the others."""

    tau: float
    similar: Rate
    others: Rate

    def to_json(self) -> dict[str, Any]:
        """One entry of a score's `splits`."""
        return {"tau": self.tau, "similar": self.similar.to_json(), "non_similar": self.others.to_json()}


@dataclass(frozen=True, slots=True)
class ModelScore:
    """One model on one benchmark.

    groups: the benchmark's named parts, empty where it has none. pass_at: pass@k for the k that the samples allow.
    total: problems of the whole benchmark, None where it cannot be told. splits: by what the training corpus holds
    (Gunasekar et al. 2023, table 3), from the largest tau down; empty where the corpus was not compared.
    """

    benchmark: str
    model: str
    overall: Rate
    groups: tuple[Rate, ...]
    pass_at: Mapping[int, float]
    verdicts: Mapping[str, int]
    total: int | None = None
    splits: tuple[SplitRates, ...] = ()

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
            "pass@k": {str(k): round(value, 6) for k, value in self.pass_at.items()},
            "groups": [{"group": rate.name, **rate.to_json()} for rate in self.groups],
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

    rows: score rows (benchmark, model, problem_id, group, passed, verdict; with `closest` also task_id). totals:
    problems of each whole benchmark. closest: for each benchmark that was compared with the training corpus, match
    rate and id of the closest document by task id.
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
        verdicts[row["problem_id"]].append(row["passed"])
        group_of[row["problem_id"]] = row.get("group") or ""
    names = sorted({name for name in group_of.values() if name})
    groups = [
        rate(name, [verdicts[problem] for problem, group in group_of.items() if group == name], seed) for name in names
    ]
    counted = Counter(str(row["verdict"]) for row in rows)
    return ModelScore(
        benchmark=benchmark,
        model=model,
        overall=rate("", list(verdicts.values()), seed),
        groups=tuple(groups) if len(groups) > 1 else (),
        pass_at=_pass_at(list(verdicts.values())),
        verdicts=dict(sorted(counted.items(), key=lambda item: (-item[1], item[0]))),
        total=total,
        splits=_splits(rows, verdicts, closest, seed) if closest is not None else (),
    )


def _splits(
    rows: Sequence[Mapping[str, Any]],
    verdicts: Mapping[str, Sequence[bool | None]],
    closest: Mapping[str, Sequence[Any]],
    seed: int,
) -> tuple[SplitRates, ...]:
    matched = {row["problem_id"]: float((closest.get(row["task_id"]) or (0.0,))[0]) for row in rows}

    def part(problems: Iterable[str]) -> Rate:
        return rate("", [verdicts[problem] for problem in problems], seed)

    return tuple(
        SplitRates(
            tau,
            part(problem for problem, found in matched.items() if found >= tau),
            part(problem for problem, found in matched.items() if found < tau),
        )
        for tau in TAUS
    )


def rate(name: str, problems: Sequence[Sequence[bool | None]], seed: int) -> Rate:
    """pass@1 over problems, each given as the verdicts of its samples."""
    estimates = []
    for samples in problems:
        scored = [passed for passed in samples if passed is not None]
        if scored:
            estimates.append(pass_at_k(len(scored), sum(scored), 1))
    found = interval(estimates, seed) if estimates else None
    return Rate(name, len(problems), len(estimates), sum(estimates), found)


def _pass_at(problems: Sequence[Sequence[bool | None]]) -> dict[int, float]:
    scored = [[passed for passed in samples if passed is not None] for samples in problems]
    scored = [samples for samples in scored if samples]
    fewest = min((len(samples) for samples in scored), default=0)
    return {
        k: sum(pass_at_k(len(samples), sum(samples), k) for samples in scored) / len(scored)
        for k in REPORTED_K
        if k <= fewest
    }


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
