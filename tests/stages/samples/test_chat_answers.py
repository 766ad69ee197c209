"""A chat model's answer becomes a program that means what the model meant: each form is run with the tests."""

import sys
from types import ModuleType

import pytest

from pipeline.core.records import Problem, Sample
from pipeline.stages.samples.postprocess import CHAT
from pipeline.stages.scores.stage import program_source

DOCUMENTED = (
    'from typing import List\n\n\ndef twice(x: int) -> int:\n    """Twice x.\n\n    >>> twice(2)\n    4\n    """\n'
)
PROMPTS = {
    "docstring": DOCUMENTED,
    "no newline at the end": DOCUMENTED.rstrip("\n"),
    "signature alone": "def twice(x: int) -> int:\n",
    "comment at the end": "def twice(x):\n    # Returns twice x.\n",
    "comment after the docstring": DOCUMENTED + "    # Your code here\n",
    "begun body": DOCUMENTED + "    result = 0\n    for _ in range(2):\n",
    "begun block": DOCUMENTED + "    if x:\n        y = 1\n    else:\n",
    "tabs": 'def twice(x):\n\t"""Twice x."""\n',
    "two spaces": "def twice(x):\n  # Twice\n",
    "helper in the prompt": "def plus(a, b):\n    return a + b\n\n\n" + DOCUMENTED,
    "docstring of a module": '"""\nWrite a function that doubles.\nassert twice(2) == 4\n"""\n',
}
TEST = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(-1) == -2\n\n\ncheck(twice)\n"
F = "def twice(x):\n    return 2 * x\n"
WRONG = "```python\ndef twice(x):\n    return 0\n```"


def fence(code: str, info: str = "python", mark: str = "```") -> str:
    return f"{mark}{info}\n{code}{mark}\n"


def indented(text: str, by: str) -> str:
    return "".join(by + line if line.strip() else line for line in text.splitlines(keepends=True))


ANSWERS = {
    "one fence": fence(F),
    "no fence": F,
    "prose around no fence": f"Here you are:\n\n{F}\nThis doubles x.\n",
    "no tag": fence(F, ""),
    "tag py": fence(F, "py"),
    "tag with a file": fence(F, "python:twice.py"),
    "tag in braces": fence(F, "{.python}"),
    "tildes": fence(F, "python", "~~~"),
    "four backticks": fence(F, "python", "````"),
    "four backticks around Markdown": "````markdown\n# Answer\n\n" + fence(F) + "````\n",
    "in a list": "1. Write:\n\n" + indented(fence(F), "   ") + "2. Done.\n",
    "in a list by a tab": "- Write:\n\n" + indented(fence(F), "\t"),
    "in a quote": indented(fence(F), "> "),
    "unclosed": "```python\n" + F,
    "draft in reasoning": f"<think>\n{WRONG}\nNo.\n</think>\n\n{fence(F)}",
    "draft in reasoning after prose": f"Sure.\n<thinking>\n{WRONG}\n</thinking>\n{fence(F)}",
    "draft and only the closing tag": f"{WRONG}\n</think>\n\n{fence(F)}",
    "draft in channels": f"<|channel|>analysis<|message|>{WRONG}<|end|><|start|>assistant<|channel|>final<|message|>"
    + fence(F) + "<|return|>",
    "chat marker": fence(F).rstrip() + "<|im_end|>",
    "future import": fence(
        "from __future__ import annotations\n\n\ndef twice(x: Number) -> Number:\n    return 2 * x\n"
    ),
    "future import and a class": fence(
        "from __future__ import annotations\n\n\nclass N:\n    def of(self, other: N) -> N:\n        return self\n\n\n"
        "def twice(x):\n    return 2 * x if N() else 0\n"
    ),
    "class Solution": fence("class Solution:\n    def twice(self, x: int) -> int:\n        return 2 * x\n"),
    "class Solution with a helper": fence(
        "class Base:\n    k = 2\n\n\nclass Solution(Base):\n    def plus(self, a, b):\n        return a + b\n\n"
        "    def twice(self, x):\n        return self.plus(x, x)\n\n\nprint(Solution().twice(3))\n"
    ),
    "helper and function in two fences": "Helper:\n" + fence("def plus(a, b):\n    return a + b\n") + "\nThen:\n"
    + fence("def twice(x):\n    return plus(x, x)\n"),
    "function and then its helper": fence("def twice(x):\n    return add(x, x)\n")
    + fence("def add(a, b):\n    return a + b\n"),
    "import in a fence of its own": fence("import operator\n")
    + fence("def twice(x):\n    return operator.mul(x, 2)\n"),
    "bash first": fence("pip install numpy\n", "bash") + fence(F),
    "untagged bash first": fence("$ python twice.py\n", "") + fence(F),
    "output first": "Example output:\n" + fence("4\n", "text") + fence(F),
    "untagged output first": fence("4\n", "") + fence(F),
    "usage first": "It is used like this:\n" + fence("print(twice(2))\n") + fence(F),
    "a stub first": fence('def twice(x):\n    """Doc."""\n    pass\n') + fence(F),
    "tests behind": fence(F + "\n\nassert twice(2) == 5\nprint(input())\nif __name__ == '__main__':\n    exit(1)\n"),
    "tests in a fence of their own": fence(F) + fence("import pytest_that_is_not_there\nassert twice(1) == 3\n"),
    "the prompt once more": fence(DOCUMENTED + "    return 2 * x\n"),
    "lambda": fence("twice = lambda x: 2 * x\n"),
    "bound anew": fence("from functools import cache\n\n\n" + F + "\n\ntwice = cache(twice)\n"),
    "table": fence("T = {}\nfor n in range(-5, 5):\n    T[n] = 2 * n\n\n\ndef twice(x):\n    return T[x]\n"),
    "Windows line ends": fence(F).replace("\n", "\r\n"),
    "doctest in the docstring": fence(
        'def twice(x):\n    """\n    ```python\n    twice(2)\n    ```\n    """\n    return 2 * x\n'
    ),
}  # fmt: skip


def passes(prompt: str, answer: str, entry_point: str = "twice", test: str = TEST) -> str:
    """The program, after it has passed."""
    problem = Problem(benchmark="b", task_id="t", prompt=prompt, entry_point=entry_point, test=test)
    completion = CHAT.apply(problem, answer)
    sample = Sample(
        problem_id=problem.id, benchmark="b", task_id="t", model="m", checkpoint="", raw=answer, completion=completion
    )
    program = program_source(problem, sample)
    module = sys.modules["answer"] = ModuleType("answer")
    try:
        exec(compile(f"{program}\n{test}", "answer", "exec"), vars(module))  # noqa: S102
    finally:
        del sys.modules["answer"]
    return program


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS.keys())
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_right_answers_in_any_form_pass(prompt: str, answer: str) -> None:
    passes(prompt, answer)


@pytest.mark.parametrize(
    "answer",
    ["    return 2 * x\n", "return 2 * x\n", "y = 2\nreturn y * x\n", "import math\nreturn math.floor(2 * x)\n"],
)
@pytest.mark.parametrize("prompt", ["docstring", "signature alone", "comment at the end", "helper in the prompt"])
def test_a_body_alone_is_put_into_the_function(prompt: str, answer: str) -> None:
    passes(PROMPTS[prompt], fence(answer))
    if answer.startswith(" "):
        passes(PROMPTS[prompt], answer + "\n\nThis doubles x.\n")


def test_a_begun_body_may_be_gone_on_with() -> None:
    passes(PROMPTS["begun body"], fence("        result += x\n    return result\n"))


@pytest.mark.parametrize("entry_point", ["Solution().twice", "twice", "Solution"])
@pytest.mark.parametrize("end", ["", "        # Twice\n", "        y = 2\n"])
@pytest.mark.parametrize(
    "code",
    [
        "class Solution:\n    def twice(self, x):\n        return 2 * x\n",
        "    def twice(self, x):\n        return 2 * x\n",
        "def twice(self, x):\n    return 2 * x\n",
        "        return 2 * x\n",
        "return 2 * x\n",
    ],
)
def test_a_prompt_that_opens_a_method(code: str, end: str, entry_point: str) -> None:
    prompt = 'class Solution:\n    def twice(self, x):\n        """Doc."""\n' + end
    test = TEST.replace("check(twice)", "check(Solution().twice)")
    passes(prompt, fence(code), entry_point, test)


def test_what_is_no_python_stays_so_that_the_verdict_says_where() -> None:
    problem = Problem(benchmark="b", task_id="t", prompt=DOCUMENTED, entry_point="twice", test=TEST)
    completion = CHAT.apply(problem, fence("def twice(x)\n    return x\n"))
    assert completion == "\n\ndef twice(x)\n    return x\n"


def test_wrong_answers_stay_wrong() -> None:
    for answer in (
        WRONG,
        f"<think>{fence(F)}</think>{WRONG}",
        WRONG + "\n" + fence("twice(2)  # 4\n"),
        "I do not know.",
    ):
        with pytest.raises((AssertionError, SyntaxError)):
            passes(PROMPTS["docstring"], answer)
