"""Generation: independent of the batch, seeded per prompt, ended where it should be."""

import copy
from typing import Any

import pytest
import torch
from transformers import LlamaConfig

from pipeline.core.errors import InputError
from pipeline.core.records import Message
from pipeline.execution import Execution
from pipeline.languages.python.stopping import AnswerEnd, end_tokens
from pipeline.models import generation
from pipeline.models.engines import LeanEngine, TransformersEngine
from pipeline.models.generation import Generation, chat_prompt, encode_prompt, generate
from pipeline.models.lean import Lean
from pipeline.models.loading import LoadedModel
from pipeline.stages.samples.models import Ask, LocalModel
from pipeline.training.optimizer import make_optimizer

PROMPTS = ["def f(x):", "x = [1", "for i in range(3):\n    print", "return a", "a", "def add(a, b):\n    return a +"]


def texts(generations: list[Generation]) -> list[str]:
    return [entry.raw for entry in sorted(generations, key=lambda entry: entry.index)]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_answer_does_not_depend_on_the_batch(tiny: LoadedModel, temperature: float) -> None:
    seeds = list(range(len(PROMPTS)))
    answers = [
        texts(list(generate(tiny, PROMPTS, max_new_tokens=12, temperature=temperature, seeds=seeds, batch=batch)))
        for batch in (1, 2, 4, 6)
    ]
    assert answers[0] == answers[1] == answers[2] == answers[3]


def test_thirty_two_prompts_have_one_answer_each_at_any_batch(tiny: LoadedModel) -> None:
    prompts = [f"{PROMPTS[n % len(PROMPTS)]} {'x' * (n % 11)}" for n in range(32)]
    answers = [texts(list(generate(tiny, prompts, max_new_tokens=10, batch=batch))) for batch in (1, 8, 32)]
    assert answers[0] == answers[1] == answers[2]


def test_the_embedded_model_answers_alike_alone_and_in_a_batch(smollm2: LoadedModel) -> None:
    prompts = [f'def task_{n}(values):\n    """Return the {"sorted " * (n % 4)}values."""' for n in range(4)]
    answers = [texts(list(generate(smollm2, prompts, max_new_tokens=8, batch=batch))) for batch in (1, 4)]
    assert answers[0] == answers[1]


def test_weights_are_laid_out_once_and_anew_when_they_have_changed(tiny: LoadedModel) -> None:
    """By the optimiser's fused step and by a copy, which are how training changes them."""
    model = copy.deepcopy(tiny.model)
    loaded = LoadedModel(model, tiny.tokenizer, {})
    if not Lean.knows(model):
        assert texts(list(generate(loaded, PROMPTS, max_new_tokens=6)))
        assert loaded.packed == {}
        return
    before = texts(list(generate(loaded, PROMPTS, max_new_tokens=6)))
    first = loaded.packed["lean"]
    assert texts(list(generate(loaded, PROMPTS, max_new_tokens=6))) == before
    assert loaded.packed["lean"] is first
    optimizer = make_optimizer(model)
    optimizer.param_groups[0]["lr"] = 1.0
    for number in range(2):
        if number:
            with torch.no_grad():
                model.lm_head.weight.copy_(torch.randn_like(model.lm_head.weight))
        else:
            model(torch.tensor([[1, 2, 3]])).logits.square().sum().backward()
            optimizer.step()
        found = texts(list(generate(loaded, PROMPTS, max_new_tokens=6)))
        assert found == texts(list(generate(LoadedModel(model, tiny.tokenizer, {}), PROMPTS, max_new_tokens=6)))
        assert found != before
        assert loaded.packed["lean"] is not first
        before, first = found, loaded.packed["lean"]


def test_rounding_does_not_decide(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits off by less than half of `NEAR`, as in a batch of another size, give the same answer.

    Noise and `NEAR` are large here, so that noise alone does change the answers of these models.
    """
    monkeypatch.setattr(generation, "NEAR", 1.0)
    prompts = [f"x = {n}" for n in range(24)]
    want = texts(list(generate(tiny, prompts, max_new_tokens=12, batch=1)))
    noise = torch.Generator().manual_seed(0)
    for kind in (LeanEngine, TransformersEngine):
        for name in ("admit", "step"):
            exact = getattr(kind, name)

            def shaken(self: Any, rows: Any, exact: Any = exact) -> torch.Tensor:
                logits: torch.Tensor = exact(self, rows)
                return logits + (torch.rand(logits.shape, generator=noise) - 0.5) * 0.98

            monkeypatch.setattr(kind, name, shaken)
    assert texts(list(generate(tiny, prompts, max_new_tokens=12, batch=24))) == want
    monkeypatch.setattr(generation, "NEAR", 0.0)
    assert texts(list(generate(tiny, prompts, max_new_tokens=12, batch=24))) != want


def test_greedy_is_what_transformers_generates(tiny: LoadedModel) -> None:
    ids = torch.tensor([encode_prompt(tiny.tokenizer, PROMPTS[0])])
    whole = tiny.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False, pad_token_id=0
    )
    want = [token for token in whole[0, ids.shape[1] :].tolist() if token != tiny.tokenizer.eos_token_id]
    [ours] = generate(tiny, PROMPTS[:1], max_new_tokens=10)
    assert ours.raw == tiny.tokenizer.decode(want)


def test_other_seeds_give_other_samples(tiny: LoadedModel) -> None:
    first, second = (
        texts(list(generate(tiny, ["x"] * 4, max_new_tokens=12, temperature=1.5, seeds=s)))
        for s in ([1, 1, 2, 3], [1, 1, 2, 3])
    )
    assert first == second
    assert first[0] == first[1]
    assert len(set(first)) == 3


def test_stop_strings_cut_and_are_named_as_the_reason(tiny: LoadedModel) -> None:
    [whole] = generate(tiny, PROMPTS[:1], max_new_tokens=12)
    needle = whole.raw[3:5]
    [cut] = generate(tiny, PROMPTS[:1], max_new_tokens=12, stop=[needle])
    assert cut.text == whole.raw[: whole.raw.index(needle)]
    assert cut.finish_reason == "stop"
    assert cut.tokens < whole.tokens


def test_a_prompt_that_fills_the_context_is_answered_with_nothing(tiny: LoadedModel) -> None:
    answers = {g.index: g for g in generate(tiny, ["x = 1\n" * 200, "x"], max_new_tokens=4)}
    assert (answers[0].text, answers[0].finish_reason, answers[0].tokens) == ("", "length", 0)
    assert answers[1].tokens == 4


def test_temperature_without_seeds_is_refused(tiny: LoadedModel) -> None:
    with pytest.raises(ValueError, match="one seed per prompt: 2 prompts, 0 seeds"):
        list(generate(tiny, ["a", "b"], max_new_tokens=4, temperature=0.5))


@pytest.mark.parametrize("top_p", [0.2, 0.9])
def test_how_many_tokens_are_looked_at_first_decides_nothing(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch, top_p: float
) -> None:
    seeds = list(range(len(PROMPTS)))
    answers = []
    for looked_at in ((1, 1 << 62), (16, 20, 1 << 62), (1 << 62,)):
        monkeypatch.setattr(generation, "_LIKELIEST", looked_at)
        drawn = generate(tiny, PROMPTS, max_new_tokens=12, temperature=1.0, top_p=top_p, seeds=seeds)
        answers.append(texts(list(drawn)))
    assert answers[0] == answers[1] == answers[2]


def test_whoever_waits_hears_of_every_token(tiny: LoadedModel) -> None:
    heard: list[tuple[int, int]] = []
    made = generate(
        tiny, PROMPTS, max_new_tokens=12, batch=2, on_step=lambda rows, tokens: heard.append((rows, tokens))
    )
    assert sum(answer.tokens for answer in made) == sum(tokens for _, tokens in heard)
    assert heard[0] == (2, 0)  # two prompts are about to be read


def test_no_prompts_give_no_answers(tiny: LoadedModel) -> None:
    assert list(generate(tiny, [], max_new_tokens=4)) == []


def test_chat_needs_a_template(tiny: LoadedModel) -> None:
    with pytest.raises(InputError, match="no chat template"):
        chat_prompt(tiny, [Message("user", "Hi")])


ENDS = {
    "one in generation_config.json": lambda model, end: setattr(model.generation_config, "eos_token_id", end),
    "several in generation_config.json": lambda model, end: setattr(model.generation_config, "eos_token_id", [0, end]),
    "one in config.json": lambda model, end: setattr(model.config, "eos_token_id", end),
    "several in config.json": lambda model, end: setattr(model.config, "eos_token_id", [end, 0]),
    "the text's config": lambda model, end: setattr(model.config, "text_config", LlamaConfig(eos_token_id=end)),
}


@pytest.mark.parametrize("place", ENDS)
def test_an_answer_ends_with_any_of_the_models_ends(tiny: LoadedModel, place: str) -> None:
    """The token that the model says third becomes an end."""
    [free] = generate(tiny, ["def f(x):"], max_new_tokens=6)
    ids = made_tokens(tiny, "def f(x):", 6)
    third = next(n for n in range(1, 6) if ids[n] not in ids[:n])
    model = copy.deepcopy(tiny.model)
    ENDS[place](model, ids[third])
    [ended] = generate(LoadedModel(model, tiny.tokenizer, {}), ["def f(x):"], max_new_tokens=6)
    assert (free.finish_reason, free.tokens) == ("length", 6)
    assert (ended.finish_reason, ended.tokens) == ("eos", third + 1)
    assert free.text.startswith(ended.text)


def made_tokens(loaded: LoadedModel, prompt: str, count: int) -> list[int]:
    ids = encode_prompt(loaded.tokenizer, prompt)
    for _ in range(count):
        ids.append(int(loaded.model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[-count:]


def test_special_tokens_end_an_answer_but_those_that_open_a_thought(tiny: LoadedModel) -> None:
    tokenizer = copy.deepcopy(tiny.tokenizer)
    # transformers 5 calls them "extra", and takes this name too.
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_end|>", "<think>"]})
    ends = end_tokens(tiny.model, tokenizer)
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") in ends
    assert tokenizer.convert_tokens_to_ids("<think>") not in ends
    model = copy.deepcopy(tiny.model)
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids("<think>")
    assert tokenizer.convert_tokens_to_ids("<think>") in end_tokens(model, tokenizer)


def test_a_body_that_needs_a_helper_ends_after_it(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model's tokens are planted: what is tested is that rows are asked by their own rule."""
    text = "\n    return g(x)\n\ndef g(x):\n    return x\n\ndef h():\n    pass\n"
    planted = tiny.tokenizer.encode(text, add_special_tokens=False)
    monkeypatch.setattr(
        generation._Chooser, "__call__", lambda self, logits, rows: [planted[len(r.made)] for r in rows]
    )
    prompts = ["def f(x):", "def g(x):\n    return x\n\ndef f(x):"]
    limit = len(planted)
    answers = sorted(generate(tiny, prompts, max_new_tokens=limit, stop=AnswerEnd("body")), key=lambda one: one.index)
    assert [one.finish_reason for one in answers] == ["stop", "stop"]
    assert answers[0].text == "\n    return g(x)\n\ndef g(x):\n    return x\n"
    assert answers[1].text == "\n    return g(x)\n"


def test_a_local_teacher_and_an_evaluation_say_that_a_prompt_is_too_long(tiny: LoadedModel) -> None:
    [answer] = generate(tiny, ["x " * 400], max_new_tokens=4)
    assert answer.no_room
    model = LocalModel(tiny, "weights", Execution())
    [told] = model.answers(["x " * 400], Ask(max_new_tokens=4), [0])
    assert (told.text, told.finish_reason, told.tokens) == ("", "no-room", 0)
