"""The paper's classifier of educational value (Gunasekar et al. 2023, 2.1).

A judge annotates a sample; a random forest on an embedding learns to tell the valuable half; its probability is the
predicted value of every other document. phi-1 has GPT-4 as judge, about 100,000 annotations, and the output embedding
of a CodeGen model; which judge and embedding are used here is the caller's business.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import HornbookError
from pipeline.identity import digest, rng_seed
from pipeline.records import Document

Array = npt.NDArray[Any]

TREES = 200
FOLDS = 5
MIN_ANNOTATIONS = 20
"""Fewest usable annotations: with less, cross-validation says nothing."""
GOOD = 5.0
"""Value on the judge's scale of 0 to 10 from which a document counts as valuable."""
MIN_CLASS_SHARE = 0.2
"""Where less than this share of the sample is on one side of `GOOD`, the sample's median divides it instead."""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Documents whose predicted probability lies in [low, high): how many, and the share that is valuable."""

    low: float
    high: float
    count: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class ClassifierReport:
    """How well the forest predicts the judge, from predictions of folds that it did not see.

    annotated: usable annotations; unusable: documents on which the judge gave no usable answer; threshold: value that
    divides the classes; roc: (false positive rate, true positive rate) points; auc: area under it (0.5 is chance);
    brier: mean squared error of the probability; agreement: share of `repeats` documents whose second annotation falls
    on the same side, None where nothing was repeated.
    """

    annotated: int
    unusable: int
    threshold: float
    positive_share: float
    auc: float
    brier: float
    roc: tuple[tuple[float, float], ...]
    calibration: tuple[CalibrationBin, ...]
    repeats: int = 0
    agreement: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ValueModel:
    """A fitted forest. values: embeddings to probabilities; save and load keep it for other runs."""

    forest: Any
    report: ClassifierReport

    def values(self, embeddings: Array) -> Array:
        """(documents,) float64 probability of being valuable, in [0, 1]; embeddings: (documents, features)."""
        wanted = self.forest.n_features_in_
        if embeddings.shape[1] != wanted:
            raise HornbookError(
                f"the embedding has {embeddings.shape[1]} features, the classifier was trained on {wanted}",
                hint="use the embedding it was trained with, or train it again",
            )
        probabilities: Array = self.forest.predict_proba(embeddings)[:, 1]
        return probabilities

    def save(self, folder: Path) -> None:
        """Write forest.joblib and report.json into `folder`."""
        import joblib

        folder.mkdir(parents=True, exist_ok=True)
        joblib.dump(self.forest, folder / "forest.joblib", compress=3)
        (folder / "report.json").write_text(json.dumps(self.report.to_json(), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "ValueModel":
        """The model in `folder`. joblib files run code when loaded: load only models that you made."""
        import joblib

        data = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        data["roc"] = tuple((x, y) for x, y in data["roc"])
        data["calibration"] = tuple(CalibrationBin(**item) for item in data["calibration"])
        return cls(joblib.load(folder / "forest.joblib"), ClassifierReport(**data))


def sampled(documents: Sequence[Document], count: int, seed: int) -> list[Document]:
    """`count` documents drawn without replacement; which ones depends on their ids and `seed`, never on their order."""
    return sorted(documents, key=lambda document: digest([seed, "quality-sample", document.id]))[:count]


def fit(
    documents: Sequence[Document],
    annotate: Callable[[Sequence[Document]], Sequence[float | None]],
    embed: Callable[[Sequence[str]], Array],
    *,
    sample: int,
    seed: int = 0,
    repeats: int = 0,
) -> ValueModel:
    """Annotate a sample of `documents`, embed it, and fit the forest.

    annotate: value in [0, 10] of each document, None where the judge failed. embed: (texts,) to (texts, features).
    repeats: how many documents of the sample are annotated twice, to measure the judge's agreement with itself.
    Raises HornbookError where fewer than `MIN_ANNOTATIONS` annotations are usable, or all are equal.
    """
    chosen = sampled(documents, sample, seed)
    values = list(annotate(chosen))
    usable = [(document, value) for document, value in zip(chosen, values, strict=True) if value is not None]
    if len(usable) < MIN_ANNOTATIONS:
        raise HornbookError(
            f"{len(usable)} of {len(chosen)} annotations are usable, {MIN_ANNOTATIONS} are needed",
            hint="raise quality.annotate, or name a stronger judge in quality.judge",
        )
    scores = np.array([value for _, value in usable], dtype=np.float64)
    threshold = dividing_value(scores)
    labels = scores >= threshold
    embeddings = embed([document.text for document, _ in usable])
    report = _evaluated(embeddings, labels, threshold, len(chosen) - len(usable), seed)
    if repeats:
        again = annotate([document for document, _ in usable[:repeats]])
        pairs = [(bool(a), b >= threshold) for a, b in zip(labels, again, strict=False) if b is not None]
        agreement = sum(a == b for a, b in pairs) / len(pairs) if pairs else None
        report = ClassifierReport(**{**_shallow(report), "repeats": len(pairs), "agreement": agreement})
    forest = _forest(seed)
    forest.fit(embeddings, labels)
    return ValueModel(forest, report)


def dividing_value(scores: Array) -> float:
    """The value that divides a sample into valuable and not: `GOOD`, or the median where `GOOD` leaves one side bare.

    Raises HornbookError where all scores are equal.
    """
    share = float((scores >= GOOD).mean())
    if MIN_CLASS_SHARE <= share <= 1 - MIN_CLASS_SHARE:
        return GOOD
    if scores.min() == scores.max():
        raise HornbookError(
            f"the judge gave all {len(scores)} documents the value {scores[0]:g}: there is nothing to learn",
            hint="use a stronger judge, or set quality.classifier = false",
        )
    median = float(np.median(scores))
    return median if (scores < median).any() else float(scores[scores > median].min())


def _forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(
        n_estimators=TREES,
        min_samples_leaf=2,
        class_weight="balanced",
        random_state=rng_seed(seed, "quality-forest") % 2**32,
        n_jobs=1,
    )


def _evaluated(embeddings: Array, labels: Array, threshold: float, unusable: int, seed: int) -> ClassifierReport:
    from sklearn.metrics import roc_auc_score, roc_curve
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = min(FOLDS, int(labels.sum()), int((~labels).sum()))
    if folds >= 2:
        splitter = StratifiedKFold(folds, shuffle=True, random_state=rng_seed(seed, "quality-folds") % 2**32)
        predicted = cross_val_predict(_forest(seed), embeddings, labels, cv=splitter, method="predict_proba")[:, 1]
    else:
        predicted = np.full(len(labels), labels.mean())
    rates = roc_curve(labels, predicted)
    return ClassifierReport(
        annotated=len(labels),
        unusable=unusable,
        threshold=threshold,
        positive_share=float(labels.mean()),
        auc=float(roc_auc_score(labels, predicted)),
        brier=float(np.mean((predicted - labels) ** 2)),
        roc=tuple((float(x), float(y)) for x, y in zip(rates[0], rates[1], strict=True)),
        calibration=_calibrated(predicted, labels),
    )


def _calibrated(predicted: Array, labels: Array, bins: int = 5) -> tuple[CalibrationBin, ...]:
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


def _shallow(report: ClassifierReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in report.__dataclass_fields__}
