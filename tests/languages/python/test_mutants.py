import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.languages.python.mutants import mutants

CLAMP = '''import math


def helper(x):
    return x + 1


def clamp(x: int, low: int = 0, high: int = 10) -> int:
    """The number nearest to x in [low, high].

    >>> clamp(12)
    10
    """
    # at least low
    if x < low:
        return low
    total = 0
    for number in range(3):
        total += number
    return min(x, high) if not x == high else high
'''


def sources(text: str, most: int = 100, name: str = "clamp") -> list[str]:
    return [mutant.source for mutant in mutants(text, name, most)]


def body(expression: str) -> str:
    return f"def f(a, b):\n    return {expression}\n"


@pytest.mark.parametrize(
    ("expression", "changed"),
    [
        ("a < b", ["a <= b"]),
        ("a >= b", ["a > b"]),
        ("a == b", ["a != b"]),
        ("a not in b", ["a in b"]),
        ("a + b", ["a - b"]),
        ("a // b", ["a * b"]),
        ("a % b", ["a // b"]),
        ("a and b", ["a or b"]),
        ("not a", ["not not a"]),
        ("-a", ["+a"]),
        ("1", ["2"]),
        ("True", ["False"]),
        ("0.5", ["1.5"]),
        ("'word'", ["''"]),
        ("''", ["'x'"]),
        ("a[1:b]", ["a[2:b]", "a[1:b + 1]"]),
        ("range(a)", ["range(a - 1)"]),
        ("range(a, b)", ["range(a, b - 1)"]),
        ("min(a)", ["max(a)"]),
        ("a.upper()", ["a.lower()"]),
        ("[x for x in a if x]", ["[x for x in a if not x]"]),
        ("a if b else 0", ["a if not b else 0", "a if b else 1"]),
    ],
)
def test_each_kind_of_change(expression: str, changed: list[str]) -> None:
    assert sorted(sources(body(expression), name="f")) == sorted(
        [*(ast.unparse(ast.parse(body(one))) for one in changed), "def f(a, b):\n    return None"]
    )


@pytest.mark.parametrize(
    ("statement", "instead"), [("a += 1", "pass"), ("a.append(b)", "pass"), ("a[0] = b", "pass"), ("raise b", "pass")]
)
def test_a_statement_is_dropped(statement: str, instead: str) -> None:
    wanted = ast.unparse(ast.parse(f"def f(a, b):\n    {instead}\n"))
    assert wanted in sources(f"def f(a, b):\n    {statement}\n", name="f")


def test_only_the_function_is_changed_and_neither_its_docstring_nor_its_annotations() -> None:
    whole = ast.parse(CLAMP)
    for source in sources(CLAMP):
        tree = ast.parse(source)
        assert ast.unparse(tree.body[:2]) == ast.unparse(whole.body[:2])  # type: ignore[arg-type]
        function, original = tree.body[2], whole.body[2]
        assert isinstance(function, ast.FunctionDef)
        assert isinstance(original, ast.FunctionDef)
        assert ast.unparse(function.args) == ast.unparse(original.args)
        assert ast.get_docstring(function) == ast.get_docstring(original)


def test_the_line_is_that_of_the_change() -> None:
    lines = CLAMP.splitlines()
    found = {(m.kind, m.line) for m in mutants(CLAMP, "clamp", 100)}
    assert ("comparison", lines.index("    if x < low:") + 1) in found
    assert ("boundary", lines.index("    for number in range(3):") + 1) in found


@given(st.integers(0, 40))
def test_as_many_as_are_wanted_all_different_and_from_every_kind_first(most: int) -> None:
    every = sources(CLAMP)
    found = mutants(CLAMP, "clamp", most)
    assert len(found) == min(most, len(every))
    assert len({mutant.source for mutant in found}) == len(found)
    assert [mutant.source for mutant in found] == every[: len(found)]
    kinds = {mutant.kind for mutant in mutants(CLAMP, "clamp", 100)}
    if most >= len(kinds):
        assert {mutant.kind for mutant in found} == kinds


def test_the_text_is_left_alone_and_an_absent_function_has_none() -> None:
    assert ast.unparse(ast.parse(CLAMP)) not in sources(CLAMP)
    assert mutants(CLAMP, "nowhere", 10) == []
    with pytest.raises(SyntaxError):
        mutants("def f(:\n", "f", 10)


def test_of_two_definitions_the_last_is_meant() -> None:
    twice = "def f():\n    return 1\n\n\ndef f():\n    return 5\n"
    assert "def f():\n    return 1\n\ndef f():\n    return 6" in sources(twice, name="f")
    assert all("return 1\n" in source for source in sources(twice, name="f"))
