"""The training loop over images: resumed bit for bit, watched, exported as transformers loads it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made import AUGMENTATION, BACKBONE, OBJECTIVE, TRAINING, pool
from transformers import Dinov2Model, Dinov2WithRegistersModel

from pipeline.core.errors import InputError, TrainingError
from pipeline.core.events import silent
from pipeline.execution import Execution
from pipeline.recipe_images import BackboneTable, DistillationTable, ObjectiveTable
from pipeline.vision import backbone, cached
from pipeline.vision.heads import load_heads, save_heads
from pipeline.vision.objectives.labelled import Labelled
from pipeline.vision.objectives.regression import Regression
from pipeline.vision.objectives.self_distillation import SelfDistillation
from pipeline.vision.training import Trained, train

ALWAYS = Execution(threads=1, checkpoint_seconds=1e-9)


class Killed(Exception):
    """Stands in for a kill at a step."""


def killed_at(step: int) -> Callable[[Any], None]:
    def on_event(event: Any) -> None:
        if event["event"] == "checkpoint" and event["step"] == step:
            raise Killed

    return on_event


def own(network: Any, statistics: backbone.Statistics, table: ObjectiveTable = OBJECTIVE) -> SelfDistillation:
    return SelfDistillation(network, table, AUGMENTATION, statistics)


def labelled(network: Any, statistics: backbone.Statistics) -> Labelled:
    return Labelled(network, pool().classes()[1], AUGMENTATION, statistics)


def trained(
    out: Path, make: Any = own, on_event: Any = silent, table: BackboneTable = BACKBONE, **more: Any
) -> Trained:
    settings: dict[str, Any] = {"about": "test", "seed": 3, "out": out, "execution": ALWAYS} | more
    return train(pool(), table, TRAINING, make, on_event=on_event, **settings)


def regression(folder: Path) -> Any:
    images, device = pool(), torch.device("cpu")
    torch.manual_seed(0)
    teacher = backbone.build(BACKBONE.model_copy(update={"width": 32}), 1, 8).eval()
    folder.mkdir()
    batches = images.batches(10, device)
    cached.write(folder, teacher, images.statistics(), batches, len(images), 2, AUGMENTATION, 3, silent)
    features = cached.CachedFeatures(folder)
    assert (features.views, features.width) == (2, 32)
    return lambda network, s: Regression(network, features, DistillationTable(), AUGMENTATION, s, 3)


@pytest.mark.parametrize("which", ["own", "softmax", "labelled", "regression"])
def test_a_resumed_training_is_the_uninterrupted_one_bit_for_bit(which: str, tmp_path: Path) -> None:
    softened = OBJECTIVE.model_copy(update={"centring": "softmax"})
    make: Any = {
        "own": own,
        "softmax": lambda network, s: own(network, s, softened),
        "labelled": labelled,
        "regression": regression(tmp_path / "cached") if which == "regression" else None,
    }[which]
    table = BACKBONE.model_copy(update={"drop_path": 0.2})
    whole = trained(tmp_path / "whole", make, table=table)
    for step in (2, 4):
        with pytest.raises(Killed):
            trained(tmp_path / "cut", make, killed_at(step), table=table)
    again = trained(tmp_path / "cut", make, table=table)
    assert again.loss == whole.loss
    weights = [Dinov2Model.from_pretrained(tmp_path / d / "model") for d in ("whole", "cut")]
    states = [model.state_dict() for model in weights]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert not (tmp_path / "cut" / "checkpoints").exists()


@pytest.mark.parametrize(("registers", "kind"), [(0, Dinov2Model), (2, Dinov2WithRegistersModel)])
def test_transformers_loads_the_model_unchanged(registers: int, kind: Any, tmp_path: Path) -> None:
    seen: list[Any] = []

    def finish(objective: Any, folder: Path) -> None:
        save_heads(objective.kept_heads, folder)
        seen.append(objective.kept)

    trained(tmp_path, table=BACKBONE.model_copy(update={"registers": registers}), finish=finish)
    images = torch.rand(2, 1, 12, 12)
    loaded = kind.from_pretrained(tmp_path / "model").eval()
    opened = backbone.open_folder(tmp_path / "model")
    assert (opened.size, opened.channels) == (8, 1)
    assert opened.statistics == pool().statistics()
    with torch.no_grad():
        found, own_ = backbone.tokens(seen[0], images), backbone.tokens(opened.model, images)
        assert torch.equal(loaded(images).last_hidden_state[:, 0], found.of_class)
    assert found.patches.shape == (2, 9, 16)
    assert torch.equal(found.patches, own_.patches)
    heads = load_heads(tmp_path / "model")
    assert heads is not None
    assert heads.prototypes == 16


def test_the_teacher_moves_slowly_and_prototypes_are_held_at_first(tmp_path: Path) -> None:
    starts: list[Any] = []

    def make(network: Any, statistics: backbone.Statistics) -> SelfDistillation:
        objective = own(network, statistics, OBJECTIVE.model_copy(update={"frozen_steps": 100}))
        starts.append((objective, objective.heads.of_class.prototypes.detach().clone(), network))
        return objective

    trained(tmp_path, make)
    objective, prototypes, network = starts[0]
    assert torch.equal(objective.heads.of_class.prototypes, prototypes)
    pairs = zip(objective.kept.parameters(), network.parameters(), strict=True)
    assert max(float((kept - moved).detach().abs().max()) for kept, moved in pairs) > 0


def test_features_that_collapse_stop_the_training_and_name_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.vision import collapse, training

    monkeypatch.setattr(training, "LOOK_STEPS", 1)
    monkeypatch.setattr(collapse, "LEAST_SPREAD", 2.0)
    with pytest.raises(
        TrainingError, match=r"collapsed: their spread is .* wanted at least 2.0 at step 3 of 6"
    ) as told:
        trained(tmp_path)
    assert f"the last good checkpoint is {tmp_path}/checkpoints/step-00000002" in told.value.hint


def test_health_of_points_lines_and_spheres() -> None:
    from pipeline.vision.collapse import health

    point = health(torch.ones(32, 8))
    assert point.spread == pytest.approx(0, abs=1e-5)
    line = health(torch.eye(8)[:1] + torch.linspace(-1, 1, 32)[:, None] * torch.eye(8)[1:2])
    assert 1 <= line.rank < 2.2
    sphere = health(torch.randn(512, 8, generator=torch.Generator().manual_seed(0)))
    assert sphere.spread > 0.9
    assert sphere.rank > 7.5


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("config.json", '{"model_type": "dinov2", "hidden_size": -1}', "cannot be loaded: RuntimeError"),
        ("config.json", '{"model_type": "dinov2", "image_size": [8, 8]}', "cannot be loaded"),
        ("config.json", '{"model_type": "gpt2"}', "holds a model of type 'gpt2'"),
        ("model.safetensors", "no weights", "cannot be loaded: SafetensorError"),
        ("preprocessor_config.json", '{"image_mean": 0.5}', "cannot be loaded: TypeError"),
        ("preprocessor_config.json", '{"image_mean": ["grey"]}', "cannot be loaded: ValueError"),
    ],
)
def test_a_folder_that_is_no_network_is_told_in_one_line(tmp_path: Path, file: str, text: str, told: str) -> None:
    backbone.build(BACKBONE, 1, 8).save_pretrained(tmp_path)
    (tmp_path / file).write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        backbone.open_folder(tmp_path)
    assert "\n" not in caught.value.message
