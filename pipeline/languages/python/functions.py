"""A function's source cut into what a student is shown and what it has to write.

The prompt is everything up to the end of the docstring, the solution the lines after it, as they were written. The
law is that both together parse to the same tree as the source, whatever the layout: decorators, signatures over many
lines, tabs, a body on the `def` line, statements after the docstring on its own line.
"""

import ast
import re
from dataclasses import dataclass

from pipeline.core.syntax import parse
from pipeline.languages.python.source import FunctionNode, first_line

_SPACES = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True)
class SplitFunction:
    """prompt: decorators, signature, docstring. solution: the body. Both end in one newline; solution is "" for none.

    Without a docstring the prompt ends after the signature's colon.
    """

    prompt: str
    solution: str


def docstring_of(node: FunctionNode) -> ast.Expr | None:
    """The docstring's statement, or None."""
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first
    return None


def split_function(source: str) -> SplitFunction | None:
    """Cut `source`, which holds one top-level function and perhaps comments around it.

    None where it holds anything else, where lines end in carriage returns (`languages/normalise.py` has none), or where
    no cut gives back the same tree (a backslash joins the docstring's line with the next one).
    """
    tree = None if "\r" in source else parse(source)
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], FunctionNode):
        return None
    node = tree.body[0]
    lines = source.rstrip().split("\n")
    docstring = docstring_of(node)
    if docstring:
        cut_line, cut_byte = docstring.end_lineno or docstring.lineno, docstring.end_col_offset or 0
    else:
        cut_line, cut_byte = _end_of_signature(lines, node)
    cut = _bytes(lines[cut_line - 1])
    head, tail = _text(cut[:cut_byte]), _text(cut[cut_byte:])
    rest = lines[cut_line:]
    indent = _body_indent(lines, node)
    if not tail.strip() or tail.strip().startswith("#"):
        head += tail.rstrip()
    elif tail.strip() != ";":
        rest = [indent + tail.strip().removeprefix(";").lstrip(), *rest]
    if docstring and _on_signature_line(lines, node):
        prompt = _broken_before_docstring(lines, docstring, head, indent)
    else:
        prompt = "\n".join([*lines[: cut_line - 1], head]) + "\n"
    body = "\n".join(rest).rstrip()
    split = SplitFunction(prompt, body + "\n" if body.strip() else "")
    again = parse(split.prompt + split.solution)
    return split if again is not None and ast.dump(again) == ast.dump(tree) else None


def _bytes(line: str) -> bytes:
    """A line as ast counts its columns."""
    return line.encode("utf-8", "surrogatepass")


def _text(line: bytes) -> str:
    return line.decode("utf-8", "surrogatepass")


def _on_signature_line(lines: list[str], node: FunctionNode) -> bool:
    """Whether the body starts on the line on which the signature ends."""
    first = node.body[0]
    before = _bytes(lines[first_line(first) - 1])[: first.col_offset]
    return bool(before.strip())


def _body_indent(lines: list[str], node: FunctionNode) -> str:
    """The white space before the body's lines; four spaces where the body is on the signature's line."""
    if _on_signature_line(lines, node):
        return "    "
    found = _SPACES.match(lines[first_line(node.body[0]) - 1])
    return found.group() if found else "    "


def _end_of_signature(lines: list[str], node: FunctionNode) -> tuple[int, int]:
    """Line and byte just after the colon that ends the signature: the last one before the body that is no comment's."""
    first = node.body[0]
    if _on_signature_line(lines, node):
        line = first_line(first)
        before = _bytes(lines[line - 1])[: first.col_offset]
        return line, before.rindex(b":") + 1
    # The result, an argument or a default ends last in the signature; the first colon after it is the one.
    line, column = node.lineno, node.col_offset
    arguments = node.args
    ends: list[ast.expr | ast.arg | None] = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
        *arguments.defaults,
        *arguments.kw_defaults,
        node.returns,
    ]
    for end in ends:
        if end is not None:
            line, column = max((line, column), (end.end_lineno or line, end.end_col_offset or column))
    while True:
        text = _bytes(lines[line - 1])
        comment = text.find(b"#", column)
        colon = text.find(b":", column, comment if comment >= 0 else len(text))
        if colon >= 0:
            return line, colon + 1
        line, column = line + 1, 0


def _broken_before_docstring(lines: list[str], docstring: ast.Expr, head: str, indent: str) -> str:
    """The prompt of `def f(x): "doc"; return x`, with the docstring on a line of its own.

    head: the docstring's last line up to where the prompt ends.
    """
    line = docstring.lineno
    text = _bytes(lines[line - 1])
    signature = _text(text[: docstring.col_offset]).rstrip()
    if docstring.end_lineno == line:
        opening = [indent + _text(_bytes(head)[docstring.col_offset :])]
    else:
        last = (docstring.end_lineno or line) - 1
        opening = [indent + _text(text[docstring.col_offset :]), *lines[line:last], head]
    return "\n".join([*lines[: line - 1], signature, *opening]) + "\n"


def reindented(body: str, indent: str) -> str:
    """`body`, the indented statements of a function, with `indent` as the indent of its first statement.

    Lines inside a string keep theirs; tabs become four spaces each. Returns `body` where it is no function's body.
    """
    tree = parse("def body():\n" + body)
    if tree is None or not isinstance(tree.body[0], FunctionNode):
        return body
    lines = body.split("\n")
    found = _SPACES.match(lines[first_line(tree.body[0].body[0]) - 2])
    old = found.group() if found else ""
    inside: set[int] = set()
    for inner in ast.walk(tree):
        if isinstance(inner, ast.Constant | ast.JoinedStr) and (inner.end_lineno or 0) > inner.lineno:
            inside.update(range(inner.lineno - 1, (inner.end_lineno or 0) - 1))
    result = []
    for number, line in enumerate(lines):
        if number not in inside and line.startswith(old) and line.strip():
            code = line.lstrip(" \t")
            deeper = line[len(old) : len(line) - len(code)]
            line = indent + deeper.replace("\t", "    ") + code
        result.append(line)
    return "\n".join(result)
