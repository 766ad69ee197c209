"""A module's source cut at its top-level statements, with what each one binds and uses.

Cutting is by whole lines and nothing is re-printed, so what is kept is exactly what was written. Statements that share
a line (`a = 1; b = 2`) stay together in one unit.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from textwrap import dedent

from pipeline.core.syntax import parse

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def parse_indented(source: str) -> ast.Module | None:
    """As `parse` (pipeline.core.syntax), also where all lines of `source` are indented alike."""
    tree = parse(source)
    return parse(dedent(source)) if tree is None and source[:1] in (" ", "\t", "\n") else tree


def only_statement(source: str) -> ast.stmt | None:
    """The statement of a source that has one and no other; None for any other source."""
    tree = parse(source)
    return tree.body[0] if tree is not None and len(tree.body) == 1 else None


def function_named(tree: ast.Module | None, name: str) -> FunctionNode | None:
    """The last function of that name at the top of a module, which is the one that a caller meets; None without one."""
    found = [node for node in (tree.body if tree else ()) if isinstance(node, FunctionNode) and node.name == name]
    return found[-1] if found else None


def first_line(node: ast.stmt) -> int:
    """Line on which a statement starts, its decorators included, counted from 1."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def last_line(node: ast.stmt) -> int:
    """Line on which a statement ends, counted from 1."""
    return node.end_lineno or node.lineno


@dataclass(frozen=True, slots=True)
class Unit:
    """Top-level statements that occupy whole lines of their own.

    lead: blank and comment lines since the unit before. code: the statements' own lines. Each line ends in a newline.
    """

    nodes: tuple[ast.stmt, ...]
    lead: str
    code: str

    @property
    def text(self) -> str:
        return self.lead + self.code

    @property
    def is_import(self) -> bool:
        return all(isinstance(node, ast.Import | ast.ImportFrom) for node in self.nodes)

    @property
    def is_definition(self) -> bool:
        return all(isinstance(node, FunctionNode | ast.ClassDef) for node in self.nodes)

    def binds(self) -> set[str]:
        """Names that the unit binds in the module; "*" for a star import."""
        return set().union(*(_bound(node) for node in self.nodes))


def units(source: str, tree: ast.Module) -> list[Unit]:
    """The top-level statements of `source`, in order. Comments after the last one are left out."""
    lines = source.split("\n")
    groups: list[list[ast.stmt]] = []
    for node in tree.body:
        if groups and first_line(node) <= last_line(groups[-1][-1]):
            groups[-1].append(node)
        else:
            groups.append([node])
    found = []
    end = 0
    for at, group in enumerate(groups):
        start, stop = first_line(group[0]) - 1, last_line(group[-1])
        limit = first_line(groups[at + 1][0]) - 1 if at + 1 < len(groups) else len(lines)
        if lines[start][:1] not in (" ", "\t"):
            stop = _with_trailing_comments(lines, stop, limit)
        found.append(Unit(tuple(group), _joined(lines[end:start]), _joined(lines[start:stop])))
        end = stop
    return found


def _with_trailing_comments(lines: list[str], stop: int, limit: int) -> int:
    """`stop` moved past comments that directly follow and are indented: they belong to the block that they are in."""
    while stop < limit and lines[stop][:1] in (" ", "\t") and lines[stop].lstrip().startswith("#"):
        stop += 1
    return stop


def _joined(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, FunctionNode | ast.ClassDef):
        return {node.name}
    bound: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            bound.add(inner.id)
        elif isinstance(inner, FunctionNode | ast.ClassDef):
            bound.add(inner.name)
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name.partition(".")[0] for alias in inner.names}
    return bound


def names_in(nodes: Iterable[ast.AST]) -> set[str]:
    """All names that occur in `nodes`, also in annotations that are written as strings."""
    found: set[str] = set()
    for node in nodes:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name):
                found.add(inner.id)
            elif isinstance(inner, ast.arg) and isinstance(inner.annotation, ast.Constant):
                found |= _names_in_text(inner.annotation.value)
            elif isinstance(inner, FunctionNode) and isinstance(inner.returns, ast.Constant):
                found |= _names_in_text(inner.returns.value)
    return found


def _names_in_text(annotation: object) -> set[str]:
    tree = parse(annotation) if isinstance(annotation, str) else None
    return names_in(tree.body) if tree else set()
