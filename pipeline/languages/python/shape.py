"""What a piece of Python is made of: the types of its nodes."""

import ast
from collections.abc import Iterator

_SKIPPED = frozenset({"ctx", "annotation", "returns", "decorator_list", "type_comment", "kind"})


def node_kinds(tree: ast.AST) -> Iterator[str]:
    """Names of node types in pre-order, without docstrings, annotations, decorators and contexts."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            continue
        yield type(node).__name__
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
