"""A packed corpus of tiny exercises and passages, and a random teacher."""

from pathlib import Path

import pytest
import torch
from distilled import EXERCISES, PASSAGES, STUDENT, TOKENIZER, TOKENS  # type: ignore[import-not-found]

from pipeline.models.architectures import build
from pipeline.models.loading import LoadedModel
from pipeline.stages.tokens.stage import pack


@pytest.fixture(scope="session")
def exercises(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tokens of exercises and passages."""
    out = tmp_path_factory.mktemp("exercises")
    pack([*EXERCISES, *PASSAGES], table=TOKENS, student=STUDENT, seed=0, out=out, cache=out, tokenizer=TOKENIZER)
    return out


@pytest.fixture(scope="session")
def teacher() -> LoadedModel:
    """A random Phi model."""
    torch.manual_seed(1)
    model = build("phi-1-nano", vocabulary=len(TOKENIZER), positions=64, dropout=0.0, end=0)
    return LoadedModel(model.eval(), TOKENIZER, {"kind": "test"})
