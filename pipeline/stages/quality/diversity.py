"""How diverse a corpus is: phi-1's authors say that a good measure is missing (section 6), so several are stated.

The Vendi score is an effective number of different documents, `near_share` the part of them that has a like;
`pipeline.report` counts topics and n-grams beside them. `flattened` samples against crowding.
"""

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.identity import digest, rng_seed
from pipeline.core.records import Document
from pipeline.core.words import split

Array = npt.NDArray[Any]


def vendi_score(embeddings: Array) -> float:
    """Exponential of the entropy of the similarity matrix's eigenvalues (Friedman and Dieng 2023), cosine kernel.

    embeddings: (documents, features). n copies of one document score 1, n orthogonal ones n. The eigenvalues are
    those of the (features, features) matrix where that is the smaller one: the non-zero ones are the same.
    """
    unit = _unit(embeddings).astype(np.float64)
    matrix = (unit.T @ unit if unit.shape[1] < len(unit) else unit @ unit.T) / len(unit)
    values = np.linalg.eigvalsh(matrix)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def standardised(embeddings: Array) -> Array:
    """Each feature less its mean, over its standard deviation; (documents, features) float32.

    The hidden states of language models share a large common part and a few features of huge size (Ethayarajh 2019;
    Timkey and van Schijndel 2021), so that all texts look alike to a cosine; this takes both out. A feature that is
    the same for all becomes 0.
    """
    # In parts, to the same bytes: as a whole each line below makes a float64 copy of everything.
    parts = (embeddings[:, at : at + COLUMNS] for at in range(0, embeddings.shape[1], COLUMNS))
    deviation = np.concatenate([part.std(0, dtype=np.float64) for part in parts])
    scale = np.where(deviation > 1e-12, 1 / np.maximum(deviation, 1e-12), 0.0)
    mean = embeddings.mean(0, dtype=np.float64)
    found: Array = np.empty(embeddings.shape, dtype=np.float32)
    for at in range(0, len(embeddings), ROWS):
        found[at : at + ROWS] = (embeddings[at : at + ROWS] - mean) * scale
    return found


@dataclass(frozen=True, slots=True)
class Crowding:
    """Where a document stands among its like. cluster: its number; size: documents in it.

    place: its place in the cluster, from 1, in the order in which they are taken. level: documents of the cluster that
    are taken.
    """

    cluster: int
    size: int
    place: int
    level: int

    @property
    def taken(self) -> bool:
        """Whether the document is among those taken."""
        return self.place <= self.level


def flattened(
    documents: Sequence[Document], embeddings: Array, count: int, *, clusters: int = 0, seed: int = 0
) -> list[Crowding]:
    """Take `count` documents evenly from clusters of the embedding, so that crowded ones give up most.

    clusters: how many (k-means); 0 for the square root of the number of documents. Every cluster gives all it has up
    to a common level, the highest that the total allows. Which documents of a cluster are taken depends on `seed` and
    their ids, never on their order here. Returns where each document stands; all are taken where there are no more
    than `count`.
    """
    if not documents:
        return []
    from sklearn.cluster import MiniBatchKMeans

    wanted = min(clusters or math.isqrt(len(documents)), len(documents))
    by_id = sorted(range(len(documents)), key=lambda i: documents[i].id)
    model = MiniBatchKMeans(wanted, random_state=rng_seed(seed, "flattened") % 2**32, n_init=3, batch_size=4_096)
    labels = np.empty(len(documents), dtype=np.int64)
    labels[by_id] = model.fit_predict(_unit(embeddings)[by_id])
    members: dict[int, list[int]] = {}
    for i in sorted(by_id, key=lambda i: digest([seed, "flattened", documents[i].id])):
        members.setdefault(int(labels[i]), []).append(i)
    levels = dict.fromkeys(members, 0)
    left = min(count, len(documents))
    level = 0
    while left:
        level += 1
        for label in sorted(members):
            if left and len(members[label]) >= level:
                levels[label], left = level, left - 1
    found: dict[int, Crowding] = {}
    for label, inside in members.items():
        for place, i in enumerate(inside, 1):
            found[i] = Crowding(label, len(inside), place, levels[label])
    return [found[i] for i in range(len(documents))]


def _unit(embeddings: Array) -> Array:
    """Rows of length 1 (a zero row stays zero)."""
    unit: Array = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    return unit


COLUMNS = 32
ROWS = 4_096
"""Features and documents of an embedding that are worked on at once."""
HASHED_FEATURES = 2_048
HASHED_CHARACTERS = 20_000
"""Characters of a document that its hashed features are made of."""
NEAR = 0.9
"""Cosine of hashed features at or above which two documents count as near."""


def hashed_features(texts: Sequence[str]) -> Array:
    """(texts, `HASHED_FEATURES`) float32: square roots of the counts of words and word pairs, by the hash of each.

    The hashing trick (Weinberger et al. 2009) in place of an embedding: no model is loaded, and two machines agree.
    Not weighted by how rare a word is among the texts: that would make a set of texts from one template look varied,
    and two sets incomparable. Code shares its keywords, so a Vendi score of code is far below the number of documents.
    """
    rows = np.zeros((len(texts), HASHED_FEATURES), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        words = [word.encode("utf-8", "surrogatepass") for word in split(text[:HASHED_CHARACTERS], signs=True)]
        grams = Counter([*words, *(b" ".join(pair) for pair in pairwise(words))])
        places = np.fromiter((zlib.crc32(gram) % HASHED_FEATURES for gram in grams), np.int64, len(grams))
        np.add.at(row, places, np.sqrt(np.fromiter(grams.values(), np.float32, len(grams))))
    return rows


def near_share(features: Array) -> float:
    """Share of documents that have another one at a cosine of `NEAR` or more, in [0, 1]; 0.0 for one or none."""
    if len(features) < 2:
        return 0.0
    unit = _unit(features)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -1.0)
    return float((cosine.max(1) >= NEAR).mean())
