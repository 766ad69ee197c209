"""Values that cross between program, test and judge: each kind equal to itself, unequal to others, and of its type."""

from collections.abc import Iterator

import pytest

from pipeline.sandbox import Limits, Program, Sandbox, Verdict, codec
from pipeline.sandbox.remote import decode_values

IMPORTS = """
import array, collections, datetime, decimal, enum, fractions, http, ipaddress, itertools, pathlib, re, types, uuid
import zoneinfo
from collections import ChainMap, Counter, OrderedDict, UserDict, UserList, UserString, defaultdict, deque
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace
"""

KINDS = {
    "path": ("Path('a/x')", "Path('a/y')"),
    "pure path": ("PurePosixPath('/a/x')", "PurePosixPath('a/x')"),
    "windows path": ("PureWindowsPath('c:/A')", "PureWindowsPath('c:/b')"),
    "array": ("array.array('d', [1.5, 2])", "array.array('d', [1.5])"),
    "array of characters": ("array.array('i', [])", "array.array('i', [0])"),
    "slice": ("slice(1, None, 2)", "slice(1, None)"),
    "uuid": ("uuid.UUID(int=5)", "uuid.UUID(int=6)"),
    "IPv4 address": ("ipaddress.ip_address('10.0.0.1')", "ipaddress.ip_address('10.0.0.2')"),
    "IPv6 network": ("ipaddress.ip_network('fe80::/10')", "ipaddress.ip_network('fe80::/11')"),
    "interface": ("ipaddress.ip_interface('10.0.0.1/8')", "ipaddress.ip_interface('10.0.0.1/9')"),
    "namespace": ("SimpleNamespace(a=1, b=[Path('c')])", "SimpleNamespace(a=1, b=[Path('d')])"),
    "chain": ("ChainMap({'a': 1}, {'b': 2})", "ChainMap({'a': 1})"),
    "user dict": ("UserDict(a=1)", "UserDict(a=2)"),
    "user list": ("UserList([1, 2])", "UserList([2, 1])"),
    "user string": ("UserString('ab')", "UserString('ac')"),
    "pattern": ("re.compile('a+', re.I)", "re.compile('a+')"),
    "keys": ("{'a': 1, 'b': 2}.keys()", "{'a': 1}.keys()"),
    "items": ("{'a': [1]}.items()", "{'a': [2]}.items()"),
    "ordered keys": ("OrderedDict(a=1).keys()", "OrderedDict(b=1).keys()"),
    "proxy": ("types.MappingProxyType({'a': 1})", "types.MappingProxyType({'a': 2})"),
    "range": ("range(1, 9, 2)", "range(1, 11, 2)"),
    "long range": ("range(10 ** 12)", "range(10 ** 12 + 1)"),
    "memoryview": ("memoryview(b'abc')", "memoryview(b'abd')"),
    "memoryview of numbers": ("memoryview(array.array('i', [1, 2]))", "memoryview(array.array('i', [1, 3]))"),
    "fraction": ("fractions.Fraction(1, 3)", "fractions.Fraction(1, 4)"),
    "decimal": ("decimal.Decimal('1.10')", "decimal.Decimal('1.11')"),
    "large decimal": ("decimal.Decimal('1e9999999')", "decimal.Decimal('1e9999998')"),
    "date": ("datetime.date(2020, 2, 29)", "datetime.date(2020, 2, 28)"),
    "datetime": ("datetime.datetime(2020, 1, 2, 3)", "datetime.datetime(2020, 1, 2, 4)"),
    "datetime with a zone": (
        "datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2), 'X'))",
        "datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc)",
    ),
    "time zone": ("datetime.timezone.utc", "datetime.timezone(datetime.timedelta(hours=1))"),
    "time": ("datetime.time(3, 4)", "datetime.time(3, 5)"),
    "timedelta": ("datetime.timedelta(days=1)", "datetime.timedelta(days=2)"),
    "enumeration of the library": ("http.HTTPStatus.OK", "http.HTTPStatus.CREATED"),
    "flags of the library": ("re.RegexFlag.I", "re.RegexFlag.M"),
    "alias": ("list[int]", "list[str]"),
    "union": ("int | None", "str | None"),
    "bytes": ("b'a'", "b'b'"),
    "bytearray": ("bytearray(b'a')", "bytearray(b'b')"),
    "complex": ("1 + 2j", "1 - 2j"),
    "frozenset": ("frozenset({1, Path('a')})", "frozenset({1, Path('b')})"),
    "ordered": ("OrderedDict([('a', 1), ('b', 2)])", "OrderedDict([('b', 2), ('a', 1)])"),
    "counter": ("Counter('aab')", "Counter('ab')"),
    "default": ("defaultdict(list, a=[1])", "defaultdict(list, a=[2])"),
    "deque": ("deque([1, 2], 3)", "deque([2, 1], 3)"),
    "nested": ("{'a': [(Path('b'), {uuid.UUID(int=1)})]}", "{'a': [(Path('b'), {uuid.UUID(int=2)})]}"),
    "ellipsis": ("...", "None"),
    "class": ("int", "str"),
    "library class": ("decimal.Decimal", "fractions.Fraction"),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


def run(sandbox: Sandbox, body: str, test: str, before: str = "") -> Verdict:
    source = f"{IMPORTS}\n{before}\ndef f(*args):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    (verdict,) = sandbox.run([Program("p", source, "f", test)])
    return verdict


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_equals_itself_in_the_test_and_no_other(sandbox: Sandbox, kind: str) -> None:
    value, other = KINDS[kind]
    right = f"{IMPORTS}\nassert f() == {value}\nassert not f() != {value}\nassert f() != {other}\n"
    verdict = run(sandbox, f"return {value}", right)
    assert verdict.passed, verdict.detail
    assert run(sandbox, f"return {other}", right).verdict == "failed"
    asked = "type(f()) is type(value)" + (" and str(f()) == str(value)" if "memory" not in kind else "")
    verdict = run(sandbox, f"return {value}", f"{IMPORTS}\nfor value in [{value}]:\n    assert {asked}\n")
    assert verdict.passed, verdict.detail


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_arrives_in_the_program_as_what_it_is(sandbox: Sandbox, kind: str) -> None:
    value, _ = KINDS[kind]
    test = f"{IMPORTS}\nassert f({value}, 1) == ({value}, True)\n"
    verdict = run(sandbox, f"return args[0], args[0] == {value} and type(args[0]) is type({value})", test)
    assert verdict.passed, verdict.detail


@pytest.mark.parametrize(
    ("returned", "test"),
    [
        ("re.match('(a)b', 'ab')", "assert f()"),
        ("re.match('(a)b', 'ab')", "assert f() is not None"),
        ("re.match('(a)b', 'ab')", "assert f() != None"),
        ("re.match('(a)b', 'ab')", "assert not f() == None"),
        ("re.match('(a)b', 'ab')", "assert bool(f())"),
        ("re.match('(a)b', 'ab')", "assert str(f()) == \"<re.Match object; span=(0, 2), match='ab'>\""),
        ("re.match('(a)b', 'ab')", "import re\nassert isinstance(f(), re.Match)"),
        ("re.match('(a)b', 'ab')", "assert f().group(1) == 'a' and f()[0] == 'ab' and f().span() == (0, 2)"),
        ("re.match('(a)b', 'ab')", "for i in [1]:\n    assert f() and f() != None and 'span' in str(f())"),
        ("{'a': 1}.keys()", "assert 'a' in f()"),
        ("{'a': 1}.keys()", "assert len(f()) == 1"),
        ("{'a': 1}.keys()", "assert f() == {'a'}"),
        ("{'a': 1}.keys()", "assert list(f()) == ['a'] and sorted(f()) == ['a']"),
        ("{'a': 1}.values()", "assert list(f()) == [1] and len(f()) == 1 and 1 in f()"),
        ("{}.values()", "assert not f()"),
        ("{'a': 1}.items()", "assert ('a', 1) in f() and str(f()) == \"dict_items([('a', 1)])\""),
        ("Path('a/x')", "assert f()"),
        ("Path('a/x')", "assert str(f()) == 'a/x'"),
        ("Path('a/x')", "assert f() != None and f() != 'a/x'"),
        ("Path('a/x')", "from pathlib import Path, PurePath\nassert isinstance(f(), Path) and f().name == 'x'"),
        ("map(str, [1])", "assert '1' in f()"),
        ("map(str, [1])", "assert list(f()) == ['1']"),
        ("map(str, [1])", "assert isinstance(f(), map)"),
        ("(i for i in [1])", "import types\nassert isinstance(f(), types.GeneratorType)"),
        ("(i for i in [1])", "from collections.abc import Iterator\nassert isinstance(f(), Iterator)"),
        ("(i for i in [1])", "assert f() != [1]"),
        ("ValueError('no')", "assert isinstance(f(), ValueError) and str(f()) == 'no' and f().args == ('no',)"),
        ("ValueError('no')", "assert type(f()) is ValueError and repr(f()) == \"ValueError('no')\""),
        ("OSError(2, 'gone', 'x')", "assert f().errno == 2 and f().filename == 'x'"),
        ("[KeyError(1)]", "assert isinstance(f()[0], LookupError)"),
        ("Own('a')", "assert isinstance(f(), ValueError) and isinstance(f(), Own) and f().args == ('a',)"),
        ("Point(1, 2)", "assert f() == (1, 2) and type(f()) is not tuple and f().x == 1 and isinstance(f(), tuple)"),
        ("Point(1, 2)", "assert isinstance(f(), tuple)"),
        ("Colour.RED", "assert f() is Colour.RED and f() == Colour.RED and f() != Colour.BLUE and f().value == 1"),
        ("http.HTTPStatus.OK", "from http import HTTPStatus\nassert f() is HTTPStatus.OK and f().phrase == 'OK'"),
        ("http.HTTPStatus.OK", "assert f() == 200"),
        ("Box(1)", "assert f() == Box(1) and f() != Box(2) and f().size == 1 and str(f()) == 'Box(size=1)'"),
        ("defaultdict(int, a=1)", "assert f()['b'] == 0 and f() == {'a': 1}"),
        ("zoneinfo.ZoneInfo('UTC')", "import zoneinfo\nassert f() == zoneinfo.ZoneInfo('UTC')"),
        ("decimal.getcontext", "assert callable(f())"),
    ],
)
def test_what_tests_ask_of_values_is_answered(sandbox: Sandbox, returned: str, test: str) -> None:
    before = (
        "class Own(ValueError): pass\nPoint = collections.namedtuple('Point', 'x y')\n"
        "class Colour(enum.Enum):\n    RED = 1\n    BLUE = 2\n"
        "import dataclasses\n@dataclasses.dataclass\nclass Box:\n    size: int\n"
    )
    verdict = run(sandbox, f"return {returned}", test, before)
    assert verdict.passed, verdict.detail


BEFORE = """
from unittest import mock
Point = collections.namedtuple("Point", "x y")

class Liar:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __hash__ = None
    def __sub__(self, other): return 0

class Vector:
    def __init__(self, *parts): self.parts = parts
    def __eq__(self, other): return tuple(other) == self.parts
    def __sub__(self, other): return 0

class Fraudulent(Path().__class__):
    def __eq__(self, other): return True
    def __hash__(self): return 1
"""
UNIT = "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(), (5,))"


@pytest.mark.parametrize(
    ("returned", "test", "verdict"),
    [
        ("Vector(5)", "assert f() == (5,)", "uncomparable"),
        ("[Vector(5)]", "assert f() == [(5,)]", "uncomparable"),
        ("Vector(5)", "assert abs(f() - 5) < 1", "uncomparable"),
        ("Vector(5)", "for i in [1]:\n    assert f() == (5,)", "uncomparable"),
        ("[Vector(5)]", "for i in [1]:\n    assert f() == [(5,)]", "uncomparable"),
        ("Vector(5)", "for i in [1]:\n    assert abs(f() - 5) < 1", "uncomparable"),
        ("Vector(5)", UNIT, "uncomparable"),
        (
            "statistics.NormalDist(0, 1)",
            "import statistics\nassert f() == statistics.NormalDist(0, 1)",
            "uncomparable",
        ),
        ("Liar()", "assert f() == 5", "failed"),
        ("[Liar()]", "for i in [1]:\n    assert f() == [5]", "failed"),
        ("Liar()", "for i in [1]:\n    assert abs(f() - 5) < 1", "failed"),
        ("Liar()", UNIT, "failed"),
        ("Liar()", "from pathlib import Path\nassert f() == Path('a')", "failed"),
        ("{re.match('a', 'a')}", "assert f() == {5}", "failed"),
        ("re.match('a', 'a')", "assert f() == None", "failed"),
        ("re.match('a', 'b')", "assert f()", "failed"),
        ("(i for i in [1])", "assert f() == [1]", "failed"),
        ("Point(1, 2)", "assert type(f()) is tuple", "failed"),
        ("Point(1, 2)", "assert type(f()) == tuple", "failed"),
        ("Point(1, 2)", "for i in [1]:\n    assert type(f()) is tuple", "failed"),
        ("http.HTTPStatus.OK", "assert type(f()) is int", "failed"),
        ("mock.ANY", "for i in [1]:\n    assert f() == 5", "failed"),
        ("mock.ANY", "import unittest.mock\nassert f() == 5", "failed"),
        ("type(mock.ANY)", "import unittest.mock\nassert f()() == 5 or True in [f()() == 5]", "failed"),
        ("Fraudulent('b')", "from pathlib import Path\nassert f() == Path('a')", "failed"),
    ],
)
def test_no_value_passes_for_another(sandbox: Sandbox, returned: str, test: str, verdict: str) -> None:
    found = run(sandbox, f"return {returned}", test, "import statistics\n" + BEFORE)
    assert found.verdict == verdict, found.detail
    if verdict == "uncomparable":
        assert "which cannot be compared outside the program's process" in found.detail
        assert "object of type" in found.detail


def test_arrays_and_scalars_of_numpy_cross_as_such() -> None:
    tests = (
        "assert (f(np.array([1, 2])) == np.array([2, 4])).all() and f(np.array([1, 2])).shape == (2,)",
        "assert f(np.float32(1.5)) == 3 and isinstance(f(np.float32(1.5)), np.floating)",
        "np.testing.assert_allclose(f(np.ones((2, 3))), np.full((2, 3), 2.0))\nassert f(1) == 2",
        "x = f(np.array([1.5]))\nassert x.dtype == np.float64 and x[0] == 3 and f(np.zeros((0, 3))).shape == (0, 3)",
    )
    programs = [
        Program(
            f"{returned}", f"import numpy as np\ndef f(x):\n    return {returned}\n", "f", f"import numpy as np\n{test}"
        )
        for test in tests
        for returned in ("x * 2", "x * 3")
    ]
    with Sandbox(Limits(memory_mb=2_000), packages=["numpy"]) as opened:
        verdicts = [(v.verdict, v.program_id) for v in opened.run(programs)]
    assert verdicts == [("passed", "x * 2"), ("failed", "x * 3")] * len(tests)


ASYNC = "import asyncio\n"


@pytest.mark.parametrize(
    ("body", "test"),
    [
        ("await asyncio.sleep(0.001)\nreturn args[0] + 1", "assert asyncio.run(f(1)) == 2"),
        ("return args[0] + 1", "assert asyncio.get_event_loop_policy().new_event_loop().run_until_complete(f(1)) == 2"),
        (
            "await asyncio.sleep(0)\nreturn args[0]",
            "async def main():\n    return await asyncio.gather(f(1), f(2))\nassert asyncio.run(main()) == [1, 2]",
        ),
        (
            "box.append(args[0])\nwhile len(box) < 2:\n    await asyncio.sleep(0)\nreturn len(box)",
            "async def main():\n    return await asyncio.gather(f(1), f(2))\nassert asyncio.run(main()) == [2, 2]",
        ),
        (
            "raise KeyError(args[0])",
            "try:\n    asyncio.run(f(1))\nexcept KeyError as error:\n    assert error.args == (1,)\n"
            "else:\n    assert False",
        ),
        (
            "await asyncio.sleep(60)",
            "async def main():\n    try:\n        await asyncio.wait_for(f(1), 0.02)\n    except TimeoutError:\n"
            "        return 'late'\nassert asyncio.run(main()) == 'late'",
        ),
        (
            "for i in range(3):\n    yield i",
            "async def main():\n    return [i async for i in f()]\nassert asyncio.run(main()) == [0, 1, 2]",
        ),
        (
            "return args[0] * 2",
            "import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test(self):\n"
            "        self.assertEqual(await f(2), 4)\n",
        ),
    ],
)
def test_async_functions_are_awaited(sandbox: Sandbox, body: str, test: str) -> None:
    source = "import asyncio\nbox = []\nasync def f(*args):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    (verdict,) = sandbox.run([Program("p", source, "f", ASYNC + test)])
    assert verdict.passed, verdict.detail
    wrong = source.replace("return ", "return 77 or ").replace("yield i", "yield 7").replace("raise Key", "raise Value")
    (verdict,) = sandbox.run([Program("p", wrong.replace("sleep(60)", "sleep(0)"), "f", ASYNC + test)])
    assert verdict.verdict == "failed", verdict.detail


@pytest.mark.parametrize(
    "tree",
    [
        {"v": ["path", 5]},
        {"v": ["unknown", 5]},
        {"v": [["path"], "a"]},
        {"v": ["zone", "../../etc/passwd"]},
        {"v": ["zone", "Europe"]},
        {"v": ["uuid", -1]},
        {"v": ["error", ["exec", {"t": []}, {"d": []}]]},
        {"v": ["keys", [i * (2**61 - 1) for i in range(2000)]]},
        {"v": ["items", [{"t": [i * (2**61 - 1), 0]} for i in range(2000)]]},
        {"v": ["array", ["z", []]]},
        {"v": ["userlist", {"d": []}]},
        {"v": ["union", []]},
        {"v": ["IPv4Address", "300.1.1.1"]},
        {"u": ["x\0", 5, None]},
        {"v": ["union", [{"s": [1]}, {"s": [2]}]]},
        {"v": ["union", [{"b": ["builtins", "int"]}] * 300]},
    ],
)
def test_parts_that_make_no_value_are_malformed(tree: object) -> None:
    with pytest.raises(codec.Malformed):
        decode_values(tree)


@pytest.mark.parametrize(
    "tree",
    [
        {"v": ["pattern", ["(a{1000}){1000}", 32]]},
        {"v": ["IPv6Network", "::/0"]},
        {"r": [0, 10**12, 1]},
        {"n": "1e99999999"},
        {"n": "1e30000"},
        {"n": "7" * 30_000},
        {"n": "1e-30000"},
        {"i": "0x" + "7" * 300_000},
        {"q": [{"i": "0x" + "7" * 40_000}, 3]},
        {"q": [3, {"i": "-0x" + "7" * 40_000}]},
        {"s": [{"h": ["", "A", {}]}]},
    ],
    ids=lambda tree: str(tree)[:40],
)
def test_what_takes_long_is_not_made_in_the_judge(tree: object) -> None:
    assert type(decode_values([tree])[0]) is codec.Opaque
