"""pass@k over a set of problems, from the verdicts of their samples: the one aggregation of scores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.stages.scores.statistics import Interval, interval, pass_at_k

Verdicts = Sequence[bool | None]
"""Of one problem's samples, whether each passed; None for one that was not scored, which is not one that failed."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """pass@k over a set of problems.

    problems: how many there are. scored: how many have at least one scored sample. passed: sum over the scored problems
    of pass@1, which with one sample a problem is the number solved. pass_at_k: mean over the scored problems, by k;
    without a k that some scored problem has too few samples for. intervals: 95% bootstrap, by k.
    """

    problems: int
    scored: int
    passed: float
    pass_at_k: Mapping[int, float]
    intervals: Mapping[int, Interval]

    @property
    def value(self) -> float | None:
        """pass@1, None where nothing was scored."""
        return self.passed / self.scored if self.scored else None

    @property
    def interval(self) -> Interval | None:
        """Of the smallest k, None where nothing was scored."""
        return self.intervals[min(self.intervals)] if self.intervals else None

    def to_json(self) -> dict[str, Any]:
        """As results and reports have it: "interval" is of the smallest k; rates are null where nothing was scored."""
        return {
            "problems": self.problems,
            "scored": self.scored,
            "passed": round(self.passed, 6),
            "pass@1": self.value,
            "pass@k": {str(k): value for k, value in self.pass_at_k.items()},
            "interval": None if self.interval is None else list(self.interval),
            "intervals": {str(k): list(ends) for k, ends in self.intervals.items()},
        }


def estimated(verdicts: Iterable[Verdicts], ks: Sequence[int], seed: int, problems: int | None = None) -> Estimate:
    """pass@k for each of `ks` that the samples allow.

    verdicts: one entry a problem. seed: of the bootstrap. problems: how many the set has, None for those given. The
    order of problems, and of a problem's samples, does not matter.
    """
    every = list(verdicts)
    scored = [made for samples in every if (made := [passed for passed in samples if passed is not None])]
    fewest = min(map(len, scored), default=0)

    def each(k: int) -> list[float]:
        return [pass_at_k(len(made), sum(made), k) for made in scored]

    by_k = {k: each(k) for k in sorted(set(ks)) if 1 <= k <= fewest}
    return Estimate(
        len(every) if problems is None else problems,
        len(scored),
        sum(each(1)),
        {k: sum(rates) / len(rates) for k, rates in by_k.items()},
        {k: interval(rates, seed) for k, rates in by_k.items()},
    )
