"""The held-out problems hold, and nothing that the composer answers gives them away."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from pipeline.benchmarks import held_out
from pipeline.core.errors import InputError
from pipeline.core.identity import rng
from pipeline.core.records import Problem, Seed
from pipeline.core.resources import shipped
from pipeline.teacher.composer.composer import basic_piece, exercise_piece
from pipeline.teacher.composer.exercise import Piece
from pipeline.teacher.composer.families import families
from pipeline.teacher.composer.fragments import is_reserved, split

PROBLEMS = held_out.problems()


def composed_keys() -> list[dict[str, object]]:
    lines = (shipped("held_out") / "composed.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_there_are_forty_problems_in_each_group() -> None:
    assert Counter(problem.group for problem in PROBLEMS) == {
        "new parameters": 40,
        "new compositions": 40,
        "new wordings": 40,
    }
    assert len({problem.task_id for problem in PROBLEMS}) == 120
    assert PROBLEMS[17].task_id == "held-out/017"
    assert {problem.benchmark for problem in PROBLEMS} == {"held-out"}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.task_id)
def test_the_reference_solution_passes_and_a_stub_does_not(problem: Problem) -> None:
    namespace: dict[str, object] = {}
    exec(problem.prompt + problem.canonical_solution + "\n" + problem.test, namespace)  # noqa: S102
    check = namespace["check"]
    assert callable(check)
    check(namespace[problem.entry_point])
    with pytest.raises((AssertionError, TypeError)):
        check(lambda *_: "no answer")
    assert problem.test.count("assert ") >= (6 if problem.group == "new wordings" else 4)
    assert re.search(rf"^def {problem.entry_point}\(\w+: .*\) -> .+:$", problem.prompt, re.M), "typed signature"
    assert problem.prompt.endswith("\n")


def test_composed_problems_lie_in_what_the_composer_reserves() -> None:
    by_name = {family.name: family for family in families()}
    for entry in composed_keys():
        key = entry["key"]
        if entry["group"] == held_out.NEW_PARAMETERS:
            name, choice = cast("tuple[str, Any]", key)
            assert choice in split(by_name[name]).reserved, key
        else:
            assert is_reserved(key), key


@pytest.mark.parametrize("ask", [exercise_piece, basic_piece])
def test_composed_answers_never_use_what_is_reserved(ask: Callable[[Random, Seed], Piece]) -> None:
    keys = [entry["key"] for entry in composed_keys()]
    for number in range(1000):
        seed = Seed(kind="exercise", number=number, topic="", title="", audience="", form="")
        piece = ask(rng(0, number), seed)
        assert [piece.family.name, dict(piece.choice)] not in keys
        if piece.choice:
            assert piece.choice not in split(piece.family).reserved


def eight_grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[start : start + 8]) for start in range(len(words) - 7)}


def docstring(text: str) -> str:
    return re.split(r'"""|\'\'\'', text)[1]


def check_wordings(first: int, last: int) -> None:
    theirs: set[tuple[str, ...]] = set()
    for problem in PROBLEMS:
        if problem.group == held_out.NEW_WORDINGS:
            theirs |= eight_grams(docstring(problem.prompt))
    for number in range(first, last):
        seed = Seed(kind="exercise", number=number, topic="", title="", audience="", form="")
        piece = (exercise_piece, basic_piece)[number % 2](rng(1, number), seed)
        assert not theirs & eight_grams(docstring(piece.prompt)), piece.prompt


def test_no_composed_docstring_shares_eight_words_with_a_new_wording() -> None:
    check_wordings(0, 1500)


@pytest.mark.slow
def test_none_of_twenty_thousand_docstrings_does_either() -> None:
    check_wordings(0, 20_000)


def test_a_problem_without_a_field_is_named(tmp_path: Path) -> None:
    path = tmp_path / "new_wordings.toml"
    path.write_text('[[problem]]\nprompt = "def f():"\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"problem 1: no text for entry_point, test, canonical_solution"):
        list(held_out._new_wordings(path))


def test_drawing_gives_two_groups_of_the_wanted_size() -> None:
    drawn = list(held_out.draw())
    assert Counter(entry["group"] for entry in drawn) == {"new parameters": 40, "new compositions": 40}
    assert len({entry["prompt"] for entry in drawn}) == 80
    assert drawn == composed_keys(), "data/held_out/composed.jsonl is what `draw` gives"
