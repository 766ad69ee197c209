"""Cutting functions: prompt + solution is the same program as the source, whatever its layout."""

import ast
import sysconfig
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.syntax import parse
from pipeline.languages.python.functions import reindented, split_function
from pipeline.languages.python.source import FunctionNode, first_line, names_in, units

MODULES = ["argparse", "ast", "bisect", "collections/__init__", "dataclasses", "datetime", "difflib", "functools"]
MODULES += ["heapq", "inspect", "os", "random", "shutil", "statistics", "string", "textwrap", "typing", "unittest/mock"]


def same_program(left: str, right: str) -> bool:
    return ast.dump(ast.parse(left)) == ast.dump(ast.parse(right))


def cut(source: str) -> tuple[str, str]:
    split = split_function(source)
    assert split is not None
    assert split.prompt.endswith("\n")
    assert not split.prompt.endswith("\n\n")
    assert split.solution == "" or (split.solution.endswith("\n") and not split.solution.endswith("\n\n"))
    assert same_program(split.prompt + split.solution, source)
    return split.prompt, split.solution


PLAIN = 'def f(x):\n    """Doc."""\n    return x\n'


@pytest.mark.parametrize(
    ("source", "prompt", "solution"),
    [
        (PLAIN, 'def f(x):\n    """Doc."""\n', "    return x\n"),
        (PLAIN.rstrip(), 'def f(x):\n    """Doc."""\n', "    return x\n"),
        ('async def f():\n  "d"\n  await g()\n', 'async def f():\n  "d"\n', "  await g()\n"),
        (
            '# why\n@a\n@b(\n  1)\ndef f(\n    x: int,  # a: b\n) -> Dict[int]:\n    """d"""\n    y = 1\n    # end\n',
            '# why\n@a\n@b(\n  1)\ndef f(\n    x: int,  # a: b\n) -> Dict[int]:\n    """d"""\n',
            "    y = 1\n    # end\n",
        ),
        ('def f():\n\t"""d"""\n\n\treturn 1\n', 'def f():\n\t"""d"""\n', "\n\treturn 1\n"),
        (
            'def f():\n    """d"""  # note\n    # first\n    return 1\n',
            'def f():\n    """d"""  # note\n',
            "    # first\n    return 1\n",
        ),
        ('def f():\n    """d"""; return 1\n', 'def f():\n    """d"""\n', "    return 1\n"),
        ('def f(): "d"; return 1\n', 'def f():\n    "d"\n', "    return 1\n"),
        ('def f(): """a\n  b"""; return 1\n', 'def f():\n    """a\n  b"""\n', "    return 1\n"),
        ('def f():\n    ("d"\n     "e")\n    return 1\n', 'def f():\n    ("d"\n     "e")\n', "    return 1\n"),
        ("def f(x): return x\n", "def f(x):\n", "    return x\n"),
        (
            "def f(x=lambda a: a, *, y: int = {1: 2}[1]): return x\n",
            "def f(x=lambda a: a, *, y: int = {1: 2}[1]):\n",
            "    return x\n",
        ),
        (
            "def f(  # odd: comment\n):  # why\n    # c\n    return 1\n",
            "def f(  # odd: comment\n):  # why\n",
            "    # c\n    return 1\n",
        ),
        ("def f(x: (int)) -> (int):\n    return x\n", "def f(x: (int)) -> (int):\n", "    return x\n"),
        (
            'def f():\n    """é 漢"""; x = "ü"\n    return x\n',
            'def f():\n    """é 漢"""\n',
            '    x = "ü"\n    return x\n',
        ),
        ('def f():\n    """d"""\n', 'def f():\n    """d"""\n', ""),
        (
            'def f():\n    """d"""\n    def g():\n        """e"""\n    return g\n',
            'def f():\n    """d"""\n',
            '    def g():\n        """e"""\n    return g\n',
        ),
    ],
)
def test_layouts(source: str, prompt: str, solution: str) -> None:
    assert cut(source) == (prompt, solution)


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n",
        PLAIN + PLAIN,
        "class A:\n    pass\n",
        "def f(:\n",
        "",
        PLAIN.replace("\n", "\r"),
        "def f(\rx): pass\n",
    ],
)
def test_what_is_no_single_function_is_not_cut(source: str) -> None:
    assert split_function(source) is None


@pytest.mark.parametrize(
    "source",
    [
        'def f():\n    "d" \\\n    ; return 1\n',
        'def f(): "d" \\\n  ; return 1\n',
        'async def f():\n\t"""d""" \\\n\t\t;\\\n\tawait g()\n',
    ],
)
def test_a_function_that_no_cut_gives_back_is_not_cut(source: str) -> None:
    assert parse(source) is not None
    assert split_function(source) is None


names = st.sampled_from(["a", "b", "value", "größe", "x1"])
annotations = st.sampled_from(["", ": int", ": dict[str, int]", ': "list[int]"', ": (lambda: 0)"])
docstrings = st.sampled_from(
    [
        '"""Doc."""',
        "'d'",
        '"""A\n\n    >>> f()\n    1\n    """',
        'r"""\\d"""',
        '"a" "b"',
        '"""with: colon # and hash"""',
        "",
        '("x")',
    ]
)
statements = st.sampled_from(
    [
        "return 1",
        "x = '''a\nb'''",
        "if x:\n{i}    return 2",
        "for a in b:\n{i}    pass\n{i}else:\n{i}    pass",
        "# comment\n{i}y = 1",
        "def g(z):\n{i}    '''inner'''\n{i}    return z",
        "with a as b: pass",
        "x = [1,\n2]",
        "\n{i}yield 3",
        "x = 1; y = 2",
    ]
)


@st.composite
def functions(draw: st.DrawFn) -> str:
    indent = draw(st.sampled_from(["    ", "  ", "\t"]))
    arguments = draw(st.lists(st.tuples(names, annotations), max_size=4, unique_by=lambda pair: pair[0]))
    separator = draw(st.sampled_from([", ", ",\n        ", ",  # c: d\n    "]))
    signature = separator.join(name + annotation for name, annotation in arguments)
    lead = draw(st.sampled_from(["", "# lead\n", "@deco\n", "@deco(a=1)\n# between\n@other\n"]))
    keyword, returns = draw(st.sampled_from(["", "async "])), draw(st.sampled_from(["", " -> int", " -> {1: 2}"]))
    head = f"{lead}{keyword}def f({signature}){returns}:"
    docstring = draw(docstrings)
    body = [statement.replace("{i}", indent) for statement in draw(st.lists(statements, min_size=1, max_size=4))]
    blank = draw(st.sampled_from(["", "\n", "   \n"]))
    lines = [indent + part for part in ([docstring] if docstring else []) + body]
    return head + "\n" + ("\n" + blank).join(lines) + draw(st.sampled_from(["", "\n", "\n\n\n"]))


@given(functions())
def test_any_layout_is_the_same_program(source: str) -> None:
    if parse(source) is not None:
        cut(source)


def test_every_function_of_the_standard_library_is_the_same_program() -> None:
    root = Path(sysconfig.get_paths()["stdlib"])
    count = documented = 0
    for name in MODULES:
        source = (root / f"{name}.py").read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, FunctionNode):
                lines = source.split("\n")[first_line(node) - 1 : node.end_lineno]
                text = textwrap.dedent("\n".join(lines)) + "\n"
                if parse(text) is None:  # a string inside reaches the left margin, which dedent respects
                    continue
                documented += bool(cut(text)[1]) and '"""' in text
                count += 1
    assert count > 1000
    assert documented > 400


def test_units_hold_every_line() -> None:
    source = "# top\nimport a; import b\n\n# f\n@d\ndef f():\n    pass\n    # in f\n\nx = '''\n'''\n"
    found = units(source, ast.parse(source))
    assert "".join(unit.text for unit in found) == source
    assert [len(unit.nodes) for unit in found] == [2, 1, 1]
    assert found[1].lead == "\n# f\n"
    assert found[1].code.endswith("    # in f\n")


def test_names_in_quoted_annotations_are_used() -> None:
    source = 'from m import T, U\ndef f(x: "T") -> "list[U]":\n    pass\n'
    assert {"T", "U"} <= names_in(units(source, ast.parse(source))[1].nodes)


def test_reindenting_leaves_strings_alone() -> None:
    body = "  if x:\n    s = '''a\n  b'''\n\n  return s\n"
    assert reindented(body, "    ") == "    if x:\n      s = '''a\n  b'''\n\n    return s\n"
    assert reindented("\tif x:\n\t\ty()\n", "    ") == "    if x:\n        y()\n"
    assert reindented("no body", "    ") == "no body"
