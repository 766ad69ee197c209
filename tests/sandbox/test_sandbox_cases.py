"""Which tests are tests: every shape that pytest, unittest or Python runs is run; one that compares nothing is none.

Each case is held against a solution that is right and one that is wrong for every argument.
"""

from collections.abc import Iterator

import pytest

from pipeline.sandbox import Limits, Program, Sandbox, Verdict

RIGHT = "def f(n):\n    return n + 1\n"
WRONG = "def f(n):\n    return n + 2\n"
CASE = "import unittest\nclass T(unittest.TestCase):\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(cpu_seconds=2.0)) as opened:
        yield opened


def judged(sandbox: Sandbox, source: str, test: str, entry_point: str = "f") -> Verdict:
    (verdict,) = sandbox.run([Program("p", source, entry_point, test)])
    return verdict


TESTS = {
    "assert": "assert f(1) == 2",
    "if and raise": "if f(1) != 2:\n    raise AssertionError",
    "if and raise of another kind": "if f(1) != 2:\n    raise ValueError('wrong')",
    "raise further inside": "if f(1) != 2:\n    for _ in range(1):\n        raise AssertionError",
    "while and raise": "while f(1) != 2:\n    raise AssertionError",
    "match and raise": "match f(1):\n    case 2:\n        pass\n    case _:\n        raise AssertionError",
    "raise in the else": "if f(1) == 2:\n    pass\nelse:\n    raise AssertionError('wrong')",
    "function": "def test_f():\n    assert f(1) == 2",
    "function called": "def test_f():\n    assert f(1) == 2\ntest_f()",
    "function that takes the candidate": "def test_f(candidate):\n    assert candidate(1) == 2",
    "function that takes the function": "def test_f(f):\n    assert f(1) == 2",
    "check that takes it": "import math\ndef check(candidate):\n    assert candidate(1) == 2",
    "check helper that nobody calls": "def check_f():\n    assert f(1) == 2",
    "helper that nobody calls": "def verify():\n    assert f(1) == 2",
    "helper with arguments": "def verify(n, want):\n    assert f(n) == want\ndef test_f():\n    verify(1, 2)",
    "async function": "async def test_f():\n    assert f(1) == 2",
    "generator of asserts": "def test_f():\n    for i in range(3):\n        assert f(i) == i + 1\n        yield",
    "generator of calls": "def verify(n):\n    assert f(n) == n + 1\ndef test_f():\n    yield verify, 1",
    "class": "class TestF:\n    def test_one(self):\n        assert f(1) == 2",
    "class of another name": "class Cases:\n    def test_one(self):\n        assert f(1) == 2",
    "class with check methods": "class Cases:\n    def check_one(self):\n        assert f(1) == 2",
    "class in a class": "class TestF:\n    class TestInner:\n        def test_one(self):\n            assert f(1) == 2",
    "class with static methods": "class TestF:\n    @staticmethod\n    def test_one():\n        assert f(1) == 2",
    "setup and teardown": (
        "class TestF:\n    def setup_method(self, method):\n        self.want = 2\n"
        "    def teardown_method(self):\n        del self.want\n    def test_one(self):\n"
        "        assert f(1) == self.want"
    ),
    "setup_class": (
        "class TestF:\n    @classmethod\n    def setup_class(cls):\n        cls.want = 2\n"
        "    def test_one(self):\n        assert f(1) == self.want"
    ),
    "setup_module": "def setup_module():\n    global want\n    want = 2\ndef test_f():\n    assert f(1) == want",
    "TestCase": f"{CASE}    def test_one(self):\n        self.assertEqual(f(1), 2)",
    "TestCase with a bare assert": f"{CASE}    def test_one(self):\n        assert f(1) == 2",
    "TestCase with a check method": f"{CASE}    def check_one(self):\n        self.assertEqual(f(1), 2)",
    "TestCase with setUp": (
        f"{CASE}    def setUp(self):\n        self.want = 2\n    def tearDown(self):\n        del self.want\n"
        "    def test_one(self):\n        self.assertEqual(f(1), self.want)"
    ),
    "TestCase with setUpClass": (
        f"{CASE}    @classmethod\n    def setUpClass(cls):\n        cls.want = 2\n"
        "    def test_one(self):\n        self.assertEqual(f(1), self.want)"
    ),
    "subTest": (
        f"{CASE}    def test_one(self):\n        for n in (1, 2):\n            with self.subTest(n=n):\n"
        "                self.assertEqual(f(n), n + 1)"
    ),
    "asynchronous TestCase": (
        "import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def asyncSetUp(self):\n"
        "        self.want = 2\n    async def test_one(self):\n        self.assertEqual(f(1), self.want)"
    ),
    "assertion of unittest by name": f"{CASE}    def test_one(self):\n        self.assertIn(f(1), [2, 9])",
    "self.fail": (
        f"{CASE}    def test_one(self):\n        if f(1) != 2:\n"
        "            self.fail('wrong')\n        self.assertTrue(f)"
    ),
    "assertRaises": (
        f"{CASE}    def test_one(self):\n        self.assertRaises(TypeError, f, 'x')\n"
        "        assert f(1) == 2"
    ),
    "main guard": "def test_f():\n    assert f(1) == 2\nif __name__ == '__main__':\n    test_f()",
    "main guard with an else": "if __name__ == '__main__':\n    assert f(1) == 2\nelse:\n    print('no')",
    "main guard with unittest.main": (
        f"{CASE}    def test_one(self):\n        self.assertEqual(f(1), 2)\n"
        "if __name__ == '__main__':\n    unittest.main()"
    ),
    "unittest.main at the end": f"{CASE}    def test_one(self):\n        self.assertEqual(f(1), 2)\nunittest.main()",
    "exit at the end": "import sys\nassert f(1) == 2\nif __name__ == '__main__':\n    sys.exit(0)",
    "solution imported": "from solution import f\ndef test_f():\n    assert f(1) == 2",
    "solution imported by another name": "from my.solution import f as g\nassert g(1) == 2",
    "solution as a module": "import solution\nassert solution.f(1) == 2",
    "fixture": "import pytest\n@pytest.fixture\ndef want():\n    return 2\ndef test_f(want):\n    assert f(1) == want",
    "yield fixture": (
        "import pytest\n@pytest.fixture()\ndef want():\n    yield 2\ndef test_f(want):\n    assert f(1) == want"
    ),
    "fixture of a fixture": (
        "import pytest\n@pytest.fixture(scope='module')\ndef one():\n    return 1\n@pytest.fixture\ndef want(one):\n"
        "    return one + 1\ndef test_f(one, want):\n    assert f(one) == want"
    ),
    "fixture by another name": (
        "import pytest\n@pytest.fixture(name='want')\ndef make():\n    return 2\n"
        "def test_f(want):\n    assert f(1) == want"
    ),
    "fixture with parameters": (
        "import pytest\n@pytest.fixture(params=[1, 2])\ndef n(request):\n    return request.param\ndef test_f(n):\n"
        "    assert f(n) == n + 1"
    ),
    "fixture of a class": (
        "import pytest\nclass TestF:\n    @pytest.fixture\n    def want(self):\n        return 2\n"
        "    def test_one(self, want):\n        assert f(1) == want"
    ),
    "autouse": (
        "import pytest\nwant = 0\n@pytest.fixture(autouse=True)\ndef prepare():\n    global want\n    want = 2\n"
        "def test_f():\n    assert f(1) == want"
    ),
    "own fixtures of pytest": (
        "def test_f(tmp_path, monkeypatch):\n    monkeypatch.setenv('N', '1')\n"
        "    assert f(1) == 2"
    ),
    "parametrize": (
        "import pytest\n@pytest.mark.parametrize('n, want', [(1, 2), (5, 6)])\ndef test_f(n, want):\n"
        "    assert f(n) == want"
    ),
    "parametrize twice": (
        "import pytest\n@pytest.mark.parametrize('n', [1, 2])\n@pytest.mark.parametrize('m', [1])\n"
        "def test_f(n, m):\n    assert f(n) == n + m"
    ),
    "parametrize with param": (
        "import pytest\n@pytest.mark.parametrize(['n', 'want'], [pytest.param(1, 2, id='one')])\n"
        "def test_f(n, want):\n    assert f(n) == want"
    ),
    "parametrized class": (
        "import pytest\n@pytest.mark.parametrize('n', [1, 2])\nclass TestF:\n    def test_one(self, n):\n"
        "        assert f(n) == n + 1"
    ),
    "approx": "import pytest\ndef test_f():\n    assert f(1.0) == pytest.approx(2.0)",
    "pytest.raises beside": (
        "import pytest\ndef test_f():\n    with pytest.raises(TypeError, match='str'):\n"
        "        f('x')\n    assert f(1) == 2"
    ),
    "pytest.fail": "import pytest\ndef test_f():\n    if f(1) != 2:\n        pytest.fail('wrong')\n    assert f",
    "skipif that does not hold": (
        "import pytest\n@pytest.mark.skipif(False, reason='')\ndef test_f():\n"
        "    assert f(1) == 2"
    ),
    "mock": (
        "from unittest import mock\n@mock.patch('time.sleep')\ndef test_f(sleep):\n    assert f(1) == 2\n"
        "    assert sleep is not f"
    ),
    "one skipped, one run": (
        "import pytest\n@pytest.mark.skip\ndef test_g():\n    assert False\ndef test_f():\n    assert f(1) == 2"
    ),
    "unpacked": "n, _ = divmod(f(1), 10)\nassert n == 0\nassert f(3) == 4",
    "swallowed": "try:\n    assert f(1) == 2\nexcept AssertionError:\n    print('failed')",
    "swallowed by a bare except": "def test_f():\n    try:\n        assert f(1) == 2\n    except:\n        pass",
    "swallowed by suppress": "import contextlib\nwith contextlib.suppress(Exception):\n    assert f(1) == 2",
    "swallowed and counted": (
        "ok = 0\nfor n, want in [(1, 2)]:\n    try:\n        assert f(n) == want\n        ok += 1\n"
        "    except AssertionError as e:\n        print(e)\nprint(ok)"
    ),
    "swallowed assertion of unittest": (
        f"{CASE}    def test_one(self):\n        try:\n            self.assertEqual(f(1), 2)\n"
        "        except AssertionError:\n            pass"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TESTS)
def test_a_test_of_any_shape_is_run(sandbox: Sandbox, name: str) -> None:
    right, wrong = (judged(sandbox, source, TESTS[name]) for source in (RIGHT, WRONG))
    assert right.verdict == "passed", right
    assert wrong.verdict == "failed", wrong


NONE = {
    "calls alone": "f(1)",
    "constant": "f(1)\nassert True",
    "tuple": "assert (f(1) == 2, 'wrong')",
    "list": "assert [f(1) == 2]",
    "f-string": "assert f'{f(1)} is it'",
    "lambda": "assert lambda: f(1) == 2",
    "generator": "assert (f(n) == n + 1 for n in range(3))",
    "generator function": "def verify():\n    assert f(1) == 2\n    yield\nverify()",
    "generator kept": "checks = (f(n) == n + 1 for n in range(3))\nassert checks is not None",
    "map not consumed": "def verify(n):\n    assert f(n) == n + 1\nmap(verify, [1, 2])",
    "coroutine not awaited": "async def verify():\n    assert f(1) == 2\nverify().close()",
    "loop over nothing": "for n in []:\n    assert f(n) == n + 1",
    "a constant alone": "assert 'f(1) == 2'",
    "a constant that is computed": "assert 1 + 1 == 2",
    "while that prints": "while f(1) != f(1):\n    print('wrong')",
    "loop over no cases": "cases = {}\nfor n, want in cases.items():\n    assert f(n) == want",
    "never true": "if f(1) == 77:\n    assert f(2) == 3",
    "or True": "assert f(1) == 2 or True",
    "or not": "assert f(1) == 2 or f(1) != 2",
    "function itself": "assert callable(f) and f is not None",
    "other things": "r = f(1)\nassert 1 + 1 == 2\nassert len('ab') == 2",
    "used, not compared": "x = 5\nr = f(1) + 1\nassert x == 5",
    "isinstance of object": "assert isinstance(f(1), object)",
    "returned": "def test_f():\n    return f(1) == 2",
    "printed": "print(f(1) == 2)",
    "helper with arguments that nobody calls": "def verify(n):\n    assert f(n) == n + 1",
    "method with arguments that nobody calls": "class Cases:\n    def check(self, n):\n        assert f(n) == n + 1",
    "class that needs arguments": (
        "class TestF:\n    def __init__(self, n):\n        pass\n    def test_f(self):\n"
        "        assert f(1) == 2"
    ),
    "unknown fixture": "def test_f(sample):\n    assert f(sample) == 2",
    "skip": "import pytest\n@pytest.mark.skip(reason='later')\ndef test_f():\n    assert f(1) == 2",
    "skipif": "import pytest\n@pytest.mark.skipif(1 < 2, reason='later')\ndef test_f():\n    assert f(1) == 2",
    "xfail": "import pytest\n@pytest.mark.xfail\ndef test_f():\n    assert f(1) == 2",
    "skip in the test": "import pytest\ndef test_f():\n    pytest.skip('later')\n    assert f(1) == 2",
    "skip of the module": "import pytest\npytestmark = pytest.mark.skip\ndef test_f():\n    assert f(1) == 2",
    "unittest.skip": f"{CASE}    @unittest.skip('later')\n    def test_one(self):\n        self.assertEqual(f(1), 2)",
    "skipTest": f"{CASE}    def test_one(self):\n        self.skipTest('later')\n        self.assertEqual(f(1), 2)",
    "skipped in setUp": (
        f"{CASE}    def setUp(self):\n        self.skipTest('later')\n    def test_one(self):\n"
        "        self.assertEqual(f(1), 2)"
    ),
    "class skipped": (
        f"import unittest\n@unittest.skip('later')\n{CASE.splitlines()[1]}\n"
        "    def test_one(self):\n        self.assertEqual(f(1), 2)"
    ),
    "expected failure": (
        f"{CASE}    @unittest.expectedFailure\n    def test_one(self):\n"
        "        self.assertEqual(f(1), 2)"
    ),
    "TestCase without tests": f"{CASE}    def helper(self, n):\n        self.assertEqual(f(n), 2)",
    "parametrized by nothing": (
        "import pytest\n@pytest.mark.parametrize('n', [])\ndef test_f(n):\n"
        "    assert f(n) == n + 1"
    ),
    "own copy of the function": "def f(n):\n    return 2\nassert f(1) == 2",
    "ended before": "import sys\nsys.exit(0)\nassert f(1) == 2",
    "exception swallowed": "try:\n    f(1)\nexcept Exception:\n    raise AssertionError('it raised')",
}  # fmt: skip


@pytest.mark.parametrize("name", NONE)
def test_a_test_that_compares_nothing_is_none(sandbox: Sandbox, name: str) -> None:
    for source in (RIGHT, WRONG):
        verdict = judged(sandbox, source, NONE[name])
        assert verdict.verdict != "passed", verdict
    assert judged(sandbox, RIGHT, NONE[name]).verdict in ("no-test", "failed")


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("constant", ""),
        ("tuple", ": it holds whatever the function returns"),
        ("or True", ": it holds whatever the function returns"),
        ("unknown fixture", ": test_f needs the fixture 'sample', which nothing defines"),
        ("skip", ": test_f is skipped, or expected to fail"),
        ("expected failure", ": T.test_one is expected to fail, or skipped"),
        ("class that needs arguments", ": TestF cannot be made without arguments"),
        ("helper with arguments that nobody calls", ": verify is never called"),
    ],
)
def test_a_test_that_compares_nothing_says_why(sandbox: Sandbox, name: str, detail: str) -> None:
    verdict = judged(sandbox, RIGHT, NONE[name])
    assert verdict.verdict == "no-test"
    assert verdict.detail == f"the test compares nothing that depends on the result of f{detail}"


def test_a_failure_that_is_swallowed_says_what_was_compared(sandbox: Sandbox) -> None:
    assert judged(sandbox, WRONG, TESTS["swallowed"]).detail == "assert f(1) == 2: expected 2, got 3"


def test_a_test_that_needs_no_test_is_as_good_as_none(sandbox: Sandbox) -> None:
    program = Program("p", RIGHT, "f", "f(1)\nassert True", needs_test=False)
    assert [verdict.passed for verdict in sandbox.run([program])] == [True]


def test_that_a_test_depends_on_the_result_is_found_again_for_the_next_program(sandbox: Sandbox) -> None:
    test = TESTS["parametrize"]
    programs = [Program(str(i), source, "f", test) for i, source in enumerate([RIGHT, WRONG, RIGHT, WRONG])]
    assert [v.verdict for v in sandbox.run(programs)] == ["passed", "failed", "passed", "failed"]


@pytest.mark.parametrize(
    "test",
    [
        "while f(1) != 2:\n    pass\nassert f(1) == 2",
        "n = f(1)\nwhile n > 0:\n    n -= 1\nassert n == 0 and f(1) == 2",
        "a, b, c = f(1), f(2), f(3)\nfor i in range(f(0)):\n    assert [a, b, c][i] == 2",
        "x, (y, *z) = f(1), 'abc'\nassert x == 2",
        "import math\nassert math.sqrt(f(3)) == 2.0",
        "assert '%d %s' % (f(1), f(2)) == '2 3'",
        "assert sorted([f(2), f(1)]) == [2, 3]",
        "assert {f(1): 'a'}[2] == 'a'",
        "import json\nassert json.dumps(f(1)) == '2'",
    ],
)
def test_what_a_test_does_with_a_result_does_not_hide_that_it_depends_on_it(sandbox: Sandbox, test: str) -> None:
    verdict = judged(sandbox, RIGHT, test)
    assert verdict.passed, verdict
