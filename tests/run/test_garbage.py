"""The list of runs, their removal, and that of what no run needs any more."""

import fcntl
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cli.main import main
from pipeline.core.errors import InputError, StoreBusy
from pipeline.recipe_text import load
from pipeline.report.runs import listed, remove
from pipeline.run import garbage
from pipeline.run.garbage import collect
from pipeline.run.reading import resolve
from pipeline.run.run import planned, run
from pipeline.store.places import Places, places
from pipeline.store.store import Store

SMALL = ["seeds.exercises=6", "seeds.textbooks=0"]


@pytest.fixture(params=["local", "memory"])
def at(request, tmp_path):
    if request.param == "local":
        return places(str(tmp_path / "data"))
    folder = tmp_path / "data"
    return Places(folder, Store(f"memory://{tmp_path.name}/store", folder / "models"))


@pytest.fixture
def here(tmp_path):
    return places(str(tmp_path / "data"))


def go(at, *overrides, name, until="documents", **options):
    return run(load("tiny", [*SMALL, *overrides]), at, until=until, name=name, **options)


def cli(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


def keys(at, name):
    return {(e["name"], e["key"]) for e in json.loads((at.runs / name / "run.json").read_text())["stages"]}


def stored(at):
    fs = at.store.filesystem
    return {tuple(path.split("/")[-3:-1]) for path in fs.glob(f"{at.store.base}/*/*/manifest.json")}


def journal_line(usd=0.25, endpoint="http://h/v1"):
    head = f'{{"key": "{"a" * 64}", "messages": "{"b" * 64}", "n": 0, "finish": "stop", "max_tokens": 9, '
    return head + f'"tokens": [1, 2], "usd": {usd}, "model": "m", "endpoint": "{endpoint}", "answer": {{}}}}\n'


def test_what_a_run_uses_stays_and_what_only_a_removed_one_did_goes(at):
    go(at, name="one")
    go(at, "seed=5", name="two")
    go(at, name="three", until="prompts")
    assert collect(at) == []
    needed, lost = keys(at, "one") | keys(at, "three"), keys(at, "two")
    remove(at, "two")
    found = collect(at)
    assert {(one.stage, one.key) for one in found} == lost - needed
    assert {(one.kind, one.fate) for one in found} == {("artifact", "remove")}
    assert all(one.bytes > 0 for one in found)
    assert stored(at) == needed | lost  # nothing is removed by looking
    assert collect(at, remove=True) == found
    assert stored(at) == needed
    assert go(at, name="one").made == ()
    assert collect(at) == []


def test_an_earlier_generation_goes_and_the_fresh_one_stays(at):
    go(at, name="one")
    old = keys(at, "one")
    go(at, name="one", fresh=["completions"])
    new = keys(at, "one")
    assert {(one.stage, one.key) for one in collect(at, remove=True)} == old - new
    assert go(at, name="one").made == ()


def test_paid_answers_stay_unless_one_says_otherwise_and_say_what_they_cost(at):
    go(at, name="one")
    partial = at.store.partial("completions", "c" * 32, at.models)
    (partial / "journal.jsonl").write_text(journal_line() + journal_line(0.0) + '{"key": "torn')
    free = at.store.partial("completions", "d" * 32, at.models)
    (free / "journal.jsonl").write_text(journal_line(0.0, "local:transformers"))
    found = {one.key: one for one in collect(at, remove=True)}
    assert (found["c" * 32].fate, found["c" * 32].answers, found["c" * 32].usd) == ("paid", 2, 0.25)
    assert (found["d" * 32].kind, found["d" * 32].fate) == ("partial", "remove")
    assert (partial.exists(), free.exists()) == (True, False)
    (gone,) = collect(at, paid=True, remove=True)
    assert (gone.fate, gone.answers) == ("remove", 2)
    assert not partial.exists()


def test_work_in_progress_that_a_run_goes_on_with_stays(at):
    loaded = load("tiny", SMALL)
    go(at, name="one", until="prompts")
    stage = planned(loaded, at, "one").plan["completions"]
    partial = at.store.partial(stage.name, stage.key, at.models)
    (partial / "journal.jsonl").write_text(journal_line(0.0, ""))
    # The run was told to go no further than its prompts, so nobody goes on from there.
    assert [(one.stage, one.kind) for one in collect(at)] == [("completions", "partial")]
    path = at.runs / "one" / "run.json"
    info = json.loads(path.read_text())
    info["stages"].append({"name": stage.name, "key": stage.key, "state": "making", "seconds": 0.0})
    path.write_text(json.dumps(info))
    assert collect(at, remove=True, paid=True) == []
    assert partial.exists()


def test_what_a_process_is_at_work_on_is_left_alone(here):
    go(here, name="one")
    busy = here.store.partial("student", "e" * 32, here.models)
    (busy / "weights").write_text("x")
    lock = Path(f"{here.store.folder('student', 'e' * 32)}.lock")
    with lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        (one,) = collect(here, remove=True, paid=True)
        assert one.fate == "in use"
        assert busy.exists()
    (one,) = collect(here, remove=True)
    assert one.fate == "remove"
    assert not busy.exists()
    assert not lock.exists()


def test_work_that_a_conversation_writes_to_is_left_alone(at):
    busy = at.store.partial("completions", "e" * 32, at.models)
    (busy / "journal.jsonl").write_text(journal_line())
    with (busy / "journal.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        (one,) = collect(at, remove=True, paid=True)
        assert one.fate == "in use"
    assert [one.fate for one in collect(at, paid=True)] == ["remove"]
    assert [one.fate for one in collect(at)] == ["paid"]


def test_while_things_are_removed_no_run_can_begin(here, monkeypatch):
    tried = []
    needed = garbage._needed

    def watched(places):
        with (here.data / garbage.LOCK).open("a") as handle, pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        tried.append(True)
        return needed(places)

    go(here, name="one", until="seeds")
    monkeypatch.setattr(garbage, "_needed", watched)
    collect(here, remove=True)
    assert tried == [True]


def test_what_an_artifact_was_made_from_is_needed_as_far_back_as_it_goes(here):
    go(here, name="one")
    path = here.runs / "one" / "run.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps(info | {"stages": info["stages"][-1:]}))
    assert collect(here, remove=True) == []


def test_a_removal_that_is_cut_short_leaves_no_artifact_that_counts_as_whole(at, monkeypatch):
    def cut_short(*_, **__):
        raise KeyboardInterrupt

    go(at, name="one", until="seeds")
    (entry,) = keys(at, "one")
    remove(at, "one")
    monkeypatch.setattr(shutil, "rmtree", cut_short)
    monkeypatch.setattr(type(at.store.filesystem), "rm", cut_short)
    with pytest.raises(KeyboardInterrupt):
        collect(at, remove=True)
    assert at.store.manifest(*entry) is None


def test_the_largest_comes_first(here):
    for number, size in enumerate((3, 30, 7)):
        partial = here.store.partial("student", f"{number}" * 32, here.models)
        (partial / "weights").write_bytes(b"x" * size)
    found = [one.bytes for one in collect(here)]
    assert len(found) == 3
    assert found == sorted(found, reverse=True)


def test_a_removal_that_is_cut_short_leaves_no_run(here, monkeypatch):
    def cut_short(*_, **__):
        raise KeyboardInterrupt

    folder = go(here, name="one", until="seeds").folder
    monkeypatch.setattr(shutil, "rmtree", cut_short)
    with pytest.raises(KeyboardInterrupt):
        remove(here, "one")
    assert folder.exists()
    assert listed(here) == []


def test_a_run_takes_the_room_of_its_work_in_progress_too(here):
    go(here, name="one", until="seeds")
    before = listed(here)[0].bytes
    path = here.runs / "one" / "run.json"
    info = json.loads(path.read_text())
    entry = {"name": "student", "key": "a" * 32, "state": "making", "seconds": 0.0}
    path.write_text(json.dumps(info | {"stages": [*info["stages"], entry]}))
    (here.store.partial("student", "a" * 32, here.models) / "weights").write_bytes(b"x" * 10_000_000)
    (one,) = listed(here)
    assert one.bytes > before + 9_000_000
    assert (one.finished, one.stages) == (1, 2)


def test_an_unfinished_artifact_goes_here_and_elsewhere_once_it_is_old(at, monkeypatch):
    fs = at.store.filesystem
    folder = at.store.folder("documents", "f" * 32)
    fs.makedirs(folder, exist_ok=True)
    fs.pipe_file(f"{folder}/part-00000.parquet", b"half")
    at.data.mkdir(parents=True, exist_ok=True)
    (one,) = collect(at)
    assert (one.kind, one.fate) == ("unfinished", "remove" if at.store.is_local else "in use")
    monkeypatch.setattr("pipeline.run.garbage.LEFT_ALONE_SECONDS", 0.0)
    (one,) = collect(at, remove=True)
    assert one.fate == "remove"
    assert not fs.exists(folder)


def test_copies_of_a_remote_store_go_with_what_they_are_of(tmp_path):
    folder = tmp_path / "data"
    at = Places(folder, Store(f"memory://{tmp_path.name}/copies", folder / "models"))
    go(at, name="one")
    stage, key = next(iter(keys(at, "one")))
    copy = at.store.local(stage, key, at.models)
    (at.models / "embeddings").mkdir()
    assert collect(at) == []
    remove(at, "one")
    assert "copy" in {one.kind for one in collect(at, remove=True)}
    assert not copy.exists()
    assert (at.models / "embeddings").exists()


def test_what_is_no_artifact_is_never_touched(here):
    go(here, name="one")
    below = here.data / "store"
    strange = [
        below / "notes.txt",
        below / "completions/README",
        below / f"mine/{'a' * 32}/x",
        below / "seeds/backup/x",
    ]
    for path in strange:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    assert collect(here, remove=True, paid=True) == []
    assert all(path.read_text() == "mine" for path in strange)


def test_an_artifact_that_a_recipe_names_is_needed(here):
    go(here, name="one", until="completions")
    (key,) = [key for stage, key in keys(here, "one") if stage == "completions"]
    replay = ["teachers.composer.kind=replay", f"teachers.composer.replay={here.store.folder('completions', key)}"]
    go(here, *replay, name="two", until="completions")
    remove(here, "one")
    assert collect(here, remove=True, paid=True) == []
    assert here.store.manifest("completions", key) is not None


def test_a_run_that_cannot_be_read_stops_the_removal(here, capsys):
    go(here, name="one", until="seeds")
    go(here, "seed=5", name="two", until="seeds")
    (here.runs / "two" / "run.json").write_text("{")
    code, _, err = cli(capsys, "store", "gc", "--yes", "--data", here.data)
    assert code == 1
    assert "what that run needs is not known" in err
    assert "runs rm two" in err
    assert len(stored(here)) == 2


@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["seeds", "prompts", "completions"])), max_size=5), st.data()
)
def test_whatever_runs_there_are_each_still_finds_all_of_its_own(tmp_path_factory, made, draw):
    at = places(str(tmp_path_factory.mktemp("gc")))
    for number, (seed, until) in enumerate(made):
        go(at, f"seed={seed}", "seeds.exercises=1", name=f"r{number}", until=until)
    removed = draw.draw(st.sets(st.sampled_from(range(len(made))))) if made else set()
    for number in removed:
        remove(at, f"r{number}")
    collect(at, remove=True)
    left = set().union(*[keys(at, f"r{n}") for n in range(len(made)) if n not in removed])
    assert stored(at) == left


def test_the_command_is_dry_unless_told(here, capsys):
    go(here, name="one")
    go(here, "seed=5", name="two")
    assert cli(capsys, "store", "gc", "--data", here.data)[1].startswith("nothing to remove")
    remove(here, "two")
    before = stored(here)
    code, out, _ = cli(capsys, "store", "gc", "--data", here.data)
    assert code == 0
    assert "4 that no run in" in out
    assert stored(here) == before
    found = json.loads(cli(capsys, "store", "gc", "--json", "--data", here.data)[1])
    assert (found["dry"], len(found["found"]), found["paid"], found["paid_usd"]) == (True, 4, [], 0)
    assert found["bytes"] == sum(one["bytes"] for one in found["found"])
    code, out, _ = cli(capsys, "store", "gc", "--yes", "--data", here.data)
    assert "4 removed" in out
    assert len(stored(here)) == len(before) - 4


def test_runs_are_listed_with_what_became_of_them(at, capsys):
    assert listed(at) == []
    go(at, name="first")
    go(at, name="second", until="prompts")
    second, first = listed(at)
    assert (first.name, first.state, first.finished, first.stages, first.score) == ("first", "done", 4, 4, None)
    assert (second.name, second.recipe, second.finished) == ("second", "tiny", 2)
    assert first.bytes > second.bytes > 0
    report = {"scores": [{"benchmark": "held-out", "model": m, "problems": 4, "pass@1": p, "interval": [0, 1]}
                         for m, p in (("before", 0.25), ("after", 0.5))]}  # fmt: skip
    (at.runs / "first" / "report.json").write_text(json.dumps(report))
    score = listed(at)[1].score
    assert score is not None
    assert score["pass@1"] == 0.5
    if at.store.is_local:
        code, out, _ = cli(capsys, "runs", "--data", at.data)
        assert code == 0
        assert [line.split()[0] for line in out.splitlines()] == ["run", "second", "first"]
        assert "50.0% held-out" in out
        told = json.loads(cli(capsys, "runs", "--json", "--data", at.data)[1])
        assert [one["name"] for one in told["runs"]] == ["second", "first"]


def test_no_run_to_list(capsys, tmp_path):
    assert cli(capsys, "runs", "--json", "--data", tmp_path)[1] == '{\n "runs": []\n}\n'
    assert "there is no run in" in cli(capsys, "runs", "--data", tmp_path)[1]


def test_a_run_is_removed_only_where_that_was_said(here, capsys):
    go(here, name="one-a", until="seeds")
    go(here, name="one-b", until="seeds")
    code, out, err = cli(capsys, "runs", "rm", "one-a", "--data", here.data)
    assert code == 0
    assert "`hornbook runs rm one-a --yes" in out
    assert str(here.runs / "one-a") in err
    found = json.loads(cli(capsys, "runs", "rm", "one-a", "--json", "--data", here.data)[1])
    assert found == {"removed": [], "found": ["one-a"], "dry": True}
    assert {folder.name for folder in here.runs.iterdir()} == {"one-a", "one-b"}
    before = stored(here)
    assert cli(capsys, "runs", "rm", "one-a", "one-a", "--yes", "--data", here.data)[0] == 0
    assert {folder.name for folder in here.runs.iterdir()} == {"one-b"}
    assert stored(here) == before
    assert cli(capsys, "runs", "rm", "one-a", "--yes", "--data", here.data)[0] == 2


def test_a_person_is_asked(here, capsys, monkeypatch):
    go(here, name="one", until="seeds")
    for answer, left in ((False, True), (True, False)):
        monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
        monkeypatch.setattr("typer.confirm", lambda *_, answer=answer, **__: answer)
        assert cli(capsys, "runs", "rm", "one", "--data", here.data)[0] == 0
        assert (here.runs / "one").exists() is left


def test_a_run_under_way_and_one_that_lies_elsewhere_are_not_removed(here, tmp_path):
    from pipeline.run import record as run_record

    folder = go(here, name="one", until="seeds").folder
    with run_record.held(folder), pytest.raises(StoreBusy, match="the run one is under way"):
        remove(here, "one")
    assert (folder / "run.json").is_file()


@pytest.mark.parametrize("command", [["status"], ["report"], ["show", "seeds"], ["runs", "rm"]])
def test_the_beginning_of_a_name_is_enough_where_it_is_one_run_s(here, capsys, command):
    go(here, name="blue-1", until="seeds")
    go(here, name="green-1", until="seeds")
    go(here, name="green-2", until="seeds")
    place = 1 if command[0] == "show" else len(command)
    code, out, err = cli(capsys, *command[:place], "bl", *command[place:], "--data", here.data)
    assert code == 0
    assert "blue-1" in out + err or command[0] == "show"
    code, _, err = cli(capsys, *command[:place], "gre", *command[place:], "--data", here.data)
    assert code == 2
    assert "'gre' is the beginning of 2 runs" in err
    assert "green-2, green-1" in err


def test_a_whole_name_is_no_beginning(here):
    for name in ("one", "one-2"):
        go(here, name=name, until="seeds")
    assert resolve(here.runs, "one").name == "one"
    with pytest.raises(InputError, match="no run 'two'"):
        resolve(here.runs, "two")
