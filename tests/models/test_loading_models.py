"""Loading what people have: every architecture, weights under other names, and folders that are not whole."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from models_made import CONFIGS, folder  # type: ignore[import-not-found]
from safetensors.torch import load_file, save_file

from pipeline.core.errors import InputError
from pipeline.models.folders import RECURRENT, check_folder
from pipeline.models.generation import generate
from pipeline.models.identities import model_identity
from pipeline.models.loading import LoadedModel, load, load_tokenizer

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 98\n"


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    out = tmp_path_factory.mktemp("architectures")
    made: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind not in made:
            made[kind] = folder(kind, out)
        return made[kind]

    return of


@pytest.fixture
def llama(folders: Callable[[str], Path], tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    shutil.copytree(folders("llama"), tmp_path / "llama")
    return tmp_path / "llama"


@pytest.mark.parametrize("kind", CONFIGS)
def test_an_architecture_loads_and_answers_as_transformers_does(
    kind: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    loaded = load(str(folders(kind)), cache=tmp_path)
    assert loaded.model.config._attn_implementation == ("sdpa" if loaded.model._supports_sdpa else "eager")
    prompts = ["def add(a", "x", "for i in range(1"]
    # The one special token ends an answer: made unlikely, so that there is something to compare.
    with torch.no_grad():
        loaded.model.get_output_embeddings().weight[0] = 0
    answers = sorted(generate(loaded, prompts, max_new_tokens=5), key=lambda one: one.index)
    for prompt, answer in zip(prompts, answers, strict=True):
        ids = torch.tensor([loaded.tokenizer.encode(prompt)])
        whole = loaded.model.generate(ids, max_new_tokens=5, do_sample=False, pad_token_id=0)
        assert answer.raw == loaded.tokenizer.decode(whole[0, ids.shape[1] :].tolist()).removesuffix("<|endoftext|>")


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod.", "_fsdp_wrapped_module."])
def test_names_that_a_wrapper_has_left_are_mended(llama: Path, tmp_path: Path, prefix: str) -> None:
    before = load(str(llama), cache=tmp_path).model.state_dict()
    weights = load_file(llama / "model.safetensors")
    save_file({prefix + name: w for name, w in weights.items()}, llama / "model.safetensors", metadata={"format": "pt"})
    after = load(str(llama), cache=tmp_path).model.state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def change(file: Path, edit: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    weights = load_file(file)
    edit(weights)
    save_file(weights, file, metadata={"format": "pt"})


def poisoned(weights: dict[str, torch.Tensor]) -> None:
    weights["model.norm.weight"][3] = float("nan")


def infinite(weights: dict[str, torch.Tensor]) -> None:
    weights["model.layers.1.mlp.up_proj.weight"][:2, 0] = float("-inf")


def other_names(weights: dict[str, torch.Tensor]) -> None:
    for name in list(weights):
        weights["decoder." + name] = weights.pop(name)


def misshapen(weights: dict[str, torch.Tensor]) -> None:
    weights["model.layers.0.mlp.up_proj.weight"] = weights["model.layers.0.mlp.up_proj.weight"][:-1].contiguous()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda weights: weights.pop("lm_head.weight"), "lacks 1 of its weights: lm_head.weight"),
        (lambda weights: weights.pop("model.layers.2.mlp.up_proj.weight"), "model.layers.2.mlp.up_proj.weight"),
        (other_names, r"lacks \d+ of its weights"),
        (poisoned, "1 values in model.norm.weight that are not finite numbers"),
        (infinite, "2 values in model.layers.1.mlp.up_proj.weight that are not finite"),
        (misshapen, r"model.layers.0.mlp.up_proj.weight of shape \(15, 16\), config.json wants \(16, 16\)"),
    ],
)
def test_weights_that_would_make_another_model_are_named(
    llama: Path, tmp_path: Path, edit: Callable[[dict[str, torch.Tensor]], Any], message: str
) -> None:
    change(llama / "model.safetensors", edit)
    with pytest.raises(InputError, match=message):
        load(str(llama), cache=tmp_path)


def cut(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])


def edit_json(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


SPOILT: list[tuple[str, Callable[[Path], Any], str]] = [
    ("weights are a pointer", lambda f: (f / "model.safetensors").write_text(LFS), "is a pointer of Git LFS"),
    ("config is a pointer", lambda f: (f / "config.json").write_text(LFS), "is a pointer of Git LFS"),
    ("tokenizer is a pointer", lambda f: (f / "tokenizer.json").write_text(LFS), "is a pointer of Git LFS"),
    ("a .bin is a pointer", lambda f: (f / "pytorch_model.bin").write_text(LFS), "is a pointer of Git LFS"),
    ("weights cut short", lambda f: cut(f / "model.safetensors", 5000), "it is cut short"),
    ("header cut short", lambda f: cut(f / "model.safetensors", 100), "too few for its header"),
    ("weights empty", lambda f: cut(f / "model.safetensors", 0), "has 0 bytes and is no safetensors file"),
    (
        "weights of noise",
        lambda f: (f / "model.safetensors").write_bytes(bytes(range(3, 250))),
        "too few for its header",
    ),
    ("no header", lambda f: (f / "model.safetensors").write_bytes(b"\x02" + bytes(7) + b"[]"), "header cannot be read"),
    ("config cut short", lambda f: cut(f / "config.json", 40), "config.json is no JSON"),
    ("config a list", lambda f: (f / "config.json").write_text("[1]"), "wanted a JSON object"),
    ("tokenizer cut short", lambda f: cut(f / "tokenizer.json", 40), "tokenizer.json is no JSON"),
    (
        "index names a lost file",
        lambda f: (f / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors"}})
        ),
        "names model-00001-of-00002",
    ),
    ("recurrent", lambda f: edit_json(f / "config.json", model_type="mamba"), "'mamba'.* carries a state"),
    ("an encoder", lambda f: edit_json(f / "config.json", architectures=["BertForMaskedLM"]), "does not continue text"),
]


@pytest.mark.parametrize(
    ("spoil", "message"), [(spoil, message) for _, spoil, message in SPOILT], ids=[s[0] for s in SPOILT]
)
def test_a_folder_that_is_not_whole_is_named_in_one_line(
    llama: Path, tmp_path: Path, spoil: Callable[[Path], Any], message: str
) -> None:
    """By the look that needs no torch, which `plan` and `run` take, and by loading."""
    spoil(llama)
    for look in (lambda: check_folder(str(llama)), lambda: load(str(llama), cache=tmp_path)):
        with pytest.raises(InputError, match=message) as error:
            look()
        assert "\n" not in error.value.message
        assert error.value.hint


@pytest.mark.parametrize("kind", RECURRENT)
def test_models_with_a_state_are_refused_by_name(llama: Path, kind: str) -> None:
    edit_json(llama / "config.json", model_type=kind)
    with pytest.raises(InputError, match=f"model_type '{kind}'.* carries a state from token to token"):
        check_folder(str(llama))


def test_a_text_longer_than_the_context_is_read_without_a_warning(
    llama: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer = load_tokenizer(str(llama))
    tokenizer.model_max_length = 3
    with caplog.at_level("WARNING"):
        assert len(tokenizer("one two three four five")["input_ids"]) > 3
    assert not caplog.records


def test_a_tokenizer_that_does_not_parse_is_named(llama: Path, tmp_path: Path) -> None:
    (llama / "tokenizer.json").write_text('{"model": {"type": "BPE"}}')
    with pytest.raises(InputError, match="the tokenizer of .* could not be loaded") as error:
        load(str(llama), cache=tmp_path)
    assert "\n" not in error.value.message


def test_tokens_without_embeddings_are_named(llama: Path, tmp_path: Path) -> None:
    tokenizer = load(str(llama), cache=tmp_path).tokenizer
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(llama)
    load(str(llama), cache=tmp_path)  # padding is never read
    tokenizer.add_tokens(["return"])
    tokenizer.save_pretrained(llama)
    with pytest.raises(InputError, match=r"tokenizer makes 1 beyond them, e\.g\. 'return'"):
        load(str(llama), cache=tmp_path)


@pytest.mark.parametrize("name", ["llamma", "llama2"])
def test_a_mistyped_folder_is_not_sought_on_the_hub(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def asked(*_: Any, **__: Any) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", asked)
    monkeypatch.chdir(tmp_path.parent)
    for look in (lambda spec: load(spec, cache=tmp_path), model_identity):
        with pytest.raises(InputError, match="no model at .* is not there, but .*llama is"):
            look(f"{tmp_path.name}/{name}")


def test_a_hub_that_does_not_answer_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def unreachable(self: Any, name: str, **settings: Any) -> None:
        asked.append((name, settings["timeout"]))
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="the hub cannot be reached") as error:
        load("owner/name", cache=tmp_path)
    assert "no model at 'owner/name'" in error.value.message
    assert asked == [("owner/name", 10)]


@pytest.mark.parametrize(
    "name",
    ["tokenizer_config.json", "chat_template.jinja", "chat_template.json", "generation_config.json", "vocab.json",
     "vocab.txt", "merges.txt", "added_tokens.json", "special_tokens_map.json", "spiece.model", "source.spm",
     "qwen.tiktoken", "tokenizer.model.v3", "modeling_own.py", "adapter_config.json", "pytorch_model.bin",
     "model.safetensors.index.json", "additional_chat_templates/tool_use.jinja"],
)  # fmt: skip
def test_every_file_that_can_change_an_answer_is_in_the_identity(llama: Path, name: str) -> None:
    before = model_identity(str(llama))
    for other in ("README.md", "LICENSE", ".gitattributes", "optimizer.pt", "trainer_state.json", "plot.png"):
        (llama / other).write_text("# Words")
    assert model_identity(str(llama)) == before
    (llama / name).parent.mkdir(exist_ok=True)
    (llama / name).write_text('{"eos_token_id": 1}')
    assert model_identity(str(llama)) != before


@pytest.mark.parametrize("name", ["generation_config.json", "chat_template.jinja", "merges.txt", "config.json"])
def test_a_run_is_not_done_once_its_init_has_changed(llama: Path, tmp_path: Path, name: str) -> None:
    from pipeline.recipe_text import load as recipe
    from pipeline.walk import plan, reads

    overrides = [f"student.init={llama}", "tokens.tokenizer=student", "tokens.sequence_length=32"]
    loaded = recipe("tiny", overrides)
    before = plan(loaded.recipe, reads(loaded.recipe))
    with (llama / name).open("a") as file:
        file.write("\n")
    after = plan(loaded.recipe, reads(loaded.recipe))
    changed = {stage.name for stage in before.stages if after[stage.name].key != stage.key}
    assert {"tokens", "student", "samples-before", "samples-after", "scores"} <= changed
    assert "completions" not in changed


def test_a_loaded_model_keeps_what_was_asked_of_it(llama: Path, tmp_path: Path) -> None:
    loaded = load(str(llama), cache=tmp_path)
    assert isinstance(loaded, LoadedModel)
    assert not loaded.model.training
    assert loaded.identity == model_identity(str(llama))
