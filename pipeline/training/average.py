"""Means of weights, to be scored and exported in the place of those that are trained: over the steps (an exponential
moving average: Polyak and Juditsky 1992; Tarvainen and Valpola 2017, section 2), and with those of before training."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from pipeline.training.state import like, whole


class Average:
    """The averaged weights beside the trained ones, on the same device.

    decay: share of the average that stays at each update. Early on it is (1 + n) / (10 + n) where that is less, so
    that the random weights of the start are forgotten. `torch.optim.swa_utils.AveragedModel` would copy the whole model
    where this holds the weights that are trained, and put a second module beside the one that is sharded and compiled.
    """

    def __init__(self, parameters: Iterable[Tensor], decay: float) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.decay = decay
        self.updates = 0
        self.values = [parameter.detach().clone() for parameter in self.parameters]

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the weights as they are now."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for value, parameter in zip(self.values, self.parameters, strict=True):
            value.lerp_(parameter, 1 - decay)

    @contextmanager
    def used(self) -> Iterator[None]:
        """The model has the averaged weights inside, its own again afterwards."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state(self) -> dict[str, object]:
        """What `load` takes, whole tensors."""
        return {"updates": self.updates, "values": whole(self.values)}

    @torch.no_grad()
    def load(self, state: dict[str, object]) -> None:
        """Go on from a checkpoint's average."""
        self.updates = state["updates"]  # type: ignore[assignment]
        for value, saved in zip(self.values, state["values"], strict=True):  # type: ignore[call-overload]
            value.copy_(like(saved, value))

    @torch.no_grad()
    def _swap(self) -> None:
        for value, parameter in zip(self.values, self.parameters, strict=True):
            own = parameter.clone()
            parameter.copy_(value)
            value.copy_(own)


class TowardsBase:
    """The mean of the weights as they are and those from before training (Wortsman et al. 2022, "Robust fine-tuning of
    zero-shot models", section 3).

    parameters: as they are before training; a copy is kept, on the same device. share: of that copy in the mean.
    """

    def __init__(self, parameters: Iterable[Tensor], share: float) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        self.share = share
        self.base = [parameter.detach().clone() for parameter in self.parameters]

    @contextmanager
    def used(self) -> Iterator[None]:
        """The model has the mean inside, its own weights again afterwards."""
        own = [parameter.detach().clone() for parameter in self.parameters]
        try:
            with torch.no_grad():
                for parameter, base in zip(self.parameters, self.base, strict=True):
                    parameter.lerp_(base, self.share)
            yield
        finally:
            with torch.no_grad():
                for parameter, value in zip(self.parameters, own, strict=True):
                    parameter.copy_(value)


@contextmanager
def used(*means: Average | TowardsBase | None) -> Iterator[None]:
    """The model has what all the means make of its weights inside, the first one's first; its own again afterwards."""
    with ExitStack() as stack:
        for mean in means:
            if mean is not None:
                stack.enter_context(mean.used())
        yield
