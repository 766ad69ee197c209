"""Whether a pretrained model can be trained as a recipe says, by its config.json or header: before anything is made.

No torch here: `hornbook plan` reads this module.
"""

from pathlib import Path
from typing import Any

from pipeline.core.errors import RecipeError
from pipeline.models.architectures import SHAPES, positions_of
from pipeline.models.folders import check_folder, read_json
from pipeline.models.sizes import config_of, layer_count, not_lean
from pipeline.recipe import Recipe, StudentTable


def check_recipe(recipe: Recipe, models: Path) -> None:
    """Look at the models that the recipe trains or learns from, where they are on this machine.

    models: the folder of fetched models. Raises InputError for a folder that holds no whole causal language model, and
    RecipeError for settings that its model cannot follow.
    """
    length = recipe.tokens.sequence_length
    if recipe.soft_targets.teacher:
        config = config_of(recipe.soft_targets.teacher, models)
        _check_states(recipe, config, "a teacher")
        if config.get("model_type") is None or not_lean(config):  # the others turn positions, which have no end
            _check_length(length, config, "soft_targets.teacher")
    for table in recipe.teachers:
        if table.weights:
            check_folder(table.weights)
    student = recipe.student
    if student.init == "scratch":
        return
    config = config_of(student.init, models)
    check_student(student, length, config)
    _check_states(recipe, config, "a student")
    if recipe.tokens.tokenizer == "student":
        _check_vocabulary(Path(student.init), config)


def check_scratch(recipe: Recipe) -> None:
    """Raise RecipeError for a student from scratch that cannot be; a run that ends with its corpus needs none."""
    if recipe.student.init != "scratch":
        return
    shape, tokens = SHAPES[recipe.student.architecture], recipe.tokens
    if tokens.tokenizer == "student":
        raise RecipeError(
            "recipe: tokens.tokenizer = 'student' needs a pretrained student, but student.init = 'scratch'",
            hint='set tokens.tokenizer = "train", or a folder or hub name ("Salesforce/codegen-350M-mono")',
        )
    if tokens.tokenizer == "train" and 0 < shape.vocabulary < tokens.vocabulary:
        raise RecipeError(
            f"recipe: tokens.vocabulary = {tokens.vocabulary}, but {recipe.student.architecture} has room for "
            f"{shape.vocabulary}",
            hint=f"set tokens.vocabulary = {shape.vocabulary} or less",
        )
    check_student(recipe.student, tokens.sequence_length, {"model_type": "phi", "num_hidden_layers": shape.layers})


def check_student(student: StudentTable, sequence_length: int, config: dict[str, Any]) -> None:
    """Raise RecipeError for settings that a model of this config.json cannot follow; {} stands for one that is not
    known yet."""
    _check_length(sequence_length, config, "student.init")
    count = layer_count(config)
    if count and student.layers and student.layers[-1] >= count:
        raise RecipeError(
            f"recipe: student.layers names layer {student.layers[-1]}, but the model of student.init has {count}, "
            "from 0",
            hint=f"name layers up to {count - 1}, e.g. every other one: {list(range(0, count, 2))}",
        )
    kept = len(student.layers) or count
    if kept and student.frozen_layers >= kept:
        raise RecipeError(
            f"recipe: student.frozen_layers should be less than the student's {kept} layers, got "
            f"{student.frozen_layers}",
            hint="lower it, or leave it out to train all layers",
        )
    found = not_lean(config)
    if not found:
        return
    if not student.prompt_gradient:
        raise RecipeError(
            f"recipe: student.prompt_gradient = false needs a plain Llama, Qwen2 or Phi student, got {found}",
            hint="set student.prompt_gradient = true",
        )
    if student.frozen_layers:
        raise RecipeError(
            f"recipe: student.frozen_layers = {student.frozen_layers} needs a plain Llama, Qwen2 or Phi student, got "
            f"{found}",
            hint="set student.frozen_layers = 0",
        )


def _check_states(recipe: Recipe, config: dict[str, Any], which: str) -> None:
    weight, found = recipe.soft_targets.hidden_weight, not_lean(config)
    if weight and found:
        raise RecipeError(
            f"recipe: soft_targets.hidden_weight = {weight} needs plain Llama, Qwen2 or Phi models, got {which} of "
            f"{found}",
            hint="set soft_targets.hidden_weight = 0 for soft targets alone",
        )


def _check_length(sequence_length: int, config: dict[str, Any], key: str) -> None:
    positions = positions_of(config)
    if positions is not None and sequence_length > positions:
        raise RecipeError(
            f"recipe: tokens.sequence_length = {sequence_length}, but the model of {key} reads at most {positions} "
            "tokens at once",
            hint=f"set tokens.sequence_length = {positions} or less",
        )


def _check_vocabulary(folder: Path, config: dict[str, Any]) -> None:
    """Raise RecipeError where the folder's tokenizer has entries beyond the model's embeddings."""
    file = folder / "tokenizer.json"
    rows = config.get("vocab_size") or (config.get("text_config") or {}).get("vocab_size")
    if not file.is_file() or not isinstance(rows, int):
        return
    tokenizer = read_json(file)
    entries = tokenizer.get("model", {}).get("vocab") or {}
    numbers = range(len(entries)) if isinstance(entries, list) else entries.values()
    added = [token.get("id", 0) for token in tokenizer.get("added_tokens") or ()]
    count = max([*numbers, *added], default=-1) + 1
    if count > rows:
        raise RecipeError(
            f"recipe: the tokenizer of student.init has {count:,} entries, its model embeddings for {rows:,}",
            hint="the tokenizer belongs to another model, or the model was saved before resize_token_embeddings",
        )
