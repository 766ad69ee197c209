"""Rounds from failures to a verdict, with a teacher behind a server and the smallest student."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from server import Server, serving
from shapes_held import hold
from writing_teacher import answer

from pipeline.cli.main import main
from pipeline.core.errors import BudgetReached, UsageError
from pipeline.improve import rounds
from pipeline.improve.clusters import Cluster
from pipeline.improve.outcome import Improved, Options, Round
from pipeline.recipe_text import Loaded, load
from pipeline.run.reading import RunView, open_run
from pipeline.run.run import run
from pipeline.stages.seeds.files import read
from pipeline.store.places import Places, places

OPTIONS = Options(rounds=2, exercises=8, student_seeds=(1,))
OPTIONS_LARGER = Options(rounds=1, exercises=12, student_seeds=(1,))


def recipe(url: str, *more: str) -> Loaded:
    overrides = (
        "teachers.composer.kind=openai",
        f"teachers.composer.base_url={url}",
        "teachers.composer.model=gpt-4o-mini",
        "seeds.exercises=24",
        "seeds.textbooks=0",
        "held_out.share=0.34",
        'evaluation.benchmarks=["held-out", "composed"]',
        "evaluation.limit=0",
        "evaluation.max_new_tokens=8",
        "decontaminated.tree=1.0",
        "student.phases.0.steps=2",
        "execution.threads=1",
    )
    return load("tiny", (*overrides, *more))


@dataclass
class Base:
    places: Places
    server: Server
    view: RunView


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Base]:
    where = places(str(tmp_path_factory.mktemp("data")))
    with serving(answer) as server:
        made = run(recipe(server.url), where, name="base")
        yield Base(where, server, open_run(made.folder, where.store))


@pytest.fixture(scope="module")
def improved(base: Base) -> Improved:
    return rounds.improve(base.view, base.places, OPTIONS)


def test_a_round_is_drawn_cleaned_trained_and_judged(base: Base, improved: Improved) -> None:
    (one,) = improved.rounds
    assert sum(cluster.problems for cluster in one.found) == 4
    assert sum(one.kinds.values()) == 8
    assert one.kinds["evolved"]
    assert one.before.problems == one.after.problems == 4
    assert one.against is not None
    arms = {arm.arm.name: arm for arm in improved.experiment.arms}
    assert {"start", "directed-1", "undirected-1"} <= arms.keys()
    assert (arms["directed-1"].documents or 0) > (arms["start"].documents or 0)
    assert Path(improved.page).is_file()
    assert "directed" in improved.to_text()


def test_the_verb_prints_what_was_found(base: Base, improved: Improved, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["--rounds", "2", "--exercises", "8", "--seeds", "1"]
    with pytest.raises(SystemExit) as ended:
        main(["improve", "base", *wanted, "--json", "--data", str(base.places.data)])
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    hold("improve", told)
    assert told == json.loads(json.dumps(improved.to_json()))


def test_it_stops_where_held_out_does_not_rise(improved: Improved) -> None:
    """A student of two steps solves nothing, before or after."""
    assert len(improved.rounds) == 1
    assert improved.stopped == "the rate on the reported problems did not rise in round 1"
    assert improved.rounds[0].gain.claim == "none"


def test_what_is_made_is_found_again(base: Base, improved: Improved) -> None:
    asked = len(base.server.requests)
    again = rounds.improve(base.view, base.places, OPTIONS)
    assert len(base.server.requests) == asked
    assert json.dumps(again.to_json()) == json.dumps(improved.to_json())


def test_no_problem_is_trained_on_and_none_is_in_both_halves(base: Base, improved: Improved) -> None:
    folder = base.places.data / "improve" / "base"
    halves = {
        name: {json.loads(line)["task_id"] for line in (folder / f"{name}.jsonl").read_text().splitlines()}
        for name in ("development", "reported")
    }
    assert len(halves["development"]) == len(halves["reported"]) == 4
    assert not halves["development"] & halves["reported"]
    held_out = {row["id"] for row in base.view.where("held-out", "dropped", "reason", {"held-out"})}
    assert halves["development"] | halves["reported"] == held_out
    for arm in improved.experiment.arms:
        for trained in arm.arm.runs.values():
            assert not held_out & {row["id"] for row in trained.rows("decontaminated", columns=["id"])}


def test_the_base_corpus_is_paid_for_once(base: Base, improved: Improved) -> None:
    texts = [json.dumps(body["messages"]) for body in base.server.requests]
    assert len(set(texts)) == len(texts)


def test_a_second_round_goes_on_from_the_first(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Round, "rises", property(lambda self: True))
    made = rounds.improve(base.view, base.places, OPTIONS)
    assert [one.number for one in made.rounds] == [1, 2]
    assert not made.stopped
    first, second = ([seed.number for seed, _ in read(made_file(base, n))] for n in (1, 2))
    assert (first, second) == (list(range(24, 32)), list(range(32, 40)))
    (directed,) = [arm for arm in made.experiment.arms if arm.arm.name == "directed-2"]
    assert len(list(directed.arm.runs[1].rows("seeds", columns=["id"]))) == 24 + 16


def made_file(base: Base, number: int) -> Path:
    return base.places.data / "improve" / "base" / f"round-{number}-directed.seeds.jsonl"


def test_what_is_reworded_is_kept_where_it_is_solved_blind(base: Base, improved: Improved) -> None:
    tasks = [seed.task for seed, _ in read(made_file(base, 1)) if seed.task]
    assert len(tasks) == improved.rounds[0].kinds["reworded"] > 0
    (directed,) = [arm.arm.runs[1] for arm in improved.experiment.arms if arm.arm.name == "directed-1"]
    valid = {(row["prompt"], row["test"]) for row in directed.rows("validated")}
    assert {(task.prompt, task.test) for task in tasks} <= valid
    written = {row["test"] for row in base.view.rows("decontaminated")}
    assert {task.test for task in tasks} <= written


def test_seeds_ask_for_no_name_of_a_problem(base: Base, improved: Improved) -> None:
    names = {row["entry_point"] for row in base.view.where("held-out", "dropped", "reason", {"held-out"})}
    assert not names & {seed.function_name for seed, _ in read(made_file(base, 1)) if not seed.task}


def test_a_budget_is_for_all_rounds(base: Base, tmp_path: Path) -> None:
    """Of a run as it was before its rounds: the first question of a round could pass the cap."""
    whole = base.places.data
    shutil.copytree(whole, tmp_path / "data", ignore=shutil.ignore_patterns("improve*", "*.lock"))
    where = places(str(tmp_path / "data"))
    asked = len(base.server.requests)
    view = open_run(where.run("base"), where.store)
    with pytest.raises(BudgetReached, match="budget_tokens = 600"):
        rounds.improve(view, where, OPTIONS_LARGER, ("execution.budget_tokens=600",))
    assert len(base.server.requests) == asked


def test_rounds_of_one_run_are_equally_large(base: Base, improved: Improved) -> None:
    with pytest.raises(UsageError, match="has rounds with exercises = 8, not 9"):
        rounds.improve(base.view, base.places, Options(exercises=9))


def test_a_run_without_problems_of_its_own_directs_nothing(tmp_path: Path) -> None:
    where = places(str(tmp_path))
    made = run(load("tiny", ("execution.threads=1",)), where, name="plain", until="seeds")
    with pytest.raises(UsageError, match="no scores on held-out problems"):
        rounds.improve(open_run(made.folder, where.store), where, OPTIONS)


def test_where_all_development_problems_are_solved_nothing_is_drawn(
    base: Base, improved: Improved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "clusters", lambda *_: (Cluster("lists", 4),))
    with pytest.raises(UsageError, match="no development problem failed before round 1, so there is nothing to direct"):
        rounds.improve(base.view, base.places, OPTIONS)


def test_the_solver_is_the_recipes_where_it_can_be_asked() -> None:
    first_run = load("first-run")
    writer = rounds.writer_of(first_run, "")
    assert (writer.name, rounds.solver_of(first_run, writer)) == ("live", "solver")
    alone = load("first-run", ("teachers.solver.otherwise=",))
    assert rounds.solver_of(alone, writer) == "live"


def test_a_teacher_that_replays_writes_nothing_new(base: Base) -> None:
    replaying = ("teachers.composer.kind=replay", "teachers.composer.replay=recorded:qwen2.5-coder-1.5b")
    with pytest.raises(UsageError, match="a replay has what was recorded"):
        rounds.improve(base.view, base.places, OPTIONS, replaying)
