"""Qwen2's GGUF files: weights as they lie, biases with them, and the tokenizer of the family."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.models import conversion
from pipeline.models.conversion import converted

HIDDEN, HEADS, KV_HEADS, MLP = 16, 4, 2, 24
BYTES = [chr(c) for c in (*range(33, 127), *range(161, 173), *range(174, 256))] + [chr(256 + n) for n in range(68)]
TOKENS = [*BYTES, "de", "def", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def written(path: Path) -> dict[str, Any]:
    """A GGUF file with one block of random weights; its tensors by name."""
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_context_length(64)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(1)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([1] * (len(TOKENS) - 3) + [3] * 3)
    writer.add_token_merges(["d e", "de f"])
    writer.add_bos_token_id(len(TOKENS) - 3)
    writer.add_eos_token_id(len(TOKENS) - 1)
    writer.add_pad_token_id(len(TOKENS) - 3)
    writer.add_chat_template("{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}")
    random = np.random.default_rng(0)
    kv = HIDDEN // HEADS * KV_HEADS
    shapes = {
        "token_embd.weight": (len(TOKENS), HIDDEN),
        "output_norm.weight": (HIDDEN,),
        "blk.0.attn_norm.weight": (HIDDEN,),
        "blk.0.ffn_norm.weight": (HIDDEN,),
        **{f"blk.0.attn_{n}.weight": (rows, HIDDEN) for n, rows in (("q", HIDDEN), ("k", kv), ("v", kv))},
        **{f"blk.0.attn_{n}.bias": (rows,) for n, rows in (("q", HIDDEN), ("k", kv), ("v", kv))},
        "blk.0.attn_output.weight": (HIDDEN, HIDDEN),
        "blk.0.ffn_gate.weight": (MLP, HIDDEN),
        "blk.0.ffn_up.weight": (MLP, HIDDEN),
        "blk.0.ffn_down.weight": (HIDDEN, MLP),
    }
    tensors = {name: random.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors


def test_weights_and_biases_are_those_of_the_file(tmp_path: Path) -> None:
    tensors = written(tmp_path / "toy.gguf")
    model: Any = AutoModelForCausalLM.from_pretrained(converted(tmp_path / "toy.gguf", tmp_path / "cache"))
    assert type(model).__name__ == "Qwen2ForCausalLM"
    attention = model.model.layers[0].self_attn
    # No interleaving is undone: llama.cpp keeps this family's rotary order.
    np.testing.assert_array_equal(attention.q_proj.weight.detach().numpy(), tensors["blk.0.attn_q.weight"])
    np.testing.assert_array_equal(attention.k_proj.bias.detach().numpy(), tensors["blk.0.attn_k.bias"])
    assert attention.o_proj.bias is None
    assert model.config.tie_word_embeddings
    assert model.config.rope_parameters["rope_theta"] == 1e6
    assert model.generation_config.eos_token_id == len(TOKENS) - 1


def test_the_tokenizer_splits_digits_normalises_and_keeps_spaces(tmp_path: Path) -> None:
    written(tmp_path / "toy.gguf")
    tokenizer: Any = AutoTokenizer.from_pretrained(converted(tmp_path / "toy.gguf", tmp_path / "cache"))
    assert tokenizer.tokenize("def 12") == ["def", "Ġ", "1", "2"]
    assert tokenizer.decode(tokenizer.encode("  x , y\n\treturn")) == "  x , y\n\treturn"
    assert tokenizer.decode(tokenizer.encode("e\u0301")) == "\u00e9"  # the family's tokenizer works on NFC
    assert (tokenizer.eos_token, tokenizer.bos_token) == ("<|im_end|>", "<|endoftext|>")
    assert tokenizer.encode("x")[0] != tokenizer.bos_token_id
    assert tokenizer.chat_template.startswith("{% for m in messages %}")


def test_large_files_become_bf16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "toy.gguf")
    monkeypatch.setattr(conversion, "_HALF_BYTES", 1)
    folder = converted(tmp_path / "toy.gguf", tmp_path / "cache")
    assert '"torch_dtype": "bfloat16"' in (folder / "config.json").read_text()
