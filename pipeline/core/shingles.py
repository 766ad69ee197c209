"""Compiled loops over UTF-8 bytes: words, shingles, MinHash bands, and the hash table that finds candidates.

Only imported where a stage runs, because numba takes half a second to import. Kernels are compiled on first use and
cached beside this file, or in the user's cache folder where this one is read-only; where neither can be written they
are compiled anew in each process. All of them release the GIL.

What a word is says `pipeline.core.words`, whose normal form of texts is what these loops are given.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from pipeline.core.words import ALONE, DIVIDES, JOINS, MARK, UNSEEN, classes

MIX = np.uint64(0x9E3779B97F4A7C15)
WORD_PRIME = np.uint64(0x00000100000001B3)
SHINGLE_PRIME = np.uint64(0xFF51AFD7ED558CCD)
EMPTY = np.uint64(0xCBF29CE484222325)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` compiled on first call, cached on disk where a cache folder can be written."""
    try:
        kernel: Callable[..., Any] = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: "no locator available": neither this folder nor the user's cache is writable
        kernel = njit(nogil=True)(function)
    return kernel


@compiled
def mix(h: Any) -> Any:
    """Finaliser of splitmix64: spreads every input bit over all 64."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


@compiled
def word_table() -> Any:
    """(256,) bool: the bytes that are part of a word. All bytes of non-ASCII characters are."""
    table = np.zeros(256, dtype=np.bool_)
    for b in range(256):
        table[b] = (48 <= b <= 57) or (65 <= b <= 90) or (97 <= b <= 122) or b == 95 or b >= 128
    return table


def shingle(data: Any, starts: Any, n: int, fold: bool) -> tuple[Any, Any]:
    """Sets of hashed word n-grams, one per document.

    data: (bytes,) uint8, all texts end to end in the form of `words.normalised`, UTF-8. starts: (documents + 1,) int64
    offsets into it. fold: whether the case of ASCII letters is folded. Returns (hashes, bounds): document i has the
    sorted, distinct uint64 hashes[bounds[i]:bounds[i + 1]].

    A text with fewer than `n` words has one shingle, the hash of its characters with runs of white space taken as
    one space: so short texts are alike only where they are equal. A text without any character but white space has
    none, and is like no other.
    """
    hashes, bounds = _shingle(data, starts, n, fold, classes())
    return hashes, bounds


@compiled
def _character(data: Any, at: int, stop: int) -> tuple[Any, Any]:
    """(code point, length in bytes) of the UTF-8 character at `at`, a lone surrogate's too."""
    b = np.int64(data[at])
    if b < 0xE0 or at + 2 >= stop:
        return ((b & 0x1F) << 6) | (np.int64(data[min(at + 1, stop - 1)]) & 0x3F), min(2, stop - at)
    code = ((b & 0x0F) << 12) | ((np.int64(data[at + 1]) & 0x3F) << 6) | (np.int64(data[at + 2]) & 0x3F)
    if b < 0xF0 or at + 3 >= stop:
        return code, 3
    return ((b & 0x07) << 18) & 0x1FFFFF | ((code & 0x0FFF) << 6) | (np.int64(data[at + 3]) & 0x3F), 4


@compiled
def _shingle(data: Any, starts: Any, n: int, fold: bool, kinds: Any) -> tuple[Any, Any]:
    """As `shingle`; kinds: (0x110000,) uint8, the class of every character."""
    documents = len(starts) - 1
    is_word = word_table()
    is_word[128:] = False
    out = np.empty((len(data) + documents) // 2 + documents + 1, dtype=np.uint64)
    bounds = np.zeros(documents + 1, dtype=np.int64)
    ring = np.zeros(n, dtype=np.uint64)  # the last `n` words
    filled = 0
    for d in range(documents):
        begin = filled
        words = 0
        place = 0  # of the next word in the ring: the oldest word's
        at, stop = starts[d], starts[d + 1]
        while at < stop:
            b = data[at]
            alone = False
            if b < 128:
                if not is_word[b]:
                    at += 1
                    continue
            else:
                code, size = _character(data, at, stop)
                if kinds[code] == DIVIDES or kinds[code] == UNSEEN:
                    at += size
                    continue
                alone = kinds[code] == ALONE
            h = EMPTY
            first = True
            while at < stop:
                b = data[at]
                if b < 128:
                    if alone or not is_word[b]:
                        break
                    if fold and 65 <= b <= 90:
                        b += np.uint8(32)
                    h = (h ^ np.uint64(b)) * WORD_PRIME
                    at += 1
                    first = False
                    continue
                code, size = _character(data, at, stop)
                if not first and kinds[code] != MARK and (alone or kinds[code] != JOINS):
                    break
                for k in range(at, at + size):
                    h = (h ^ np.uint64(data[k])) * WORD_PRIME
                at += size
                first = False
            ring[place] = mix(h)
            words += 1
            place = place + 1 if place + 1 < n else 0
            if words >= n:
                s = MIX
                for k in range(place, n):
                    s = (s ^ ring[k]) * SHINGLE_PRIME
                    s = s ^ (s >> np.uint64(32))
                for k in range(place):
                    s = (s ^ ring[k]) * SHINGLE_PRIME
                    s = s ^ (s >> np.uint64(32))
                out[filled] = mix(s)
                filled += 1
        if words < n:
            s = EMPTY
            seen = False
            gap = False
            for at in range(starts[d], starts[d + 1]):
                b = data[at]
                if b == 32 or 9 <= b <= 13:
                    gap = seen
                    continue
                if gap:
                    s = (s ^ np.uint64(32)) * WORD_PRIME
                    gap = False
                s = (s ^ np.uint64(b)) * WORD_PRIME
                seen = True
            if seen:
                out[filled] = mix(s ^ MIX)
                filled += 1
        elif filled - begin > 1:
            part = out[begin:filled]
            part.sort()
            last = begin
            for k in range(begin + 1, filled):
                if out[k] != out[last]:
                    last += 1
                    out[last] = out[k]
            filled = last + 1
        bounds[d + 1] = filled
    return out[:filled].copy(), bounds


@compiled
def band_keys(hashes: Any, bounds: Any, multipliers: Any, offsets: Any, bands: int) -> Any:
    """(documents, bands) uint32 keys of the MinHash bands (Broder 1997; banding as in Leskovec et al., ch. 3).

    multipliers, offsets: (permutations,) uint32, the multipliers odd: permutation i of a hash x is
    multipliers[i] * x + offsets[i] mod 2^32. A document without shingles has keys 0 and must not be looked up.
    """
    documents = len(bounds) - 1
    permutations = len(multipliers)
    rows = permutations // bands
    keys = np.zeros((documents, bands), dtype=np.uint32)
    signature = np.empty(permutations, dtype=np.uint32)
    for d in range(documents):
        if bounds[d] == bounds[d + 1]:
            continue
        signature[:] = np.uint32(0xFFFFFFFF)
        for k in range(bounds[d], bounds[d + 1]):
            x = np.uint32(hashes[k] >> np.uint64(32))
            for i in range(permutations):
                value = np.uint32(np.uint32(multipliers[i] * x) + offsets[i])
                if value < signature[i]:
                    signature[i] = value
        for band in range(bands):
            h = MIX * np.uint64(band + 1)
            for i in range(band * rows, (band + 1) * rows):
                h = (h ^ np.uint64(signature[i])) * SHINGLE_PRIME
                h = h ^ (h >> np.uint64(29))
            keys[d, band] = np.uint32(mix(h) >> np.uint64(32))
    return keys


@compiled
def intersection(a: Any, b: Any) -> Any:
    """Number of equal elements of two sorted arrays of distinct values."""
    i = 0
    j = 0
    common = 0
    while i < len(a) and j < len(b):
        x, y = a[i], b[j]
        common += x == y
        i += x <= y
        j += y <= x
    return common


@compiled
def jaccard(a: Any, b: Any) -> Any:
    """|a & b| / |a | b| of two sorted arrays of distinct values; 0.0 where both are empty."""
    if len(a) + len(b) == 0:
        return 0.0
    common = intersection(a, b)
    return common / (len(a) + len(b) - common)


@compiled
def matches(
    query: Any, keys: Any, similarity: float, heads: Any, links: Any, hashes: Any, bounds: Any, seen: Any, stamp: int
) -> tuple[Any, Any]:
    """Documents of the table whose exact Jaccard similarity to `query` reaches `similarity`.

    query: (shingles,) sorted distinct uint64. keys: (bands,) uint32. heads, links: see `chain`. hashes, bounds: the
    table's shingle sets. seen: (documents,) int32 scratch, where `stamp`, greater than all before, marks the candidates
    of this call. Returns (numbers, similarities) in the order found; every candidate is compared once, whichever number
    of bands it shares.
    """
    found = np.empty(4, dtype=np.int32)
    scores = np.empty(4, dtype=np.float64)
    count = 0
    mask = np.uint32(len(heads) - 1)
    size = len(query)
    firsts = np.empty(len(keys), dtype=np.int32)
    for band in range(len(keys)):  # loads that do not wait for each other: the table is larger than any cache
        firsts[band] = heads[np.uint32(keys[band] & mask)]
    for band in range(len(keys)):
        tag = np.int32(keys[band])
        entry = firsts[band]
        while entry >= 0:
            if links[entry, 0] == tag:
                number = links[entry, 1]
                if seen[number] != stamp:
                    seen[number] = stamp
                    other = bounds[number + 1] - bounds[number]
                    if min(size, other) >= similarity * max(size, other):
                        score = jaccard(query, hashes[bounds[number] : bounds[number + 1]])
                        if score >= similarity:
                            if count == len(found):
                                found = np.concatenate((found, np.empty_like(found)))
                                scores = np.concatenate((scores, np.empty_like(scores)))
                            found[count] = number
                            scores[count] = score
                            count += 1
            entry = links[entry, 2]
    return found[:count], scores[:count]


@compiled
def owners_of(key: Any, heads: Any, links: Any) -> Any:
    """(n,) int32: documents with an entry of this key, oldest first."""
    found = np.empty(4, dtype=np.int32)
    count = 0
    entry = heads[np.uint32(key & np.uint32(len(heads) - 1))]
    while entry >= 0:
        if links[entry, 0] == np.int32(key):
            if count == len(found):
                found = np.concatenate((found, np.empty_like(found)))
            found[count] = links[entry, 1]
            count += 1
        entry = links[entry, 2]
    return found[:count][::-1].copy()


@compiled
def chain(key: Any, owner: int, entry: int, heads: Any, links: Any) -> None:
    """Put one entry at the head of its chain; the caller has made room.

    heads: (2^k,) int32, the newest entry of each chain, -1 for none. links: (entries, 3) int32: key, document, and the
    entry before it in the chain, side by side because a look at one is a look at all.
    """
    slot = np.uint32(key & np.uint32(len(heads) - 1))
    links[entry, 0] = np.int32(key)
    links[entry, 1] = owner
    links[entry, 2] = heads[slot]
    heads[slot] = entry


@compiled
def rechain(heads: Any, links: Any, used: int) -> None:
    """Rebuild all chains after `heads` has grown."""
    heads[:] = -1
    mask = np.uint32(len(heads) - 1)
    for entry in range(used):
        slot = np.uint32(np.uint32(links[entry, 0]) & mask)
        links[entry, 2] = heads[slot]
        heads[slot] = entry
