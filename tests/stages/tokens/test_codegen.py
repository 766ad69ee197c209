"""CodeGen's tokenizer from GPT-2's files: its added runs, and every code text comes back."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from pipeline.core.errors import InputError
from pipeline.recipe import StudentTable, TokensTable
from pipeline.stages.tokens.codegen import RUNS, codegen_tokenizer, main
from pipeline.stages.tokens.tokenizers import END, tokenizer_for

MERGES = [("r", "e"), ("re", "t"), ("Ġ", "x"), ("d", "e"), ("de", "f")]


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the form of GPT-2's, with five merges."""
    folder = tmp_path_factory.mktemp("gpt2")
    entries = sorted(pre_tokenizers.ByteLevel.alphabet()) + ["".join(pair) for pair in MERGES] + [END]
    (folder / "encoder.json").write_text(json.dumps({entry: number for number, entry in enumerate(entries)}))
    (folder / "vocab.bpe").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in MERGES), encoding="utf-8")
    return folder


def test_runs_of_spaces_and_tabs_follow_the_vocabulary(gpt2: Path) -> None:
    tokenizer = codegen_tokenizer(gpt2)
    base = 256 + len(MERGES) + 1
    assert len(tokenizer) == base + 38
    assert tokenizer.convert_tokens_to_ids([" " * 31, "  ", "\t" * 9, "\t\t"]) == [
        base,
        base + 29,
        base + 30,
        base + 37,
    ]
    assert len(tokenizer.encode("\n" + " " * 8)) == 2
    assert tokenizer.eos_token == END


@given(
    st.lists(st.sampled_from(["def f(x):", "\n", " ", "    ", "\t", "\t\t\t", "return x", "é", "# ü", "'''", "\r\n"]))
)
def test_code_comes_back(gpt2: Path, pieces: list[str]) -> None:
    tokenizer = codegen_tokenizer(gpt2)
    text = "".join(pieces)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_written_folder_is_one_a_recipe_can_name(gpt2: Path, tmp_path: Path) -> None:
    assert main([str(gpt2), str(tmp_path / "out")]) == 0
    table = TokensTable(tokenizer=str(tmp_path / "out"))
    loaded = tokenizer_for(table, StudentTable(init="scratch"), [], tmp_path)
    code = Path(__file__).read_text(encoding="utf-8")
    assert loaded.encode(code) == codegen_tokenizer(gpt2).encode(code)
    assert loaded.decode(loaded.encode(code)) == code
    assert len(RUNS) == 38


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has neither vocab.json nor encoder.json"):
        codegen_tokenizer(tmp_path)
    assert main([str(tmp_path), str(tmp_path / "out")]) == 2


def test_files_that_are_not_gpt2s_are_named_with_the_line(gpt2: Path, tmp_path: Path) -> None:
    for text, wanted in [("{bad", r"vocab.json is no JSON"), ("[1]", r"vocab.json holds no object of entries")]:
        (tmp_path / "vocab.json").write_text(text)
        (tmp_path / "merges.txt").write_text("#version\na b\nabc\n")
        with pytest.raises(InputError, match=wanted):
            codegen_tokenizer(tmp_path)
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, "b": 1, "ab": 2}))
    with pytest.raises(InputError, match=r"merges.txt line 3: should be two parts .*, got 'abc'"):
        codegen_tokenizer(tmp_path)
