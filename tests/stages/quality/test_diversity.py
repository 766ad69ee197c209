from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.core.records import Document, Passage
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.recipe import QualityTable
from pipeline.stages.quality.diversity import flattened, hashed_features, near_share, standardised, vendi_score
from pipeline.stages.quality.stage import Quality
from pipeline.stages.quality.valuing import Valuation


def corpus(count: int) -> list[Document]:
    return [
        Passage(text=f"def function_number_{i}(x):\n    return [x] * {i} + list(range({i}))\n") for i in range(count)
    ]


def test_diversity_measures_have_the_stated_ends() -> None:
    same, different = np.ones((5, 8)), np.eye(8)[:5]
    assert vendi_score(same) == pytest.approx(1.0)
    assert vendi_score(different) == pytest.approx(5.0)
    assert vendi_score(np.repeat(np.eye(3), 40, axis=0)) == pytest.approx(3.0)


def test_a_common_part_and_a_huge_feature_hide_no_difference() -> None:
    rng = np.random.default_rng(0)
    own = rng.normal(size=(40, 16)).astype(np.float32)
    states = own + 30.0  # what all texts share
    states[:, 3] = 500 + 40 * own[:, 3]  # one feature of another size
    states[:, 5] = 7.0  # one that says nothing
    assert vendi_score(states) < 1.1
    found = standardised(states)
    assert vendi_score(found) > 10
    assert np.allclose(found.mean(0), 0, atol=1e-4)
    assert not found[:, 5].any()
    assert np.allclose(found, standardised(states * 3 + 1), atol=1e-3)


def test_hashed_features_tell_templates_from_variety() -> None:
    templates = [f"def add_{n}(x):\n    return x + {n}\n" for n in range(30)]
    rng = np.random.default_rng(3)
    varied = [" ".join(f"word{n}" for n in rng.integers(0, 5_000, 30)) for _ in range(30)]
    assert vendi_score(hashed_features(templates)) < vendi_score(hashed_features(varied))
    assert near_share(hashed_features([*varied, varied[0]])) == pytest.approx(2 / 31)
    assert near_share(hashed_features(["alone"])) == 0.0
    assert (hashed_features(varied) == hashed_features(varied)).all()
    assert not hashed_features([""]).any()


def test_flattening_takes_most_from_the_crowded_cluster() -> None:
    documents = corpus(60)
    embeddings = np.zeros((60, 3))
    embeddings[:50, 0], embeddings[50:55, 1], embeddings[55:, 2] = 1, 1, 1
    standing = flattened(documents, embeddings, 15, clusters=3)
    places = [place for place, where in enumerate(standing) if where.taken]
    assert Counter(0 if p < 50 else 1 if p < 55 else 2 for p in places) == {0: 5, 1: 5, 2: 5}
    order = np.random.default_rng(0).permutation(60)
    again = flattened([documents[i] for i in order], embeddings[order], 15, clusters=3)
    assert {documents[i].id for i, where in zip(order, again, strict=True) if where.taken} == {
        documents[p].id for p in places
    }
    assert all(where.taken for where in flattened(documents, embeddings, 100))
    assert flattened([], embeddings[:0], 5) == []


def test_the_sampler_as_a_stage_drops_as_repeated_and_raises_the_vendi_score() -> None:
    documents = corpus(60)
    crowded = {d.id for d in documents[:50]}

    def embed(texts: Sequence[str]) -> np.ndarray:
        by_text = {d.text: n for n, d in enumerate(documents)}
        rows = np.zeros((len(texts), 11), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[max(0, by_text[text] - 49)] = 1
        return rows

    found: list[Valuation] = []
    tally = Tally()
    quality = Quality(QualityTable(flatten=0.5), embed=embed, found=found.append)
    outcomes = list(checked(quality, documents, tally))
    assert tally.dropped == Counter(repeated=30)
    dropped = [o for o in outcomes if isinstance(o, Dropped)]
    assert {o.record.id for o in dropped} <= crowded
    assert all(int(o.detail.split()[1]) > int(o.detail.split()[3]) for o in dropped)
    assert "kept of the 50 in cluster" in dropped[0].detail
    assert found[0].vendi_after > found[0].vendi_before  # type: ignore[operator]
    assert found[0].facts().classifier is None
    assert len([o for o in outcomes if isinstance(o, Kept)]) == 30


def test_hidden_states_do_not_depend_on_the_batch() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from pipeline.models.embeddings import hidden_states

    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=300, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    model = transformers.LlamaForCausalLM(config).eval()

    def tokenizer(text: str, truncation: bool, max_length: int) -> dict[str, list[int]]:
        return {"input_ids": list(text.encode())[:max_length]}

    embed_texts = hidden_states(model, tokenizer, max_tokens=32)
    together = embed_texts(["short", "a longer text than the other", "", "x" * 100])
    assert together.shape == (4, 16)
    assert np.allclose(together[0], embed_texts(["short"])[0], atol=1e-5)
    assert not together[2].any()
    assert embed_texts([]).shape == (0, 16)
    alone = hidden_states(model.model, tokenizer, max_tokens=32)
    assert np.allclose(alone(["short"]), embed_texts(["short"]), atol=1e-5)


def test_standardising_in_parts_gives_the_bytes_of_the_whole() -> None:
    draw = np.random.default_rng(0)
    for shape in ((1, 1), (5_000, 3), (4_097, 70)):
        found = (draw.standard_normal(shape) * 40 + 7).astype(np.float32)
        found[:, :1] = 5
        deviation = found.std(0, dtype=np.float64)
        scale = np.where(deviation > 1e-12, 1 / np.maximum(deviation, 1e-12), 0.0)
        whole = ((found - found.mean(0, dtype=np.float64)) * scale).astype(np.float32)
        assert standardised(found).tobytes() == whole.tobytes()
