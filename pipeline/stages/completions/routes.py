"""Who is asked a prompt: the teacher that its seed names, or, of a recording that lacks the answer, the other one."""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from types import TracebackType
from typing import Self

from pipeline.teacher.archive import Archive
from pipeline.teacher.kinds.replay import ReplayTeacher
from pipeline.teacher.protocol import Question, Teacher, messages_digest


class Routes:
    """Questions to those who answer them. Use as a context manager.

    A replay teacher's question that its recording does not hold goes to the teacher that it names in `otherwise`, the
    first `most_otherwise` of them; the rest stay with it, to fail there. What is asked of whom depends on the recording
    and on the order of the questions alone.
    """

    def __init__(self, teachers: Collection[Teacher]) -> None:
        self._replays = {one.name: one for one in teachers if isinstance(one, ReplayTeacher) and one.otherwise}
        self._archives: dict[str, Archive] = {}
        self._asked: Counter[tuple[str, str]] = Counter()
        self._recorded: Counter[tuple[str, str]] = Counter()
        self._left: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for name in self._archives:
            self._replays[name].answers.leave()

    def __call__(self, question: Question) -> Question:
        """The question for the teacher that is asked; each is to be given once, in their order.

        What is left to the other teacher is numbered after the samples that are recorded, so that the same model with
        the same seed does not repeat them.
        """
        replay = self._replays.get(question.teacher)
        if replay is None:
            return question
        if replay.name not in self._archives:
            self._archives[replay.name] = replay.answers.take()
        digest = messages_digest(question.messages)
        number = self._asked[replay.name, digest]
        self._asked[replay.name, digest] += 1
        if self._archives[replay.name].find_messages(digest, number) is not None:
            self._recorded[replay.name, digest] += 1
            return question
        if replay.most_otherwise and self._left[replay.name] >= replay.most_otherwise:
            return question
        self._left[replay.name] += 1
        return replace(question, teacher=replay.otherwise, earlier=self._recorded[replay.name, digest])
