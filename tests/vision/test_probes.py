"""k-NN and the linear probe against what they are by definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.vision.probes import knn, linear


@given(st.integers(0, 1000), st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_knn_is_the_vote_of_the_nearest_weighted_by_similarity(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    bank, queries = (random.normal(size=(n, 4)).astype(np.float32) for n in (10, 6))
    labels = random.integers(0, 3, 10)
    wanted = []
    for query in queries:
        similar = bank @ query / np.linalg.norm(bank, axis=1) / np.linalg.norm(query)
        votes = [0.0, 0.0, 0.0]
        for place in np.argsort(-similar)[:k]:
            votes[labels[place]] += float(np.exp(similar[place] / 0.07))
        wanted.append(int(np.argmax(votes)))
    assert knn(bank, labels, queries, k, 0.07).tolist() == wanted
    assert knn(bank * 3, labels, queries * 0.1, k, 0.07).tolist() == wanted


def test_the_linear_probe_tells_what_a_plane_tells() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(200, 5)).astype(np.float32)
    labels = (features[:, 0] + features[:, 1] > 0).astype(np.int64)
    guessed, chosen = linear(features[:150], labels[:150], features[150:], 0, 1)
    assert (guessed == labels[150:]).mean() > 0.9
    assert chosen in (0.001, 0.01, 0.1, 1.0)
    again, _ = linear(features[:150], labels[:150], features[150:], 0, 1)
    assert np.array_equal(guessed, again)


def test_of_one_class_all_is_that_class() -> None:
    features = np.ones((4, 2), np.float32)
    assert linear(features, np.zeros(4, np.int64), features, 0, 1)[0].tolist() == [0, 0, 0, 0]
