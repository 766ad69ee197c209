"""A sweep is made arm by arm, on a walk of two stages that are made up here."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shapes_held import hold

from pipeline import walk
from pipeline.core.errors import BudgetReached, HornbookError, Interrupted, TeacherError
from pipeline.core.records import Passage
from pipeline.core.stage import Kept, Tally, sourced
from pipeline.stages.making import Making, TextStep
from pipeline.store.manifest import Manifest
from pipeline.store.places import Places, places
from pipeline.sweep.file import Sweep, read_sweep
from pipeline.sweep.planning import plan, text
from pipeline.sweep.result import result, write
from pipeline.sweep.running import Swept, plans_of, run_sweep

FILE = """
name = "mine"
recipe = "tiny"
seeds = [1, 2]
[set.execution]
workers = 1
[[arms]]
name = "one"
[[arms]]
name = "two"
set.student.dropout = 0.5
"""


@pytest.fixture
def at(tmp_path: Path) -> Places:
    return places(str(tmp_path / "data"))


@pytest.fixture
def mine(tmp_path: Path) -> Sweep:
    (tmp_path / "mine.toml").write_text(FILE)
    return read_sweep(str(tmp_path / "mine.toml"))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Sets the walk, a corpus for all arms and a student for each run; gives the list of what is made by and by."""

    def settle(trouble: Callable[[Making], BaseException | None] = lambda making: None) -> list[str]:
        log: list[str] = []

        def make(making: Making) -> Manifest:
            if making.step.name == "student" and (error := trouble(making)):
                raise error
            log.append(f"{making.run} {making.step.name}")
            tally = Tally()
            return making.write(sourced([Kept(Passage(text="x"))], tally, "", {}), tally)

        def corpus(recipe: Any) -> dict[str, Any]:
            return {"seeds": recipe.seeds}

        def student(recipe: Any) -> dict[str, Any]:
            return {"student": recipe.student}

        steps = [
            TextStep(name="seeds", version=1, caption="", make=make, settings=corpus, kept=(Passage,)),
            TextStep(name="student", version=1, caption="", make=make, settings=student, inputs=("seeds",),
                     kept=(Passage,)),
        ]  # fmt: skip
        monkeypatch.setattr(walk, "WALK", tuple(steps))
        return log

    return settle


def go(mine: Sweep, at: Places, **options: Any) -> Swept:
    return run_sweep(mine, at, plans_of(mine, at), **options)


def test_what_arms_share_is_made_once_and_a_second_call_makes_nothing(
    mine: Sweep, at: Places, made: Callable[..., list[str]]
) -> None:
    log = made()
    assert go(mine, at).made == ("mine.one.1", "mine.one.2", "mine.two.1", "mine.two.2")
    assert log == [
        "mine.one.1 seeds", "mine.one.1 student", "mine.one.2 student", "mine.two.1 student", "mine.two.2 student",
    ]  # fmt: skip
    told: list[str] = []
    assert go(mine, at, tell=told.append).made == ()
    assert told == []
    assert len(log) == 5
    go(mine, at).check(mine)


def test_the_failure_of_one_run_loses_no_other_and_is_told_with_its_stage(
    mine: Sweep, at: Places, made: Callable[..., list[str]]
) -> None:
    made(lambda making: TeacherError("no", hint="do this") if making.run == "mine.one.2" else None)
    swept = go(mine, at)
    assert swept.made == ("mine.one.1", "mine.two.1", "mine.two.2")
    assert [(f.run, f.seed, f.stage, f.message, f.hint) for f in swept.failed.values()] == [
        ("mine.one.2", 2, "student", "no", "do this")
    ]
    found = result(mine, at, plans_of(mine, at), swept.failed)
    assert found.state == "1 of 4 runs to make"
    assert [failed.run for _, failed in found.failed] == ["mine.one.2"]
    with pytest.raises(HornbookError, match=r"^1 of 4 runs of mine were not made: mine\.one\.2\n"):
        swept.check(mine)


def test_a_mistake_in_one_arm_loses_no_other(mine: Sweep, at: Places, made: Callable[..., list[str]]) -> None:
    made(lambda making: KeyError("x") if making.run == "mine.one.1" else None)
    swept = go(mine, at)
    assert len(swept.made) == 3
    assert swept.failed["mine.one.1"].message == "KeyError: 'x'"


@pytest.mark.parametrize("error", [Interrupted("stop"), BudgetReached("enough")])
def test_an_interruption_or_a_budget_ends_the_sweep_which_goes_on_from_there(
    mine: Sweep, at: Places, made: Callable[..., list[str]], error: BaseException
) -> None:
    made(lambda making: error if making.run == "mine.one.2" else None)
    told: list[str] = []
    swept = go(mine, at, after=lambda folder, failed: told.append(folder.name))
    assert swept.stopped is error
    assert told == ["mine.one.1", *(["mine.one.2"] if isinstance(error, BudgetReached) else [])]
    with pytest.raises(type(error)) as raised:
        swept.check(mine)
    assert raised.value is error
    assert swept.made == ("mine.one.1",)
    log = made()
    assert go(mine, at).made == ("mine.one.2", "mine.two.1", "mine.two.2")
    assert log[0] == "mine.one.2 student"


def test_a_budget_is_for_all_runs_together(tmp_path: Path, at: Places, made: Callable[..., list[str]]) -> None:
    (tmp_path / "mine.toml").write_text(FILE.replace("workers = 1", "workers = 1\nbudget_usd = 2.0"))
    seen: list[float | None] = []

    def spends(making: Making) -> None:
        seen.append(making.execution.budget_usd)
        making.ledger.charge(1, 1, 0.5)

    made(spends)
    go(read_sweep(str(tmp_path / "mine.toml")), at)
    assert seen == [2.0, 1.5, 1.0, 0.5]


def test_one_arm_can_be_made_alone(tmp_path: Path, mine: Sweep, at: Places, made: Callable[..., list[str]]) -> None:
    made()
    alone = read_sweep(str(tmp_path / "mine.toml"), arms=["two"], seeds=[3])
    assert go(alone, at).made == ("mine.two.3",)


def test_a_run_of_what_the_file_said_before_is_not_shown(
    tmp_path: Path, mine: Sweep, at: Places, made: Callable[..., list[str]]
) -> None:
    made()
    go(mine, at)
    (tmp_path / "mine.toml").write_text(FILE.replace("0.5", "0.25"))
    changed = read_sweep(str(tmp_path / "mine.toml"))
    found = result(changed, at, plans_of(changed, at), {})
    assert [len(one.arm.runs) for one in found.arms] == [2, 0]
    assert found.state == "2 of 4 runs to make"


def test_until_makes_no_more_than_that_and_a_later_call_the_rest(
    mine: Sweep, at: Places, made: Callable[..., list[str]]
) -> None:
    log = made()
    go(mine, at, until="seeds")
    assert log == ["mine.one.1 seeds"]
    go(mine, at)
    assert len(log) == 5


def test_the_report_is_written_with_the_arms_that_there_are(
    mine: Sweep, at: Places, made: Callable[..., list[str]]
) -> None:
    made()
    go(mine, at)
    page = write(result(mine, at, plans_of(mine, at), {}), at)
    assert "two" in Path(page).read_text()
    found = json.loads((at.sweeps / "mine" / "report.json").read_text())
    hold("sweep", found)
    assert [arm["runs"] for arm in found["arms"]] == [["mine.one.1", "mine.one.2"], ["mine.two.1", "mine.two.2"]]
    assert found["state"] == "done"


def test_a_plan_counts_what_is_shared_once(tmp_path: Path, at: Places) -> None:
    (tmp_path / "mine.toml").write_text(FILE.replace("set.student.dropout = 0.5", "set.student.ema = 0.5"))
    found = plan(read_sweep(str(tmp_path / "mine.toml")), at)
    hold("ladder", found)
    one, two = found["arms"]
    assert one["teacher"]["requests"] == 28
    assert two["teacher"]["requests"] == 0
    assert [s["name"] for s in two["runs"][0]["stages"] if s["state"] == "to-make"] == [
        "student", "samples-after", "scores",
    ]  # fmt: skip
    assert one["student"]["training_tokens"] == two["student"]["training_tokens"] == 2 * 8 * 4 * 128
    assert found["total"]["requests"] == 28
    assert found["total"]["training_tokens"] == 4 * 8 * 4 * 128
    assert "two  stages: 6 to-make, 18 shared; nothing to ask" in text(found)
    assert not at.data.exists()
