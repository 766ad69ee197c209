"""Teachers that a run goes on without: nothing is fetched that is not needed, and nobody is left out who is here."""

from pathlib import Path

import pytest

from pipeline.core.errors import DiskFull, HornbookError, InputError, RecipeError
from pipeline.models.named import Located, NamedModel
from pipeline.recipe_text import load
from pipeline.run import optional
from pipeline.run.costs import estimate
from pipeline.run.optional import Present, present
from pipeline.run.run import planned
from pipeline.store.places import places

MODEL = "qwen2.5-coder-0.5b"


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No model is here, and none can be had; the names of those that were tried."""
    tried: list[str] = []

    def fail(model: NamedModel, models: Path, tell: object) -> Path:
        tried.append(model.name)
        raise HornbookError(f"{model.name}: no network", hint="bring the file")

    monkeypatch.setattr(optional, "fetch", fail)
    monkeypatch.setattr(optional, "located", lambda model, models: None)
    return tried


def settle(tmp_path: Path, *overrides: str) -> Present:
    loaded, at = load("first-run", overrides), places(str(tmp_path))
    return present(loaded, planned(loaded, at).plan, at, print)


def test_where_the_model_cannot_be_had_the_recording_is_all_there_is(tmp_path: Path, fetched: list[str]) -> None:
    found = settle(tmp_path)
    assert fetched == [MODEL]
    assert found.left_out == ("without teacher 'live': qwen2.5-coder-0.5b: no network; bring the file",)
    assert [table.name for table in found.loaded.recipe.teachers] == ["recorded", "solver"]
    plain = load("first-run", ["teachers.solver.otherwise="]).recipe.teachers[:2]
    assert found.loaded.recipe.teachers == plain
    assert load("first-run").recipe.teachers[2].name == "live"


def test_a_teacher_that_is_not_optional_stays(tmp_path: Path, fetched: list[str]) -> None:
    found = settle(tmp_path, "teachers.live.optional=false")
    assert (fetched, found.left_out, len(found.loaded.recipe.teachers)) == ([], (), 3)


@pytest.mark.parametrize("error", [DiskFull("full"), InputError("other bytes")])
def test_what_can_be_mended_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetched: list[str], error: HornbookError
) -> None:
    def fail(*_: object) -> Path:
        raise error

    monkeypatch.setattr(optional, "fetch", fail)
    with pytest.raises(type(error)):
        settle(tmp_path)


def test_a_model_that_is_here_is_kept_and_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetched: list[str]
) -> None:
    monkeypatch.setattr(optional, "located", lambda model, models: Located(tmp_path, "models folder"))
    assert (settle(tmp_path).left_out, fetched) == ((), [])


def test_a_teacher_that_nothing_is_asked_of_is_not_fetched(tmp_path: Path, fetched: list[str]) -> None:
    assert settle(tmp_path, "teachers.live.exercise_share=0", "teachers.solver.otherwise=").left_out == ()
    assert fetched == []


def test_nothing_is_fetched_for_answers_that_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fetched: list[str]
) -> None:
    loaded, at = load("first-run"), places(str(tmp_path))
    whole = planned(loaded, at).plan
    monkeypatch.setattr(type(at.store), "manifest", lambda self, stage, key: object())
    assert present(loaded, whole, at, print) == Present(loaded, ())
    assert fetched == []


def test_the_plan_says_how_many_are_left_to_the_live_teacher_and_what_would_be_fetched(tmp_path: Path) -> None:
    wanted = ["seeds.exercises=4_000", "seeds.textbooks=0", "teachers.recorded.most_otherwise=24"]
    wanted += ["teachers.recorded.otherwise=live", "teachers.live.exercise_share=0"]
    found = estimate(load("first-run", wanted), places(str(tmp_path)))
    asked = {one["name"]: one["requests"] for one in found["teacher"]["teachers"]}
    assert asked == {"recorded": 3_976, "solver": 0, "live": 24}
    assert [one["name"] for one in found["downloads"]] == [MODEL]


def test_wrong_uses_are_named() -> None:
    wrong = ["teachers.recorded.otherwise=nobody", "teachers.solver.otherwise=recorded", "teachers.live.model=smollm2"]
    with pytest.raises(RecipeError) as caught:
        load("first-run", wrong)
    assert list(caught.value.problems) == [
        "teachers.0.otherwise = 'nobody': no teacher of that name; teachers are recorded, solver, live",
        "teachers.1.otherwise = 'recorded' has kind = 'replay'; name one that can answer anything, openai or local",
        "teachers.2.optional = true with model = 'smollm2', not fetched: optional is for qwen2.5-coder-0.5b, "
        "qwen2.5-coder-1.5b",
    ]
