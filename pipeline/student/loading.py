"""Loading a causal LM by short name, folder, hub name or GGUF file, with the same tokenizer behaviour for all."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from pipeline.errors import InputError
from pipeline.identity import digest
from pipeline.models import fetch, known, named
from pipeline.names import objection
from pipeline.student.conversion import VERSION as CONVERSION_VERSION
from pipeline.student.conversion import converted
from pipeline.student.local import file_digest, find_smollm2

Dtype = Literal["auto", "fp32", "bf16", "fp16"]
_progress: Any = logging
_READ = (".safetensors", ".bin", ".model", ".json", ".jinja", ".txt", ".tiktoken", ".bpe")
"""Kinds of files in a model's folder that can change what it answers: weights, configs, vocabulary, chat template."""
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in evaluation mode with its tokenizer.

    model: a transformers causal LM. tokenizer: its fast tokenizer, never adding a BOS by itself, never cleaning up
    spaces. identity: what the weights are (source, digest of the files), for keys and for `Sample.checkpoint`;
    equal identities mean equal weights and tokenizer, wherever they are on disk. packed: a copy of the weights laid out
    for generation, made when it is first needed, and anew where the model's have changed.
    """

    model: Any
    tokenizer: Any
    identity: dict[str, str]
    packed: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device  # type: ignore[no-any-return]


def pick_device(device: str) -> torch.device:
    """`device`, or for "auto" the first GPU where torch sees one, else the CPU."""
    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("cpu")


def model_identity(spec: str) -> dict[str, str]:
    """What `spec` names, from file digests alone: no weights are loaded and nothing is converted.

    Hub names are identified by name. Digests are of bytes, so a folder keeps its identity when it is moved. Raises
    InputError for what is neither there nor a hub name.
    """
    model = named(spec)
    if model is not None:
        return _gguf_identity(model.file, model.sha256)
    if spec == "smollm2" or spec.endswith(".gguf"):
        path = find_smollm2() if spec == "smollm2" else Path(spec)
        if not path.is_file():
            raise _not_found(spec)
        return _gguf_identity(path.name, file_digest(path))
    folder = Path(spec)
    if folder.is_dir():
        files = sorted(file for file in folder.iterdir() if file.suffix in _READ and file.is_file())
        return {"kind": "folder", "digest": digest([[file.name, file_digest(file)] for file in files])}
    if not _is_hub_name(spec):
        raise _not_found(spec)
    return {"kind": "hub", "name": spec}


def _gguf_identity(name: str, sha256: str) -> dict[str, str]:
    return {"kind": "gguf", "name": name, "digest": sha256, "conversion": str(CONVERSION_VERSION)}


def source_folder(spec: str, cache: Path) -> str:
    """What transformers can load for `spec`: a folder (converted from GGUF where need be) or the hub name itself."""
    if spec == "smollm2":
        return str(converted(find_smollm2(), cache))
    model = named(spec)
    if model is not None:
        return str(converted(fetch(model, cache), cache))
    path = Path(spec)
    if spec.endswith(".gguf"):
        if not path.is_file():
            raise _not_found(spec)
        return str(converted(path, cache))
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError(
                f"{spec} has no config.json, so it is not a Hugging Face model folder",
                hint="name the folder that `save_pretrained` wrote (for a run of ours: student/.../model)",
            )
        return spec
    if not _is_hub_name(spec):
        raise _not_found(spec)
    return spec


def _is_hub_name(spec: str) -> bool:
    """Whether `spec` is "owner/name", each of them a name."""
    parts = spec.split("/")
    return len(parts) == 2 and not any(map(objection, parts))


def load(spec: str, *, cache: Path, device: str = "auto", dtype: Dtype = "auto") -> LoadedModel:
    """Load the causal LM that `spec` names, in evaluation mode.

    spec: "smollm2" (embedded), a name of `data/models.toml`, an HF folder, a GGUF file, or a hub name "owner/name".
    cache: folder for fetched and converted models. dtype: "auto" is fp32 on the CPU and bf16 on a GPU that has it.

    Raises InputError where nothing loadable is there, MissingExtra where the embedded model is not installed.
    """
    source = source_folder(spec, cache)
    local = Path(source).is_dir()
    where = pick_device(device)
    kind = _DTYPES[pick_dtype(dtype, where)]
    try:
        tokenizer = load_tokenizer(source)
        with quiet():
            model: Any = AutoModelForCausalLM.from_pretrained(
                source, dtype=kind, local_files_only=local, attn_implementation="sdpa"
            )
    except (OSError, ValueError) as error:
        raise InputError(f"the model {spec!r} could not be loaded: {error}", hint=_hub_hint(local)) from error
    identity = model_identity(spec)
    if identity["kind"] == "hub":
        identity["revision"] = str(getattr(model.config, "_commit_hash", None) or "unknown")
    return LoadedModel(model.to(where).eval(), tokenizer, identity)


def load_tokenizer(source: str) -> Any:
    """The fast tokenizer of a folder or hub name, with the behaviour that code needs.

    No BOS or EOS is ever added, decoding changes no spaces, and there is a padding token.
    """
    tokenizer = AutoTokenizer.from_pretrained(
        source, local_files_only=Path(source).is_dir(), clean_up_tokenization_spaces=False
    )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def pick_dtype(dtype: Dtype, device: torch.device) -> Literal["fp32", "bf16", "fp16"]:
    """`dtype`, or for "auto": fp32 on the CPU (greedy answers there do not depend on the machine), bf16 on a GPU."""
    if dtype != "auto":
        return dtype
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def save(model: Any, tokenizer: Any, folder: Path, weights: dict[str, torch.Tensor] | None = None) -> None:
    """Write a folder that plain transformers loads, model and tokenizer, and that behaves the same there.

    weights: by name, None for the model's own; given where those are split over several processes.
    """
    with quiet():
        model.save_pretrained(folder, state_dict=weights)
    save_tokenizer(tokenizer, folder)


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write the tokenizer's files, and only those: no GGUF, and settings that transformers 4 and 5 both read."""
    tokenizer.save_pretrained(folder)
    settings_file = folder / "tokenizer_config.json"
    settings = json.loads(settings_file.read_text(encoding="utf-8"))
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    settings["clean_up_tokenization_spaces"] = False
    for key in ("backend", "is_local", "local_files_only", "name_or_path"):
        settings.pop(key, None)
    settings_file.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


class quiet:  # noqa: N801
    """No progress bars of transformers while inside."""

    def __enter__(self) -> None:
        _progress.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        _progress.enable_progress_bar()


def _not_found(spec: str) -> InputError:
    return InputError(
        f"no model at {spec!r}",
        hint=f'name "smollm2", {", ".join(known())}, a folder with a config.json, a .gguf file, or a hub name '
        '"owner/name"',
    )


def _hub_hint(local: bool) -> str:
    if local:
        return "check that the folder holds a whole model: config.json, weights, tokenizer.json"
    return 'offline? the embedded model needs no hub: use "smollm2"; or name a local folder'
