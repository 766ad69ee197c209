"""The AST match rate of two functions, and a set of benchmark trees that documents are held against.

phi-1 (section 5.2) takes "the (string) edit distance between the abstract syntax trees" of two snippets and calls the
fraction that matches the match rate; it publishes no code. Our definition: a function is written as the sequence of
its node types in pre-order, without docstring, annotations, decorators and expression contexts, so that names,
comments and literals do not count; the match rate is 1 - (Levenshtein distance) / (nodes of the larger function).

Departs from phi-1: a function of fewer than `MIN_NODES` nodes matches by chance (`return a + b`), and the paper keeps
such pairs apart by embedding distance. Here a match in which either function is that small also needs equal normal
forms (`dedup.clones.normal_form`), that is equal constants, attributes and built-in names.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.dedup.clones import parse, top_level_functions, tree_form
from pipeline.records import Problem

Array = npt.NDArray[Any]

MIN_NODES = 30
"""Nodes under which a match rate alone says nothing: about one line of body."""

_KINDS = {
    name: number
    for number, name in enumerate(
        sorted(n for n, c in vars(ast).items() if isinstance(c, type) and issubclass(c, ast.AST) and n[0] != "_")
    )
}
_SKIPPED = frozenset({"ctx", "annotation", "returns", "decorator_list", "type_comment", "kind"})


def node_sequence(function: ast.AST) -> Array:
    """(nodes,) int32 node types in pre-order, without docstrings, annotations, decorators and contexts."""
    sequence: list[int] = []
    stack: list[ast.AST] = [function]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            continue
        sequence.append(_KINDS[type(node).__name__])
        children: list[ast.AST] = []
        for name in node._fields:
            if name in _SKIPPED:
                continue
            value = getattr(node, name)
            if isinstance(value, ast.AST):
                children.append(value)
            elif isinstance(value, list):
                children.extend(item for item in value if isinstance(item, ast.AST))
        stack.extend(reversed(children))
    return np.array(sequence, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a text, or the whole of a text without one. sequence: (nodes,) int32 node types."""

    sequence: Array
    node: ast.stmt | ast.Module

    def form(self) -> bytes:
        """The function's normal form (`dedup.clones`), b"" where it has none."""
        return tree_form(self.node if isinstance(self.node, ast.Module) else ast.Module([self.node], []))


def functions(text: str) -> Iterator[Function]:
    """Functions at the top of `text` or in its classes; the whole text where it defines none but is Python."""
    tree = parse(text)
    if tree is None or not tree.body:
        return
    found = list(top_level_functions(tree))
    if not found:
        yield Function(node_sequence(tree), tree)
    for function in found:
        yield Function(node_sequence(function), function)


def match_rate(a: str, b: str) -> float:
    """Largest AST match rate of a function of `a` with one of `b`, in [0, 1]; 0.0 where either has none."""
    from pipeline.decontamination.kernels import edit_distance

    rates = [
        1.0 - int(edit_distance(x.sequence, y.sequence, size)) / size
        for x in functions(a)
        for y in functions(b)
        if (size := max(len(x.sequence), len(y.sequence)))
    ]
    return max(rates, default=0.0)


class TreeMatch(NamedTuple):
    """The closest problem of a document. rate: AST match rate in [0, 1]."""

    problem: Problem
    rate: float


class ProblemTrees:
    """The reference solutions of benchmark problems as trees; problems without one that parses have no tree."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._problems: list[Problem] = []
        self._forms: list[bytes] = []
        sequences: list[Array] = []
        for problem in problems:
            function = _solution(problem)
            if function is not None and len(function.sequence):
                self._problems.append(problem)
                self._forms.append(function.form())
                sequences.append(function.sequence)
        self._bounds = np.zeros(len(sequences) + 1, dtype=np.int64)
        np.cumsum([len(sequence) for sequence in sequences], out=self._bounds[1:])
        self._trees = np.concatenate(sequences) if sequences else np.empty(0, dtype=np.int32)
        self._counts = np.array([_counted(s) for s in sequences], dtype=np.int32).reshape(-1, len(_KINDS))

    def __len__(self) -> int:
        return len(self._problems)

    def matches(self, text: str, least: float) -> list[TreeMatch]:
        """Problems that a function of `text` matches at a rate of `least` or more, best first."""
        from pipeline.decontamination.kernels import match_rates

        best: dict[int, float] = {}
        if not len(self):
            return []
        for function in functions(text):
            size = len(function.sequence)
            rates = match_rates(
                function.sequence, _counted(function.sequence), self._trees, self._bounds, self._counts, least
            )
            form: bytes | None = None
            for p in np.flatnonzero(rates):
                if min(size, int(self._bounds[p + 1] - self._bounds[p])) < MIN_NODES:
                    form = function.form() if form is None else form
                    if not form or form != self._forms[p]:
                        continue
                best[int(p)] = max(best.get(int(p), 0.0), float(rates[p]))
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))
        return [TreeMatch(self._problems[p], rate) for p, rate in ranked]


def _counted(sequence: Array) -> Array:
    return np.bincount(sequence, minlength=len(_KINDS)).astype(np.int32)


def _solution(problem: Problem) -> Function | None:
    """The function under test in the problem's reference solution, or its largest one; None where nothing parses."""
    if not problem.canonical_solution.strip():
        return None
    text = problem.canonical_solution
    if f"def {problem.entry_point}" not in text:
        text = problem.prompt + text
    tree = parse(text)
    if tree is None:
        return None
    found = list(top_level_functions(tree))
    named = [function for function in found if function.name == problem.entry_point]
    chosen = named[-1] if named else max(found, key=lambda f: len(node_sequence(f)), default=None)
    if chosen is None:
        return Function(node_sequence(tree), tree)
    return Function(node_sequence(chosen), chosen)
