"""Examples in prose: the code blocks of a Markdown passage, with the `>>>` examples in their docstrings."""

import re

from pipeline.sandbox.docstrings import docstrings_of, doctests, tree_of
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


def passage_examples(markdown: str) -> tuple[Example, ...]:
    """What a passage shows, to run in order in one namespace.

    A block that is Python runs as it stands, and then the `>>>` examples in its docstrings, with their output. A block
    that is not, and has `>>>` in it, is a session at the prompt: its examples run, with their output.
    """
    examples: list[Example] = []
    for block in python_blocks(markdown):
        tree = tree_of(block)
        if tree is None and re.search(r"^\s*>>> ", block, re.M):
            examples += doctests(block)
        elif block.strip():
            examples.append(Example(block))
            for docstring in docstrings_of(tree) if tree is not None else ():
                examples += doctests(docstring)
    return tuple(examples)


def passage_program(id: str, markdown: str) -> Program | None:
    """One program that runs all of a passage's examples; None where it shows no Python."""
    examples = passage_examples(markdown)
    return Program(id, "", examples=examples) if examples else None
