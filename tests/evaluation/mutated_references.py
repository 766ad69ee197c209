"""Samples of mixed quality made from reference solutions: what a model of some skill might answer."""

import ast
import random
from collections.abc import Iterator

from pipeline.core.records import Problem

_COMPARISONS = [ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq]
_ARITHMETIC = [ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod]


def mutated(problem: Problem, count: int, seed: int) -> Iterator[str]:
    """`count` completions of `problem`: its reference, then reference with one to three changes, then broken text."""
    draw = random.Random(f"{seed} {problem.task_id}")
    reference = problem.canonical_solution
    texts = [_by_text(reference, draw, kind) for kind in _TEXT_CHANGES]
    yield reference
    made = 1
    for text in draw.sample(texts, k=min(len(texts), max(0, count // 3))):
        yield text
        made += 1
    while made < count:
        yield _by_tree(problem, draw, changes=draw.choice([1, 1, 2, 3])) or reference
        made += 1


def _by_tree(problem: Problem, draw: random.Random, changes: int) -> str:
    """The reference's body after `changes` changes to its tree, or "" where it cannot be changed."""
    tree = ast.parse(problem.prompt + problem.canonical_solution)
    function = next(
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == problem.entry_point
    )
    for _ in range(changes):
        nodes = [node for node in ast.walk(function) if _changeable(node)]
        if not nodes:
            return ""
        _change(draw.choice(nodes), draw)
    ast.fix_missing_locations(tree)
    if f"def {problem.entry_point}" not in problem.prompt:
        return (
            "\n".join(map(ast.unparse, tree.body[1:])) + "\n"
        )  # a benchmark whose prompt is a docstring: the answer is all the code
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    lines = [line for node in body for line in ast.unparse(node).split("\n")]
    return "".join(f"    {line}\n" for line in lines) or "    pass\n"


def _changeable(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int) and abs(node.value) < 10_000
    return isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp | ast.Return | ast.If | ast.IfExp | ast.Call)


def _change(node: ast.AST, draw: random.Random) -> None:
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, int)
        node.value = (not node.value) if isinstance(node.value, bool) else node.value + draw.choice([-1, 1])
    elif isinstance(node, ast.Compare):
        node.ops[0] = draw.choice(_COMPARISONS)()
    elif isinstance(node, ast.BinOp):
        node.op = draw.choice(_ARITHMETIC)()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.Return):
        wrappers = [ast.Constant(None), ast.List([node.value or ast.Constant(0)], ast.Load())]
        node.value = draw.choice(wrappers)
    elif isinstance(node, ast.If | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Call) and node.args:
        draw.shuffle(node.args)


_TEXT_CHANGES = (
    "cut",
    "dedent",
    "empty",
    "none",
    "print",
    "raise",
    "after",
    "recurse",
    "chatter",
    "tabs",
    "exit",
    "no-newline",
    "guard",
    "loop",
)


def _by_text(reference: str, draw: random.Random, kind: str) -> str:
    lines = reference.rstrip("\n").split("\n")
    if kind == "cut":
        return "\n".join(lines[: draw.randrange(len(lines))]) + "\n" + lines[-1][: len(lines[-1]) // 2]
    if kind == "dedent":
        return "\n".join(line[2:] if line.startswith("    ") else line for line in lines) + "\n"
    if kind == "after":
        return reference + "\n\ndef unused(x):\n    return x\n\nprint(unused(3))\n"
    if kind == "chatter":
        return reference + "\n```\nThis function works as follows.\n"
    if kind == "tabs":
        return reference.replace("    ", "\t")
    if kind == "no-newline":
        return reference.rstrip("\n")
    if kind == "guard":
        return (
            reference
            + '\nif __name__ == "__main__":\n    import doctest\n    doctest.testmod()\n    raise SystemExit(1)\n'
        )
    return {
        "empty": "",
        "none": "    return None\n",
        "print": "    print('working')\n" + reference.lstrip("\n"),
        "raise": "    raise NotImplementedError('later')\n",
        "recurse": "    def again():\n        return again()\n    return again()\n",
        "exit": "    import sys\n    sys.exit(0)\n",
        "loop": "    while True:\n        pass\n" if draw.random() < 0.1 else "    return\n",
    }[kind]
