import json

import pytest
from example_run import build

from pipeline.core.errors import InputError, UsageError
from pipeline.run.reading import open_run
from pipeline.run.students import run_named, student_folder
from pipeline.store.places import Places


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return build(tmp_path_factory.mktemp("students"), name="shown", exercises=10, textbooks=2, problems=4)


@pytest.fixture
def places(example):
    return Places(example.folder.parents[1], example.store)


@pytest.mark.parametrize("name", ["shown", "sho", "LATEST", "latest"])
def test_a_run_is_named_by_its_name_its_beginning_or_as_the_latest(places, name):
    found = run_named(name, places)
    assert found is not None
    assert found.name == "shown"
    assert json.loads((student_folder(found, places) / "config.json").read_text()) == {}


@pytest.mark.parametrize("name", ["smollm2", "qwen2.5-coder-0.5b", "owner/name", "localhost:8000", "another"])
def test_what_is_no_run_is_left_to_those_who_know_models(places, name):
    assert run_named(name, places) is None


def test_a_folder_of_that_name_is_a_model(places, tmp_path, monkeypatch):
    (tmp_path / "shown").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run_named("shown", places) is None


def test_where_there_is_none_it_is_said(example, places, tmp_path):
    with pytest.raises(UsageError, match="there is no run in"):
        run_named("LATEST", Places(tmp_path, example.store))
    run = open_run(example.folder, example.store)
    object.__setattr__(run, "stages", ())
    with pytest.raises(InputError, match="the run shown has no student yet"):
        student_folder(run, places)
