"""The grade in a judge's answer: the one reader of them, whatever the judge was asked about."""

import re
from typing import NamedTuple

from pipeline.languages.normalise import normalised

READING = 1
"""Raised when the same answer would give another grade: what was made of grades is then made again."""

HIGHEST = 10
"""Best grade of every scale here."""

# A minus sign before the number makes it no grade; a dash that stands apart, as in "Grade - 7", is punctuation.
_LINE = re.compile(
    r"^(?:[^\w\n]|_)*+(?:grade|score)[\W_]*?(?<![-\u2212])(\d+(?:\.\d+)?)[ \t*_`]*+"
    r"(?:(?:/|out[ \t]+of)[ \t]*10)?(?:[^\w\n]|_)*+$",
    re.IGNORECASE | re.MULTILINE,
)


class Graded(NamedTuple):
    """grade: in [0, HIGHEST], None where none could be read. verdict: the answer's words before it, all without one."""

    grade: float | None
    verdict: str


def read_grade(answer: str) -> Graded:
    """The last line of a judge's answer that states a grade: `Grade: 7`, `# Score: 6`, `**Grade: 7/10**`, `Grade 7`.

    What stands in its reasoning is no grade. One out of range is None, and none is guessed from other numbers of the
    text, nor from an earlier line where the last is of no use.
    """
    text = normalised(answer)
    found = list(_LINE.finditer(text))
    if not found:
        return Graded(None, text.strip())
    value = float(found[-1].group(1))
    return Graded(value if value <= HIGHEST else None, text[: found[-1].start()].strip())
