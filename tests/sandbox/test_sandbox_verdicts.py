"""The whole sandbox, end to end: one verdict for each way a program can end."""

from collections.abc import Iterator

import pytest
from patience import HASTY, PATIENT

from pipeline.core.errors import SandboxUnavailable
from pipeline.sandbox import VERDICTS, Example, Limits, Program, Sandbox, Verdict
from pipeline.sandbox.packages import package_paths

CHECK = "def check(candidate):\n    assert candidate(2, 3) == 5\n    assert candidate(-1, 1) == 0\n"
LOOP = "def check(candidate):\n    for i in range(3):\n        assert candidate(i, 3) == i + 3\n"
ADD = "def add(a, b):\n    return a + b\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(PATIENT) as opened:
        yield opened


@pytest.fixture(scope="module")
def hasty() -> Iterator[Sandbox]:
    with Sandbox(HASTY) as opened:
        yield opened


def run(sandbox: Sandbox, source: str, test: str = CHECK, entry_point: str = "add", **more: object) -> Verdict:
    (verdict,) = sandbox.run([Program("p", source, entry_point, test, **more)])  # type: ignore[arg-type]
    assert verdict.verdict in VERDICTS
    return verdict


def body(code: str, before: str = "") -> str:
    lines = "".join(f"    {line}\n" for line in code.splitlines())
    return f"{before}\ndef add(a, b):\n{lines}"


@pytest.mark.parametrize(
    "test",
    [
        CHECK,
        LOOP,
        "assert add(2, 3) == 5\n",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(add(2, 3), 5)\n",
    ],
)
def test_a_right_program_passes_and_a_wrong_one_fails(sandbox: Sandbox, test: str) -> None:
    assert run(sandbox, ADD, test).verdict == "passed"
    assert run(sandbox, ADD.replace("+", "-"), test).verdict == "failed"


def test_a_failed_assert_says_which_one_and_both_values(sandbox: Sandbox) -> None:
    for test in (CHECK, "import math\n" + CHECK):
        detail = run(sandbox, ADD.replace("+", "-"), test).detail
        assert detail == "assert candidate(2, 3) == 5: expected 5, got -1"


@pytest.mark.parametrize(
    ("verdict", "source"),
    [
        ("syntax-error", "def add(a, b:\n    return 1\n"),
        ("syntax-error", "x = 1\0\n"),
        ("memory", body("return len(bytearray(1 << 32))")),
        ("crash", body("import os\nos.abort()")),
        ("crash", body("import ctypes\nctypes.string_at(0)")),
        ("early-exit", body("import os\nos._exit(0)")),
        ("early-exit", body("raise SystemExit")),
        ("early-exit", "import sys\nsys.exit(0)\n"),
        ("output", body("import os\nwhile True: os.write(1, b'x' * 65536)")),
        ("output", body("return 'x' * (1 << 23)")),
        ("blocked", body("import os\nos.fork()")),
        ("blocked", body("import socket\nsocket.socket()")),
        ("blocked", body("import subprocess\nsubprocess.run(['true'])")),
        ("blocked", body("open('/python/x', 'w')")),
        ("blocked", body("import os\nos.kill(1, 9)")),
        ("failed", body("return 1 // 0")),
        ("failed", "x = 1\n"),
        ("failed", body("return input()")),
    ],
)
@pytest.mark.parametrize("test", [CHECK, LOOP])
def test_each_end_has_its_verdict(sandbox: Sandbox, verdict: str, source: str, test: str) -> None:
    assert run(sandbox, source, test).verdict == verdict


@pytest.mark.parametrize(
    ("verdict", "code"), [("timeout-cpu", "while True: pass"), ("timeout-wall", "import time\ntime.sleep(60)")]
)
@pytest.mark.parametrize("test", [CHECK, LOOP])
def test_what_never_ends_is_stopped(hasty: Sandbox, verdict: str, code: str, test: str) -> None:
    assert run(hasty, body(code), test).verdict == verdict


LIES = "class A({base}):\n    def __eq__(s, o): return True\n    __hash__ = None\n    def __ne__(s, o): return False\n"


@pytest.mark.parametrize(
    "test", [CHECK, LOOP, "def check(c):\n    for i in [1]:\n        assert abs(c(2, 3) - 5) < 1e-6\n"]
)
@pytest.mark.parametrize(
    "source",
    [
        body("return A()", LIES.format(base="")),
        body("return A(7)", LIES.format(base="int")),
        body("return A(7)", "class A(float):\n    def __sub__(s, o): return 0.0\n    __abs__ = lambda s: 0.0\n"),
        body("return A()", "class A:\n    __class__ = int\n    __eq__ = int.__eq__\n"),
        body("return A()", "class A:\n    def __sub__(s, o): return 0.0\n    def __rsub__(s, o): return 0.0\n"),
        body(
            "return A()",
            "class A:\n    def __sub__(s, o): return s\n    __lt__ = __gt__ = __sub__\n    __abs__ = lambda s: s\n",
        ),
        body("return None", "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\n"),
        body("import unittest\nraise unittest.SkipTest('x')"),
        body("raise StopIteration"),
        body("return None", "import builtins\nbuiltins.abs = lambda x: 0\n"),
        body("import os\nos.write(3, b'\\x08\\x00\\x00\\x00[\"held\"]')\nos._exit(0)"),
        body("import os\nos.close(4)\nos.close(3)\nreturn 5"),
        body("import os\n[os.write(fd, b'\\x08\\x00\\x00\\x00[\"held\"]') for fd in (3, 4)]\nos._exit(0)"),
    ],
)
def test_nothing_but_the_right_value_passes(sandbox: Sandbox, source: str, test: str) -> None:
    assert run(sandbox, source, test).verdict not in ("passed", "infrastructure")


def test_an_early_exit_is_not_an_expected_exception(sandbox: Sandbox) -> None:
    expects = (
        "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n"
        "        with self.assertRaises(Exception):\n            add(1, 'x')\n"
    )
    assert run(sandbox, ADD, expects).passed
    assert run(sandbox, body("import os\nos._exit(0)"), expects).verdict == "early-exit"


def test_expected_exceptions_are_told_apart_by_class(sandbox: Sandbox) -> None:
    test = "def check(c):\n    try:\n        c(1, 2)\n    except {}:\n        return\n    assert False\n"
    raises = body("raise {}('no')", "import json\nclass Own(ValueError): pass\n")
    assert run(sandbox, raises.format("ValueError"), test.format("ValueError")).passed
    assert run(sandbox, raises.format("Own"), test.format("ValueError")).passed
    assert run(sandbox, raises.format("Own"), test.format("Own")).passed
    assert run(sandbox, raises.format("KeyError"), test.format("ValueError")).verdict == "failed"


@pytest.mark.parametrize(
    ("source", "test"),
    [
        ("def f(x):\n    x.append(1)\n", "data = [0]\nf(data)\nassert data == [0, 1]\n"),
        ("def f(x):\n    return x\n", "data = [0]\nassert f(data) is data\n"),
        ("def f(g, xs):\n    return [g(x) for x in xs]\n", "assert f(lambda x: x * 2, [1, 2]) == [2, 4]\n"),
        ("def f(n):\n    yield from range(n)\n", "assert list(f(3)) == [0, 1, 2]\n"),
        ("def f(n):\n    return lambda x: x + n\n", "add2 = f(2)\nassert add2(3) == 5\n"),
        (
            "class f:\n    def __init__(self):\n        self.items = []\n"
            "    def push(self, x):\n        self.items.append(x)\n"
            "    def __len__(self):\n        return len(self.items)\n",
            "s = f()\ns.push(1)\ns.push('a')\nassert len(s) == 2 and s.items == [1, 'a']\nassert isinstance(s, f)\n",
        ),
        (
            "from collections import namedtuple\nP = namedtuple('P', 'x y')\ndef f():\n    return P(1, 2)\n",
            "p = f()\nassert p == (1, 2) and p.x == 1\n",
        ),
        (
            "class N:\n    def __init__(self, v, n=None):\n        self.v, self.n = v, n\ndef f(node):\n"
            "    return 0 if node is None else node.v + f(node.n)\n",
            "head = N(1, N(2))\nhead.n.n = N(3)\nassert f(head) == 6\n",
        ),
        ("import math\ndef f(x):\n    return math.sqrt(x)\n", "for i in [4.0]:\n    assert math.isclose(f(i), 2.0)\n"),
        (
            "from collections import Counter\ndef f(s):\n    return Counter(s)\n",
            "assert f('aab') == {'a': 2, 'b': 1}\n",
        ),
        ("def f(x):\n    return x / 3\n", "assert abs(f(1) - 0.333333) < 1e-5\nassert round(f(2), 2) == 0.67\n"),
        ("def f(x):\n    return type(x)\n", "assert f(1) == int\nassert f('a') is str\n"),
        ("import asyncio\nasync def g():\n    return 5\ndef f():\n    return asyncio.run(g())\n", "assert f() == 5\n"),
        (
            "import threading\ndef f():\n    out = []\n"
            "    t = threading.Thread(target=out.append, args=(1,))\n    t.start()\n"
            "    t.join()\n    return out\n",
            "assert f() == [1]\n",
        ),
        (
            "import time\nfrom concurrent.futures import ThreadPoolExecutor\ndef f():\n"
            "    with ThreadPoolExecutor(16) as pool:\n        return len(list(pool.map(time.sleep, [0.01] * 16)))\n",
            "assert f() == 16\n",
        ),
        ("def f():\n    return list(range(300_000))\n", "for i in [1]:\n    assert len(f()) == 300_000\n"),
        ("def f():\n    print('x' * 1000)\n    return 1\n", "assert f() == 1\n"),
        (
            "import dataclasses\n@dataclasses.dataclass\nclass D:\n"
            "    x: int\ndef f():\n    return dataclasses.asdict(D(1))\n",
            "assert f() == {'x': 1}\n",
        ),
    ],
)
def test_honest_programs_of_many_kinds_pass(sandbox: Sandbox, source: str, test: str) -> None:
    verdict = run(sandbox, source, test, "f")
    assert verdict.passed, verdict


def test_what_a_program_sees_is_fixed_and_empty(sandbox: Sandbox) -> None:
    source = (
        "import os, random, sys, time\ndef f():\n"
        "    return [sorted(os.environ), os.listdir('.'), os.path.exists('/proc/self'),\n"
        "            os.path.exists('/home'), hash('a') == f.seen, random.random(), time.tzname[0], os.getcwd(),\n"
        "            [p for p in sys.path if 'packages' in p]]\nf.seen = hash('a')\n"
    )
    names = [
        "HOME",
        "LANG",
        "LC_ALL",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "PATH",
        "PYTHONHASHSEED",
        "TMPDIR",
        "TZ",
    ]
    test = f"assert f() == [{names!r}, [], False, False, True, 0.8444218515250481, 'UTC', '/tmp', []]\n"
    for _ in range(2):
        verdict = run(sandbox, source, test, "f")
        assert verdict.passed, verdict
    first, second = (
        run(sandbox, "def f():\n    return hash('a')\n", "assert f() == 0\n", "f").detail for _ in range(2)
    )
    assert first == second


def test_one_program_leaves_nothing_to_the_next(sandbox: Sandbox) -> None:
    dirty = "import builtins, math, os, sys\nmath.sqrt = None\nsys.modules['json'] = None\nbuiltins.leaked = 1\n"
    dirty += "open('left.txt', 'w').write('x')\nos.mkdir('d')\nos.chmod('d', 0)\n" + ADD
    clean = (
        "import builtins, json, math, os\ndef add(a, b):\n"
        "    assert not hasattr(builtins, 'leaked') and math.sqrt(4) == 2\n"
    )
    clean += "    assert os.listdir('.') in ([], ['n.txt'])\n    open('n.txt', 'w').write('x')\n    return a + b\n"
    assert [v.verdict for v in sandbox.run([Program("a", dirty, "add", CHECK), Program("b", clean, "add", CHECK)])] == [
        "passed"
    ] * 2


def test_examples_are_compared_outside(sandbox: Sandbox) -> None:
    examples = (
        Example("x = 2"),
        Example("print(add(x, 3))\n", "5\n"),
        Example("{'b': 1, 'a': {2, 1}}\n", "{'a': {1, 2}, 'b': 1}\n"),
        Example("1 / 0\n", "Traceback (most recent call last):\n  ...\nZeroDivisionError: division by zero\n"),
        Example("[1, 2, 3]\n", "[1, ..., 3]\n"),
    )
    assert run(sandbox, ADD, CHECK, examples=examples).passed
    assert run(sandbox, ADD, LOOP, examples=examples).passed
    verdict = run(sandbox, ADD, CHECK, examples=(Example("add(1, 1)\n", "3\n"),))
    assert (verdict.verdict, verdict.detail) == ("failed", "example: add(1, 1): expected 3, got 2")


def test_a_test_that_asserts_nothing_does_not_pass(sandbox: Sandbox) -> None:
    assert run(sandbox, ADD, "def check(candidate):\n    candidate(1, 2)\n").verdict == "no-test"
    assert run(sandbox, ADD, "def check(candidate:\n").detail.startswith("the test does not parse")


def test_verdicts_come_in_order_or_as_completed() -> None:
    programs = [
        Program(
            str(i), body("for _ in range(100000): pass\nreturn a + b" if i % 3 == 0 else "return a + b"), "add", CHECK
        )
        for i in range(20)
    ]
    with Sandbox(Limits(cpu_seconds=5.0), workers=2) as pool:
        assert [v.program_id for v in pool.run(programs)] == [p.id for p in programs]
        assert {v.program_id for v in pool.run(programs, ordered=False)} == {p.id for p in programs}
        early = pool.run(programs)
        next(early)
        early.close()  # type: ignore[attr-defined]
        assert [v.passed for v in pool.run(programs[:3])] == [True] * 3


def test_only_as_many_programs_are_read_as_are_needed() -> None:
    read = 0

    def endless() -> Iterator[Program]:
        nonlocal read
        while True:
            read += 1
            yield Program(str(read), ADD, "add", CHECK)

    with Sandbox() as pool:
        verdicts = pool.run(endless())
        for _ in range(5):
            assert next(verdicts).passed
        assert read <= 8
        verdicts.close()  # type: ignore[attr-defined]


def test_a_worker_that_dies_is_replaced_and_its_program_run_again() -> None:
    with Sandbox() as pool:

        def programs() -> Iterator[Program]:
            for i in range(6):
                if i == 3:
                    pool._workers[0].process.kill()
                yield Program(str(i), ADD, "add", CHECK)

        assert [(v.program_id, v.verdict) for v in pool.run(programs())] == [(str(i), "passed") for i in range(6)]


def test_a_closed_sandbox_says_how_to_open_it() -> None:
    with pytest.raises(SandboxUnavailable, match="context manager"):
        list(Sandbox().run([]))


def test_the_manifest_names_layers_limits_and_determinism(sandbox: Sandbox) -> None:
    manifest = sandbox.manifest()
    assert manifest["limits"]["cpu_seconds"] == PATIENT.cpu_seconds
    assert manifest["determinism"]["hash_seed"] == 0
    assert all(layer["available"] for layer in manifest["layers"])


def test_packages_are_those_the_recipe_lists() -> None:
    assert not any("numpy" in path for path in package_paths([]))
    source = "import numpy\ndef f():\n    return numpy.arange(3).sum() + 0\n"
    with Sandbox(Limits(memory_mb=2048), packages=("numpy",)) as pool:
        (verdict,) = pool.run([Program("n", source, "f", "assert f() == 3\n")])
        assert verdict.passed, verdict
    with Sandbox() as pool:
        (verdict,) = pool.run([Program("n", source, "f", "assert f() == 3\n")])
        assert "No module named 'numpy'" in verdict.detail


MADE = {"one": "made = {0}\ndef f():\n    return made\n", "another": "def f():\n    return {0}\n"}
"""Programs that return one object again and again, or a new one each time."""
KEPT = ["object()", "[]", "{}", "{1}", "bytearray()", "type('A', (), {})()", "(i for i in ())", "lambda: 1"]
SAME = [
    ("assert f() is f()\n", "assert f() is not f()\n"),
    ("assert not (f() is not f())\n", "assert not (f() is f())\n"),
    ("a = f()\nb = f()\nassert a is b\n", "a = f()\nb = f()\nassert a is not b\n"),
    ("a, b = f(), f()\nassert id(a) == id(b)\n", "a, b = f(), f()\nassert id(a) != id(b)\n"),
    tuple(
        f"import unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertIs{word}(f(), f())\n"
        for word in ("", "Not")
    ),
]
"""Tests that one of them passes, and those that the other does."""


@pytest.mark.parametrize("tests", SAME)
def test_which_object_a_result_is_is_kept(sandbox: Sandbox, tests: tuple[str, str]) -> None:
    cases = [(MADE[kind].format(value), kind) for value in KEPT for kind in MADE]
    for wanted, test in zip(MADE, tests, strict=True):
        verdicts = sandbox.run([Program(kind, source, "f", test) for source, kind in cases])
        for verdict, (source, kind) in zip(verdicts, cases, strict=True):
            assert verdict.passed == (kind == wanted), (source, test, verdict)


def test_a_result_that_is_changed_later_is_changed_where_it_was_kept(sandbox: Sandbox) -> None:
    source = "made = []\ndef f(x):\n    made.append(x)\n    return {}\n"
    test = "a = f(1)\nb = f(2)\nassert a is b\nassert a == [1, 2]\n"
    assert run(sandbox, source.format("made"), test, "f").passed
    assert not run(sandbox, source.format("made[:]"), test, "f").passed


@pytest.mark.parametrize("kind", MADE)
def test_objects_that_compare_by_identity_equal_only_themselves(sandbox: Sandbox, kind: str) -> None:
    source = MADE[kind].format("A()")
    for test, held in (("assert f() == f()\n", "one"), ("assert f() != f()\n", "another")):
        assert run(sandbox, f"class A:\n    pass\n{source}", test, "f").passed == (kind == held)


def test_limits_as_large_as_a_recipe_takes_are_none() -> None:
    with Sandbox(Limits(cpu_seconds=86_400.0, memory_mb=10**15, output_kb=10**12)) as opened:
        assert run(opened, ADD).passed
        assert run(opened, ADD, LOOP).passed
        assert run(opened, ADD.replace("+", "-")).verdict == "failed"


HYPHEN = "\u00ad"
LONG = "0x" + "f" * 5000


@pytest.mark.parametrize(
    ("test", "verdict", "detail"),
    [
        (f"x = f\"{{'{HYPHEN}'}}\"\nassert add(x, x) == x + x\n", "passed", ""),
        (f"assert add('', f\"{{'{HYPHEN}'!r}}\") == 'b'\n", "failed", "assert add('', '{!r}'.format('\\xad')) == 'b'"),
        (f"assert add({LONG}, 0) == {LONG}\n", "passed", ""),
        (f"assert add(1, 0) == {LONG}\n", "failed", "assert add(1, 0) == 0xfff"),
        (
            f"x = {LONG}\nassert add(x, 0) == x\nassert add(x, 1) == x\n",
            "failed",
            "assert add(x, 1) == x: expected",
        ),
        (f"x = {LONG}\nassert add(x, 0) == 1, str(x)\n", "failed", "assert add(x, 0) == 1"),
        (f"assert add(1, 1) == {'+'.join(['1'] * 150)}\n", "failed", "assert add(1, 1) == 1 + 1"),
        *(
            (f"assert add(1, 1) == {odd}\n", "failed", "the test does not parse: nested more than 200 deep")
            for odd in ("+".join(["1"] * 400), "+".join(["1"] * 2000), "-" * 900 + "1", "(1)" + ".real" * 1500)
        ),
    ],
)
def test_an_odd_test_is_judged_like_any_other(sandbox: Sandbox, test: str, verdict: str, detail: str) -> None:
    found = run(sandbox, ADD, test)
    assert found.verdict == verdict
    assert detail in found.detail
