"""What the index compares documents by: digest, shingles, MinHash bands and the lexical outline, in batches."""

import hashlib
import operator
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core import shingles as kernels
from pipeline.core.words import normalised
from pipeline.languages.python import outline as lexer
from pipeline.recipe import DistinctTable

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Features:
    """Features of a batch of n documents.

    digests: (n, 2) uint64, BLAKE2b of the text. hashes, bounds: the sorted shingle set of document i is
    hashes[bounds[i]:bounds[i + 1]], uint64. bands: (n, bands) uint32. outlines: (n,) uint32, 0 for none.
    """

    digests: Array
    hashes: Array
    bounds: Array
    bands: Array
    outlines: Array

    def shingles(self, i: int) -> Array:
        """(shingles,) sorted distinct uint64 of document `i`."""
        return self.hashes[self.bounds[i] : self.bounds[i + 1]]


@lru_cache
def permutations(count: int) -> tuple[Array, Array]:
    """Multipliers (odd) and offsets, (count,) uint32, of the MinHash permutations: the same in every process."""
    draw = random.Random(20231104)
    multipliers = np.array([draw.getrandbits(32) | 1 for _ in range(count)], dtype=np.uint32)
    offsets = np.array([draw.getrandbits(32) for _ in range(count)], dtype=np.uint32)
    return multipliers, offsets


def joined(texts: Sequence[str], *, fold: bool = False) -> tuple[Array, Array]:
    """All texts end to end as UTF-8, (bytes,) uint8, and their (n + 1,) int64 offsets; lone surrogates stay.

    In the form in which their words are compared, see `words.normalised`, which `fold` is for too.
    """
    return end_to_end([_encoded(normalised(text, fold=fold)) for text in texts])


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def end_to_end(encoded: list[bytes]) -> tuple[Array, Array]:
    starts = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(part) for part in encoded], out=starts[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), starts


def features(texts: Sequence[str], table: DistinctTable, outlines: Sequence[int] | None = None) -> Features:
    """Features of `texts`; pure, and the same for a text whichever batch it is in.

    outlines: in place of those of Python, which are worked out where clones are looked for.
    """
    encoded = [_encoded(text) for text in texts]
    digests = b"".join([hashlib.blake2b(part, digest_size=16).digest() for part in encoded])
    data, starts = end_to_end(encoded)
    plain = [normalised(text) for text in texts]
    same = list(map(operator.is_, plain, texts))
    words = (data, starts)
    if not all(same):
        words = end_to_end(
            [old if kept else _encoded(new) for old, kept, new in zip(encoded, same, plain, strict=True)]
        )
    hashes, bounds = kernels.shingle(*words, table.shingle, False)
    multipliers, offsets = permutations(table.permutations)
    bands = kernels.band_keys(hashes, bounds, multipliers, offsets, table.bands)
    if outlines is not None:
        found = np.array(outlines, dtype=np.uint32)
    elif table.clones or table.max_constant_variants:
        found = lexer.outlines(data, starts, lexer.KEYWORD_HASHES)
    else:
        found = np.zeros(len(texts), dtype=np.uint32)
    return Features(np.frombuffer(digests, dtype=np.uint64).reshape(-1, 2), hashes, bounds, bands, found)
