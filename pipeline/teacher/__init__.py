"""Teachers: whoever answers prompts, and the machinery that asks them without losing or repeating an answer.

Reading order: `protocol.py` (questions, answers, teachers, lanes), `engine.py` (the conversation), `journal.py` (what
is on disk), `completing.py` (the stage). An endpoint is `endpoint.py` (what is asked), `online.py` (the lane),
`pace.py`, `limits.py` and `breaker.py` (how fast), `transport.py` (bytes), `wire.py` (the format), `batch.py` and
`batch_book.py` (the Batch API); `local.py`, `inprocess.py` and `composer/` are the teachers without a network.
`money.py` and `redaction.py` serve all of them.

Nothing heavy is imported before it is used.
"""

from pipeline.core.money import Ledger
from pipeline.teacher.building import build, evaluation_teacher, identity
from pipeline.teacher.completing import Complete, Spent, ask, complete, expand
from pipeline.teacher.engine import converse
from pipeline.teacher.protocol import Answer, Failure, Outcome, Question, Teacher, Trouble

__all__ = [
    "Answer",
    "Complete",
    "Failure",
    "Ledger",
    "Outcome",
    "Question",
    "Spent",
    "Teacher",
    "Trouble",
    "ask",
    "build",
    "complete",
    "converse",
    "evaluation_teacher",
    "expand",
    "identity",
]
