"""How likely a model finds a text: held against transformers' own forward in float64, text by text."""

from pathlib import Path

import pytest
import torch
from models_made import folder

from pipeline.models import likelihood
from pipeline.models.likelihood import likelihoods
from pipeline.models.loading import LoadedModel, load
from pipeline.models.prompts import encode_documents

TEXTS = [
    ("def add(a, b):", "\n    return a + b\n"),
    ("", "for i in range(10):\n    print(i)\n"),
    ("x = [", "1, 2, 3]\n"),
    ("def add(a, b):\n    return a", ""),
    ("x", "é" * 3),
]


def loaded(kind: str, tmp_path: Path) -> LoadedModel:
    return load(str(folder(kind, tmp_path)), cache=tmp_path)


def by_hand(model: LoadedModel, given: str, answer: str) -> float:
    """One text alone, every probability from transformers' forward in float64."""
    one, other = encode_documents(model.tokenizer, [(given, answer)])[0]
    ids = torch.tensor([[*one, *other]])
    with torch.no_grad():
        logits = model.model.double()(input_ids=ids).logits[0].log_softmax(-1)
    model.model.float()
    first = max(len(one), 1)
    return -sum(float(logits[place - 1, ids[0, place]]) for place in range(first, ids.shape[1]))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom"])
def test_nats_are_those_of_the_plain_forward(kind: str, tmp_path: Path) -> None:
    model = loaded(kind, tmp_path)
    found = sorted(likelihoods(model, TEXTS))
    assert [one.place for one in found] == list(range(len(TEXTS)))
    assert [one.nats for one in found] == pytest.approx([by_hand(model, *text) for text in TEXTS], rel=1e-4, abs=1e-4)
    assert found[3].tokens == found[3].nats == 0


def test_a_text_among_others_is_as_likely_as_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = loaded("llama", tmp_path)
    together = sorted(likelihoods(model, TEXTS))
    monkeypatch.setattr(likelihood, "ROWS", 1)
    alone = sorted(likelihoods(model, TEXTS))
    assert [one.nats for one in together] == pytest.approx([one.nats for one in alone], rel=1e-4, abs=1e-4)


def test_what_does_not_fit_into_the_context_has_no_likelihood(tmp_path: Path) -> None:
    model = loaded("llama", tmp_path)
    context = model.model.config.max_position_embeddings
    long, short = likelihoods(model, [("x = 1\n", "print(x)\n" * context), ("x", " = 1")])
    assert (long.place, long.nats, long.context) == (0, None, context)
    assert long.length > context
    assert short.nats is not None


def test_a_model_that_has_learned_a_text_finds_it_likelier(tmp_path: Path) -> None:
    model = loaded("llama", tmp_path)
    text = ("def add(a, b):", "\n    return a + b\n")
    (before,) = likelihoods(model, [text])
    ((one, other),) = encode_documents(model.tokenizer, [text])
    ids = torch.tensor([[*one, *other]])
    optimizer = torch.optim.Adam(model.model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        model.model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    (after,) = likelihoods(model, [text])  # of the weights as they are now, though they were laid out before
    assert before.nats is not None
    assert after.nats is not None
    assert after.nats < before.nats / 2
