"""The held-out problems hold."""

import re
from collections import Counter
from pathlib import Path

import pytest

from pipeline.benchmarks import held_out
from pipeline.core.errors import InputError
from pipeline.core.records import Problem

PROBLEMS = held_out.problems()


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


def test_a_problem_without_a_field_is_named(tmp_path: Path) -> None:
    path = tmp_path / "new_wordings.toml"
    path.write_text('[[problem]]\nprompt = "def f():"\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"problem 1: no text for entry_point, test, canonical_solution"):
        list(held_out._new_wordings(path))
