"""What a run says of itself is true over all of its calls."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from walks import remade

from pipeline import walk
from pipeline.core.errors import HornbookError, InputError, StoreBusy, UsageError
from pipeline.recipe_text import load
from pipeline.report import write_report
from pipeline.report.card import card
from pipeline.report.summary import status, status_text
from pipeline.run import record as run_record
from pipeline.run.reading import existing_runs, open_run, resolve
from pipeline.run.run import planned, run
from pipeline.store.places import places

SMALL = ["seeds.exercises=6", "seeds.textbooks=0"]


@pytest.fixture
def at(tmp_path):
    return places(str(tmp_path / "data"))


def tiny(*overrides):
    return load("tiny", [*SMALL, *overrides])


def said(at, name):
    return json.loads((at.runs / name / "run.json").read_text())


def entry(at, name, stage):
    return next(e for e in said(at, name)["stages"] if e["name"] == stage)


def broken(*_):
    raise HornbookError("broken on purpose")


def test_a_second_call_that_makes_nothing_leaves_all_that_is_said_as_it_was(at):
    first = run(tiny(), at, until="documents")
    before = said(at, first.name)
    second = run(tiny(), at, until="documents")
    assert second.made == ()
    assert second.reused == first.made == ("seeds", "prompts", "completions", "documents")
    after = said(at, first.name)
    assert after.pop("called") > before.pop("called")
    assert after == before
    assert [e["state"] for e in after["stages"]] == ["made"] * 4
    assert {e["made_by"] for e in after["stages"]} == {first.name}
    summary, _ = write_report(first.folder, at.store)
    assert (summary.seconds, summary.started) == (before["seconds"], before["started"])


def test_times_of_calls_that_make_something_add_up(at):
    first = run(tiny(), at, until="prompts")
    one = said(at, first.name)
    run(tiny(), at, until="documents")
    both = said(at, first.name)
    assert both["started"] == one["started"]
    assert both["seconds"] > one["seconds"]
    assert [call["made"] for call in both["calls"]] == [["seeds", "prompts"], ["completions", "documents"]]
    assert both["stages"][:2] == one["stages"]


def test_what_another_run_made_is_reused_from_it(at):
    first = run(tiny(), at, until="documents", name="first")
    second = run(tiny(), at, until="documents", name="second")
    assert second.made == ()
    for stage in first.made:
        line = entry(at, "second", stage)
        assert (line["state"], line["made_by"]) == ("reused", "first")
        made = at.store.manifest(stage, line["key"])
        assert (line["made_at"], made.run) == (made.finished, "first")
    funnel = write_report(second.folder, at.store)[0].to_json()["funnel"]
    assert {line["made_by"] for line in funnel} == {"first"}


def test_the_stages_shown_end_where_the_run_was_told_to(at):
    name = run(tiny(), at, until="completions").name
    names = [stage["name"] for stage in status(at.runs / name, at.store)["stages"]]
    assert names == ["seeds", "prompts", "completions"]
    run(tiny(), at, until="documents")
    run(tiny(), at, until="seeds")
    assert [stage["name"] for stage in status(at.runs / name, at.store)["stages"]][-1] == "documents"
    report = write_report(at.runs / name, at.store)[0].to_json()
    assert len(report["funnel"]) == 4


def test_a_stage_whose_artifact_is_gone_is_made_again_and_said_to_be(at):
    name = run(tiny(), at, until="documents").name
    old = entry(at, name, "documents")
    (at.data / "store" / "documents" / old["key"] / "manifest.json").unlink()
    assert run(tiny(), at, until="documents").made == ("documents",)
    assert entry(at, name, "documents")["made_at"] > old["made_at"]


def test_a_failure_before_the_first_stage_is_not_the_newest_run(at, monkeypatch):
    good = run(tiny(), at, until="prompts")
    with monkeypatch.context() as patched:
        remade(patched, "seeds", broken)
        with pytest.raises(HornbookError, match="on purpose"):
            run(tiny("seed=9"), at, until="prompts", name="bad")
    assert resolve(at.runs, "LATEST") == good.folder
    assert [folder.name for folder in existing_runs(at.runs)] == ["bad", good.name]
    assert said(at, "bad")["stopped"] == {"stage": "seeds", "message": "broken on purpose", "hint": ""}
    # A later stage may fail: what was made before it is worth looking at.
    with monkeypatch.context() as patched:
        remade(patched, "prompts", broken)
        with pytest.raises(HornbookError):
            run(tiny("seed=9"), at, until="prompts", name="half")
    assert resolve(at.runs, "LATEST").name == "half"


def test_an_override_that_fails_at_once_does_not_replace_the_run_of_that_name(at, monkeypatch):
    run(tiny(), at, until="prompts", name="mine")
    before = said(at, "mine"), (at.runs / "mine" / "recipe.toml").read_text()
    remade(monkeypatch, "seeds", broken)
    told = []
    with pytest.raises(HornbookError, match="on purpose"):
        run(tiny("seed=9"), at, until="prompts", name="mine", stopped=told.append)
    assert (said(at, "mine"), (at.runs / "mine" / "recipe.toml").read_text()) == before
    assert told == []


def test_another_recipe_under_the_same_name_keeps_the_history_of_what_it_shares(at):
    run(tiny(), at, until="documents", name="mine")
    shared = entry(at, "mine", "seeds")
    run(tiny("completions.samples_per_prompt=2"), at, until="documents", name="mine")
    assert entry(at, "mine", "seeds") == shared
    assert len(said(at, "mine")["calls"]) == 2
    assert said(at, "mine")["seconds"] >= shared["seconds"]


def test_fresh_makes_a_stage_and_all_after_it_again_and_the_run_keeps_to_that(at):
    first = run(tiny(), at, until="documents")
    old = {e["name"]: e["key"] for e in said(at, first.name)["stages"]}
    again = run(tiny(), at, until="documents", fresh=["completions"])
    assert (again.name, again.made) == (first.name, ("completions", "documents"))
    new = {e["name"]: e["key"] for e in said(at, first.name)["stages"]}
    assert [name for name in old if old[name] != new[name]] == ["completions", "documents"]
    # The old ones stay, and the run says what they were; a plain call goes on with the new.
    assert {e["key"] for e in said(at, first.name)["earlier"]} == {old["completions"], old["documents"]}
    assert all(at.store.manifest(name, key) for name, key in old.items())
    assert run(tiny(), at, until="documents").made == ()
    assert {e["name"]: e["key"] for e in said(at, first.name)["stages"]} == new
    # Another run of the recipe has what it always had, and its own generation where it asks for one.
    assert run(tiny(), at, until="documents", name="other").made == ()
    assert entry(at, "other", "completions")["key"] == old["completions"]
    assert run(tiny(), at, until="documents", name="other", fresh=["completions"]).made == ("completions", "documents")
    assert entry(at, "other", "completions")["key"] not in (old["completions"], new["completions"])
    # Each finished wish is one of its own.
    assert run(tiny(), at, until="documents", fresh=["documents"]).made == ("documents",)
    assert run(tiny(), at, until="documents", fresh=["documents"]).made == ("documents",)
    assert entry(at, first.name, "completions")["key"] == new["completions"]


def test_fresh_again_after_a_failure_goes_on_with_what_was_begun(at, monkeypatch):
    name = run(tiny(), at, until="documents").name
    with monkeypatch.context() as patched:
        remade(patched, "documents", broken)
        with pytest.raises(HornbookError):
            run(tiny(), at, until="documents", fresh=["completions"])
    began = entry(at, name, "completions")["key"]
    assert run(tiny(), at, until="documents", fresh=["completions"]).made == ("documents",)
    assert entry(at, name, "completions")["key"] == began
    assert planned(tiny(), at).plan["completions"].key == began
    run(tiny(), at, until="documents", fresh=["completions"])
    assert entry(at, name, "completions")["key"] != began


@pytest.mark.parametrize(
    ("fresh", "until", "message"),
    [
        ("answers", "", "--fresh answers: no such stage in this recipe"),
        ("raw-code", "", "--fresh raw-code: no such stage"),
        ("student", "documents", "--fresh student lies after --until documents"),
    ],
)
def test_a_stage_that_cannot_be_made_again_is_refused_before_anything_is_done(at, fresh, until, message):
    with pytest.raises(UsageError, match=message):
        run(tiny(), at, until=until, fresh=[fresh])
    assert not at.runs.exists()


def test_a_killed_run_is_told_from_one_under_way(at):
    code = (
        "import dataclasses, time; from pipeline import walk; from pipeline.recipe_text import load\n"
        "from pipeline.store.places import places; from pipeline.run.run import run\n"
        "slow = lambda *_: (print('there', flush=True), time.sleep(600))\n"
        "walk.WALK = tuple(dataclasses.replace(s, make=slow) if s.name == 'prompts' else s for s in walk.WALK)\n"
        f"run(load('tiny', {SMALL!r}), places({str(at.data)!r}), until='documents', name='slow')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        found = status(at.runs / "slow", at.store)
        assert (found["state"], [s["state"] for s in found["stages"][:3]]) == ("running", ["made", "making", "to-make"])
        assert resolve(at.runs, "LATEST").name == "slow"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    found = status(at.runs / "slow", at.store)
    assert (found["state"], found["stages"][1]["state"]) == ("killed", "stopped")
    assert status_text(found).startswith("slow: killed")
    run(tiny(), at, until="documents", name="slow")
    assert said(at, "slow")["state"] == "done"


def test_a_run_that_is_being_removed_is_not_begun(at):
    import fcntl

    folder = run(tiny(), at, until="seeds", name="mine").folder
    with (folder / run_record.LOCK).open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(StoreBusy, match="mine is being removed"):
            run(tiny(), at, until="seeds", name="mine")


def test_an_old_run_json_without_history_is_gone_on_from(at):
    name = run(tiny(), at, until="documents").name
    path = at.runs / name / "run.json"
    info = json.loads(path.read_text())
    for key in ("called", "plan", "until", "generations", "fresh", "earlier", "calls"):
        del info[key]
    for stage in info["stages"]:
        del stage["made_by"], stage["made_at"]
    path.write_text(json.dumps(info))
    assert open_run(at.runs / name, at.store).stages[0].made_by == name
    run(tiny(), at, until="documents")
    assert [e["state"] for e in said(at, name)["stages"]] == ["made"] * 4
    assert said(at, name)["started"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"stages": 3, "generations": [], "calls": null}', '{"stages": [7]}'])
def test_a_damaged_run_json_is_written_anew(at, text):
    name = run(tiny(), at, until="seeds").name
    (at.runs / name / "run.json").write_text(text)
    assert run(tiny(), at, until="seeds").reused == ("seeds",)
    assert entry(at, name, "seeds")["state"] == "made"


def test_nothing_left_of_an_empty_corpus_names_reason_run_and_what_to_do(at, monkeypatch):
    documents = walk.named("documents")

    def drops_all(making):
        made = documents.make(making)
        return replace(made, kept=0, dropped={"no-code": 1, "unparsable": 5})

    remade(monkeypatch, "documents", drops_all)
    with pytest.raises(HornbookError) as raised:
        run(tiny(), at, until="documents", name="mine")
    assert "`hornbook show mine documents --dropped unparsable`" in raised.value.hint
    assert "`--fresh completions`" in raised.value.hint


def test_no_run_yet(at):
    with pytest.raises(InputError, match="there is no run"):
        resolve(at.runs, "LATEST")


def test_the_card_of_a_run_of_two_calls_is_that_of_one(at):
    first = run(tiny(), at, until="documents")
    one = card(write_report(first.folder, at.store)[0])
    time.sleep(0.01)
    run(tiny(), at, until="documents")
    assert card(write_report(first.folder, at.store)[0]) == one


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["teachers.composer.api_key_env=HORNBOOK_NO_KEY"], "HORNBOOK_NO_KEY"),
        (["execution.budget_usd=1"], "no price is known for 'unpriced'"),
    ],
)
def test_a_teacher_that_cannot_be_asked_leaves_no_run_behind(at, monkeypatch, asked, message):
    monkeypatch.delenv("HORNBOOK_NO_KEY", raising=False)
    good = run(tiny(), at, until="documents")
    server = ("kind=openai", "model=unpriced", "base_url=https://h.example.org/v1")
    wrong = tiny("seed=9", *(f"teachers.composer.{one}" for one in server), *asked)
    with pytest.raises(UsageError, match=message):
        run(wrong, at)
    assert [folder.name for folder in at.runs.iterdir()] == [good.name]
    # As far as nobody is asked, it runs.
    assert run(wrong, at, until="prompts").made == ("seeds", "prompts")
