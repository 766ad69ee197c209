"""Hornbook in a notebook: `import hornbook`. The names are those of `pipeline.api`."""

from pipeline.api import (
    Cleaned,
    DroppedText,
    HornbookError,
    Result,
    Run,
    __version__,
    evaluate,
    load,
    run_stage,
    runs,
    stages,
)

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
