"""A fixture: a teacher with no model in it that answers every prompt alike, well or badly as a recipe asks.

It reads of a prompt only whether a passage or an exercise is wanted, its number, and the task where there is one; what
it answers is about something else than the topic that was asked for. `families.py` and `chains.py` are what its
exercises are about; `writing.py` writes one and computes its tests by running it; `passages.py` writes prose around
two; `faults.py` spoils an answer; `problems.py` is a benchmark that its answers give away only where they shall.
"""

from pipeline.teacher.composer.composer import Composer, tasks
from pipeline.teacher.composer.faults import Composed

__all__ = ["Composed", "Composer", "tasks"]
