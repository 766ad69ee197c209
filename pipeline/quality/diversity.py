"""How diverse a corpus is: phi-1's authors say that a good measure is missing (section 6), so several are stated.

Each has a fixed meaning: the Vendi score is an effective number of different documents, distinct n-grams say how
often wording repeats, coverage says how evenly topics are filled. `flattened` samples against crowding.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.identity import digest
from pipeline.records import Document

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Diversity:
    """Measures of a set of documents.

    documents: how many were measured. distinct_ngrams: share of word 5-grams that are different ones, in [0, 1].
    topics: topics with a document; topic_evenness: entropy of the topics over its largest value, in [0, 1], 1.0 for
    one topic. vendi: effective number of documents on the embedding, in [1, documents]; None without an embedding.
    """

    documents: int
    distinct_ngrams: float
    topics: int
    topic_evenness: float
    vendi: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The measures as plain data."""
        return asdict(self)


def measure(documents: Sequence[Document], embeddings: Array | None = None) -> Diversity:
    """The diversity of `documents`; embeddings: (documents, features), or None."""
    topics = Counter(document.topic for document in documents if document.topic)
    return Diversity(
        documents=len(documents),
        distinct_ngrams=distinct_ngrams([document.text for document in documents]),
        topics=len(topics),
        topic_evenness=evenness(topics),
        vendi=vendi_score(embeddings) if embeddings is not None and len(documents) else None,
    )


def distinct_ngrams(texts: Sequence[str], n: int = 5) -> float:
    """Different word n-grams over all word n-grams (Li et al. 2016, distinct-n), in [0, 1]; 1.0 where there are none.

    Repeats within one text do not count: each text enters with its set of n-grams.
    """
    from pipeline.dedup.features import joined
    from pipeline.dedup.kernels import shingle

    parts = [shingle(*joined(texts[i : i + 1_024]), n, True)[0] for i in range(0, len(texts), 1_024)]
    total = sum(map(len, parts))
    return len(np.unique(np.concatenate(parts))) / total if total else 1.0


def evenness(counts: Counter[str]) -> float:
    """Shannon entropy of `counts` over that of equal counts, in [0, 1]; 1.0 for one kind or none."""
    total = counts.total()
    if len(counts) < 2:
        return 1.0
    entropy = -sum(n / total * math.log(n / total) for n in counts.values() if n)
    return entropy / math.log(len(counts))


def vendi_score(embeddings: Array) -> float:
    """Exponential of the entropy of the similarity matrix's eigenvalues (Friedman and Dieng 2023), cosine kernel.

    embeddings: (documents, features). n copies of one document score 1, n orthogonal ones n. The eigenvalues are
    those of the (features, features) matrix where that is the smaller one: the non-zero ones are the same.
    """
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    unit = unit.astype(np.float64)
    matrix = (unit.T @ unit if unit.shape[1] < len(unit) else unit @ unit.T) / len(unit)
    values = np.linalg.eigvalsh(matrix)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def flattened(
    documents: Sequence[Document], embeddings: Array, count: int, *, clusters: int = 0, seed: int = 0
) -> list[Document]:
    """`count` documents, taken evenly from clusters of the embedding, so that crowded ones give up most.

    clusters: how many (k-means); 0 for the square root of the number of documents. Every cluster gives all it has up
    to a common level, the highest that the total allows. Which documents of a cluster are taken depends on `seed` and
    their ids. All are returned where there are no more than `count`; the order is that of `documents`.
    """
    if len(documents) <= count:
        return list(documents)
    from sklearn.cluster import MiniBatchKMeans

    from pipeline.identity import rng_seed

    wanted = min(clusters or math.isqrt(len(documents)), len(documents))
    model = MiniBatchKMeans(wanted, random_state=rng_seed(seed, "flattened") % 2**32, n_init=3, batch_size=4_096)
    labels = model.fit_predict(embeddings)
    members: dict[int, list[int]] = {}
    for i in sorted(range(len(documents)), key=lambda i: digest([seed, "flattened", documents[i].id])):
        members.setdefault(int(labels[i]), []).append(i)
    taken: list[int] = []
    level = 0
    while len(taken) < count:
        for label in sorted(members):
            if level < len(members[label]) and len(taken) < count:
                taken.append(members[label][level])
        level += 1
    return [documents[i] for i in sorted(taken)]
