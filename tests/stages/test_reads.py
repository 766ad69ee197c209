"""What steps read outside the store, and so have in their keys: it changes when that does, and only then."""

import platform
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import walk
from pipeline.core.errors import InputError
from pipeline.recipe_text import load


def reads(step: str, *overrides: str) -> Any:
    return walk.named(step).reads(load("tiny", overrides).recipe)


@pytest.fixture
def weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are what they are called: none has to be here."""
    for name in ("stages.reads", "stages.quality.step", "stages.decontaminated.step", "stages.soft_targets.step",
                 "stages.student.step"):  # fmt: skip
        monkeypatch.setattr(f"pipeline.{name}.weights", lambda key, spec: {"weights": Path(spec).name})


def test_what_a_recipe_does_not_have_is_not_read() -> None:
    found = walk.reads(load("tiny", ["seeds.exercises=0", "seeds.textbooks=0", "sources.kind=stdlib"]).recipe)
    assert "raw-code" in found
    assert not {"seeds", "prompts", "completions", "samples-before", "soft-targets"} & found.keys()


def test_a_model_and_a_benchmark_that_several_stages_read_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def identity(spec: str) -> dict[str, str]:
        looked.append(spec)
        return {"weights": spec}

    def load_problems(name: str) -> Any:
        looked.append(name)
        return SimpleNamespace(digest=f"of {name}")

    monkeypatch.setattr("pipeline.models.identities.model_identity", identity)
    monkeypatch.setattr("pipeline.benchmarks.problems.load", load_problems)
    recipe = load(
        "tiny",
        [
            "student.init=smollm2",
            "tokens.tokenizer=student",
            'evaluation.benchmarks=["composed", "held-out"]',
        ],
    ).recipe
    found = walk.reads(recipe)
    assert found["tokens"] == found["student"] == found["samples-before"][0] == {"weights": "smollm2"}
    assert found["decontaminated"] == found["scores"] == {"composed": "of composed"}
    assert sorted(looked) == ["composed", "smollm2"]
    assert walk.reads(recipe) == found
    assert len(looked) == 4, "what lies there may be another thing by the next call"


def test_the_maker_of_tasks_is_read_where_a_teacher_is_given_them() -> None:
    assert "tasks" not in reads("seeds")
    assert "tasks" in reads("seeds", "teachers.composer.tests=seed")


def test_real_code_is_its_contents_the_standard_library_its_version_and_a_dataset_its_name(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    file = tmp_path / "code" / "a.py"
    file.write_text("a = 1\n")
    folder = ("sources.kind=folder", f"sources.path={tmp_path / 'code'}")
    one = reads("raw-code", *folder)
    assert reads("raw-code", *folder) == one
    file.write_text("a = 2\n")
    assert reads("raw-code", *folder) != one
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "a"}\n')
    dataset = ("sources.kind=dataset", f"sources.path={rows}")
    one = reads("raw-code", *dataset)
    rows.write_text('{"text": "b"}\n')
    assert reads("raw-code", *dataset) != one
    assert reads("raw-code", "sources.kind=stdlib") == {"python": platform.python_version()}
    assert reads("raw-code", "sources.kind=dataset", "sources.path=owner/name") == {"name": "owner/name"}


@pytest.mark.parametrize(("kind", "wanted"), [("folder", "a folder"), ("dataset", "a file or folder")])
def test_code_that_is_not_there_is_named_with_what_is_wanted(tmp_path: Path, kind: str, wanted: str) -> None:
    with pytest.raises(InputError, match=f"sources.path: there is no {wanted.removeprefix('a ')} at") as error:
        reads("raw-code", f"sources.kind={kind}", f"sources.path={tmp_path / 'gone'}")
    assert error.value.hint == f"name {wanted} that is there"


@pytest.mark.usefixtures("weighed")
def test_the_value_classifier_reads_its_embedding_its_judge_and_its_template() -> None:
    assert reads("quality") is None
    thinned = reads("quality", "quality.flatten=0.5", "quality.embedding=e")
    assert thinned == {"embedding": {"weights": "e"}}
    server = ("kind=openai", "model=m", "base_url=http://127.0.0.1:9/v1")
    valued = ("quality.classifier=true", "quality.embedding=e", *(f"teachers.composer.{one}" for one in server))
    judged = reads("quality", *valued)
    assert judged.keys() >= {"embedding", "judge", "template"}
    other = reads("quality", *valued, "teachers.composer.model=other")
    assert {name for name in judged if judged[name] != other[name]} == {"judge"}


@pytest.mark.usefixtures("weighed")
def test_a_saved_value_model_is_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.stages.quality.classifier import FILE

    monkeypatch.setattr("pipeline.stages.quality.valuing.reused", lambda model, embedding: None)
    saved = ("quality.classifier=true", "quality.embedding=e", f"quality.model={tmp_path}")
    (tmp_path / FILE).write_bytes(b"one")
    one = reads("quality", *saved)
    assert one.keys() == {"embedding", "model"}
    (tmp_path / FILE).write_bytes(b"two")
    assert reads("quality", *saved)["model"] != one["model"]


@pytest.mark.usefixtures("weighed")
def test_an_encoder_is_read_where_hidden_states_are_compared() -> None:
    benchmarks = reads("decontaminated")
    assert benchmarks.keys() == {"composed"}
    compared = ("decontaminated.embedding=0.9", "decontaminated.encoder=e")
    assert reads("decontaminated", *compared) == [benchmarks, {"weights": "e"}]


@pytest.mark.usefixtures("weighed")
def test_a_teacher_of_soft_targets_is_read_by_the_stage_that_asks_it() -> None:
    assert reads("student") is None
    cached, online = ("soft_targets.teacher=t",), ("soft_targets.teacher=t", "soft_targets.mode=online")
    assert reads("student", *cached) is None
    assert reads("soft-targets", *cached) == {"weights": "t"}
    assert reads("student", *online) == [None, {"weights": "t"}]


def test_a_tokenizer_of_ones_own_is_the_files_that_make_one(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    own = (f"tokens.tokenizer={tmp_path}",)
    one = reads("tokens", *own)
    assert one[0] is None
    (tmp_path / "model.safetensors").write_text("weights are no tokenizer")
    assert reads("tokens", *own) == one
    for name in ("vocab.json", "merges.txt", "special_tokens_map.json", "spiece.model"):
        (tmp_path / name).write_text("{}")
        assert reads("tokens", *own) != one
        one = reads("tokens", *own)
    assert reads("tokens") is None


def test_a_tokenizer_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tokens\.tokenizer: no tokenizer at"):
        reads("tokens", f"tokens.tokenizer={tmp_path / 'gone'}")
