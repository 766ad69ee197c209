"""The composer as a teacher: whole answers, the same for the same prompt, spread over everything it can do."""

import ast
import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.identity import rng
from pipeline.core.records import Prompt, Seed, Task
from pipeline.teacher.composer import Composer, tasks
from pipeline.teacher.composer.composer import answer_task, literal_calls
from pipeline.teacher.composer.families import families, fits, match, stems
from pipeline.teacher.composer.fragments import natural_names, split

FENCE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
FORMS = (
    "a worked example",
    "an explanation of one concept",
    "a study of a common mistake",
    "a comparison of two solutions",
    "a dialogue between a tutor and a learner",
    "questions with answers",
    "an exercise in reading code",
    "an experiment",
    "a small case study",
)


def prompt(number: int = 0, **fields: object) -> Prompt:
    given = {"kind": "exercise", "topic": "", "title": "", "audience": "", "form": "", **fields}
    return Prompt(seed=Seed(number=number, **given), messages=(), template="t", template_digest="d")  # type: ignore[arg-type]


def blocks(answer: str) -> list[str]:
    return FENCE.findall(answer)


def test_an_exercise_is_a_function_and_its_asserts() -> None:
    composer = Composer("c", 0)
    for number in range(120):
        function, test = blocks(composer.compose(prompt(number)))
        node = ast.parse(function).body[-1]
        assert isinstance(node, ast.FunctionDef)
        assert ast.get_docstring(node)
        asserts = ast.parse(test).body
        assert all(isinstance(statement, ast.Assert) for statement in asserts)
        assert 3 <= len(asserts) <= 10
        exec(function + test, {})  # noqa: S102


@pytest.mark.parametrize("form", FORMS)
def test_a_passage_runs_from_top_to_bottom(form: str) -> None:
    composer = Composer("c", 0)
    for number in range(6):
        seed = prompt(
            number,
            kind="textbook",
            topic="strings/slicing/steps",
            title="Slices with a step",
            audience="a first-year mathematics student",
            form=form,
            words=("otter", "willow"),
        )
        answer = composer.compose(seed)
        assert answer.startswith("# ")
        assert 180 <= len(answer.split()) <= 1100
        namespace: dict[str, object] = {}
        for block in blocks(answer):
            if ">>>" in block.splitlines()[0]:
                lines = block.splitlines()
                for call, result in pairwise(lines):
                    if call.startswith(">>> ") and not result.startswith(">>> "):
                        assert repr(eval(call[4:], namespace)) == result  # noqa: S307
            else:
                exec(block, namespace)  # noqa: S102


def test_the_same_prompt_has_the_same_answer_and_another_number_another_one() -> None:
    composer = Composer("c", 3)
    seed = prompt(1, topic="lists/search", function_name="find_second_largest")
    assert composer.compose(seed) == Composer("other name", 3).compose(seed)
    assert len({composer.compose(seed, number) for number in range(5)}) == 5
    assert composer.compose(seed) != Composer("c", 4).compose(seed)


def test_the_identity_holds_what_decides_the_answers() -> None:
    assert Composer("a", 1).identity() == Composer("b", 1).identity()
    assert Composer("a", 1).identity() != Composer("a", 2).identity()


def test_a_wanted_name_is_borne_where_it_fits() -> None:
    answer = Composer("c", 0).compose(prompt(0, topic="strings/words", function_name="find_longest_word"))
    assert "def find_longest_word(" in answer


def test_a_name_that_does_not_fit_is_declined_in_words() -> None:
    answer = Composer("c", 0).compose(prompt(0, topic="objects/classes", function_name="open_bank_vault"))
    assert "def open_bank_vault(" not in answer
    assert "`open_bank_vault`" in answer.split("```")[0]


@pytest.mark.parametrize("name", ["sum", "max", "list", "class", "not a name"])
def test_builtins_and_keywords_never_fit(name: str) -> None:
    assert not any(fits(name, match(rng(number), name, name)) for number in range(20))


def test_seeds_without_a_topic_reach_every_family_and_many_compositions() -> None:
    functions = Counter()
    composer = Composer("c", 0)
    for number in range(1000):
        functions[re.search(r"^def (\w+)", composer.compose(prompt(number)), re.M)[1]] += 1  # type: ignore[index]
    named = {name for family in families() for choice in split(family).open for name in _names(family, choice)}
    compositions = sum(count for name, count in functions.items() if name not in named)
    assert 0.3 <= compositions / 1000 <= 0.45
    assert max(functions.values()) < 30


def _names(family, choice) -> tuple[str, ...]:  # type: ignore[no-untyped-def]
    return natural_names(family, choice)


def test_tasks_are_different_and_deterministic() -> None:
    made = list(tasks(0, 60))
    assert len({task.id for task in made}) == 60
    assert [task.id for task in made] == [task.id for task in tasks(0, 60)]
    assert all(task.prompt.endswith('"""\n') or task.prompt.endswith("'''\n") for task in made)


def test_its_own_tasks_are_answered() -> None:
    composer = Composer("c", 0)
    for number, task in enumerate(tasks(1, 60)):
        answer = composer.compose(prompt(number, task=task, function_name=task.entry_point))
        (function,) = blocks(answer)
        assert function.startswith(task.prompt)
        exec(function + task.test, {})  # noqa: S102


def test_a_foreign_task_is_declined() -> None:
    task = Task(entry_point="launch", prompt='def launch(x):\n    """Go."""\n', test="assert launch(1) == 2\n")
    answer = answer_task(rng(0), task)
    assert answer.startswith("I can only answer")
    assert "```" not in answer


def test_asserts_are_read_as_literals_only() -> None:
    task = Task(entry_point="f", prompt="def f(x):\n", test="assert f([1, 2]) == (3, 'a')\nassert f([]) is None\n")
    assert literal_calls(task) == (([[1, 2]], (3, "a")), ([[]], None)) or literal_calls(task)  # type: ignore[comparison-overlap]
    assert literal_calls(Task(entry_point="f", prompt="", test="assert f(open('x')) == 1\n")) is None
    assert literal_calls(Task(entry_point="f", prompt="", test="x = 1\n")) is None


@given(topic=st.text(max_size=40), name=st.text(max_size=30), number=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_every_seed_gets_an_answer(topic: str, name: str, number: int) -> None:
    answer = Composer("c", 0).compose(prompt(number, topic=topic, title=topic, function_name=name))
    assert len(blocks(answer)) == 2


@given(st.text())
def test_stems_are_lower_case_words(text: str) -> None:
    assert all(re.fullmatch(r"[a-z]+|\d+", stem) for stem in stems(text))


def test_the_basics_answer_every_seed_with_a_short_typed_exercise():
    composer = Composer("c", 0, "basic")
    names = set()
    for number in range(150):
        asked = prompt(
            number, topic="lists/basics", function_name="count_words_longer_than" if number % 5 == 0 else "x1"
        )
        answer = composer.compose(asked)
        assert answer == composer.compose(asked)
        code = answer.split("```python\n")[1].split("```")[0]
        (function,) = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
        assert function.returns is not None
        names.add(function.name)
    assert len(names) > 60
    assert "count_words_longer_than" in names


def test_the_repertoire_is_part_of_the_identity():
    assert Composer("a", 1, "basic").identity() != Composer("a", 1).identity()
