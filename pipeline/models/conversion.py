"""GGUF -> a Hugging Face folder (config, fp32 safetensors, tokenizer), once, under a key of the file's digest.

transformers reads GGUF itself (`gguf_file=`), but slowly (33 s for 98 MB) and with a tokenizer that is wrong for
SmolLM2: end-of-text becomes `<|im_start|>`, a BOS is put before every prompt, decoding "cleans up" spaces inside code
and turns U+2581 into a space, runs of digits stay whole, and `save_pretrained` copies the GGUF as `tokenizer.model`.
Reading the file's tensors and its BPE table directly avoids all of them; each has a test.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE

from pipeline.core.contents import file_digest
from pipeline.core.errors import InputError
from pipeline.models.identities import CONVERSION_VERSION
from pipeline.store.disk import whole_folder

CONTROL = 3
"""gguf.TokenType.CONTROL: a token that never comes from text."""

_LLAMA_TENSORS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
"""What is read, by `general.architecture`. Qwen2 is Llama with biases on queries, keys and values; llama.cpp keeps its
rotary order as it is and interleaves Llama's."""
_HALF_BYTES = 4 << 30
"""Weights that would take more than this in fp32 are written in bf16: no GGUF of such a size is less coarse."""
_DIGITS = pre_tokenizers.Digits(individual_digits=True)
_GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def _split(pattern: str) -> Any:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


PRE_TOKENIZERS: dict[str, Callable[[], Any]] = {
    "smollm": lambda: pre_tokenizers.Sequence([_DIGITS, _GPT2]),
    "gpt-2": lambda: _GPT2,
    "default": lambda: _GPT2,
    "llama-bpe": lambda: _split(_LLAMA3),
    "qwen2": lambda: _split(_QWEN2),
}
"""By the file's `tokenizer.ggml.pre`; the regular expressions are those of the models' own tokenizer.json."""


@dataclass(frozen=True, slots=True)
class _File:
    """A GGUF file's metadata and tensors. read: values already decoded (the vocabulary takes a while)."""

    path: Path
    reader: Any
    read: dict[str, Any] = field(default_factory=dict)

    @property
    def architecture(self) -> str:
        return str(self.value("general.architecture"))

    def setting(self, key: str, default: Any = None) -> Any:
        """Metadata `key` of the file's architecture."""
        return self.value(f"{self.architecture}.{key}", default)

    def value(self, key: str, default: Any = None) -> Any:
        """Metadata `key`; raises InputError where it is missing and has no default."""
        if key in self.reader.fields:
            if key not in self.read:
                self.read[key] = self.reader.fields[key].contents()
            return self.read[key]
        if default is None:
            raise InputError(
                f"{self.path}: the metadata key {key!r} is missing",
                hint="convert the model to a Hugging Face folder with its own tools and name that folder instead",
            )
        return default


def converted(path: Path, cache: Path, sha256: str = "") -> Path:
    """The Hugging Face folder made from the GGUF at `path`, below `cache`; converted at the first call.

    sha256: of the file where it is known, which spares reading it for that. An interrupted conversion leaves nothing
    that looks finished.
    """
    folder = cache / f"{path.stem}-{(sha256 or file_digest(path))[:16]}-v{CONVERSION_VERSION}"
    if (folder / "config.json").exists():
        return folder
    with whole_folder(folder, replace=False) as scratch:  # another process reads it
        _convert(path, scratch)
    return folder


def _convert(path: Path, folder: Path) -> None:
    try:
        file = _File(path, gguf.GGUFReader(path))
    except (ValueError, OSError, IndexError) as error:
        raise InputError(f"{path} is not a readable GGUF file: {error}", hint="download or install it again") from error
    if file.architecture not in _ARCHITECTURES or file.value("tokenizer.ggml.model") != "gpt2":
        raise InputError(
            f"{path}: architecture {file.architecture!r} with tokenizer {file.value('tokenizer.ggml.model')!r}; "
            f"only {' and '.join(map(repr, _ARCHITECTURES))} with 'gpt2' are read from GGUF",
            hint="use the model's Hugging Face folder instead",
        )
    tokenizer_files(file, folder)
    config = _config(file)
    tied = "output.weight" not in {tensor.name for tensor in file.reader.tensors}
    config["tie_word_embeddings"] = tied
    save_file(_weights(file, config), folder / "model.safetensors", metadata={"format": "pt"})
    generation = {k: config[k] for k in ("bos_token_id", "eos_token_id", "pad_token_id")}
    # What ends a turn, or a call of a tool, ends an answer too.
    turns = [file.value(f"tokenizer.ggml.{kind}_token_id", -1) for kind in ("eot", "eom")]
    further = [number for number in turns if number not in (-1, config["eos_token_id"])]
    if further:
        generation["eos_token_id"] = [config["eos_token_id"], *further]
    _write_json(folder / "generation_config.json", generation)
    _write_json(folder / "config.json", config)


def _config(file: _File) -> dict[str, Any]:
    hidden = file.setting("embedding_length")
    heads = file.setting("attention.head_count")
    llama = {"attention_bias": False, "mlp_bias": False, "head_dim": hidden // heads}
    return {
        "architectures": [_ARCHITECTURES[file.architecture]],
        "model_type": file.architecture,
        **(llama if file.architecture == "llama" else {}),
        "vocab_size": len(file.value("tokenizer.ggml.tokens")),
        "hidden_size": hidden,
        "intermediate_size": file.setting("feed_forward_length"),
        "num_hidden_layers": file.setting("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": file.setting("attention.head_count_kv", heads),
        "max_position_embeddings": file.setting("context_length"),
        "rms_norm_eps": round(float(file.setting("attention.layer_norm_rms_epsilon")), 12),
        "rope_theta": float(file.setting("rope.freq_base", 10000.0)),
        "hidden_act": "silu",
        "bos_token_id": file.value("tokenizer.ggml.bos_token_id"),
        "eos_token_id": file.value("tokenizer.ggml.eos_token_id"),
        "pad_token_id": file.value("tokenizer.ggml.padding_token_id", file.value("tokenizer.ggml.eos_token_id")),
        "torch_dtype": "bfloat16" if _is_large(file) else "float32",
    }


def _is_large(file: _File) -> bool:
    return sum(int(tensor.n_elements) for tensor in file.reader.tensors) * 4 > _HALF_BYTES


def _weights(file: _File, config: dict[str, Any]) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = {}
    dtype = torch.bfloat16 if _is_large(file) else torch.float32
    for tensor in file.reader.tensors:
        values = np.array(gguf.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32, order="C")
        name, kind = _llama_name(tensor.name)
        if file.architecture == "llama" and kind in ("attn_q", "attn_k"):
            heads = config["num_attention_heads" if kind == "attn_q" else "num_key_value_heads"]
            values = _unpermuted(values, heads)
        weights[name] = torch.from_numpy(values).to(dtype)
    return weights


def _llama_name(name: str) -> tuple[str, str]:
    """(Hugging Face name, kind of tensor) of llama.cpp's tensor `name`."""
    top = {
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
        "output.weight": "lm_head.weight",
    }
    if name in top:
        return top[name], ""
    _, layer, kind, leaf = name.split(".")
    return f"model.layers.{layer}.{_LLAMA_TENSORS[kind]}.{leaf}", kind


def _unpermuted(weight: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Rows of a query or key matrix in Hugging Face's rotary order; llama.cpp interleaves the halves of each head."""
    rows, columns = weight.shape
    return np.ascontiguousarray(
        weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
    )


def tokenizer_files(file: _File, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json for the BPE table in `file`."""
    pre = file.value("tokenizer.ggml.pre", "default")
    if pre not in PRE_TOKENIZERS:
        raise InputError(
            f"{file.path}: pre-tokenizer {pre!r} is not known; known are {sorted(PRE_TOKENIZERS)}",
            hint="use the model's Hugging Face folder instead",
        )
    tokens: list[str] = file.value("tokenizer.ggml.tokens")
    types: list[int] = file.value("tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ", 1)) for merge in file.value("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(BPE({token: i for i, token in enumerate(tokens)}, merges, fuse_unk=False))
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[pre]()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([token for token, kind in zip(tokens, types, strict=True) if kind == CONTROL])

    def token(key: str, fallback: str) -> str:
        number: int = file.value(f"tokenizer.ggml.{key}_token_id", file.value(f"tokenizer.ggml.{fallback}_token_id"))
        return tokens[number]

    bos = token("bos", "eos")
    if file.value("tokenizer.ggml.add_bos_token", False):
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, tokens.index(bos))]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": bos,
        "eos_token": token("eos", "eos"),
        "unk_token": token("unknown", "eos"),
        "pad_token": token("padding", "eos"),
        "add_bos_token": bool(file.value("tokenizer.ggml.add_bos_token", False)),
        "clean_up_tokenization_spaces": False,
        "model_max_length": file.setting("context_length"),
        "padding_side": "left",
    }
    template = file.value("tokenizer.chat_template", "")
    if template:
        settings["chat_template"] = template
    _write_json(folder / "tokenizer_config.json", settings)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
