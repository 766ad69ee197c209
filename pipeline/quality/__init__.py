"""Quality: heuristics, secrets and personal data, the paper's classifier of educational value, diversity.

`Quality` is the stage. scikit-learn and torch are imported only where the classifier or an embedding is used.
"""

from pipeline.quality.quality import Annotate, Quality

__all__ = ["Annotate", "Quality"]
