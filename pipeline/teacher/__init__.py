"""Teachers: whoever answers prompts, and the machinery that asks them without losing or repeating an answer.

Reading order: `protocol.py` (questions, answers, teachers, lanes), `asking.py` and `engine.py` (the conversation, on
the caller's thread and on the loop's), `lines.py`, `journal.py` and `archive.py` (what is on disk). `kind.py` says
what a kind of teacher is, `kinds/NAME.py` declares one, `building.py` lists them. Of an endpoint (`endpoint.py`)
`online.py` is the lane, `sites.py` says which endpoint is next, `pace.py`, `limits.py` and `breaker.py` how fast,
`transport.py` has the bytes, `wire.py` the format; `batch.py`, `batch_api.py` and `batch_book.py` are the Batch API.
Teachers without a network live in a thread (`threaded.py`): `local_model.py` with `generating.py` or `llamacpp.py`,
the fixture `composer/`, and `recorded.py`. `redaction.py` serves all of them.

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
