"""Every answer of a run that was judged, one row each, of either walk.

A guess of an image's class is an answer: its benchmark is the method, its task the image, its model whose features were
read. So what compares runs needs to know of one kind of row alone.
"""

from typing import Any

from pipeline.report.summary import SCORE_COLUMNS
from pipeline.run.reading import RunView

BENCHMARKS = {"k-nn": "k-nn", "linear": "linear-probe"}
"""What a method is called among benchmarks."""

NETWORKS = ("distilled", "self-distilled")
"""Whose features are scored first in a run over images: the student's, else the network's."""


def score_rows(run: RunView) -> list[dict[str, Any]]:
    """The rows of `scores`, or of `probes`; none where neither is finished."""
    if run.stage("probes") is None:
        return list(run.rows("scores", columns=SCORE_COLUMNS))
    return [
        {
            "id": row["id"],
            "benchmark": BENCHMARKS[row["method"]],
            "problem_id": row["image_id"],
            "task_id": row["image_id"],
            "model": row["features"],
            "group": "",
            "number": 0,
            "passed": row["guessed"] == row["label"],
            "verdict": "passed" if row["guessed"] == row["label"] else "wrong-answer",
        }
        for row in run.rows("probes", columns=("id", "image_id", "features", "method", "guessed", "label"))
    ]


def about(run: RunView) -> str:
    """The model that a run is about, as its rows call it."""
    if run.stage("probes") is None:
        return "after"
    return next((name for name in NETWORKS if run.stage(name) is not None), NETWORKS[-1])


def beside(run: RunView) -> tuple[str, ...]:
    """The models that stand beside the one of a run over images, in the order of its board; of text none."""
    probes = run.stage("probes")
    board = (probes.facts.get("board") if probes else None) or ()
    return tuple(dict.fromkeys(str(line["features"]) for line in board if line["features"] != about(run)))
