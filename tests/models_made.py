"""Tiny models of many architectures, with random weights, made in the test."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM

from pipeline.models.loading import save
from pipeline.stages.tokens.tokenizers import train_bpe

TEXT = ["def add(a, b):\n    return a + b\n", "for i in range(10):\n    print(i)\n", "x = [1, 2, 3]\n"] * 20
_USUAL = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 64,
}
_GROUPED = {**_USUAL, "num_key_value_heads": 1}
_GPT2 = {"n_positions": 64, "n_embd": 16, "n_layer": 4, "n_head": 2}
_MOE = {**_GROUPED, "num_experts_per_tok": 2, "moe_intermediate_size": 8}

CONFIGS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "bloom": ("BloomConfig", {"hidden_size": 16, "n_layer": 4, "n_head": 2}),
    "deepseek_v2": (
        "DeepseekV2Config",
        {
            **_USUAL,
            "num_key_value_heads": 2,
            "moe_intermediate_size": 8,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "n_shared_experts": 1,
            "first_k_dense_replace": 2,
            "q_lora_rank": 8,
            "kv_lora_rank": 8,
            "qk_rope_head_dim": 4,
            "qk_nope_head_dim": 4,
            "v_head_dim": 8,
            "topk_group": 1,
            "n_group": 1,
        },
    ),
    "gemma2": ("Gemma2Config", {**_GROUPED, "head_dim": 8, "sliding_window": 8}),
    "gpt2": ("GPT2Config", _GPT2),
    "gpt_neo": (
        "GPTNeoConfig",
        {
            "hidden_size": 16,
            "num_layers": 4,
            "num_heads": 2,
            "attention_types": [[["global", "local"], 2]],
            "window_size": 4,
            "max_position_embeddings": 64,
            "intermediate_size": 16,
        },
    ),
    "llama": ("LlamaConfig", _GROUPED),
    "mpt": ("MptConfig", {"d_model": 16, "n_heads": 2, "n_layers": 4, "max_seq_len": 64}),
    "qwen2_moe": (
        "Qwen2MoeConfig",
        {
            **_MOE,
            "num_experts": 4,
            "shared_expert_intermediate_size": 8,
            "decoder_sparse_step": 2,
            "mlp_only_layers": [3],
        },
    ),
    "smollm3": ("SmolLM3Config", {**_GROUPED, "no_rope_layers": [1, 0, 1, 0]}),
    "xglm": (
        "XGLMConfig",
        {"max_position_embeddings": 64, "d_model": 16, "ffn_dim": 16, "num_layers": 4, "attention_heads": 2},
    ),
}


def config(kind: str, vocabulary: int, **further: Any) -> Any:
    name, settings = CONFIGS[kind]
    ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    return getattr(transformers, name)(vocab_size=vocabulary, **{**settings, **ends, **further})


def model(kind: str, vocabulary: int = 300, **further: Any) -> Any:
    """A causal LM of a few thousand parameters, whose weights are large enough to tell layers apart."""
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(config(kind, vocabulary, **further)).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made


def folder(kind: str, out: Path, **further: Any) -> Path:
    """The model saved with a tokenizer for it, below `out`."""
    tokenizer = train_bpe(TEXT, 300)
    save(model(kind, len(tokenizer), **further), tokenizer, out / kind)
    return out / kind
