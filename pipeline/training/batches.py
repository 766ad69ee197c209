"""Which tokens each optimiser step sees: a pure function of the span table, the phase and the seed.

Documents are sorted by id and then shuffled once per epoch from a scoped seed, so neither the order of the shards nor
a restart changes a step. Step n is computed, not reached by iteration, so a resumed run begins at the exact sample.

With `mask_documents` a row is one document (or a piece of one, where it is longer than the sequence length):
positions restart and attention stays inside. A step takes documents until the next one would pass
`batch * sequence_length` tokens, so no token is padding when it is counted; rows of about one length then share a
forward pass. Without it the documents of an epoch are one stream, cut every `sequence_length` tokens, as in
Gunasekar et al. 2023, 2.3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import EmptyCorpus
from pipeline.identity import rng_seed
from pipeline.recipe import PhaseTable, TokensTable
from pipeline.tokens.shards import KINDS, Array, TokenStore

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


def label_count(row: Row) -> int:
    """Labels of a row that carry loss; a row's first token is predicted from nothing and never does."""
    return sum(piece.stop - max(piece.loss_start, piece.start + (number == 0)) for number, piece in enumerate(row))


class Loader:
    """The steps of one phase.

    store: packed tokens. limits: `mask_documents`. total: optimiser steps of the phase.
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
        self._epoch_rows: dict[int, list[Row]] = {}
        self._steps = self._plan()

    @property
    def total(self) -> int:
        """Optimiser steps of this phase."""
        return len(self._steps)

    @property
    def tokens(self) -> int:
        """Tokens that the phase reads, padding not counted."""
        return sum(step.tokens for step in self._steps)

    def step(self, number: int) -> Step:
        """Step `number`, from 0."""
        return self._steps[number]

    def _plan(self) -> list[Step]:
        steps: list[Step] = []
        budget = self.phase.batch * self.length
        whole, part = divmod(self.phase.epochs * self.store.manifest["repeat"], 1)
        read = epoch = 0
        while True:
            rows = self._rows(epoch)
            if not self.phase.steps and epoch >= whole:
                rows = rows[: round(part * len(rows))]
            for step in _steps(rows, budget):
                if self.phase.steps and len(steps) == self.phase.steps:
                    return steps
                if self.phase.max_tokens and steps and read + step.tokens > self.phase.max_tokens:
                    return steps
                steps.append(step)
                read += step.tokens
            epoch += 1
            if not self.phase.steps and epoch >= whole + (part > 0):
                return steps

    def _rows(self, epoch: int) -> list[Row]:
        shuffle = np.random.default_rng(rng_seed(self.seed, "order", self.phase.name, epoch))
        order = self.documents[shuffle.permutation(len(self.documents))]
        pieces = pieces_of(self.store, order)
        return masked_rows(pieces, self.length) if self.mask else stream_rows(pieces, self.length)


def pieces_of(store: TokenStore, documents: Array) -> Iterator[Piece]:
    """One piece per document, in the given order."""
    spans = store.spans
    columns = [spans.shard[documents], spans.start[documents], spans.loss_start[documents], spans.stop[documents]]
    for values in zip(*(column.tolist() for column in columns), strict=True):
        yield Piece(*values)


def masked_rows(pieces: Iterator[Piece], length: int) -> list[Row]:
    """A row per document, cut into several where it is longer than `length`; rows without any loss are left out.

    Such are the parts of a long exercise's prompt, and an end-of-text token that a cut has left alone.
    """
    rows: list[Row] = []
    for piece in pieces:
        for start in range(piece.start, piece.stop, length):
            stop = min(start + length, piece.stop)
            row: Row = (Piece(piece.shard, start, min(max(piece.loss_start, start), stop), stop),)
            if label_count(row) > 0:
                rows.append(row)
    return rows


def stream_rows(pieces: Iterator[Piece], length: int) -> list[Row]:
    """Rows of exactly `length` tokens cut from the documents end to end; what is left at the end is dropped."""
    rows: list[Row] = []
    row: list[Piece] = []
    filled = 0
    for piece in pieces:
        start = piece.start
        while start < piece.stop:
            stop = min(piece.stop, start + length - filled)
            row.append(Piece(piece.shard, start, min(max(piece.loss_start, start), stop), stop))
            filled += stop - start
            start = stop
            if filled == length:
                rows.append(tuple(row))
                row, filled = [], 0
    if not rows and row:
        rows.append(tuple(row))
    return [row for row in rows if label_count(row) > 0]


def _steps(rows: Sequence[Row], budget: int) -> Iterator[Step]:
    group: list[Row] = []
    tokens = 0
    for row in rows:
        size = sum(piece.stop - piece.start for piece in row)
        if group and tokens + size > budget:
            yield Step(tuple(group), tokens, sum(map(label_count, group)))
            group, tokens = [], 0
        group.append(row)
        tokens += size
    if group:
        yield Step(tuple(group), tokens, sum(map(label_count, group)))


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


def held_out_rows(store: TokenStore, limits: TokensTable | Any, count: int) -> list[Row]:
    """Rows of the held-out documents, at most `count` of them, drawn by their order of ids."""
    spans = store.spans
    rows = np.flatnonzero(spans.held_out)
    ids = np.array([spans.document_id[row] for row in rows])
    ordered = rows[np.argsort(ids, kind="stable")] if len(rows) else rows
    return masked_rows(pieces_of(store, ordered), limits.sequence_length)[:count]
