"""A teacher with no model in it: it answers by composing verified program fragments and prose about them.

`fragments.py` says what a family is; the modules named after areas (numbers, strings, lists, ...) hold the families;
`steps.py` chains steps into functions of two and three steps; `phrasing.py` and `docstring.py` word an exercise;
`exercise.py` writes it and computes its tests by running it; `passages.py` writes textbook passages.
"""

from pipeline.teacher.composer.composer import Composer, tasks

__all__ = ["Composer", "tasks"]
