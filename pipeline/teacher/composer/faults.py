"""What can be wrong with an answer, each fault under the reason for which its answer is dropped."""

import ast
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from pipeline.core.records import Problem
from pipeline.core.syntax import tree_of
from pipeline.teacher.composer.writing import Piece

_SAID = "An exercise of the composer, which does not read what it is asked."


@dataclass(frozen=True, slots=True)
class Composed:
    """An answer. finish: as a server tells it; "failed" for an answer that never came."""

    text: str
    finish: str = "stop"


class Given(NamedTuple):
    """What a fault is made from. piece: the exercise to spoil. before: one that is answered well. problem: to leak."""

    random: Random
    piece: Piece
    before: Piece
    problem: Problem


def markdown(piece: Piece, test: str | None = None) -> str:
    """The exercise as an answer: the function in one fence, its asserts in a second one."""
    return _answer(piece.prompt + piece.body, piece.test if test is None else test).text


def _answer(function: str, asserts: str) -> Composed:
    return Composed(f"{_SAID}\n\n```python\n{function}```\n\nTests:\n\n```python\n{asserts}```\n")


def spoiled(fault: str, random: Random, piece: Piece, before: Piece, problem: Problem) -> Composed:
    """An answer that has `fault`, one of `FAULTS`."""
    return FAULTS[fault](Given(random, piece, before, problem))


def _said(piece: Piece, docstring: str) -> Piece:
    """The exercise with another docstring."""
    return replace(piece, prompt=f'{piece.prompt.splitlines()[0]}\n    """{docstring}"""\n')


def _doing(given: Given, body: str) -> Composed:
    """The exercise with another solution, and without examples that it would fail."""
    return Composed(markdown(replace(_said(given.piece, given.piece.ask), body=body)))


def _truncated(given: Given) -> Composed:
    text = markdown(given.piece)
    return Composed(text[: len(text) // 2], "length")


def _unclosed(given: Given) -> Composed:
    return Composed(markdown(given.piece).rstrip().removesuffix("```"))


def _no_signature(given: Given) -> Composed:
    bare = replace(given.piece, prompt=given.piece.prompt.splitlines()[0] + "\n")
    return Composed(markdown(bare))


def _unparsable(given: Given) -> Composed:
    return Composed(markdown(replace(given.piece, prompt=given.piece.prompt.replace(":\n", "\n", 1))))


def _test_failed(given: Given) -> Composed:
    call, result = given.piece.cases[-1]
    return Composed(markdown(given.piece, f"{given.piece.test}assert {call} == [{result}]\n"))


def _near_duplicate(given: Given) -> Composed:
    return Composed(markdown(replace(given.before, body=f"{given.before.body.rstrip()}  # as the docstring says\n")))


def _clone(given: Given) -> Composed:
    """The same program under other names, told in another way."""
    piece = given.before
    name = f"solve_case_{given.random.randrange(1000)}"
    asserts = re.sub(rf"\b{piece.entry_point}\(", f"{name}(", piece.test)
    return _answer(_renamed(piece.prompt + piece.body, name), asserts)


def _renamed(source: str, name: str) -> str:
    """The function of `source` under that name, with other names for what is its own, and another docstring."""
    tree = tree_of(source)
    own = [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]
    own += [n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    names = {old: f"part_{place}" for place, old in enumerate(dict.fromkeys(own))} | {function.name: name}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.arg = names[node.arg]
        elif isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    function.name = name
    function.body[0] = ast.Expr(ast.Constant("What is wanted has many names; the tests show it by examples."))
    return ast.unparse(tree) + "\n"


def _too_short(given: Given) -> Composed:
    name = f"f{given.random.randrange(1000)}"
    return _answer(f'def {name}(x):\n    "Id."\n    return x\n', f"assert {name}(3) == 3\n")


def _repeated(given: Given) -> Composed:
    """Idle lines before the solution, the same four again and again."""
    idle = "    step = 0\n    step += 1\n    step += 2\n    step += 3\n" * 20
    return _doing(given, idle + given.piece.body)


def _low_value(given: Given) -> Composed:
    rule = "    # " + "-+=" * 28 + "\n"
    return _doing(given, rule * 20 + given.piece.body)


def _secret(given: Given) -> Composed:
    """A key of the form of Amazon's, which opens nothing."""
    key = "AKIA" + "".join(given.random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))
    return _doing(given, f'    key = "{key}"\n{given.piece.body}')


def _leaked_problem(given: Given) -> Composed:
    """The benchmark's problem with its solution as they are."""
    problem = given.problem
    return _answer(problem.prompt + problem.canonical_solution, _asserts(problem, problem.entry_point))


def _leaked_solution(given: Given) -> Composed:
    """The solution of the benchmark's problem, under other names and told in another way."""
    name = f"solve_case_{given.random.randrange(1000)}"
    source = _renamed(given.problem.prompt + given.problem.canonical_solution, name)
    return _answer(source, _asserts(given.problem, name))


def _asserts(problem: Problem, name: str) -> str:
    """The problem's test as plain asserts on the function `name`."""
    return textwrap.dedent(problem.test.split("\n", 1)[1]).replace("assert candidate(", f"assert {name}(")


FAULTS: dict[str, Callable[[Given], Composed]] = {
    "refused": lambda given: Composed("", "content_filter"),
    "truncated": _truncated,
    "failed": lambda given: Composed("", "failed"),
    "no-code": lambda given: Composed(f"{_SAID} This one is left out.\n"),
    "unclosed-fence": _unclosed,
    "no-signature": _no_signature,
    "unparsable": _unparsable,
    "test-failed": _test_failed,
    "no-test": lambda given: Composed(markdown(given.piece, f"{given.piece.cases[0].call}\n")),
    "timeout": lambda given: _doing(given, "    while True:\n        pass\n"),
    "crash": lambda given: _doing(given, "    import os\n    os._exit(0)\n"),
    "uncomparable": lambda given: _doing(given, "    from statistics import NormalDist\n    return NormalDist(0)\n"),
    "exact-duplicate": lambda given: Composed(markdown(given.before)),
    "near-duplicate": _near_duplicate,
    "clone": _clone,
    "too-short": _too_short,
    "repeated": _repeated,
    "low-value": _low_value,
    "secret": _secret,
    "ngram-overlap": _leaked_problem,
    "tree-overlap": _leaked_solution,
}
"""By reason. "timeout" takes the time that `validated.cpu_seconds` allows."""
