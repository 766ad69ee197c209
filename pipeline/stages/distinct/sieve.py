"""The compiled loop of `distinct`: documents are compared with those kept and kept themselves, many in one call."""

from typing import Any, NamedTuple

import numpy as np

from pipeline.core.shingles import chain, compiled, matches

KEPT, EXACT, NEAR = 0, 1, 2
"""Verdicts: kept, equal to a document kept before, near-duplicate of one."""
IF_CLONE, IF_NEAR, ALWAYS = 0, 1, 2
"""When a document whose text is new is left to the caller: where its outline was seen before; where that is so or it is
a near-duplicate; in any case."""


class Arrays(NamedTuple):
    """Documents of a batch, or those kept, with room for more.

    digests: (n, 2) uint64. hashes, bounds: shingle sets as in `Features`. ids: (n, 3) uint64, 24 bytes each.
    """

    digests: Any
    hashes: Any
    bounds: Any
    ids: Any


class Keys(NamedTuple):
    """What the table finds the documents of a batch by: (n, bands) and (n,) uint32, 0 for no outline."""

    bands: Any
    outlines: Any


class Table(NamedTuple):
    """The hash table of kept documents, see `kernels.chain`; seen: (documents,) int32 scratch."""

    heads: Any
    links: Any
    seen: Any


class Verdicts(NamedTuple):
    """Of each document of a batch: (n,) uint8 verdict, (n,) int32 number of the document kept (its own, if it is), and
    (n,) float64 exact similarity to that."""

    verdicts: Any
    numbers: Any
    similarities: Any


@compiled
def exact_key(digest: Any) -> Any:
    """uint32 key of an exact digest, (2,) uint64."""
    return np.uint32(digest[0] & np.uint64(0xFFFFFFFF))


@compiled
def equal(digest: Any, kept: Any, heads: Any, links: Any) -> int:
    """Number of the oldest kept document with this digest, -1 where there is none."""
    key = exact_key(digest)
    found = -1
    entry = heads[np.uint32(key & np.uint32(len(heads) - 1))]
    while entry >= 0:
        if links[entry, 0] == np.int32(key):
            number = links[entry, 1]
            if kept.digests[number, 0] == digest[0] and kept.digests[number, 1] == digest[1]:
                found = number
        entry = links[entry, 2]
    return found


@compiled
def shared(key: Any, heads: Any, links: Any) -> bool:
    """Whether the table has an entry with this key."""
    entry = heads[np.uint32(key & np.uint32(len(heads) - 1))]
    while entry >= 0:
        if links[entry, 0] == np.int32(key):
            return True
        entry = links[entry, 2]
    return False


@compiled
def keep(batch: Any, keys: Any, i: int, kept: Any, heads: Any, links: Any, number: int, entries: int) -> int:
    """Keep document `i` of the batch as `number`, the next one; entries of the table after that. The caller has made
    room."""
    begin, end = batch.bounds[i], batch.bounds[i + 1]
    filled = kept.bounds[number]
    if end > begin:
        for band in range(keys.bands.shape[1]):
            chain(keys.bands[i, band], number, entries, heads, links)
            entries += 1
    if keys.outlines[i]:
        chain(keys.outlines[i], number, entries, heads, links)
        entries += 1
    chain(exact_key(batch.digests[i]), number, entries, heads, links)
    for k in range(begin, end):
        kept.hashes[filled + k - begin] = batch.hashes[k]
    kept.bounds[number + 1] = filled + end - begin
    for k in range(2):
        kept.digests[number, k] = batch.digests[i, k]
    for k in range(3):
        kept.ids[number, k] = batch.ids[i, k]
    return entries + 1


@compiled
def sift(
    batch: Any,
    keys: Any,
    asks: Any,
    first: int,
    similarity: float,
    kept: Any,
    table: Any,
    size: int,
    entries: int,
    stamp: int,
    out: Any,
) -> tuple[int, int, int]:
    """Judge the documents of a batch from `first` on, up to one that is left to the caller.

    batch, keys, kept, table, out: see `Arrays`, `Keys`, `Table`, `Verdicts`. asks: (n,) uint8, see `IF_CLONE`. size,
    entries: of documents and of entries there are. stamp: greater than all before. Returns (the document left to the
    caller, or n; documents; entries). Of several near-duplicates the most similar counts, then the one kept first.
    """
    heads, links = table.heads, table.links
    i = first
    while i < len(asks):
        twin = equal(batch.digests[i], kept, heads, links)
        if twin >= 0:
            out.verdicts[i], out.numbers[i], out.similarities[i] = EXACT, twin, 1.0
            i += 1
            continue
        if asks[i] == ALWAYS:
            break
        begin, end = batch.bounds[i], batch.bounds[i + 1]
        if end > begin and size:
            numbers, scores = matches(
                batch.hashes[begin:end],
                keys.bands[i],
                similarity,
                heads,
                links,
                kept.hashes,
                kept.bounds,
                table.seen,
                stamp + i - first,
            )
            if len(numbers):
                if asks[i] == IF_NEAR:
                    break
                best = 0
                for k in range(1, len(numbers)):
                    if scores[k] > scores[best] or (scores[k] == scores[best] and numbers[k] < numbers[best]):
                        best = k
                out.verdicts[i], out.numbers[i], out.similarities[i] = NEAR, numbers[best], scores[best]
                i += 1
                continue
        if keys.outlines[i] and shared(keys.outlines[i], heads, links):
            break
        out.verdicts[i], out.numbers[i], out.similarities[i] = KEPT, size, 1.0
        entries = keep(batch, keys, i, kept, heads, links, size, entries)
        size += 1
        i += 1
    return i, size, entries
