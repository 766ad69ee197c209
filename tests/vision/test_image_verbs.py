"""Verbs that were there before images, on runs over images: what applies works, and what does not is said."""

import json
from pathlib import Path
from typing import Any

import pytest
from shapes_held import hold
from test_image_walk import SMALL, called

from pipeline.store.places import Places, places
from pipeline.view.pages import Viewer
from pipeline.view.records import Query

SWEEP = """
name = "pair"
recipe = "small.toml"
seeds = [1, 2]
[[arms]]
name = "plain"
[[arms]]
name = "mirrored"
set.augmentation.flip = 0.5
"""


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep; its data are below it."""
    folder = tmp_path_factory.mktemp("images")
    alone = SMALL[: SMALL.index("[distillation]")] + SMALL[SMALL.index("[probes]") :]
    (folder / "small.toml").write_text(alone)
    (folder / "pair.toml").write_text(SWEEP)
    return folder


@pytest.fixture(scope="module")
def at(where: Path) -> Places:
    return places(str(where / "data"))


def asked(capsys: pytest.CaptureFixture[str], where: Path, *arguments: str) -> tuple[int, Any]:
    code, out = called(capsys, *arguments, "--data", str(where / "data"), "--json")
    return code, json.loads(out)


def test_a_sweep_is_planned_and_made_and_its_seeds_are_scored_on_the_same_images(
    where: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, planned = asked(capsys, where, "sweep", str(where / "pair.toml"), "--plan")
    hold("sweep", planned)
    assert (planned["total"]["training_tokens"], planned["total"]["unit"]) == (4 * 2 * 3 * 8, "images")
    code, found = asked(capsys, where, "sweep", str(where / "pair.toml"))
    hold("sweep", found)
    assert code == 0
    arms = {one["arm"]: one for one in found["arms"]}
    assert {"plain", "mirrored", "labelled", "untrained", "pixels", "pca", "labelled (mirrored)"} == arms.keys()
    for name in ("plain", "mirrored"):
        assert [(s["benchmark"], s["problems"], s["seeds"]) for s in arms[name]["scores"]] == [
            ("k-nn", 50, 2),
            ("linear-probe", 50, 2),
        ]
    assert [(one["first"], one["second"]) for one in found["pairs"]] == [("plain", "mirrored")] * 2
    assert found["pairs"][0]["first_stage_that_differs"] == "self-distilled"
    again = asked(capsys, where, "sweep", str(where / "pair.toml"), "--plan")[1]
    assert again["total"]["stages_to_make"] == 0


def test_runs_are_listed_compared_and_told_apart(where: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = asked(capsys, where, "runs")[1]
    hold("runs", listed)
    assert {(one["score"]["benchmark"], one["score"]["model"]) for one in listed["runs"]} == {
        ("k-nn", "self-distilled")
    }
    names = ["pair.plain.1", "pair.plain.2", "pair.mirrored.1"]
    compared = asked(capsys, where, "runs", "compare", *names)[1]
    assert [one["runs"] for one in compared["arms"] if one["runs"]] == [names[:2], names[2:]]
    told = asked(capsys, where, "diff", "pair.plain.1", "pair.mirrored.1")[1]
    hold("diff", told)
    assert {one["key"] for one in told["recipe"]} == {"augmentation.flip"}
    assert ("k-nn", "self-distilled") in {(one["benchmark"], one["model"]) for one in told["scores"]}


def test_a_guess_is_traced_to_its_image_and_network_and_an_image_to_its_guesses(
    where: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = "pair.plain.1"
    shown = asked(capsys, where, "show", run, "probes", "-n", "100")[1]["records"]
    guess = next(one for one in shown if one["record"]["features"] == "self-distilled")
    assert guess["text"].startswith(f"{guess['record']['method']} of self-distilled: ")
    back = asked(capsys, where, "trace", run, guess["id"])[1]["back"]
    assert [(one["what"], one["stage"]) for one in back] == [
        ("image", "unique-images"),
        ("artifact", "self-distilled"),
    ]
    forward = asked(capsys, where, "trace", run, back[0]["id"])[1]["forward"]
    assert len(forward) == 10
    assert guess["id"] in {one["id"] for one in forward}


@pytest.mark.parametrize(
    ("verb", "lacks"),
    [
        (["export", "pair.plain.1", "--to", "nowhere"], "corpus or language model to export"),
        (["improve", "pair.plain.1"], "problems that a teacher's exercises could be written for"),
        (["evaluate", "pair.plain.1", "--benchmark", "humaneval"], "language model"),
    ],
)
def test_what_is_of_text_says_so(verb: list[str], lacks: str, where: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = asked(capsys, where, *verb)
    assert code == 2
    assert said["error"]["message"] == f"the run pair.plain.1 is over images and has no {lacks}"
    assert "says where its model lies" in said["error"]["hint"]


def test_the_browser_shows_stages_images_and_guesses(at: Places) -> None:
    viewer, run = Viewer(at), "pair.plain.1"
    told = viewer.run(run)
    assert told["stages"]["unique-images"]["reasons"].keys() == {"same-pixels", "near-image", "test-image"}
    assert told["report"]["scores"][0]["model"] == "self-distilled"
    (image,) = viewer.records(run, "images", "kept", Query(), limit=1)["rows"]
    assert (image["label"], image["class"] in set("0123456789")) == (None, True)
    assert viewer.record(run, image["id"])["row"]["class"] == image["class"]
    assert viewer.records(run, "probes", "kept", Query())["total"] == 500
    assert len(viewer.curves(run)["points"]) == 3
