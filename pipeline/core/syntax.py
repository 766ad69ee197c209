"""Python source as a syntax tree, in whichever thread.

One thread at a time: CPython counts how deep trees are nested in one place for all threads, and raises SystemError
where two count at once; and which warnings are shown is the process's, too.
"""

import ast
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NO_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
"""What is raised where a source is no Python, or is nested too deeply for the parser."""

_LOCK = threading.RLock()
# A process that is forked while another thread parses would wait for that thread, which it does not have.
os.register_at_fork(before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release)


def tree_of(source: str) -> ast.Module:
    """The module's tree. Raises one of NO_PYTHON; emits no warning, of invalid escapes in other people's strings."""
    with _alone():
        return ast.parse(source)


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


@contextmanager
def _alone() -> Iterator[None]:
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
