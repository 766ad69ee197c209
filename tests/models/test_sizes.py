"""What `hornbook plan` says of a student's size is counted, and a student that cannot be read is no plan."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.cli.main import main
from pipeline.core.errors import InputError
from pipeline.models.architectures import describe
from pipeline.models.loading import LoadedModel
from pipeline.models.local import find_smollm2
from pipeline.models.sizes import SMOLLM2, config_of, required_size, size_of
from pipeline.recipe import StudentTable, TokensTable


def parameters(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_a_folder_of_safetensors_is_counted_whole_and_by_layers(tmp_path: Path, tiny: LoadedModel) -> None:
    tiny.model.save_pretrained(tmp_path)
    whole = size_of(str(tmp_path), tmp_path)
    assert whole is not None
    assert whole.parameters == parameters(tiny.model)
    assert (whole.layers, whole.hidden) == (tiny.model.config.num_hidden_layers, tiny.model.config.hidden_size)
    assert whole.vocabulary == tiny.model.config.vocab_size
    first = size_of(str(tmp_path), tmp_path, (0,))
    assert first is not None
    blocks = tiny.model.transformer.h if hasattr(tiny.model, "transformer") else tiny.model.model.layers
    assert first.parameters == whole.parameters - sum(parameters(block) for block in blocks[1:])


def test_a_folder_of_bin_files_is_estimated_by_its_bytes(tmp_path: Path, tiny: LoadedModel) -> None:
    (tmp_path / "config.json").write_text(json.dumps(tiny.model.config.to_dict(), default=str))
    torch.save(tiny.model.state_dict(), tmp_path / "pytorch_model.bin")
    size = required_size("student.init", str(tmp_path), tmp_path)
    assert size.parameters == pytest.approx(parameters(tiny.model), rel=0.2)


def test_a_gguf_file_is_counted_as_the_embedded_model_is() -> None:
    by_file, by_word = size_of(str(find_smollm2()), Path()), size_of("smollm2", Path())
    assert by_file == by_word
    assert size_of(str(find_smollm2()), Path(), (0, 1)) == size_of("smollm2", Path(), (0, 1))
    assert by_word is not None
    assert by_word.parameters == SMOLLM2["parameters"]


def test_a_gguf_file_says_what_the_embedded_model_is_known_to_be() -> None:
    by_file, by_word = (config_of(spec, Path()) for spec in (str(find_smollm2()), "smollm2"))
    assert {name: by_file[name] for name in by_word} == by_word
    assert by_word["max_position_embeddings"] == 8192


def test_a_hub_name_is_looked_up_in_the_cache(
    tmp_path: Path, tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = tmp_path / "models--me--mine"
    tiny.model.save_pretrained(cached / "snapshots" / "abc")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    found = size_of("me/mine", tmp_path)
    assert found is not None
    assert found.parameters == parameters(tiny.model)
    assert size_of("me/another", tmp_path) is None


def broken(folder: Path, name: str) -> str:
    (folder / "config.json").write_text("{oops" if name == "config" else '{"model_type": "llama", "hidden_size": 4}')
    if name == "weights":
        (folder / "model.safetensors").write_bytes(b"\xff" * 40)
    if name == "gguf":
        (folder / "m.gguf").write_bytes(b"GGUF nothing of the kind")
        return str(folder / "m.gguf")
    return str(folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("config", "config.json is no JSON"),
        ("weights", "model.safetensors"),
        ("none", "holds no weights: neither .safetensors nor .bin"),
        ("gguf", "is not a readable GGUF file"),
    ],
)
def test_a_student_that_cannot_be_read_is_no_plan(tmp_path: Path, name: str, message: str) -> None:
    student = StudentTable(init=broken(tmp_path, name))
    with pytest.raises(InputError, match=re.escape(message)):
        describe(student, TokensTable(), 10, tmp_path)


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("./nowhere", "student.init: no model at '{here}/nowhere'"),
        ("nowhere.gguf", "student.init: no model at '{here}/nowhere.gguf'"),
        ("nowhere", "student.init: no model at '{here}/nowhere'"),
        ("no-such/model", "student.init = 'no-such/model' is not on this machine, and a plan downloads nothing"),
        ("qwen2.5-coder-0.5b", "student.init = 'qwen2.5-coder-0.5b' is not on this machine"),
    ],
)
def test_plan_fails_where_the_student_is_not_here(
    init: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["plan", "tiny", f"student.init={init}", "tokens.tokenizer=train", "--data", "data", "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert (stop.value.code, error["code"]) == (2, 2)
    assert message.format(here=tmp_path) in error["message"]
    assert error["hint"]
    assert not list(tmp_path.iterdir())
