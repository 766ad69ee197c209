"""Trained tokenizers: lossless on any text, the same for the same corpus."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from pipeline.core.errors import EmptyCorpus, RecipeError
from pipeline.models.loading import save_tokenizer
from pipeline.recipe import StudentTable, TokensTable
from pipeline.stages.tokens.tokenizers import END, tokenizer_for, train_bpe

CORPUS = ["def f(x):\n    return x + 1\n", "class A:\n\tdef g(self):\n\t\treturn 'é'\n"] * 10
TOKENIZER = train_bpe(CORPUS, 400)
CODE = Path(__file__).read_text(encoding="utf-8")


@given(st.text(max_size=60))
def test_every_text_survives(text: str) -> None:
    if END not in text:
        assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_code_survives_with_its_spaces() -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(CODE)) == CODE


def test_equal_corpora_give_equal_tokenizers() -> None:
    assert train_bpe(list(CORPUS), 400).get_vocab() == TOKENIZER.get_vocab()


def test_the_vocabulary_is_at_most_what_was_asked() -> None:
    assert 257 <= len(TOKENIZER) <= 400
    assert len(train_bpe(CORPUS, 257)) == 257


def test_indentation_is_one_token() -> None:
    assert len(TOKENIZER.encode("\n    return")) <= 3


def test_a_vocabulary_without_room_for_the_bytes_is_refused() -> None:
    with pytest.raises(RecipeError, match="at least"):
        train_bpe(CORPUS, 200)


def test_an_empty_corpus_is_refused() -> None:
    with pytest.raises(EmptyCorpus):
        train_bpe([], 400)


def test_a_saved_tokenizer_is_loaded_by_the_recipe(tmp_path: Path) -> None:
    save_tokenizer(TOKENIZER, tmp_path)
    (tmp_path / "config.json").write_text("{}")
    loaded = tokenizer_for(TokensTable(tokenizer=str(tmp_path)), StudentTable(init="scratch"), [], tmp_path)
    assert loaded.encode(CODE) == TOKENIZER.encode(CODE)
    assert loaded.eos_token == END
    assert AutoTokenizer.from_pretrained(tmp_path).decode(loaded.encode(CODE)) == CODE


def test_a_student_from_scratch_has_no_tokenizer_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="pretrained student"):
        tokenizer_for(TokensTable(tokenizer="student"), StudentTable(init="scratch"), [], tmp_path)
