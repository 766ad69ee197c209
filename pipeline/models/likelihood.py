"""How likely a causal LM finds given texts, each after another: one forward pass, nothing is generated."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.models.architectures import positions_of
from pipeline.models.engines import lean_of
from pipeline.models.lean import causal
from pipeline.models.loading import LoadedModel
from pipeline.models.prompts import encode_documents, start_ids

ROWS = 8
"""Texts that are read at once. It is no setting: what a sum is rounded to may depend on it."""
_NO_LIMIT = 1 << 30


class Found(NamedTuple):
    """Of text number `place`: -log of its probability after what it continues, None where the two together, `length`
    tokens, do not fit into the model's `context`. tokens: of the text."""

    place: int
    nats: float | None
    tokens: int
    length: int
    context: int


class _Row(NamedTuple):
    place: int
    ids: list[int]
    tokens: int


def likelihoods(loaded: LoadedModel, texts: Sequence[tuple[str, str]]) -> Iterator[Found]:
    """Likelihood of the second of each pair, which continues the first; those that do not fit first, then the longest.

    The two are encoded as the parts of a training document are, so they never share a token. The sum is over all
    tokens of the continuation, and does not count an end of text. Where nothing stands before it (an empty first text,
    and a tokenizer that begins a text with nothing), its first token has no probability and counts for nothing.
    """
    context = positions_of(loaded.model.config) or _NO_LIMIT
    start = start_ids(loaded.tokenizer)
    rows = []
    for place, (given, answer) in enumerate(encode_documents(loaded.tokenizer, texts)):
        ids = [*start, *given, *answer]
        if len(ids) > context:
            yield Found(place, None, len(answer), len(ids), context)
        else:
            rows.append(_Row(place, ids, len(answer)))
    rows.sort(key=lambda row: (-len(row.ids), row.place))
    for first in range(0, len(rows), ROWS):
        block = rows[first : first + ROWS]
        for row, nats in zip(block, _nats(loaded, block), strict=True):
            yield Found(row.place, nats, row.tokens, len(row.ids), context)


@torch.inference_mode()
def _nats(loaded: LoadedModel, rows: Sequence[_Row]) -> list[float]:
    """Padded to the right: no token sees what comes after it, so a row is the same as by itself."""
    width = max(len(row.ids) for row in rows)
    ids = torch.tensor([[*row.ids, *[0] * (width - len(row.ids))] for row in rows], device=loaded.device)
    logits = _logits(loaded, ids, rows)
    found = []
    for row, mine in zip(rows, logits, strict=True):
        wanted = torch.tensor(row.ids[-len(mine) :] if len(mine) else [], dtype=torch.long, device=loaded.device)
        found.append(float(functional.cross_entropy(mine.float(), wanted, reduction="sum")) if len(mine) else 0.0)
    return found


def _logits(loaded: LoadedModel, ids: Tensor, rows: Sequence[_Row]) -> list[Tensor]:
    """Of the tokens before each token of the continuations, (tokens, vocab) a row."""
    spans = [(max(len(row.ids) - row.tokens - 1, 0), len(row.ids) - 1) for row in rows]
    lean = lean_of(loaded.model, loaded.packed)
    if lean is None:
        whole = loaded.model(input_ids=ids, use_cache=False).logits
        return [row[low:high] for row, (low, high) in zip(whole, spans, strict=True)]
    positions = torch.arange(ids.shape[1], device=ids.device)[None]
    hidden = lean.hidden(ids, lean.rotary(positions), causal())
    return [lean.lm_head(row[low:high]) for row, (low, high) in zip(hidden, spans, strict=True)]
