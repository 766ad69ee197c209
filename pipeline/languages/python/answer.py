"""Where the code of an answer is, and which function of it is meant.

The code is in fenced blocks; weak models often leave the fence out, so an answer without a Python block is read from
its first line of code to its first line of prose.
"""

import ast
import re
from dataclasses import dataclass
from textwrap import dedent

from pipeline.core.syntax import parse
from pipeline.languages.fences import Block, code_blocks, open_string, opening_fence
from pipeline.languages.normalise import normalised
from pipeline.languages.python.functions import docstring_of
from pipeline.languages.python.source import FunctionNode, Unit, names_in, units

_CODE_STARTS = re.compile(r"(async )?def \w|class \w|@\w|import \w|from [\w.]+ import ")
_CODE_GOES_ON = re.compile(
    r"[\s#@)\]}]|(async )?def \w|class \w|import \w|from [\w.]+ import |assert\b|if __name__|\w+ = "
)

MOST_CUT_LINES = 40
"""Lines of an answer that was cut which its last, incomplete statement may have: a literal over many lines, a test's
whole function."""


@dataclass(frozen=True, slots=True)
class Code:
    """One piece of code of an answer. units: None where it is no Python; closed: False for an unclosed fence."""

    text: str
    units: list[Unit] | None
    closed: bool = True

    def functions(self) -> list[FunctionNode]:
        """Top-level functions, in order."""
        nodes = [node for unit in self.units or [] for node in unit.nodes]
        return [node for node in nodes if isinstance(node, FunctionNode)]


def code_of(text: str) -> list[Code]:
    """The pieces of Python code of a normalised answer, in order: its Python blocks, or its unfenced code."""
    unfenced, rest = _unfenced(text)
    pieces = [_code(block.code, block.closed) for block in code_blocks(rest) if block.is_python]
    return [_code(unfenced, True), *pieces] if unfenced else pieces


def _code(text: str, closed: bool) -> Code:
    for candidate in (text, dedent(text), _without_sessions(text)):
        tree = parse(candidate)
        if tree is not None:
            return Code(candidate, units(candidate, tree), closed)
    return Code(text, None, closed)


def _without_sessions(text: str) -> str:
    """Code without the sessions that models show under it: from a line that begins with a prompt to a blank one."""
    kept: list[str] = []
    quotes, shown = "", False
    for line in text.split("\n"):
        shown = not quotes and (line.startswith(">>>") or (shown and bool(line.strip())))
        if not shown:
            kept.append(line)
            quotes = open_string(line, quotes)
    return "\n".join(kept)


def _unfenced(text: str) -> tuple[str, str]:
    """Code that stands before any fence, and the text after it; "" and the whole text where a fence comes first.

    Where the code ends at a fence without a tag, that is the closing fence of a block whose opening one is missing.
    """
    lines = text.split("\n")
    start = None
    quotes = ""
    for at, line in enumerate(lines):
        fence = None if quotes else opening_fence(line)
        if start is None:
            if fence:
                return "", text
            if _CODE_STARTS.match(line):
                start = at
            else:
                continue
        if fence:
            rest = lines[at + 1 :] if not fence.tag else lines[at:]
            return _code_lines(lines[start:at]), "\n".join(rest)
        if not quotes and line and not _CODE_GOES_ON.match(line):
            return _code_lines(lines[start:at]), "\n".join(lines[at:])
        quotes = open_string(line, quotes)
    return ("", text) if start is None else (_code_lines(lines[start:]), "")


def _code_lines(lines: list[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


def chosen_function(pieces: list[Code], wanted: str) -> tuple[int, FunctionNode] | None:
    """The piece and the function that answer the request, or None where no piece defines a function.

    In order of preference: the first function called `wanted` that does something; the last one with a docstring, of
    the first piece that has one; the first function of all.
    """
    found = [(place, node) for place, piece in enumerate(pieces) for node in piece.functions()]
    named = [choice for choice in found if choice[1].name == wanted]
    # Chat models like to repeat the signature with an empty body before they fill it.
    named = [choice for choice in named if not is_stub(choice[1])] or named
    if named:
        # A name defined twice in one piece means the last definition, as it does to Python.
        return [choice for choice in named if choice[0] == named[0][0]][-1]
    documented = [choice for choice in found if docstring_of(choice[1])]
    if documented:
        return [choice for choice in documented if choice[0] == documented[0][0]][-1]
    return found[0] if found else None


def has_python(blocks: list[Block]) -> bool:
    """Whether any block is Python, or may be."""
    return any(block.is_python for block in blocks)


def is_stub(node: FunctionNode) -> bool:
    """Whether a function's body does nothing: a docstring, `pass`, `...` or `raise NotImplementedError`."""
    body = node.body[1:] if docstring_of(node) else node.body
    for statement in body:
        if isinstance(statement, ast.Pass):
            continue
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        if isinstance(statement, ast.Raise) and statement.exc and "NotImplementedError" in ast.dump(statement.exc):
            continue
        return False
    return True


def whole_part(text: str, wanted: str) -> str:
    """What is whole of an answer that was cut: the asked function and those of its tests that came; "" where none is.

    wanted: as in `chosen_function`. The last line goes, and as many before it as keep the last block from being Python.
    A function is known to be whole where code after it at the top level names it; else the cut may lie within it.
    """
    body = normalised(text)
    whole = body.rpartition("\n")[0] + "\n"
    blocks = code_blocks(body)
    if blocks and not blocks[-1].closed:
        code, line = blocks[-1].code.rstrip("\n"), body.split("\n")[blocks[-1].line - 1]
        fence = opening_fence(line)
        if fence is None or not body.rstrip("\n").endswith(code):
            return ""
        head = body.rstrip("\n").removesuffix(code)
        whole = head + _beginning(code) + fence.character * fence.length + "\n"
    pieces = code_of(whole)
    choice = chosen_function(pieces, wanted)
    if choice is None:
        return ""
    place, function = choice
    nodes = [(at, node) for at, piece in enumerate(pieces) for unit in piece.units or [] for node in unit.nodes]
    after = [node for at, node in nodes if (at, node.lineno) > (place, function.lineno)]
    return whole if function.name in names_in(after) else ""


def _beginning(code: str) -> str:
    """The longest beginning of whole lines, without the last one, that is Python; "" where too many would go."""
    lines = code.split("\n")[:-1]
    for stop in range(len(lines), max(0, len(lines) - MOST_CUT_LINES), -1):
        beginning = "\n".join([*lines[:stop], ""])
        if parse(beginning) is not None:
            return beginning
    return ""
