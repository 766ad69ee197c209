"""The stage `documents`: a completion becomes a passage or an exercise, or is dropped.

    no-code         no Python block, or a function whose body does nothing
    unclosed-fence  a fenced block that does not end: the answer was cut, whatever its finish reason says
    no-signature    code without a function that can be asked for: none at all, one inside a class, one without a
                    docstring (an exercise *is* its docstring; none is made up from the prose around it), or one whose
                    parameters are not those of the task
    unparsable      what should be the function is no Python 3.11, or the solution none of the domain's language
    no-task         outside Python: the part is missing that says what is asked
    no-check        outside Python: the check is missing, or its checker cannot read it

A textbook answer is kept as it is. An exercise is cut by `split_function`: its prompt holds what the function needs of
the answer and that stood before it; what stood after it follows the body. Where the seed carries a task, prompt and
tests are the task's, and only the body is taken from the answer, with what it needs: imports inside the function,
helpers and all that these need after it. `assembly` says what is needed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from pipeline.core.known import COMPOSER
from pipeline.core.records import Completion, Exercise, Passage, Seed
from pipeline.core.stage import Dropped, Kept
from pipeline.domains.domain import Domain
from pipeline.domains.loading import load
from pipeline.languages.fences import Block, code_blocks
from pipeline.languages.finding import named
from pipeline.languages.normalise import read_answer
from pipeline.languages.python.answer import code_of, has_python
from pipeline.languages.python.exercise import Reject, cut, find
from pipeline.languages.python.task import body_for
from pipeline.stages.documents.parts import exercise_of
from pipeline.stages.documents.step import STEP

_ENDS_THINKING = "; the answer ends inside its reasoning"


@dataclass(frozen=True, slots=True)
class Parse:
    """Completion -> Passage or Exercise, by the kind of its seed."""

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    domain: Domain = field(default_factory=lambda: load("python"))

    def __call__(self, records: Iterable[Completion]) -> Iterator[Kept[Passage] | Kept[Exercise] | Dropped]:
        for completion in records:
            try:
                if completion.seed.kind == "textbook":
                    yield Kept(_passage(completion, self.domain.language))
                elif self.domain.language != "python":
                    yield Kept(exercise_of(completion, self.domain))
                else:
                    yield Kept(_exercise(completion))
            except Reject as verdict:
                yield Dropped(completion, verdict.reason, verdict.detail)
            except RecursionError:
                yield Dropped(completion, "unparsable", "expressions nested too deeply to compare")


def _about(completion: Completion) -> Seed:
    """The seed that the answer goes by: one that asks for no topic where the composer gave it, which reads none."""
    seed = completion.seed
    return replace(seed, topic="", audience="") if completion.model == COMPOSER else seed


def _passage(completion: Completion, language: str) -> Passage:
    text, unfinished = read_answer(completion.text)
    blocks = code_blocks(text)
    for block in blocks:
        if not block.closed:
            raise Reject("unclosed-fence", f"the fence opened on line {block.line} is not closed")
    if not (has_python(blocks) if language == "python" else _holds(language, blocks)):
        tags = ", ".join(sorted({block.tag for block in blocks}))
        what = "Python" if language == "python" else language
        found = f"0 {what} blocks of {len(blocks)} ({tags})" if blocks else "0 fenced blocks"
        raise Reject("no-code", found + _ENDS_THINKING * unfinished)
    return Passage(
        text=text.strip() + "\n",
        topic=_about(completion).topic,
        audience=_about(completion).audience,
        teacher=completion.teacher,
        completion_id=completion.id,
    )


def _holds(language: str, blocks: Sequence[Block]) -> bool:
    """Whether a text holds some of its domain's language; prose alone is all that is wanted where that is text."""
    return language == "text" or any(map(named(language).holds, blocks))


def _exercise(completion: Completion) -> Exercise:
    task = completion.seed.task
    text, unfinished = read_answer(completion.text)
    pieces = code_of(text)
    if not pieces:
        nothing = "0 Python blocks and no line that starts a definition"
        raise Reject("no-code", nothing + _ENDS_THINKING * unfinished)
    if not all(piece.closed for piece in pieces):
        raise Reject(
            "unclosed-fence", f"block {1 + [p.closed for p in pieces].index(False)} of {len(pieces)} is not closed"
        )
    if task is not None:
        prompt, solution, test = task.prompt, body_for(task, pieces), task.test
        entry_point = task.entry_point
    else:
        node, module = find(pieces, completion.seed.function_name)
        prompt, solution, test = cut(node, module)
        entry_point = node.name
    return Exercise(
        prompt=prompt,
        solution=solution,
        entry_point=entry_point,
        test=test,
        test_owner="teacher" if task is None else "seed",
        topic=_about(completion).topic,
        audience=_about(completion).audience,
        teacher=completion.teacher,
        completion_id=completion.id,
    )
