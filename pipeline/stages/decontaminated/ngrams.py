"""Word n-grams of benchmark problems, and the documents that share them.

Words are those of `core/words.py`, case folded: "13 words" is the measure of GPT-3 (Brown et al. 2020, appendix C)
and of phi-1 (5.1). Three things that go wrong when every shared n-gram counts are dealt with here. N-grams of the
benchmark's own boilerplate (in three problems or more) and runs of numbers are never looked for. Stock phrases are not
counted by themselves: n-grams that are common in the corpus (in many documents that are not copies of each other), and
those with fewer than `TELLING_WORDS` words that are not the language's own, as in `for i in range(len(l)): for j in
range(i + 1, len(l))`. A document that holds nearly all n-grams of a problem is dropped all the same. A problem
statement shorter than an n-gram is matched as a whole.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.records import Problem
from pipeline.core.words import split
from pipeline.stages.decontaminated.wording import says_something, statement

Array = npt.NDArray[Any]

BOILERPLATE_PROBLEMS = 3
"""Problems from which on an n-gram is the benchmark's boilerplate."""
COMMON_DOCUMENTS = 20
COMMON_SHARE = 0.005
"""An n-gram in more documents than both `COMMON_DOCUMENTS` and this share of the corpus is a stock phrase of it."""
WHOLE_SHARE = 0.8
"""Share of a problem's n-grams at which a document holds the problem, stock phrases or not."""
WHOLE_NGRAMS = 5
"""Fewest n-grams of a problem for which that share is looked at."""
SHORTEST_STATEMENT = 6
"""Words under which a problem statement says too little to be matched as a whole ("Return the sum.")."""
TELLING_WORDS = 3
"""Different words of an n-gram that must say something (`wording.says_something`) for it to count by itself."""


class NgramMatch(NamedTuple):
    """The overlap of a document with a problem. words: the n-gram; share: of the problem's n-grams, in [0, 1]."""

    problem: Problem
    words: str
    share: float


@dataclass(frozen=True, slots=True)
class Gram:
    """An n-gram of problems. words: case folded, one space between; problems: their numbers; stock: says too little."""

    words: str
    problems: tuple[int, ...]
    stock: bool


class ProblemNgrams:
    """N-grams of `problems`, by length: `n`, and the length of each statement that is shorter."""

    def __init__(self, problems: Sequence[Problem], n: int) -> None:
        self._problems = list(problems)
        self._n = n
        self._size = Counter[int]()
        by_length: dict[int, dict[str, set[int]]] = {n: {}}
        for number, problem in enumerate(problems):
            for part in (problem.prompt + problem.canonical_solution, problem.test):
                for words in _ngrams(part, n):
                    by_length[n].setdefault(words, set()).add(number)
            asked = split(statement(problem), fold=True)
            if SHORTEST_STATEMENT <= len(asked) < n:
                by_length.setdefault(len(asked), {}).setdefault(" ".join(asked), set()).add(number)
        self._hashes: dict[int, Array] = {}
        self._grams: dict[int, list[Gram]] = {}
        for length, grams in by_length.items():
            listed = [
                Gram(words, tuple(sorted(numbers)), length == n and _is_stock(words))
                for words, numbers in sorted(grams.items())
                if length < n or len(numbers) < BOILERPLATE_PROBLEMS
            ]
            if listed:
                hashes = _hashed([gram.words for gram in listed], length)
                order = np.argsort(hashes)
                self._hashes[length] = hashes[order]
                self._grams[length] = [listed[i] for i in order]
            if length == n:
                self._size.update(number for gram in listed for number in gram.problems)

    def decided(
        self, hits: Sequence[tuple[Gram, ...]], counted: Callable[[], Sequence[bool]], documents: int
    ) -> list[NgramMatch | None]:
        """For each document that `hits` is of, the problem it overlaps with most; None where all are stock phrases.

        counted: which of those documents count where an n-gram looks common; asked only then. documents: of the
        whole corpus.
        """
        common = max(COMMON_DOCUMENTS, COMMON_SHARE * documents)
        frequency = Counter(gram.words for row in hits for gram in row)
        if any(count > common for count in frequency.values()):
            frequency = Counter(gram.words for row, one in zip(hits, counted(), strict=True) if one for gram in row)
        found: list[NgramMatch | None] = []
        for row in hits:
            shared = Counter(number for gram in row if self._is_long(gram) for number in gram.problems)
            best: NgramMatch | None = None
            for gram in row:
                for number in gram.problems:
                    size = self._size[number]
                    share = min(1.0, shared[number] / size) if size else 1.0
                    whole = share >= WHOLE_SHARE and size >= WHOLE_NGRAMS
                    counts = not gram.stock and frequency[gram.words] <= common
                    if (whole or counts) and (best is None or share > best.share):
                        best = NgramMatch(self._problems[number], gram.words, share)
            found.append(best)
        return found

    def _is_long(self, gram: Gram) -> bool:
        return gram.words.count(" ") == self._n - 1

    def hits(self, texts: Sequence[str]) -> list[tuple[Gram, ...]]:
        """For each text the problems' n-grams that it holds, in the order of the text, by length."""
        from pipeline.core.shingles import shingle
        from pipeline.stages.distinct.features import joined

        rows: list[list[Gram]] = [[] for _ in texts]
        for start in range(0, len(texts), 1_024):
            batch = joined(texts[start : start + 1_024], fold=True)
            for length, wanted in self._hashes.items():
                hashes, bounds = shingle(*batch, length, True)
                places = np.minimum(np.searchsorted(wanted, hashes), len(wanted) - 1)
                for k in np.flatnonzero(wanted[places] == hashes):
                    document = int(np.searchsorted(bounds, k, side="right")) - 1
                    rows[start + document].append(self._grams[length][places[k]])
        return [tuple(row) for row in rows]


def _hashed(grams: list[str], length: int) -> Array:
    """(grams,) uint64 hashes as the kernel gives them to the same words, which are normal already, in a document."""
    from pipeline.core.shingles import shingle
    from pipeline.stages.distinct.features import end_to_end

    hashes, _ = shingle(*end_to_end([gram.encode("utf-8", "surrogatepass") for gram in grams]), length, True)
    return np.asarray(hashes)


def _ngrams(text: str, n: int) -> list[str]:
    words = split(text, fold=True)
    grams = (words[i : i + n] for i in range(len(words) - n + 1))
    return [" ".join(gram) for gram in grams if 2 * sum(map(str.isdigit, gram)) < n]


def _is_stock(words: str) -> bool:
    return len(set(filter(says_something, words.split()))) < TELLING_WORDS
