"""Products by oneDNN equal torch's own, and so do their gradients."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.lean import Lean, causal, separate
from pipeline.models.loading import LoadedModel
from pipeline.models.products import available, live, onednn, through_onednn

pytestmark = pytest.mark.skipif(not available(torch.empty(0)), reason="this torch has no oneDNN")

SIZE = st.integers(1, 40)


def gradients(functions: Any, x: Tensor, modules: list[nn.Linear]) -> list[Tensor | None]:
    """The outputs side by side, and the gradients of x and of all parameters for an uneven loss."""
    x = x.detach().requires_grad_()
    for module in modules:
        module.zero_grad(set_to_none=True)
    out = torch.cat([function(x) for function in functions], -1)
    (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()  # type: ignore[no-untyped-call]
    return [out, x.grad, *(parameter.grad for module in modules for parameter in module.parameters())]


@given(inner=SIZE, outs=st.lists(SIZE, min_size=1, max_size=3), rows=SIZE, time=SIZE, bias=st.booleans())
def test_values_and_gradients_are_those_of_linear(
    inner: int, outs: list[int], rows: int, time: int, bias: bool
) -> None:
    torch.manual_seed(inner + 41 * rows)
    modules = [nn.Linear(inner, out, bias=bias) for out in outs]
    x = torch.randn(rows, time, inner)
    for got, want in zip(gradients(live(modules), x, modules), gradients(separate(modules), x, modules), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_an_input_that_is_a_transposed_view() -> None:
    modules = [nn.Linear(24, 56), nn.Linear(24, 8)]
    x = torch.randn(24, 33, 2).transpose(0, 2)
    got, want = (gradients(made(modules), x, modules) for made in (live, separate))
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_frozen_weights_have_no_gradient() -> None:
    module = nn.Linear(8, 16)
    module.weight.requires_grad_(False)
    _, of_x, of_weight, of_bias = gradients(live([module]), torch.randn(3, 8), [module])
    assert of_x is not None
    assert of_weight is None
    assert of_bias is not None


def test_live_products_follow_the_parameters() -> None:
    module = nn.Linear(8, 4)
    (product,) = live([module])
    x = torch.randn(5, 8)
    before = product(x)
    with torch.no_grad():
        module.weight.mul_(2)
        module.bias.mul_(2)
    torch.testing.assert_close(product(x), 2 * before)


def test_the_lean_forward_on_live_products_computes_what_transformers_computes(tiny: LoadedModel) -> None:
    if not Lean.knows(tiny.model):
        return
    ids = torch.randint(0, tiny.model.config.vocab_size, (3, 17))
    lean = Lean(tiny.model, live)
    with torch.no_grad():
        hidden = lean.hidden(ids, lean.rotary(torch.arange(17)[None]), causal())
        torch.testing.assert_close(lean.lm_head(hidden), tiny.model(ids).logits, rtol=1e-5, atol=1e-5)


def test_a_weight_that_is_a_part_of_a_larger_matrix() -> None:
    weight, x = torch.randn(12, 40)[:, 7:31], torch.randn(50, 48)[:, 5:29]
    torch.testing.assert_close(onednn(x, weight, None), functional.linear(x, weight), rtol=1e-5, atol=1e-5)


def test_all_linear_layers_of_a_model_that_is_read(tiny: LoadedModel) -> None:
    ids = torch.randint(0, tiny.model.config.vocab_size, (3, 17))
    model = copy.deepcopy(tiny.model)
    with torch.no_grad():
        want = model(ids).logits
        through_onednn(model)
        torch.testing.assert_close(model(ids).logits, want, rtol=1e-5, atol=1e-5)
    linear = [module for module in model.modules() if type(module) is nn.Linear]
    assert all("forward" in vars(module) for module in linear)
    other = copy.deepcopy(tiny.model).bfloat16()
    through_onednn(other)
    assert not any("forward" in vars(module) for module in other.modules())


def test_what_onednn_cannot_multiply() -> None:
    assert not available(torch.empty(0, dtype=torch.float64))
    assert not available(torch.empty(0, dtype=torch.bfloat16))
    assert not available(torch.empty(0, device="meta"))
