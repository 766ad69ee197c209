"""A student that begins as some layers of its teacher."""

import json
from pathlib import Path
from typing import Any

import models_made  # type: ignore[import-not-found]
import pytest
import torch
from models_made import CONFIGS
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from pipeline.cli.main import main
from pipeline.core.errors import RecipeError
from pipeline.models.architectures import describe
from pipeline.models.fitting import check_recipe
from pipeline.models.loading import load, save
from pipeline.recipe import Recipe, StudentTable, TokensTable
from pipeline.stages.student.initial import initial_model, keep_layers


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


@pytest.mark.parametrize("layers", [(0, 2), (1, 3), (0, 1, 3), (2,)])
@pytest.mark.parametrize("kind", CONFIGS)
def test_what_is_kept_is_what_is_exported(kind: str, layers: tuple[int, ...], tmp_path: Path) -> None:
    """Or the architecture is refused by name: never a model that computes something else when it is loaded."""
    model = models_made.model(kind)
    keep_layers(model, layers)
    model.save_pretrained(tmp_path)
    anew = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    ids = torch.arange(12)[None]
    with torch.no_grad():
        torch.testing.assert_close(anew(ids).logits, model(ids).logits)
    assert anew.generate(ids, max_new_tokens=2, do_sample=False, eos_token_id=None).shape == (1, 14)


def test_layers_that_say_what_they_are_stay_what_they_are() -> None:
    kept = {}
    for kind in ("smollm3", "deepseek_v2", "qwen2_moe", "gpt_neo"):
        model = models_made.model(kind)
        keep_layers(model, (1, 3))
        kept[kind] = model.config
    assert list(kept["smollm3"].no_rope_layers) == [0, 0]
    assert kept["deepseek_v2"].first_k_dense_replace == 1
    assert (kept["qwen2_moe"].mlp_only_layers, kept["qwen2_moe"].decoder_sparse_step) == ([1], 1)
    assert list(kept["gpt_neo"].attention_layers) == ["local", "local"]


def test_an_architecture_whose_layers_depend_on_their_place_is_refused() -> None:
    """Layer 3 divides its attention by 4: as layer 1 of what is exported it would by 2."""
    model = models_made.model("gpt2", scale_attn_by_inverse_layer_idx=True)
    with pytest.raises(
        RecipeError, match=r"a GPT2LMHeadModel of layers \[0, 3\] is another model when it is made from"
    ):
        keep_layers(model, (0, 3))


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "gpt2",
        {"tokens": {"sequence_length": 65}},
        "sequence_length = 65, but the model of student.init reads at most 64",
    ),
    ("llama", {"tokens": {"sequence_length": 65}}, "reads at most 64 tokens at once"),
    (
        "gpt2",
        {"student": {"prompt_gradient": False}},
        "prompt_gradient = false needs a plain Llama, Qwen2 or Phi student, got model_type 'gpt2'",
    ),
    (
        "gpt2",
        {"student": {"layers": [0, 4]}},
        "student.layers names layer 4, but the model of student.init has 4, from 0",
    ),
    ("llama", {"student": {"frozen_layers": 4}}, "frozen_layers should be less than the student's 4 layers, got 4"),
    ("llama", {"student": {"frozen_layers": 1, "layers": [2]}}, "less than the student's 1 layers, got 1"),
    (
        "bloom",
        {"student": {"frozen_layers": 1}},
        "frozen_layers = 1 needs a plain Llama, Qwen2 or Phi student, got model_type 'bloom'",
    ),
]


@pytest.mark.parametrize(("kind", "settings", "message"), REFUSED)
def test_what_a_model_cannot_follow_is_refused_before_anything_is_made(
    kind: str, settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    init = models_made.folder(kind, tmp_path)
    tables = {"tokens": {"sequence_length": 32}, **settings}
    tables["student"] = {**tables.get("student", {}), "init": str(init)}
    recipe = Recipe.model_validate(tables)
    with pytest.raises(RecipeError, match=message):
        check_recipe(recipe, tmp_path)
    tokenizer = load(str(init), cache=tmp_path).tokenizer
    with pytest.raises(RecipeError, match=message):
        initial_model(recipe.student, tokenizer, tmp_path, torch.device("cpu"), recipe.tokens.sequence_length)


def test_a_student_that_fits_is_let_through(tmp_path: Path) -> None:
    for kind in CONFIGS:
        init = models_made.folder(kind, tmp_path)
        recipe = Recipe.model_validate({"tokens": {"sequence_length": 64}, "student": {"init": str(init)}})
        check_recipe(recipe, tmp_path)


def test_a_tokenizer_of_another_model_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    init = models_made.folder("llama", tmp_path)
    config = json.loads((init / "config.json").read_text())
    (init / "config.json").write_text(json.dumps({**config, "vocab_size": 40}))
    recipe = Recipe.model_validate({"tokens": {"sequence_length": 64}, "student": {"init": str(init)}})
    with pytest.raises(RecipeError, match=r"tokenizer of student.init has \d+ entries, its model embeddings for 40"):
        check_recipe(recipe, tmp_path)


def test_matching_states_needs_models_that_hand_them_out(tmp_path: Path) -> None:
    init, teacher = (str(models_made.folder(kind, tmp_path)) for kind in ("llama", "xglm"))
    soft = {"teacher": teacher, "mode": "online", "hidden_weight": 1.0}
    tables = {"tokens": {"sequence_length": 32}, "soft_targets": soft, "student": {"init": init}}
    with pytest.raises(RecipeError, match=r"hidden_weight = 1.0 needs .* models, got a teacher of .*'xglm'"):
        check_recipe(Recipe.model_validate(tables), tmp_path)


@pytest.mark.parametrize("verb", ["plan", "run"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["tokens.tokenizer=student"], "tokens.tokenizer = 'student' needs a pretrained student"),
        (["tokens.sequence_length=1"], "tokens.sequence_length = 1: 2 or more is wanted"),
        (["tokens.vocabulary=256"], "tokens.vocabulary = 256: 257 or more is wanted"),
        (
            ["student.architecture=phi-1", "tokens.vocabulary=51201"],
            "tokens.vocabulary = 51201, but phi-1 has room for",
        ),
        (["student.frozen_layers=4"], "frozen_layers should be less than the student's 4 layers"),
        (["tokens.vocabulary=x", "student.frozen_layers=-1"], "has 2 problems"),
        (["student.init=smollm2", "student.frozen_layers=30"], "frozen_layers should be less than the student's 30"),
        (["student.init=smollm2", "student.layers=[3,30]"], "layer 30, but the model of student.init has 30"),
        (
            ["student.init=smollm2", "tokens.sequence_length=8193"],
            "tokens.sequence_length = 8193, but the model of student.init reads at most 8192 tokens at once",
        ),
    ],
)
def test_what_a_student_cannot_be_is_refused_before_its_corpus_is_paid_for(
    verb: str, given: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "tiny", *given, "--data", str(tmp_path / "data")])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "data" / "store").exists()


def test_a_corpus_alone_needs_no_student(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["run", "tiny", "tokens.tokenizer=student", "--until", "seeds", "--data", str(tmp_path / "data")])
    assert stop.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_a_model_with_a_state_is_refused_before_anything_is_made(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init = models_made.folder("llama", tmp_path)
    config = json.loads((init / "config.json").read_text())
    (init / "config.json").write_text(json.dumps({**config, "model_type": "mamba"}))
    with pytest.raises(SystemExit) as stop:
        main([verb, "tiny", f"student.init={init}", "--data", str(tmp_path / "data")])
    assert stop.value.code == 2
    assert "(model_type 'mamba') carries a state from token to token" in capsys.readouterr().err
    assert not (tmp_path / "data" / "store").exists()
