"""A folder of soft targets as training reads it; the stage `soft-targets` writes it.

::

    soft-targets.json      format, k, temperature, teacher, rows
    rows.bin               int64 per token of the store: its row below, -1 where the token carries no loss
    tokens.bin             (rows, k) token ids
    log-probabilities.bin  (rows, k + 1) float16

Row n is the distribution *for* the token, given the tokens before it in its document (or the piece of it that a
training sequence holds). Size: k * (2 or 4) + (k + 1) * 2 bytes per loss token, and 8 bytes per token.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.core.errors import RecipeError, StoreFormatError
from pipeline.models.loading import LoadedModel
from pipeline.models.prompts import encode_prompt
from pipeline.stages.student.divergences import Targets
from pipeline.stages.tokens.shards import Array, TokenStore

FORMAT = 1
PROBE = "def f(x):\n    return [x, 12345]  # ok\n"
"""Text on which the tokenizers of teacher and student must agree, beside having one vocabulary."""


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
    """A folder that the stage wrote."""

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
