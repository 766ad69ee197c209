"""Packing: every token of every document is on disk once, where its span says."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import processors

from pipeline.core.errors import EmptyCorpus, InputError, StoreFormatError
from pipeline.core.records import Document, Exercise, Passage, Span
from pipeline.models.loading import load_tokenizer, save_tokenizer
from pipeline.models.prompts import encode_prompt
from pipeline.recipe import StudentTable, TokensTable
from pipeline.stages.tokens import stage as packing
from pipeline.stages.tokens.shards import TokenStore
from pipeline.stages.tokens.stage import TokensSummary, is_about, is_held_out, pack
from pipeline.stages.tokens.text import parts, split_prompt
from pipeline.stages.tokens.tokenizers import train_bpe


def exercise(number: int) -> Exercise:
    return Exercise(
        prompt=f'def f{number}(x):\n    """Add {number}."""\n',
        solution=f"    return x + {number}\n",
        entry_point=f"f{number}",
        test=f"assert f{number}(1) == {1 + number}",
        test_owner="seed",
    )


DOCUMENTS: list[Document] = [
    doc for n in range(40) for doc in (exercise(n), Passage(text=f"Lesson {n}: lists hold items.\n"))
]
TOKENIZER = train_bpe([document.text for document in DOCUMENTS], 300)


def packed(
    out: Path, documents: list[Document], held_out: float = 0.0, **table: object
) -> tuple[TokenStore, TokensSummary]:
    summary = pack(
        documents,
        table=TokensTable.model_validate(table),
        student=StudentTable(held_out=held_out),
        seed=1,
        out=out,
        cache=out,
        tokenizer=TOKENIZER,
    )
    return TokenStore(out), summary


def span_of(store: TokenStore, document_id: str) -> Span:
    """Where a document lies."""
    spans = store.spans
    row = spans.document_id.index(document_id)
    places = {name: int(getattr(spans, name)[row]) for name in ("shard", "start", "loss_start", "stop")}
    return Span(document_id=document_id, **places)


def test_each_span_decodes_to_its_document_and_an_end(tmp_path: Path) -> None:
    store, summary = packed(tmp_path, DOCUMENTS)
    for document in DOCUMENTS:
        span = span_of(store, document.id)
        tokens = store.tokens(span)
        assert tokens[-1] == TOKENIZER.eos_token_id
        assert TOKENIZER.decode(tokens[:-1].tolist()) == document.text
    assert summary.documents == len(DOCUMENTS)
    assert (
        summary.tokens == sum(len(shard) for shard in store.shards) == int((store.spans.stop - store.spans.start).sum())
    )


def test_loss_begins_where_the_answer_does(tmp_path: Path) -> None:
    store, summary = packed(tmp_path / "answer", DOCUMENTS)
    whole, _ = packed(tmp_path / "all", DOCUMENTS, loss="all")
    for document in DOCUMENTS:
        span, other = span_of(store, document.id), span_of(whole, document.id)
        assert other.loss_start == other.start
        answer = TOKENIZER.decode(store.shards[span.shard][span.loss_start : span.stop - 1].tolist())
        assert answer == parts(document).answer
    assert summary.loss_tokens == int((store.spans.stop - store.spans.loss_start).sum()) < summary.tokens


def test_a_prompt_has_the_tokens_that_it_has_alone(tmp_path: Path) -> None:
    """Its last token never merges with what follows: what evaluation gives is what training saw."""
    store, _ = packed(tmp_path, DOCUMENTS)
    for document in DOCUMENTS:
        if isinstance(document, Exercise):
            span = span_of(store, document.id)
            seen = store.shards[span.shard][span.start : span.loss_start].tolist()
            assert seen == TOKENIZER.encode(document.prompt.rstrip("\n"))


@given(st.text(alphabet='ab"\n ', max_size=12), st.text(alphabet="x \n", max_size=12))
def test_splitting_loses_nothing(prompt: str, answer: str) -> None:
    given_, rest = split_prompt(prompt, answer)
    assert given_ + rest == prompt + answer
    assert not given_.endswith("\n")


def test_held_out_is_drawn_by_id(tmp_path: Path) -> None:
    store, summary = packed(tmp_path, DOCUMENTS, held_out=0.25)
    by_id = dict(zip(store.spans.document_id, store.spans.held_out.tolist(), strict=True))
    assert by_id == {document.id: is_held_out(document.id, 0.25, 1) for document in DOCUMENTS}
    assert summary.held_out_documents == sum(by_id.values()) > 0
    assert summary.documents + summary.held_out_documents == len(DOCUMENTS)


def test_a_draw_of_documents_does_not_depend_on_their_order(tmp_path: Path) -> None:
    first, _ = packed(tmp_path / "a", DOCUMENTS, max_documents=10)
    second, _ = packed(tmp_path / "b", DOCUMENTS[::-1], max_documents=10)
    assert set(first.spans.document_id) == set(second.spans.document_id)
    assert len(first.spans) == 10


@pytest.mark.parametrize(
    ("topic", "topics", "used"),
    [
        ("strings/slicing", ("strings",), True),
        ("strings/slicing", ("strings/slicing/",), True),
        ("strings/slicing", ("string", "lists"), False),
        ("lists", (), True),
        ("", ("strings",), True),
    ],
)
def test_documents_of_other_topics_are_left_out_and_real_code_never(
    topic: str, topics: tuple[str, ...], used: bool
) -> None:
    assert is_about(Passage(text="x", topic=topic), topics) is used


def test_shards_hold_whole_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SHARD_TOKENS", 100)
    store, summary = packed(tmp_path, DOCUMENTS)
    assert summary.shards == len(store.shards) > 3
    assert all(len(shard) <= 100 for shard in store.shards)
    for document in DOCUMENTS:
        span = span_of(store, document.id)
        assert TOKENIZER.decode(store.tokens(span)[:-1].tolist()) == document.text


def test_spans_are_records(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    store, _ = packed(tmp_path, DOCUMENTS)
    ids = pq.read_table(tmp_path / "spans.parquet")["id"].to_pylist()
    spans = [span_of(store, document_id) for document_id in store.spans.document_id]
    assert [span.id for span in spans] == ids


def test_an_empty_corpus_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmptyCorpus):
        packed(tmp_path, [])


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    packed(tmp_path, DOCUMENTS)
    manifest = json.loads((tmp_path / "tokens.json").read_text())
    (tmp_path / "tokens.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(StoreFormatError, match="format 99"):
        TokenStore(tmp_path).manifest  # noqa: B018


def test_a_folder_without_tokens_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no tokens.json, so it is no folder of packed tokens") as caught:
        assert TokenStore(tmp_path).manifest
    assert "data/store/tokens/KEY" in str(caught.value)


def with_bos() -> Any:
    """The tokenizer, putting an entry of its own before each text, as Llama's does."""
    tokenizer = train_bpe([document.text for document in DOCUMENTS], 300)
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    number = tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", number)]
    )
    return tokenizer


@pytest.mark.parametrize("loss", ["answer", "all"])
def test_a_document_begins_as_a_prompt_does(tmp_path: Path, loss: str) -> None:
    tokenizer = with_bos()
    table = TokensTable.model_validate({"loss": loss})
    student = StudentTable(held_out=0.0)
    pack(DOCUMENTS, table=table, student=student, seed=1, out=tmp_path, cache=tmp_path, tokenizer=tokenizer)
    store = TokenStore(tmp_path)
    again = load_tokenizer(str(store.tokenizer_folder))
    for document in DOCUMENTS:
        span = span_of(store, document.id)
        tokens = store.tokens(span).tolist()
        given = encode_prompt(again, parts(document).given)
        assert tokens[: len(given)] == given == encode_prompt(tokenizer, parts(document).given)
        assert tokens.count(tokenizer.bos_token_id) == 1
        assert store.manifest["begin"] == [tokenizer.bos_token_id]
        assert span.loss_start - span.start == (len(given) if loss == "answer" else 1)


def test_an_exported_tokenizer_begins_texts_as_before(tmp_path: Path) -> None:
    for name, tokenizer in (("bos", with_bos()), ("none", TOKENIZER)):
        save_tokenizer(tokenizer, tmp_path / name)
        assert encode_prompt(load_tokenizer(str(tmp_path / name)), "def f") == encode_prompt(tokenizer, "def f")


def test_a_special_token_that_a_document_spells_is_text(tmp_path: Path) -> None:
    end = TOKENIZER.eos_token
    store, _ = packed(tmp_path, [Passage(text=f"A document ends with {end} in GPT-2.\n")])
    tokens = store.shards[0].tolist()
    assert tokens.count(TOKENIZER.eos_token_id) == 1
    assert TOKENIZER.decode(tokens[:-1]) == f"A document ends with {end} in GPT-2.\n"
