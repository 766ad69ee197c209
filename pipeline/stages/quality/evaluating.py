"""How good a value classifier and its judge are: ROC, calibration, agreement of the judge with itself."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

FEW_USABLE = 0.8
"""Share of usable answers below which the report warns of the judge."""
LOW_KAPPA = 0.4
"""Cohen's kappa up to which agreement counts as fair at best (Landis and Koch 1977)."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Documents whose predicted probability lies in [low, high): how many, the mean prediction, the share valuable."""

    low: float
    high: float
    count: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """The judge against itself on documents that it annotated twice.

    pairs: documents with two usable annotations. equal: share with the same grade. same_side: share on the same side
    of the dividing value. kappa: Cohen's kappa (1960) of the sides, agreement beyond chance, 1 for perfect; None where
    all annotations are on one side, for which it is not defined.
    """

    pairs: int
    equal: float
    same_side: float
    kappa: float | None


@dataclass(frozen=True, slots=True)
class ClassifierReport:
    """How well the forest predicts the judge, from predictions of folds that it did not see.

    annotated: usable annotations; unusable: how many were not, by problem (no-grade, refused, truncated, failed);
    grades: how often the judge gave each value; threshold: value that divides the classes; roc: (false positive rate,
    true positive rate) points; auc: area under it (0.5 is chance); brier: mean squared error of the probability
    (Brier 1950), brier_base: that of always predicting the share of valuable documents; repeats: None where nothing
    was annotated twice.
    """

    annotated: int
    unusable: Mapping[str, int]
    grades: Mapping[str, int]
    threshold: float
    positive_share: float
    folds: int
    auc: float
    brier: float
    brier_base: float
    roc: tuple[tuple[float, float], ...]
    calibration: tuple[CalibrationBin, ...]
    repeats: Agreement | None = field(default=None)

    def auc_interval(self) -> tuple[float, float]:
        """95% interval of the area under the ROC, by Hanley and McNeil 1982's standard error, cut to [0, 1]."""
        valuable = round(self.annotated * self.positive_share)
        return hanley_mcneil(self.auc, valuable, self.annotated - valuable)

    def warnings(self) -> list[str]:
        """What makes the values doubtful, one sentence each: a judge that answers badly or wavers, a blind forest."""
        found = []
        asked = self.annotated + sum(self.unusable.values())
        if self.annotated < FEW_USABLE * asked:
            why = ", ".join(f"{name} {count:,}" for name, count in self.unusable.items())
            found.append(
                f"Only {self.annotated:,} of the judge's {asked:,} answers hold a grade ({why}): those that do may not "
                "be like the rest."
            )
        if self.repeats is not None and self.repeats.kappa is None:
            found.append(
                f"Of all {self.repeats.pairs} documents graded twice, both grades are on one side of "
                f"{self.threshold:g}: the judge's agreement with itself could not be measured. Raise quality.repeats."
            )
        elif self.repeats is not None and self.repeats.kappa is not None and self.repeats.kappa <= LOW_KAPPA:
            found.append(
                f"The judge hardly agrees with itself: Cohen's kappa {self.repeats.kappa:.2f} <= {LOW_KAPPA} on "
                f"{self.repeats.pairs} documents graded twice. Name a stronger judge, or lower its temperature."
            )
        low, high = self.auc_interval()
        if low <= 0.5:
            found.append(
                f"The forest does not tell valuable documents from others: area under the ROC {self.auc:.2f}, 95% "
                f"interval {low:.2f} to {high:.2f}, where 0.5 is chance. What it keeps is as good as a random draw. "
                "Raise quality.annotate, or name another judge or embedding."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ClassifierReport":
        """The inverse of `to_json`; KeyError or TypeError for anything else."""
        roc = tuple((float(x), float(y)) for x, y in data["roc"])
        bins = tuple(CalibrationBin(**entry) for entry in data["calibration"])
        repeats = Agreement(**data["repeats"]) if data.get("repeats") else None
        return cls(**{**data, "roc": roc, "calibration": bins, "repeats": repeats})


def hanley_mcneil(auc: float, positive: int, negative: int) -> tuple[float, float]:
    """95% interval of an area under the ROC from `positive` and `negative` documents (Hanley and McNeil 1982, eq. 2).

    (0.0, 1.0) where one side has none.
    """
    if not positive or not negative:
        return 0.0, 1.0
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positive - 1) * (one - auc**2) + (negative - 1) * (two - auc**2)
    reach = 1.96 * math.sqrt(max(spread, 0.0) / (positive * negative))
    return max(0.0, auc - reach), min(1.0, auc + reach)


def agreement(pairs: Sequence[tuple[float | None, float | None]], threshold: float) -> Agreement | None:
    """Agreement of two annotations of each document; pairs with a missing one do not count. None without a pair."""
    from sklearn.metrics import cohen_kappa_score

    usable = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not usable:
        return None
    first, second = (np.array(values) >= threshold for values in zip(*usable, strict=True))
    one_sided = len({*first, *second}) == 1
    return Agreement(
        pairs=len(usable),
        equal=sum(a == b for a, b in usable) / len(usable),
        same_side=float((first == second).mean()),
        kappa=None if one_sided else float(cohen_kappa_score(first, second)),
    )


def calibrated(predicted: Array, labels: Array, bins: int = 5) -> tuple[CalibrationBin, ...]:
    """Predictions in `bins` equal ranges beside what was observed (a reliability table); empty ranges are left out."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    places = np.minimum((predicted * bins).astype(int), bins - 1)
    return tuple(
        CalibrationBin(
            float(edges[b]),
            float(edges[b + 1]),
            int(inside.sum()),
            float(predicted[inside].mean()),
            float(labels[inside].mean()),
        )
        for b in range(bins)
        if (inside := places == b).any()
    )
