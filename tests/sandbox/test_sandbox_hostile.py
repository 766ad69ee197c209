"""Programs that try to pass without the right answer, to stop the judge, or to leave something behind."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from patience import HASTY, PATIENT

from pipeline.sandbox import Example, Limits, Program, Sandbox, Verdict

CHECK = "def check(candidate):\n    assert candidate(2, 3) == 5\n    assert candidate(-1, 1) == 0\n"
LOOP = "def check(candidate):\n    for i in range(3):\n        assert candidate(i, 3) == i + 3\n"
UNIT = (
    "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertAlmostEqual(add(1, 1), 2)\n"
    "        self.assertTrue(add(1, 0))\n        self.assertIn(add(2, 3), [5])\n"
)
CLOSE = "import math\ndef check(c):\n    assert math.isclose(c(2, 3), 5)\n    assert abs(c(1, 1) - 2) < 1e-6\n"
RAISES = (
    "def check(c):\n    try:\n        c(1, None)\n    except Exception:\n        pass\n    else:\n"
    "        assert False\n"
    "    assert c(2, 3) == 5\n"
)
TESTS = [CHECK, LOOP, UNIT, CLOSE, RAISES]
ADD = "def add(a, b):\n    return a + b\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(PATIENT, workers=2) as opened:
        yield opened


@pytest.fixture(scope="module")
def hasty() -> Iterator[Sandbox]:
    with Sandbox(HASTY, workers=2) as opened:
        yield opened


def run_all(sandbox: Sandbox, sources: list[str], tests: list[str]) -> list[tuple[str, str, Verdict]]:
    pairs = [(source, test) for source in sources for test in tests]
    verdicts = sandbox.run(Program(str(i), source, "add", test) for i, (source, test) in enumerate(pairs))
    return [(source, test, verdict) for (source, test), verdict in zip(pairs, verdicts, strict=True)]


def body(code: str, before: str = "") -> str:
    return f"{before}\ndef add(a, b):\n" + "".join(f"    {line}\n" for line in code.splitlines())


def forged(message: str, channel: str = "3, 4") -> str:
    """A program that sends one message on its channels, as its only answer."""
    send = f"import os\nm = {message.encode()!r}\nfor fd in ({channel}):\n"
    send += "    try: os.write(fd, len(m).to_bytes(4, 'little') + m)\n"
    return f"{send}    except OSError: pass\n{body('return 9')}"


MESSAGES = [
    '["held"]',
    '["loaded"]',
    '["passed"]',
    '["value",true,5]',
    '["value",0.0,5]',
    '["value",1,0]',
    '["value",{},5]',
    '["shown",0,"5\\n",null]',
    '["shown",-1,{},{}]',
    '["error",-1,[[[]],{"t":[]},"x",1,1]]',
    '["error",[],[["OSError"],{"t":[1,2,3]},null,"a","b"]]',
    '["exit",{},[]]',
    '["large","x"]',
    '["syntax",[],{}]',
    '["broke"]',
    "[]",
    "null",
    '"passed"',
    '{"verdict":"passed"}',
    '[["value"],0]',
    "[1e999]",
    '["large",1e999]',
    '["syntax","x",1e999]',
    '["example-syntax",1e999,"x",1]',
    '["error",-1,[[],{"t":[]},null,1e999,1]]',
    '["error",1e999,[["OSError"],{"t":[]},null,1,1e999]]',
    "[" * 50_000,
    "",
]


def test_no_forged_message_passes(sandbox: Sandbox) -> None:
    for source, test, verdict in run_all(sandbox, [forged(m) for m in MESSAGES], TESTS):
        assert verdict.verdict in ("failed", "output", "early-exit", "syntax-error", "blocked"), (source, test, verdict)


@pytest.mark.parametrize("message", ['["loaded"]', '["value",0,5]', '["test",["held"]]', '["compared",0,0,0]'])
@pytest.mark.parametrize("times", [1, 2, 50_000])
def test_a_program_that_does_not_listen_is_judged(hasty: Sandbox, message: str, times: int) -> None:
    """Whether it closes its channel or leaves its answers unread until they stand in each other's way."""
    sent = len(message).to_bytes(4, "little") + message.encode()
    source = f"import os, time\nfor _ in range({times}):\n    os.write(3, {sent!r})\n"
    source += "time.sleep(60)\n" if times > 2 else "os.close(3)\n"
    example = (Example("add(2, 3)\n", "5\n"),)
    programs = [Program("p", source + body("return 9"), "add", test, example) for test in ("", *TESTS)]
    for program, verdict in zip(programs, hasty.run(programs), strict=True):
        assert verdict.verdict not in ("passed", "infrastructure"), (program.test, verdict)


@pytest.mark.parametrize("test", [CHECK, LOOP])
def test_examples_do_not_pass_before_the_test_has_held(sandbox: Sandbox, test: str) -> None:
    source = forged('["shown",0,"5\\n",null]', "3,")
    (verdict,) = sandbox.run([Program("p", source, "add", test, (Example("add(2, 3)\n", "5\n"),))])
    assert verdict.verdict == "failed", verdict


ANSWERS = [
    '["=",5,[],-1]',
    '["=",5,[[0,5]],99]',
    '["=",{"b":["os","_exit"]},[],-1]',
    '["=",{"b":["builtins","exec"]},[],-1]',
    '["=",{"h":[1,"T","class",["int"]]},[],-1]',
    '["!",["SkipTest"],{"t":[]},{"b":["unittest","SkipTest"]},{"h":[1,"x","object",[]]}]',
    '["!",["GeneratorExit"],{"t":[]},{"b":["builtins","GeneratorExit"]},{"h":[1,"x","object",[]]}]',
    '["!",["SystemExit"],{"t":[0]},{"b":["builtins","SystemExit"]},{"h":[1,"x","object",[]]}]',
    '["?","get",1,"__globals__"]',
    '["?","call",1,{"t":[]},{"d":[]}]',
    '["!",[],5,5,5]',
]


def test_no_forged_answer_to_the_test_passes(sandbox: Sandbox) -> None:
    function = '["=",true,{"h":[1,"add","object",["__call__"],{"b":["builtins","int"]}]}]'
    sources = []
    for answer in ANSWERS:
        messages = [m.encode() for m in (function, answer, answer)]
        sources.append(
            f"import os\nfor m in {messages!r}:\n    os.write(4, len(m).to_bytes(4, 'little') + m)\n"
            "os.read(4, 1 << 16)\nos.close(4)\n" + body("return 9")
        )
    for source, test, verdict in run_all(sandbox, sources, [LOOP, UNIT, CLOSE]):
        assert verdict.verdict in ("failed", "early-exit"), (source, test, verdict)


EVERYTHING = (
    "__eq__ = __le__ = __ge__ = __lt__ = __gt__ = __contains__ = lambda s, o: True\n    __ne__ = lambda s, o: False\n"
    "    __sub__ = __rsub__ = __add__ = __radd__ = __truediv__ = lambda s, o: 0\n    __abs__ = lambda s: 0\n"
    "    __bool__ = lambda s: True\n    __hash__ = lambda s: 2\n    __round__ = lambda s, n=0: 0\n"
)


def test_no_lie_about_equality_or_class_passes(sandbox: Sandbox) -> None:
    kinds = ["", "int", "float", "str", "list", "dict", "tuple", "set", "frozenset", "complex", "bytes"]
    lies = [EVERYTHING, "__class__ = int\n    __eq__ = lambda s, o: True\n", "__getattribute__ = lambda s, n: 5\n"]
    sources = [body("return A()", f"class A({kind}):\n    {lie}") for kind in kinds for lie in lies]
    meta = f"class M(type):\n    {EVERYTHING}class A(metaclass=M): pass\n"
    like_numpy = f"class A(int):\n    tolist = lambda s: s\n    {EVERYTHING}A.__module__ = 'numpy'\n"
    sources += [body("return A", meta), body("return A()", like_numpy)]
    sources += [
        f"class add:\n    def __init__(self, *a): pass\n    {EVERYTHING}",
        f"class A:\n    {EVERYTHING}class M(type):\n    __call__ = lambda *a: A()\nclass add(metaclass=M): pass\n",
        body("return F(1)", f"import fractions\nclass F(fractions.Fraction):\n    {EVERYTHING}"),
        body("return F(1)", f"import decimal\nclass F(decimal.Decimal):\n    {EVERYTHING}"),
    ]
    for source, test, verdict in run_all(sandbox, sources, TESTS):
        assert verdict.verdict == "failed", (source, test, verdict)


def test_no_exception_ends_a_test_well(sandbox: Sandbox) -> None:
    names = ["StopIteration", "GeneratorExit", "KeyboardInterrupt", "BaseException", "AssertionError", "RecursionError"]
    more = ["unittest.SkipTest('x')", "unittest.case._ShouldStop()", "BaseExceptionGroup('x', [SystemExit()])", "E()"]
    own = (
        "import unittest, unittest.case\nclass E(AssertionError):\n"
        "    args = property(lambda s: 1 / 0)\n    __class__ = StopIteration\n"
    )
    for source, test, verdict in run_all(sandbox, [body(f"raise {n}", own) for n in names + more], TESTS):
        assert verdict.verdict == "failed", (source, test, verdict)


def test_expected_values_are_not_in_the_process(sandbox: Sandbox) -> None:
    """What walks frames or the garbage collector's objects finds its own arguments and no expected value."""
    walk = (
        "secret = int('712345')\nimport gc, sys\nfound = []\nf = sys._getframe().f_back\n"
        "while f:\n  found += [*f.f_locals.values(), *f.f_globals.values()]\n  f = f.f_back\n"
    )
    walk += (
        "r"
        "e"
        "t"
        "urn any(v == secret for v in [*found, *[x for o in gc.get_objects() if type(o) in (list, tuple, dict) for x in o]] if type(v) is int)"  # noqa: E501
    )
    for test in ("assert add(1, 2) == 712345\n", "for i in [1]:\n    assert add(1, 2) == 712345\n"):
        (verdict,) = sandbox.run([Program("p", body(walk), "add", test)])
        assert verdict.detail == "assert add(1, 2) == 712345: expected 712345, got False", verdict


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        ("early-exit", "import os\nos._exit(71)"),
        ("early-exit", "import os\nos._exit(1)"),
        ("crash", "import os\nos.kill(os.getpid(), 9)"),
        ("crash", "import sys\nsys.setrecursionlimit(10**9)\nx = ()\nfor i in range(10**6): x = (x,)\nreturn hash(x)"),
        ("memory", "import mmap\nkept = []\nwhile True: kept.append(mmap.mmap(-1, 1 << 24))"),
        ("memory", "raise MemoryError"),
        ("output", "return 1 << (1 << 26)"),
        ("failed", "x = []\nx.append(x)\nreturn x"),
        ("failed", "raise ValueError('x' * (1 << 20))"),
        ("failed", "raise ValueError('\\ud800\\0')"),
        ("failed", "return {i * (2**61 - 1) for i in range(3000)}"),
        ("failed", "return range(10**30)"),
        ("failed", "import os\nkept = []\nwhile True: kept.append(os.dup(0))"),
        ("failed", "import os\nfor i in range(5000): os.mkdir(str(i))"),
        ("failed", "open('/proc/self/mem', 'rb')"),
    ],
)
@pytest.mark.parametrize("test", [CHECK, LOOP])
def test_what_stops_or_floods_has_its_verdict(sandbox: Sandbox, verdict: str, code: str, test: str) -> None:
    (got,) = sandbox.run([Program("p", body(code), "add", test)])
    assert got.verdict == verdict, got


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        ("timeout-wall", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
        ("timeout-wall", "import os\nr, w = os.pipe()\nwhile True: os.write(w, bytes(65536))"),
        ("timeout-cpu", "import re\nreturn re.match(r'(a+)+$', 'a' * 40 + 'b')"),
        ("timeout-cpu", "import signal\nfor s in (1, 2, 15, 24): signal.signal(s, signal.SIG_IGN)\nwhile True: pass"),
        ("timeout-cpu", "x = [5]\nfor i in range(60): x = [x, x]\nreturn x"),
    ],
)
@pytest.mark.parametrize("test", [CHECK, LOOP])
def test_what_never_ends_is_stopped(hasty: Sandbox, verdict: str, code: str, test: str) -> None:
    (got,) = hasty.run([Program("p", body(code), "add", test)])
    assert got.verdict == verdict, got


def test_a_value_that_takes_long_to_compare_is_stopped() -> None:
    made = "[Fraction(1, 2**4000 + i) for i in range(1, 1600, 2)]"
    slow = Program(
        "slow", f"from fractions import Fraction\ndef f():\n    return {made}\n", "f", "assert sum(f()) == 1\n"
    )
    with Sandbox(replace(HASTY, output_kb=4096)) as roomy:
        stopped, after = roomy.run([slow, Program("after", body("return a + b"), "add", CHECK)])
    assert stopped.verdict == "timeout-cpu"
    assert stopped.detail == "what it returned took more than 0.5 CPU s to compare"
    assert after.passed


REFUSED = {
    "ptrace": 101,
    "bpf": 321,
    "perf_event_open": 298,
    "keyctl": 250,
    "unshare": 272,
    "io_uring_setup": 425,
    "memfd_create": 319,
    "shmget": 29,
    "msgget": 68,
    "semget": 64,
    "userfaultfd": 323,
    "setns": 308,
    "mount": 165,
    "pidfd_open": 434,
    "process_vm_readv": 310,
    "socket": 41,
    "fork": 57,
    "vfork": 58,
    "execve": 59,
    "setuid": 105,
    "personality": 135,
}


def test_system_calls_that_reach_out_are_refused(sandbox: Sandbox) -> None:
    source = (
        "import ctypes, platform\nlibc = ctypes.CDLL(None, use_errno=True)\ndef add(numbers):\n"
        "    if platform.machine() != 'x86_64':\n        return []\n"
        "    return [n for n in numbers if libc.syscall(n, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1]\n"
    )
    (verdict,) = sandbox.run([Program("p", source, "add", f"assert add({list(REFUSED.values())}) == []")])
    assert verdict.passed, verdict


def test_newer_calls_do_not_exist_and_descriptors_are_its_own(sandbox: Sandbox) -> None:
    source = (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\ndef add():\n    found = []\n"
        "    for fd in range(256):\n        try:\n            os.fstat(fd)\n        except OSError:\n"
        "            continue\n"
        "        found.append(fd)\n"
        "    return found, libc.syscall(500, 0), libc.syscall(435, 0, 0), ctypes.get_errno()\n"
    )
    (verdict,) = sandbox.run([Program("p", source, "add", "assert add() == ([0, 1, 2, 3], -1, -1, 38)")])
    assert verdict.passed, verdict


LEAVES = [
    "import os\nos.mkdir('d')\nos.chmod('d', 0)\nos.symlink('/', 'r')\nreturn a + b",
    "import os\nfor i in range(300):\n  os.mkdir('d')\n  os.chdir('d')\nos.chmod('.', 0)\nreturn a + b",
    "import threading\nthreading.Timer(0.05, lambda: open('/tmp/later', 'w')).start()\nreturn a + b",
    "import json, math, sys\nmath.sqrt = json.loads = None\nsys.modules.clear()\nreturn a + b",
    "import builtins, os\nbuiltins.leaked = 1\nos.environ['LEAKED'] = '1'\nos.umask(0)\nreturn a + b",
    "open('sitecustomize.py', 'w').write('raise SystemExit')\nopen('json.py', 'w').write('x')\nreturn a + b",
    "import random, time\nrandom.seed(7)\nreturn a + b",
    "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))\nreturn a + b",
]


def test_nothing_is_left_for_the_next_program(sandbox: Sandbox) -> None:
    clean = (
        "import builtins, json, math, os, random, resource, time\ndef state():\n    time.sleep(0.02)\n"
        " "
        " "
        " "
        " return [os.listdir('.'), math.sqrt(4.0), json.loads('1'), hasattr(builtins, 'leaked'), 'LEAKED' in os.environ,\n"  # noqa: E501
        "            random.random(), resource.getrlimit(resource.RLIMIT_NOFILE), os.umask(0o22), os.getcwd()]\n"
    )
    test = "assert state() == [[], 2.0, 1, False, False, 0.8444218515250481, (64, 64), 18, '/tmp']"
    programs = []
    for i, code in enumerate(LEAVES):
        programs += [
            Program(f"dirty {i}", body(code), "add", "assert add(2, 3) == 5"),
            Program(f"clean {i}", clean, "state", test),
        ]
    with Sandbox(Limits(cpu_seconds=5.0)) as one:
        for verdict in one.run(programs):
            assert verdict.passed, verdict


def test_a_class_that_the_test_looks_into_is_still_tested_as_one(sandbox: Sandbox) -> None:
    source = (
        "class add:\n    def __init__(self, x):\n        self.x = x\n    def __mul__(self, n):\n"
        "        return add(self.x * n)\n"
        "    def __lt__(self, o):\n        return self.x < (o.x if isinstance(o, add) else o)\n"
    )
    test = "v = add(2) * 3\nassert v.x == 6\nassert v < 7\nassert add(1) < add(2)\n"
    for program, verdict in ((source, "passed"), (source.replace("* n", "+ n"), "failed")):
        (got,) = sandbox.run([Program("p", program, "add", test)])
        assert got.verdict == verdict, got


def test_an_object_of_a_tested_class_equals_no_plain_value(sandbox: Sandbox) -> None:
    source = f"class add:\n    def __init__(self, x):\n        self.x = x\n    {EVERYTHING}"
    (got,) = sandbox.run([Program("p", source, "add", "v = add(2)\nassert v.x == 2\nassert v == 5\n")])
    assert got.verdict == "failed", got
