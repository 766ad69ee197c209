"""Examples in prose: the code blocks of a Markdown passage and the `>>>` examples of a docstring."""

import ast
import doctest
import re
import warnings

from pipeline.sandbox.types import Example, Program

_FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[^\s`]*)[^\n`]*\n"
    r"(?P<body>.*?)"
    r"^[ \t]*(?P=fence)[`~]*[ \t]*$",
    re.S | re.M,
)
_PYTHON = frozenset({"python", "py", "python3", "pycon", "python-repl", "{python}"})


def python_blocks(markdown: str) -> list[str]:
    """The bodies of the blocks fenced as Python, in order, without the indent of a fence inside a list."""
    blocks = []
    for match in _FENCE.finditer(markdown):
        if match["tag"].lower() in _PYTHON:
            indent = match["indent"]
            lines = match["body"].splitlines(keepends=True)
            blocks.append("".join(line.removeprefix(indent) for line in lines))
    return blocks


def doctests(text: str) -> tuple[Example, ...]:
    """The `>>>` examples in `text`; none where doctest finds them malformed."""
    try:
        found = doctest.DocTestParser().get_examples(text)
    except ValueError:
        return ()
    return tuple(Example(example.source, example.want) for example in found)


def passage_examples(markdown: str) -> tuple[Example, ...]:
    """What a passage shows, to run in order in one namespace.

    A block that is Python runs as it stands, and then the `>>>` examples in its docstrings, with their output. A block
    that is not, and has `>>>` in it, is a session at the prompt: its examples run, with their output.
    """
    examples: list[Example] = []
    for block in python_blocks(markdown):
        tree = _tree(block)
        if tree is None and re.search(r"^\s*>>> ", block, re.M):
            examples += doctests(block)
        elif block.strip():
            examples.append(Example(block))
            for docstring in _docstrings(tree):
                examples += doctests(docstring)
    return tuple(examples)


def passage_program(id: str, markdown: str) -> Program | None:
    """One program that runs all of a passage's examples; None where it shows no Python."""
    examples = passage_examples(markdown)
    return Program(id, "", examples=examples) if examples else None


def docstring_examples(prompt: str, entry_point: str) -> tuple[Example, ...]:
    """The `>>>` examples in the docstring of `entry_point`, where `prompt` ends in its signature and docstring."""
    tree = _tree(prompt.rstrip() + "\n    pass\n")
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == entry_point:
            return doctests(ast.get_docstring(node) or "")
    return ()


def _tree(source: str) -> ast.Module | None:
    """The syntax tree, None where `source` is not Python (or too deep for the parser)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _docstrings(tree: ast.Module | None) -> list[str]:
    """Docstrings of the module, functions and classes of a tree that have one, outermost first."""
    if tree is None:
        return []
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds))
    return [docstring for docstring in found if docstring]
