"""Makes data/value-model anew: the forest "graded" of `quality.model`, from the grades in grades.json.

The grades are of files of Python 3.11's standard library, 0 to 10 by the scale of prompts/python/judge/value.md, given
by one of the developers. First half of the files, by the hash of their names, is kept back, to say how well a forest of
the other half tells them apart; the forest that is written has seen all. SmolLM2 reads for some ten CPU minutes, once:
embeddings are kept.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from pipeline.core.records import Document
from pipeline.core.stage import Kept
from pipeline.models.embeddings import DEFAULT, encoder, remembered
from pipeline.recipe import QualityTable, SourcesTable
from pipeline.stages.quality.classifier import GOOD, fit
from pipeline.stages.quality.judge import Annotation
from pipeline.stages.raw_code.stage import passages
from pipeline.stages.reads import embedding_identity
from pipeline.store.places import places

FOLDER = Path(__file__).resolve().parent.parent / "data" / "value-model"


def main() -> None:
    grades: dict[str, int] = json.loads((FOLDER / "grades.json").read_text())
    found = [outcome.record for outcome in passages(SourcesTable(kind="stdlib")) if isinstance(outcome, Kept)]
    documents = [one for one in found if one.origin in grades]
    models, tokens = places().models, QualityTable().embedding_tokens
    identity = embedding_identity(DEFAULT, tokens)
    embed = remembered(encoder(DEFAULT, models, "cpu", max_tokens=tokens), identity, models, told)

    def annotate(asked: Sequence[Document]) -> list[Annotation]:
        return [Annotation(float(grades[one.origin])) for one in asked]

    halves: tuple[list[Document], list[Document]] = [], []
    for one in documents:
        halves[hashlib.sha256(one.origin.encode()).digest()[0] % 2].append(one)
    half = fit(halves[0], annotate, embed, sample=len(halves[0]))
    labels = np.array([grades[one.origin] >= GOOD for one in halves[1]])
    area = roc_auc_score(labels, half.values(embed([one.text for one in halves[1]])))
    model = fit(documents, annotate, embed, sample=len(documents), about={"embedding": identity})
    model.save(FOLDER)
    print(f"{len(documents)} of {len(grades)} graded files are here, {sum(labels)} of {len(labels)} kept back are good")
    print(f"area under the ROC of those kept back {area:.3f}, by cross-validation of all {model.report.auc:.3f}")


def told(done: int, total: int) -> None:
    if done % 64 == 0 or done == total:
        print(f"{done} of {total} read", flush=True)


if __name__ == "__main__":
    main()
