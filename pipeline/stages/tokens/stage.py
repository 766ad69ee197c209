"""Documents -> token shards and the span table.

Documents are written in the order in which they come, each begun as its tokenizer begins a text (with a BOS, or with
nothing) and followed by the end-of-text token, so that a document begins as a prompt does; the order of training is the
loader's, drawn from the seed and the documents' ids, so it does not depend on the order here. What is drawn
(which documents are used, which are held out) is drawn by id for the same reason.
"""

import heapq
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.errors import EmptyCorpus, RecipeError
from pipeline.core.identity import rng_seed
from pipeline.core.records import Document, Exercise, Problem, Span
from pipeline.models.loading import save_tokenizer
from pipeline.models.prompts import encode_documents, start_ids
from pipeline.recipe import StudentTable, TokensTable
from pipeline.stages.held_out.stage import problem_of
from pipeline.stages.tokens.shards import FORMAT, KINDS, PROBLEMS, shard_name
from pipeline.stages.tokens.text import parts
from pipeline.stages.tokens.tokenizers import tokenizer_for
from pipeline.store import jsonl
from pipeline.store.disk import sync, write_atomically
from pipeline.store.parquet import write_table

SHARD_TOKENS = 1 << 27
"""Tokens after which a new shard begins: 268 MB of 16-bit ids."""

_BATCH = 1024
_SCALE = float(1 << 63)
_SPAN_TYPES = [("shard", pa.int32()), ("start", pa.int64()), ("loss_start", pa.int64()), ("stop", pa.int64())]
_SCHEMA = pa.schema(
    [("id", pa.string()), ("document_id", pa.string()), *_SPAN_TYPES, ("kind", pa.int8()), ("held_out", pa.bool_())]
)


@dataclass(frozen=True, slots=True)
class TokensSummary:
    """What was packed.

    documents: those for training, the held-out ones not counted. tokens, loss_tokens: of all documents, end-of-text
    tokens included; a BOS counts as a token without loss. spans: the span table's file.
    """

    documents: int
    held_out_documents: int
    tokens: int
    loss_tokens: int
    vocabulary: int
    shards: int
    spans: Path


@dataclass(frozen=True, slots=True)
class _Encoded:
    document: Document
    given: list[int]
    answer: list[int]


def pack(
    documents: Iterable[Document],
    *,
    table: TokensTable,
    student: StudentTable,
    seed: int,
    out: Path,
    cache: Path,
    tokenizer: Any = None,
) -> TokensSummary:
    """Tokenise `documents` into the folder `out` (made, or emptied of an earlier attempt by overwriting its files).

    tokenizer: a transformers fast tokenizer, or None for the one that `table` names (where that is trained on the
    corpus, the documents are held in memory). Memory is otherwise that of a few thousand documents.

    Raises EmptyCorpus where there is no document.
    """
    if tokenizer is None:
        if table.tokenizer == "train":
            documents = list(documents)
        tokenizer = tokenizer_for(table, student, documents if isinstance(documents, Sequence) else (), cache)
    eos = tokenizer.eos_token_id
    if eos is None:
        raise RecipeError(
            f"recipe: the tokenizer {table.tokenizer!r} has no end-of-text token, which separates documents",
            hint="set eos_token in its tokenizer_config.json, or use another tokenizer",
        )
    out.mkdir(parents=True, exist_ok=True)
    chosen = _drawn(documents, table.max_documents, seed)
    writer = _Writer(out, len(tokenizer), start_ids(tokenizer), eos, table, student, seed)
    with writer:
        for encoded in _encoded(chosen, tokenizer):
            writer.add(encoded)
    if not writer.documents:
        raise EmptyCorpus(
            "there is no document to train on",
            hint="look at what the cleaning stages dropped: `hornbook status` counts it",
        )
    save_tokenizer(tokenizer, out / "tokenizer")
    return writer.finish(table.repeat_corpus)


def is_about(document: Document, topics: Sequence[str]) -> bool:
    """Whether a document is below one of `topics`; all are where there are none, and real code, which has no topic."""
    wanted = [topic.strip("/") for topic in topics]
    return not wanted or not document.topic or any(f"{document.topic}/".startswith(f"{one}/") for one in wanted)


def is_held_out(document_id: str, share: float, seed: int) -> bool:
    """Whether a document is kept out of training; depends on its id and the seed alone."""
    return rng_seed(seed, "held-out", document_id) < share * _SCALE


def _drawn(documents: Iterable[Document], count: int, seed: int) -> Iterable[Document]:
    """`count` of the documents, drawn by id, in their order; all of them for 0."""
    if not count:
        return documents
    ranked = ((rng_seed(seed, "documents", document.id), number, document) for number, document in enumerate(documents))
    return [document for _, _, document in sorted(heapq.nsmallest(count, ranked), key=lambda entry: entry[1])]


def _encoded(documents: Iterable[Document], tokenizer: Any) -> Iterator[_Encoded]:
    source = iter(documents)
    while chunk := list(islice(source, _BATCH)):
        encoded = encode_documents(tokenizer, [parts(document) for document in chunk])
        for document, (given, answer) in zip(chunk, encoded, strict=True):
            yield _Encoded(document, given, answer)


class _Writer:
    """Writes shards as documents come and the span table and manifest at the end."""

    def __init__(
        self,
        out: Path,
        vocabulary: int,
        begin: list[int],
        eos: int,
        table: TokensTable,
        student: StudentTable,
        seed: int,
    ) -> None:
        self.out = out
        self.vocabulary = vocabulary
        self.dtype = np.dtype(np.uint16 if vocabulary <= 1 << 16 else np.uint32)
        self.begin = begin
        self.eos = eos
        self.answer_only = table.loss == "answer"
        self.held_out_share = student.held_out
        self.seed = seed
        self.sizes: list[int] = [0]
        self.file: Any = None
        self.columns: dict[str, list[Any]] = {name: [] for name in _SCHEMA.names if name != "id"}
        self.loss_tokens = 0
        self.problems: list[Problem] = []

    @property
    def documents(self) -> int:
        return len(self.columns["document_id"])

    def __enter__(self) -> "_Writer":
        self.file = (self.out / shard_name(0)).open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        sync(self.file)
        self.file.close()

    def add(self, encoded: _Encoded) -> None:
        ids = [*self.begin, *encoded.given, *encoded.answer, self.eos]
        if self.sizes[-1] and self.sizes[-1] + len(ids) > SHARD_TOKENS:
            self._close()
            self.file = (self.out / shard_name(len(self.sizes))).open("wb")
            self.sizes.append(0)
        start = self.sizes[-1]
        self.file.write(np.asarray(ids, dtype=self.dtype).tobytes())
        self.sizes[-1] += len(ids)
        exercise = isinstance(encoded.document, Exercise)
        # What every document begins with is given: no loss is spent on it, in a stream of documents neither.
        loss_start = start + len(self.begin) + (len(encoded.given) if self.answer_only else 0)
        self.loss_tokens += start + len(ids) - loss_start
        row = {
            "document_id": encoded.document.id,
            "shard": len(self.sizes) - 1,
            "start": start,
            "loss_start": loss_start,
            "stop": start + len(ids),
            "kind": KINDS.index("exercise" if exercise else "textbook"),
            "held_out": is_held_out(encoded.document.id, self.held_out_share, self.seed),
        }
        for name, value in row.items():
            self.columns[name].append(value)
        if row["held_out"] and isinstance(encoded.document, Exercise) and encoded.document.test:
            self.problems.append(problem_of(encoded.document, "held-out exercises"))

    def finish(self, repeat: int) -> TokensSummary:
        spans = [
            Span(document_id=document, shard=shard, start=start, loss_start=loss_start, stop=stop)
            for document, shard, start, loss_start, stop in zip(
                *(self.columns[name] for name in ("document_id", "shard", "start", "loss_start", "stop")), strict=True
            )
        ]
        path = self.out / "spans.parquet"
        table = pa.table({"id": [span.id for span in spans], **self.columns}, schema=_SCHEMA)
        write_table(table, path)
        rows = (problem.content() for problem in sorted(self.problems, key=lambda problem: problem.task_id))
        jsonl.write(self.out / PROBLEMS, rows)
        summary = TokensSummary(
            documents=self.documents - sum(self.columns["held_out"]),
            held_out_documents=sum(self.columns["held_out"]),
            tokens=sum(self.sizes),
            loss_tokens=self.loss_tokens,
            vocabulary=self.vocabulary,
            shards=len(self.sizes),
            spans=path,
        )
        manifest = {
            "format": FORMAT,
            "dtype": self.dtype.name,
            "begin": self.begin,
            "eos": self.eos,
            "repeat": repeat,
            "shards": self.sizes,
            **{key: value for key, value in asdict(summary).items() if key not in ("shards", "spans")},
        }
        write_atomically(self.out / "tokens.json", json.dumps(manifest, indent=1) + "\n")
        return summary
