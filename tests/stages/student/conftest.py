"""A tiny corpus, packed, and a tiny pretrained student."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import STUDENT, TOKENS, Alone, documents, plant_products  # type: ignore[import-not-found]

from pipeline.execution import Execution
from pipeline.models.loading import save
from pipeline.stages.student import passes
from pipeline.stages.student.stage import train
from pipeline.stages.tokens.stage import pack
from pipeline.stages.tokens.tokenizers import train_bpe


@pytest.fixture(scope="session", autouse=True)
def _products() -> Iterator[None]:
    """Runs that are compared round alike."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "onednn_wins", passes.onednn_wins)  # type: ignore[attr-defined]
        plant_products()
        yield


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packed tokens."""
    out = tmp_path_factory.mktemp("tokens")
    pack(documents(), table=TOKENS, student=STUDENT, seed=0, out=out, cache=out)
    return out


@pytest.fixture(scope="session")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Alone:
    """A whole run of one process on one thread, with seed 3."""
    events: list[dict[str, Any]] = []
    out, execution = tmp_path_factory.mktemp("alone"), Execution(threads=1)
    summary = train(corpus, STUDENT, TOKENS, seed=3, out=out, cache=out, execution=execution, on_event=events.append)
    return Alone(out, summary, events)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Llama model and the corpus' tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = train_bpe([document.text for document in documents()], 320)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        bos_token_id=0,
        eos_token_id=0,
    )
    folder = tmp_path_factory.mktemp("llama")
    save(LlamaForCausalLM(config), tokenizer, folder)
    return folder
