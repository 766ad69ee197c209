"""What `hornbook plan` says of a network, against what torch counts on the meta device: no weights, no arithmetic."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline.recipe_images import BackboneTable
from pipeline.run.image_costs import parameters
from pipeline.vision import backbone
from pipeline.vision.sizes import forward_flops

SMALL = BackboneTable(width=384, depth=12, heads=6, patch=4)
"""ViT-S, with patches for images of CIFAR-10's size."""


@pytest.mark.parametrize(
    ("table", "channels", "size", "crop"),
    [
        (SMALL, 3, 32, 32),
        (SMALL, 3, 32, 16),
        (SMALL.model_copy(update={"registers": 4}), 3, 32, 32),
        (BackboneTable(patch=14), 1, 28, 28),
    ],
)
def test_a_plan_has_the_parameters_and_products_of_the_network(
    table: BackboneTable, channels: int, size: int, crop: int
) -> None:
    with torch.device("meta"):
        network = backbone.build(table, channels, size)
        images = torch.empty(8, channels, crop, crop)
    assert parameters(table, channels, size) == sum(p.numel() for p in network.parameters())
    with FlopCounterMode(display=False) as forward:
        seen = backbone.tokens(network, images)
    assert seen.patches.shape == (8, (crop // table.patch) ** 2, table.width)
    assert forward.get_total_flops() / 8 == pytest.approx(forward_flops(table, channels, crop), rel=0.01)
    with FlopCounterMode(display=False) as backward:
        seen.of_class.sum().backward()
    assert backward.get_total_flops() == pytest.approx(2 * forward.get_total_flops(), rel=0.1)
