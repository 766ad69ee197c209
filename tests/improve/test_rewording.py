"""Rewording: the docstring goes, another comes, the tests stay."""

import pytest

from pipeline.core.records import Exercise
from pipeline.improve.rewording import docstring_in, task_of, without_docstring


def exercise(docstring: str = '    """Twice n."""\n', name: str = "double") -> Exercise:
    return Exercise(
        prompt=f"import math\n\n\ndef {name}(n: int) -> int:\n{docstring}",
        solution="    return 2 * n\n",
        entry_point=name,
        test=f"assert {name}(2) == 4\n",
        test_owner="teacher",
        topic="numbers/everyday/percentages",
    )


def test_the_teacher_is_shown_no_docstring() -> None:
    assert without_docstring(exercise()) == "import math\n\n\ndef double(n: int) -> int:\n    return 2 * n\n"
    long = '    """Twice n.\n\n    For every n.\n    """\n'
    assert without_docstring(exercise(long)) == without_docstring(exercise())


@pytest.mark.parametrize("docstring", ["", '    "one"; x = 1\n'])
def test_what_has_no_docstring_of_its_own_lines_is_not_asked(docstring: str) -> None:
    assert without_docstring(exercise(docstring)) == ""


def test_the_new_words_stand_where_the_old_ones_stood() -> None:
    task = task_of(exercise(), "```\nThe sum of n and itself,\nwhich is 0 for 0.\n```")
    assert task is not None
    assert task.prompt == (
        'import math\n\n\ndef double(n: int) -> int:\n    """The sum of n and itself,\n    which is 0 for 0.\n    """\n'
    )
    assert task.test == exercise().test
    compile(task.prompt + exercise().solution, "exercise", "exec")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("The sum of n and itself.", "The sum of n and itself."),
        ('```python\ndef double(n):\n    """The sum."""\n    return n + n\n```', "The sum."),
        ('```\n"""The sum."""\n```', "The sum."),
        ("```\none\n```\n```\ntwo\n```", ""),
        ('```\nA """ in it\n```', ""),
        ("```\n" + "long " * 400 + "\n```", ""),
        ("", ""),
    ],
)
def test_what_an_answer_says(answer: str, words: str) -> None:
    assert docstring_in(answer) == words


def test_the_same_words_are_no_rewording() -> None:
    assert task_of(exercise(), "twice  N.") is None
    assert task_of(exercise(), "") is None
