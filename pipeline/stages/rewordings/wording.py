"""An exercise in other words: its code without the docstring, and the task that another docstring makes of it."""

import ast
import re
import textwrap

from pipeline.core.errors import RecipeError
from pipeline.core.records import Exercise, Task
from pipeline.core.syntax import literal_of, parse, rows_of
from pipeline.domains.domain import TEMPLATES, Domain
from pipeline.languages.fences import code_blocks
from pipeline.languages.python.functions import docstring_of
from pipeline.languages.python.said import examples_in, lines_of

MOST_CHARACTERS = 1500
"""Longest docstring that is taken; a longer one is no docstring."""
_WIDTH = 76
"""Characters of a docstring's line, its indent apart."""
_OPENING = re.compile(r"(?:This function|The function(?: `\w+`)?|The `\w+` function) (?=[a-z]+s\b)")
_ITEM = re.compile(r"\s*(?:[-*] |\d+\. )?")


def lacking(domain: Domain) -> RecipeError | None:
    """What the domain lacks that rewording needs, docstrings to take out and templates to ask by; None for nothing."""
    if domain.language != "python":
        return RecipeError(
            f"domain '{domain.name}' is of language '{domain.language}': only docstrings of Python are said anew",
            hint="set rewordings.per_exercise = 0",
        )
    for name in ("reword", "complete"):
        if name not in domain.templates:
            return RecipeError(f"domain '{domain.name}' has no template '{name}'", hint=f"write {TEMPLATES[name]}")
    return None


def check_rewords(domain: Domain) -> None:
    """Raises RecipeError where the domain cannot reword."""
    found = lacking(domain)
    if found is not None:
        raise found


def without_docstring(exercise: Exercise) -> str:
    """The exercise's code without its docstring; "" where it has none, or its code cannot be cut."""
    lines = rows_of(exercise.text)
    found = _docstring(exercise.text, exercise.entry_point)
    if found is None:
        return ""
    first, last = found
    code = "".join([*lines[: first - 1], *lines[last:]])
    return code if parse(code) is not None else ""


def task_of(exercise: Exercise, answer: str) -> Task | None:
    """The exercise's signature with the docstring that an answer gives, and its own tests; None where the answer gives
    none that is new and can be written as one."""
    words = docstring_in(answer)
    text = exercise.prompt + "    pass\n" if parse(exercise.prompt) is None else exercise.prompt
    found = _docstring(text, exercise.entry_point)
    if not words or found is None:
        return None
    prompt, before = _replaced(text, found, words), _said(text, found)
    if parse(prompt) is None or _plain(words) in (_plain(before), _plain(before.partition(">>>")[0])):
        return None
    return Task(entry_point=exercise.entry_point, prompt=prompt, test=exercise.test)


def shown_in(exercise: Exercise) -> str:
    """The `>>>` examples of the exercise's docstring with what they show, and nothing else of it; "" where they cannot
    be written without an escape."""
    lines = lines_of(exercise.prompt, exercise.entry_point)
    text = textwrap.dedent("\n".join(line for one in examples_in(lines) for line in lines[one.start : one.end]))
    return "" if "\\" in text or '"""' in text else text


def laid_out(task: Task, examples: str = "") -> str:
    """The prompt of `task_of` with its docstring as people write one: it begins with what the function does, and long
    lines are broken, those of examples apart; `examples` stand below, where it shows none of its own."""
    found = _docstring(task.prompt, task.entry_point)
    assert found is not None
    indent = _indent(rows_of(task.prompt)[found[0] - 1])
    words = "\n".join(line.removeprefix(indent) for line in _said(task.prompt, found).rstrip().splitlines())
    opening = _OPENING.match(words)
    if opening:
        words = words[opening.end()].upper() + words[opening.end() + 1 :]
    words = "\n".join(line for text in words.splitlines() for line in _broken(text))
    below = f"\n\n{examples}" if examples and ">>>" not in words else ""
    return _replaced(task.prompt, found, words + below)


def _broken(line: str) -> list[str]:
    item = _ITEM.match(line)
    if item is None or line.lstrip().startswith((">>>", "...")) or len(line) <= _WIDTH:
        return [line]
    hanging = " " * item.end()
    return textwrap.wrap(line, _WIDTH, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)


def docstring_in(answer: str) -> str:
    """The docstring in an answer: that of a function in it, else the text of its only block, else all of it; "" for
    what can be no docstring."""
    blocks = code_blocks(answer)
    text = blocks[0].code if len(blocks) == 1 else answer if not blocks else ""
    tree = parse(text)
    functions = [node for node in (tree.body if tree else []) if isinstance(node, ast.FunctionDef)]
    if functions:
        text = ast.get_docstring(functions[0]) or ""
    text = text.strip().strip("\"'").strip()
    unfit = '"""' in text or "\\" in text or "def " in text or len(text) > MOST_CHARACTERS
    return "" if unfit or text.endswith('"') else text


def _said(source: str, found: tuple[int, int]) -> str:
    first, last = found
    return str(literal_of("".join(rows_of(source)[first - 1 : last]).strip()))


def _replaced(source: str, found: tuple[int, int], words: str) -> str:
    """The source up to its docstring, and another in its place."""
    first, _ = found
    lines = rows_of(source)
    indent = _indent(lines[first - 1])
    said = "\n".join(f"{indent}{line}".rstrip() for line in words.splitlines()).lstrip()
    docstring = f'{indent}"""{said}\n{indent}"""\n' if "\n" in words else f'{indent}"""{said}"""\n'
    return "".join([*lines[: first - 1], docstring])


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _docstring(source: str, name: str) -> tuple[int, int] | None:
    """First and last line, from 1, of a function's docstring that has its lines to itself."""
    tree = parse(source)
    for node in tree.body if tree else []:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            found = docstring_of(node)
            if found is None or found.end_lineno is None:
                return None
            lines = rows_of(source)
            before = lines[found.lineno - 1][: found.col_offset]
            after = lines[found.end_lineno - 1].encode()[found.end_col_offset :]
            return None if before.strip() or after.strip() else (found.lineno, found.end_lineno)
    return None


def _plain(text: object) -> str:
    return " ".join(str(text).lower().split())
