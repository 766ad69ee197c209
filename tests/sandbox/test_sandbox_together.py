"""The second, sealed mode: tests that need the program's own process, and what must not pass in it."""

import json
from collections.abc import Iterator

import pytest

from pipeline.sandbox import Limits, Program, Sandbox, Verdict
from pipeline.sandbox.checks import sealed
from pipeline.sandbox.gate import refusal
from pipeline.sandbox.reduce import constant
from pipeline.sandbox.sealing import Sealing

STDOUT = "import contextlib, io\nbuf = io.StringIO()\nwith contextlib.redirect_stdout(buf):\n    f({0})\n"
PRINTED = STDOUT.format("'ab'") + "assert buf.getvalue() == 'AB\\n'\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(cpu_seconds=2.0, idle_seconds=2.0)) as opened:
        yield opened


def judged(sandbox: Sandbox, source: str, test: str, entry_point: str = "f") -> Verdict:
    (verdict,) = sandbox.run([Program("p", source, entry_point, test)])
    return verdict


PRINTS = ("def f(s):\n    print(s.upper())\n", "def f(s):\n    print(s.lower())\n")
READS = ("def f():\n    return int(input()) + int(input())\n", "def f():\n    return int(input()) - int(input())\n")
SHARED: dict[str, tuple[str, str, str]] = {
    "redirected stdout": (*PRINTS, PRINTED),
    "replaced stdout": (
        *PRINTS,
        "import io, sys\ndef test_f():\n    old, sys.stdout = sys.stdout, io.StringIO()\n    try:\n        f('ab')\n"
        "        out = sys.stdout.getvalue()\n    finally:\n        sys.stdout = old\n    assert out.strip() == 'AB'\n",
    ),
    "capsys": (*PRINTS, "def test_f(capsys):\n    f('ab')\n    assert capsys.readouterr().out == 'AB\\n'\n"),
    "mocked stdout": (
        *PRINTS,
        "import io, unittest\nfrom unittest.mock import patch\nclass T(unittest.TestCase):\n"
        "    @patch('sys.stdout', new_callable=io.StringIO)\n    def test_f(self, out):\n        f('ab')\n"
        "        self.assertEqual(out.getvalue(), 'AB\\n')\n",
    ),
    "mocked print": (
        *PRINTS,
        "from unittest import mock\ndef test_f():\n    with mock.patch('builtins.print') as shown:\n        f('ab')\n"
        "    shown.assert_called_once_with('AB')\n    assert shown.call_args[0][0] == 'AB'\n",
    ),
    "stdin": (*READS, "import io, sys\nsys.stdin = io.StringIO('5\\n2\\n')\nassert f() == 7\n"),
    "mocked input": (
        *READS,
        "from unittest.mock import patch\ndef test_f():\n    with patch('builtins.input', side_effect=['5', '2']):\n"
        "        assert f() == 7\n",
    ),
    "monkeypatched input": (
        *READS,
        "def test_f(monkeypatch):\n    answers = iter(['5', '2'])\n"
        "    monkeypatch.setattr('builtins.input', lambda _='': next(answers))\n    assert f() == 7\n",
    ),
    "seed": (
        "import random\ndef f():\n    return random.randint(1, 10**6)\n",
        "import random\ndef f():\n    random.random()\n    return random.randint(1, 10**6)\n",
        "import random\nrandom.seed(3)\nwant = random.randint(1, 10**6)\nrandom.seed(3)\nassert f() == want\n",
    ),
    "environment": (
        "import os\ndef f():\n    return os.environ.get('MODE', 'none')\n",
        "import os\ndef f():\n    return os.environ.get('MOD', 'none')\n",
        "import os\nos.environ['MODE'] = 'fast'\nassert f() == 'fast'\n",
    ),
    "iterator": (
        "def f(it):\n    return [x * 2 for x in it]\n",
        "def f(it):\n    return [x * 3 for x in it]\n",
        "assert f(iter([1, 2])) == [2, 4]\nassert f(x for x in (3,)) == [6]\n",
    ),
    "iterator left over": (
        "def f(it):\n    return next(it)\n",
        "def f(it):\n    return list(it)[0]\n",
        "it = iter([1, 2])\nassert f(it) == 1\nassert list(it) == [2]\n",
    ),
    "file": (
        "def f(file):\n    return len(file.readlines())\n",
        "def f(file):\n    return len(file.read())\n",
        "import io\nassert f(io.StringIO('a\\nb\\n')) == 2\n",
    ),
    "file written": (
        "def f(file):\n    file.write('a')\n",
        "def f(file):\n    file.write('b')\n",
        "import io\nout = io.StringIO()\nf(out)\nassert out.getvalue() == 'a'\n",
    ),
    "deque": (
        "def f(q):\n    q.rotate(1)\n",
        "def f(q):\n    q.rotate(2)\n",
        "from collections import deque\nq = deque([1, 2, 3])\nf(q)\nassert list(q) == [3, 1, 2]\n",
    ),
    "defaultdict": (
        "def f(d):\n    d['a'].append(1)\n",
        "def f(d):\n    d['b'].append(1)\n",
        "from collections import defaultdict\nd = defaultdict(list)\nf(d)\nassert d == {'a': [1]}\n",
    ),
    "nested lists": (
        "def f(m):\n    for row in m:\n        row.reverse()\n",
        "def f(m):\n    m.reverse()\n",
        "row = [1, 2]\nm = [row, [3, 4]]\nf(m)\nassert m == [[2, 1], [4, 3]]\nassert m[0] is row\n",
    ),
    "docstring": (
        "def f():\n    '''Adds.'''\n    return 1\n",
        "def f():\n    return 1\n",
        "assert f.__doc__ is not None\nassert 'Adds' in f.__doc__\nassert f() == 1\n",
    ),
    "signature": (
        "def f(a, b=2):\n    return a + b\n",
        "def f(a, b):\n    return a + b\n",
        "import inspect\nassert list(inspect.signature(f).parameters) == ['a', 'b']\nassert f(1) == 3\n",
    ),
    "coroutine": (
        "import asyncio\nasync def f(n):\n    await asyncio.sleep(0)\n    return n + 1\n",
        "async def f(n):\n    return n + 2\n",
        "import asyncio\nasync def main():\n    return await asyncio.gather(f(1), f(2))\n"
        "assert asyncio.run(main()) == [2, 3]\n",
    ),
    "asynchronous test": (
        "async def f(n):\n    return n + 1\n",
        "async def f(n):\n    return n + 2\n",
        "import pytest\n@pytest.mark.asyncio\nasync def test_f():\n    assert await f(1) == 2\n",
    ),
    "asynchronous generator": (
        "async def f(n):\n    for i in range(n):\n        yield i\n",
        "async def f(n):\n    for i in range(n):\n        yield i + 1\n",
        "import asyncio\nasync def main():\n    return [i async for i in f(3)]\n"
        "assert asyncio.run(main()) == [0, 1, 2]\n",
    ),
    "match object": (
        "import re\ndef f(s):\n    return re.match(r'\\d+', s)\n",
        "import re\ndef f(s):\n    return re.match(r'x', s)\n",
        "assert f('12a')\nassert f('12a').group() == '12'\nassert not f('a')\n",
    ),
    "views": (
        "def f(d):\n    return d.keys()\n",
        "def f(d):\n    return d.values()\n",
        "assert 'a' in f({'a': 1})\nassert len(f({'a': 1})) == 1\n",
    ),
    "pickled": (
        "class P:\n    def __init__(self, x):\n        self.x = x\ndef f(x):\n    return P(x)\n",
        "class P:\n    def __init__(self, x):\n        self.x = x + 1\ndef f(x):\n    return P(x)\n",
        "import copy\nassert copy.deepcopy(f(2)).x == 2\n",
    ),
    "generator state": (
        "def f():\n    got = yield 1\n    yield got * 2\n",
        "def f():\n    got = yield 1\n    yield got * 3\n",
        "g = f()\nassert next(g) == 1\nassert g.send(5) == 10\ng.close()\n",
    ),
    "decorator": (
        "import functools\ndef f(fn):\n    @functools.wraps(fn)\n    def inner(*a):\n"
        "        return fn(*a) + 1\n    return inner\n",
        "def f(fn):\n    def inner(*a):\n        return fn(*a) + 1\n    return inner\n",
        "@f\ndef g(x):\n    'Doc.'\n    return x\nassert g.__name__ == 'g' and g.__doc__ == 'Doc.'\nassert g(1) == 2\n",
    ),
    "slept": (
        "import time\ndef f():\n    time.sleep(100)\n    return 1\n",
        "def f():\n    return 1\n",
        "from unittest import mock\nwith mock.patch('time.sleep') as slept:\n    assert f() == 1\n"
        "assert slept.call_count == 1\n",
    ),
}


@pytest.mark.parametrize("name", SHARED)
def test_what_a_test_shares_with_the_program_is_shared(sandbox: Sandbox, name: str) -> None:
    right, wrong, test = SHARED[name]
    verdict = judged(sandbox, right, test)
    assert verdict.passed, verdict
    assert judged(sandbox, wrong, test).verdict == "failed"


def test_an_expression_may_be_the_entry_point(sandbox: Sandbox) -> None:
    source = "class Solution:\n    def two(self, n):\n        return n + {}\n"
    for test in (
        "def check(candidate):\n    assert candidate(1) == 3\n",
        PRINTED.replace("f('ab')", "candidate('ab')"),
    ):
        prints = source.replace("return n + {}", "print({})")
        right, wrong = ("n.upper()", "n") if "buf" in test else ("2", "1")
        made = prints if "buf" in test else source
        assert judged(sandbox, made.format(right), test, "Solution().two").passed
        assert judged(sandbox, made.format(wrong), test, "Solution().two").verdict == "failed"


def test_the_verdict_says_how_it_was_judged(sandbox: Sandbox) -> None:
    add = "def f(n):\n    return n + 1\n"
    assert judged(sandbox, add, "assert f(1) == 2").judged == "values"
    assert judged(sandbox, add, "def test_f():\n    assert f(1) == 2").judged == "apart"
    assert judged(sandbox, PRINTS[0], PRINTED).judged == "together"
    assert judged(sandbox, add, "").judged == ""


LIE = (
    "class A:\n    def __eq__(self, other):\n        return True\n    def __ne__(self, other):\n        return False\n"
)
TESTS = [
    PRINTED,
    "def test_f(capsys):\n    f('ab')\n    assert capsys.readouterr().out == 'AB\\n'\n",
    "import io\nout = io.StringIO()\nassert f('ab') == 'AB'\nassert f('ab') == out.getvalue() + 'AB'\n",
    "import unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(f('ab'), 'AB')\n"
    "        self.assertTrue(f('cd') == 'CD')\n",
    "async def test_f():\n    assert f('ab') == 'AB'\n",
]
FAKES = [
    f"{LIE}def f(s):\n    return A()\n",
    f"{LIE}def f(s):\n    print(A())\n",
    "class A(str):\n    __eq__ = lambda s, o: True\n    __hash__ = None\ndef f(s):\n    return A()\n",
    "class A(str):\n    pass\nsetattr(A, '__eq__', lambda s, o: True)\ndef f(s):\n    return A()\n",
    "import sys\ndef f(s):\n    sys.exit(0)\n",
    "def f(s):\n    raise SystemExit\n",
    "def f(s):\n    raise SystemExit(0)\nprint('held')\n",
    "import os\ndef f(s):\n    os._exit(0)\n",
    "import sys\ndef f(s):\n    frame = sys._getframe(1)\n    return frame.f_locals.get('want', 'x')\n",
    "def f(s):\n    try:\n        1 / 0\n    except Exception as e:\n"
    "        return e.__traceback__.tb_frame.f_back.f_code.co_consts\n",
    "import io\nio.StringIO.getvalue = lambda s: 'AB\\n'\ndef f(s):\n    return None\n",
    "import builtins\nbuiltins.print = lambda *a: None\ndef f(s):\n    pass\n",
    "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\ndef f(s):\n    pass\n",
    "import gc\ndef f(s):\n    return [o for o in gc.get_objects()]\n",
    "def f(s):\n    m = b'[\"test\",[\"held\"]]'\n    with open(3, 'wb', closefd=False) as c:\n"
    "        c.write(len(m).to_bytes(4, 'little') + m)\n    return 1\n",
    "import os\ndef f(s):\n    m = b'[\"test\",[\"held\"]]'\n"
    "    os.write(3, len(m).to_bytes(4, 'little') + m)\n    return 1\n",
    "import asyncio\nclass P:\n    def fileno(self):\n        return 3\nasync def go():\n"
    "    await asyncio.get_running_loop().connect_write_pipe(asyncio.Protocol, P())\ndef f(s):\n"
    "    asyncio.run(go())\n",
    "def f(s):\n    raise StopIteration\n",
    "def f(s):\n    raise AssertionError\n",
    "class A:\n    def __init__(self, s=''):\n        pass\n    def __sub__(self, o):\n        return 0\n"
    "def f(s):\n    return A()\n",
    "import sys\nsys.modules['__main__'].__checks__ = None\ndef f(s):\n    return None\n",
    "def f(s):\n    import __main__\n    __main__.__checks__.sealed = lambda *a: None\n",
    "import sys\nsys.settrace(lambda *a: None)\ndef f(s):\n    return ''\n",
    "def f(s):\n    return type(A)('B', (), {'__eq__': lambda s, o: True})()\nclass A:\n    pass\n",
    "import threading\ndef f(s):\n    threading.Thread(target=lambda: exit(0)).start()\n",
    "def f(s):\n    globals()['__builtins__'] = {}\n    return s\n",
    "def f(s):\n    return eval('s.lower()')\n",
    "def f(s):\n    '{0.__globals__}'.format(f)\n    return s\n",
]  # fmt: skip


FORGES = (
    "import json\ndef held():\n    m = json.dumps(['test', ['held']]).encode()\n"
    "    return len(m).to_bytes(4, 'little') + m\n"
)
ROUTES: dict[str, tuple[str, str]] = {
    "modules that come with *": (
        f"{FORGES}from uuid import *\ndef f(s):\n    sys.modules['os'].write(3, held())\n    print('no')\n",
        "uses uuid.os",
    ),
    "type in brackets": (
        f"{FORGES}T = type[int]\nX = T('X', (), {{'_' + '_index_' + '_': lambda s: 3}})\n"
        "def f(s):\n    open(X(), 'wb', 0).write(held())\n",
        "passes type on",
    ),
    "type as a key": ("class G:\n    def __getitem__(self, k):\n        return k\nT = G()[type]\n", "passes type on"),
    "type in an annotation": ("def g(x: type):\n    pass\nT = g.__annotations__['x']\n", "uses __annotations__"),
    "type of a field": (
        "import dataclasses\n@dataclasses.dataclass\nclass C:\n    x: type\nT = dataclasses.fields(C)[0].type\n",
        "passes type on",
    ),
    "origin of Type": ("import typing\nT = typing.get_origin(typing.Type)\n", "uses typing.get_origin"),
    "a library's metaclass": ("import typing\nclass M(typing.NamedTupleMeta):\n    pass\n", "uses typing.NamedTuple"),
    "a class under another name": (
        "import json\nE = json.JSONEncoder\nold = E.iterencode\ndef evil(self, o, _=False):\n"
        "    return old(self, ['test', ['held']] if o and o[0] in ('test', 'compared') else o, True)\n"
        "E.iterencode = evil\ndef f(s):\n    print('no')\n",
        "sets the attribute iterencode and passes json.JSONEncoder on",
    ),
    "a class called self": (
        "from json import JSONEncoder\ndef g(self):\n    self.iterencode = 1\ng(JSONEncoder)\n",
        "sets the attribute iterencode and passes JSONEncoder on",
    ),
    "a class as a keyword": (
        "from json import JSONEncoder\ndef g(x):\n    x.iterencode = 1\ng(x=JSONEncoder)\n",
        "sets the attribute iterencode and passes JSONEncoder on",
    ),
    "a class as a default": (
        "import collections, json\nd = collections.defaultdict(json.JSONEncoder)\ndef g(self):\n"
        "    self.iterencode = 1\ng(d.default_factory)\n",
        "sets the attribute iterencode and passes json.JSONEncoder on",
    ),
    "a class made a dataclass": (
        "import dataclasses, string\ndataclasses.dataclass(string.Template)\n",
        "passes dataclasses.dataclass on",
    ),
    "a base that reads a private name": (
        f"{FORGES}import contextlib\nclass R(contextlib.redirect_stdout):\n    _stream = 'modules'\n"
        "    def __init__(self):\n        self._new_target = {}\n        self._old_targets = []\nr = R()\n"
        "r.__enter__()\nm = r._old_targets[0]\nr.__exit__(None, None, None)\n"
        "def f(s):\n    m['os'].write(3, held())\n",
        "redefines the private _new_target of contextlib.redirect_stdout",
    ),
    "a base in brackets": (
        "import contextlib\nclass R(contextlib.redirect_stdout[int]):\n    _stream = 'modules'\n",
        "redefines the private _stream of contextlib.redirect_stdout",
    ),
    "a base that is worked out": (
        "from contextlib import *\ndef g(x):\n    return x\nclass R(g(redirect_stdout)):\n    _stream = 'modules'\n",
        "redefines the private _stream of redirect_stdout",
    ),
    "a private name of the library": (
        f"{FORGES}import pathlib\nclass A:\n    def g(self):\n        self._flavour = 1\n"
        "m = pathlib.Path('x')._flavour\n",
        "uses the private _flavour",
    ),
    "a private name of an unbound method": (
        f"{FORGES}import pathlib\nclass A:\n    def g(self):\n        self._flavour = 1\n"
        "    def h(self):\n        return self._flavour\nm = A.h(pathlib.Path('x'))\n",
        "uses the private _flavour",
    ),
    "a private name beside a setter": (
        "import pathlib\nclass A:\n    def g(self, x):\n        self._flavour = 1\n    x = property(g)\n    @x.setter\n"
        "    def x(self, v):\n        return self._flavour\nm = A.g(pathlib.Path('x'), 1)\n",
        "uses the private _flavour",
    ),
    "attributes to copy": (
        "import functools\nfunctools.update_wrapper(1, 2, ('gi_frame',))\n",
        "uses functools.update_wrapper",
    ),
    "attributes for wraps": (
        "from functools import wraps\nwraps((x for x in ()), ('gi_frame',))(print)\n",
        "says what wraps is to copy",
    ),
    "wraps as a value": ("import functools\nw = functools.wraps\n", "says what wraps is to copy"),
    "attributes of a namespace": ("import argparse\n", "imports argparse"),
    "an enumeration of text": (
        "from enum import Enum\nE = Enum('E', [('_' + '_eq_' + '_', lambda s, o: True), ('A', 1)])\n",
        "makes an enumeration of names that are not written out",
    ),
    "an enumeration for a module": (
        "import enum\nenum.Enum('E', 'x', module='json')\n",
        "makes an enumeration of names that are not written out",
    ),
    "an enumeration without members": (
        "import enum\nclass B(enum.Enum):\n    def __call__(self, *a):\n        pass\nB('E', {'x' + 'y': 1})\n",
        "has an enumeration without members",
    ),
    "an enumeration into a module": ("import enum\nenum.global_enum(1)\n", "uses enum.global_enum"),
    "a registered class": (
        "import abc, types\nfrom dataclasses import dataclass\n@dataclass\nclass P(abc.ABC):\n    gi_frame: int\n"
        "P.register(types.GeneratorType)\ndef g(x):\n    match x:\n        case P(y):\n            return y\n",
        "matches by the places of P",
    ),
    "a named tuple's places": (
        "from collections import namedtuple\nP = namedtuple('P', 'gi_' + 'frame')\ndef g(x):\n    match x:\n"
        "        case P(y):\n            return y\n",
        "matches by the places of P",
    ),
    "an event loop": (
        "import asyncio\nasync def g():\n    await asyncio.current_task().get_loop().sock_sendfile(1, 2)\n",
        "uses the attribute",
    ),
    "a field's name": (
        "import dataclasses\n@dataclasses.dataclass\nclass C:\n    x: int\ndataclasses.fields(C)[0].name = 'y' + 'z'\n",
        "may change a field of a dataclass",
    ),
    "a field that is kept": (
        "from dataclasses import dataclass, field\nkept = []\n@dataclass\nclass C:\n    x: int = field()\n"
        "    kept.append(x)\nkept[0].name = 'y' + 'z'\n",
        "keeps a field of a dataclass",
    ),
    "the module in an error": (
        f"{FORGES}import glob\ntry:\n    glob.nope\nexcept AttributeError as e:\n    m = e.obj\n"
        "def f(s):\n    m.os.write(3, held())\n",
        "uses glob.nope",
    ),
    "the class in an error": (
        "import json\ntry:\n    json.JSONEncoder.nope\nexcept AttributeError as e:\n    E = e.obj\nE.iterencode = 1\n",
        "sets the attribute iterencode and passes json.JSONEncoder on",
    ),
    "a style of formatting": (
        "import logging\nlogging.basicConfig(**{'sty' + 'le': '{', 'format': '{exc_info[2].tb_frame}'})\n",
        "chooses a style of formatting",
    ),
    "a style handed over": ("import logging\nb = logging.basicConfig\n", "passes logging.basicConfig on"),
    "keywords of a class": ("class A(**{'meta' + 'class': print}):\n    pass\n", "has keywords that are not written"),
    "another module's name": ("__name__ = 'json'\nclass C:\n    pass\n", "sets __name__"),
}
"""Programs that follow a text, or reach a class of the library, to what the gate keeps from them; with the refusal."""


@pytest.mark.parametrize("name", ROUTES)
def test_no_route_through_the_library_leads_to_the_test(sandbox: Sandbox, name: str) -> None:
    source, reason = ROUTES[name]
    assert refusal(source).startswith(reason)
    if "def f(" in source:
        assert not judged(sandbox, source, PRINTED).passed


@pytest.mark.parametrize(
    ("test", "texts"),
    [
        (PRINTED, ["buf.getvalue() == 'AB\\n'"]),
        ("def test_f(capsys):\n    assert f(1) == 2\n    assert f(2) == f(3)\n", ["f(1) == 2"]),
        ("def check(candidate):\n    for i in [1]:\n        assert f(i) == 1\n    assert f(1) == 2\n", ["f(1) == 2"]),
        (
            "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 2)\n"
            "    def setUp(self):\n        assert f(1) == 3\nif __name__ == '__main__':\n    unittest.main()\n",
            ["self.assertEqual(f(1), 2)"],
        ),
        ("async def test_f():\n    assert await f(1) == 2\n", ["await f(1) == 2"]),
        ("def test_f():\n    with patch('x') as y, patch.object(a, 'b'):\n        assert f(1) == 2\n", ["f(1) == 2"]),
        ("def test_f():\n    assert f(1) == 2\ndef test_f():\n    assert f(1) == 3\n", []),
        ("def test_f():\n    if f(0):\n        return\n    assert f(1) == 2\n", []),
        ("import pytest\ndef test_f():\n    pytest.skip()\n    assert f(1) == 2\n", []),
        ("import pytest\npytestmark = pytest.mark.skipif(True)\ndef test_f():\n    assert f(1) == 2\n", []),
        ("def test_f():\n    with raises(E):\n        f(0)\n        assert f(1) == 2\n", []),
        ("@given\ndef test_f(x):\n    assert f(1) == 2\n", []),
        ("def test_f(server):\n    assert f(1) == 2\n", []),
        ("def helper():\n    assert f(1) == 2\n", []),
        ("import sys\nassert f(1) == 2\nsys.exit(0)\n", []),
    ],
)
def test_what_a_whole_run_compares_is_due(test: str, texts: list[str]) -> None:
    sealing = Sealing(test)
    assert [sealing.sealed.texts[place] for place in sorted(sealing.missing)] == texts
    assert sealing.left_out == "".join(texts[:1])


def test_a_test_has_not_held_before_what_is_due_came_out_right() -> None:
    sealing = Sealing("def test_f():\n    assert f(1) == 2\n    assert f(2) == 3\n")
    assert sealing.holds("==", 0, "right", 2, None, None)
    assert sealing.left_out == "f(2) == 3"
    assert not sealing.holds("==", 1, "right", 2, None, None)
    assert sealing.left_out == "f(2) == 3"
    sealing.mutating = True
    assert sealing.holds("==", 1, "right", 3, None, None)
    assert sealing.left_out == "f(2) == 3"


@pytest.mark.parametrize("source", FAKES)
def test_no_fake_passes_beside_its_test(sandbox: Sandbox, source: str) -> None:
    for test in TESTS:
        verdict = judged(sandbox, source, test)
        assert verdict.verdict not in ("passed", "infrastructure"), (source, test, verdict)


def test_an_exit_in_the_middle_does_not_end_a_test_well(sandbox: Sandbox) -> None:
    source = "import sys\nseen = []\ndef f(s):\n    if seen:\n        {}\n    seen.append(s)\n    print(s.upper())\n"
    test = PRINTED + "f('cd')\nassert buf.getvalue() == 'x'\n"
    for end in ("sys.exit(0)", "raise SystemExit", "raise StopIteration", "exit()"):
        assert not judged(sandbox, source.format(end), test).passed


@pytest.mark.parametrize(
    "source",
    [
        "import math\ndef f(x):\n    return math.sqrt(x)\n",
        "import os.path\nfrom collections import Counter, defaultdict\ndef f(x):\n"
        "    return Counter(x), defaultdict(list)\n",
        "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n",
        "class Node:\n    def __init__(self, v, nxt=None):\n        self.v, self.next = v, nxt\ndef f(n):\n"
        "    n.next = Node(1)\n",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef f(x):\n    return P(x)\n",
        "import datetime\ndef f():\n    return datetime.datetime(2020, 1, 1).strftime('%Y')\n",
        "import sys\nsys.setrecursionlimit(5000)\ndef f():\n    for line in sys.stdin:\n"
        "        print(line, file=sys.stderr)\n",
        "def f(x):\n    return f'{x:>10} {x!r} {x.real}' + '{:.2f}'.format(x) + type(x).__name__\n",
        "def f(x):\n    return isinstance(x, int) and type(x) is int and getattr(x, 'real') > 0\n",
        "if __name__ == '__main__':\n    print(1)\n",
        "from abc import ABC, ABCMeta\nclass A(metaclass=ABCMeta):\n    def _x(self):\n        return self._y()\n"
        "    def _y(self):\n        self._z = 1\n        return self._z\n",
        "from collections import namedtuple\nP = namedtuple('P', 'x')\ndef f(p):\n"
        "    return p._replace(x=1)._asdict()\n",
        "import enum, functools\nclass Colour(enum.Enum):\n    RED = enum.auto()\n    @classmethod\n"
        "    def _missing_(cls, value):\n        return cls.RED\nS = enum.Enum('S', 'A B')\ndef f(fn):\n"
        "    @functools.wraps(fn)\n    def inner(*a):\n        return Colour(fn(*a))\n    return inner\n",
        "import threading, queue\nclass Pool(threading.Thread):\n    def __init__(self, jobs: queue.Queue):\n"
        "        super().__init__(daemon=True)\n        self._jobs, self._lock = jobs, threading.Lock()\n"
        "    def run(self):\n        with self._lock:\n            print(self._jobs.get())\n",
        "from dataclasses import dataclass, field\nfrom typing import Any, NamedTuple\n@dataclass\nclass P:\n"
        "    x: int\n    y: list = field(default_factory=list)\nclass Q(NamedTuple):\n    z: Any\ndef f(s: P | Q):\n"
        "    match s:\n        case P(x, []):\n            return x\n        case Q(str(z)):\n            return z\n",
        "from collections import Counter, defaultdict\nclass A:\n    def __init__(self):\n"
        "        self.items, self.name = defaultdict(Counter), ''\n    def update(self, other):\n"
        "        other.items = self.items\n        return isinstance(other, (A, Counter))\n",
        "import queue\nclass A:\n    def __init__(self):\n        self._queue = queue.Queue()\n    @property\n"
        "    def size(self):\n        return self._queue.qsize()\n    @size.setter\n    def size(self, n):\n"
        "        self._queue.put(n)\n    @staticmethod\n    def make():\n        return A()\n",
        "from uuid import UUID\nfrom math import *\nfrom ipaddress import ip_address as ip\ndef f(x: type[UUID]):\n"
        "    return list(map(sqrt, [pi])), ip(x)\n",
    ],
)
def test_plain_programs_may_share_a_process(source: str) -> None:
    assert refusal(source) == ""


@pytest.mark.parametrize("source", [*FAKES[:3], *FAKES[7:13]])
def test_what_could_reach_the_test_may_not(source: str) -> None:
    assert refusal(source)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import ctypes", "imports ctypes"),
        ("from os import *", "imports everything of os"),
        ("import logging\nlogging.sys.modules", "uses logging.sys"),
        ("import logging\nx = logging", "passes the module logging on"),
        ("import random as r\nr._os.write(3, b'')", "uses the private _os"),
        ("from dataclasses import make_dataclass", "uses dataclasses.make_dataclass"),
        ("g = getattr\ng(1, 'x')", "passes getattr on"),
        ("getattr(1, 'a' + 'b')", "calls getattr with a name that is not plain"),
        ("open('x', opener=lambda p, f: 3)", "calls open with an opener"),
        ("from collections import Counter\nC = Counter\nC.most_common = 1", "sets the attribute most_common"),
        ("from collections import Counter\nCounter.most_common = 1", "changes Counter.most_common"),
        ("class A:\n    __lt__ = lambda s, o: True", "uses __lt__"),
        ("x = 'a__b'", "has the text 'a__b'"),
        ("def f(x):\n    match x:\n        case object(a=y):\n            return y", "matches attributes of classes"),
        ("class A(type):\n    pass", "has a metaclass"),
        ("from abc import ABCMeta\nclass M(ABCMeta):\n    pass", "makes a class with ABCMeta"),
        ("from abc import ABCMeta as M\nM('X', (), {})", "renames ABCMeta"),
        ("import timeit\ntimeit.timeit('x')", "imports timeit"),
        ("import typing\ntyping.get_type_hints(print)", "uses typing.get_type_hints"),
        ("from functools import singledispatch", "uses functools.singledispatch"),
        ("x = [1]\nx._evaluate({}, {})", "uses the private _evaluate"),
        ("class E(Exception):\n    __match_args__ = ('a',)", "uses __match_args__"),
        ("getattr('{0.x}', 'format')(1)", "calls getattr with a name that is not plain"),
        ("'{0.x}'.format(1)", "formats attributes"),
    ],
)
def test_what_is_refused_is_named(source: str, reason: str) -> None:
    assert refusal(source).startswith(reason)


def test_what_results_are_compared_with_stays_with_the_judge() -> None:
    test = (
        "def test_f():\n    assert f('secret-in') == 'secret-1'\n    assert ['secret-2', 3] != f(2), 'secret-3'\n"
        "class T:\n    def test(self):\n        self.assertEqual(f(1), 'secret-4', 'secret-5')\n"
        "if f(1) != 2:\n    raise AssertionError('plain')\n"
    )
    made = sealed(test, constant)
    assert "secret-in" in made.source
    assert not any(f"secret-{n}" in made.source for n in range(1, 6))
    assert made.constants == {0: "secret-1", 1: ["secret-2", 3], 2: "secret-4"}
    assert json.dumps(made.texts[0]) == "\"f('secret-in') == 'secret-1'\""
