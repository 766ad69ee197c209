"""The lean forward computes what transformers computes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import models_made
import pytest
import torch
from transformers import AutoConfig

from pipeline.core.errors import RecipeError
from pipeline.models.engines import LeanEngine, TransformersEngine
from pipeline.models.fitting import check_recipe
from pipeline.models.lean import Lean, causal, packed
from pipeline.models.loading import LoadedModel
from pipeline.models.sizes import not_lean
from pipeline.recipe import Recipe


def test_lean_logits_equal_transformers_logits(tiny: LoadedModel) -> None:
    if not Lean.knows(tiny.model):
        return
    ids = torch.randint(0, tiny.model.config.vocab_size, (3, 17))
    for lean in (Lean(tiny.model), Lean(tiny.model, packed)):
        with torch.no_grad():
            hidden = lean.hidden(ids, lean.rotary(torch.arange(17)[None]), causal())
            torch.testing.assert_close(lean.lm_head(hidden), tiny.model(ids).logits, rtol=1e-5, atol=1e-5)


NOT_PLAIN: list[tuple[str, dict[str, Any], str]] = [
    *((kind, {}, "") for kind in ("llama", "qwen2", "phi")),
    ("gpt2", {}, "model_type 'gpt2'"),
    ("mistral", {}, "model_type 'mistral'"),
    ("llama", {"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_type 'linear'"),
    ("qwen2", {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "rope_type 'dynamic'"),
    ("phi", {"rope_scaling": {"rope_type": "linear", "factor": 4.0}}, "rope_type 'linear'"),
    ("llama", {"rope_scaling": {"rope_type": "default"}}, ""),
    ("llama", {"pretraining_tp": 2}, "pretraining_tp 2"),
    ("llama", {"hidden_act": "gelu"}, "hidden_act 'gelu'"),
    ("qwen2", {"use_sliding_window": True}, "use_sliding_window True"),
    ("phi", {"hidden_act": "relu"}, "hidden_act 'relu'"),
    ("phi", {"qk_layernorm": True}, "qk_layernorm True"),
]


@pytest.mark.parametrize(("kind", "settings", "found"), NOT_PLAIN)
def test_a_config_json_tells_what_the_model_itself_does(kind: str, settings: dict[str, Any], found: str) -> None:
    """So `plan` refuses what training would, and nothing else: a file may leave out what transformers fills in."""
    assert not_lean({"model_type": kind, **settings}) == found
    assert not_lean(AutoConfig.for_model(kind, **settings).to_dict()) == found


def test_what_is_no_table_of_positions_is_left_to_transformers() -> None:
    assert not_lean({"model_type": "llama", "rope_scaling": "linear"}) == ""


def test_a_student_whose_positions_are_stretched_is_refused_by_plan(tmp_path: Path) -> None:
    """As Llama 3.1 and later are."""
    init = models_made.folder("llama", tmp_path, rope_scaling={"rope_type": "linear", "factor": 2.0})
    for setting, value in (("prompt_gradient", False), ("frozen_layers", 1)):
        recipe = Recipe.model_validate(
            {"tokens": {"sequence_length": 32}, "student": {"init": str(init), setting: value}}
        )
        with pytest.raises(RecipeError, match="needs a plain Llama, Qwen2 or Phi student, got rope_type 'linear'"):
            check_recipe(recipe, tmp_path)


def test_cached_steps_equal_one_pass_over_everything(tiny: LoadedModel) -> None:
    vocabulary = tiny.model.config.vocab_size
    prompts = [torch.randint(0, vocabulary, (n,)).tolist() for n in (9, 4, 1)]
    tokens = torch.randint(0, vocabulary, (5, 3)).tolist()
    engine = (LeanEngine if Lean.knows(tiny.model) else TransformersEngine)(tiny.model, 3, 32)
    logits = [engine.admit(prompts), *(engine.step(step) for step in tokens)]
    for row, prompt in enumerate(prompts):
        whole = torch.tensor([prompt + [step[row] for step in tokens]])
        with torch.no_grad():
            want = tiny.model(whole).logits[0, len(prompt) - 1 :]
        torch.testing.assert_close(torch.stack([entry[row] for entry in logits]), want, rtol=1e-4, atol=1e-4)


def test_rows_that_leave_do_not_disturb_those_that_stay(tiny: LoadedModel) -> None:
    prompts = [[1, 2, 3], [4, 5], [6, 7, 8, 9]]
    kind = LeanEngine if Lean.knows(tiny.model) else TransformersEngine
    engine, alone = kind(tiny.model, 3, 32), kind(tiny.model, 1, 32)
    engine.admit(prompts)
    alone.admit(prompts[2:])
    engine.keep([2])
    torch.testing.assert_close(engine.step([5]), alone.step([5]), rtol=1e-4, atol=1e-4)
    if engine.joins:
        joined = engine.admit([[1, 2]])
        torch.testing.assert_close(joined, kind(tiny.model, 1, 32).admit([[1, 2]]), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(engine.step([7, 8])[:1], alone.step([7]), rtol=1e-4, atol=1e-4)


_EVERY_PRECISION = """
import torch
from pipeline.models.lean import packed
torch.manual_seed(0)
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    for bias in (False, True):
        layers = [torch.nn.Linear(24, size, bias=bias).to(dtype) for size in (8, 40)]
        (product,) = packed(layers)
        x = torch.randn(2, 3, 24).to(dtype)
        with torch.inference_mode():
            wanted = torch.cat([layer(x) for layer in layers], -1)
            torch.testing.assert_close(product(x), wanted, rtol=0.02, atol=0.02)
print("equal")
"""


@pytest.mark.parametrize("limits", [{}, {"ATEN_CPU_CAPABILITY": "avx2", "DNNL_MAX_CPU_ISA": "AVX2"}])
def test_weights_of_every_precision_are_multiplied_on_every_cpu(limits: dict[str, str]) -> None:
    """oneDNN lays out half precision for some CPUs alone."""
    done = subprocess.run(
        [sys.executable, "-c", _EVERY_PRECISION], env=os.environ | limits, capture_output=True, text=True, check=False
    )
    assert done.stdout == "equal\n", done.stderr
