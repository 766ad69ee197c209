"""A teacher LM's soft targets for packed tokens, on disk: k tokens of each loss position and the mass of the rest.

::

    soft-targets.json      format, k, temperature, teacher, rows
    rows.bin               int64 per token of the store: its row below, -1 where the token carries no loss
    tokens.bin             (rows, k) token ids
    log-probabilities.bin  (rows, k + 1) float16

Row n is the distribution *for* the token, given the tokens before it in its document (or the piece of it that a
training sequence holds). Size: k * (2 or 4) + (k + 1) * 2 bytes per loss token, and 8 bytes per token.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.core.errors import RecipeError, StoreFormatError
from pipeline.execution import Execution
from pipeline.models.loading import LoadedModel, load
from pipeline.models.prompts import encode_prompt
from pipeline.recipe import SoftTargetsTable, TokensTable
from pipeline.stages.student.batches import Batch, document_rows, micro_batches
from pipeline.stages.student.divergences import Targets, top_k
from pipeline.stages.student.objective import CHUNK_LOGITS, Objective
from pipeline.stages.tokens.shards import Array, TokenStore

FORMAT = 1
MICRO_TOKENS = 2048
"""Tokens of a teacher's forward pass, padding included."""

PROBE = "def f(x):\n    return [x, 12345]  # ok\n"
"""Text on which the tokenizers of teacher and student must agree, beside having one vocabulary."""


@dataclass(frozen=True, slots=True)
class SoftTargetsSummary:
    """What was written. rows: loss positions. covered: mean probability of the k tokens. bytes: on disk."""

    rows: int
    top_k: int
    temperature: float
    covered: float
    bytes: int
    teacher: dict[str, str]


def write_soft_targets(
    tokens: Path,
    table: SoftTargetsTable,
    limits: TokensTable,
    *,
    out: Path,
    cache: Path,
    execution: Execution,
    on_event: Callable[[dict[str, Any]], None] = lambda event: None,
    teacher: LoadedModel | None = None,
) -> SoftTargetsSummary:
    """Run the teacher over every document of the token folder and write what it expects.

    teacher: given, or loaded from `table.teacher`. Raises RecipeError where its tokenizer is not the tokens'.
    """
    if not limits.mask_documents:
        raise RecipeError(
            "recipe: soft targets need tokens.mask_documents = true: they are computed per document",
            hint='set it to true, or soft_targets.teacher to ""',
        )
    store = TokenStore(tokens)
    loaded = teacher or load(table.teacher, cache=cache, device=execution.device)
    check_vocabulary(store, loaded)
    objective = Objective.reading(loaded.model)
    rows = document_rows(store, np.arange(len(store.spans)), limits.sequence_length)
    out.mkdir(parents=True, exist_ok=True)
    id_type = np.dtype(store.manifest["dtype"])
    row_of = np.full(sum(store.manifest["shards"]), -1, dtype=np.int64)
    written, covered = 0, 0.0
    with (out / "tokens.bin").open("wb") as ids_file, (out / "log-probabilities.bin").open("wb") as values_file:
        for number, batch in enumerate(micro_batches(store, rows, MICRO_TOKENS)):
            labels = batch.numbers >= 0
            targets = teacher_targets(objective, batch, table, int(store.manifest["vocabulary"]), loaded.device)
            ids_file.write(targets.tokens.numpy().astype(id_type).tobytes())
            values_file.write(targets.log_probabilities.numpy().astype(np.float16).tobytes())
            at = batch.numbers[labels].numpy()
            row_of[at] = np.arange(written, written + len(at))
            written += len(at)
            covered += float(targets.log_probabilities[:, :-1].exp().sum())
            on_event(
                {"event": "soft-targets", "done": written, "total": store.manifest["loss_tokens"], "batch": number}
            )
    row_of.tofile(out / "rows.bin")
    k = min(table.top_k, int(store.manifest["vocabulary"]))
    size = sum(file.stat().st_size for file in out.glob("*.bin"))
    summary = SoftTargetsSummary(written, k, table.temperature, covered / max(written, 1), size, loaded.identity)
    partial = out / ".soft-targets.json"
    partial.write_text(json.dumps({"format": FORMAT, "dtype": id_type.name, **asdict(summary)}), encoding="utf-8")
    partial.replace(out / "soft-targets.json")
    return summary


@torch.no_grad()
def teacher_targets(
    objective: Objective, batch: Batch, table: SoftTargetsTable, vocabulary: int, device: torch.device
) -> Targets:
    """The teacher's targets at the label positions of a batch, on the CPU; logits are made a chunk at a time.

    Logits past the tokenizer's `vocabulary` entries are those of an embedding's padding (phi-1 has 51,200 for 50,295)
    and are left out: a student padded otherwise has no such entry.
    """
    selected = objective.selected(batch.to(device), training=False)
    size = max(1, CHUNK_LOGITS // int(objective.model.config.vocab_size))
    parts = [
        top_k(objective.head(chunk)[:, :vocabulary], table.top_k, table.temperature)
        for chunk in torch.split(selected, size)
    ]
    return Targets(torch.cat([p.tokens for p in parts]).cpu(), torch.cat([p.log_probabilities for p in parts]).cpu())


def check_vocabulary(store: TokenStore, teacher: LoadedModel) -> None:
    """Raise RecipeError unless teacher and tokens have one tokenizer, which begins a text in one way: logits of two
    vocabularies cannot be compared, and a teacher made for a BOS expects other tokens without it."""
    from pipeline.models.loading import load_tokenizer

    ours = load_tokenizer(str(store.tokenizer_folder))
    same = ours.get_vocab() == teacher.tokenizer.get_vocab()
    if not same or encode_prompt(ours, PROBE) != encode_prompt(teacher.tokenizer, PROBE):
        raise RecipeError(
            f"recipe: the teacher of soft targets has another tokenizer ({len(teacher.tokenizer)} entries) than the "
            f"tokens ({len(ours)}): their logits cannot be compared",
            hint="use a teacher of the student's family, set tokens.tokenizer to the teacher's, or let the teacher "
            'write the corpus instead: a [[teachers]] table with kind = "local" distils sequences',
        )
    width = int(teacher.model.get_input_embeddings().weight.shape[0])
    if width < store.manifest["vocabulary"]:
        raise RecipeError(
            f"recipe: the teacher of soft targets has {width} entries in its vocabulary, the tokens have "
            f"{store.manifest['vocabulary']}",
            hint="its folder holds a tokenizer that its weights were not made for; name another soft_targets.teacher",
        )


@dataclass
class SoftTargets:
    """A folder written by `write_soft_targets`."""

    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The content of soft-targets.json."""
        manifest: dict[str, Any] = json.loads((self.folder / "soft-targets.json").read_text(encoding="utf-8"))
        if manifest["format"] > FORMAT:
            raise StoreFormatError(
                f"{self.folder} has soft-target format {manifest['format']}, this version reads up to {FORMAT}",
                hint="use a newer hornbook, or delete the folder so that it is made again",
            )
        return manifest

    @cached_property
    def _arrays(self) -> tuple[Array, Array, Array]:
        k, rows = self.manifest["top_k"], self.manifest["rows"]
        row_of = np.memmap(self.folder / "rows.bin", dtype=np.int64, mode="r")
        ids = np.memmap(self.folder / "tokens.bin", dtype=self.manifest["dtype"], mode="r", shape=(rows, k))
        values = np.memmap(self.folder / "log-probabilities.bin", dtype=np.float16, mode="r", shape=(rows, k + 1))
        return row_of, ids, values

    def targets(self, numbers: Tensor) -> Targets:
        """Targets of the tokens with these numbers, (positions,), as `Batch.numbers` has them."""
        row_of, ids, values = self._arrays
        rows = row_of[numbers.cpu().numpy()]
        if len(rows) and rows.min() < 0:
            raise StoreFormatError(
                f"{self.folder} has no soft target for some loss tokens: it was made for other token settings",
                hint="delete the folder so that it is made again",
            )
        tokens = torch.from_numpy(ids[rows].astype(np.int64))
        # float16 keeps three digits of a log-probability, so the probabilities are normalised again.
        log_probabilities = torch.log_softmax(torch.from_numpy(values[rows].astype(np.float32)), -1)
        return Targets(tokens, log_probabilities)
