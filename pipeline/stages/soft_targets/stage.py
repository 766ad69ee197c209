"""A teacher LM's soft targets for packed tokens, on disk: k tokens of each loss position and the mass of the rest.

`stages/student/soft_targets.py` reads them, and says what the files are.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from pipeline.core.errors import RecipeError
from pipeline.core.events import OnEvent, silent
from pipeline.execution import Execution
from pipeline.models.loading import LoadedModel, load
from pipeline.recipe import SoftTargetsTable, TokensTable
from pipeline.stages.student.batches import Batch, document_rows, micro_batches
from pipeline.stages.student.divergences import Targets, top_k
from pipeline.stages.student.objective import CHUNK_LOGITS, Objective
from pipeline.stages.student.soft_targets import FORMAT, check_vocabulary
from pipeline.stages.tokens.shards import TokenStore
from pipeline.store.disk import write_atomically

MICRO_TOKENS = 2048
"""Tokens of a teacher's forward pass, padding included."""


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
    on_event: OnEvent = silent,
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
    about = {"format": FORMAT, "dtype": id_type.name, **asdict(summary)}
    write_atomically(out / "soft-targets.json", json.dumps(about))
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
