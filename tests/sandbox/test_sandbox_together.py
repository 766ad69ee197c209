"""The second, sealed mode: tests that need the program's own process, and what must not pass in it."""

import json
from collections.abc import Iterator

import pytest

from pipeline.sandbox import Limits, Program, Sandbox, Verdict
from pipeline.sandbox.checks import sealed
from pipeline.sandbox.gate import refusal
from pipeline.sandbox.reduce import constant

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
