"""Solutions in a language other than Python, held against those of a benchmark, by what that language makes of them.

As with Python's trees a match needs more the smaller it is: from `MIN_NODES` parts on the rate of the shapes alone,
below that equal normal forms, and below `CHANCE_NODES`, where people write the same without knowing of each other, the
problem's words, which are the n-grams' matter.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.core.records import Problem
from pipeline.languages.base import match_rate
from pipeline.languages.finding import named
from pipeline.stages.decontaminated.trees import CHANCE_NODES, MIN_NODES, TreeMatch


class _Form(NamedTuple):
    problem: Problem
    shape: tuple[str, ...]
    counts: Counter[str]
    form: bytes


class ProblemForms:
    """The reference solutions of problems of one language; problems of another one have none."""

    def __init__(self, problems: Sequence[Problem], language: str) -> None:
        self._language = language
        found = named(language)
        self._forms = []
        for problem in problems:
            shape = found.shape(problem.canonical_solution) if problem.domain else ()
            if shape:
                form = found.normal_form(problem.canonical_solution)
                self._forms.append(_Form(problem, shape, Counter(shape), form))

    def compared(self, text: str, least: float) -> "ComparedForms":
        """A solution held against the problems once, for questions at rates of `least` or more."""
        language = named(self._language)
        shape = language.shape(text) if self._forms else ()
        form = language.normal_form(text) if shape else b""
        counts = Counter(shape)
        close = []
        for one in self._forms if shape else ():
            size = max(len(shape), len(one.shape))
            same = bool(form) and form == one.form
            if min(len(shape), len(one.shape)) < MIN_NODES:
                if same and size >= CHANCE_NODES:
                    close.append(TreeMatch(one.problem, 1.0, "the solution", 1, f"equal solutions of {size} parts"))
            elif same or (counts & one.counts).total() >= least * size:  # the rate is no larger than what they share
                rate = 1.0 if same else match_rate(shape, one.shape)
                if rate >= least:
                    close.append(TreeMatch(one.problem, rate, "the solution", 1, ""))
        return ComparedForms(tuple(sorted(close, key=lambda match: (-match.rate, match.problem.task_id))))


@dataclass(frozen=True, slots=True)
class ComparedForms:
    """The problems whose solution is close to one solution, best first."""

    close: tuple[TreeMatch, ...]

    def benchmarks(self) -> list[str]:
        """The benchmarks of these problems, by name."""
        return sorted({match.problem.benchmark for match in self.close})

    def matches(self, least: float, benchmark: str | None = None) -> list[TreeMatch]:
        """Those at a rate of `least` or more, of one benchmark where it is named."""
        return [m for m in self.close if m.rate >= least and benchmark in (None, m.problem.benchmark)]
