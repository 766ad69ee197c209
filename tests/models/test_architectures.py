"""The paper's shapes and what they cost."""

import sys
from pathlib import Path
from subprocess import run

import pytest
import torch

from pipeline.models.architectures import SHAPES, build, describe
from pipeline.models.loading import LoadedModel
from pipeline.models.sizes import SMOLLM2
from pipeline.recipe import PhaseTable, StudentTable, TokensTable


@pytest.mark.parametrize(("name", "low", "high"), [("phi-1", 1.25e9, 1.45e9), ("phi-1-small", 340e6, 360e6)])
def test_parameter_counts_on_the_meta_device(name: str, low: float, high: float) -> None:
    with torch.device("meta"):
        model = build(name, vocabulary=50_295, positions=2048, dropout=0.1, end=0)
    count = sum(p.numel() for p in model.parameters())
    assert low < count < high
    assert count == SHAPES[name].parameters(50_295)
    assert model.config.num_attention_heads * 64 == model.config.hidden_size
    assert model.model.rotary_emb.inv_freq.shape == (16,)


@pytest.mark.parametrize("name", ["phi-1-mini", "phi-1-nano"])
def test_small_shapes_count_tied_embeddings_once(name: str) -> None:
    with torch.device("meta"):
        model = build(name, vocabulary=1024, positions=256, dropout=0.0, end=0)
    assert sum(p.numel() for p in model.parameters()) == SHAPES[name].parameters(1024)


def test_phi_1_costs_what_the_paper_says_it_did() -> None:
    """Gunasekar et al. 2023: phi-1-base, 24,000 steps of 1,024 x 2,048 tokens, 770 A100-hours."""
    student = StudentTable(init="scratch", architecture="phi-1", phases=(PhaseTable(steps=24_000, batch=1024),))
    cost = describe(student, TokensTable(sequence_length=2048), corpus_tokens=0)
    assert cost.training_tokens == 24_000 * 1024 * 2048
    assert abs(cost.gpu_hours - 770) < 0.2 * 770
    assert cost.memory_bytes > 16 * cost.parameters


def test_epochs_and_caps_decide_the_tokens() -> None:
    tokens = TokensTable(repeat_corpus=2)
    student = StudentTable(phases=(PhaseTable(epochs=1.5), PhaseTable(epochs=1, max_tokens=500)))
    assert describe(student, tokens, corpus_tokens=1000).training_tokens == 3000 + 500


def test_the_embedded_model_has_the_parameters_that_plan_states(smollm2: LoadedModel) -> None:
    assert sum(p.numel() for p in smollm2.model.parameters()) == SMOLLM2["parameters"]


def test_a_folder_is_counted_from_its_files(tmp_path: Path, tiny: LoadedModel) -> None:
    tiny.model.save_pretrained(tmp_path)
    cost = describe(StudentTable(init=str(tmp_path)), TokensTable(), corpus_tokens=10)
    assert cost.parameters == sum(p.numel() for p in tiny.model.parameters())


def test_describing_imports_no_torch() -> None:
    code = "import sys, pipeline.models.architectures, pipeline.models.identities; sys.exit('torch' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0
