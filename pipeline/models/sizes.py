"""How large a model is that lies here, by the headers of its files: nothing is loaded or downloaded, and no torch.

A folder's safetensors and a GGUF file are counted tensor by tensor; of `.bin` files only the bytes are known, so that
they give about the number of parameters. A hub name is looked up in the hub's cache.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.core.names import typed
from pipeline.models.folders import check_folder, tensors
from pipeline.models.named import located, named

SMOLLM2 = {
    "parameters": 134_515_008,
    "layers": 30,
    "hidden": 576,
    "per_layer": 3_540_096,
    "vocabulary": 49_152,
    "positions": 8192,
}
_BLOCK = re.compile(r"\.(?:layers|h|blocks)\.(\d+)\.|^blk\.(\d+)\.")
_NAMES = {
    "layers": ("num_hidden_layers", "n_layer", "n_layers", "num_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "vocabulary": ("vocab_size",),
}
"""What config.json calls a size, by the architecture."""


@dataclass(frozen=True, slots=True)
class Size:
    """parameters and layers: of those layers that were asked for. vocabulary: entries; 0 where it is not said."""

    parameters: int
    layers: int
    hidden: int
    vocabulary: int


def size_of(spec: str, models: Path, layers: tuple[int, ...] = ()) -> Size | None:
    """The size of the model that `spec` names, with these layers of it alone, () for all; None where it is not here.

    models: the folder of fetched models. Raises InputError for what is here and cannot be read.
    """
    if spec == "smollm2":
        kept = len(layers) or SMOLLM2["layers"]
        parameters = SMOLLM2["parameters"] - (SMOLLM2["layers"] - kept) * SMOLLM2["per_layer"]
        return Size(parameters, kept, SMOLLM2["hidden"], SMOLLM2["vocabulary"])
    place = _place(spec, models)
    if place is None:
        return None
    if place.is_dir():
        return _of_folder(place, layers)
    config, shapes = _gguf(place, place.stat().st_mtime_ns)
    return _of_config(config, _counted(shapes, layers), layers)


def config_of(spec: str, models: Path) -> dict[str, Any]:
    """As much of its config.json as is known of a model that is not trained yet: of a folder and a hub name in the
    cache all of it (`check_folder`), of a GGUF file what its header says; empty where the model is not here.

    models: the folder of fetched models. Raises InputError for what is here and cannot be read.
    """
    if spec == "smollm2":
        return {
            "model_type": "llama",
            "num_hidden_layers": SMOLLM2["layers"],
            "max_position_embeddings": SMOLLM2["positions"],
        }
    config = check_folder(spec)
    place = None if config else _place(spec, models)
    return _gguf(place, place.stat().st_mtime_ns)[0] if place is not None and place.is_file() else config


def required_size(key: str, spec: str, models: Path, layers: tuple[int, ...] = ()) -> Size:
    """As `size_of`; InputError that names the setting `key` where the model is not here, or holds no weights."""
    found = size_of(spec, models, layers)
    if found is None:
        model = named(spec)
        get = f"`hornbook models get {spec}`" if model else f"`hf download {typed(spec)}`"
        raise InputError(
            f"{key} = {spec!r} is not on this machine, and a plan downloads nothing: its size is not known",
            hint=f"{get} fetches it; or name a folder that `save_pretrained` wrote",
        )
    if not found.parameters:
        raise InputError(
            f"{key} = {spec!r} holds no weights: neither .safetensors nor .bin",
            hint="name a folder that `save_pretrained` wrote, with config.json, weights and tokenizer.json",
        )
    return found


def _place(spec: str, models: Path) -> Path | None:
    """The model's folder or GGUF file; None where it is not here."""
    model = named(spec)
    if model is not None:
        found = located(model, models)
        return found.path if found else None
    path = Path(spec)
    if path.exists():
        return path
    if path.is_absolute() or spec.count("/") != 1:
        return None
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(spec, "config.json")
    return Path(config).parent if isinstance(config, str) else None


def _of_folder(folder: Path, layers: tuple[int, ...]) -> Size:
    config = check_folder(str(folder))
    if not config:
        raise InputError(
            f"{folder} has no config.json, so it is not a Hugging Face model folder",
            hint="name the folder that `save_pretrained` wrote (for a run of ours: student/.../model)",
        )
    shapes = {name: entry["shape"] for name, entry in tensors(folder).items()}
    parameters = _counted(shapes, layers)
    if not shapes:
        stored = sum(file.stat().st_size for file in folder.glob("*.bin"))
        wide = str(config.get("dtype") or config.get("torch_dtype") or "float32") == "float32"
        parameters = stored // (4 if wide else 2)
    return _of_config(config, parameters, layers)


def _of_config(config: Mapping[str, Any], parameters: int, layers: tuple[int, ...]) -> Size:
    numbers = {size: _number(config, *names) for size, names in _NAMES.items()}
    return Size(parameters, len(layers) or numbers["layers"], numbers["hidden"], numbers["vocabulary"])


@cache
def _gguf(path: Path, changed: int) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """The header in the words of a config.json, and the shapes by tensor. Read once, as it takes ten seconds: the plan
    of an experiment asks for each of its arms. changed: of the file."""
    import gguf

    try:
        reader = gguf.GGUFReader(path)
        architecture = str(reader.fields["general.architecture"].contents())
        config = {
            "model_type": architecture,
            "num_hidden_layers": int(reader.fields[f"{architecture}.block_count"].contents()),
            "hidden_size": int(reader.fields[f"{architecture}.embedding_length"].contents()),
            "max_position_embeddings": int(reader.fields[f"{architecture}.context_length"].contents()),
            "vocab_size": len(reader.fields["tokenizer.ggml.tokens"].data),
        }
    except (ValueError, OSError, IndexError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a readable GGUF file: {error}", hint="download or install it again") from error
    return config, {tensor.name: [int(side) for side in tensor.shape] for tensor in reader.tensors}


def _counted(shapes: Mapping[str, Any], layers: tuple[int, ...]) -> int:
    """Parameters of tensors by name; of these layers only, () for all."""
    total = 0
    for name, shape in shapes.items():
        block = _BLOCK.search(name)
        if not (layers and block and int(block[1] or block[2]) not in layers):
            total += math.prod(shape)
    return total


def layer_count(config: Mapping[str, Any]) -> int:
    """Layers of the model of this config.json, or of its text part; 0 where it does not say."""
    text = config.get("text_config")
    return _number(config, *_NAMES["layers"]) or (layer_count(text) if text else 0)


def not_lean(config: Mapping[str, Any]) -> str:
    """What in a config.json the lean forward (lean.py) does not compute as the model itself does, "" for nothing.

    A key that is left out counts as transformers' default; without a `model_type` too little is known to refuse.
    """
    kind = config.get("model_type")
    if kind is None:
        return ""
    if kind not in ("llama", "qwen2", "phi"):
        return f"model_type {kind!r}"
    rope = config.get("rope_parameters") or config.get("rope_scaling")
    rope = rope if isinstance(rope, Mapping) else {}
    held: tuple[tuple[str, Any, Any], ...] = (
        ("rope_type", rope.get("rope_type", rope.get("type")) or "default", "default"),
        ("pretraining_tp", config.get("pretraining_tp", 1), 1),
    )
    if kind == "phi":
        held += (
            ("hidden_act", config.get("hidden_act", "gelu_new"), "gelu_new"),
            ("qk_layernorm", bool(config.get("qk_layernorm")), False),
        )
    else:
        held += (
            ("hidden_act", config.get("hidden_act", "silu"), "silu"),
            ("use_sliding_window", bool(config.get("use_sliding_window")), False),
        )
    return next((f"{name} {found!r}" for name, found, wanted in held if found != wanted), "")


def _number(config: Mapping[str, Any], *names: str) -> int:
    """The first of the names that a config.json has as a number; 0 for none."""
    found = (config[name] for name in names if isinstance(config.get(name), int))
    return next(found, 0)
