"""Rows of published benchmark files as `Problem`s: HumanEval's, MBPP's and evalplus' forms, told apart by their keys.

A row that lacks a key or has a value of the wrong type raises ValueError; `problems` adds the file and the line.
"""

import ast
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pipeline.benchmarks import plus
from pipeline.core.records import Problem
from pipeline.core.syntax import tree_of

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


def id_of(row: Row) -> str:
    """The task's id as text: of a whole number its digits, 0 among them. ValueError where it is missing or no id."""
    if "task_id" not in row:
        raise ValueError("key 'task_id' is missing")
    value = row["task_id"]
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise ValueError(f"key 'task_id' should be text or a whole number, got {value!r:.80}")
    return str(value)


def name_of(row: Row) -> str:
    """The function under test. ValueError for what is no name: no program could define it, and all would be wrong."""
    value = text_of(row, "entry_point")
    if not value.isidentifier():
        raise ValueError(f"key 'entry_point' should be the name of a function, got {value!r:.80}")
    return value


def from_humaneval(row: Row, benchmark: str) -> Problem:
    """HumanEval's form (Chen et al. 2021). `group` and `prelude` are Hornbook's own optional keys.

    ValueError for a blank test: every program that loads would pass it.
    """
    test = text_of(row, "test")
    if not test.strip():
        raise ValueError(f"key 'test' should be a check of the function, got {test!r:.80}")
    return Problem(
        benchmark=benchmark,
        task_id=id_of(row),
        prompt=text_of(row, "prompt"),
        entry_point=name_of(row),
        test=test,
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
    number = id_of(row)
    return Problem(
        benchmark=benchmark,
        task_id=number if "/" in number else f"Mbpp/{number}",
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
            for node in ast.walk(tree_of(test))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]
        defined = [node.name for node in tree_of(code).body if isinstance(node, ast.FunctionDef)]
    except SyntaxError as error:
        raise ValueError(f"a test or the reference is not Python: {error.msg}") from error
    except UnicodeEncodeError as error:
        raise ValueError(f"a test or the reference is not Python: {error}") from error
    except (RecursionError, MemoryError) as error:  # the parser's own word for too deep, before Python 3.14
        raise ValueError("a test or the reference is nested too deeply to be parsed") from error
    both = [name for name in defined if name in called]
    if both:
        return both[-1]
    if not called:
        raise ValueError("no test calls a function by name")
    return called[0]


def from_evalplus(row: Row, benchmark: str) -> Problem:
    """HumanEval+'s and MBPP+'s form (Liu et al. 2023): inputs, and a reference that says what should come out."""
    prompt, solution = text_of(row, "prompt"), text_of(row, "canonical_solution")
    entry_point, task_id = name_of(row), id_of(row)
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
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= sys.float_info.max:
        raise ValueError(f"key 'atol' should be a number from 0 up, got {value!r:.80}")
    return float(value)


_READERS: dict[Form, Callable[[Row, str], Problem]] = {
    "humaneval": from_humaneval,
    "mbpp": from_mbpp,
    "evalplus": from_evalplus,
}
