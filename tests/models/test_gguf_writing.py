"""GGUF files that we write, read by transformers and by ourselves."""

import json

import pytest
import torch
from models_made import TEXT
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from pipeline.core.errors import UsageError
from pipeline.models.gguf_writing import write_gguf
from pipeline.models.loading import load, load_tokenizer, save
from pipeline.stages.tokens.tokenizers import train_bpe

SIZES = {
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 96, "max_position_embeddings": 64,
}  # fmt: skip


@pytest.fixture(params=["llama", "qwen2"])
def folder(request, tmp_path):
    torch.manual_seed(0)
    tokenizer = train_bpe(TEXT, 300)
    kinds = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}
    config, kind = kinds[request.param]
    model = kind(config(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **SIZES)).eval()
    for weight in model.parameters():
        weight.data.normal_(std=0.1)
    save(model, tokenizer, tmp_path / "model")
    return tmp_path / "model"


def logits(model, ids):
    with torch.no_grad():
        return model(ids).logits


def test_transformers_reads_the_same_model(folder, tmp_path):
    write_gguf(folder, tmp_path / "model.gguf")
    ids = load_tokenizer(str(folder))(TEXT[0], return_tensors="pt").input_ids
    ours = AutoModelForCausalLM.from_pretrained(folder)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="model.gguf", dtype=torch.float32)
    torch.testing.assert_close(logits(theirs, ids), logits(ours, ids), atol=2e-2, rtol=2e-2)


def test_it_comes_back_as_it_was(folder, tmp_path):
    write_gguf(folder, tmp_path / "model.gguf")
    back = load(str(tmp_path / "model.gguf"), cache=tmp_path / "cache", device="cpu")
    before = load(str(folder), cache=tmp_path / "cache", device="cpu")
    for text in (*TEXT[:3], "x = 12345  # ünï 漢字\n\tif a:\n", before.tokenizer.eos_token):
        assert back.tokenizer(text).input_ids == before.tokenizer(text).input_ids
        assert back.tokenizer.decode(back.tokenizer(text).input_ids) == before.tokenizer.decode(
            before.tokenizer(text).input_ids
        )
    assert back.tokenizer.eos_token == before.tokenizer.eos_token
    ids = before.tokenizer(TEXT[1], return_tensors="pt").input_ids
    torch.testing.assert_close(logits(back.model, ids), logits(before.model, ids), atol=2e-2, rtol=2e-2)


def test_what_is_not_written_is_told(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "phi"}))
    with pytest.raises(UsageError, match="a model of the type 'phi' is not written as GGUF; llama and qwen2 are"):
        write_gguf(folder, tmp_path / "model.gguf")
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer | {"pre_tokenizer": {"type": "Whitespace"}}))
    with pytest.raises(UsageError, match="splits text as none does that llama.cpp knows by name"):
        write_gguf(folder, tmp_path / "model.gguf")
    assert not (tmp_path / "model.gguf").exists()
