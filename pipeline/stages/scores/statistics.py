"""The arithmetic of scores: pass@k, intervals and the paired test. Pure functions, no records."""

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import numpy as np

from pipeline.core.identity import rng_seed

RESAMPLES = 10_000
"""Bootstrap resamples: the 2.5% quantile of a pass rate then moves by less than 0.1 points from seed to seed."""


class Interval(NamedTuple):
    """A two-sided 95% interval, both ends in the unit of the estimate."""

    low: float
    high: float


def pass_at_k(n_samples: int, n_correct: int, k: int) -> float:
    """Unbiased estimate of pass@k for one problem (Chen et al. 2021, eq. 1).

    The chance that at least one of `k` samples, drawn without replacement from `n_samples` of which `n_correct` pass,
    passes: 1 - C(n - c, k) / C(n, k). Raises ValueError where k > n: fewer samples than k say nothing about pass@k.
    """
    if not 1 <= k <= n_samples:
        raise ValueError(f"pass@{k} needs at least {k} samples a problem, got {n_samples}")
    if not 0 <= n_correct <= n_samples:
        raise ValueError(f"n_correct must be in [0, {n_samples}], got {n_correct}")
    return 1 - comb(n_samples - n_correct, k) / comb(n_samples, k)


def interval(per_problem: Sequence[float], seed: int, resamples: int = RESAMPLES) -> Interval:
    """95% bootstrap interval of the mean, resampling problems (percentile method, Efron 1979).

    per_problem: one estimate a problem (pass@k, in [0, 1]). The order of the problems does not matter. Raises
    ValueError without problems. Where all estimates are 0 or all are 1 the bootstrap has no spread, so the ends come
    from `wilson` instead: 0 of 20 is not a score known exactly.
    """
    if not per_problem:
        raise ValueError("an interval needs at least one scored problem")
    values = np.sort(np.asarray(per_problem, dtype=np.float64))
    if values[0] == values[-1] and values[0] in (0.0, 1.0):
        return wilson(int(values.sum()), len(values))
    generator = np.random.default_rng(rng_seed(seed, "evaluation", "bootstrap"))
    # Multinomial counts over the distinct values: the same distribution as drawing problems one by one, in a
    # fraction of the time, since a greedy benchmark has only two distinct values.
    distinct, counts = np.unique(values, return_counts=True)
    drawn = generator.multinomial(len(values), counts / len(values), size=resamples)
    means = drawn @ distinct / len(values)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(low), float(high))


def wilson(passed: int, total: int) -> Interval:
    """95% interval of a proportion (Wilson 1927), within [0, 1]. ValueError unless 0 <= passed <= total > 0."""
    if not (total > 0 and 0 <= passed <= total):
        raise ValueError(f"a proportion needs 0 <= passed <= total and total > 0, got {passed} of {total}")
    from scipy.stats import binomtest

    ends = binomtest(passed, total).proportion_ci(method="wilson")
    return Interval(float(ends.low), float(ends.high))


class McNemar(NamedTuple):
    """Paired comparison of two models on the same problems.

    gained: problems only the second solves. lost: problems only the first solves. p: exact two-sided p-value.
    """

    gained: int
    lost: int
    p: float


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> McNemar:
    """Exact two-sided McNemar test: are gains and losses equally likely?

    before, after: pass or fail of the same problems in the same order. p is 1.0 where no problem changed.
    """
    if len(before) != len(after):
        raise ValueError(f"a paired test needs the same problems on both sides, got {len(before)} and {len(after)}")
    gained = sum(1 for b, a in zip(before, after, strict=True) if a and not b)
    lost = sum(1 for b, a in zip(before, after, strict=True) if b and not a)
    if not gained + lost:
        return McNemar(gained, lost, 1.0)
    from scipy.stats import binomtest

    return McNemar(gained, lost, float(binomtest(min(gained, lost), gained + lost).pvalue))
