"""Completions in the walk."""

import shutil
from typing import Any

from pipeline.core.records import Completion, Prompt
from pipeline.core.stage import Tally, checked
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.seeds.step import wanted
from pipeline.store.store import Manifest


def _reads(recipe: Recipe) -> list[Any]:
    """What each teacher is."""
    from pipeline.teacher.building import identity

    return [identity(table, recipe.seed) for table in recipe.teachers]


def _make(making: Making) -> Manifest:
    """Ask the teachers. The journal is the folder of work in progress, and stays with the artifact: it is what a
    replay teacher answers from, and where later runs find answers that are already paid for."""
    from pipeline import teacher
    from pipeline.stages.completions.stage import Complete, expand
    from pipeline.teacher.earlier import earlier_journals

    recipe, places = making.recipe, making.places
    teachers = {
        table.name: teacher.build(table, making.execution, recipe.seed, places.models, making.note)
        for table in recipe.teachers
    }
    samples = recipe.completions.samples_per_prompt
    spent = {name: teacher.Spent(name, asked.kind) for name, asked in teachers.items()}
    journal = making.conversation()
    complete = Complete(
        teachers,
        journal=journal,
        execution=making.execution,
        on_event=making.tell,
        reuse=earlier_journals(journal, making.generation),
        ledger=making.ledger,
        total=making.count() * samples,
        answered=lambda name, answer: spent[name].add(answer),
    )
    tally = Tally()
    writer = making.writer()
    for outcome in checked(complete, expand(making.read("prompts"), samples), tally):
        writer.write(outcome)
    for shard in sorted(journal.glob("*.jsonl")):
        writer.add(shard)
    facts = [one.facts for one in spent.values()]
    manifest = making.finish(writer, tally, {"teachers": facts})
    making.tell_of_earlier(facts, tally.entered)
    shutil.rmtree(journal, ignore_errors=True)
    return manifest


STEP = TextStep(
    name="completions",
    version=2,
    caption="the teachers' answers as they came",
    make=_make,
    inputs=("prompts",),
    wanted=wanted,
    settings=lambda recipe: {"completions": recipe.completions},
    reads=_reads,
    kept=(Completion,),
    dropped=(Prompt,),
    reasons={
        "refused": "the teacher, or the server's filter, would not answer",
        "truncated": "the answer reached max_tokens before its end",
        "failed": "no answer came, after all retries; the detail has the server's last word",
    },
    corpus=True,
)
