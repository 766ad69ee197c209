"""Rows of published benchmark files as `Problem`s: HumanEval's, MBPP's and evalplus' forms, told apart by their keys.

A row that lacks a key or has a value of the wrong type raises ValueError; `problems` adds the file and the line.
"""

import ast
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pipeline.benchmarks import plus
from pipeline.core.records import Problem

Row = Mapping[str, Any]
Form = Literal["humaneval", "mbpp", "evalplus"]


def form_of(row: Row) -> Form:
    """Which of the three forms a row has, by the keys that only that form has."""
    if "plus_input" in row:
        return "evalplus"
    if "test_list" in row:
        return "mbpp"
    if {"prompt", "test", "entry_point"} <= row.keys():
        return "humaneval"
    raise ValueError(
        f"has the keys {sorted(row)}, wanted task_id, prompt, entry_point, test (HumanEval), "
        "or task_id, text, code, test_list (MBPP), or prompt, entry_point, base_input, plus_input (evalplus)"
    )


def problem_from(row: Row, benchmark: str) -> Problem:
    """The row as a `Problem` of `benchmark`."""
    return _READERS[form_of(row)](row, benchmark)


def text_of(row: Row, key: str, default: str | None = None) -> str:
    """A text value with line ends as "\\n" (MBPP's file has CRLF); ValueError where it is missing or not text."""
    value = row.get(key, default)
    if not isinstance(value, str):
        raise ValueError(f"key {key!r} should be text, got {value!r:.80}")
    return value.replace("\r\n", "\n")


def texts_of(row: Row, key: str) -> list[str]:
    """A list of text with line ends as "\\n"; ValueError for anything else."""
    value = row.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"key {key!r} should be a list of text, got {value!r:.80}")
    return [item.replace("\r\n", "\n") for item in value]


def from_humaneval(row: Row, benchmark: str) -> Problem:
    """HumanEval's form (Chen et al. 2021). `group` and `prelude` are Hornbook's own optional keys."""
    return Problem(
        benchmark=benchmark,
        task_id=str(row.get("task_id") or _missing("task_id")),
        prompt=text_of(row, "prompt"),
        entry_point=text_of(row, "entry_point"),
        test=text_of(row, "test"),
        canonical_solution=text_of(row, "canonical_solution", ""),
        group=text_of(row, "group", ""),
        prelude=text_of(row, "prelude", ""),
    )


def from_mbpp(row: Row, benchmark: str) -> Problem:
    """MBPP's form (Austin et al. 2021), full ("text") or sanitised ("prompt", "test_imports").

    The prompt is a module docstring with the task and its tests, as InCoder and evalplus write it; `few_shot_prompt`
    in `problems` has the paper's own. The set-up code of Mbpp/367 builds objects of the answer's class, so it runs
    after the answer, with the tests.
    """
    tests = texts_of(row, "test_list")
    task = text_of(row, "text") if "text" in row else text_of(row, "prompt")
    code = text_of(row, "code", "")
    imports = texts_of(row, "test_imports") if "test_imports" in row else []
    setup = text_of(row, "test_setup_code", "")
    number = row.get("task_id", _ABSENT)
    if number is _ABSENT:
        _missing("task_id")
    return Problem(
        benchmark=benchmark,
        task_id=str(number) if "/" in str(number) else f"Mbpp/{number}",
        prompt=docstring_prompt(task, tests),
        entry_point=entry_point_of(tests, code),
        test="\n".join(part for part in (*imports, setup, *tests) if part.strip()) + "\n",
        canonical_solution=code.rstrip("\n") + "\n" if code else "",
    )


def docstring_prompt(task: str, tests: list[str]) -> str:
    """Module docstring with the task and its tests, ending in one newline; quotes and backslashes are escaped."""
    body = "\n".join([task.strip(), *tests]).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""\n{body}\n"""\n'


def docstring_content(prompt: str) -> str:
    """What `docstring_prompt` has put into the docstring, line for line."""
    body = prompt.removeprefix('"""\n').removesuffix('\n"""\n')
    return body.replace('\\"\\"\\"', '"""').replace("\\\\", "\\")


def entry_point_of(tests: list[str], code: str = "") -> str:
    """Name of the function that the tests call; with several candidates, the one that the reference defines last.

    ValueError where the tests call nothing by name.
    """
    try:
        called = [
            node.func.id
            for test in tests
            for node in ast.walk(ast.parse(test))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
        defined = [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    except SyntaxError as error:
        raise ValueError(f"a test or the reference is not Python: {error.msg}") from error
    both = [name for name in defined if name in called]
    if both:
        return both[-1]
    if not called:
        raise ValueError("no test calls a function by name")
    return called[0]


def from_evalplus(row: Row, benchmark: str) -> Problem:
    """HumanEval+'s and MBPP+'s form (Liu et al. 2023): inputs, and a reference that says what should come out."""
    prompt, solution = text_of(row, "prompt"), text_of(row, "canonical_solution")
    entry_point, task_id = text_of(row, "entry_point"), text_of(row, "task_id")
    return Problem(
        benchmark=benchmark,
        task_id=task_id,
        prompt=prompt,
        entry_point=entry_point,
        test=plus.test_of(task_id, entry_point, prompt + solution, _inputs(row), _tolerance(row)),
        canonical_solution=solution,
    )


def _inputs(row: Row) -> list[Any]:
    """All base inputs, then all extra ones. Mbpp/793 has an empty object in place of an empty list."""
    inputs: list[Any] = []
    for key in ("base_input", "plus_input"):
        value = row.get(key)
        if not isinstance(value, list) and value not in ({}, ""):
            raise ValueError(f"key {key!r} should be a list of argument lists, got {value!r:.80}")
        inputs += value if isinstance(value, list) else []
    return inputs


def _tolerance(row: Row) -> float:
    value = row.get("atol", 0)
    if not isinstance(value, int | float):
        raise ValueError(f"key 'atol' should be a number, got {value!r:.80}")
    return float(value)


_ABSENT = object()


def _missing(key: str) -> str:
    raise ValueError(f"key {key!r} is missing")


_READERS: dict[Form, Callable[[Row, str], Problem]] = {
    "humaneval": from_humaneval,
    "mbpp": from_mbpp,
    "evalplus": from_evalplus,
}
