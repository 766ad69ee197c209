"""Bits per byte: how much a benchmark's reference solutions surprise a model, with intervals and paired differences."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Literal

import numpy as np

from pipeline.stages.scores.statistics import Difference, Interval, claimable, interval, paired_difference

COLUMNS = ("id", "problem_id", "benchmark", "task_id", "model", "group", "nats", "bytes")

Claim = Literal["likelier", "less likely", "none"]


def claim_of(value: float, p: float, ends: Interval) -> Claim:
    """Fewer bits are a likelier reference."""
    if not claimable(p, ends):
        return "none"
    return "likelier" if value < 0 else "less likely"


def bits_per_byte(row: Mapping[str, Any]) -> float:
    """Of one likelihood."""
    return float(row["nats"]) / log(2) / int(row["bytes"])


@dataclass(frozen=True, slots=True)
class Surprise:
    """One model on one benchmark: the mean over problems of bits per byte, with its interval over problems."""

    benchmark: str
    model: str
    problems: int
    value: float
    interval: Interval

    def to_text(self) -> str:
        """ "164 reference solutions: 0.476 [0.443, 0.510] bits per byte"."""
        low, high = self.interval
        return f"{self.problems:,} reference solutions: {self.value:.3f} [{low:.3f}, {high:.3f}] bits per byte"

    def to_json(self) -> dict[str, Any]:
        """One entry of the report's `likelihoods`."""
        return {
            "benchmark": self.benchmark,
            "model": self.model,
            "problems": self.problems,
            "bits_per_byte": self.value,
            "interval": list(self.interval),
        }


@dataclass(frozen=True, slots=True)
class Change:
    """The second model against the first, on the problems of a benchmark that both were measured on."""

    benchmark: str
    first: Surprise
    second: Surprise
    problems: int
    difference: Difference

    @property
    def claim(self) -> Claim:
        """What may be said."""
        return claim_of(self.difference.value, self.difference.p, self.difference.interval)

    def to_json(self) -> dict[str, Any]:
        """One entry of the report's `likelihood_comparisons`."""
        return {
            "benchmark": self.benchmark,
            "first": self.first.model,
            "second": self.second.model,
            "problems": self.problems,
            "difference": self.difference.value,
            "interval": list(self.difference.interval),
            "p": self.difference.p,
            "claim": self.claim,
        }


def surprises(found: Iterable[Mapping[str, Any]], seed: int) -> list[Surprise]:
    """Each benchmark and model, in order of first appearance, with "before" ahead where its rows are."""
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in found:
        values[row["benchmark"], row["model"]].append(bits_per_byte(row))
    return [
        Surprise(benchmark, model, len(bits), float(np.mean(bits)), interval(bits, seed))
        for (benchmark, model), bits in values.items()
    ]


def changes(found: Sequence[Mapping[str, Any]], measured: Sequence[Surprise], seed: int) -> list[Change]:
    """ "after" against "before" on each benchmark where both were measured on a common problem."""
    bits: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for row in found:
        bits[row["benchmark"], row["model"]][row["problem_id"]] = bits_per_byte(row)
    by_name = {(one.benchmark, one.model): one for one in measured}
    compared = []
    for benchmark in dict.fromkeys(one.benchmark for one in measured):
        one, two = bits[benchmark, "before"], bits[benchmark, "after"]
        common = sorted(one.keys() & two.keys())
        if common:
            sides = [np.array([[side[problem] for problem in common]]) for side in (one, two)]
            difference = paired_difference(sides[0], sides[1], seed)
            models = by_name[benchmark, "before"], by_name[benchmark, "after"]
            compared.append(Change(benchmark, *models, len(common), difference))
    return compared


def signed_bits(value: float) -> str:
    """A difference: "-0.021", or "+0.00042" of one that three digits would show as none."""
    return f"{value:+.3f}" if abs(value) >= 0.001 or not value else f"{value:+.5f}"


def difference_text(value: float, ends: Interval) -> str:
    """ "-0.021 [-0.025, -0.017]"."""
    return f"{signed_bits(value)} [{signed_bits(ends.low)}, {signed_bits(ends.high)}]"
