"""What a network takes, from its sizes alone: no torch here, `hornbook plan` reads this module."""

from pipeline.recipe_images import BackboneTable


def forward_flops(table: BackboneTable, channels: int, size: int) -> int:
    """Floating point operations of one image of `size` pixels through the network, products alone."""
    sizes = {name: getattr(table, name) for name in ("width", "depth", "mlp_ratio", "registers", "patch")}
    return products_of(**sizes, channels=channels, size=size)


def products_of(
    *, width: int, depth: int, mlp_ratio: float, registers: int, patch: int, channels: int, size: int
) -> int:
    """The same, from the sizes of a network."""
    patches = (size // patch) ** 2
    read = 1 + registers + patches
    block = read * width**2 * (4 + 2 * mlp_ratio) + 2 * read**2 * width
    return int(2 * (depth * block + patches * channels * patch**2 * width))
