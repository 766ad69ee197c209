"""An exercise that brings its own tests: its function cut out of the answer, with what it and the tests need."""

import ast
from collections.abc import Iterable

from pipeline.core.syntax import parse, tree_of
from pipeline.languages.python.answer import Code, chosen_function, is_stub
from pipeline.languages.python.assembly import Module, Placed, free_names, joined
from pipeline.languages.python.attached import attached_tests
from pipeline.languages.python.functions import SplitFunction, docstring_of, split_function
from pipeline.languages.python.source import FunctionNode, Unit, names_in

_FUTURE = "from __future__ import annotations\n"


class Reject(Exception):
    """This completion is dropped."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail


def find(pieces: list[Code], wanted: str) -> tuple[FunctionNode, Module]:
    """The function that answers the request, and the answer as a module seen from it. Raises Reject for none."""
    choice = chosen_function(pieces, wanted)
    if choice is None:
        raise nothing_found(pieces)
    node = choice[1]
    if is_stub(node):
        raise Reject("no-code", f"the body of {node.name} does nothing")
    return node, Module(pieces, node.name, node)


def nothing_found(pieces: list[Code]) -> Reject:
    """Why no piece defines a function."""
    for number, piece in enumerate(pieces, start=1):
        if piece.units is None and "def " in piece.text:
            return Reject("unparsable", f"block {number} of {len(pieces)}: {_syntax_error(piece.text)}")
    if all(piece.units is None for piece in pieces):
        return Reject("unparsable", f"block 1 of {len(pieces)}: {_syntax_error(pieces[0].text)}")
    classes = [n.name for p in pieces for unit in p.units or [] for n in unit.nodes if isinstance(n, ast.ClassDef)]
    inside = f"; class {', '.join(classes)}" if classes else ""
    return Reject("no-signature", f"no top-level function in {len(pieces)} blocks{inside}")


def _syntax_error(source: str) -> str:
    try:
        tree_of(source)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except Exception as error:
        return type(error).__name__
    return "no Python"


def split_unit(unit: Unit) -> SplitFunction:
    """The function of a unit in two parts. Raises Reject where its lines do not allow it."""
    split = split_function(unit.code)
    if split is None:
        raise Reject("unparsable", "signature and body cannot be told apart by lines")
    return split


def cut(node: FunctionNode, module: Module) -> tuple[str, str, str]:
    """Prompt, solution and test of an exercise that brings its own tests.

    What the function needs stands before or after it as it did in the answer; what it needs to be defined at all
    (decorators, defaults, annotations) stands before it.
    """
    function = module.function
    assert function is not None
    if docstring_of(node) is None:
        raise Reject("no-signature", f"{node.name} has no docstring")
    split = split_unit(function.unit)
    needed = module.needed(free_names(function.unit))
    early = {p.place for p in module.needed(names_in(_evaluated(node)), effects=False)} if needed else set()
    before = [p for p in needed if p.place < function.place or p.place in early]
    after = [p for p in needed if p not in before]
    prompt = joined([*before, function]).removesuffix(function.unit.code) + split.prompt
    if module.annotations_wait and _annotated([node, *_nodes(needed)]):
        prompt = _FUTURE + ("" if prompt.startswith(("import", "from")) else "\n\n") + prompt
    whole = joined([function, *after])
    solution = split.solution + whole[whole.index(function.unit.code) + len(function.unit.code) :]
    if parse(prompt + solution) is None:
        raise Reject("unparsable", f"{node.name} makes no module with what it needs of the answer")
    return prompt, solution.rstrip() + "\n", _test_of(module, {p.place for p in needed})


def _test_of(module: Module, taken: set[int]) -> str:
    """The tests that follow the function, or else those that stand before it, with what they need of the rest."""
    place = module.function.place if module.function else -1
    rest = [p for p in module.units if p.place not in taken | {place}]
    for tests in ([p for p in rest if p.place > place], [p for p in rest if p.place < place]):
        test = attached_tests([p.unit for p in tests], module.entry_point)
        if test:
            context = module.needed(names_in(_nodes(tests)), taken | {p.place for p in tests})
            return joined(context) + test
    return ""


def _nodes(placed: Iterable[Placed]) -> list[ast.stmt]:
    return [node for p in placed for node in p.unit.nodes]


def _evaluated(node: FunctionNode) -> list[ast.expr]:
    """What is evaluated where the function is defined: decorators, defaults and annotations."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    annotations = [argument.annotation for argument in every if argument]
    found = [*node.decorator_list, *arguments.defaults, *arguments.kw_defaults, *annotations, node.returns]
    return [expression for expression in found if expression]


def _annotated(nodes: Iterable[ast.AST]) -> bool:
    """Whether anything in the nodes has an annotation."""
    inside = (inner for node in nodes for inner in ast.walk(node))
    return any(getattr(inner, "annotation", None) or getattr(inner, "returns", None) for inner in inside)
