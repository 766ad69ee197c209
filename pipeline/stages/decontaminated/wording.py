"""The words of benchmark problems: what counts as a word, what a problem asks for, which words say something."""

import ast

from pipeline.core.records import Problem
from pipeline.core.words import says_alone, split
from pipeline.languages.python.normal_form import top_level_functions
from pipeline.languages.python.source import parse_indented

_EMPTY_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand
false none true and as assert async await break class continue def del elif else except finally for from global if
import in is lambda nonlocal not or pass raise return try while with yield
abs all any bool bytes chr dict divmod enumerate filter float frozenset hash int isinstance iter len list map max
min next object ord pow print property range repr reversed round self set slice sorted str sum super tuple type zip
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
"""Number words, Python's keywords, and its everyday built-in names, as one list for every version of Python."""


def words(text: str) -> str:
    """The words of `text`, case folded, with one space between."""
    return " ".join(split(text, fold=True))


def says_something(word: str) -> bool:
    """Whether a word is more than a number, a letter of a word, or a name that the language itself gives."""
    return (len(word) > 1 or says_alone(word)) and not word.isdigit() and word not in _EMPTY


def statement(problem: Problem) -> str:
    """The problem in words: the docstring of the function asked for, without examples; the prompt where it has none."""
    tree = parse_indented(problem.prompt) or parse_indented(problem.prompt.rstrip() + "\n    pass\n")
    if tree is None:
        return problem.prompt
    documented = [ast.get_docstring(f) or "" for f in top_level_functions(tree)]
    text = documented[-1] if documented else ast.get_docstring(tree) or ""
    return text.split(">>>")[0]
