"""Whole tensors from a sharded model and back, so that a checkpoint is the same for every number of processes.

Sharding is FSDP2 (`torch.distributed.fsdp.fully_shard`; Zhao et al. 2023): weights, gradients and optimiser moments
are split over the processes, and each block's weights are gathered while it computes.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor


def shard(model: Any, device: torch.device, size: int) -> None:
    """Split the parameters of `model`, whole in every process until now, over `size` processes, block by block."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    # What the model returns is only read: nothing is done in place.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor", category=UserWarning)
    mesh = init_device_mesh(device.type, (size,))
    for block in blocks_of(model):
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)


def blocks_of(model: Any) -> Sequence[Any]:
    """The decoder blocks of a transformers causal LM: its longest list of modules."""
    lists: list[Any] = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList)]
    return max(lists, key=len) if lists else ()


def whole(value: Any) -> Any:
    """`value` with each sharded tensor in it gathered on the CPU. All processes must call this together."""
    if isinstance(value, DTensor):
        return value.full_tensor().cpu()
    if isinstance(value, dict):
        return {name: whole(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [whole(entry) for entry in value]
    return value


def whole_weights(model: Any) -> dict[str, Tensor]:
    """A copy on the CPU of all parameters by name, whole; those that are tied once, as a loaded model has them. All
    processes must call this together."""
    names = {name for name, _ in [*model.named_parameters(), *model.named_buffers()]}
    weights: dict[str, Tensor] = whole({name: value for name, value in model.state_dict().items() if name in names})
    return {name: weight.detach().cpu().clone() for name, weight in weights.items()}


def like(value: Tensor, target: Tensor) -> Tensor:
    """The whole tensor `value`, split as `target` is. All processes must call this together."""
    if isinstance(target, DTensor) and not isinstance(value, DTensor):
        return distribute_tensor(value.to(target.device), target.device_mesh, target.placements)
    return value


@torch.no_grad()
def load_weights(model: Any, weights: dict[str, Tensor]) -> None:
    """Set the parameters of `model` from whole tensors by name; KeyError where one is missing."""
    for name, parameter in model.named_parameters():
        parameter.copy_(like(weights[name], parameter))


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Set the optimiser from its `whole(state_dict())`, of a sharded or unsharded run."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    entries = {
        number: {
            name: like(value, parameters[number]) if isinstance(value, Tensor) and value.ndim else value
            for name, value in entry.items()
        }
        for number, entry in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": entries})
