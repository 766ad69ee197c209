"""Between text and tokens: documents, prompts and continuations by one rule, for every kind of tokenizer."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers_made import KINDS, LINES, made  # type: ignore[import-not-found]
from transformers import PreTrainedTokenizerFast

from pipeline.core.errors import InputError
from pipeline.core.records import Message
from pipeline.models.prompts import ChatPrompt, Continuation, chat_prompt, encode_documents, encode_prompt, start_ids

TOKENIZERS = {(kind, bos): made(kind, bos=bos) for kind in KINDS for bos in (False, True)}
GIVEN = 'def f(x):\n    """Double x."""'
TEXTS = st.text(alphabet="ab =(1)\n é—日\U0001f600", max_size=20)


def continued(tokenizer: Any, prompt: list[int], ids: list[int]) -> Continuation:
    text = Continuation(tokenizer, prompt)
    for token in ids:
        text.add(token)
    return text


@pytest.mark.parametrize("key", TOKENIZERS, ids=str)
@given(answer=TEXTS)
@example(answer="  ")  # merges with a line's end before it
@example(answer="    return x")
def test_an_answer_is_encoded_and_decoded_as_a_continuation(key: tuple[str, bool], answer: str) -> None:
    tokenizer = TOKENIZERS[key]
    [(given_ids, ids)] = encode_documents(tokenizer, [(GIVEN, answer)])
    text = continued(tokenizer, start_ids(tokenizer) + given_ids, ids)
    assert text.whole() == text.text == answer


@pytest.mark.parametrize("key", TOKENIZERS, ids=str)
def test_the_first_space_of_a_continuation_stays(key: tuple[str, bool]) -> None:
    tokenizer = TOKENIZERS[key]
    whole = encode_prompt(tokenizer, "return a + b")
    for cut in range(1, len(whole)):
        head = continued(tokenizer, [], whole[:cut]).whole()
        tail = continued(tokenizer, whole[:cut], whole[cut:])
        assert tail.text == tail.whole()
        assert (head + tail.whole()).removeprefix("<s>").lstrip() == "return a + b"


@pytest.mark.parametrize("key", TOKENIZERS, ids=str)
def test_a_document_begins_as_a_prompt_does(key: tuple[str, bool]) -> None:
    tokenizer = TOKENIZERS[key]
    [(given_ids, _), (_, passage)] = encode_documents(tokenizer, [(GIVEN, "\n    pass"), ("", LINES[0])])
    start = start_ids(tokenizer)
    assert start == ([tokenizer.bos_token_id] if key[1] else [])
    assert encode_prompt(tokenizer, GIVEN) == start + given_ids
    assert encode_prompt(tokenizer, LINES[0]) == start + passage


@pytest.mark.parametrize("kind", KINDS)
def test_a_bos_that_a_prompt_brings_is_not_put_there_twice(kind: str) -> None:
    tokenizer = TOKENIZERS[kind, True]
    assert encode_prompt(tokenizer, "<s>a").count(tokenizer.bos_token_id) == 1
    assert tokenizer.bos_token_id not in encode_prompt(tokenizer, ChatPrompt("a"))


@pytest.mark.parametrize("kind", KINDS)
def test_text_that_spells_a_special_token_stays_text(kind: str) -> None:
    tokenizer = TOKENIZERS[kind, False]
    [(given_ids, answer)] = encode_documents(tokenizer, [("x = '</s>'", "\ny = '<s>'")])
    assert not {*given_ids, *answer} & {tokenizer.bos_token_id, tokenizer.eos_token_id}


@pytest.mark.parametrize("words", [False, True])
def test_a_model_that_holds_special_pieces_cannot_spell_them_either(words: bool) -> None:
    pieces = ["<unk>", "<s>", "</s>", *"bc<>/s▁", "▁b"]
    if words:
        backend = Tokenizer(models.WordLevel({piece: n for n, piece in enumerate(pieces)}, unk_token="<unk>"))
        backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    else:
        backend = Tokenizer(models.Unigram([(piece, -3.0 * (n > 2)) for n, piece in enumerate(pieces)], unk_id=0))
        backend.pre_tokenizer, backend.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    make: Any = PreTrainedTokenizerFast
    tokenizer = make(tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    [(_, ids)] = encode_documents(tokenizer, [("", "b </s> c <s>")])
    assert not {1, 2} & set(ids)
    if not words:
        assert tokenizer.decode(ids) == "b </s> c <s>"
    assert encode_documents(tokenizer, [("", "b")])[0][1] == tokenizer.encode("b", add_special_tokens=False)


def test_a_character_cut_short_is_told_at_the_end_only() -> None:
    tokenizer = TOKENIZERS["byte-level", False]
    ids = tokenizer.encode("é", add_special_tokens=False)
    assert len(ids) == 2
    text = continued(tokenizer, encode_prompt(tokenizer, "x"), ids[:1])
    assert text.text == ""
    assert text.whole() == "\ufffd"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for m in messages %}{{ m.content }", "line 1"),
        ("{{ raise_exception('no system turn') }}", "no system turn"),
        ("{{ messages | nofilter }}", "nofilter"),
        ("{{ messages[0].content.x.y }}", "has no attribute"),
    ],
)
def test_a_chat_template_that_cannot_be_used_is_named(template: str, message: str) -> None:
    tokenizer = made("byte-level")
    tokenizer.chat_template = template
    loaded = SimpleNamespace(tokenizer=tokenizer, identity={"name": "m"})
    with pytest.raises(InputError, match="the chat template of the model 'm' cannot be used") as error:
        chat_prompt(loaded, [Message("user", "Hi")])
    assert message in error.value.message
