"""The `>>>` examples of a docstring, as doctest reads them: found at any indentation, each with its own options."""

import ast
import doctest
import re

from pipeline.core.syntax import parse
from pipeline.sandbox.types import Example

_PROMPT = re.compile(r"^[ \t]*>>>", re.M)


def doctests(text: str) -> tuple[Example, ...]:
    """The `>>>` examples in `text`, in order, without those marked `# doctest: +SKIP`.

    Where doctest finds one malformed (no blank after `>>>`, output indented less than its prompt, an option that does
    not exist), that one is left out and the others stay. A fence around examples is no output of the last one.
    """
    text = _unfenced(text)
    try:
        found = doctest.DocTestParser().get_examples(text)
    except ValueError:
        found = [example for piece in _pieces(text) for example in _well_formed(piece)]
    return tuple(
        Example(example.source, example.want, _options(example))
        for example in found
        if not example.options.get(doctest.SKIP)
    )


def _unfenced(text: str) -> str:
    """`text` with a blank line for each fence, so that a closing one is not read as output. An example may print one:
    what opens a fence stands outside of examples."""
    lines: list[str] = []
    is_open = in_example = False
    for line in text.split("\n"):
        words = line.strip()
        if words.startswith(("```", "~~~")) and (is_open or not in_example):
            is_open, in_example, line = not is_open, False, ""
        elif words.startswith(">>>"):
            in_example = True
        elif not words:
            in_example = False
        lines.append(line)
    return "\n".join(lines)


def _pieces(text: str) -> list[str]:
    """`text` cut before each prompt: an example reaches at most to the next one."""
    starts = [match.start() for match in _PROMPT.finditer(text)]
    return [text[start:stop] for start, stop in zip(starts, [*starts[1:], len(text)], strict=True)]


def _well_formed(piece: str) -> list[doctest.Example]:
    try:
        return doctest.DocTestParser().get_examples(piece)
    except ValueError:
        return []


def _options(example: doctest.Example) -> tuple[str, ...]:
    """An example's options as doctest spells them, without those that say nothing about its outcome."""
    names = {flag: name for name, flag in doctest.OPTIONFLAGS_BY_NAME.items()}
    return tuple(f"{'+' if on else '-'}{names[flag]}" for flag, on in example.options.items() if flag != doctest.SKIP)


def docstring_examples(source: str, entry_point: str) -> tuple[Example, ...]:
    """The `>>>` examples in the docstrings of `entry_point` and of what is defined in it, outermost first.

    source: the whole program. Of several definitions the last counts, as it does to Python. Empty where `source` does
    not parse.
    """
    tree = parse(source)
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    named = [node for node in ast.walk(tree) if isinstance(node, kinds) and node.name == entry_point] if tree else []
    if not named:
        return ()
    outer = [node for node in named if tree is not None and node in tree.body]
    return tuple(example for docstring in docstrings_of((outer or named)[-1]) for example in doctests(docstring))


def docstrings_of(tree: ast.AST) -> list[str]:
    """Docstrings of a tree's module, functions and classes that have one, outermost first, as they are written."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    found = (ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, kinds))
    return [docstring for docstring in found if docstring]
