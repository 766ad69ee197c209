"""The student before training: pretrained, or made from scratch."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pipeline.core.errors import RecipeError
from pipeline.models.architectures import build
from pipeline.models.fitting import check_student
from pipeline.models.lean import Lean
from pipeline.models.loading import load
from pipeline.recipe import StudentTable
from pipeline.training.state import blocks_of


def initial_model(
    student: StudentTable, tokenizer: Any, cache: Path, device: torch.device, sequence_length: int
) -> Any:
    """The transformers model that training begins with, in fp32 on `device`.

    Random weights of a model from scratch come from torch's global generator, which the caller seeds.
    """
    if student.init != "scratch":
        model = load(student.init, cache=cache, device=str(device), dtype="fp32").model
        check_student(student, sequence_length, model.config.to_dict())
        if student.layers:
            keep_layers(model, student.layers)
        return model
    model = build(
        student.architecture,
        vocabulary=len(tokenizer),
        positions=max(sequence_length, 2048),
        dropout=student.dropout,
        end=tokenizer.eos_token_id,
    )
    return model.to(device)


def keep_layers(model: Any, layers: Sequence[int]) -> None:
    """Remove all transformer blocks of `model` but these, in place; it is then a model of `len(layers)` layers.

    What its configuration says of each layer goes with the layers, and a model made anew from it computes the same.
    Raises RecipeError where it has no such layer, keeps its blocks in no one list, or is another model when it is made
    anew: then what would be exported is not what was trained.
    """
    config = model.config.get_text_config()
    count = int(config.num_hidden_layers)
    found = [
        (owner, name)
        for owner in model.modules()
        for name, child in owner.named_children()
        if isinstance(child, torch.nn.ModuleList) and len(child) == count
    ]
    if layers[-1] >= count:
        raise RecipeError(
            f"recipe: student.layers names layer {layers[-1]}, but the model of student.init has {count}, from 0",
            hint=f"name layers up to {count - 1}, e.g. every other one: {list(range(0, count, 2))}",
        )
    if len(found) != 1:
        raise RecipeError(
            f"recipe: student.layers: {type(model).__name__} has {len(found)} lists of {count} blocks, one is needed",
            hint="leave student.layers out: this architecture is taken whole",
        )
    [(owner, name)] = found
    blocks = torch.nn.ModuleList(getattr(owner, name)[number] for number in layers)
    for number, block in enumerate(blocks):
        for part in block.modules():
            for place in _PLACES:
                if hasattr(part, place):
                    setattr(part, place, number)
    setattr(owner, name, blocks)
    keep_in_config(config, layers, count)
    difference = _difference_anew(model)
    if difference:
        raise RecipeError(
            f"recipe: student.layers: a {type(model).__name__} of layers {list(layers)} is another model when it is "
            f"made from its config.json: {difference}",
            hint="leave student.layers out: this architecture is taken whole",
        )


_PLACES = ("layer_idx", "layer_id", "layer_number")
"""What architectures call a block's place, by which it finds its keys and values."""
_OF_LAYERS = ("layer", "block", "attention", "rope", "window")


def keep_in_config(config: Any, layers: Sequence[int], count: int) -> None:
    """Reduce what a configuration says of each of `count` layers to `layers`, in place.

    Lists with an entry for each layer (layer_types, no_rope_layers), lists of layers' numbers (mlp_only_layers), the
    first k that are dense (first_k_dense_replace), every n-th that is not (decoder_sparse_step).
    """
    step = getattr(config, "decoder_sparse_step", 1) or 1
    if step > 1:
        dense = [n for n in range(count) if n in (config.mlp_only_layers or ()) or (n + 1) % step]
        config.mlp_only_layers, config.decoder_sparse_step = dense, 1
    first = getattr(config, "first_k_dense_replace", None)
    if isinstance(first, int):
        config.first_k_dense_replace = sum(number < first for number in layers)
    for name, value in list(vars(config).items()):
        if not isinstance(value, list | tuple) or name == "attention_types" or not any(w in name for w in _OF_LAYERS):
            continue
        if name.endswith("only_layers"):
            setattr(config, name, [place for place, number in enumerate(layers) if number in value])
        elif len(value) == count:
            setattr(config, name, [value[number] for number in layers])
    if getattr(config, "attention_types", None) and getattr(config, "attention_layers", None):
        config.attention_types = [[list(config.attention_layers), 1]]  # GPT-Neo says both
    config.num_hidden_layers = len(layers)


@torch.no_grad()
def _difference_anew(model: Any) -> str:
    """How the model that transformers makes of `model`'s configuration and weights differs from it; "" for not."""
    try:
        anew = type(model)(copy.deepcopy(model.config)).to(model.device, next(model.parameters()).dtype)
        anew.load_state_dict(model.state_dict())
    except (RuntimeError, ValueError, IndexError, KeyError, TypeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"{' '.join(lines[:2]):.200}"
    ids = torch.arange(16, device=model.device)[None] % model.get_input_embeddings().weight.shape[0]
    ours, theirs = (one.eval()(input_ids=ids).logits for one in (model, anew))
    apart, size = float((ours - theirs).abs().max()), float(ours.abs().max())
    return f"its logits, of up to {size:.2g}, differ by {apart:.2g}" if apart > SAME * size else ""


SAME = 1e-5
"""Logits of one model, computed twice in one way, differ by a smaller share of the largest."""


def freeze(model: Any, count: int) -> None:
    """Take the first `count` blocks out of training. Raises RecipeError where none would be left."""
    blocks = blocks_of(model)
    if count and (count >= len(blocks) or not Lean.knows(model)):
        raise RecipeError(
            f"recipe: 'student.frozen_layers' should be less than the {len(blocks)} blocks of a plain Llama, Qwen2 or "
            f"Phi student, got {count} for {type(model).__name__} of this configuration",
            hint="lower it, or leave it out to train all blocks",
        )
    for block in blocks[:count]:
        block.requires_grad_(False)


def refuse_unsharded(student: StudentTable, on_policy: float = 0.0, hidden_weight: float = 0.0) -> None:
    """RecipeError for settings that need whole weights in a process: they compute past the hooks that gather them."""
    if on_policy:
        raise RecipeError(
            f"recipe: soft_targets.on_policy = {on_policy} needs whole weights in each process, "
            "got execution.parallel = 'fsdp'",
            hint='set execution.parallel = "ddp", or soft_targets.on_policy = 0',
        )
    if hidden_weight:
        raise RecipeError(
            f"recipe: soft_targets.hidden_weight = {hidden_weight} needs whole weights in each process, "
            "got execution.parallel = 'fsdp'",
            hint='set execution.parallel = "ddp", or soft_targets.hidden_weight = 0',
        )
    if student.keep == "best-pass@1":
        raise RecipeError(
            "recipe: student.keep = 'best-pass@1' needs whole weights in a process, which answers the exercises, "
            "got execution.parallel = 'fsdp'",
            hint='set execution.parallel = "ddp", or student.keep = "best"',
        )
    if student.frozen_layers or not student.prompt_gradient:
        raise RecipeError(
            "recipe: student.frozen_layers and student.prompt_gradient = false need whole weights in each process, "
            f"got execution.parallel = 'fsdp' with {student.frozen_layers} and {student.prompt_gradient}",
            hint='set execution.parallel = "ddp", or frozen_layers = 0 and prompt_gradient = true',
        )


def flops_of(student: StudentTable, model: Any, length: int) -> float | None:
    """`flops_per_token`, None where training leaves part of the products out: a share of the peak would be one of work
    that is not done."""
    partial = student.frozen_layers > 0 or not student.prompt_gradient
    return None if partial else flops_per_token(model, length)


def flops_per_token(model: Any, length: int) -> float:
    """Floating point operations of training on one token, as `hornbook plan` counts them (Kaplan et al. 2020, 2.1).

    6 per parameter, an input embedding of its own left out, and causal attention over rows of `length` tokens.
    """
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings()
    apart = 0 if head is not None and head.weight is embedding else embedding.numel()
    layers, hidden = len(blocks_of(model)), embedding.shape[1]
    return float(6 * (sum(p.numel() for p in model.parameters()) - apart) + 6 * layers * hidden * length)
