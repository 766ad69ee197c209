"""A model's folder as it lies on disk, looked at without loading it: what can be said before anything is made.

No torch here: `hornbook plan` reads this module.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError

_LFS = b"version https://git-lfs"
_WHOLE = "download the model again; with git: `git lfs install`, then `git lfs pull` in that folder"
_HEADER_BYTES = 100_000_000
"""Longest header that safetensors itself reads."""

RECURRENT = (
    "bamba",
    "falcon_h1",
    "falcon_mamba",
    "granitemoehybrid",
    "jamba",
    "kimi_linear",
    "lfm2",
    "lfm2_moe",
    "mamba",
    "mamba2",
    "minimax",
    "nemotron_h",
    "olmo_hybrid",
    "qwen3_next",
    "recurrent_gemma",
    "rwkv",
    "xlstm",
    "zamba",
    "zamba2",
)
"""Values of `model_type` whose models carry a state from token to token. Prompts of several lengths share a batch by
padding, which attention can be told not to see; a state has it in it."""
_STATEFUL_LAYERS = ("linear_attention", "mamba", "recurrent", "conv", "rwkv")
_OTHER_HEADS = ("ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")


def read_json(file: Path) -> dict[str, Any]:
    """The object in a model's JSON file. Raises InputError for a pointer of Git LFS, and for what is no JSON object."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}", hint=_WHOLE) from error
    if data.startswith(_LFS):
        raise _pointer(file)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is no JSON: {error}", hint=_WHOLE) from error
    if not isinstance(value, dict):
        raise InputError(f"{file} holds {str(value)[:40]!r}, wanted a JSON object", hint=_WHOLE)
    return value


def read_config(spec: str) -> dict[str, Any]:
    """A model folder's config.json; empty where `spec` is no folder that is here. Raises as `read_json`."""
    file = Path(spec) / "config.json"
    return read_json(file) if file.is_file() else {}


def safetensors_header(file: Path) -> dict[str, Any]:
    """What a safetensors file holds, by tensor: "dtype", "shape", "data_offsets".

    Raises InputError for a pointer of Git LFS and for a file that is cut short, or is none.
    """
    size = file.stat().st_size
    with file.open("rb") as handle:
        first = handle.read(8)
        if _LFS.startswith(first) and first:
            raise _pointer(file)
        length = int.from_bytes(first, "little")
        if len(first) < 8 or length > min(size - 8, _HEADER_BYTES):
            found = f"{file} has {size:,} bytes, too few for its header of {length:,}" if len(first) == 8 else ""
            raise InputError(found or f"{file} has {size} bytes and is no safetensors file", hint=_WHOLE)
        try:
            header = json.loads(handle.read(length))
            tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
            end = max((int(entry["data_offsets"][1]) for entry in tensors.values()), default=0)
        except (ValueError, RecursionError, AttributeError, KeyError, IndexError, TypeError) as error:
            raise InputError(
                f"{file} is no safetensors file: its header cannot be read ({error})", hint=_WHOLE
            ) from error
    if size != 8 + length + end:
        raise InputError(
            f"{file} has {size:,} bytes, its header says {8 + length + end:,}: it is cut short, or not whole",
            hint=_WHOLE,
        )
    return tensors


def tensors(folder: Path) -> dict[str, Any]:
    """The headers of a folder's safetensors files as one, empty where it has none. Raises as `safetensors_header`, and
    InputError where a file that the index names is not there."""
    found: dict[str, Any] = {}
    for file in _weight_files(folder):
        found |= safetensors_header(file)
    return found


def _weight_files(folder: Path) -> Iterator[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        yield from sorted(folder.glob("*.safetensors"))
        return
    named = read_json(index).get("weight_map")
    names = sorted(set(named.values())) if isinstance(named, dict) else []
    for name in names:
        if not (folder / str(name)).is_file():
            raise InputError(f"{index} names {name}, which is not there", hint=_WHOLE)
        yield folder / str(name)


def check_kind(config: dict[str, Any], spec: str) -> None:
    """Raise InputError where a model of this config.json is none that continues text by attention."""
    kind = str(config.get("model_type", ""))
    layers = config.get("layer_types") or config.get("layers_block_type") or config.get("block_types") or ()
    stateful = [layer for layer in layers if any(name in str(layer) for name in _STATEFUL_LAYERS)]
    if kind in RECURRENT or stateful or "ssm_cfg" in config:
        what = f"model_type {kind!r}" + (f" with {stateful[0]!r} layers" if stateful else "")
        raise InputError(
            f"the model {spec!r} ({what}) carries a state from token to token, which is not supported here",
            hint="name a model with attention in all of its layers: Llama, Phi, Qwen2, GPT-2 and their like",
        )
    heads = [str(name) for name in config.get("architectures") or ()]
    if config.get("is_encoder_decoder") or (heads and all(name.endswith(_OTHER_HEADS) for name in heads)):
        raise InputError(
            f"the model {spec!r} ({kind or 'no model_type'}, {', '.join(heads) or 'no architectures'}) does not "
            "continue text: it is no causal language model",
            hint="name a model whose architecture in config.json is one ...ForCausalLM",
        )


def check_folder(spec: str) -> dict[str, Any]:
    """The config.json of the model folder `spec`, looked through with its weights' headers; of a hub name what the
    hub's cache has of it; else empty. Raises InputError for what can be seen to be wrong without loading it."""
    folder = Path(spec)
    config = read_config(spec) or _cached_config(spec)
    check_kind(config, spec)
    if not (folder / "config.json").is_file():
        return config
    tensors(folder)
    for file in sorted(folder.glob("*.bin")):
        with file.open("rb") as handle:
            if handle.read(len(_LFS)) == _LFS:
                raise _pointer(file)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        if (folder / name).is_file():
            read_json(folder / name)
    return config


def _cached_config(spec: str) -> dict[str, Any]:
    if spec.count("/") != 1 or Path(spec).is_dir():
        return {}
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(spec, "config.json")
    except HFValidationError:
        return {}
    return read_json(Path(found)) if isinstance(found, str) else {}


def _pointer(file: Path) -> InputError:
    return InputError(
        f"{file} is a pointer of Git LFS, not the file itself",
        hint="run `git lfs install` and `git lfs pull` in that folder, or download the model with hf download",
    )
