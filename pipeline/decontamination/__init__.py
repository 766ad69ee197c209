"""Decontamination: n-gram, syntax-tree and embedding overlap of the corpus with benchmark problems (phi-1, section 5).

`Decontaminate` is the stage; `split` says which problems of a benchmark have a similar document in a corpus, `splits`
the same of several benchmarks at once.
"""

from pipeline.decontamination.decontaminate import Decontaminate
from pipeline.decontamination.split import ProblemMatch, Split, split, splits

__all__ = ["Decontaminate", "ProblemMatch", "Split", "split", "splits"]
