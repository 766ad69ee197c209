"""Compiled loops of the tree match: which problem's syntax tree is closest to a document's."""

from typing import Any

import numpy as np

from pipeline.core.shingles import compiled


@compiled
def edit_distance(a: Any, b: Any, most: int) -> Any:
    """Levenshtein distance of two integer sequences, or `most` + 1 where it is larger than `most`.

    Only cells within `most` of the diagonal are worked out (Ukkonen 1985): O(most * length) steps.
    """
    m, n = len(a), len(b)
    if abs(m - n) > most:
        return most + 1
    far = most + 1
    previous = np.empty(n + 1, dtype=np.int32)
    current = np.empty(n + 1, dtype=np.int32)
    for j in range(n + 1):
        previous[j] = min(j, far)
    for i in range(1, m + 1):
        low, high = max(1, i - most), min(n, i + most)
        current[low - 1] = min(i, far) if low == 1 else far
        smallest = current[low - 1]
        for j in range(low, high + 1):
            best = previous[j - 1] + (a[i - 1] != b[j - 1])
            if current[j - 1] + 1 < best:
                best = current[j - 1] + 1
            if j < i + most and previous[j] + 1 < best:
                best = previous[j] + 1
            current[j] = min(best, far)
            if current[j] < smallest:
                smallest = current[j]
        if smallest > most:
            return far
        previous, current = current, previous
    return previous[n]


@compiled
def most_edits(least: Any, larger: Any) -> Any:
    """The largest edit distance of trees, the larger of `larger` nodes, at which they match at a rate of `least`."""
    return int((1.0 - least) * larger + 1e-9)


@compiled
def match_rates(tree: Any, counts: Any, trees: Any, bounds: Any, all_counts: Any, least: float) -> Any:
    """(trees,) float64 match rates of `tree` with every tree, 0.0 where the rate is below `least`.

    tree: (nodes,) int32. trees, bounds: all trees end to end. counts, all_counts: (kinds,) and (trees, kinds) int32
    node counts. An edit changes at most one node, so the distance is at least the larger size less the nodes that
    both have: most pairs are settled by that bound.
    """
    rates = np.zeros(len(bounds) - 1, dtype=np.float64)
    size = len(tree)
    for p in range(len(bounds) - 1):
        other = bounds[p + 1] - bounds[p]
        larger = max(size, other)
        most = most_edits(least, larger)
        if larger == 0 or larger - min(size, other) > most:
            continue
        common = 0
        for kind in range(len(counts)):
            common += min(counts[kind], all_counts[p, kind])
        if larger - common > most:
            continue
        distance = edit_distance(tree, trees[bounds[p] : bounds[p + 1]], most)
        if distance <= most:
            rates[p] = 1.0 - distance / larger
    return rates
