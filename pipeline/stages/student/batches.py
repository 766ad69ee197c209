"""Which tokens each optimiser step sees: a pure function of the span table, the phase and the seed.

Documents are sorted by id and then shuffled once per epoch from a scoped seed, so neither the order of the shards nor
a restart changes a step. Step n is computed, not reached by iteration, so a resumed run begins at the exact sample.

With `mask_documents` a row is one document (or a piece of one, where it is longer than the sequence length):
positions restart and attention stays inside. A step takes documents until the next one would pass
`batch * sequence_length` tokens, so no token is padding when it is counted; rows of about one length then share a
forward pass. Without it the documents of an epoch are one stream, cut every `sequence_length` tokens, as in
Gunasekar et al. 2023, 2.3.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from pipeline.core.errors import EmptyCorpus, RecipeError
from pipeline.core.identity import rng_seed
from pipeline.recipe import PhaseTable
from pipeline.stages.tokens.shards import KINDS, Array, TokenStore

IGNORE = -100
"""Label of a position without loss (PyTorch's `ignore_index`)."""


class Piece(NamedTuple):
    """Tokens [start, stop) of a shard, of which those from loss_start on carry loss."""

    shard: int
    start: int
    loss_start: int
    stop: int


Row = tuple[Piece, ...]
"""What one row of a batch holds, end to end: one piece, or several where attention crosses documents."""


class Batch(NamedTuple):
    """Right-padded rows, each field (rows, time).

    ids: token ids. labels: next tokens, `IGNORE` where there is no loss. numbers: where the label is in the store,
    counted over all shards, -1 where there is no loss; by it soft targets are found.
    """

    ids: Tensor
    labels: Tensor
    numbers: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`; `numbers`, which only find things on disk, stay on the CPU."""
        return Batch(self.ids.to(device), self.labels.to(device), self.numbers)


@dataclass(frozen=True, slots=True)
class Step:
    """One optimiser step. tokens: without padding. loss_tokens: labels that carry loss, over all rows."""

    rows: tuple[Row, ...]
    tokens: int
    loss_tokens: int


def row_length(row: Row) -> int:
    """Tokens of a row."""
    return sum(piece.stop - piece.start for piece in row)


def label_count(row: Row) -> int:
    """Labels of a row that carry loss; a row's first token is predicted from nothing and never does."""
    return sum(piece.stop - max(piece.loss_start, piece.start + (number == 0)) for number, piece in enumerate(row))


class Loader:
    """The steps of one phase.

    store: packed tokens. total: optimiser steps of the phase. Memory is some tens of bytes per document: an epoch is
    a permutation and the places where its steps begin, and the rows of a step are made when it is asked for.
    """

    def __init__(
        self, store: TokenStore, phase: PhaseTable, *, sequence_length: int, mask_documents: bool, seed: int
    ) -> None:
        self.store = store
        self.phase = phase
        self.length = sequence_length
        self.mask = mask_documents
        self.seed = seed
        spans = store.spans
        wanted = ~spans.held_out
        if phase.data != "all":
            wanted &= spans.kind == KINDS.index(phase.data)
        rows = np.flatnonzero(wanted)
        if not len(rows):
            raise EmptyCorpus(
                f"phase {phase.name!r} reads {phase.data!r} documents, and there is none among the {len(spans)} packed",
                hint="change the phase's data, or make more documents of that kind",
            )
        ids = np.array([spans.document_id[row] for row in rows])
        self.documents = rows[np.argsort(ids, kind="stable")]
        self._epochs: dict[int, _Epoch] = {}
        self._starts = self._plan()
        if not self.total:
            epoch = self._epoch(0)
            raise RecipeError(
                f"recipe: phase {phase.name!r} has no step: {phase.epochs:g} epochs of its {len(rows):,} documents are "
                f"less than one of the {epoch.steps:,} steps that an epoch has (batch = {phase.batch}, "
                f"tokens.sequence_length = {sequence_length})",
                hint="raise the phase's epochs, set its steps, or take a smaller batch",
            )

    @property
    def total(self) -> int:
        """Optimiser steps of this phase."""
        return self._starts[-1]

    def step(self, number: int) -> Step:
        """Step `number`, from 0."""
        if not 0 <= number < self.total:
            raise IndexError(f"step {number} of a phase of {self.total}")
        epoch = bisect_right(self._starts, number) - 1
        rows = self._epoch(epoch).rows(number - self._starts[epoch])
        tokens = sum(piece.stop - piece.start for row in rows for piece in row)
        return Step(rows, tokens, max(sum(map(label_count, rows)), 1))

    def _plan(self) -> list[int]:
        """The step with which each epoch begins, and the total at the end."""
        whole, part = divmod(self.phase.epochs * self.store.manifest["repeat"], 1)
        starts, read = [0], 0
        while True:
            number = len(starts) - 1
            epoch = self._epoch(number)
            if not epoch.steps:
                raise EmptyCorpus(
                    f"phase {self.phase.name!r}: none of its {len(self.documents):,} documents has a token to learn "
                    f"(tokens.sequence_length = {self.length})",
                    hint='raise tokens.sequence_length, or set tokens.loss = "all"',
                )
            if self.phase.steps:
                steps = min(epoch.steps, self.phase.steps - starts[-1])
            else:
                steps = epoch.steps if number < whole else epoch.steps_within(part)
            if self.phase.max_tokens:
                fitting = epoch.steps_of(self.phase.max_tokens - read)
                steps = min(steps, max(fitting, 1 if number == 0 else 0))
                read += epoch.tokens
            starts.append(starts[-1] + steps)
            done = starts[-1] >= self.phase.steps if self.phase.steps else number + 1 >= whole + (part > 0)
            if done or steps < epoch.steps:
                return starts

    def _epoch(self, number: int) -> "_Epoch":
        if number not in self._epochs:
            shuffle = np.random.default_rng(rng_seed(self.seed, "order", self.phase.name, number))
            order = self.documents[shuffle.permutation(len(self.documents))]
            kind = _MaskedEpoch if self.mask else _StreamEpoch
            self._epochs = {number: kind(self.store, order, self.length, self.phase.batch)}
        return self._epochs[number]


class _Epoch(Protocol):
    """One pass over the documents in one order. tokens: that its steps hold."""

    tokens: int

    @property
    def steps(self) -> int: ...

    def steps_within(self, share: float) -> int:
        """Steps that make up the first `share` of the epoch."""
        ...

    def steps_of(self, tokens: int) -> int:
        """Steps that hold at most `tokens` tokens together."""
        ...

    def rows(self, step: int) -> tuple[Row, ...]: ...


class _MaskedEpoch:
    """A row per document or part of one; a step takes rows until the next would pass its budget."""

    def __init__(self, store: TokenStore, order: Array, length: int, batch: int) -> None:
        self.columns = row_columns(store, order, length)
        sizes = self.columns.stop - self.columns.start
        self.ends = np.cumsum(sizes)
        self.tokens = int(self.ends[-1]) if len(self.ends) else 0
        self.first = [0]
        while self.first[-1] < len(sizes):
            at = self.first[-1]
            before = int(self.ends[at]) - int(sizes[at])
            self.first.append(max(int(np.searchsorted(self.ends, before + batch * length, side="right")), at + 1))

    @property
    def steps(self) -> int:
        return len(self.first) - 1

    def steps_within(self, share: float) -> int:
        return bisect_right(self.first, round(share * self.first[-1])) - 1

    def steps_of(self, tokens: int) -> int:
        return bisect_right(self.first, int(np.searchsorted(self.ends, tokens, side="right"))) - 1

    def rows(self, step: int) -> tuple[Row, ...]:
        return tuple((piece,) for piece in self.columns.pieces(self.first[step], self.first[step + 1]))


class _StreamEpoch:
    """The documents end to end, cut into rows of exactly `length` tokens; what is left at the end is dropped."""

    def __init__(self, store: TokenStore, order: Array, length: int, batch: int) -> None:
        spans = store.spans
        self.columns = Columns(spans.shard[order], spans.start[order], spans.loss_start[order], spans.stop[order])
        self.ends = np.cumsum(self.columns.stop - self.columns.start)
        whole = int(self.ends[-1])
        self.length, self.batch = min(length, whole), batch
        self.count = whole // self.length
        self.tokens = self.count * self.length

    @property
    def steps(self) -> int:
        return -(-self.count // self.batch)

    def steps_within(self, share: float) -> int:
        return round(share * self.steps)

    def steps_of(self, tokens: int) -> int:
        return max(tokens, 0) // (self.batch * self.length)

    def rows(self, step: int) -> tuple[Row, ...]:
        return tuple(self._row(n) for n in range(step * self.batch, min((step + 1) * self.batch, self.count)))

    def _row(self, number: int) -> Row:
        low, high = number * self.length, (number + 1) * self.length
        first, last = (int(np.searchsorted(self.ends, place, side="right")) for place in (low, high - 1))
        row = []
        for piece, end in zip(self.columns.pieces(first, last + 1), self.ends[first : last + 1].tolist(), strict=True):
            begin = end - (piece.stop - piece.start)
            start, stop = piece.start + max(low - begin, 0), piece.stop - max(end - high, 0)
            row.append(Piece(piece.shard, start, min(max(piece.loss_start, start), stop), stop))
        return tuple(row)


@dataclass(frozen=True, slots=True)
class Columns:
    """Pieces as columns, each (pieces,)."""

    shard: Array
    start: Array
    loss_start: Array
    stop: Array

    def pieces(self, first: int, last: int) -> Iterator[Piece]:
        """Pieces [first, last)."""
        columns = (self.shard, self.start, self.loss_start, self.stop)
        for values in zip(*(column[first:last].tolist() for column in columns), strict=True):
            yield Piece(*values)


def row_columns(store: TokenStore, documents: Array, length: int) -> Columns:
    """The documents in the given order, cut into pieces of at most `length` tokens; those without any loss left out.

    Left out are parts of a long exercise's prompt, and an end-of-text token that a cut has left alone.
    """
    spans = store.spans
    sizes = spans.stop[documents] - spans.start[documents]
    counts = -(-sizes // length)
    owner = np.repeat(documents, counts)
    part = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = spans.start[owner] + part * length
    stop = np.minimum(start + length, spans.stop[owner])
    loss_start = np.minimum(np.maximum(spans.loss_start[owner], start), stop)
    kept = stop > np.maximum(loss_start, start + 1)
    return Columns(spans.shard[owner][kept], start[kept], loss_start[kept], stop[kept])


def micro_batches(store: TokenStore, rows: Sequence[Row], tokens: int) -> Iterator[Batch]:
    """The rows in groups of about one length, each of at most `tokens` tokens with padding (or one row)."""
    ordered = sorted(rows, key=lambda row: (sum(piece.stop - piece.start for piece in row), row))
    group: list[Row] = []
    for row in ordered:
        width = sum(piece.stop - piece.start for piece in row)
        if group and (len(group) + 1) * width > tokens:
            yield collate(store, group)
            group = []
        group.append(row)
    if group:
        yield collate(store, group)


def collate(store: TokenStore, rows: Sequence[Row]) -> Batch:
    """Rows as one right-padded batch."""
    width = max(sum(piece.stop - piece.start for piece in row) for row in rows)
    ids = np.zeros((len(rows), width), dtype=np.int64)
    labels = np.full((len(rows), width), IGNORE, dtype=np.int64)
    numbers = np.full((len(rows), width), -1, dtype=np.int64)
    before = np.cumsum([0, *store.manifest["shards"]])
    for number, row in enumerate(rows):
        at = 0
        for piece in row:
            tokens = store.shards[piece.shard][piece.start : piece.stop]
            ids[number, at : at + len(tokens)] = tokens
            first = max(piece.loss_start - piece.start + at, 1)
            labels[number, first - 1 : at + len(tokens) - 1] = tokens[first - at :]
            start = int(before[piece.shard]) + piece.start - at
            numbers[number, first - 1 : at + len(tokens) - 1] = np.arange(start + first, start + at + len(tokens))
            at += len(tokens)
    return Batch(torch.from_numpy(ids), torch.from_numpy(labels), torch.from_numpy(numbers))


def document_rows(store: TokenStore, documents: Array, length: int) -> list[Row]:
    """A row for each of the documents, or several where it is longer than `length`."""
    columns = row_columns(store, documents, length)
    return [(piece,) for piece in columns.pieces(0, len(columns.start))]


def documents_of(store: TokenStore, rows: Sequence[Row]) -> list[tuple[int, str]]:
    """Of each row that holds one document or a part of one: the document's place in the span table, and its kind."""
    spans = store.spans
    found = []
    for (piece,) in rows:
        inside = (spans.shard == piece.shard) & (spans.start <= piece.start) & (piece.stop <= spans.stop)
        place = int(np.flatnonzero(inside)[0])
        found.append((place, KINDS[int(spans.kind[place])]))
    return found


def held_out_rows(store: TokenStore, length: int, count: int) -> list[Row]:
    """Rows of the held-out documents, at most `count` of them, in the order of the documents' ids."""
    spans = store.spans
    chosen = sorted(np.flatnonzero(spans.held_out).tolist(), key=lambda row: spans.document_id[row])
    return document_rows(store, np.array(chosen[:count], dtype=np.int64), length)[:count]
