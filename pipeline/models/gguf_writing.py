"""A Hugging Face folder -> one GGUF file, for llama.cpp and what is built on it; `conversion.py` the other way round.

Llama and Qwen2 with a byte-level BPE tokenizer, whose pre-tokenizer llama.cpp knows by name. Names of tensors are those
of the package `gguf`. Matrices are written in half precision and vectors in single, as llama.cpp's own converter does.
"""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors import safe_open
from tokenizers import Tokenizer
from tokenizers.models import BPE

from pipeline.core.errors import UsageError
from pipeline.models.conversion import PRE_TOKENIZERS

_ARCHITECTURES = {"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2}
_HINT = "take the model's folder instead, or llama.cpp's own convert_hf_to_gguf.py"


def write_gguf(folder: Path, path: Path) -> None:
    """Write the model and tokenizer of `folder` to `path`.

    Raises UsageError for an architecture, or a tokenizer, that is not written.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kind = config.get("model_type")
    scaled = (config.get("rope_scaling") or config.get("rope_parameters") or {}).get("rope_type", "default")
    if kind not in _ARCHITECTURES or scaled != "default":
        found = f"with rotary positions of the type {scaled!r}" if kind in _ARCHITECTURES else f"of the type {kind!r}"
        raise UsageError(f"a model {found} is not written as GGUF; {' and '.join(_ARCHITECTURES)} are", hint=_HINT)
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    pre = _pre_tokenizer(tokenizer)
    writer = gguf.GGUFWriter(path, kind)
    try:
        _settings(writer, config)
        _tokenizer(writer, tokenizer, pre, config, folder)
        _tensors(writer, config, folder)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _pre_tokenizer(tokenizer: dict[str, Any]) -> str:
    """llama.cpp's name of the pre-tokenizer. Raises UsageError where it has none."""

    def saved(kind: Any) -> Any:
        empty = Tokenizer(BPE())
        empty.pre_tokenizer = kind
        return json.loads(empty.to_str())["pre_tokenizer"]

    model = tokenizer["model"]
    for name, build in PRE_TOKENIZERS.items():
        if model["type"] == "BPE" and tokenizer["pre_tokenizer"] == saved(build()):
            return name
    raise UsageError(
        f"the model's tokenizer ({model['type']}) splits text as none does that llama.cpp knows by name", hint=_HINT
    )


def _settings(writer: Any, config: dict[str, Any]) -> None:
    rope = config.get("rope_parameters") or {}
    heads = config["num_attention_heads"]
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_rope_dimension_count(config.get("head_dim") or config["hidden_size"] // heads)
    writer.add_rope_freq_base(float(config.get("rope_theta") or rope.get("rope_theta") or 10000.0))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)


def _tokenizer(writer: Any, tokenizer: dict[str, Any], pre: str, config: dict[str, Any], folder: Path) -> None:
    vocabulary: dict[str, int] = dict(tokenizer["model"]["vocab"])
    added = {one["content"]: one for one in tokenizer["added_tokens"]}
    vocabulary |= {content: one["id"] for content, one in added.items()}
    by_number = {number: token for token, number in vocabulary.items()}
    tokens, types = [], []
    for number in range(config["vocab_size"]):
        token = by_number.get(number, f"[PAD{number}]")
        special = added.get(token, {}).get("special")
        control, own = gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED
        usual = gguf.TokenType.NORMAL if number in by_number else gguf.TokenType.UNUSED
        types.append(control if special else own if special is False else usual)
        tokens.append(token)
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in tokenizer["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    if merges:
        writer.add_token_merges(merges)
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    for name in ("bos", "eos", "unk", "pad"):
        token = settings.get(f"{name}_token")
        known = vocabulary.get(token["content"] if isinstance(token, dict) else token or "")
        if known is not None:
            getattr(writer, f"add_{name}_token_id")(known)
    writer.add_add_bos_token(bool(settings.get("add_bos_token")))
    template = folder / "chat_template.jinja"
    chat = template.read_text(encoding="utf-8") if template.is_file() else settings.get("chat_template")
    if isinstance(chat, str):
        writer.add_chat_template(chat)


def _tensors(writer: Any, config: dict[str, Any], folder: Path) -> None:
    names = gguf.get_tensor_name_map(_ARCHITECTURES[config["model_type"]], config["num_hidden_layers"])
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as weights:
            for name in weights.keys():  # noqa: SIM118
                if name == "lm_head.weight" and config.get("tie_word_embeddings"):
                    continue
                values = weights.get_tensor(name).to(torch.float32).numpy()
                if config["model_type"] == "llama" and ".q_proj." in name:
                    values = _permuted(values, config["num_attention_heads"])
                if config["model_type"] == "llama" and ".k_proj." in name:
                    values = _permuted(values, config.get("num_key_value_heads") or config["num_attention_heads"])
                called = names.get_name(name, try_suffixes=(".weight", ".bias"))
                if called is None:
                    raise UsageError(f"the weights {name} have no name in a GGUF file", hint=_HINT)
                writer.add_tensor(called, values.astype(np.float16) if values.ndim > 1 else values)


def _permuted(weight: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Rows of a query or key matrix as llama.cpp has them, the halves of each head interleaved."""
    rows, columns = weight.shape
    return np.ascontiguousarray(
        weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
    )
