"""Batches: a function of the seed, nothing lost, nothing leaking across documents."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import EmptyCorpus
from pipeline.recipe import PhaseTable
from pipeline.stages.student.batches import IGNORE, Loader, collate, label_count, micro_batches
from pipeline.stages.tokens.shards import TokenStore


def loader(corpus: Path, phase: PhaseTable, *, mask: bool = True, length: int = 32, seed: int = 0) -> Loader:
    return Loader(TokenStore(corpus), phase, sequence_length=length, mask_documents=mask, seed=seed)


def pieces(entry: Loader) -> list[tuple[int, int, int]]:
    return [(p.shard, p.start, p.stop) for n in range(entry.total) for row in entry.step(n).rows for p in row]


def tokens(entry: Loader) -> int:
    return sum(entry.step(n).tokens for n in range(entry.total))


def test_an_epoch_reads_each_training_token_once(corpus: Path) -> None:
    entry = loader(corpus, PhaseTable(batch=2))
    spans = entry.store.spans
    sizes = (spans.stop - spans.start)[~spans.held_out]
    covered = sorted(pieces(entry))
    assert len(set(covered)) == len(covered)
    lone_ends = int((sizes % 32 == 1).sum())
    assert tokens(entry) == sum(stop - start for _, start, stop in covered) == int(sizes.sum()) - lone_ends


def test_a_step_stays_within_its_budget(corpus: Path) -> None:
    entry = loader(corpus, PhaseTable(batch=2))
    assert all(entry.step(n).tokens <= 2 * 32 for n in range(entry.total))
    assert all(sum(map(label_count, entry.step(n).rows)) == entry.step(n).loss_tokens for n in range(entry.total))


def test_the_seed_decides_the_order_and_epochs_differ(corpus: Path) -> None:
    phase = PhaseTable(batch=2, epochs=2)
    once, again, other = (pieces(loader(corpus, phase, seed=seed)) for seed in (0, 0, 1))
    assert once == again
    assert once != other
    half = len(once) // 2
    assert once[:half] != once[half:]
    assert sorted(once[:half]) == sorted(once[half:]) == sorted(other[:half])


def test_phases_read_their_kind(corpus: Path) -> None:
    both = len(pieces(loader(corpus, PhaseTable(batch=2), length=512)))
    kinds = [
        len(pieces(loader(corpus, PhaseTable(batch=2, data=kind), length=512))) for kind in ("textbook", "exercise")
    ]
    assert sum(kinds) == both
    assert min(kinds) > 0


def test_steps_and_caps_decide_how_far_a_phase_goes(corpus: Path) -> None:
    assert loader(corpus, PhaseTable(batch=2, steps=7)).total == 7
    assert loader(corpus, PhaseTable(batch=2, steps=500)).total == 500
    assert tokens(loader(corpus, PhaseTable(batch=2, max_tokens=300))) <= 300
    whole = tokens(loader(corpus, PhaseTable(batch=2)))
    assert abs(tokens(loader(corpus, PhaseTable(batch=2, epochs=1.5))) - 1.5 * whole) < 0.1 * whole


def test_labels_are_the_next_tokens_of_the_answer(corpus: Path) -> None:
    entry = loader(corpus, PhaseTable(batch=2), length=512)
    for row in entry.step(0).rows:
        [piece] = row
        batch = collate(entry.store, [row])
        ids = entry.store.shards[piece.shard][piece.start : piece.stop]
        given = max(piece.loss_start - piece.start, 1)
        assert batch.ids[0].tolist() == ids.tolist()
        assert batch.labels[0].tolist() == [IGNORE] * (given - 1) + ids[given:].tolist() + [IGNORE]


def test_streamed_rows_are_full_and_in_one_piece(corpus: Path) -> None:
    entry = loader(corpus, PhaseTable(batch=2), mask=False)
    rows = [row for n in range(entry.total) for row in entry.step(n).rows]
    assert {sum(p.stop - p.start for p in row) for row in rows} == {32}
    assert any(len(row) > 1 for row in rows)
    for row in rows[:10]:
        batch = collate(entry.store, [row])
        ids = np.concatenate([entry.store.shards[p.shard][p.start : p.stop] for p in row])
        assert batch.ids[0].tolist() == ids.tolist()
        carried = batch.labels[0] != IGNORE
        assert batch.labels[0][carried].tolist() == [
            t for t, c in zip(ids[1:], carried[:-1].tolist(), strict=True) if c
        ]
        assert int(carried.sum()) == label_count(row)


def test_micro_batches_hold_all_rows_within_their_size(corpus: Path) -> None:
    entry = loader(corpus, PhaseTable(batch=8))
    step = entry.step(0)
    batches = list(micro_batches(entry.store, step.rows, 64))
    assert sum(len(batch.ids) for batch in batches) == len(step.rows)
    assert all(batch.ids.numel() <= 64 for batch in batches)
    assert sum(int((batch.labels != IGNORE).sum()) for batch in batches) == step.loss_tokens


def test_a_step_is_the_same_in_whatever_order_steps_are_asked_for(corpus: Path) -> None:
    for mask in (True, False):
        entry, other = (loader(corpus, PhaseTable(batch=2, epochs=3), mask=mask) for _ in range(2))
        forward = [entry.step(n) for n in range(entry.total)]
        assert [other.step(n) for n in reversed(range(other.total))] == forward[::-1]
        with pytest.raises(IndexError):
            entry.step(entry.total)


@pytest.mark.parametrize("phase", [PhaseTable(), PhaseTable(steps=3)])
def test_documents_without_a_token_to_learn_are_an_error_not_an_endless_search(corpus: Path, phase: PhaseTable) -> None:
    with pytest.raises(EmptyCorpus, match=r"none of its \d+ documents has a token to learn .*length = 1\)") as error:
        loader(corpus, phase, length=1)
    assert "raise tokens.sequence_length" in error.value.hint


def test_a_phase_without_documents_is_an_error(corpus: Path) -> None:
    store = TokenStore(corpus)
    store.spans = replace(store.spans, kind=np.zeros(len(store.spans), dtype=np.int8))  # type: ignore[misc]
    with pytest.raises(EmptyCorpus, match="'exercise'"):
        Loader(store, PhaseTable(data="exercise"), sequence_length=32, mask_documents=True, seed=0)
