"""Pushing, against a stand-in of the hub's API and with the hub's own client."""

import json
from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants
import pytest
from hub_made import TOKEN, Hub, hub

from pipeline.cli.main import main
from pipeline.core.errors import HornbookError, MissingKey, UsageError
from pipeline.export.export import Exported, Wish, export
from pipeline.export.hub import checked_name, push
from pipeline.store.places import Places

NAME = "me/shown"


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with hub() as state:
        yield state


@pytest.fixture(scope="session")
def exported(example, tmp_path_factory) -> Exported:
    to = tmp_path_factory.mktemp("pushed") / "out"
    return export(example.folder, Places(example.folder.parents[1], example.store), to, Wish(dataset=NAME))


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_corpus_and_model_go_to_two_private_repositories(exported, served: Hub, tmp_path):
    found = push(exported, NAME, endpoint=served.endpoint)
    assert [(one.kind, one.private) for one in found] == [("dataset", True), ("model", True)]
    there = files_below(Path(exported.to))
    corpus = served.repositories[f"datasets/{NAME}"]
    assert corpus["private"] is True
    assert {n: d for n, d in corpus["files"].items() if n != ".gitattributes"} == {
        name: data for name, data in there.items() if not name.startswith("model/")
    }
    model = served.repositories[f"models/{NAME}"]["files"]
    assert {f"model/{name}" for name in model.keys() - {".gitattributes"}} == {
        n for n in there if n.startswith("model/")
    }
    assert f'datasets.load_dataset("{NAME}")' in corpus["files"]["README.md"].decode()
    assert f"- {NAME}" in model["README.md"].decode()
    assert served.tokens == {f"Bearer {TOKEN}"}


def test_a_dry_run_asks_nobody(exported, served: Hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    found = push(exported, NAME, dry=True, endpoint=served.endpoint)
    assert served.logged == []
    assert [one.url for one in found] == ["", ""]
    assert "would push" in found[0].to_text(dry=True)
    assert "data/train-00000.parquet" in found[0].to_text(dry=True)


def test_public_is_only_what_was_said_to_be(exported, served: Hub):
    served.add(f"datasets/{NAME}", private=False, files={})
    with pytest.raises(UsageError, match=f"the dataset {NAME} is public"):
        push(exported, NAME, endpoint=served.endpoint)
    assert served.repositories.keys() == {f"datasets/{NAME}"}
    found = push(exported, NAME, public=True, endpoint=served.endpoint)
    assert not any(one.private for one in found)
    assert served.repositories[f"models/{NAME}"]["private"] is False


def test_a_repository_with_other_things_in_it_is_left_alone(exported, served: Hub):
    served.add(f"models/{NAME}", private=True, files={"weights.bin": b"mine", ".gitattributes": b""})
    with pytest.raises(UsageError, match=rf"the model {NAME} holds weights.bin and no export of hornbook's"):
        push(exported, NAME, endpoint=served.endpoint)
    assert not [line for line in served.logged if line.startswith("POST")]


def test_a_second_push_replaces_the_first(exported, served: Hub):
    push(exported, NAME, endpoint=served.endpoint)
    served.repositories[f"datasets/{NAME}"]["files"]["data/train-00001.parquet"] = b"of a longer corpus"
    push(exported, NAME, endpoint=served.endpoint)
    assert "data/train-00001.parquet" not in served.repositories[f"datasets/{NAME}"]["files"]


def test_what_a_licence_forbids_is_not_sent(exported, served: Hub):
    conflict = "3 texts of teacher big (big-1): the licence is not known"
    with pytest.raises(UsageError, match="the corpus may not be passed on: 3 texts of teacher big") as error:
        push(replace(exported, conflicts={"corpus": [conflict]}), NAME, endpoint=served.endpoint)
    assert "--licence NAME=LICENCE" in error.value.hint
    with pytest.raises(UsageError):
        push(replace(exported, conflicts={"corpus": [conflict]}), NAME, dry=True)
    assert served.logged == []


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_refusal_shows_no_token(exported, served: Hub, status):
    served.refuse = status
    with pytest.raises(HornbookError, match=f"the hub refused {NAME}: {status}") as error:
        push(exported, NAME, endpoint=served.endpoint)
    assert TOKEN not in str(error.value)
    assert error.value.__cause__ is None


def test_without_a_token_or_a_network_it_is_said(exported, served: Hub, monkeypatch):
    with pytest.raises(HornbookError, match="the hub cannot be reached"):
        push(exported, NAME, endpoint="http://127.0.0.1:9")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(MissingKey, match="HF_TOKEN is not set"):
        push(exported, NAME, endpoint=served.endpoint)
    assert served.logged == []


@pytest.mark.parametrize("name", ["shown", "me/", "/shown", "a/b/c", "me/../x", "me/sh own", "me/x.git", "", "me/-x"])
def test_what_is_no_repositorys_name_is_told(name):
    with pytest.raises(UsageError, match="is no repository's name"):
        checked_name(name)


def test_the_command_says_what_went_and_the_token_nowhere(example, served: Hub, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", served.endpoint)
    data = str(example.folder.parents[1])
    arguments = ["export", "LATEST", "--to", str(tmp_path / "out"), "--data", data, "--push", NAME]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--dry-run"])
    out = capsys.readouterr()
    assert stop.value.code == 0
    assert "would push" in out.out
    assert served.logged == []
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--json"])
    out = capsys.readouterr()
    assert stop.value.code == 0, out.err
    told = json.loads(out.out)
    assert [one["url"] for one in told["pushed"]] == [f"{served.endpoint}/datasets/{NAME}", f"{served.endpoint}/{NAME}"]
    written = "".join(path.read_text(errors="replace") for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert TOKEN not in out.out + out.err + written


def test_public_without_push_is_told(example, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["export", "LATEST", "--to", str(tmp_path / "out"), "--public"])
    assert stop.value.code == 2
    assert "--public is of --push" in capsys.readouterr().err
