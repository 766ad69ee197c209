"""Python that `ast.unparse` or a recursion cannot follow: whatever reads what a model wrote tells so, and goes on."""

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.records import Completion, Exercise, Seed, Task
from pipeline.core.stage import Dropped
from pipeline.core.syntax import DEEPEST, MOST_BITS, nesting, parse, source_of, tree_of, written
from pipeline.languages.python.calls import shown
from pipeline.languages.python.examples import passage_examples
from pipeline.languages.python.mutants import mutants
from pipeline.languages.python.normal_form import normal_form, wording
from pipeline.languages.python.said import examples_in, lines_of, with_values, without_values
from pipeline.recipe import AgreementTable
from pipeline.stages.decontaminated.trees import functions
from pipeline.stages.documents.stage import Parse
from pipeline.stages.rewordings.wording import laid_out, task_of, without_docstring
from pipeline.stages.solutions.stage import body_of
from pipeline.stages.validated.agreement import ballot_of

HYPHEN = "\u00ad"
ODD = {
    "not printed": f"f\"{{'{HYPHEN}'!r:>{{3}}}}{{{{\"",
    "long number": "0x" + "f" * 5000,
    "in a list": f"[0x{'f' * 5000}]",
    "sum": "+".join(["1"] * 400),
    "long sum": "+".join(["1"] * 2000),
    "signs": "-" * 900 + "1",
    "not": "not " * 400 + "1",
    "attributes": "(1)" + ".real" * 1500,
    "places": "[[0]]" + "[0]" * 700,
    "calls": "id" + "(1)" * 600,
    "lambdas": "lambda: " * 190 + "1",
    "parentheses": "(" * 90 + "1" + ")" * 90,
    "lists": "[" * 90 + "]" * 90,
    "or else": "1 if 2 else " * 600 + "3",
}


BASE = '''import math

def helper(x):
    return math.floor(x)

def f(rows: list[int], start: int = 0) -> int:
    """The sum of rows, e.g. f([5]) returns 5.

    >>> f([1, 2])
    3
    >>> rows = [3, 1]
    >>> f(rows)
    4
    """
    for row in rows:
        start += helper(row)
    return start
'''


def program(odd: str) -> str:
    chain = "".join(f"    elif x == {n}:\n        x = {n}\n" for n in range(400))
    return f'''import functools

@functools.wraps({odd})
def f(x: int = {odd}) -> int:
    """Said. For example f({odd}) returns {odd}.

    >>> f({odd})
    {odd}
    >>> rows = {odd}
    >>> f(rows)
    3
    >>> f({odd})({odd})
    """
    if x == -1:
        x = 0
{chain}    return {odd}
'''


def completion(text: str, task: Task | None = None) -> Completion:
    seed = Seed(
        kind="exercise", number=0, topic="", title="", audience="", form="", function_name="f", teacher="t", task=task
    )
    return Completion(
        prompt_id="p", seed=seed, teacher="t", teacher_kind="replay", model="m", text=text, finish_reason="stop"
    )


TASK = Task(entry_point="f", prompt='def f(x):\n    """Said."""\n', test="")


def read_by_all(answer: str, code: str, test: str) -> None:
    """Whatever reads programs reads the answer, or the code where no exercise comes of it."""
    (outcome,) = Parse()([completion(answer)])
    exercise = outcome.record
    if not isinstance(exercise, Exercise):
        assert isinstance(outcome, Dropped)
        assert outcome.reason in Parse.reasons
        exercise = Exercise(prompt=code, solution="", entry_point="f", test=test, test_owner="teacher")
    prompt, text = exercise.prompt, exercise.text
    without_values(prompt, "f")
    with_values(prompt, "f", [None] * len(examples_in(lines_of(prompt, "f"))), str, lambda said, found: False)
    shown(prompt, test, "f")
    ballot_of(exercise, AgreementTable())
    assert parse(text) is None or len(mutants(text, "f", 12)) <= 12
    normal_form(text)
    wording(text)
    functions(text)
    passage_examples(answer)
    without_docstring(exercise)
    for said in (answer, '"""In other words."""'):
        task = task_of(exercise, said)
        assert task is None or laid_out(task)
    body_of(completion(answer, TASK))


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_nothing_that_reads_programs_ends_with_an_odd_one(odd: str) -> None:
    code = program(odd)
    test = f'assert f({odd}) == {odd}\nif __name__ == "__main__":\n    assert f({odd}) == {odd}\n'
    read_by_all(f"```python\n{code}\n{test}```\n", code, test)


PIECES = [
    *(
        "\0",
        "\x0c",
        "\x1c",
        "\r",
        "\t",
        "\u2028",
        "\ud800",
        "\ufeff",
        "\u200b",
        "\u00a0",
        "\ufb01",
        "\\",
        "\n",
        "\n    ",
        "    ",
    ),
    *(
        '"',
        "'",
        '"""',
        "'''",
        "`",
        "```",
        "\n```\n",
        "```python\n",
        ">>> ",
        "...",
        "#",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
    ),
    *(
        "lambda ",
        "yield ",
        "await ",
        "async ",
        "match x:\n",
        "from __future__ import braces\n",
        "import *",
        "global x\n",
    ),
    *('f"{', "1e999", "0x", "**", "*", "@", "=", "->", "def f(x):\n", "class f:\n", "return", "del ", *ODD.values()),
]


@given(
    st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 12), st.sampled_from(PIECES)), min_size=1, max_size=6),
    st.integers(0, 10**4),
)
@settings(max_examples=60)
def test_nothing_that_reads_programs_ends_with_a_broken_one(changes: list[tuple[int, int, str]], end: int) -> None:
    """Pieces put into an answer, or in the place of some of its characters; and the answer is cut."""
    test = "assert f([1, 2]) == 3\nassert f([]) == 0\n"
    answer = f"Here it is.\n\n```python\n{BASE}\n{test}```\nIt adds.\n"
    for at, gone, piece in changes:
        at %= len(answer)
        answer = answer[:at] + piece + answer[at + gone :]
    answer = answer[: max(40, end % (2 * len(answer)))]
    read_by_all(answer, answer, answer)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_is_written_anew_means_the_same(odd: str) -> None:
    tree = ast.parse(odd)
    text = written(tree)
    if text:
        assert written(ast.parse(text)) == text
    else:
        assert nesting(tree) > DEEPEST


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (ODD["not printed"], f"'{{!r:>{{}}}}{{{{'.format({HYPHEN!r}, 3)"),
        (f"f\"{{x}}{{'{HYPHEN}':{{y}}}}\"", f"'{{}}{{:{{}}}}'.format(x, {HYPHEN!r}, y)"),
        (f"f\"{{f'{{x}}' + '{HYPHEN}'!s}}\"", f"'{{!s}}'.format('{{}}'.format(x) + {HYPHEN!r})"),
        ("f'{x!r}'", "f'{x!r}'"),
    ],
)
def test_what_has_no_text_in_python_is_written_in_other_words(source: str, text: str) -> None:
    assert source_of(tree_of(source)) == text


def test_numbers_are_written_in_decimal_where_python_writes_them() -> None:
    assert source_of(ast.Constant(2**MOST_BITS)) == str(2**MOST_BITS)
    assert source_of(ast.parse(f"x = {hex(2**MOST_BITS * 2**9_000)}")) == f"x = {hex(2**MOST_BITS * 2**9_000)}"


@pytest.mark.parametrize(
    ("number", "fits"), [("0x" + "f" * 2500, True), ("0b" + "1" * 10_001, False), (ODD["in a list"], False)]
)
def test_a_number_that_python_does_not_write_is_no_python(number: str, fits: bool) -> None:
    assert (parse(f"x = {number}") is not None) is fits
    assert parse(f"x = '{number}'") is not None
