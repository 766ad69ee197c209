"""Loading a causal LM by short name, folder, hub name or GGUF file, with the same tokenizer behaviour for all."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from pipeline.core.errors import InputError, UsageError
from pipeline.models.conversion import converted
from pipeline.models.fetching import Tell, to_stderr
from pipeline.models.folders import check_folder, check_kind
from pipeline.models.identities import identity_of, is_hub_name
from pipeline.models.prompts import start_ids
from pipeline.models.specs import ModelFile, file_of, not_found

Dtype = Literal["auto", "fp32", "bf16", "fp16"]
_progress: Any = logging
HUB_SECONDS = 10
"""Longest wait for the hub to say whether it has a model."""
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in evaluation mode with its tokenizer.

    model: a transformers causal LM. tokenizer: its fast tokenizer, never cleaning up spaces. identity: what the weights
    are (source, digest of the files), for keys and for `Sample.checkpoint`; equal identities mean equal weights and
    tokenizer, wherever they are on disk. packed: a copy of the weights laid out for generation, made when it is first
    needed, and anew where the model's have changed.
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
    """`device`, or for "auto" the first GPU where torch sees one, else the CPU.

    Raises UsageError for a device that torch does not know or that does not compute here.
    """
    if device != "auto":
        try:
            torch.ones(1, device=device).item()
        except Exception as error:  # each backend says in its own way that it is not there
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UsageError(
                f"the device {device!r:.60} cannot be used: {why:.200}",
                hint='use "auto", "cpu", or "cuda" where torch sees a GPU',
            ) from error
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("cpu")


def source_folder(spec: str, cache: Path, tell: Tell = to_stderr) -> str:
    """What transformers can load for `spec`: a folder (converted from GGUF where need be) or the hub name itself.

    tell: hears of a download.

    Raises InputError where there is no such folder or file, and for a name that the hub does not have or that cannot be
    asked there: a mistyped folder looks like a name.
    """
    return _source(spec, file_of(spec), cache, tell)


def _source(spec: str, file: ModelFile | None, cache: Path, tell: Tell) -> str:
    if file is not None:
        return str(converted(file.here(cache, tell), cache, file.sha256))
    path = Path(spec)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError(
                f"{spec} has no config.json, so it is not a Hugging Face model folder",
                hint="name the folder that `save_pretrained` wrote (for a run of ours: student/.../model)",
            )
        return spec
    if not is_hub_name(spec):
        raise not_found(spec)
    _ask_hub(spec)
    return spec


def _ask_hub(name: str) -> None:
    """Raise InputError unless the hub's cache or the hub has a model of that name; one question, no second try."""
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.constants import HF_HUB_OFFLINE
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        if isinstance(try_to_load_from_cache(name, "config.json"), str):
            return
        if HF_HUB_OFFLINE:
            raise not_found(name, "the hub is switched off by HF_HUB_OFFLINE, and its cache does not have it")
        HfApi().model_info(name, timeout=HUB_SECONDS)
    except HFValidationError as error:
        raise not_found(name, "and no name that the hub could have") from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "no status")
        raise not_found(
            name, f"the hub answers {status}: no such model, or one for which no access is given"
        ) from error
    except InputError:
        raise
    except Exception as error:  # of whichever HTTP client the hub's library has today
        raise not_found(name, f"the hub cannot be reached ({type(error).__name__})") from error


def load(spec: str, *, cache: Path, device: str = "auto", dtype: Dtype = "auto", tell: Tell = to_stderr) -> LoadedModel:
    """Load the causal LM that `spec` names, in evaluation mode.

    spec: "smollm2" (embedded), a name of `data/models.toml`, an HF folder, a GGUF file, or a hub name "owner/name".
    cache: folder for fetched and converted models; tell: hears of a download. dtype: "auto" is fp32 on the CPU and bf16
    on a GPU that has it. Attention is the fastest kind that the architecture has. Names of weights that torch.compile,
    DataParallel or FSDP have put something before are mended.

    Raises InputError where nothing loadable is there, and where weights are missing, of another shape than config.json
    says, or not finite; MissingExtra where the embedded model is not installed.
    """
    file = file_of(spec)
    source = _source(spec, file, cache, tell)
    check_folder(source)
    local = Path(source).is_dir()
    where = pick_device(device)
    kind = _DTYPES[pick_dtype(dtype, where)]
    tokenizer = load_tokenizer(source)
    model = _weights(spec, source, dtype=kind, local_files_only=local).to(where).eval()
    _check_entries(spec, tokenizer, int(model.get_input_embeddings().weight.shape[0]))
    identity = identity_of(spec, file)
    if identity["kind"] == "hub":
        identity["revision"] = str(getattr(model.config, "_commit_hash", None) or "unknown")
    return LoadedModel(model, tokenizer, identity)


_WRAPPERS = {
    r"(^|\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.": r"\1",
    r"^module\.": "",
}
"""What is put before weights' names by what a model was wrapped in when it was saved."""


def _weights(spec: str, source: str, **settings: Any) -> Any:
    """The model with its weights; see `load`."""
    try:
        with quiet():
            model, info = _from_pretrained(source, settings)
            if info["missing_keys"] and any(re.search(mark, n) for mark in _WRAPPERS for n in info["unexpected_keys"]):
                model, info = _from_pretrained(source, {**settings, "key_mapping": _WRAPPERS})
    except Exception as error:  # what transformers and those below it raise has no common root
        message = str(error).strip().splitlines()
        raise InputError(
            f"the model {spec!r} could not be loaded: {type(error).__name__}: {message[0] if message else ''}",
            hint=_hub_hint(Path(source).is_dir()),
        ) from error
    _check_weights(spec, model, info)
    return model


def _from_pretrained(source: str, settings: dict[str, Any]) -> Any:
    return AutoModelForCausalLM.from_pretrained(
        source, output_loading_info=True, ignore_mismatched_sizes=True, **settings
    )


def _check_weights(spec: str, model: Any, info: dict[str, Any]) -> None:
    """Raise InputError for weights that would be random, or are not numbers: such a model scores 0 without a word."""
    check_kind(model.config.to_dict(), spec)
    for entry in info["mismatched_keys"]:
        name, found, wanted = entry if isinstance(entry, tuple | list) else (entry, "another", "that of config.json")
        raise InputError(
            f"the model {spec!r} has {name} of shape {_shape(found)}, config.json wants {_shape(wanted)}",
            hint="weights and config.json belong to two models: take both from one",
        )
    missing = sorted(info["missing_keys"])
    if missing:
        head = any(name.startswith(("lm_head", "embed_out", "output")) for name in missing)
        raise InputError(
            f"the model {spec!r} lacks {len(missing)} of its weights: {', '.join(missing[:3])}"
            + (", ..." if len(missing) > 3 else ""),
            hint='where the output layer is the input embedding, set "tie_word_embeddings": true in config.json'
            if head and len(missing) == 1
            else "the weights are of another architecture than config.json says, or not whole: save the model again "
            "with save_pretrained",
        )
    named = [(name, weight) for name, weight in model.named_parameters() if weight.is_floating_point()]
    norms = torch._foreach_norm([weight.detach().view(-1) for _, weight in named])
    for (name, weight), norm in zip(named, norms, strict=True):
        wrong = 0 if bool(torch.isfinite(norm)) else int((~torch.isfinite(weight)).sum())
        if wrong:
            raise InputError(
                f"the model {spec!r} has {wrong:,} values in {name} that are not finite numbers",
                hint="its training diverged, or the file is damaged: use an earlier checkpoint, or download it again",
            )


def _shape(value: Any) -> str:
    return str(tuple(value)) if not isinstance(value, str) else value


def _check_entries(spec: str, tokenizer: Any, rows: int) -> None:
    """Raise InputError where text can become a token for which the model has no embedding. Special tokens that the
    tokenizer never makes of itself, such as padding, may be without."""
    special = set(tokenizer.all_special_tokens)
    used = {tokenizer.eos_token, *tokenizer.convert_ids_to_tokens(start_ids(tokenizer))}
    beyond = {
        number: token
        for token, number in tokenizer.get_vocab().items()
        if number >= rows and (token not in special or token in used)
    }
    if beyond:
        first = min(beyond)
        raise InputError(
            f"the model {spec!r} has embeddings for {rows:,} tokens, its tokenizer makes {len(beyond):,} beyond them, "
            f"e.g. {beyond[first]!r} ({first})",
            hint="the tokenizer belongs to another model, or the model was saved before resize_token_embeddings",
        )


def load_tokenizer(source: str) -> Any:
    """The fast tokenizer of a folder or hub name, with the behaviour that code needs.

    Decoding changes no spaces, and there is a padding token. What it puts before a text is left to it
    (`pipeline.models.prompts`). Raises InputError where there is none that can be read.
    """
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                source, local_files_only=Path(source).is_dir(), clean_up_tokenization_spaces=False
            )
    except Exception as error:  # transformers, tokenizers and those below raise what they like
        message = str(error).strip().splitlines()
        raise InputError(
            f"the tokenizer of {source!r} could not be loaded: {type(error).__name__}: {message[0] if message else ''}",
            hint="the folder needs a whole tokenizer.json and tokenizer_config.json, as `save_pretrained` writes them",
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    # A document longer than the context is no mistake: it is packed. Prompts that leave no room are dropped by name.
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True
    return tokenizer


def pick_dtype(dtype: Dtype, device: torch.device) -> Literal["fp32", "bf16", "fp16"]:
    """`dtype`, or for "auto": fp32 on the CPU (greedy answers there do not depend on the machine), bf16 on a GPU."""
    if dtype != "auto":
        return dtype
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"


def name_of(kind: torch.dtype) -> str:
    """The name of an arithmetic, as `Dtype` has it."""
    return next((name for name, dtype in _DTYPES.items() if dtype == kind), str(kind))


def save(model: Any, tokenizer: Any, folder: Path, weights: dict[str, torch.Tensor] | None = None) -> None:
    """Write a folder that plain transformers loads, model and tokenizer, and that behaves the same there.

    weights: by name, None for the model's own; given where those are split over several processes.
    """
    with quiet():
        model.save_pretrained(folder, state_dict=weights)
    save_tokenizer(tokenizer, folder)


def ended_by(model: Any, end: int) -> None:
    """Let generation with `model` end at the token `end`, whatever else ends it: a student ends as its documents do."""
    for config in (model.generation_config, model.config):
        named = config.eos_token_id
        ends = list(named) if isinstance(named, list | tuple) else [] if named is None else [named]
        if end not in ends:
            config.eos_token_id = [*ends, end] if ends else end


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
    """No progress bars and no reports of transformers while inside: what matters in them is said as an error."""

    def __enter__(self) -> None:
        self._verbosity = _progress.get_verbosity()
        _progress.set_verbosity_error()
        _progress.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        _progress.set_verbosity(self._verbosity)
        _progress.enable_progress_bar()


def _hub_hint(local: bool) -> str:
    if local:
        return "check that the folder holds a whole model: config.json, weights, tokenizer.json"
    return 'offline? the embedded model needs no hub: use "smollm2"; or name a local folder'
