"""The stage `documents`: a completion becomes a passage or an exercise, or is dropped.

    no-code         no Python block, or a function whose body does nothing
    unclosed-fence  a fenced block that does not end: the answer was cut, whatever its finish reason says
    no-signature    code without a function that can be asked for: none at all, one inside a class, one without a
                    docstring (an exercise *is* its docstring; none is made up from the prose around it), or one whose
                    parameters are not those of the task
    unparsable      what should be the function is no Python 3.11

A textbook answer is kept as it is. An exercise is cut by `split_function`: its prompt holds the imports, helpers and
constants that the function needs and that stood before it; helpers that stood after it follow the body. Where the
seed carries a task, prompt and tests are the task's, and only the body is taken from the answer, with what it needs
of the answer's imports (inside the function) and helpers (after it).
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import dedent, indent
from typing import ClassVar, NamedTuple

from pipeline.parsing.answer import Code, chosen_function, code_of, has_python, is_stub
from pipeline.parsing.attached import attached_tests
from pipeline.parsing.fences import code_blocks
from pipeline.parsing.functions import SplitFunction, docstring_of, reindented, split_function
from pipeline.parsing.normalise import read_answer
from pipeline.parsing.source import FunctionNode, Unit, names_in, needed, parse
from pipeline.records import Completion, Exercise, Passage, Task
from pipeline.stage import Dropped, Kept

_INDENT = "    "
_ENDS_THINKING = "; the answer ends inside its reasoning"


class _Reject(Exception):
    """This completion is dropped."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail


class _Found(NamedTuple):
    """The function that was asked for: its node, its unit, the units before and after it in its own piece of code."""

    node: FunctionNode
    unit: Unit
    before: list[Unit]
    after: list[Unit]
    later: list[Unit]
    """Units of the pieces of code that follow."""


@dataclass(frozen=True, slots=True)
class Parse:
    """Completion -> Passage or Exercise, by the kind of its seed."""

    name: ClassVar[str] = "documents"
    version: ClassVar[int] = 2
    reasons: ClassVar[frozenset[str]] = frozenset({"no-code", "unclosed-fence", "no-signature", "unparsable"})

    def __call__(self, records: Iterable[Completion]) -> Iterator[Kept[Passage] | Kept[Exercise] | Dropped]:
        for completion in records:
            try:
                if completion.seed.kind == "textbook":
                    yield Kept(_passage(completion))
                else:
                    yield Kept(_exercise(completion))
            except _Reject as verdict:
                yield Dropped(completion, verdict.reason, verdict.detail)
            except RecursionError:
                yield Dropped(completion, "unparsable", "expressions nested too deeply to compare")


def _passage(completion: Completion) -> Passage:
    text, unfinished = read_answer(completion.text)
    blocks = code_blocks(text)
    for block in blocks:
        if not block.closed:
            raise _Reject("unclosed-fence", f"the fence opened on line {block.line} is not closed")
    if not has_python(blocks):
        tags = ", ".join(sorted({block.tag for block in blocks}))
        found = f"0 Python blocks of {len(blocks)} ({tags})" if blocks else "0 fenced blocks"
        raise _Reject("no-code", found + _ENDS_THINKING * unfinished)
    return Passage(
        text=text.strip() + "\n",
        topic=completion.seed.topic,
        audience=completion.seed.audience,
        teacher=completion.teacher,
        completion_id=completion.id,
    )


def _exercise(completion: Completion) -> Exercise:
    task = completion.seed.task
    text, unfinished = read_answer(completion.text)
    pieces = code_of(text)
    if not pieces:
        nothing = "0 Python blocks and no line that starts a definition"
        raise _Reject("no-code", nothing + _ENDS_THINKING * unfinished)
    if not all(piece.closed for piece in pieces):
        raise _Reject(
            "unclosed-fence", f"block {1 + [p.closed for p in pieces].index(False)} of {len(pieces)} is not closed"
        )
    if task is not None:
        prompt, solution, test = task.prompt, _body_for(task, pieces), task.test
        entry_point = task.entry_point
    else:
        found = _find(pieces, completion.seed.function_name)
        prompt, solution, test = _cut(found)
        entry_point = found.node.name
    return Exercise(
        prompt=prompt,
        solution=solution,
        entry_point=entry_point,
        test=test,
        test_owner="teacher" if task is None else "seed",
        topic=completion.seed.topic,
        audience=completion.seed.audience,
        teacher=completion.teacher,
        completion_id=completion.id,
    )


def _find(pieces: list[Code], wanted: str) -> _Found:
    choice = chosen_function(pieces, wanted)
    if choice is None:
        raise _nothing_found(pieces)
    place, node = choice
    if is_stub(node):
        raise _Reject("no-code", f"the body of {node.name} does nothing")
    units = pieces[place].units or []
    at = next(n for n, unit in enumerate(units) if node in unit.nodes)
    later = [unit for piece in pieces[place + 1 :] for unit in piece.units or []]
    return _Found(node, units[at], units[:at], units[at + 1 :], later)


def _nothing_found(pieces: list[Code]) -> _Reject:
    for number, piece in enumerate(pieces, start=1):
        if piece.units is None and "def " in piece.text:
            return _Reject("unparsable", f"block {number} of {len(pieces)}: {_syntax_error(piece.text)}")
    if all(piece.units is None for piece in pieces):
        return _Reject("unparsable", f"block 1 of {len(pieces)}: {_syntax_error(pieces[0].text)}")
    classes = [n.name for p in pieces for unit in p.units or [] for n in unit.nodes if isinstance(n, ast.ClassDef)]
    inside = f"; class {', '.join(classes)}" if classes else ""
    return _Reject("no-signature", f"no top-level function in {len(pieces)} blocks{inside}")


def _syntax_error(source: str) -> str:
    try:
        compile(source, "answer", "exec", ast.PyCF_ONLY_AST)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except Exception as error:
        return type(error).__name__
    return "no Python"


def _split(unit: Unit, lead: str) -> SplitFunction:
    split = split_function(lead + unit.code)
    if split is None:
        raise _Reject("unparsable", "signature and body cannot be told apart by lines")
    return split


def _cut(found: _Found) -> tuple[str, str, str]:
    """Prompt, solution and test of an exercise that brings its own tests."""
    if docstring_of(found.node) is None:
        raise _Reject("no-signature", f"{found.node.name} has no docstring")
    split = _split(found.unit, found.unit.lead)
    wanted = names_in([found.node]) - {found.node.name}
    before = _context(wanted, [unit for unit in found.before if not _defines(unit, found.node.name)])
    wanted |= set().union(*(unit.uses() for unit in before))
    helpers = needed(
        wanted, [u for u in found.after if (u.is_definition or u.is_import) and not _defines(u, found.node.name)]
    )
    helpers = [unit for unit in helpers if "*" not in unit.binds()]
    prompt = "".join(unit.text for unit in before) + split.prompt
    solution = split.solution + "".join(unit.text for unit in helpers)
    taken = {id(unit) for unit in (*before, *helpers)}
    remaining = [unit for unit in found.after if id(unit) not in taken] + found.later
    test = attached_tests(remaining, found.node.name)
    wanted_by_test = names_in(node for unit in remaining for node in unit.nodes) if test else set()
    unused = [unit for unit in found.before if id(unit) not in taken and not _defines(unit, found.node.name)]
    test_context = needed(wanted_by_test, [unit for unit in unused if unit.is_import or unit.is_definition])
    test = "".join(unit.text for unit in test_context).lstrip("\n") + test
    return prompt.lstrip("\n"), solution.rstrip() + "\n", test


def _context(wanted: set[str], candidates: list[Unit]) -> list[Unit]:
    """The imports, definitions and assignments that give the wanted names their values."""
    kinds = ast.Import | ast.ImportFrom | FunctionNode | ast.ClassDef | ast.Assign | ast.AnnAssign | ast.Try | ast.If
    return needed(wanted, [unit for unit in candidates if all(isinstance(node, kinds) for node in unit.nodes)])


def _defines(unit: Unit, name: str) -> bool:
    return unit.is_definition and name in unit.binds()


def _body_for(task: Task, pieces: list[Code]) -> str:
    """The body that an answer gives for a task's function, indented as the task's docstring is."""
    base = _task_indent(task)
    choice = chosen_function(pieces, task.entry_point)
    if choice is None or choice[1].name != task.entry_point:
        body = _bare_body(task, pieces, base)
        if body is not None:
            return body
        if choice is None:
            raise _nothing_found(pieces)
        raise _Reject("no-signature", f"the answer defines {choice[1].name}, not {task.entry_point}")
    found = _find(pieces, task.entry_point)
    _check_parameters(found.node, task)
    split = _split(found.unit, "")
    wanted = names_in([found.node])
    around = [unit for unit in (*found.before, *found.after) if not _defines(unit, task.entry_point)]
    context = _context(wanted - {task.entry_point}, around)
    imports = [unit for unit in context if unit.is_import and "*" not in unit.binds() and not _is_future(unit)]
    helpers = [unit for unit in context if not unit.is_import or "*" in unit.binds()]
    given = parse(task.prompt + base + "pass\n")
    already = set().union(*(_imported(node) for node in given.body)) if given else set()
    inner = "".join(indent(unit.code, base) for unit in imports if not unit.binds() <= already)
    body = reindented(split.solution, base)
    solution = inner + body + "".join("\n\n" + unit.code for unit in helpers)
    if parse(task.prompt + solution) is None:
        raise _Reject("unparsable", f"the body of {task.entry_point} does not follow the task's signature")
    return solution.rstrip() + "\n"


def _imported(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return set()


def _is_future(unit: Unit) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in unit.nodes)


def _task_indent(task: Task) -> str:
    """White space before the docstring's line of a task's function."""
    tree = parse(task.prompt + _INDENT + "pass\n") or parse(task.prompt)
    for node in tree.body if tree else []:
        if isinstance(node, FunctionNode) and node.name == task.entry_point:
            line = task.prompt.split("\n")[node.body[0].lineno - 1]
            return line[: len(line) - len(line.lstrip())] or _INDENT
    return _INDENT


def _check_parameters(node: FunctionNode, task: Task) -> None:
    """The body would use names that the task's signature does not give: that is another function."""
    tree = parse(task.prompt + _task_indent(task) + "pass\n")
    for given in tree.body if tree else []:
        if isinstance(given, FunctionNode) and given.name == task.entry_point:
            wanted, found = _parameters(given), _parameters(node)
            if wanted != found:
                raise _Reject("no-signature", f"parameters ({', '.join(found)}), wanted ({', '.join(wanted)})")


def _parameters(node: FunctionNode) -> list[str]:
    arguments = node.args
    stars = [arg for arg in (arguments.vararg, arguments.kwarg) if arg]
    return [arg.arg for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars)]


def _bare_body(task: Task, pieces: list[Code], base: str) -> str | None:
    """The body of an answer that has left the signature out, or None.

    Only code that returns or yields something is taken for a body: a call of the function is an example, not an answer.
    """
    for piece in pieces:
        body = indent(dedent(piece.text), base).rstrip()
        tree = parse(task.prompt + body + "\n")
        last = tree.body[-1] if tree and tree.body else None
        if not isinstance(last, FunctionNode) or last.name != task.entry_point or is_stub(last):
            continue
        if _gives_a_result(last):
            return body.lstrip("\n") + "\n"
    return None


def _gives_a_result(node: FunctionNode) -> bool:
    """Whether the function itself, not one inside it, returns or yields something."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, ast.Return | ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(inner, FunctionNode | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(inner))
    return False
