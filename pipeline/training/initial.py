"""The student before training: pretrained, or made from scratch."""

from pathlib import Path
from typing import Any

import torch

from pipeline.recipe import StudentTable
from pipeline.student.architectures import build
from pipeline.student.loading import load


def initial_model(
    student: StudentTable, tokenizer: Any, cache: Path, device: torch.device, sequence_length: int
) -> Any:
    """The transformers model that training begins with, in fp32 on `device`.

    Random weights of a model from scratch come from torch's global generator, which the caller seeds.
    """
    if student.init != "scratch":
        return load(student.init, cache=cache, device=str(device), dtype="fp32").model
    model = build(
        student.architecture,
        vocabulary=len(tokenizer),
        positions=max(sequence_length, 2048),
        dropout=student.dropout,
        end=tokenizer.eos_token_id,
    )
    return model.to(device)
