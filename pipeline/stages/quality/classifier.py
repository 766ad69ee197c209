"""The paper's classifier of educational value (Gunasekar et al. 2023, 2.1).

A judge annotates a sample; a random forest on an embedding learns to tell the valuable half; its probability is the
predicted value of every other document. phi-1 has GPT-4 as judge, about 100,000 annotations, and the output embedding
of a CodeGen model; which judge and embedding are used here is the caller's business.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import HornbookError, InputError
from pipeline.core.identity import digest, rng_seed
from pipeline.core.records import Document
from pipeline.stages.quality.evaluating import ClassifierReport, agreement, calibrated
from pipeline.stages.quality.forest import Forest
from pipeline.stages.quality.judge import BETTER_JUDGE, STRONGER_JUDGE, Annotation, counted, quoted

Array = npt.NDArray[Any]

TREES = 200
FOLDS = 5
MIN_ANNOTATIONS = 20
"""Fewest usable annotations: with less, cross-validation says nothing."""
MIN_CLASS = FOLDS
"""Fewest documents on either side: each fold of the cross-validation needs one."""
GOOD = 5.0
"""Value on the judge's scale of 0 to 10 from which a document counts as valuable."""
MIN_CLASS_SHARE = 0.2
"""Where less than this share of the sample is on one side of `GOOD`, the sample's median divides it instead."""
FILE = "forest.safetensors"


@dataclass(frozen=True, slots=True)
class ValueModel:
    """A fitted forest. values: embeddings to probabilities; save and load keep it for other runs.

    about: what it was made with (embedding, judge, template), as JSON values; a run that reuses it must have the same
    embedding. held_out: value of each annotated document by id, from folds that did not see it; of the run that
    trained it only, never saved.
    """

    forest: Forest
    report: ClassifierReport
    about: Mapping[str, Any] = field(default_factory=dict)
    held_out: Mapping[str, float] = field(default_factory=dict)

    def values(self, embeddings: Array) -> Array:
        """(documents,) float64 probability of being valuable, in [0, 1]; embeddings: (documents, features)."""
        wanted = self.forest.features
        if embeddings.shape[1] != wanted:
            raise HornbookError(
                f"the embedding has {embeddings.shape[1]} features, the value model was trained on {wanted}",
                hint="set quality.embedding to what it was trained with, or leave quality.model empty to train again",
            )
        return self.forest.probabilities(embeddings)

    def save(self, folder: Path) -> None:
        """Write forest.safetensors and report.json into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.forest.save(folder / FILE, dict(self.about))
        (folder / "report.json").write_text(json.dumps(self.report.to_json(), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "ValueModel":
        """The model in `folder`. Loading runs no code of the file. Raises InputError where none is there."""
        if not (folder / FILE).is_file():
            raise InputError(
                f"quality.model = {str(folder)!r}: no {FILE} there",
                hint="name the value-model folder of an artifact of stage quality, made with quality.classifier = true",
            )
        forest, about = Forest.load(folder / FILE)
        path = folder / "report.json"
        try:
            report = ClassifierReport.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path} is not a value model's report: {error}") from error
        return cls(forest, report, about)


def sampled(documents: Sequence[Document], count: int, seed: int) -> list[Document]:
    """`count` documents drawn without replacement; which ones depends on their ids and `seed`, never on their order."""
    return sorted(documents, key=lambda document: digest([seed, "quality-sample", document.id]))[:count]


def fit(
    documents: Sequence[Document],
    annotate: Callable[[Sequence[Document]], Sequence[Annotation]],
    embed: Callable[[Sequence[str]], Array],
    *,
    sample: int,
    seed: int = 0,
    repeats: int = 0,
    about: Mapping[str, Any] | None = None,
) -> ValueModel:
    """Annotate a sample of `documents`, embed it, and fit the forest.

    annotate: a judge's verdict on each document; a document that comes twice in a row is judged twice. embed: (texts,)
    to (texts, features). repeats: how many documents of the sample are annotated twice, to measure the judge's
    agreement with itself. Raises HornbookError where fewer than `MIN_ANNOTATIONS` annotations are usable, all are
    equal, or fewer than `MIN_CLASS` are on one side.
    """
    chosen = sampled(documents, sample, seed)
    twice = min(repeats, len(chosen))
    answers = list(annotate([d for place, d in enumerate(chosen) for _ in range(2 if place < twice else 1)]))
    first = [answers[2 * place if place < twice else place + twice] for place in range(len(chosen))]
    second = [answers[2 * place + 1] for place in range(twice)]
    problems = Counter(a.problem for a in first if a.value is None)
    usable = [(document, a.value) for document, a in zip(chosen, first, strict=True) if a.value is not None]
    if len(usable) < MIN_ANNOTATIONS:
        raise HornbookError(
            _too_few(len(usable), len(chosen), problems) + quoted(first), hint=_hint(len(chosen), sample)
        )
    scores = np.array([value for _, value in usable], dtype=np.float64)
    threshold = dividing_value(scores)
    labels = scores >= threshold
    _both_sides(labels, threshold)
    embeddings = embed([document.text for document, _ in usable])
    predicted = _cross_validated(embeddings, labels, seed)
    report = replace(
        _report(predicted, labels, scores, threshold, problems),
        repeats=agreement([(a.value, b.value) for a, b in zip(first, second, strict=False)], threshold),
    )
    forest = _forest(seed)
    forest.fit(embeddings, labels)
    held_out = {document.id: float(p) for (document, _), p in zip(usable, predicted, strict=True)}
    return ValueModel(Forest.of(forest), report, dict(about or {}), held_out)


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
            hint=STRONGER_JUDGE,
        )
    median = float(np.median(scores))
    return median if (scores < median).any() else float(scores[scores > median].min())


def _too_few(usable: int, asked: int, problems: Counter[str]) -> str:
    why = f" ({counted(problems)})" if problems else ""
    return f"{usable} of {asked} annotations are usable, {MIN_ANNOTATIONS} are needed{why}"


def _hint(chosen: int, sample: int) -> str:
    if chosen < MIN_ANNOTATIONS:
        need = f"raise quality.annotate from {sample}" if sample < MIN_ANNOTATIONS else "make a larger corpus"
        return f"{need}, or set quality.classifier = false"
    return BETTER_JUDGE


def _both_sides(labels: Array, threshold: float) -> None:
    counts = int(labels.sum()), int((~labels).sum())
    if min(counts) < MIN_CLASS:
        raise HornbookError(
            f"the judge put {counts[0]} documents at or above {threshold:g} and {counts[1]} below: "
            f"{MIN_CLASS} on either side are needed",
            hint="raise quality.annotate, or name a judge in quality.judge that tells documents apart",
        )


def _forest(seed: int) -> Any:
    """Classes are not weighted: the value is a probability, which weights would move off the share of valuable ones."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(
        n_estimators=TREES,
        min_samples_leaf=2,
        random_state=rng_seed(seed, "quality-forest") % 2**32,
        n_jobs=1,
    )


def _cross_validated(embeddings: Array, labels: Array, seed: int) -> Array:
    """(annotated,) probability of each document by a forest that did not see it."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=rng_seed(seed, "quality-folds") % 2**32)
    found: Array = cross_val_predict(_forest(seed), embeddings, labels, cv=splitter, method="predict_proba")[:, 1]
    return found


def _report(
    predicted: Array, labels: Array, scores: Array, threshold: float, problems: Counter[str]
) -> ClassifierReport:
    from sklearn.metrics import brier_score_loss, roc_auc_score, roc_curve

    rates = roc_curve(labels, predicted)
    base = float(labels.mean())
    return ClassifierReport(
        annotated=len(labels),
        unusable=dict(problems.most_common()),
        grades={f"{value:g}": count for value, count in sorted(Counter(map(float, scores)).items())},
        threshold=threshold,
        positive_share=base,
        folds=FOLDS,
        auc=float(roc_auc_score(labels, predicted)),
        brier=float(brier_score_loss(labels, predicted)),
        brier_base=base * (1 - base),
        roc=tuple((float(x), float(y)) for x, y in zip(rates[0], rates[1], strict=True)),
        calibration=calibrated(predicted, labels),
    )
