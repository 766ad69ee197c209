"""Python source as a syntax tree, in whichever thread.

One thread at a time: CPython counts how deep trees are nested in one place for all threads, and raises SystemError
where two count at once; and which warnings are shown is the process's, too.
"""

import ast
import copy
import io
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeGuard

NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
"""What is raised where a source is no Python, or is nested too deeply for the parser."""

_LOCK = threading.RLock()
# A process that is forked while another thread parses would wait for that thread, which it does not have.
os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


def tree_of(source: str) -> ast.Module:
    """The module's tree. Raises one of NO_PYTHON; emits no warning, of invalid escapes in other people's strings.

    A number of more digits than Python writes (4,300) is no Python, in whatever base: nothing could show it.
    """
    with _alone():
        tree = ast.parse(source)
    if _LONG.search(source) and any(isinstance(node, ast.Constant) and _is_long(node.value) for node in ast.walk(tree)):
        raise SyntaxError("a number of more than 10,000 bits")
    return tree


def parse(source: str) -> ast.Module | None:
    """As `tree_of`; None where `source` is no Python 3.11 for whatever reason."""
    try:
        return tree_of(source)
    except NO_PYTHON:
        return None


def expression_of(source: str) -> ast.Expression:
    """As `tree_of`, of one expression."""
    with _alone():
        return ast.parse(source, mode="eval")


def literal_of(source: str) -> Any:
    """The value of a literal. Raises one of NO_PYTHON, or TypeError for what cannot be put into a set or dict."""
    with _alone():
        return ast.literal_eval(source)


MOST_BITS = 10_000
"""Of a number that Python writes in decimal whatever its limit is set to (4,300 digits are 14,280 bits)."""

_LONG = re.compile(r"0[xob][0-9a-f_]{2500}", re.IGNORECASE)

DEEPEST = 200
"""Nesting of a program that is written anew: some four calls a level, of the thousand that Python's own stack has."""


def rows_of(source: str) -> list[str]:
    """The lines of a source as Python counts them, with their ends: not broken at form feeds and the like, where
    `str.splitlines` breaks them."""
    return list(io.StringIO(source, newline=""))


def source_of(node: ast.AST) -> str:
    """The node as Python, also where `ast.unparse` has no text for it: for a character that is not printed, a soft
    hyphen, in an expression of an f-string, and for a number of more digits than Python writes. Raises RecursionError
    where it is nested too deeply."""
    try:
        return ast.unparse(node)
    except ValueError:
        return ast.unparse(ast.fix_missing_locations(_Plain().visit(copy.deepcopy(node))))


def written(node: ast.AST) -> str:
    """As `source_of`, "" where it is nested too deeply."""
    try:
        return source_of(node)
    except RecursionError:
        return ""


def nesting(node: ast.AST) -> int:
    """How deep the nodes below `node` go: 1 for one without any."""
    deepest, waiting = 0, [(node, 1)]
    while waiting:
        one, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(inner, depth + 1) for inner in ast.iter_child_nodes(one)]
    return deepest


def _is_long(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and value.bit_length() > MOST_BITS


class _Plain(ast.NodeTransformer):
    """Writes f-strings as calls of `format`, "a{!r:>{}}".format(x, width), and long numbers in hexadecimal."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return ast.Name(hex(node.value), ast.Load()) if _is_long(node.value) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        arguments: list[ast.expr] = []
        text = self._template(node, arguments)
        return ast.Call(ast.Attribute(ast.Constant(text), "format", ast.Load()), arguments, [])

    def _template(self, node: ast.JoinedStr, arguments: list[ast.expr]) -> str:
        text = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value).replace("{", "{{").replace("}", "}}")
            elif isinstance(part, ast.FormattedValue):
                arguments.append(self.visit(part.value))
                said = f"!{chr(part.conversion)}" if part.conversion > 0 else ""
                spec = part.format_spec
                said += ":" + self._template(spec, arguments) if isinstance(spec, ast.JoinedStr) else ""
                text += "{" + said + "}"
        return text


@contextmanager
def _alone() -> Iterator[None]:
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
