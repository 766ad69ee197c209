"""Teachers: whoever answers prompts, and the machinery that asks them without losing or repeating an answer.

Reading order: `protocol.py` (questions, answers, teachers, lanes), `engine.py` (the conversation), `journal.py` (what
is on disk), `asking.py` (one teacher about anything). An endpoint is `kinds/openai.py` (what is asked), `online.py`
(the lane), `pace.py`, `limits.py` and `breaker.py` (how fast), `transport.py` (bytes), `wire.py` (the format),
`batch.py` and `batch_book.py` (the Batch API); `kinds/local.py`, `kinds/inprocess.py` and `composer/` are the teachers
without a network. `redaction.py` serves all of them.

Nothing heavy is imported before it is used.
"""

from pipeline.core.money import Ledger
from pipeline.teacher.asking import ask, converse
from pipeline.teacher.building import build, identity
from pipeline.teacher.kinds.openai import evaluation_teacher
from pipeline.teacher.protocol import Answer, Failure, Outcome, Question, Teacher, Trouble
from pipeline.teacher.spent import Spent

__all__ = [
    "Answer",
    "Failure",
    "Ledger",
    "Outcome",
    "Question",
    "Spent",
    "Teacher",
    "Trouble",
    "ask",
    "build",
    "converse",
    "evaluation_teacher",
    "identity",
]
