"""The arithmetic of scores: pass@k, intervals and the paired test. Pure functions, no records."""

from collections.abc import Iterator, Sequence
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.core.identity import rng_seed

RESAMPLES = 10_000
"""Bootstrap resamples: the 2.5% quantile of a pass rate then moves by less than 0.1 points from seed to seed."""


SIGNIFICANT = 0.05
"""p-value, adjusted where there are several, below which a difference may be called one."""


class Interval(NamedTuple):
    """A two-sided 95% interval, both ends in the unit of the estimate."""

    low: float
    high: float


def claimable(p: float, ends: Interval) -> bool:
    """Whether a difference with that p and interval may be called one: p is small, and 0 is not in the interval."""
    return p < SIGNIFICANT and not ends.low <= 0 <= ends.high


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


Rates = NDArray[np.float64]
"""pass@1 by run and problem, (runs, problems): the runs are of one recipe and differ in their seed."""

_BLOCK = 1_000
"""Resamples drawn at once: with 1,000 problems 8 MB."""


def crossed_interval(rates: Rates, seed: int, resamples: int = RESAMPLES) -> Interval:
    """95% bootstrap interval of the mean over runs and problems, both resampled (Owen 2007, the pigeonhole bootstrap).

    Of one run it is `interval`. With two or three runs the spread between them is underestimated, as that of any sample
    so small is. Where every rate is 0 or every one is 1 the ends are Wilson's, of one run's problems. Raises ValueError
    without problems.
    """
    if rates.shape[0] == 1 or not rates.size or (rates.min() == rates.max() and rates.flat[0] in (0.0, 1.0)):
        return interval(rates[0].tolist() if len(rates) else [], seed, resamples)
    alike, counts = np.unique(rates, axis=1, return_counts=True)
    draws = _draws(len(rates), len(rates), counts, True, seed, resamples)
    return _ends(np.concatenate([_means(alike, runs, problems) for runs, _, problems in draws]))


class Difference(NamedTuple):
    """How much more the second of two recipes solves. value, interval: in the unit of a rate; p: two-sided."""

    value: float
    interval: Interval
    p: float


def paired_difference(
    first: Rates, second: Rates, seed: int, *, same_seeds: bool = True, resamples: int = RESAMPLES
) -> Difference:
    """Paired bootstrap over problems, and over runs where there are several: `second` minus `first`.

    The same problems are drawn for both (Efron and Tibshirani 1993, 16; Koehn 2004), and where they have the same seeds
    (same_seeds) the same runs. The interval is the percentiles'; p is twice the smaller share of resamples on one side
    of 0. Of recipes that nowhere differ the interval is [0, 0] and p is 1. Raises ValueError for other problems.
    """
    if first.shape[1] != second.shape[1] or (same_seeds and len(first) != len(second)):
        raise ValueError(f"a paired difference needs equal problems on both sides, got {first.shape}, {second.shape}")
    value = float(second.mean() - first.mean())
    found = []
    alike, counts = np.unique(np.concatenate([first, second]), axis=1, return_counts=True)
    for one, two, problems in _draws(len(first), len(second), counts, same_seeds, seed, resamples):
        found.append(_means(alike[len(first) :], two, problems) - _means(alike[: len(first)], one, problems))
    differences = np.concatenate(found)
    below, above = int((differences <= 0).sum()), int((differences >= 0).sum())
    p = min(1.0, 2 * (min(below, above) + 1) / (resamples + 1))
    return Difference(value, _ends(differences), p)


def holm(ps: Sequence[float]) -> list[float]:
    """p-values of several comparisons, adjusted so that the chance of one false claim among all stays below the level
    that they are held against (Holm 1979)."""
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = highest
    return adjusted


class Fit(NamedTuple):
    """rate = at_one + slope * log2(x). slope: rate gained by each doubling, with its 95% interval."""

    at_one: float
    slope: float
    interval: Interval


def log_fit(xs: Sequence[float], rates: Sequence[Rates], seed: int, resamples: int = RESAMPLES) -> Fit:
    """Least squares of the mean rate on log2(x) over several recipes, one x each; the interval resamples the problems,
    the same for all of them. Raises ValueError for fewer than two different xs."""
    if len(set(xs)) < 2:
        raise ValueError(f"a fit needs two different xs at least, got {sorted(set(xs))}")
    logs = np.log2(np.asarray(xs, dtype=np.float64))
    weights = (logs - logs.mean()) / ((logs - logs.mean()) ** 2).sum()
    by_problem = np.stack([one.mean(axis=0) for one in rates])
    slope = float(weights @ by_problem.mean(axis=1))
    per_problem = weights @ by_problem  # of each problem its own slope; theirs is the mean
    generator = np.random.default_rng(rng_seed(seed, "evaluation", "fit"))
    count = len(per_problem)
    drawn = [
        generator.multinomial(count, [1 / count] * count, size=min(_BLOCK, resamples - done)) @ per_problem / count
        for done in range(0, resamples, _BLOCK)
    ]
    return Fit(float(by_problem.mean() - slope * logs.mean()), slope, _ends(np.concatenate(drawn)))


Shares = NDArray[np.float64]
"""Of each resample, how often each run or kind of problem was drawn, as a share: (resamples, runs or kinds)."""


def _draws(
    first: int, second: int, problems: NDArray[np.int64], together: bool, seed: int, resamples: int
) -> Iterator[tuple[Shares, Shares, Shares]]:
    """Runs of the first, runs of the second, problems: of each kind as many as `problems` says.

    Problems that all runs solve alike are of one kind: the same distribution as drawing them one by one, and 10,000
    images answered by three runs are of eight kinds.
    """
    generator = np.random.default_rng(rng_seed(seed, "evaluation", "crossed"))

    def shares(counts: NDArray[np.int64], size: int) -> Shares:
        total = int(counts.sum())
        return generator.multinomial(total, counts / total, size=size) / total

    for done in range(0, resamples, _BLOCK):
        size = min(_BLOCK, resamples - done)
        one = shares(np.ones(first, np.int64), size)
        two = one if together else shares(np.ones(second, np.int64), size)
        yield one, two, shares(problems, size)


def _means(rates: Rates, runs: Shares, problems: Shares) -> NDArray[np.float64]:
    found: NDArray[np.float64] = ((runs @ rates) * problems).sum(axis=1)
    return found


def _ends(values: NDArray[np.float64]) -> Interval:
    low, high = np.quantile(values, (0.025, 0.975))
    return Interval(float(low), float(high))
