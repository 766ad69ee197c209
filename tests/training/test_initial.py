"""A student that begins as some layers of its teacher."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from pipeline.errors import RecipeError
from pipeline.recipe import StudentTable, TokensTable
from pipeline.student.architectures import describe
from pipeline.student.loading import load, save
from pipeline.training.initial import initial_model, keep_layers


def test_a_student_of_some_layers_is_a_whole_model(llama: Path, tmp_path: Path) -> None:
    """Saved, it loads in transformers; its arithmetic is that of the teacher's layers, its cache is its own."""
    table = StudentTable(init=str(llama), layers=(1,))
    loaded = load(str(llama), cache=tmp_path)
    student = initial_model(table, loaded.tokenizer, tmp_path, torch.device("cpu"), 32).eval()
    assert student.config.num_hidden_layers == 1
    kept, source = student.model.layers[0], loaded.model.model.layers[1]
    for ours, theirs in zip(kept.parameters(), source.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    save(student, loaded.tokenizer, tmp_path / "saved")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    ids = torch.arange(1, 9)[None]
    with torch.no_grad():
        torch.testing.assert_close(plain(ids).logits, student(ids).logits)
        teacher = loaded.model
        teacher.model.layers = torch.nn.ModuleList([teacher.model.layers[1]])
        teacher.config.num_hidden_layers = 1
        torch.testing.assert_close(teacher(ids, use_cache=False).logits, student(ids).logits)
    assert plain.generate(ids, max_new_tokens=3, do_sample=False, pad_token_id=0).shape == (1, 11)
    cost = describe(table, TokensTable(), corpus_tokens=10)
    assert cost.parameters == sum(p.numel() for p in student.parameters())


def test_other_architectures_keep_layers_too() -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=16, n_embd=16, n_layer=4, n_head=2))
    last = model.transformer.h[3]
    keep_layers(model, [0, 3])
    assert model.transformer.h[1] is last
    assert model.config.num_hidden_layers == 2
    assert model.generate(torch.tensor([[1, 2]]), max_new_tokens=2, pad_token_id=0).shape == (1, 4)


def test_a_layer_that_is_not_there_is_named(llama: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama)
    with pytest.raises(RecipeError, match="names layer 5, but the model of student.init has 2, from 0") as caught:
        keep_layers(model, [0, 5])
    assert "every other one: [0]" in str(caught.value)
