"""Parsing: a teacher's answer becomes a passage or an exercise, or is dropped with the reason.

`Parse` is the stage. `code_blocks` finds the fenced code of any Markdown; `split_function` cuts a function into what a
student is shown and what it has to write.
"""

from pipeline.parsing.fences import Block, code_blocks
from pipeline.parsing.functions import SplitFunction, split_function
from pipeline.parsing.normalise import normalised
from pipeline.parsing.parse import Parse

__all__ = ["Block", "Parse", "SplitFunction", "code_blocks", "normalised", "split_function"]
