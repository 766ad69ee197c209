"""Rewording: a teacher says what a solution does, without sight of its docstring (back-translation).

What comes out is a task: the new docstring with the exercise's own tests. A round asks a teacher to solve it blind, so
an exercise whose new words leave something open fails its tests and is dropped like any other.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.core.events import OnEvent
from pipeline.core.money import Ledger
from pipeline.core.records import Exercise, Task
from pipeline.core.template import load
from pipeline.domains.domain import Domain
from pipeline.execution import Execution
from pipeline.stages.rewordings.wording import check_rewords, laid_out, task_of, without_docstring
from pipeline.teacher.asking import ask
from pipeline.teacher.protocol import Answer, Teacher


def reword(
    exercises: Sequence[Exercise],
    domain: Domain,
    teacher: Teacher,
    *,
    journal: Path,
    execution: Execution,
    on_event: OnEvent,
    ledger: Ledger,
) -> dict[str, Task]:
    """By id of the exercise, the task that it is in other words; those for which the teacher found none are left out.

    Raises RecipeError where the domain cannot reword, and the errors of `pipeline.teacher.asking.converse`.
    """
    check_rewords(domain)
    template = load(domain.template("reword"), domain.variables)
    bare = {one.id: code for one in exercises if (code := without_docstring(one))}
    found: dict[str, Task] = {}
    answers = ask(
        ((one, template.messages(code=bare[one.id])) for one in exercises if one.id in bare),
        teacher,
        journal=journal,
        execution=execution,
        on_event=on_event,
        ledger=ledger,
        total=len(bare),
    )
    for record, result in answers:
        assert isinstance(record, Exercise)
        task = task_of(record, result.text) if isinstance(result, Answer) else None
        if task is not None:
            found[record.id] = replace(task, prompt=laid_out(task))
    return {one.id: found[one.id] for one in exercises if one.id in found}
