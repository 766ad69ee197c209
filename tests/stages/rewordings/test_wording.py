"""Rewording: the docstring goes, another comes, the tests stay."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import RecipeError
from pipeline.core.records import Exercise
from pipeline.domains.loading import load
from pipeline.stages.rewordings.wording import (
    check_rewords,
    docstring_in,
    laid_out,
    shown_in,
    task_of,
    without_docstring,
)


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


def test_the_words_before_the_examples_are_no_new_ones() -> None:
    shown = exercise('    """Twice n.\n\n    >>> double(2)\n    4\n    """\n')
    assert task_of(shown, "Twice n.") is None
    assert task_of(shown, "Two times n.") is not None


@pytest.mark.parametrize(("name", "hint"), [("reword", "write reword.md"), ("complete", "write complete.md")])
def test_a_domain_without_a_template_says_which(name: str, hint: str) -> None:
    python = load("python")
    check_rewords(python)
    templates = {key: path for key, path in python.templates.items() if key != name}
    with pytest.raises(RecipeError, match=f"domain 'python' has no template '{name}'") as caught:
        check_rewords(replace(python, templates=templates))
    assert caught.value.hint == hint


LONG = "The smallest of all the multiples of n that are larger than what the caller has given as the second argument."


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("Twice n, or so.", '    """Twice n, or so."""\n'),
        ("This function returns the sum.", '    """Returns the sum."""\n'),
        ("The function `double` takes n.", '    """Takes n."""\n'),
        ("The `double` function adds n to n.", '    """Adds n to n."""\n'),
        ("The function that is meant.", '    """The function that is meant."""\n'),
        ("This function:\n- adds", '    """This function:\n    - adds\n    """\n'),
        (
            LONG,
            '    """The smallest of all the multiples of n that are larger than what the caller\n'
            '    has given as the second argument.\n    """\n',
        ),
        (
            f"Args:\n    - n: {LONG}",
            '    """Args:\n        - n: The smallest of all the multiples of n that are larger than what\n'
            '          the caller has given as the second argument.\n    """\n',
        ),
        (f">>> double({'1' * 80})\n2", f'    """>>> double({"1" * 80})\n    2\n    """\n'),
    ],
)
def test_what_is_kept_is_laid_out(words: str, kept: str) -> None:
    task = task_of(exercise(), words)
    assert task is not None
    assert laid_out(task) == f"import math\n\n\ndef double(n: int) -> int:\n{kept}"


SHOWN = '    """Twice n.\n\n    >>> double(2)\n    4\n\n    Of nothing nothing:\n\n    >>> double(0)\n    0\n    """\n'


@pytest.mark.parametrize(
    ("docstring", "words", "kept"),
    [
        (SHOWN, "The sum.", "The sum.\n\n    >>> double(2)\n    4\n    >>> double(0)\n    0\n    "),
        (SHOWN, "The sum.\n>>> double(7)\n14", "The sum.\n    >>> double(7)\n    14\n    "),
        ('    """Twice n."""\n', "The sum.", "The sum."),
        ('    """Twice n.\n\n    >>> double("\\\\n")\n    9\n    """\n', "The sum.", "The sum."),
    ],
)
def test_examples_stand_below_the_words(docstring: str, words: str, kept: str) -> None:
    task = task_of(exercise(docstring), words)
    assert task is not None
    prompt = laid_out(task, shown_in(exercise(docstring)))
    assert prompt == f'import math\n\n\ndef double(n: int) -> int:\n    """{kept}"""\n'


@given(st.lists(st.text(st.sampled_from("ab -*1.`>"), max_size=90), max_size=5).map("\n".join))
def test_laying_out_loses_no_word(words: str) -> None:
    task = task_of(exercise(), words)
    if task is not None:
        kept = laid_out(task)
        assert kept.split() == task.prompt.split()
        assert laid_out(replace(task, prompt=kept)) == kept
