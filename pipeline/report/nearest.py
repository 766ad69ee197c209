"""Training documents that look most like a piece of code. An illustration of what was read, never a cause."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from pipeline.report.corpus import text_of
from pipeline.report.drawn import smallest_ids
from pipeline.run.reading import RunView

READ_AT_MOST = 20_000
"""Documents compared at most: those with the smallest ids, a random draw. 20,000 take about 2 CPU seconds."""

_TOKEN = re.compile(r"\w+|[^\w\s]")


class Near(NamedTuple):
    """A document's row and its similarity to the code, in [0, 1]."""

    row: Mapping[str, Any]
    similarity: float


def token_pairs(text: str) -> frozenset[tuple[str, str]]:
    """Pairs of neighbouring words and signs in `text`; layout does not count."""
    tokens = _TOKEN.findall(text)
    return frozenset(pairwise(tokens))


def overlap(one: frozenset[tuple[str, str]], two: frozenset[tuple[str, str]]) -> float:
    """Jaccard index of two sets, 0.0 where both are empty."""
    union = len(one | two)
    return len(one & two) / union if union else 0.0


def nearest(run: RunView, text: str, trained: Sequence[str], count: int) -> tuple[list[Near], int]:
    """The `count` documents with the largest overlap with `text`, nearest first, and how many were compared.

    trained: ids of the documents that were packed into tokens; only these are compared.
    """
    rows = smallest_ids(run, "decontaminated", READ_AT_MOST, among=frozenset(trained)) if trained else []
    wanted = token_pairs(text)
    ranked = sorted(
        (Near(row, overlap(wanted, token_pairs(text_of(row)))) for row in rows),
        key=lambda near: (-near.similarity, near.row["id"]),
    )
    return ranked[:count], len(rows)
