"""The `>>>` examples of a docstring: found as doctest finds them, and held to what their options mean."""

import doctest
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sandbox import Limits, Program, Sandbox
from pipeline.sandbox.docstrings import docstring_examples, doctests
from pipeline.sandbox.types import Example


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(cpu_seconds=2.0)) as opened:
        yield opened


def documented(indent: str, *lines: str) -> str:
    inner = "".join(f"{indent}{line}\n" if line else "\n" for line in lines)
    return f'def f(x):\n{indent}"""Twice.\n\n{inner}{indent}"""\n{indent}return 2 * x\n'


@pytest.mark.parametrize("indent", ["    ", "  ", " ", "\t", "        ", "   "])
def test_examples_are_found_at_every_indentation(indent: str) -> None:
    assert docstring_examples(documented(indent, ">>> f(2)", "4"), "f") == (Example("f(2)\n", "4\n"),)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('def f(x):\n    """>>> f(2)\n    4\n    """\n    return 2 * x\n', ["f(2)\n"]),
        ('def f(x): """>>> f(2)\n4"""\n', ["f(2)\n"]),
        ('async def f(x):\n  """\n  >>> 1\n  1\n  """\n', ["1\n"]),
        ("class f:\n  'A.'\n  def g(self):\n    '''\n    >>> 2\n    2\n    '''\n", ["2\n"]),
        ("def f():\n  '>>> 1'\ndef f():\n  '>>> 2'\n", ["2\n"]),
        ("def g():\n  '>>> 1'\n", []),
        ("class A:\n  def f(self):\n    '>>> 1'\ndef f():\n  '>>> 2'\n", ["2\n"]),
        ("if True:\n  def f():\n    '>>> 2'\n", ["2\n"]),
        ("def f(:\n", []),
    ],
)
def test_examples_are_those_of_the_entry_point(source: str, found: list[str]) -> None:
    assert [example.source for example in docstring_examples(source, "f")] == found


@pytest.mark.parametrize(
    ("lines", "wants"),
    [
        (["```python", ">>> f(2)", "4", "```"], ["4\n"]),
        (["~~~", ">>> f(2)", "4", ">>> f(3)", "6", "~~~", "", ">>> f(4)", "8"], ["4\n", "6\n", "8\n"]),
        ([">>> f(2)", "4", "", "```pycon", ">>> f(3)", "6", "```", "More."], ["4\n", "6\n"]),
        ([">>> print('```')", "```"], ["```\n"]),  # an example may print a fence
        (
            [">>> print('```python'); print('```')", "```python", "```", "", ">>> f(2)", "4"],
            ["```python\n```\n", "4\n"],
        ),
    ],
)
def test_a_fence_around_examples_is_no_output(lines: list[str], wants: list[str]) -> None:
    assert [example.want for example in docstring_examples(documented("    ", *lines), "f")] == wants


@pytest.mark.parametrize(
    "malformed",
    [
        [">>>f(1)", "2"],
        [">>> f(1)", "2", "", "  >>> f(3)", "6"],
        [">>> f(1) # doctest: +NO_SUCH_OPTION", "2"],
        [">>> for i in [1]:", "...print(i)", "1"],
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_malformed_example_leaves_the_others(malformed: list[str], first: bool) -> None:
    good = [">>> f(2)", "4", ""]
    text = "\n".join([*malformed, "", *good] if first else [*good, *malformed])
    with_it = doctests(text)
    assert Example("f(2)\n", "4\n") in with_it
    assert len(with_it) <= text.count(">>>")


@given(st.lists(st.sampled_from(["1 + 1", "[2]", "'a'", "x = 3"]), max_size=5), st.integers(0, 9))
def test_well_formed_examples_are_those_that_doctest_finds(sources: list[str], indent: int) -> None:
    text = "".join(f"{' ' * indent}>>> {source}\n{' ' * indent}out\n\n" for source in sources)
    wanted = [(e.source, e.want) for e in doctest.DocTestParser().get_examples(text)]
    assert [(e.source, e.want) for e in doctests(text)] == wanted


def test_a_skipped_example_is_none() -> None:
    assert doctests(">>> f(1)  # doctest: +SKIP\n3\n>>> f(2)\n4\n") == (Example("f(2)\n", "4\n"),)
    assert doctests(">>> f(2)  # doctest: -SKIP\n4\n")[0].want == "4\n"


TRACE = "Traceback (most recent call last):\n    ...\n"


@pytest.mark.parametrize(
    ("example", "want", "holds"),
    [
        ("print('a   b')", "a b", True),
        ("print('a   b')  # doctest: +NORMALIZE_WHITESPACE", "a b", True),
        ("print('a   b')  # doctest: -NORMALIZE_WHITESPACE", "a b", False),
        ("list(range(20))  # doctest: +ELLIPSIS", "[0, ..., 19]", True),
        ("list(range(20))  # doctest: +ELLIPSIS", "[0, ..., 18]", False),
        ("list(range(20))  # doctest: -ELLIPSIS", "[0, ..., 19]", False),
        ("list(range(20))  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE", "[0,   1,   ..., 19]", True),
        ("print('a...')  # doctest: -ELLIPSIS", "a...", True),
        ("int('x')  # doctest: +IGNORE_EXCEPTION_DETAIL", f"{TRACE}ValueError: anything", True),
        ("int('x')  # doctest: +IGNORE_EXCEPTION_DETAIL", f"{TRACE}a.b.ValueError: anything", True),
        ("int('x')  # doctest: +IGNORE_EXCEPTION_DETAIL", f"{TRACE}KeyError: anything", False),
        ("int('x')  # doctest: +IGNORE_EXCEPTION_DETAIL", "ValueError: anything", False),
        ("int('x')", f"{TRACE}ValueError: anything", False),
        ("int('x')", f"{TRACE}ValueError: invalid literal for ...", True),
        ("int('x')  # doctest: -ELLIPSIS", f"{TRACE}ValueError: invalid literal for ...", False),
        ("__import__('json').loads('x')", f"{TRACE}json.decoder.JSONDecodeError: Expecting value: ...", True),
        ("1  # doctest: +DONT_ACCEPT_TRUE_FOR_1", "True", False),
        ("1", "True", True),
        ("print()", "<BLANKLINE>", True),
        ("print('a\\n\\nb')", "a\n<BLANKLINE>\nb", True),
        (
            "print('a\\n\\nb')  # doctest: +DONT_ACCEPT_BLANKLINE, -NORMALIZE_WHITESPACE",
            "a\n<BLANKLINE>\nb",
            False,
        ),
        ("f(2)", "4", True),
        ("f(2)", "5", False),
        ("f(2)", "", False),
    ],
)
def test_options_mean_what_doctest_says(sandbox: Sandbox, example: str, want: str, holds: bool) -> None:
    source = documented("  ", f">>> {example}", *want.split("\n"))
    examples = docstring_examples(source.replace("\\", "\\\\"), "f")
    assert len(examples) == 1
    (verdict,) = sandbox.run([Program("p", source, "f", "", examples)])
    assert verdict.passed is holds, verdict
