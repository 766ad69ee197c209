"""How a run makes its stages one after the other, on a walk of two stages that are made up here."""

import fcntl
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import walk
from pipeline.core.errors import (
    BudgetReached,
    EmptyCorpus,
    HornbookError,
    Interrupted,
    MissingKey,
    TeacherError,
    UsageError,
    happened_in,
)
from pipeline.core.names import LONGEST
from pipeline.core.records import Passage
from pipeline.core.stage import Dropped, Kept, Tally, sourced
from pipeline.recipe_text import load
from pipeline.run import record as run_record
from pipeline.run import run as module
from pipeline.run.garbage import collect
from pipeline.run.record import LOCK, RunRecord, begun
from pipeline.run.run import Outcome, planned, run, stored
from pipeline.stages.making import Making, TextStep
from pipeline.store.manifest import Manifest
from pipeline.store.places import Places, places
from pipeline.teacher.redaction import Secret

Make = Callable[[Making], Manifest]


def keeps(*texts: str, short: Sequence[str] = ()) -> Make:
    """Makes an artifact that keeps `texts` and drops `short`."""

    def make(making: Making) -> Manifest:
        tally = Tally()
        outcomes = (
            [Kept(Passage(text=text)) for text in texts],
            [
                Dropped(Passage(text=text), reason, "1 < 2")
                for text, reason in zip(short, ["short", "short", "long"], strict=False)
            ],
        )
        return making.write(sourced([*outcomes[0], *outcomes[1]], tally, "", {"short": "", "long": ""}), tally)

    return make


def raises(error: BaseException) -> Make:
    def make(making: Making) -> Manifest:
        raise error

    return make


@pytest.fixture
def at(tmp_path: Path) -> Places:
    return places(str(tmp_path / "data"))


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the walk: how its first and its second stage are made."""

    def settle(first: Make = keeps("a", "b", short=["c"]), second: Make = keeps("a"), *, corpus: bool = True) -> None:
        steps = [
            TextStep(name=name, version=1, caption="", make=make, settings=lambda recipe: {"seed": recipe.seed},
                     inputs=inputs, kept=(Passage,), dropped=(Passage,), corpus=corpus)
            for name, make, inputs in (("first", first, ()), ("second", second, ("first",)))
        ]  # fmt: skip
        monkeypatch.setattr(walk, "WALK", tuple(steps))

    settle()
    return settle


def go(at: Places, *overrides: str, name: str = "mine", **options: Any) -> Outcome:
    return run(load("tiny", ["execution.workers=1", *overrides]), at, name=name, **options)


def said(at: Places, name: str = "mine") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((at.runs / name / "run.json").read_text())
    return found


def logged(at: Places, name: str = "mine") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (at.runs / name / "events.jsonl").read_text().splitlines()]


@pytest.fixture(autouse=True)
def _walk(walked: Callable[..., None]) -> None:
    """Every test here has the walk of two stages."""


def test_each_stage_is_told_of_as_it_begins_and_ends_and_when_it_is_found(at: Places) -> None:
    told: list[Any] = []
    assert go(at, watch=told.append).made == ("first", "second")
    assert [(event["event"], event["stage"]) for event in told] == [
        (event, stage) for stage in ("first", "second") for event in ("stage-started", "stage-finished")
    ]  # fmt: skip
    assert (told[1]["in"], told[1]["kept"], told[1]["dropped"]) == (3, 2, {"short": 1})
    assert told[1]["key"] == said(at)["stages"][0]["key"]
    del told[:]
    assert go(at, watch=told.append).reused == ("first", "second")
    assert [(event["event"], event["in"], event["kept"]) for event in told] == [
        ("stage-reused", 3, 2), ("stage-reused", 1, 1),
    ]  # fmt: skip
    assert [event["event"] for event in logged(at)][-2:] == ["stage-reused", "stage-reused"]


def test_what_another_process_made_while_this_one_waited_is_taken_and_not_made_again(
    at: Places, tmp_path: Path, walked: Callable[..., None]
) -> None:
    elsewhere = places(str(tmp_path / "elsewhere"))
    go(elsewhere)
    key = said(elsewhere)["stages"][0]["key"]
    other = ExitStack()
    other.enter_context(at.store.lock("first", key, lambda text: None))
    told: list[str] = []

    def watch(event: Any) -> None:
        """Called when this run finds the lock taken: the other process comes to its end."""
        told.append(event["event"])
        if event["event"] == "note":
            shutil.copytree(elsewhere.store.folder("first", key), at.store.folder("first", key))
            other.close()

    walked(first=raises(AssertionError("made a second time")))
    outcome = go(at, watch=watch)
    assert (outcome.reused, outcome.made) == (("first",), ("second",))
    assert told[:2] == ["note", "stage-reused"]


def test_while_a_stage_is_made_nobody_else_can_make_it_and_nothing_is_removed(
    at: Places, walked: Callable[..., None]
) -> None:
    def make(making: Making) -> Manifest:
        waited: list[str] = []

        def told(text: str) -> None:
            waited.append(text)
            raise TimeoutError

        with pytest.raises(TimeoutError), making.places.store.lock("first", making.stage.key, told):
            pass
        assert waited
        assert said(at)["stages"][0]["state"] == "making"
        assert collect(at, remove=True) == []
        return keeps("a")(making)

    walked(first=make)
    assert go(at).made == ("first", "second")


def test_what_a_run_needs_is_written_down_before_a_removal_can_begin(
    at: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def watched(*arguments: Any) -> RunRecord:
        with (at.data / "store.lock").open("a") as handle, pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        taken.append(True)
        return RunRecord(*arguments)

    monkeypatch.setattr(module, "RunRecord", watched)
    go(at)
    assert taken == [True]


def test_a_run_that_is_under_way_may_be_joined_by_another_call_of_it(at: Places, walked: Callable[..., None]) -> None:
    joined: list[Outcome] = []

    def make(making: Making) -> Manifest:
        joined.append(go(at, until="first"))
        return keeps("a")(making)

    walked(second=make)
    assert go(at).made == ("first", "second")
    assert joined[0].reused == ("first",)


@pytest.mark.parametrize(
    ("error", "state", "seen"),
    [
        (HornbookError("broken"), "failed", HornbookError),
        (ZeroDivisionError("a bug"), "failed", ZeroDivisionError),
        (OSError(5, "a broken disk", "x"), "failed", HornbookError),
        (BudgetReached("spent"), "budget", BudgetReached),
        (Interrupted("stopped"), "interrupted", Interrupted),
        (KeyboardInterrupt(), "interrupted", Interrupted),
    ],
)
def test_however_a_run_ends_it_says_how_and_where_and_goes_on_from_there(
    at: Places, walked: Callable[..., None], error: BaseException, state: str, seen: type[BaseException]
) -> None:
    walked(second=raises(error))
    stopped: list[Path] = []
    with pytest.raises(seen) as caught:
        go(at, stopped=stopped.append)
    assert happened_in(caught.value) == ("mine", "second") or happened_in(error) == ("mine", "second")
    assert (said(at)["state"], said(at)["stopped"]["stage"]) == (state, "second")
    # An interrupted run is to end at once, and a report may take minutes.
    assert stopped == ([] if state == "interrupted" else [at.runs / "mine"])
    walked()
    assert go(at).made == ("second",)
    assert said(at)["state"] == "done"
    assert "stopped" not in said(at)


def test_sigterm_interrupts_a_run_as_ctrl_c_does(at: Places, walked: Callable[..., None]) -> None:
    def unheard(*_: Any) -> None:
        raise AssertionError("SIGTERM came through")

    previous = signal.signal(signal.SIGTERM, unheard)
    try:
        walked(second=lambda making: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(Interrupted) as caught:
            go(at)
        assert signal.getsignal(signal.SIGTERM) is unheard
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert "run the same command again" in caught.value.hint
    assert said(at)["state"] == "interrupted"


def test_what_goes_wrong_in_the_last_words_never_hides_the_error_of_the_run(
    at: Places, walked: Callable[..., None]
) -> None:
    def fails(folder: Path) -> None:
        raise ZeroDivisionError("no report")

    walked(second=raises(TeacherError("the teacher is gone")))
    with pytest.raises(TeacherError, match="the teacher is gone"):
        go(at, stopped=fails)
    assert logged(at)[-1]["text"] == "the report could not be written: no report"


def test_only_a_bug_leaves_a_traceback_and_no_key_is_in_it(at: Places, walked: Callable[..., None]) -> None:
    trace = at.runs / "mine" / "traceback.txt"
    walked(second=raises(HornbookError("broken on purpose")))
    with pytest.raises(HornbookError):
        go(at)
    assert not trace.exists()
    key = Secret("sk-test-4242424242").reveal()
    walked(second=raises(ZeroDivisionError(f"with {key}")))
    with pytest.raises(ZeroDivisionError):
        go(at)
    assert "ZeroDivisionError: with [key]" in trace.read_text()
    assert key not in trace.read_text()
    assert said(at)["stopped"]["message"].startswith("ZeroDivisionError: ")


def test_a_corpus_of_nothing_ends_the_run_and_names_the_commonest_reason(
    at: Places, walked: Callable[..., None]
) -> None:
    walked(first=keeps(short=["a", "b", "c"]))
    with pytest.raises(EmptyCorpus, match=r"stage first kept 0 of 3 records \(long 1, short 2\)") as caught:
        go(at)
    assert "--dropped short" in caught.value.hint
    assert "--fresh" not in caught.value.hint
    with pytest.raises(EmptyCorpus):  # found in the store it is as empty
        go(at)


def test_a_stage_that_is_no_corpus_may_keep_nothing(at: Places, walked: Callable[..., None]) -> None:
    walked(first=keeps(short=["a"]), corpus=False)
    assert go(at).made == ("first", "second")


def test_a_run_until_a_stage_makes_no_later_one(at: Places) -> None:
    assert go(at, until="first").made == ("first",)
    assert stored(planned(load("tiny"), at).plan, at) == {"first": True, "second": False}
    with pytest.raises(UsageError, match="no such stage"):
        go(at, until="third")


def test_the_name_of_a_run_of_a_long_recipe_is_a_name(at: Places) -> None:
    outcome = go(at, f"name={'n' * LONGEST}", name="")
    assert len(outcome.name) == LONGEST
    assert go(at, f"name={'n' * LONGEST}", name="").reused == outcome.made


def test_a_data_folder_that_cannot_be_written_is_refused_before_anything_is_made() -> None:
    with pytest.raises(UsageError, match="the data folder /proc/x cannot be written"):
        go(places("/proc/x"))


def test_trackers_see_every_event_and_are_closed_however_a_run_ends(
    at: Places, walked: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    class Tracked:
        def __init__(self, names: Any, folder: Path, settings: Any) -> None:
            assert folder == at.runs / "mine"

        def __call__(self, event: Any) -> None:
            seen.append(event["event"])

        def close(self) -> None:
            seen.append("closed")

    monkeypatch.setattr(module, "Trackers", Tracked)
    walked(second=raises(HornbookError("broken")))
    with pytest.raises(HornbookError):
        go(at)
    assert seen == ["stage-started", "stage-finished", "stage-started", "closed"]


def test_the_cpu_time_of_a_stage_is_its_own_wherever_it_was_spent(
    at: Places, walked: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Elsewhere:
        parallel = far = False
        cpu_seconds = 7e9  # of a run before

    where: Any = Elsewhere()

    @contextmanager
    def chosen(execution: Any) -> Iterator[Any]:
        yield where

    def make(making: Making) -> Manifest:
        where.cpu_seconds += 5e6
        return keeps("a")(making)

    monkeypatch.setattr(module, "executor", chosen)
    walked(first=make, second=make)
    go(at)
    for stage in said(at)["stages"]:
        manifest = at.store.manifest(stage["name"], stage["key"])
        assert manifest is not None
        assert 5e6 <= manifest.cpu_seconds < 6e6


def test_going_on_with_what_was_wished_for_again_is_said(at: Places, walked: Callable[..., None]) -> None:
    go(at)
    walked(second=raises(HornbookError("broken")))
    with pytest.raises(HornbookError):
        go(at, fresh=["first"])
    assert "note" not in {event["event"] for event in logged(at)}
    walked()
    assert go(at, fresh=["first"]).made == ("second",)
    (note,) = [event["text"] for event in logged(at) if event["event"] == "note"]
    assert note.startswith("--fresh first: going on with what was begun then")


def test_what_a_stage_of_this_run_has_cost_counts_again_where_it_is_found(
    at: Places, walked: Callable[..., None]
) -> None:
    spent: list[tuple[int, int, float]] = []

    def pays(making: Making) -> Manifest:
        making.ledger.charge(7, 5, 0.25)
        return keeps("a")(making)

    def looks(making: Making) -> Manifest:
        spent.append((making.ledger.prompt_tokens, making.ledger.completion_tokens, making.ledger.usd))
        return keeps("a")(making)

    walked(first=pays, second=raises(HornbookError("broken")))
    with pytest.raises(HornbookError):
        go(at)
    walked(first=pays, second=looks)
    go(at)
    assert spent == [(7, 5, 0.25)]
    assert said(at)["stages"][0]["spent"] == [7, 5, 0.25]
    assert "spent" not in said(at)["stages"][1]
    go(at, "seed=2", until="first", name="other")
    walked(first=pays, second=looks)
    go(at, "seed=2", name="third")  # another run paid for it, so this one has its whole budget
    assert spent[1:] == [(0, 0, 0.0)]


def test_a_judge_that_will_be_asked_and_cannot_is_refused_before_anything_is_made(
    at: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "WALK", tuple(replace(step, name="quality") for step in walk.WALK[:1]))
    monkeypatch.delenv("HORNBOOK_NO_KEY", raising=False)
    server = ("kind=openai", "model=m", "base_url=https://h.example.org/v1", "api_key_env=HORNBOOK_NO_KEY")
    judged = [*(f"teachers.composer.{one}" for one in server), "quality.classifier=true"]
    with pytest.raises(MissingKey, match="HORNBOOK_NO_KEY"):
        go(at, *judged)
    assert not at.runs.exists()
    assert go(at, *judged, f"quality.model={tmp_path}").made == ("quality",)
    assert go(at, *judged).reused == ("quality",)  # it is in the store, so nobody is asked


def test_a_stage_may_be_made_again_up_to_which_the_run_goes_and_none_after_it(at: Places) -> None:
    go(at)
    assert go(at, until="first", fresh=["first"]).made == ("first",)
    with pytest.raises(UsageError, match="--fresh second lies after --until first"):
        go(at, until="first", fresh=["second"])


def test_what_came_to_nothing_is_not_gone_on_with_where_it_is_wished_for_again(
    at: Places, walked: Callable[..., None]
) -> None:
    walked(first=keeps(short=["a"]))
    keys = set()
    for _ in range(2):
        with pytest.raises(EmptyCorpus):
            go(at, fresh=["first"])
        keys.add(said(at)["stages"][0]["key"])
    assert len(keys) == 2


def test_the_newest_calls_are_remembered(at: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.run.record.MOST_CALLS", 2)
    for _ in range(4):
        go(at, until="first", fresh=["first"])
    calls = said(at)["calls"]
    assert len(calls) == 2
    assert calls[-1]["finished"] == said(at)["finished"]


def test_a_run_of_another_recipe_under_the_same_name_begins_anew(at: Places) -> None:
    go(at)
    first = said(at)
    go(at, "seed=2")
    second = said(at)
    assert second["started"] > first["started"]
    assert second["earlier"] == []  # what was another recipe's is not an earlier generation of this one


def test_what_this_run_made_is_its_own_though_run_json_was_lost(at: Places) -> None:
    go(at, name="mine")
    go(at, name="other")
    (at.runs / "mine" / "run.json").unlink()
    (at.runs / "other" / "run.json").unlink()
    for name, state in (("mine", "made"), ("other", "reused")):
        go(at, name=name)
        assert {(stage["state"], stage["made_by"]) for stage in said(at, name)["stages"]} == {(state, "mine")}


def test_a_run_folder_that_came_from_elsewhere_is_not_said_to_be_killed(at: Places) -> None:
    go(at)
    folder = at.runs / "mine"
    assert run_record.state(folder, {"state": "running"}) == "killed"
    (folder / LOCK).unlink()
    assert run_record.state(folder, {"state": "running"}) == "running"
    assert run_record.state(folder, {"state": "done"}) == "done"
    assert run_record.state(folder, {}) == "unknown"


def test_a_run_has_begun_unless_it_failed_before_its_first_stage() -> None:
    to_make, made = {"name": "a", "key": "k", "state": "to-make"}, {"name": "a", "key": "k", "state": "reused"}
    for ended in ("failed", "interrupted", "budget"):
        assert not begun({"state": ended, "stages": [to_make]})
        assert begun({"state": ended, "stages": [to_make, made]})
        assert begun({"state": ended})  # of a version that wrote no stages
    assert begun({"state": "running", "stages": [to_make]})
