"""The fixture: whole answers, the same for the same prompt, and each fault dropped for the reason that names it."""

import builtins
import json
import keyword
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.benchmarks.problems import load as problem_set
from pipeline.core.identity import rng
from pipeline.core.records import Exercise, Problem, Prompt, Seed, Task
from pipeline.core.stage import Kept
from pipeline.execution import Execution
from pipeline.recipe_teachers import Fault
from pipeline.recipe_text import load
from pipeline.run.run import run
from pipeline.stages.decontaminated.stage import Decontaminate
from pipeline.store.places import places as places_at
from pipeline.teacher.composer import Composer, tasks
from pipeline.teacher.composer.apart import APART
from pipeline.teacher.composer.chains import chains
from pipeline.teacher.composer.families import FAMILIES
from pipeline.teacher.composer.faults import FAULTS
from pipeline.teacher.composer.writing import Family, write
from pipeline.teacher.composer.writing import load as function_of

FENCE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
EVERY = tuple(get_args(Fault))


def prompt(number: int = 0, kind: str = "exercise", topic: str = "", task: Task | None = None) -> Prompt:
    seed = Seed(kind=kind, number=number, topic=topic, title=topic, audience="", form="", task=task)  # type: ignore[arg-type]
    return Prompt(seed=seed, messages=(), template="t", template_digest="d")


def answer(composer: Composer, number: int, kind: str = "exercise") -> str:
    return composer.compose(prompt(number, kind)).text


@pytest.mark.parametrize("family", [*FAMILIES, *APART, *chains()[::37]], ids=lambda family: family.name)
def test_all_bodies_of_a_family_do_the_same_under_every_choice(family: Family) -> None:
    for number, choice in enumerate(family.choices):
        pieces = [write(rng(7, number), family, choice, body) for body in range(len(family.bodies))]
        assert len(pieces[0].cases) >= 2
        for piece in pieces:
            assert [case.call for case in piece.cases] == [case.call for case in pieces[0].cases]
            assert [eval(c.result) for c in piece.cases] == [eval(c.result) for c in pieces[0].cases]  # noqa: S307
            assert "$" not in piece.prompt + piece.body
            assert piece.prompt.count("\n    >>> ") <= 2
            function_of(piece.prompt + piece.body + piece.test, piece.entry_point)


def test_a_wrong_body_fails_the_tests() -> None:
    piece = write(rng(0), FAMILIES[0], FAMILIES[0].choices[0])
    with pytest.raises(AssertionError):
        exec(f"{piece.prompt}    return None\n{piece.test}", {})  # noqa: S102


def test_a_name_tells_family_and_choice_and_hides_no_builtin() -> None:
    every = [(family, choice) for family in (*FAMILIES, *APART, *chains()) for choice in family.choices]
    names = [write(rng(0), family, choice).entry_point for family, choice in every]
    assert len(set(names)) == len(names) > 1900
    assert all(name.isidentifier() and not keyword.iskeyword(name) and not hasattr(builtins, name) for name in names)


def test_an_answer_says_that_it_is_not_about_what_was_asked() -> None:
    composer = Composer(0)
    about = [composer.compose(prompt(3, topic=topic)).text for topic in ("lists/numeric/normalise", "strings/slicing")]
    assert about[0] == about[1]
    assert about[0].startswith("An exercise of the composer, which does not read what it is asked.")


def test_exercises_in_a_row_are_of_different_families() -> None:
    names = [re.findall(r"^def (\w+)", answer(Composer(1), number), re.M)[0] for number in range(38)]
    assert len(set(names)) == 38


def test_a_passage_runs_from_top_to_bottom_and_shows_what_it_says() -> None:
    for number in range(12):
        text = answer(Composer(0), number, "textbook")
        assert text.startswith("# ")
        namespace: dict[str, object] = {}
        shown = 0
        for block in FENCE.findall(text):
            if block.startswith(">>> "):
                for call, result in pairwise(block.splitlines()):
                    if call.startswith(">>> "):
                        assert repr(eval(call[4:], namespace)) == result  # noqa: S307
                        shown += 1
            else:
                exec(block, namespace)  # noqa: S102
        assert shown >= 3


def test_the_same_prompt_has_the_same_answer_and_another_seed_or_sample_another_one() -> None:
    composer = Composer(3)
    assert answer(composer, 1) == answer(Composer(3), 1)
    assert len({composer.compose(prompt(2), sample).text for sample in range(5)}) > 1
    assert any(answer(composer, number) != answer(Composer(4), number) for number in range(3))


def test_the_identity_holds_what_decides_the_answers() -> None:
    every = [Composer(1), Composer(2), Composer(1, ("crash",)), Composer(1, ("clone",)), Composer(1, ("crash",), 0.2)]
    assert len({json.dumps(one.identity(), sort_keys=True) for one in every}) == len(every)
    assert Composer(1).identity() == Composer(1, (), 0.2).identity()


def test_tasks_are_different_and_more_of_them_begin_with_the_same_ones() -> None:
    made = [task.id for task in tasks(0, 300)]
    assert len(set(made)) == 300
    assert [task.id for task in tasks(0, 60)] == made[:60]


def test_its_own_tasks_are_answered_and_others_are_declined() -> None:
    for number, task in enumerate(tasks(1, 80)):
        (function,) = FENCE.findall(Composer(0).compose(prompt(number, task=task)).text)
        assert function.startswith(task.prompt)
        exec(function + task.test, {})  # noqa: S102
    foreign = Task(entry_point="launch", prompt='def launch(x):\n    """Go."""\n', test="assert launch(1) == 2\n")
    said = Composer(0).compose(prompt(task=foreign)).text
    assert "`launch` is none of them" in said
    assert "```" not in said


@given(st.integers(0, 400), st.sampled_from([0.0, 0.07, 0.33, 0.5, 1.0]))
def test_faults_are_dealt_in_turn_and_evenly(count: int, share: float) -> None:
    dealt = [fault for number in range(count) if (fault := Composer(0, ("a", "b", "c"), share).fault(number))]
    assert abs(len(dealt) - count * share) < 1
    assert dealt == [("a", "b", "c")[place % 3] for place in range(len(dealt))]


def test_every_fault_of_a_recipe_is_known() -> None:
    assert tuple(FAULTS) == EVERY


def dropped(tmp_path: Path, *overrides: str) -> tuple[Counter[str], int]:
    """Reasons of the drops of `tiny` up to `decontaminated`, and how many documents are left."""
    places = places_at(str(tmp_path))
    wanted = load("tiny", ["seeds.textbooks=4", "validated.cpu_seconds=0.5", *overrides])
    run(replace(wanted, execution=Execution(workers=1)), places, name="r", until="decontaminated")
    stages = json.loads((places.runs / "r" / "run.json").read_text())["stages"]
    manifests = [places.store.manifest(stage["name"], stage["key"]) for stage in stages]
    reasons = Counter(reason for one in manifests if one for reason in Counter(one.dropped).elements())
    return reasons, sum(1 for _ in places.store.kept(stages[-1]["name"], stages[-1]["key"]))


@pytest.mark.parametrize("faults", [EVERY[:11], EVERY[11:]], ids=["first", "second"])
def test_each_fault_is_dropped_for_the_reason_that_names_it_and_nothing_else_is(
    tmp_path: Path, faults: tuple[str, ...]
) -> None:
    asked = 2 * len(faults)
    settings = [f"seeds.exercises={asked}", f"teachers.0.faults={list(faults)}", "teachers.0.fault_share=0.5"]
    reasons, left = dropped(tmp_path, *settings)
    assert reasons == Counter(faults)
    assert left == asked - len(faults) + 4


def test_without_faults_nothing_is_dropped(tmp_path: Path) -> None:
    assert dropped(tmp_path, "seeds.exercises=38", "teachers.0.faults=[]") == (Counter(), 42)


PROBLEMS = problem_set("composed").problems


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.task_id)
def test_a_problem_s_solution_passes_and_a_stub_does_not(problem: Problem) -> None:
    namespace: dict[str, object] = {}
    exec(problem.prompt + problem.canonical_solution + "\n" + problem.test, namespace)  # noqa: S102
    check = namespace["check"]
    assert callable(check)
    check(namespace[problem.entry_point])
    with pytest.raises((AssertionError, TypeError)):
        check(lambda *_: "no answer")
    assert problem.test.count("assert candidate(") >= 4


def test_no_exercise_without_a_fault_gives_a_problem_away() -> None:
    pieces = [Composer(5).exercise(number) for number in range(400)]
    records = [
        Exercise(prompt=p.prompt, solution=p.body, entry_point=p.entry_point, test=p.test, test_owner="teacher")
        for p in pieces
    ]
    assert all(isinstance(outcome, Kept) for outcome in Decontaminate(problems=PROBLEMS)(records))
