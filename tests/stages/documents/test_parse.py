"""The stage `documents`: what teachers write, what is kept of it, and why the rest is dropped."""

import ast
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.records import Completion, Exercise, Passage, Seed, Task
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.stages.documents.stage import Parse

TASK = Task(
    entry_point="f",
    prompt='from math import pi\n\ndef f(x: int, y: int = 1) -> int:\n    """Add.\n\n    >>> f(1)\n    2\n    """\n',
    test="assert f(1) == 2\n",
)
F = 'def f(x):\n    """Doc."""\n    return x\n'


def completion(text: str, kind: str = "exercise", name: str = "f", task: Task | None = None) -> Completion:
    seed = Seed(
        kind=kind,  # type: ignore[arg-type]
        number=0,
        topic="lists/basics/slices",
        title="Parts of a list",
        audience="a child",
        form="plain",
        function_name=name,
        task=task,
    )
    return Completion(
        prompt_id="p", seed=seed, teacher="t", teacher_kind="replay", model="m", text=text, finish_reason="stop"
    )


def outcome(
    text: str, kind: str = "exercise", name: str = "f", task: Task | None = None
) -> Passage | Exercise | Dropped:
    tally = Tally()
    [result] = checked(Parse(), [completion(text, kind, name, task)], tally)
    return result.record if isinstance(result, Kept) else result  # type: ignore[return-value]


def exercise(text: str, name: str = "f", task: Task | None = None) -> Exercise:
    result = outcome(text, name=name, task=task)
    assert isinstance(result, Exercise), result
    ast.parse(result.text)
    ast.parse(result.test)
    assert result.prompt.endswith("\n")
    assert result.solution.endswith("\n")
    assert not result.solution.endswith("\n\n")
    return result


def reason(text: str, kind: str = "exercise", task: Task | None = None) -> str:
    result = outcome(text, kind, task=task)
    assert isinstance(result, Dropped), result
    assert result.detail
    return result.reason


def fenced(*blocks: str, tag: str = "python") -> str:
    return "Some prose.\n\n" + "\n\nMore prose:\n\n".join(f"```{tag}\n{block}```" for block in blocks) + "\n"


def test_function_and_asserts() -> None:
    made = exercise(fenced(F, "assert f(1) == 1\nassert f(0) == 0\n"))
    assert made.prompt == 'def f(x):\n    """Doc."""\n'
    assert made.solution == "    return x\n"
    assert made.test == "assert f(1) == 1\nassert f(0) == 0\n"
    assert (made.entry_point, made.test_owner, made.topic) == ("f", "teacher", "lists/basics/slices")
    assert made.completion_id == completion(fenced(F, "assert f(1) == 1\nassert f(0) == 0\n")).id


@pytest.mark.parametrize("tag", ["py", "Python3", "", "PYTHON"])
def test_other_tags_are_python_too(tag: str) -> None:
    assert exercise(fenced(F, "assert f(1) == 1\n", tag=tag)).test == "assert f(1) == 1\n"


def test_windows_line_endings_change_nothing() -> None:
    text = fenced(F, "assert f(1) == 1\n")
    unix, windows = exercise(text), exercise(text.replace("\n", "\r\n"))
    assert (unix.prompt, unix.solution, unix.test) == (windows.prompt, windows.solution, windows.test)


def test_asserts_in_the_block_of_the_function() -> None:
    made = exercise(fenced(F + "\n# check\nassert f(1) == 1\nprint(f(2))\n"))
    assert made.solution == "    return x\n"
    assert made.test == "# check\nassert f(1) == 1\n"


def test_imports_helpers_and_constants_that_are_used_stand_before() -> None:
    helper = "# a helper\ndef g(x: List[int]):\n    return math.floor(LIMIT)\n\n"
    before = "import math\nfrom typing import List\n\nLIMIT = 3\n\n" + helper
    unused = "import os\n\ndef other():\n    return 1\n\nprint('hi')\n"
    made = exercise(fenced(unused + before + 'def f(x):\n    """Doc."""\n    return g(x)\n'))
    assert made.prompt.split("\n\n\n")[0].startswith(before.rstrip().split("\n")[0])
    assert "# a helper\ndef g" in made.prompt
    assert "LIMIT = 3" in made.prompt
    for absent in ("os", "other", "hi"):
        assert absent not in made.text


def test_helpers_that_stand_after_follow_the_body() -> None:
    made = exercise(
        fenced('def f(x):\n    """Doc."""\n    return g(x)\n\ndef g(x):\n    return x\n\ndef main():\n    pass\n')
    )
    assert made.solution == "    return g(x)\n\ndef g(x):\n    return x\n"


def test_the_requested_name_is_preferred() -> None:
    text = fenced('def a(x):\n    """A."""\n    return 1\n\n' + F + '\ndef z(x):\n    """Z."""\n    return 1\n')
    assert exercise(text).entry_point == "f"
    assert exercise(text, name="q").entry_point == "z"


def test_an_empty_first_version_is_passed_over() -> None:
    made = exercise(fenced('def f(x):\n    """Doc."""\n    pass\n', F))
    assert made.solution == "    return x\n"
    assert made.test == ""


@pytest.mark.parametrize(
    ("tests", "wanted"),
    [
        ("from solution import f\nassert f(1) == 1\n", "assert f(1) == 1\n"),
        (F + "\nassert f(1) == 1\n", "assert f(1) == 1\n"),
        ("def test_f():\n    assert f(1) == 1\n", "def test_f():\n    assert f(1) == 1\ntest_f()\n"),
        ("def test_f():\n    assert f(1) == 1\ntest_f()\n", "def test_f():\n    assert f(1) == 1\ntest_f()\n"),
        (
            "if __name__ == '__main__':\n    assert f(1) == 1\n    assert f(2) == 2\n",
            "assert f(1) == 1\nassert f(2) == 2\n",
        ),
        (
            "def check(candidate):\n    assert candidate(1) == 1\n",
            "def check(candidate):\n    assert candidate(1) == 1\n",
        ),
        (
            "import math\nx = f(1)\nassert x == math.floor(1.5)\n",
            "import math\nx = f(1)\nassert x == math.floor(1.5)\n",
        ),
        (
            "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(1), 1)\n"
            "if __name__ == '__main__':\n    unittest.main()\n",
            "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(1), 1)\n",
        ),
        ("print(f(1))\n", ""),
        ("assert 1 == 1\n", ""),
        (">>> f(1)\n1\n", ""),
    ],
)
def test_tests_run_at_the_top_level_and_test_the_function(tests: str, wanted: str) -> None:
    assert exercise(fenced(F, tests)).test == wanted


def test_what_only_the_tests_need_goes_with_them() -> None:
    made = exercise(fenced("import math\n\n" + F, "assert f(1) == math.floor(1.2)\n"))
    assert made.test == "import math\nassert f(1) == math.floor(1.2)\n"
    assert "math" not in made.text


@pytest.mark.parametrize(
    "text",
    [
        F + "\nThis function returns x.",
        "Here it is:\n\n" + F + "\nIt returns x.",
        F + "```\nIt returns x.",
        "```markdown\nHello\n```python\n" + F + "```\nBye\n```",
        "<think>```python\ndef f(): pass\n```</think>\n" + fenced(F),
        "1. Write:\n\n   ```python\n" + "".join(f"   {line}\n" for line in F.splitlines()) + "   ```\n",
        "~~~python\n" + F + "~~~",
        fenced("    " + F.replace("\n", "\n    ").rstrip() + "\n"),
        fenced(F + "\n# Examples\n>>> f(1)\n1\n>>> f('a')\n'a'\n"),
        fenced(F + "\n>>> f([\n... 1])\n[1]\n\n# Another\n>>> f(2)\n2\n"),
        fenced(">>> f(1)\n1\n\n" + F),
        fenced(">>> f(1)\n1\n", F),
    ],
)
def test_ways_of_writing_the_same_answer(text: str) -> None:
    made = exercise(text)
    assert (made.prompt, made.solution) == ('def f(x):\n    """Doc."""\n', "    return x\n")


def test_a_session_in_a_docstring_stays_and_one_under_the_function_goes() -> None:
    shown = 'def f(x):\n    """Doc.\n\n>>> f(1)\n1\n    """\n    return x\n'
    made = exercise(fenced(shown + "\n>>> f(1)\n1\n\nassert f(2) == 2\n"))
    assert made.prompt + made.solution == shown
    assert made.test == "assert f(2) == 2\n"


def test_an_unfenced_function_with_fenced_tests() -> None:
    assert exercise(F + "\nTests:\n\n```python\nassert f(1) == 1\n```\n").test == "assert f(1) == 1\n"


def test_a_fence_in_a_docstring() -> None:
    made = exercise(
        fenced('def f(x):\n    """Doc.\n\n```python\nf(1)\n```\n    """\n    return x\n', "assert f(1) == 1\n")
    )
    assert made.prompt.count("```") == 2
    assert made.test


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "no-code"),
        ("I cannot do that.", "no-code"),
        ("```bash\nls\n```", "no-code"),
        (fenced('def f(x):\n    """Doc."""\n'), "no-code"),
        (fenced('def f(x):\n    """Doc."""\n    ...\n'), "no-code"),
        (fenced('def f(x):\n    """Doc."""\n    raise NotImplementedError("later")\n'), "no-code"),
        ("```python\n" + F, "unclosed-fence"),
        (fenced(F) + "```python\nassert f(1) == 1\n", "unclosed-fence"),
        (fenced("x = 1\n"), "no-signature"),
        (fenced("class A:\n    def f(self):\n        'd'\n        return 1\n"), "no-signature"),
        (fenced("def f(x):\n    return x\n"), "no-signature"),
        (fenced('def f(x):\n    """Doc."""\n    return (x\n'), "unparsable"),
        (fenced('def f(x):\n    """Doc."""\n  return x\n'), "unparsable"),
        (fenced('def f(x):\n    """Doc.\n    return x\n'), "unparsable"),
        (fenced('def f(x):\n    """Doc."""\n    return x\0\n'), "unparsable"),
        (fenced('def f(x):\n    """Doc."""\n    return ' + "-" * 5000 + "x\n"), "unparsable"),
        (fenced('def f(x):\n    """Doc."""\n    return ' + "(" * 300 + "x" + ")" * 300 + "\n"), "unparsable"),
    ],
)
def test_drop_reasons(text: str, wanted: str) -> None:
    assert reason(text) == wanted


@pytest.mark.parametrize(
    ("text", "solution"),
    [
        (fenced("def f(x, y=1):\n    return x + y\n"), "    return x + y\n"),
        (fenced(TASK.prompt + "    return x + y\n\n# Example\nprint(f(1))\n"), "    return x + y\n"),
        (TASK.prompt + "    return x + y\n", "    return x + y\n"),
        (fenced("def f(x, y=1): return x + y\n"), "    return x + y\n"),
        (
            fenced("def f(x, y=1):\n  if x:\n    return x + y\n  return y\n"),
            "    if x:\n      return x + y\n    return y\n",
        ),
        (fenced("    z = x\n    return z + y\n"), "    z = x\n    return z + y\n"),
        (fenced("z = x\nreturn z + y\n"), "    z = x\n    return z + y\n"),
        (
            fenced("import math\ndef f(x, y=1):\n    return math.floor(x)\n"),
            "    import math\n    return math.floor(x)\n",
        ),
        (fenced("from math import pi\ndef f(x, y=1):\n    return pi\n"), "    return pi\n"),
        (fenced("import os\ndef f(x, y=1):\n    return x\n"), "    return x\n"),
        (fenced("K = 1\ndef f(x, y=1):\n    return K\n"), "    return K\n\n\nK = 1\n"),
        (
            fenced("def f(x, y=1):\n    return g(x)\n\ndef g(x):\n    return x\n"),
            "    return g(x)\n\n\ndef g(x):\n    return x\n",
        ),
    ],
)
def test_a_task_takes_only_the_body(text: str, solution: str) -> None:
    made = exercise(text, task=TASK)
    assert made.solution == solution
    assert (made.prompt, made.test, made.test_owner, made.entry_point) == (TASK.prompt, TASK.test, "seed", "f")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (fenced("def f(a, b):\n    return a + b\n"), "no-signature"),
        (fenced("def add(x, y=1):\n    return x + y\n"), "no-signature"),
        (fenced("f(1)\n"), "no-signature"),
        (fenced(TASK.prompt + "    pass\n"), "no-code"),
        (fenced("def f(x, y=1)\n    return x\n"), "unparsable"),
        ("The sum of x and y.", "no-code"),
        ("```python\ndef f(x, y=1):\n    return x\n", "unclosed-fence"),
    ],
)
def test_drop_reasons_of_tasks(text: str, wanted: str) -> None:
    assert reason(text, task=TASK) == wanted


def test_a_passage_is_kept_as_it_is() -> None:
    text = "\n# Slices\r\n\r\nProse.\n\n```python\nx = [1][:1]\n```\nMore.  \n\n"
    passage = outcome(text, kind="textbook")
    assert isinstance(passage, Passage)
    assert passage.text == "# Slices\n\nProse.\n\n```python\nx = [1][:1]\n```\nMore.\n"
    assert (passage.topic, passage.audience, passage.teacher) == ("lists/basics/slices", "a child", "t")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("# T\n\nprose", "no-code"),
        ("# T\n\n    x = 1\n", "no-code"),
        ("```sh\nls\n```", "no-code"),
        ("```python\nx = 1\n", "unclosed-fence"),
    ],
)
def test_drop_reasons_of_passages(text: str, wanted: str) -> None:
    assert reason(text, kind="textbook") == wanted


pieces = st.lists(
    st.sampled_from(
        [
            "```",
            "```python",
            "~~~",
            "def f(x):",
            "def f(x, y=1):",
            '    """Doc."""',
            '    """',
            "    return x",
            "return x",
            "class A:",
            "assert f(1) == 1",
            "from x import *",
            "import math",
            "@deco",
            "x = 1; y = 2",
            "if __name__ == '__main__':",
            "    f(1)",
            "prose",
            "\t",
            "# c",
            "\\",
            "from __future__ import annotations",
            "\x0c",
            "\u2028",
            "\0",
            "def test_a():",
            "lambda x: (",
            "'''",
        ]
    ),
    max_size=14,
)


@given(
    st.one_of(st.text(max_size=400), pieces.map("\n".join), pieces.map(lambda lines: fenced("\n".join(lines) + "\n")))
)
def test_any_text_is_kept_or_dropped(text: str) -> None:
    records = [completion(text), completion(text, kind="textbook"), completion(text, task=TASK)]
    tally = Tally()
    for result in checked(Parse(), records, tally):
        if isinstance(result, Kept) and isinstance(result.record, Exercise):
            ast.parse(result.record.text)
            ast.parse(result.record.test)
            assert result.record.solution.startswith((" ", "\t", "\n", "\x0c", "\\"))
    assert tally.entered == tally.kept + tally.dropped.total() == 3


@pytest.mark.parametrize(
    "unit",
    [
        "```python\n",
        "def f(x):\n    return x\n",
        "@a\n",
        "import a\n",
        "((",
        "def g",
        "x = y = ",
        "lambda: ",
        "if x:\n",
        "f'{",
        "a.b",
        "'''\n",
        "- ",
    ],
)
def test_long_garbage_takes_time_in_proportion(unit: str) -> None:
    text = "```python\n" + unit * (60_000 // len(unit)) + "\n```"
    start = time.process_time()
    outcome(text)
    outcome(text, task=TASK)
    assert time.process_time() - start < 60  # in proportion to the square it would be hours
