"""How much features know of classes without being trained for them: weighted k-NN and a linear probe."""

import warnings

import numpy as np
from numpy.typing import NDArray

from pipeline.core.identity import rng_seed

REGULARISATIONS = (0.001, 0.01, 0.1, 1.0)
"""Inverse strengths (scikit-learn's C) that the linear probe chooses from, on standardised features."""

CHUNK = 1024


def knn(
    bank: NDArray[np.float32],
    labels: NDArray[np.int64],
    queries: NDArray[np.float32],
    k: int,
    temperature: float,
) -> NDArray[np.int64]:
    """The class of each query by its k nearest of the bank (Wu et al. 2018; Caron et al. 2021, 4.1).

    Rows are scaled to length 1. Each of the k most similar votes for its class with exp(similarity / temperature); the
    class with the most wins, of equals the first. bank: (images, width), labels: (images,) from 0. k is lowered to the
    size of the bank.
    """
    bank, queries = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (bank, queries))
    k, classes = min(k, len(bank)), int(labels.max(initial=0)) + 1
    found = []
    for start in range(0, len(queries), CHUNK):
        similar = queries[start : start + CHUNK] @ bank.T
        near = np.argpartition(-similar, k - 1, axis=1)[:, :k]
        weights = np.exp((np.take_along_axis(similar, near, axis=1) - 1.0).astype(np.float64) / temperature)
        votes = np.zeros((len(near), classes))
        np.add.at(votes, (np.arange(len(near))[:, None], labels[near]), weights)
        found.append(votes.argmax(axis=1))
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def linear(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    queries: NDArray[np.float32],
    most: int,
    seed: int,
    threads: int = 1,
) -> tuple[NDArray[np.int64], float]:
    """The class of each query by logistic regression, and the inverse regularisation that was chosen for it.

    Features are standardised by those learned from. A fifth of them is kept apart to choose among `REGULARISATIONS`;
    then all are learned from. most: images learned from, drawn at random; 0 for all. threads: of the products.
    scikit-learn's L-BFGS.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    generator = np.random.default_rng(rng_seed(seed, "linear probe"))
    drawn = generator.permutation(len(features))[: most or len(features)]
    features, labels = features[drawn], labels[drawn]
    mean, std = features.mean(axis=0), features.std(axis=0)
    features, queries = ((rows - mean) / np.where(std > 1e-6, std, 1.0) for rows in (features, queries))
    apart = max(1, len(features) // 5)

    def fitted(regularisation: float, rows: NDArray[np.float32], of: NDArray[np.int64]) -> LogisticRegression:
        with warnings.catch_warnings(), threadpool_limits(threads):
            warnings.simplefilter("ignore", ConvergenceWarning)
            return LogisticRegression(C=regularisation, max_iter=200).fit(rows, of)

    if len(set(labels.tolist())) < 2:
        return np.full(len(queries), int(labels[0])), 0.0
    scores = []
    for regularisation in REGULARISATIONS:
        if len(set(labels[apart:].tolist())) < 2:
            scores.append(0.0)
            continue
        model = fitted(regularisation, features[apart:], labels[apart:])
        scores.append(float((model.predict(features[:apart]) == labels[:apart]).mean()))
    best = REGULARISATIONS[int(np.argmax(scores))]
    return fitted(best, features, labels).predict(queries).astype(np.int64), best
