import ast
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.languages.python.normal_form import normal_form, wording

BASE = """
def merge(left, right, key=len):
    out = []
    while left and right:
        source = left if key(left[0]) <= key(right[0]) else right
        out.append(source.pop(0))
    return out + left + right
"""

SAME = {
    "names": BASE.replace("left", "a").replace("right", "b").replace("out", "acc").replace("merge", "join"),
    "docstring": BASE.replace("key=len):\n", 'key=len):\n    """Merge two sorted lists."""\n'),
    "comments": BASE.replace("    out = []\n", "    # the result\n    out = []  # empty\n\n"),
    "annotations": BASE.replace(
        "(left, right, key=len)", "(left: list[str], right: 'list', key: Callable = len) -> list"
    ),
    "variable annotation": BASE.replace("out = []", "out: list[str] = []"),
    "layout": BASE.replace("key(left[0])", "(key( left[0] ))").replace(
        "out + left + right", "(\n out + left\n + right)"
    ),
    "indentation": "".join("    " + line + "\n" for line in BASE.splitlines()),
}
OTHER = {
    "operator": BASE.replace("<=", "<"),
    "constant": BASE.replace("pop(0)", "pop(1)"),
    "builtin": BASE.replace("key=len", "key=abs"),
    "attribute": BASE.replace("append", "extend"),
    "swapped names": BASE.replace("out + left + right", "out + right + left"),
    "statement": BASE.replace("    return out", "    out.sort()\n    return out"),
}


@pytest.mark.parametrize("change", SAME)
def test_a_change_of_words_only_leaves_the_normal_form(change: str) -> None:
    assert SAME[change] != BASE
    assert normal_form(SAME[change]) == normal_form(BASE) != b""


@pytest.mark.parametrize("change", OTHER)
def test_a_change_of_the_program_changes_the_normal_form(change: str) -> None:
    assert OTHER[change] != BASE
    assert normal_form(OTHER[change]) != normal_form(BASE)


def test_names_are_renamed_scope_by_scope() -> None:
    two = "def f(x):\n    return x + 1\n\n\ndef g(x):\n    return f(x) * 2\n"
    assert normal_form(two) == normal_form(two.replace("def g(x)", "def h(y)").replace("f(x) *", "f(y) *"))
    assert normal_form(two) != normal_form(two.replace("return f(x)", "return g(x)"))


def test_closures_globals_and_imports_resolve() -> None:
    text = (
        "import json as j\nCOUNT = 0\ndef f(a):\n    global COUNT\n    COUNT += 1\n"
        "    def g():\n        return j.dumps(a)\n    return g\n"
    )
    renamed = (
        text.replace("COUNT", "N").replace("as j", "as codec").replace("j.dumps", "codec.dumps").replace("(a)", "(b)")
    )
    assert normal_form(text) == normal_form(renamed)
    assert normal_form(text) != normal_form(text.replace("json", "pickle"))
    assert normal_form(text) != normal_form(text.replace("    global COUNT\n", ""))


def test_method_names_are_attributes_and_stay() -> None:
    text = "class A:\n    def go(self):\n        return self.n + 1\n"
    assert normal_form(text) == normal_form(text.replace("class A", "class Other").replace("self", "this"))
    assert normal_form(text) != normal_form(text.replace("go", "run"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "    ",
        "This is some prose, without code.",
        "def f(:\n",
        "x = '\x00'",
        '"""Only words."""',
        "def f():\n    pass\n",
        "import os\nfrom a import b\n",
        "class A:\n    x: int\n",
        "LIMIT = 3\n",
        '"""Words."""\nimport os\n\nRED = OLD = 0\nGREEN: int = -1\n',
        "NAMES = ['a', ('b', None)]\nEMPTY = {}\nOF = {'a': {1}}\n\n\ndef f(): ...\n",
        "(" * 500 + ")" * 500,
    ],
)
def test_what_is_not_python_or_says_nothing_has_no_normal_form(text: str) -> None:
    assert normal_form(text) == b""


@pytest.mark.parametrize(
    "text",
    [
        "LIMIT = f(3)\n",
        "a, b = 1, 2\n",
        "LIMIT = 3 + x\n",
        "ALL = {**OTHER, 'a': 1}\n",
        "LIMIT = 3\nprint(LIMIT)\n",
        "class A:\n    limit = 3\n",
        "def f():\n    x = 3\n",
        "x += 1\n",
    ],
)
def test_what_computes_or_is_no_setting_of_a_module_has_one(text: str) -> None:
    assert normal_form(text) != b""


def test_a_tree_deeper_than_the_stack_is_let_be() -> None:
    assert normal_form("x = " + "+".join(["1"] * (sys.getrecursionlimit() * 3))) == b""


def test_without_constants_only_constants_are_ignored() -> None:
    assert normal_form("x = f(1, 'a')", constants=False) == normal_form("x = f(-22, None)", constants=False)
    assert normal_form("x = f(1, 'a')", constants=False) != normal_form("x = f(1, y)", constants=False)


def test_every_node_of_the_grammar_is_written() -> None:
    text = """
async def f(a, /, b, *c, d=1, **e):
    async with a as b, c: pass
    async for i in b: await i
    try:
        x = [i async for i in a if i]
    except (A, B) as error:
        raise error from None
    except* C: ...
    finally:
        del x[1:2, ...]
    return lambda q, *r: (yield)
""".replace("    except* C: ...\n", "")
    text += """
match command:
    case {"a": 1, **rest}: print(rest)
    case [x, *others] | (x, others): x
    case Point(x=0) as p if p: p
    case _: f"{command!r:>{10}}"
with open(a) as (b, c): b @= c
global z
assert z, "no"
(y := 5)
"""
    assert normal_form(text) != b""
    assert normal_form(text) == normal_form(
        text.replace("others", "tail").replace("rest", "more").replace("error", "e2")
    )


@settings(max_examples=50, deadline=None)
@given(st.permutations(["alpha", "beta", "gamma", "delta", "omega"]))
def test_any_consistent_renaming_is_a_clone(names: list[str]) -> None:
    tree = ast.parse(BASE)
    table = dict(zip(["left", "right", "key", "out", "source"], names, strict=True))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = table.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = table[node.arg]
    assert normal_form(ast.unparse(tree)) == normal_form(BASE)


def test_the_wording_is_what_docstrings_say_beside_the_names() -> None:
    text = 'def total(Xs):\n    """Return the TOTAL of xs, a list."""\n    n = sum(Xs)  # not this\n    return n\n'
    assert wording(text).words == ("return", "the", "of", "a", "list")
    assert wording(text).same(wording(text.replace("Xs", "values").replace("xs", "values").replace("n =", "m =")))
    assert not wording(text).same(wording(text.replace("Return the", "Give me the")))
    assert wording("def f(x):\n    return x\n").words == wording("no code (").words == ()


WORDED = '''
import json as codec

def load(path, kind):
    """Return the total of codes, taking each first item with json and the rest; on error give None."""
    codes = codec.load(open(path))
    total = 0
    try:
        match codes:
            case {"kind": kind, **more}: total += len(more)
            case [head, *tail] as whole: total += head + len(tail) + len(whole)
    except OSError as problem:
        raise SystemExit from problem
    return [total + code for code in codes]
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("total", "acc"),
        ("codec", "json"),
        ("codec", "j"),
        ("codes", "each"),
        ("more", "rest"),
        ("head", "first"),
        ("tail", "rest"),
        ("whole", "item"),
        ("problem", "error"),
        ("load", "taking"),
    ],
)
def test_a_renaming_to_or_from_a_word_of_the_docstring_leaves_the_wording(old: str, new: str) -> None:
    said = ast.get_docstring(ast.parse(WORDED).body[1], clean=False)  # type: ignore[arg-type]
    assert said is not None
    code = re.sub(rf"(?<![.\w]){old}\b", new, WORDED.replace(said, "@"))
    first, second = WORDED, code.replace("@", said)
    assert first != second
    assert normal_form(first) == normal_form(second) != b""
    assert wording(first).same(wording(second))
    assert wording(second).same(wording(first))
    assert not wording(first).same(wording(second.replace("Return", "Give")))
