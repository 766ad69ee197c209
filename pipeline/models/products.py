"""Matrix products by oneDNN in the place of the BLAS library that torch was built with.

torch takes fp32 products on CPUs from MKL, which on processors that are not Intel's leaves half of the vector unit
idle where oneDNN, which torch carries too, does not. Which of them is faster here is measured
(`pipeline.models.rates.onednn_wins`), not told from a name.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Product = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""x (..., in), weight (out, in), bias (out,) or None -> (..., out)."""

_LIBRARY: Any = torch.library.Library("hornbook", "DEF")  # type: ignore[no-untyped-call]
_LIBRARY.define("product(Tensor x, Tensor weight, Tensor? bias) -> Tensor")


def _onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if not (weight.is_contiguous() or weight.t().is_contiguous()):
        weight = weight.contiguous()  # oneDNN has no fast product for a part of a larger matrix: 2,000 times slower
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return result


def _shape(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x.new_empty((*x.shape[:-1], weight.shape[0]))


_LIBRARY.impl("product", _onednn, "CPU")
torch.library.register_fake("hornbook::product", _shape, lib=_LIBRARY)


def onednn(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """As `functional.linear`, without a gradient, fp32 on the CPU. Operands may be transposed views.

    torch.compile takes oneDNN's own operator for one on frozen weights, so it is shown one of ours.
    """
    return torch.ops.hornbook.product(x, weight, bias) if torch.compiler.is_compiling() else _onednn(x, weight, bias)


def available(tensor: Tensor) -> bool:
    """Whether oneDNN can multiply tensors like this one."""
    return (
        tensor.device.type == "cpu"
        and tensor.dtype == torch.float32
        and bool(torch._C._has_mkldnn)
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


class _Linear(torch.autograd.Function):
    """`functional.linear` by oneDNN for one or more weights and then, if any, as many biases, outputs side by side.

    The parameters are laid side by side for each pass and not kept so: memory stays that of separate products.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, count: int, *parameters: Tensor) -> Tensor:
        ctx.save_for_backward(x, *parameters)
        ctx.count = count
        return onednn(x, _joined(parameters[:count]), _joined(parameters[count:]) if parameters[count:] else None)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, *parameters = ctx.saved_tensors
        weights = parameters[: ctx.count]
        of_x, _, *of_parameters = ctx.needs_input_grad
        of_weights, of_biases = of_parameters[: ctx.count], of_parameters[ctx.count :]
        sizes = [len(weight) for weight in weights]
        rows, read = gradients[0].reshape(-1, sum(sizes)), x.reshape(-1, x.shape[-1])
        x_gradient = onednn(rows, _joined(weights).t(), None).view(x.shape) if of_x else None
        weight_gradients = (
            _parts(_outer(rows, read), sizes, of_weights) if any(of_weights) else [None] * len(of_weights)
        )
        bias_gradients = _parts(rows.sum(0), sizes, of_biases) if any(of_biases) else [None] * len(of_biases)
        return x_gradient, None, *weight_gradients, *bias_gradients


def _parts(joined: Tensor, sizes: Sequence[int], wanted: Sequence[bool]) -> list[Tensor | None]:
    parts = torch.split(joined, list(sizes))
    return [part if asked else None for part, asked in zip(parts, wanted, strict=True)]


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _outer(rows: Tensor, read: Tensor) -> Tensor:
    """rows (n, out) and read (n, in) -> their summed outer products (out, in). oneDNN is a third faster where the
    result has fewer rows than columns, so the other way round it is made transposed."""
    if rows.shape[1] > read.shape[1]:
        return onednn(read.t(), rows.t(), None).t()
    return onednn(rows.t(), read.t(), None)


def live(modules: Sequence[Any]) -> tuple[Callable[[Tensor], Tensor], ...]:
    """One product for all modules that read the same input, on the live parameters, with gradients: for training in
    fp32 on the CPU. A `pipeline.models.lean.MakeLinear`."""

    def product(x: Tensor) -> Tensor:
        parameters = [module.weight for module in modules]
        parameters += [module.bias for module in modules if module.bias is not None]
        result: Tensor = _Linear.apply(x, len(modules), *parameters)  # type: ignore[no-untyped-call]
        return result

    return (product,)


def through_onednn(model: torch.nn.Module) -> None:
    """Let all `torch.nn.Linear` of a model multiply by oneDNN, in place, whatever its architecture.

    It is then to be read: it can be neither trained nor pickled.
    """
    for module in model.modules():
        if type(module) is torch.nn.Linear and available(module.weight):
            module.forward = functools.partial(onednn, weight=module.weight, bias=module.bias)  # type: ignore[method-assign]
