"""Hidden-state matching: the student's blocks are taught what the teacher's blocks compute, not only what they say.

Romero et al. 2015 (FitNets) match one hint layer through a learned projection; Jiao et al. 2020 (TinyBERT, 3.2) match
every student block with a teacher block by mean squared error, through a learned linear projection where widths differ.
This is TinyBERT's loss on the states after each block (before the last norm), at the positions that carry loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.core.errors import RecipeError
from pipeline.core.identity import rng_seed
from pipeline.training.state import blocks_of


def layer_map(student: int, teacher: int, wanted: Sequence[int] = ()) -> tuple[int, ...]:
    """For each of `student` blocks the teacher's block that it is matched with, both counted from 0.

    wanted: the recipe's, checked; empty for the uniform map, where the last is matched with the last (TinyBERT, 3.1).
    Raises RecipeError for a map of another length, or with a block that the teacher has not.
    """
    if not wanted:
        return tuple(max(round((block + 1) * teacher / student) - 1, 0) for block in range(student))
    if len(wanted) != student or max(wanted) >= teacher:
        uniform = list(layer_map(student, teacher))
        raise RecipeError(
            f"recipe: 'soft_targets.hidden_layers' should name one of the teacher's {teacher} blocks, from 0, for each "
            f"of the student's {student}, got {list(wanted)}",
            hint=f"evenly spaced they are {uniform}, which is also what leaving it out means",
        )
    return tuple(wanted)


class HiddenMatch(torch.nn.Module):
    """The distance between states of student and teacher, 0 if and only if they are equal where widths are equal.

    layers: the teacher's block for each of the student's. projections: one linear map without bias per block, from the
    student's width to the teacher's; none where widths are equal. They are trained with the student, stored in its
    checkpoints, and not exported.
    """

    def __init__(self, student: Any, teacher: Any, wanted: Sequence[int], seed: int) -> None:
        super().__init__()
        blocks = len(blocks_of(student))
        self.layers = layer_map(blocks, len(blocks_of(teacher)), wanted)
        ours, theirs = (int(model.config.hidden_size) for model in (student, teacher))
        weight = next(student.parameters())
        generator = torch.Generator().manual_seed(rng_seed(seed, "hidden-match"))
        self.projections = torch.nn.ParameterList()
        if ours != theirs:
            for _ in range(blocks):
                start = torch.randn(theirs, ours, generator=generator) / ours**0.5
                self.projections.append(torch.nn.Parameter(start.to(weight.device)))

    def forward(self, ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
        """Mean over blocks and dimensions of the squared difference, (positions,), for states (positions, width)."""
        total = torch.zeros(len(ours[0]), device=ours[0].device)
        for number, (mine, wanted) in enumerate(zip(ours, theirs, strict=True)):
            state = mine.float() @ self.projections[number].T if len(self.projections) else mine.float()
            total = total + (state - wanted.float()).square().mean(-1)
        return total / len(ours)


@dataclass(frozen=True, slots=True)
class BatchMatch:
    """What `Objective` adds to a batch's loss. states: the teacher's, by matched block, each (labels, width).
    weights: of each label, (labels,)."""

    match: HiddenMatch
    weight: float
    states: Sequence[Tensor]
    weights: Tensor

    def __call__(self, states: Sequence[Tensor]) -> Tensor:
        """The weighted sum over labels, for the student's states after each block."""
        apart: Tensor = self.match(states, [state.to(states[0].device) for state in self.states])
        return self.weight * (apart * self.weights.to(apart.device)).sum()
