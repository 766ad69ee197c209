"""Products of 8-bit integers: near those of the weights that they are made of, row by row."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_beginnings import model
from torch import nn

from pipeline.models.engines import make_engine, move_weights
from pipeline.models.lean import integers_multiply, quantised

pytestmark = pytest.mark.skipif(not integers_multiply(), reason="this torch has no products of integers")

SIZE = st.integers(1, 40)
STEPS = 127
"""Steps from 0 to the largest value of a row."""


@given(
    inner=SIZE,
    outs=st.lists(SIZE, min_size=1, max_size=3),
    rows=SIZE,
    scale=st.sampled_from([1e-6, 1.0, 1e4]),
    bias=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
)
def test_a_product_is_as_near_as_the_steps_of_its_rows_allow(
    inner: int, outs: list[int], rows: int, scale: float, bias: bool, dtype: torch.dtype
) -> None:
    torch.manual_seed(inner + 41 * rows)
    modules = [nn.Linear(inner, out, bias=bias).to(dtype) for out in outs]
    x = (scale * torch.randn(2, rows, inner)).to(dtype)
    x[0, 0] = 0
    with torch.inference_mode():
        (product,) = quantised(modules)
        got = product(x)
        want = torch.cat([module(x) for module in modules], -1)
    weights = torch.cat([module.weight for module in modules]).float()
    largest = x.float().abs().amax(-1, keepdim=True) * weights.abs().amax(1)
    # Half a step of either factor, times the largest of the other, for each of the summands; bf16 has 8 bits.
    allowed = inner * largest * (1 / STEPS + 1 / STEPS**2) + 0.02 * want.float().abs() + 1e-6
    assert got.shape == want.shape
    assert got.dtype == dtype
    assert bool(((got.float() - want.float()).abs() <= allowed).all())


def test_rows_do_not_see_each_other() -> None:
    """A row with a huge value leaves the others as exact as they were."""
    torch.manual_seed(0)
    (product,) = quantised([nn.Linear(16, 8)])
    x = torch.randn(5, 16)
    alone = product(x[:4])
    x[4] *= 1e6
    torch.testing.assert_close(product(x)[:4], alone, rtol=0, atol=0)


def test_a_model_is_laid_out_in_integers() -> None:
    """A step's logits are near those of the whole weights, which the model does not hold any longer."""
    net = model("qwen2")
    prompts = [[1, 2, 3], [4, 5]]
    exact = make_engine(net, 2, 20).admit(prompts)
    kept: dict[str, object] = {}
    move_weights(net, kept, quantised)
    near = make_engine(net, 2, 20, kept).admit(prompts)
    assert not torch.equal(near, exact)
    assert torch.nn.functional.cosine_similarity(near, exact).min() > 0.99
    assert net.model.layers[0].mlp.up_proj.weight.numel() == 0
