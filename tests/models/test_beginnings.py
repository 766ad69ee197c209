"""Beginnings that prompts share: found whatever the order, read once, and no answer changes by it."""

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.models.beginnings import FEWEST_TOKENS, shared_beginnings
from pipeline.models.engines import FEWEST_IN_TWO, LeanEngine

TEMPLATE = list(range(100, 100 + 2 * FEWEST_TOKENS))
OTHER = list(range(500, 500 + 3 * FEWEST_TOKENS))


def test_each_template_is_one_beginning_longest_first() -> None:
    prompts = [[*TEMPLATE, n, n + 1] for n in range(3)] + [[*OTHER, n] for n in range(3)] + [[7] * 200]
    assert shared_beginnings(prompts) == [OTHER, TEMPLATE]
    assert shared_beginnings(prompts[::-1]) == [OTHER, TEMPLATE]


def test_short_or_lonely_beginnings_are_none() -> None:
    assert shared_beginnings([]) == []
    assert shared_beginnings([TEMPLATE]) == []
    short = TEMPLATE[: FEWEST_TOKENS - 1]
    assert shared_beginnings([[*short, 1], [*short, 2]]) == []


def test_samples_of_one_prompt_have_no_beginning_beside_it() -> None:
    assert shared_beginnings([TEMPLATE, TEMPLATE]) == []
    assert shared_beginnings([[*TEMPLATE, 1], [*TEMPLATE, 1], [*TEMPLATE, 2], [*TEMPLATE, 2]]) == [TEMPLATE]
    assert shared_beginnings([[*TEMPLATE, 1], [*TEMPLATE, 2], TEMPLATE]) == [TEMPLATE[:-1]]


@given(st.lists(st.lists(st.integers(0, 2), max_size=FEWEST_TOKENS + 8), max_size=12))
def test_every_beginning_is_shared_and_leaves_something(tails: list[list[int]]) -> None:
    prompts = [[*TEMPLATE[: 40 if len(tail) % 2 else 0], *tail] for tail in tails]
    for beginning in shared_beginnings(prompts):
        assert len(beginning) >= FEWEST_TOKENS
        having = [p for p in prompts if len(p) > len(beginning) and p[: len(beginning)] == beginning]
        assert len(set(map(tuple, having))) >= 2


def model(kind: str) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    sizes = {
        "vocab_size": 700,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
    }
    if kind == "llama":
        return LlamaForCausalLM(LlamaConfig(**sizes)).eval()
    made = Qwen2ForCausalLM(Qwen2Config(**sizes)).eval()
    for block in made.model.layers:  # biases begin as zeros, and would hide that they are left out
        for projection in (block.self_attn.q_proj, block.self_attn.k_proj, block.self_attn.v_proj):
            torch.nn.init.normal_(projection.bias)
    return made


NET = model("qwen2")


def check_logits(kind: str) -> None:
    """Logits of prompts, and of a step after them, are those of transformers' own forward, however they are read."""
    net = model(kind)
    prompts = [[*TEMPLATE, 1, 2, 3], [*TEMPLATE, 4], [9, 8, 7, 6, 5], [*OTHER, 3, 1], [*OTHER, 2], [*TEMPLATE, 5, 6]]
    steps = [11, 12, 13, 14, 15, 16]
    with torch.inference_mode():
        plain = [net(torch.tensor([prompt])).logits[0, -1] for prompt in prompts]
        after = [net(torch.tensor([[*p, s]])).logits[0, -1] for p, s in zip(prompts, steps, strict=True)]
    for beginnings in ([], [OTHER, TEMPLATE]):
        engine = LeanEngine(net, slots=6, length=140, beginnings=beginnings)
        # Two groups: the second finds the beginnings read.
        logits = torch.cat([engine.admit(prompts[:4]), engine.admit(prompts[4:])])
        torch.testing.assert_close(logits, torch.stack(plain), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(engine.step(steps), torch.stack(after), atol=1e-4, rtol=1e-4)


def test_llama_answers_as_without_beginnings() -> None:
    check_logits("llama")


def test_qwen2_answers_as_transformers_does() -> None:
    check_logits("qwen2")


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=4), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=9),
    st.integers(1, 3),
)
@settings(max_examples=40, deadline=None)
def test_samples_of_a_prompt_are_read_once_and_answer_as_if_read_alone(
    texts: list[list[int]], asked: list[tuple[int, int]], gone: int
) -> None:
    prompts = [[*(TEMPLATE if template else []), *texts[text % len(texts)]] for text, template in asked]
    engine = LeanEngine(NET, slots=2 * len(prompts), length=140, beginnings=[TEMPLATE])
    read: list[int] = []
    hidden = engine.lean.hidden

    def counted(ids: torch.Tensor, *rest: Any) -> torch.Tensor:
        read.append(ids.numel())
        return hidden(ids, *rest)

    engine.lean.hidden = counted  # type: ignore[method-assign, assignment]
    alone = {tuple(p): NET(torch.tensor([p])).logits[0, -1].detach() for p in prompts}
    wanted = torch.stack([alone[tuple(p)] for p in prompts])
    ordered = sorted(range(len(prompts)), key=lambda n: prompts[n])
    logits = engine.admit([prompts[n] for n in ordered])
    torch.testing.assert_close(logits, wanted[ordered], atol=1e-4, rtol=1e-4)
    # Some go on and some are dropped; what comes then finds the prompts of those that are left.
    engine.step([11] * len(prompts))
    left = [row for row in range(len(prompts)) if row % (gone + 1) == 0]
    engine.keep(left)
    there = {tuple(prompts[ordered[row]]) for row in left}
    read.clear()
    torch.testing.assert_close(engine.admit(prompts), wanted, atol=1e-4, rtol=1e-4)
    assert sum(read) <= sum(1 if tuple(p) in there else len(p) for p in prompts) + len(TEMPLATE)


def check_steps(kind: str) -> None:
    """Steps of many rows with one beginning are those of rows that have none, until few are left."""
    net = model(kind)
    prompts = [[*TEMPLATE, *range(1, 2 + n % 4)] for n in range(2 * FEWEST_IN_TWO)]
    at_once, apart = (LeanEngine(net, slots=len(prompts), length=140, beginnings=[TEMPLATE][:some]) for some in (1, 0))
    left = list(range(len(prompts)))
    for engine in (at_once, apart):
        engine.admit(prompts)
    for step in range(6):
        tokens = [20 * step + row for row in left]
        torch.testing.assert_close(at_once.step(tokens), apart.step(tokens), atol=1e-4, rtol=1e-4)
        assert (at_once.in_common() is not None) == (len(left) >= FEWEST_IN_TWO)
        assert apart.in_common() is None
        going = [place for place in range(len(left)) if place % 4 != step % 4]
        for engine in (at_once, apart):
            engine.keep(going)
        left = [left[place] for place in going]
    assert len(left) < FEWEST_IN_TWO


def test_many_llama_rows_attend_to_their_beginning_at_once() -> None:
    check_steps("llama")


def test_many_qwen2_rows_attend_to_their_beginning_at_once() -> None:
    check_steps("qwen2")


def test_rows_of_other_beginnings_have_none_in_common() -> None:
    engine = LeanEngine(model("llama"), slots=20, length=140, beginnings=[OTHER, TEMPLATE])
    engine.admit([[*TEMPLATE, n] for n in range(FEWEST_IN_TWO)])
    common = engine.in_common()
    assert common is not None
    assert common.shape[-2] == len(TEMPLATE)
    engine.admit([[*OTHER, 3]])
    assert engine.in_common() is None
