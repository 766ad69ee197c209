"""GGUF to a Hugging Face folder: what the file says of beginnings and ends is kept."""

import hashlib
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from pipeline.languages.python.stopping import end_tokens
from pipeline.models import named
from pipeline.models.conversion import converted
from pipeline.models.loading import load
from pipeline.models.prompts import encode_prompt

TOKENS = ["<s>", "</s>", "<|eot|>", *(chr(code) for code in range(33, 127)), "ab"]


def write(path: Path, *, bos: bool, eot: bool) -> Path:
    """A Llama of one block with random weights and a byte-level tokenizer of printable characters."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_embedding_length(16)
    writer.add_head_count(2)
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_feed_forward_length(16)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * 3 + [1] * (len(TOKENS) - 3))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    if eot:
        writer.add_eot_token_id(2)
    writer.add_add_bos_token(bos)
    rng = np.random.default_rng(0)
    shapes = {"token_embd": (len(TOKENS), 16), "output_norm": (16,), "blk.0.attn_norm": (16,), "blk.0.ffn_norm": (16,)}
    shapes |= {f"blk.0.{name}": (16, 16) for name in ("attn_q", "attn_k", "attn_v", "attn_output")}
    shapes |= {f"blk.0.{name}": (16, 16) for name in ("ffn_gate", "ffn_up", "ffn_down")}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", rng.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("bos", [True, False])
@pytest.mark.parametrize("eot", [True, False])
def test_a_converted_model_begins_and_ends_texts_as_its_file_says(tmp_path: Path, bos: bool, eot: bool) -> None:
    path = write(tmp_path / "model.gguf", bos=bos, eot=eot)
    folder = converted(path, tmp_path / "cache")
    loaded = load(str(path), cache=tmp_path / "cache")
    assert encode_prompt(loaded.tokenizer, "a") == ([0] if bos else []) + [TOKENS.index("a")]
    assert (2 in end_tokens(loaded.model, loaded.tokenizer)) is eot
    settings = json.loads((folder / "generation_config.json").read_text())
    assert settings["eos_token_id"] == ([1, 2] if eot else 1)


def test_a_named_models_file_is_read_for_its_digest_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "toy.gguf", bos=False, eot=False)
    sha256, size = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size
    about = {"title": "Toy", "licence": "MIT", "file": "toy.gguf", "bytes": size, "sha256": sha256, "hub": "owner/toy"}
    monkeypatch.setattr(named, "known", lambda: {"toy": named.NamedModel(name="toy", **about)})
    digest, read = hashlib.file_digest, []

    def counted(file: Any, kind: str) -> Any:
        read.append(file.name)
        return digest(file, kind)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    for _ in range(2):
        assert load("toy", cache=tmp_path).identity["digest"] == sha256
        assert read == [str(path)]
        read.clear()
    assert load(str(path), cache=tmp_path).identity == load("toy", cache=tmp_path).identity
    assert read == [str(path)] * 2
