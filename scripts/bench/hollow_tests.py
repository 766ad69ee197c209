"""How many tests that test nothing, or that a runner must find first, a wrong solution gets through.

    python scripts/bench/hollow_tests.py mbpp.jsonl [--problems N] [--json]

The asserts of N problems of MBPP are put into each of `SHAPES`, as answers come with tests; each such exercise goes
through parsing's attached tests and validation twice: with a solution whose result is wrapped, so that it is wrong for
every argument, and with the reference. `caught` is the share of wrong solutions that are dropped. `right_kept` is the
share of the references that are kept where the shape is one that pytest, unittest or Python itself would run.
"""

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path
from textwrap import indent
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline.core.records import Exercise  # noqa: E402
from pipeline.core.stage import Kept  # noqa: E402
from pipeline.languages.python.attached import attached_tests  # noqa: E402
from pipeline.languages.python.source import parse, units  # noqa: E402
from pipeline.recipe import ValidatedTable  # noqa: E402
from pipeline.sandbox import Sandbox  # noqa: E402
from pipeline.stages.validated.stage import Validate, limits_of  # noqa: E402


class Shape(NamedTuple):
    """A template of a test. {A}: the asserts, {I} indented once, {J} twice, {K} three times, {C}: what is asserted, {V}
    the call, {W} the value wanted, {F} the function. runs: whether a runner would run it."""

    name: str
    text: str
    runs: bool


SHAPES = [
    Shape("plain", "{A}", True),
    Shape("function called", "def test_f():\n{I}\ntest_f()\n", True),
    Shape("function not called", "def test_f():\n{I}\n", True),
    Shape("async function", "async def test_f():\n{I}\n", True),
    Shape("generator test", "def test_f():\n{I}\n    yield\n", True),
    Shape("class Test", "class TestF:\n    def test_it(self):\n{J}\n", True),
    Shape("class of another name", "class Checks:\n    def test_it(self):\n{J}\n", True),
    Shape("check method", "class Checks:\n    def check_one(self):\n{J}\n", True),
    Shape("class with setup", "class TestF:\n    def setup_method(self):\n        self.f = {F}\n"
          "    def test_it(self):\n        assert {C}\n", True),
    Shape("TestCase", "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n"
          "        self.assertEqual({V}, {W})\n", True),
    Shape("TestCase with main", "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n"
          "        self.assertTrue({C})\nif __name__ == '__main__':\n    unittest.main()\n", True),
    Shape("TestCase check method", "import unittest\nclass T(unittest.TestCase):\n    def check_it(self):\n"
          "        self.assertEqual({V}, {W})\n", True),
    Shape("subTest", "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n"
          "        for i in [1]:\n            with self.subTest(i=i):\n"
          "                self.assertEqual({V}, {W})\n", True),
    Shape("setUp", "import unittest\nclass T(unittest.TestCase):\n    def setUp(self):\n        self.want = {W}\n"
          "    def test_it(self):\n        self.assertEqual({V}, self.want)\n", True),
    Shape("async TestCase", "import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n"
          "    async def test_it(self):\n        self.assertEqual({V}, {W})\n", True),
    Shape("fixture", "import pytest\n@pytest.fixture\ndef want():\n    return {W}\ndef test_f(want):\n"
          "    assert {V} == want\n", True),
    Shape("yield fixture", "import pytest\n@pytest.fixture\ndef want():\n    yield {W}\ndef test_f(want):\n"
          "    assert {V} == want\n", True),
    Shape("parametrize", "import pytest\n@pytest.mark.parametrize('want', [{W}])\ndef test_f(want):\n"
          "    assert {V} == want\n", True),
    Shape("main guard", "def test_f():\n{I}\nif __name__ == '__main__':\n    test_f()\n", True),
    Shape("main guard with else", "if __name__ == '__main__':\n{I}\nelse:\n    print('imported')\n", True),
    Shape("helper called", "def verify(got, want):\n    assert got == want\nverify({V}, {W})\n", True),
    Shape("check helper not called", "def check_f():\n{I}\n", True),
    Shape("raise", "if not ({C}):\n    raise AssertionError('wrong')\n", True),
    Shape("raise another", "if {V} != {W}:\n    raise ValueError('wrong')\n", True),
    Shape("raise in a function", "def test():\n    if {V} != {W}:\n        raise Exception('wrong')\n", True),
    Shape("swallowed", "try:\n{I}\nexcept AssertionError:\n    print('failed')\n", True),
    Shape("swallowed in a function", "def test_f():\n    try:\n{J}\n    except Exception as error:\n"
          "        print(error)\n", True),
    Shape("swallowed by suppress", "import contextlib\nwith contextlib.suppress(AssertionError):\n{I}\n", True),
    Shape("solution imported", "from solution import {F}\ndef test_f():\n{I}\n", True),
    Shape("cases in a loop", "for got, want in [({V}, {W})]:\n    assert got == want\n", True),
    Shape("module marks", "import pytest\npytestmark = pytest.mark.slow\ndef test_f():\n{I}\n", True),
    Shape("tuple", "assert ({C}, 'message')\n", False),
    Shape("or True", "assert {C} or True\n", False),
    Shape("constant", "{V}\nassert True\n", False),
    Shape("constant compared", "result = {V}\nassert 1 == 1\n", False),
    Shape("compared with itself", "result = {V}\nassert result == result or result != result\n", False),
    Shape("loop over nothing", "for want in []:\n    assert {V} == want\n", False),
    Shape("while False", "while False:\n{I}\n", False),
    Shape("if False", "if False:\n{I}\n", False),
    Shape("type checking", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n{I}\n", False),
    Shape("generator not consumed", "checks = ({C} for _ in range(1))\nassert checks\n", False),
    Shape("generator function not consumed", "def verify():\n    yield\n{I}\nverify()\n", False),
    Shape("lambda not called", "assert (lambda: {C})\n", False),
    Shape("lambda kept", "test = lambda: ({C})\nassert test\n", False),
    Shape("string", "'''\n{A}\n'''\nassert {F}\n", False),
    Shape("function asserted", "assert {F}\nassert callable({F})\n", False),
    Shape("coroutine not awaited", "async def verify():\n{I}\nverify().close()\n", False),
    Shape("helper with arguments", "def verify(n):\n{I}\n", False),
    Shape("unknown fixture", "def test_f(sample):\n{I}\n", False),
    Shape("skipped", "import pytest\n@pytest.mark.skip\ndef test_f():\n{I}\n", False),
    Shape("skipif", "import pytest\n@pytest.mark.skipif(True, reason='x')\ndef test_f():\n{I}\n", False),
    Shape("xfail", "import pytest\n@pytest.mark.xfail\ndef test_f():\n{I}\n", False),
    Shape("pytest.skip", "import pytest\ndef test_f():\n    pytest.skip('later')\n{I}\n", False),
    Shape("unittest.skip", "import unittest\nclass T(unittest.TestCase):\n    @unittest.skip('later')\n"
          "    def test_it(self):\n{J}\n", False),
    Shape("skipTest", "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n"
          "        self.skipTest('later')\n{J}\n", False),
    Shape("class skipped", "import unittest\n@unittest.skip('later')\nclass T(unittest.TestCase):\n"
          "    def test_it(self):\n{J}\n", False),
    Shape("expectedFailure", "import unittest\nclass T(unittest.TestCase):\n    @unittest.expectedFailure\n"
          "    def test_it(self):\n{J}\n", False),
    Shape("early return", "def test_f():\n    return\n{I}\n", False),
    Shape("after exit", "import sys\nprint({V})\nsys.exit(0)\n{A}\n", False),
    Shape("returns", "def test_f():\n    return {C}\n", False),
    Shape("only printed", "print({C})\nassert print({V}) is None\n", False),
    Shape("parametrized by nothing", "import pytest\n@pytest.mark.parametrize('want', [])\ndef test_f(want):\n"
          "    assert {V} == want\n", False),
    Shape("own copy", "def {F}(*a, **k):\n    return {W}\nassert {C}\n", False),
    Shape("mocked", "from unittest import mock\nf = mock.Mock(return_value={W})\nassert f({F}) == {W}\n", False),
    Shape("not None or anything", "r = {V}\nassert r is not None or r is None\n", False),
    Shape("isinstance object", "assert isinstance({V}, object)\n", False),
    Shape("try else", "try:\n    r = {V}\nexcept Exception:\n    pass\nelse:\n    assert 'x'\n", False),
]  # fmt: skip


def exercises(path: Path, count: int) -> list[dict[str, str]]:
    """Problems of MBPP whose first assert compares one call with a value."""
    found = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        match = re.fullmatch(r"assert ((\w+)\(.*\)) == (.+)", row["test_list"][0].strip())
        if match is None or row.get("test_setup_code") or "\n" in match[0] or match[2] in ("set", "sorted", "tuple"):
            continue
        asserts = "\n".join(test.strip() for test in row["test_list"])
        found.append({"source": row["code"].replace("\r", ""), "F": match[2], "V": match[1], "W": match[3],
                      "C": f"{match[1]} == {match[3]}", "A": asserts})  # fmt: skip
    return found[:: max(len(found) // count, 1)][:count]


def filled(shape: Shape, problem: dict[str, str]) -> str:
    """The test of a problem in a shape."""
    parts = problem | {k: indent(problem["A"], "    " * n) for k, n in (("I", 1), ("J", 2), ("K", 3))}
    return re.sub(r"\{([A-Z])\}", lambda m: parts[m[1]], shape.text)


def exercise(problem: dict[str, str], test: str, right: bool) -> Exercise:
    name = problem["F"]
    source = problem["source"].rstrip() + "\n"
    if not right:
        source += f"_right = {name}\ndef {name}(*a, **k):\n    return ['wrong', _right(*a, **k)]\n"
    tree = parse(test)
    if tree is None:
        raise SystemExit(f"a shape does not parse:\n{test}")
    attached = attached_tests(units(test, tree), name)
    return Exercise(prompt="", solution=source, entry_point=name, test=attached, test_owner="teacher")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("problems", type=Path, metavar="MBPP.jsonl")
    parser.add_argument("--count", type=int, default=5, help="problems for each shape")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of lines")
    options = parser.parse_args()
    chosen = exercises(options.problems, options.count)
    pairs = [(shape, problem) for shape in SHAPES for problem in chosen]
    table = ValidatedTable(cpu_seconds=5.0)
    with Sandbox(limits_of(table)) as sandbox:
        stage = Validate(table, sandbox)
        wrong = list(stage(exercise(problem, filled(shape, problem), False) for shape, problem in pairs))
        right = list(stage(exercise(problem, filled(shape, problem), True) for shape, problem in pairs))
    kept: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    details: dict[str, str] = {}
    for (shape, _), bad, good in zip(pairs, wrong, right, strict=True):
        if isinstance(bad, Kept):
            kept[shape.name] += 1
        if shape.runs and not isinstance(good, Kept):
            lost[shape.name] += 1
            details[shape.name] = f"{good.reason}: {good.detail}"
    runnable = sum(shape.runs for shape, _ in pairs)
    report: dict[str, Any] = {
        "tests": len(pairs),
        "caught": round(1 - kept.total() / len(pairs), 4),
        "wrong_kept": dict(kept),
        "right_kept": round(1 - lost.total() / runnable, 4),
        "right_dropped": dict(lost),
    }
    if options.json:
        print(json.dumps(report))
        return
    print(f"{len(pairs)} tests: {report['caught']:.1%} of the wrong solutions caught", dict(kept) or "")
    print(f"{runnable} that can be run: {report['right_kept']:.1%} of the references kept")
    for name, detail in details.items():
        print(f"  {name}: {detail[:200]}")


if __name__ == "__main__":
    main()
