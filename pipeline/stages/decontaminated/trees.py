"""The AST match rate of two functions, and a set of benchmark trees that documents are held against.

phi-1 (section 5.2) takes "the (string) edit distance between the abstract syntax trees" of two snippets and calls the
fraction that matches the match rate; it publishes no code. Our definition: a function is written as the sequence of
its node types in pre-order, without docstring, annotations, decorators and expression contexts, so that names,
comments and literals do not count; the match rate is 1 - (Levenshtein distance) / (nodes of the larger function).

The paper compares exercises, which are one function each, and only pairs that are close by embedding. Documents here
are also whole modules, so function is compared with function, wherever it stands in the document, and departing from
the paper a match needs more the smaller it is:

- both functions have `MIN_NODES` or more: the rate alone. A leaked solution counts however large the module is;
- one has fewer: their normal forms (`dedup.clones`) are equal too, that is constants, attributes and built-in names;
- one has fewer than `CHANCE_NODES`, so that people write it without knowing the problem (`return a + b`): also, either
  the function's docstring says the problem's statement, or such matches are `MAIN_SHARE` of the document's functions.
"""

import ast
import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.records import Problem
from pipeline.languages.python.normal_form import tree_form
from pipeline.languages.python.shape import node_kinds
from pipeline.languages.python.source import parse_indented
from pipeline.stages.decontaminated.wording import statement, words

Array = npt.NDArray[Any]

MIN_NODES = 30
"""Nodes under which a match rate alone says nothing: about one line of body."""
CHANCE_NODES = 16
"""Nodes under which even equal programs say nothing by themselves: one expression of two or three operations, as
`return (a // b, a % b)`."""
MAIN_SHARE = 0.5
"""Share of a document's functions, in nodes, from which on the document is about them."""

_KINDS = {
    name: number
    for number, name in enumerate(
        sorted(n for n, c in vars(ast).items() if isinstance(c, type) and issubclass(c, ast.AST) and n[0] != "_")
    )
}


def node_sequence(function: ast.AST) -> Array:
    """(nodes,) int32 node types in pre-order, without docstrings, annotations, decorators and contexts."""
    return np.array([_KINDS[kind] for kind in node_kinds(function)], dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a text, or the whole of a text without one.

    sequence: (nodes,) int32 node types. line: where it begins in the text, from 1. inner: it stands inside another
    function. free: neither that, nor is it a method, and the text is code, not prose with code in it.
    """

    sequence: Array
    node: ast.stmt | ast.Module
    line: int = 1
    inner: bool = False
    free: bool = False

    @property
    def name(self) -> str:
        """The function's name, "" for a whole text."""
        return getattr(self.node, "name", "")

    def form(self) -> bytes:
        """The function's normal form (`dedup.clones`) without decorators, b"" where it has none."""
        if isinstance(self.node, ast.Module):
            return tree_form(self.node)
        bare: Any = copy.copy(self.node)
        bare.decorator_list = []
        return tree_form(ast.Module([bare], []))

    def says(self, sentence: str) -> bool:
        """Whether the docstring holds `sentence`, given as `wording.words` gives it; nothing holds an empty one."""
        if not sentence or not isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return False
        return f" {sentence} " in f" {words(ast.get_docstring(self.node) or '')} "


def functions(text: str) -> list[Function]:
    """All functions of `text`, at the top, in classes and in each other; the whole text where it is code without any.

    A text that is not Python as a whole (prose with code in fences or in a console session, a module with a broken
    line) gives those functions that parse by themselves.
    """
    tree = parse_indented(text)
    if tree is not None:
        found = list(_functions_of(tree, 1, free=True))
        return found or ([Function(node_sequence(tree), tree)] if tree.body else [])
    return [function for line, piece in _definitions(text) for function in _functions_of(piece, line, free=False)]


def _functions_of(tree: ast.Module, line: int, *, free: bool) -> Iterator[Function]:
    """The functions of `tree`, which begins at `line` of its text, in the order of the text."""
    stack: list[tuple[ast.AST, bool, bool]] = [(tree, False, free)]
    while stack:
        node, inner, outside = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Function(node_sequence(node), node, node.lineno + line - 1, inner, outside)
            inner, outside = True, False
        elif isinstance(node, ast.ClassDef):
            outside = False
        below = [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]
        stack.extend((child, inner, outside) for child in reversed(below))


_CONSOLE = re.compile(r"^([ \t]*)(?:>>>|\.\.\.)(?: |$)", re.MULTILINE)
_DEFINITION = re.compile(r"[ \t]*(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(")


def _definitions(text: str) -> Iterator[tuple[int, ast.Module]]:
    """Each function of `text` that parses by itself, with the line where it begins; of nested ones the outermost.

    A function is the lines indented deeper than its `def`, blank ones and the end of a signature between them.
    """
    lines = _CONSOLE.sub(r"\1", text.expandtabs()).splitlines()
    at = 0
    while at < len(lines):
        if not _DEFINITION.match(lines[at]):
            at += 1
            continue
        indent = _indent(lines[at])
        end = at + 1
        while end < len(lines) and (
            not lines[end].strip()
            or _indent(lines[end]) > indent
            or (_indent(lines[end]) == indent and lines[end].lstrip().startswith(")"))
        ):
            end += 1
        tree = parse_indented("\n".join(lines[at:end]))
        if tree is None:
            at += 1
            continue
        yield at + 1, tree
        at = end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


class TreeMatch(NamedTuple):
    """A problem and the function of a document that is closest to it.

    rate: AST match rate in [0, 1]. name, line: of the function, as in `Function`. why: what else had to hold, for a
    person; "" where the rate is enough.
    """

    problem: Problem
    rate: float
    name: str
    line: int
    why: str


class ProblemTrees:
    """The reference solutions of benchmark problems as trees; problems without one that parses have no tree."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._problems: list[Problem] = []
        self._forms: list[bytes] = []
        self._statements: list[str] = []
        sequences: list[Array] = []
        for problem in problems:
            function = _solution(problem)
            if function is not None and len(function.sequence):
                self._problems.append(problem)
                self._forms.append(function.form())
                self._statements.append(words(statement(problem)))
                sequences.append(function.sequence)
        self._bounds = np.zeros(len(sequences) + 1, dtype=np.int64)
        np.cumsum([len(sequence) for sequence in sequences], out=self._bounds[1:])
        self._trees = np.concatenate(sequences) if sequences else np.empty(0, dtype=np.int32)
        self._counts = np.array([_counted(s) for s in sequences], dtype=np.int32).reshape(-1, len(_KINDS))

    def __len__(self) -> int:
        return len(self._problems)

    def matches(self, text: str, least: float) -> list[TreeMatch]:
        """Problems that a function of `text` matches at a rate of `least` or more, best first; see the module."""
        return self.compared(text, least).matches(least)

    def compared(self, text: str, least: float) -> "Compared":
        """`text` held against the problems once, for questions at rates of `least` or more."""
        from pipeline.stages.decontaminated.kernels import match_rates

        pairs: list[_Pair] = []
        found = functions(text) if len(self) else []
        for function in found:
            size = len(function.sequence)
            rates = match_rates(
                function.sequence, _counted(function.sequence), self._trees, self._bounds, self._counts, least
            )
            form: bytes | None = None
            for p in map(int, np.flatnonzero(rates)):
                why, by_chance = "", False
                smaller, larger = sorted((size, int(self._bounds[p + 1] - self._bounds[p])))
                if smaller < MIN_NODES:
                    form = function.form() if form is None else form
                    if not form or form != self._forms[p]:
                        continue
                    why = f"equal programs of {size} nodes"
                    if smaller < CHANCE_NODES:
                        by_chance = not function.says(self._statements[p])
                        why += ", with the problem's words"
                pairs.append(_Pair(p, self._problems[p], function, float(rates[p]), larger, why, by_chance))
        return Compared(tuple(pairs), sum(len(f.sequence) for f in found if not f.inner))


class _Pair(NamedTuple):
    """A problem, its number, and a function that is close to it.

    larger: nodes of the larger of the two. by_chance: people write it without knowing the problem, so it counts only
    as the main matter of its text.
    """

    number: int
    problem: Problem
    function: Function
    rate: float
    larger: int
    why: str
    by_chance: bool

    def reaches(self, least: float) -> bool:
        """Whether the edit distance is one that `least` allows, as the compiled loop has it."""
        from pipeline.stages.decontaminated.kernels import most_edits

        return round((1.0 - self.rate) * self.larger) <= int(most_edits(least, self.larger))


@dataclass(frozen=True, slots=True)
class Compared:
    """The pairs of a problem and a function of one text that are close. nodes: of the text's outer functions."""

    pairs: tuple[_Pair, ...]
    nodes: int

    def benchmarks(self) -> list[str]:
        """The benchmarks of the problems in the pairs, by name."""
        return sorted({pair.problem.benchmark for pair in self.pairs})

    def matches(self, least: float, benchmark: str | None = None) -> list[TreeMatch]:
        """`ProblemTrees.matches`, of the problems of one benchmark where it is named."""
        close = [
            pair
            for pair in self.pairs
            if (benchmark is None or pair.problem.benchmark == benchmark) and pair.reaches(least)
        ]
        best: dict[int, TreeMatch] = {}
        for number, problem, function, rate, _, why, by_chance in close:
            if not by_chance and (number not in best or rate > best[number].rate):
                best[number] = TreeMatch(problem, rate, function.name, function.line, why)
        for number, match in self._main([pair for pair in close if pair.by_chance and pair.function.free]):
            best.setdefault(number, match)
        ranked = sorted(best.items(), key=lambda item: (-item[1].rate, item[0]))
        return [match for _, match in ranked]

    def _main(self, chance: Sequence[_Pair]) -> Iterator[tuple[int, TreeMatch]]:
        """Matches by `chance` that are the main matter of the text."""
        matched = {id(pair.function): len(pair.function.sequence) for pair in chance}
        share = sum(matched.values()) / self.nodes if matched else 0.0
        if share < MAIN_SHARE:
            return
        for number, problem, function, *_ in chance:
            why = f"equal programs of {len(function.sequence)} nodes, {share:.0%} >= {MAIN_SHARE:.0%} of its functions"
            yield number, TreeMatch(problem, 1.0, function.name, function.line, why)


def _counted(sequence: Array) -> Array:
    return np.bincount(sequence, minlength=len(_KINDS)).astype(np.int32)


def _solution(problem: Problem) -> Function | None:
    """The function under test in the problem's reference solution, or its largest one; None where nothing parses."""
    if not problem.canonical_solution.strip():
        return None
    text = problem.canonical_solution
    if f"def {problem.entry_point}" not in text:
        text = problem.prompt + text
    tree = parse_indented(text)
    if tree is None:
        return None
    found = list(_functions_of(tree, 1, free=True))
    outer = [function for function in found if function.name == problem.entry_point] or found
    return max(outer, key=lambda f: len(f.sequence), default=Function(node_sequence(tree), tree))
