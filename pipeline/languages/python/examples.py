"""Examples in prose: the code blocks of a Markdown passage, with the `>>>` examples in their docstrings."""

from textwrap import dedent

from pipeline.core.syntax import parse
from pipeline.languages.fences import code_blocks, runnable
from pipeline.sandbox.docstrings import docstrings_of, doctests
from pipeline.sandbox.types import Example, Program


def passage_examples(markdown: str) -> tuple[Example, ...]:
    """What a passage shows, to run in order in one namespace.

    A block that is Python runs as it stands, and then the `>>>` examples in its docstrings, with their output. Of a
    session at the prompt the examples run, with their output.
    """
    examples: list[Example] = []
    for block, language in runnable(code_blocks(markdown)):
        if language == "session":
            examples += doctests(block.code)
        elif block.code.strip():
            code = block.code if parse(block.code) else dedent(block.code)
            tree = parse(code)
            examples.append(Example(code))
            for docstring in docstrings_of(tree) if tree is not None else ():
                examples += doctests(docstring)
    return tuple(examples)


def passage_program(id: str, markdown: str) -> Program | None:
    """One program that runs all of a passage's examples; None where it shows no Python."""
    examples = passage_examples(markdown)
    return Program(id, "", examples=examples) if examples else None
