"""The heads between features and prototypes, and their file beside a model."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

FILE = "heads.safetensors"
"""A model's heads lie beside its weights: transformers does not know them, and a distillation needs the teacher's."""


class PrototypeHead(nn.Module):
    """An MLP, a bottleneck of length 1, and the cosine to each prototype (Caron et al. 2021, 3.1 and appendix C).

    (..., width) -> (..., prototypes), in [-1, 1]. Prototypes have length 1: the gain of the paper's weight norm is not
    learned.
    """

    def __init__(self, width: int, hidden: int, bottleneck: int, prototypes: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, bottleneck)
        )
        self.prototypes = nn.Parameter(torch.empty(prototypes, bottleneck))
        for module in self.mlp:
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.prototypes, std=0.02)

    def forward(self, features: Tensor) -> Tensor:
        places = functional.normalize(self.mlp(features), dim=-1, eps=1e-6)
        return functional.linear(places, functional.normalize(self.prototypes, dim=-1))


class Heads(nn.Module):
    """One head for class tokens and one for patches: untied (Oquab et al. 2023, 4)."""

    def __init__(self, width: int, hidden: int, bottleneck: int, prototypes: int) -> None:
        super().__init__()
        self.of_class = PrototypeHead(width, hidden, bottleneck, prototypes)
        self.of_patches = PrototypeHead(width, hidden, bottleneck, prototypes)

    @property
    def prototypes(self) -> int:
        """How many prototypes each has."""
        return int(self.of_class.prototypes.shape[0])


def save_heads(heads: Heads, folder: Path) -> None:
    """Write the heads into a model's folder."""
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in heads.state_dict().items()}, str(folder / FILE))


def load_heads(folder: Path) -> Heads | None:
    """The heads in a model's folder, of the sizes that they have there; None where it has none."""
    from safetensors.torch import load_file

    if not (folder / FILE).is_file():
        return None
    state = load_file(str(folder / FILE))
    prototypes, bottleneck = state["of_class.prototypes"].shape
    hidden, width = state["of_class.mlp.0.weight"].shape
    heads = Heads(width, hidden, bottleneck, prototypes)
    heads.load_state_dict(state)
    return heads
