"""Scoring that can be trusted: problems, samples, verdicts, pass@k with intervals, and what a score rests on.

`evaluate` (a model or an endpoint) and `score_file` (a file of samples) are reachable from here and imported when
first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.evaluation.api import evaluate, score_file

__all__ = ["evaluate", "score_file"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from pipeline.evaluation import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
