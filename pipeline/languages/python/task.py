"""The solution of a task whose prompt and tests the pipeline owns: the body that an answer gives, and what it needs."""

import ast
from textwrap import dedent, indent

from pipeline.core.records import Task
from pipeline.core.syntax import parse, source_of
from pipeline.languages.python.answer import Code, chosen_function, is_stub
from pipeline.languages.python.assembly import Module, Placed, free_names, quoted_annotations
from pipeline.languages.python.exercise import Reject, find, nothing_found, split_unit
from pipeline.languages.python.functions import SplitFunction, reindented
from pipeline.languages.python.source import FunctionNode, Unit, names_in

_INDENT = "    "


def body_for(task: Task, pieces: list[Code]) -> str:
    """The body that an answer gives for a task's function, indented as the task's docstring is, and what it needs.

    An import that the body alone needs goes into it. All else follows it in the module: helpers, the imports that they
    need, and the answer's own decorators, applied to the function. Raises Reject where there is no such body.
    """
    base = _task_indent(task)
    choice = chosen_function(pieces, task.entry_point)
    if choice is None or choice[1].name != task.entry_point:
        body = bare_body(task.prompt, task.entry_point, pieces, base)
        if body is not None:
            return body
        if choice is None:
            raise nothing_found(pieces)
        raise Reject("no-signature", f"the answer defines {choice[1].name}, not {task.entry_point}")
    node, module = find(pieces, task.entry_point)
    given = _given(task)
    _check_parameters(node, given)
    assert module.function is not None
    split = split_unit(module.function.unit)
    inner, rest = _needs(node, module, split, task, given)
    solution = "".join(indent(p.unit.code, base) for p in inner) + reindented(split.solution, base) + rest
    if parse(task.prompt + solution) is None:
        raise Reject("unparsable", f"the body of {task.entry_point} does not follow the task's signature")
    return solution.rstrip() + "\n"


def _needs(
    node: FunctionNode, module: Module, split: SplitFunction, task: Task, given: list[ast.stmt]
) -> tuple[list[Placed], str]:
    """The imports that go into the body, and the text that follows it."""
    decorators = _own_decorators(node, given)
    by_decorators = names_in(decorators)
    context = module.needed(_names_of_body(node, split) | by_decorators)
    already = set().union(*(_imported(statement) for statement in given))
    context = [p for p in context if not (p.unit.is_import and p.unit.binds() <= already)]
    helpers = [p for p in context if not p.unit.is_import or "*" in p.unit.binds()]
    shared = by_decorators.union(*(free_names(p.unit) for p in helpers))
    imports = [p for p in context if p not in helpers]
    outer = [p for p in imports if p.unit.binds() & shared]
    quote = quoted_annotations if module.annotations_wait else str
    parts = ["".join(p.unit.code for p in outer), *(quote(p.unit.code) for p in helpers)]
    parts += [f"{node.name} = {source_of(decorator)}({node.name})\n" for decorator in reversed(decorators)]
    return [p for p in imports if p not in outer], "".join("\n\n" + part for part in parts if part)


def _names_of_body(node: FunctionNode, split: SplitFunction) -> set[str]:
    """Names that the body takes from the module. The signature is the task's."""
    source = f"def body({', '.join(parameters(node))}):\n{split.solution}"
    tree = parse(source)
    if tree is None or isinstance(node, ast.AsyncFunctionDef):
        return names_in(node.body)
    return free_names(Unit(tuple(tree.body), "", source)) - {node.name}


def _own_decorators(node: FunctionNode, given: list[ast.stmt]) -> list[ast.expr]:
    """The decorators of the answer that the task's function does not have, in order."""
    theirs = {ast.dump(d) for other in given if _is(other, node.name) for d in getattr(other, "decorator_list", [])}
    return [decorator for decorator in node.decorator_list if ast.dump(decorator) not in theirs]


def _is(node: ast.stmt, name: str) -> bool:
    return isinstance(node, FunctionNode) and node.name == name


def _imported(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return set()


def _given(task: Task) -> list[ast.stmt]:
    """The statements of the task's prompt, its function closed by a `pass`."""
    tree = parse(task.prompt + _task_indent(task) + "pass\n")
    return tree.body if tree else []


def _task_indent(task: Task) -> str:
    """White space before the docstring's line of a task's function."""
    tree = parse(task.prompt + _INDENT + "pass\n") or parse(task.prompt)
    for node in tree.body if tree else []:
        if isinstance(node, FunctionNode) and node.name == task.entry_point:
            line = task.prompt.split("\n")[node.body[0].lineno - 1]
            return line[: len(line) - len(line.lstrip())] or _INDENT
    return _INDENT


def _check_parameters(node: FunctionNode, given: list[ast.stmt]) -> None:
    """The body would use names that the task's signature does not give: that is another function."""
    for statement in given:
        if isinstance(statement, FunctionNode) and statement.name == node.name:
            wanted, found = parameters(statement), parameters(node)
            if wanted != found:
                raise Reject("no-signature", f"parameters ({', '.join(found)}), wanted ({', '.join(wanted)})")


def parameters(node: FunctionNode) -> list[str]:
    """Names of all parameters, in order, those with stars last."""
    arguments = node.args
    stars = [arg for arg in (arguments.vararg, arguments.kwarg) if arg]
    return [arg.arg for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars)]


def bare_body(prompt: str, entry_point: str, pieces: list[Code], base: str = _INDENT) -> str | None:
    """The body of an answer that has left the signature out, indented by `base`, or None.

    Only code that returns or yields something is taken for a body: a call of the function is an example, not an answer.
    """
    for piece in pieces:
        for body in (piece.text.rstrip(), indent(dedent(piece.text), base).rstrip()):
            tree = parse(prompt + body + "\n")
            last = tree.body[-1] if tree and tree.body else None
            if not isinstance(last, FunctionNode) or last.name != entry_point or is_stub(last):
                continue
            if gives_a_result(last):
                return body.lstrip("\n") + "\n"
    return None


def gives_a_result(node: ast.stmt) -> bool:
    """Whether the function itself, not one inside it, returns or yields something."""
    waiting: list[ast.AST] = list(node.body) if isinstance(node, FunctionNode) else []
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, ast.Return | ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(inner, FunctionNode | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(inner))
    return False
