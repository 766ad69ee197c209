"""The network: transformers' `Dinov2Model` or `Dinov2WithRegistersModel` by configuration, and what is read off it."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipeline.core.errors import InputError
from pipeline.models.loading import quiet
from pipeline.recipe_images import BackboneTable
from pipeline.vision.reading import reason


class Tokens(NamedTuple):
    """What a backbone says of images. of_class: (images, width). patches: (images, patches, width)."""

    of_class: Tensor
    patches: Tensor


def build(table: BackboneTable, channels: int, size: int) -> Any:
    """A network with random weights for square images of `size` pixels; other sizes interpolate its positions."""
    from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    kind: Any
    config: Any
    kind, config = (
        (Dinov2WithRegistersModel, Dinov2WithRegistersConfig) if table.registers else (Dinov2Model, Dinov2Config)
    )
    registers = {"num_register_tokens": table.registers} if table.registers else {}
    settings = config(
        hidden_size=table.width,
        num_hidden_layers=table.depth,
        num_attention_heads=table.heads,
        mlp_ratio=table.mlp_ratio,
        image_size=size,
        patch_size=table.patch,
        num_channels=channels,
        layerscale_value=table.layer_scale,
        drop_path_rate=table.drop_path,
        **registers,
    )
    return kind(settings)


def tokens(model: Any, images: Tensor, mask: Tensor | None = None) -> Tokens:
    """The class token and the patches of images (n, channels, height, width), after the last norm.

    mask: (n, patches), true where the mask token stands in the place of a patch.
    """
    given = {} if mask is None else {"bool_masked_pos": mask}
    states = model(images, **given).last_hidden_state
    first = 1 + int(getattr(model.config, "num_register_tokens", 0) or 0)
    return Tokens(states[:, 0], states[:, first:])


def save(model: Any, folder: Path, statistics: "Statistics") -> None:
    """Write the model as transformers does, and how images are prepared for it."""
    import json

    with quiet():
        model.save_pretrained(str(folder))
    size = int(model.config.image_size)
    prepared = {
        "image_processor_type": "BitImageProcessor",
        "do_resize": True,
        "size": {"height": size, "width": size},
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(statistics.mean),
        "image_std": list(statistics.std),
        "do_convert_rgb": int(model.config.num_channels) == 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(prepared, indent=1), encoding="utf-8")


class Statistics(NamedTuple):
    """Mean and standard deviation of pixels in [0, 1], one for each channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def normalised(self, pixels: Tensor) -> Tensor:
        """Pixels in [0, 1], (..., channels, height, width), as the network reads them."""
        mean, std = (torch.tensor(v, device=pixels.device, dtype=pixels.dtype)[:, None, None] for v in self)
        return (pixels - mean) / std


class Opened(NamedTuple):
    """A model from a folder, to be read. size: the side of its square images, channels: theirs."""

    model: Any
    statistics: Statistics
    size: int
    channels: int


MODELS = ("dinov2", "dinov2_with_registers", "vit")
"""Values of model_type that are read: all have a class token first and patches last."""


def open_folder(folder: Path) -> Opened:
    """The model of an HF folder. Raises InputError for what is none, or of an architecture that is not known here."""
    from transformers import AutoConfig, AutoModel

    from pipeline.models.folders import read_json

    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} has no config.json", hint="name the folder of a Dinov2Model or ViTModel, or a run")
    kind = read_json(folder / "config.json").get("model_type")
    if kind not in MODELS:
        raise InputError(f"{folder} holds a model of type {kind!r}", hint=f"models of images are {', '.join(MODELS)}")
    path = folder / "preprocessor_config.json"
    said = read_json(path) if path.is_file() else {}
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        extra = {"add_pooling_layer": False} if kind == "vit" else {}
        with quiet():
            model = AutoModel.from_pretrained(str(folder), local_files_only=True, dtype=torch.float32, **extra).eval()
        size, channels = int(config.image_size), int(config.num_channels)
        mean, std = (
            tuple(float(value) for value in said.get(key) or [0.5] * channels)[:channels]
            for key in ("image_mean", "image_std")
        )
    except Exception as error:  # whatever transformers, safetensors and torch raise on files that are not theirs
        raise InputError(
            f"{folder} cannot be loaded: {reason(error)}",
            hint="name the folder that save_pretrained wrote of a Dinov2Model or ViTModel",
        ) from error
    return Opened(model, Statistics(mean, std), size, channels)
