"""What notebooks and scripts may rely on. Everything else in the package may change.

`import hornbook` gives the same names. Nothing heavy is imported before it is used.
"""

from pipeline import __version__
from pipeline.api.runs import Run, load, runs
from pipeline.api.scoring import evaluate
from pipeline.api.stages import Cleaned, DroppedText, run_stage, stages
from pipeline.core.errors import HornbookError
from pipeline.stages.scores.results import Result

__all__ = [
    "Cleaned",
    "DroppedText",
    "HornbookError",
    "Result",
    "Run",
    "__version__",
    "evaluate",
    "load",
    "run_stage",
    "runs",
    "stages",
]
