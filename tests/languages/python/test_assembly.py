"""An answer as a module: what the function and its tests need of it comes along, by name and by effect."""

import decimal
import random
import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.records import Completion, Exercise, Seed, Task
from pipeline.core.stage import Dropped, Kept
from pipeline.languages.python.assembly import quoted_annotations
from pipeline.stages.documents.stage import Parse


def made(text: str, task: Task | None = None, name: str = "f") -> Exercise | Dropped:
    seed = Seed(kind="exercise", number=0, topic="t", title="T", audience="a", form="f", function_name=name, task=task)
    completion = Completion(
        prompt_id="p", seed=seed, teacher="t", teacher_kind="replay", model="m", text=text, finish_reason="stop"
    )
    [outcome] = Parse()([completion])
    return outcome.record if isinstance(outcome, Kept) else outcome  # type: ignore[return-value]


def run(program: str) -> None:
    """Run a program of these tests as a module of its own."""
    module = ModuleType("exercise")
    limit, random_state = sys.getrecursionlimit(), random.getstate()
    sys.modules["exercise"] = module
    try:
        with decimal.localcontext():
            exec(compile(program, "exercise", "exec"), vars(module))  # noqa: S102
    finally:
        sys.setrecursionlimit(limit)
        random.setstate(random_state)
        del sys.modules["exercise"]


def exercise(text: str, task: Task | None = None) -> Exercise:
    found = made(text, task)
    assert isinstance(found, Exercise), found
    assert found.test
    run(found.text + "\n\n" + found.test)
    return found


def fenced(*blocks: str) -> str:
    return "Prose.\n\n" + "\n\nMore:\n\n".join(f"```python\n{block}```" for block in blocks) + "\n"


DOC = '    """Doc."""\n'
F = "def f(x):\n" + DOC
TEST = "assert f(2) == 4\n"

NEEDS = {
    "import of an earlier block": ("import math\n", F + "    return math.floor(x) * 2\n", TEST),
    "helper of an earlier block": ("def twice(x):\n    return 2 * x\n", F + "    return twice(x)\n", TEST),
    "helper of an earlier block that needs an import of one before": (
        "import math\n",
        "def twice(x):\n    return math.floor(2 * x)\n",
        F + "    return twice(x)\n",
        TEST,
    ),
    "constant of an earlier block": ("FACTOR = 2\n", F + "    return FACTOR * x\n", TEST),
    "helper of a later block": (F + "    return twice(x)\n", "def twice(x):\n    return 2 * x\n", TEST),
    "constant after the function": (F + "    return FACTOR * x\n\n\nFACTOR = 2\n" + TEST,),
    "import after the function": (F + "    return math.floor(2 * x)\n\n\nimport math\n" + TEST,),
    "constant computed by a helper": (
        "def build():\n    return {2: 4}\n\n\nTABLE = build()\n\n\n" + F + "    return TABLE[x]\n",
        TEST,
    ),
    "loop that fills a table": (
        "TABLE = {}\nfor number in range(5):\n    TABLE[number] = 2 * number\n\n\n" + F + "    return TABLE[x]\n",
        TEST,
    ),
    "loop after the function that fills a table": (
        F + "    return TABLE[x]\n\n\nTABLE = []\nfor n in range(5):\n    TABLE.append(2 * n)\n\n" + TEST,
    ),
    "call that fills a table": (
        "TABLE = {}\n\n\ndef fill():\n    for n in range(5):\n        TABLE[n] = 2 * n\n\n\nfill()\n\n\n"
        + F + "    return TABLE[x]\n",
        TEST,
    ),
    "call that fills what it is given": (
        "TABLE = {}\n\n\ndef fill(table):\n    for n in range(5):\n        table[n] = 2 * n\n\n\nfill(TABLE)\n\n\n"
        + F + "    return TABLE[x]\n",
        TEST,
    ),
    "call that sets a global": (
        "def start():\n    global FACTOR\n    FACTOR = 2\n\n\nFACTOR = 0\nstart()\n\n\n"
        + F + "    return FACTOR * x\n",
        TEST,
    ),
    "augmented assignment": ("FACTOR = 1\nFACTOR += 1\n\n\n" + F + "    return FACTOR * x\n", TEST),
    "element of a table": ("TABLE = {}\nTABLE[2] = 4\n\n\n" + F + "    return TABLE[x]\n", TEST),
    "while that fills a table": (
        "T = []\nn = 0\nwhile n < 5:\n    T.append(2 * n)\n    n += 1\n\n\n" + F + "    return T[x]\n",
        TEST,
    ),
    "with at the top level": (
        "import io\nwith io.StringIO('2') as file:\n    FACTOR = int(file.read())\n\n\n"
        + F + "    return FACTOR * x\n",
        TEST,
    ),
    "match and try": (
        "try:\n    import numpy_that_is_not_there as np\nexcept ImportError:\n    np = None\n\n\n"
        + F + "    return 2 * x if np is None else np.array(x)\n",
        TEST,
    ),
    "future import": (
        "from __future__ import annotations\n\n\ndef f(x: Number) -> Number:\n" + DOC + "    return 2 * x\n",
        TEST,
    ),
    "future import of an earlier block": (
        "from __future__ import annotations\n",
        "def f(x: Number) -> Number:\n" + DOC + "    return 2 * x\n",
        TEST,
    ),
    "recursion limit": (
        "import sys\n\nsys.setrecursionlimit(5000)\n\n\n" + F + "    return x if x <= 0 else 2 + f(x - 1)\n",
        "assert f(3000) == 6000\n",
    ),
    "recursion limit by its name": (
        "from sys import setrecursionlimit\nsetrecursionlimit(5000)\n\n\n"
        + F + "    return x if x <= 0 else 2 + f(x - 1)\n",
        "assert f(3000) == 6000\n",
    ),
    "seed of random": (
        "import random\nrandom.seed(1)\n\n\n" + F + "    return 2 * x if random.random() < 0.2 else 0\n",
        TEST,
    ),
    "precision of decimal": (
        "from decimal import Decimal, getcontext\ngetcontext().prec = 50\n\n\n"
        + F + "    return len(str(Decimal(1) / Decimal(x)))\n",
        "assert f(7) == 52\n",
    ),
    "decorator and its import": ("from functools import lru_cache\n\n\n@lru_cache\n" + F + "    return 2 * x\n", TEST),
    "decorator of a later block": (
        "@keep\n" + F + "    return 2 * x\n",
        "def keep(function):\n    return function\n",
        TEST,
    ),
    "function bound anew": (
        "from functools import lru_cache\n\n\n" + F + "    return 2 * x\n\n\nf = lru_cache(maxsize=None)(f)\n",
        TEST + "assert f.cache_info().hits == 0\n",
    ),
    "attribute of the function": (
        F + "    f.calls += 1\n    return 2 * x\n\n\nf.calls = 0\n",
        TEST + "assert f.calls == 1\n",
    ),
    "dataclass": (
        "from dataclasses import dataclass\n\n\n@dataclass\nclass P:\n    x: int\n\n\n" + F + "    return P(2 * x).x\n",
        TEST,
    ),
    "class with a base and a class variable": (
        "class A:\n    pass\n\n\nK = 2\n\n\nclass B(A):\n    k = K\n\n\n" + F + "    return B.k * x\n",
        TEST,
    ),
    "default value": ("K = 2\n\n\ndef f(x, k=K):\n" + DOC + "    return k * x\n", TEST),
    "type alias in an annotation": (
        "Number = int\n\n\ndef f(x: 'Number') -> Number:\n" + DOC + "    return 2 * x\n",
        TEST,
    ),
    "star import": ("from math import *\n\n\n" + F + "    return floor(2 * x)\n", TEST),
    "tests that use a helper of the first block": (
        "import math\n\n\ndef close(a, b):\n    return math.isclose(a, b)\n\n\n" + F + "    return 2 * x\n",
        "assert close(f(2), 4)\n",
    ),
    "tests that use a constant of the first block": (
        "CASES = {}\nCASES[2] = 4\n\n\n" + F + "    return 2 * x\n",
        "for given, wanted in CASES.items():\n    assert f(given) == wanted\n",
    ),
    "tests that use a block before": (
        "CASES = [(2, 4)]\n",
        F + "    return 2 * x\n",
        "def test_f():\n    for given, wanted in CASES:\n        assert f(given) == wanted\n",
    ),
    "tests before the function": ("def test_f():\n    assert f(2) == 4\n", F + "    return 2 * x\n"),
    "a demonstration between": (
        "FACTOR = 2\n\n\n" + F + "    return FACTOR * x\n\n\nprint(f(3))\nOTHER = 3\nx = f(2)\n",
        TEST,
    ),
    "output in a block without a tag": (F + "    return 2 * x\n\n\nprint(f(2))\n", TEST),
}  # fmt: skip


@pytest.mark.parametrize("blocks", NEEDS.values(), ids=NEEDS.keys())
def test_what_is_needed_comes_along(blocks: tuple[str, ...]) -> None:
    found = exercise(fenced(*blocks))
    assert "print" not in found.text
    assert found.prompt.endswith('"""Doc."""\n')


def test_what_is_not_needed_does_not() -> None:
    before = "import os\nUNUSED = 1\nresult = [1]\nresult.append(2)\n\n\ndef other():\n    return UNUSED\n\n\nother()\n"
    body = "    result = 2 * x\n    return result\n"
    found = exercise(fenced(before, before + F + body, TEST + "result = f(3)\nresult += 1\n"))
    assert found.text == F + body
    assert "UNUSED" not in found.test


TASK = Task(
    entry_point="f",
    prompt='from typing import List\n\n\ndef f(x: int, values: List[int] = []) -> int:\n    """Twice x."""\n',
    test="assert f(2) == 4\n",
)
HEAD = "def f(x, values=()):\n"

BODIES = {
    "import of the body": "import math\n\n\n" + HEAD + "    return math.floor(2 * x)\n",
    "import of a helper": "import math\n\n\ndef g(x):\n    return math.floor(2 * x)\n\n\n" + HEAD + "    return g(x)\n",
    "import of both": (
        "import math\n\n\ndef g(x):\n    return math.floor(2 * x)\n\n\n" + HEAD + "    return math.floor(g(x))\n"
    ),
    "import of a helper of a helper": (
        "import math\n\n\ndef h(x):\n    return math.floor(x)\n\n\ndef g(x):\n    return h(2 * x)\n\n\n"
        + HEAD + "    return g(x)\n"
    ),
    "other name of an import": "import math as m\n\n\ndef g(x):\n    return m.floor(x)\n\n\n"
    + HEAD + "    return g(2 * x)\n",
    "cached helper": (
        "from functools import lru_cache\n\n\n@lru_cache(maxsize=None)\ndef g(x):\n    return 2 * x\n\n\n"
        + HEAD + "    return g(x)\n"
    ),
    "cached function": "import functools\n\n\n@functools.cache\n" + HEAD + "    return 2 * x if not x or x else f(x)\n",
    "dataclass": (
        "from dataclasses import dataclass, field\n\n\n@dataclass\nclass P:\n    x: int = field(default=0)\n\n\n"
        + HEAD + "    return P(2 * x).x\n"
    ),
    "annotation of a helper": (
        "from typing import Optional\n\n\ndef g(x: Optional[int]) -> Optional[int]:\n    return 2 * x\n\n\n"
        + HEAD + "    return g(x)\n"
    ),
    "annotations that wait": (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n\n@dataclass\nclass Node:\n"
        "    value: int\n    next: Node | None = None\n\n    def twice(self, other: Node | int) -> Later:\n"
        "        return 2 * self.value\n\n\n" + HEAD + "    return Node(x).twice(1)\n"
    ),
    "named tuple": (
        "from typing import NamedTuple\n\n\nclass P(NamedTuple):\n    x: int\n\n\n" + HEAD + "    return 2 * P(x).x\n"
    ),
    "enumeration and a constant": (
        "import enum\n\n\nclass E(enum.Enum):\n    A = 2\n\n\nK = E.A.value\n\n\n" + HEAD + "    return K * x\n"
    ),
    "table filled by a loop": (
        "T = {}\nfor n in range(5):\n    T[n] = 2 * n\n\n\n" + HEAD + "    return T[x]\n"
    ),
    "recursion limit": "import sys\nsys.setrecursionlimit(3000)\n\n\n" + HEAD + "    return 2 * x\n",
    "star import": "from math import *\n\n\n" + HEAD + "    return floor(2 * x)\n",
    "name of the task's own import": "from typing import List\n\n\ndef g(x: List[int]):\n    return 2 * x[0]\n\n\n"
    + HEAD + "    return g([x])\n",
    "regular expression compiled once": (
        "import re\n\nDIGIT = re.compile(r'\\d')\n\n\n" + HEAD + "    return 2 * int(DIGIT.match(str(x)).group())\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("answer", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("apart", [False, True])
def test_what_a_tasks_body_needs_follows_it(answer: str, apart: bool) -> None:
    around, _, body = answer.rpartition(HEAD)
    decorated = around.rstrip().endswith("cache")
    text = fenced(around, HEAD + body) if apart and not decorated else fenced(answer)
    found = exercise(text, TASK)
    assert (found.prompt, found.test) == (TASK.prompt, TASK.test)


def test_an_import_goes_into_the_body_where_nothing_else_needs_it() -> None:
    text = "import math\nimport re\n\n\ndef g(x):\n    return re.sub('a', '', x)\n\n\n"
    found = exercise(fenced(text + HEAD + "    g('')\n    return math.floor(2 * x)\n"), TASK)
    assert found.solution == (
        "    import math\n    g('')\n    return math.floor(2 * x)\n\n\nimport re\n\n\ndef g(x):\n"
        "    return re.sub('a', '', x)\n"
    )


def test_a_cached_function_stays_cached() -> None:
    found = exercise(fenced(BODIES["cached function"]), TASK)
    assert found.solution.endswith("\n\n\nimport functools\n\n\nf = functools.cache(f)\n")


STARS = "from typing import *\nfrom collections import *\nfrom os.path import *\n\n\n"


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("return 2 * x", ["os.path"]),
        ("y: List[int] = [x]\n    return 2 * y[0]", ["typing", "os.path"]),
        ("return 2 * UserList([x])[0]", ["collections", "os.path"]),
        ("return 2 * Counter([1] * x)[1]", ["typing", "collections", "os.path"]),
        ("Counter = sum\n    return Counter([x, x])", ["os.path"]),
    ],
)
def test_a_star_import_stays_where_it_may_be_needed(body: str, left: list[str]) -> None:
    """Those that answers have by habit go; what a module gives that is not known to be harmless is not looked up."""
    found = exercise(fenced(STARS + F + f"    {body}\n", TEST))
    assert [line.split()[1] for line in found.text.split("\n") if line.endswith("import *")] == left
    solved = exercise(fenced(STARS + HEAD + f"    {body}\n"), TASK)
    assert [line.split()[1] for line in solved.solution.split("\n") if line.endswith("import *")] == left


def test_a_name_that_the_answer_binds_itself_needs_no_star() -> None:
    found = exercise(
        fenced(STARS + "def Counter(xs):\n    return sum(xs)\n\n\n" + F + "    return Counter([x, x])\n", TEST)
    )
    assert "from collections" not in found.text


def test_a_star_may_stand_for_a_builtin() -> None:
    """`pow` of math is another one than that of every program."""
    assert "from math" in exercise(fenced("from math import *\n\n\n" + F + "    return pow(x, 2)\n", TEST)).text
    assert "from math" not in exercise(fenced("from math import *\n\n\n" + F + "    return 2 * x\n", TEST)).text


def test_annotations_become_strings() -> None:
    code = "def f(a: int, *b: 'x', c: É | None = 'é', **d) -> list[A]:\n    e: Ö = 1\n"
    assert quoted_annotations(code) == (
        "def f(a: 'int', *b: 'x', c: 'É | None' = 'é', **d) -> 'list[A]':\n    e: 'Ö' = 1\n"
    )


KINDS = {
    "constant": "{name} = {number} + {uses}\n",
    "typed": "{name}: int = {number} + {uses}\n",
    "pair": "{name}, {name}_b = {number} + {uses}, 0\n",
    "added": "{name} = {number}\n{name} += {uses}\n",
    "loop": "{name} = 0\nfor n in range(3):\n    {name} += n + {uses}\n",
    "table": "T_{name} = {{}}\nfor n in range(3):\n    T_{name}[n] = n + {uses}\n{name} = T_{name}[2]\n",
    "list": "L_{name} = []\nL_{name}.append({number} + {uses})\nL_{name}.extend([1, 2])\n{name} = len(L_{name})\n",
    "try": "try:\n    {name} = {number} + {uses}\nexcept ValueError:\n    {name} = 0\n",
    "if": "if {number} > 3:\n    {name} = {uses}\nelse:\n    {name} = {number}\n",
    "helper": "def h_{name}(n={uses}):\n    return n + {number}\n\n\n{name} = h_{name}()\n",
    "late helper": "def h_{name}():\n    return {uses}\n\n\n{name} = h_{name}()\n",
    "class": "class C_{name}:\n    value = {uses}\n\n    def get(self):\n        return self.value + {number}\n\n\n"
    "{name} = C_{name}().get()\n",
    "filled": "D_{name} = {{}}\n\n\ndef fill_{name}(d):\n    d[1] = {uses} + {number}\n\n\nfill_{name}(D_{name})\n"
    "{name} = D_{name}[1]\n",
    "global": "{name} = 0\n\n\ndef set_{name}():\n    global {name}\n"
    "    {name} = {uses} + {number}\n\n\nset_{name}()\n",
    "lambda": "l_{name} = lambda: {uses} + {number}\n{name} = l_{name}()\n",
    "comprehension": "{name} = sum(n + {uses} for n in range({number}))\n",
    "imported": "import math as m_{name}\n{name} = m_{name}.floor({uses} + {number})\n",
    "decorated": "import functools as f_{name}\n\n\n@f_{name}.cache\ndef g_{name}():\n    return {uses}\n\n\n"
    "{name} = g_{name}()\n",
    "walrus": "if ({name} := {uses} + {number}):\n    pass\n",
    "attribute": "class A_{name}:\n    pass\n\n\nA_{name}.x = {uses}\n{name} = A_{name}.x\n",
    "deleted": "B_{name} = [1, {uses}]\ndel B_{name}[0]\n{name} = B_{name}[0]\n",
}  # fmt: skip


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """The blocks of an answer, whose definitions rest on one another, and its tests, which are right of it."""
    count = draw(st.integers(1, 6))
    names = [f"v{number}" for number in range(count)]
    definitions = []
    for number, name in enumerate(names):
        uses = " + ".join(draw(st.lists(st.sampled_from(names[:number]), max_size=2)) if number else []) or "0"
        kind = draw(st.sampled_from(sorted(KINDS)))
        definitions.append(KINDS[kind].format(name=name, uses=f"({uses})", number=draw(st.integers(1, 9))))
    wanted = " + ".join(draw(st.lists(st.sampled_from(names), min_size=1, max_size=3)))
    function = f"def f(x):\n{DOC}    return x + {wanted}\n"
    place = draw(st.integers(0, count))
    parts = [*definitions[:place], function, *definitions[place:]]
    demo = draw(st.sampled_from(["", "print(f(1))\n", "x = f(2)\n"]))
    together: dict[str, object] = {}
    exec("\n\n".join(parts), together)  # noqa: S102
    value = together["f"](1)  # type: ignore[operator]
    used = draw(st.sampled_from(names))
    tests = [f"assert f(1) == {value}\n", f"assert f(1) - f(0) == 1 and {used} == {together[used]}\n"]
    blocks = [parts[0]]
    for part in parts[1:]:
        if draw(st.booleans()):
            blocks.append(part)
        else:
            blocks[-1] += "\n\n" + part
    return [*blocks[:-1], blocks[-1] + "\n\n" + demo if place == count else blocks[-1]], tests


@given(answers())
def test_an_answer_that_is_right_as_a_whole_makes_an_exercise_that_is(answer: tuple[list[str], list[str]]) -> None:
    blocks, tests = answer
    exercise(fenced(*blocks, "".join(tests)))
