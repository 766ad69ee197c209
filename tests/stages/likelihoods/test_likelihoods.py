"""Problems to likelihoods: each is measured or dropped, and keys change only with what is measured."""

from math import log
from pathlib import Path

import pytest
from models_made import folder

from pipeline import walk
from pipeline.core.errors import RecipeError
from pipeline.core.events import Event
from pipeline.core.records import Likelihood, Problem
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.models.loading import load
from pipeline.recipe_text import load as load_recipe
from pipeline.stages.likelihoods.results import bits_per_byte
from pipeline.stages.likelihoods.stage import NO_REFERENCE, NO_ROOM, Likelihoods

ON = ("student.init=smollm2", "tokens.tokenizer=student", "evaluation.likelihood=true")
NAMES = ("likelihoods-before", "likelihoods-after")


def problem(number: int, solution: str) -> Problem:
    return Problem(
        benchmark="made",
        task_id=f"T/{number}",
        prompt=f'def f{number}(x):\n    """Return x."""\n',
        entry_point=f"f{number}",
        test="",
        canonical_solution=solution,
        group="easy",
    )


def keys(*overrides: str) -> dict[str, str]:
    plan = walk.plan(load_recipe("tiny", [*ON, *overrides]).recipe, {})
    return {stage.name: stage.key for stage in plan.stages}


def test_a_problem_is_measured_or_dropped_with_both_numbers(tmp_path: Path) -> None:
    problems = [problem(0, "    return x\n"), problem(1, " \n"), problem(2, "    x += 1\n" * 200), problem(3, "é\n")]
    events: list[Event] = []
    model = load(str(folder("llama", tmp_path)), cache=tmp_path)
    tally = Tally()
    found = list(checked(Likelihoods(model, "after", "key", events.append), problems, tally))
    dropped = {one.record: one for one in found if isinstance(one, Dropped)}
    assert {record: one.reason for record, one in dropped.items()} == {
        problems[1]: NO_REFERENCE,
        problems[2]: NO_ROOM,
    }
    assert " tokens > 64" in dropped[problems[2]].detail
    kept = {one.record.task_id: one.record for one in found if isinstance(one, Kept)}
    assert (tally.entered, tally.kept) == (4, len(kept)) == (4, 2)
    one = kept["T/3"]
    assert (one.model, one.checkpoint, one.group, one.problem_id) == ("after", "key", "easy", problems[3].id)
    assert one.bytes == len("\né\n".encode())  # the prompt's newline is written by the model
    assert one.nats > 0
    assert events == []


def test_bits_per_byte_are_nats_over_bytes() -> None:
    one = Likelihood(problem_id="p", benchmark="b", task_id="t", model="after", checkpoint="c",
                     nats=8 * log(2), tokens=3, bytes=4)  # fmt: skip
    assert bits_per_byte({"nats": one.nats, "bytes": one.bytes}) == 2


def test_likelihoods_are_made_where_they_are_wanted_and_of_what_there_is() -> None:
    assert set(NAMES) <= keys().keys()
    assert not set(NAMES) & keys("evaluation.likelihood=false").keys()
    assert not set(NAMES) & keys("evaluation.benchmarks=[]").keys()
    assert set(NAMES) & keys("evaluation.before=false").keys() == {"likelihoods-after"}


def test_of_some_benchmarks_alone_and_without_any_answer() -> None:
    both = 'evaluation.benchmarks=["held-out", "humaneval"]'
    some = keys(both, 'evaluation.likelihood_of=["held-out"]')
    assert {name: key for name, key in some.items() if name not in NAMES} == {
        name: key for name, key in keys(both).items() if name not in NAMES
    }
    assert all(some[name] != keys(both)[name] for name in NAMES)
    alone = keys("evaluation.benchmarks=[]", 'evaluation.likelihood_of=["held-out"]')
    assert {"held-out", *NAMES} <= alone.keys()
    assert not {"samples-before", "samples-after", "scores"} & alone.keys()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["evaluation.likelihood=false"], r"evaluation.likelihood_of = \['held-out'\] without likelihood; set"),
        (["seeds.exercises=0"], "evaluation.likelihood_of names 'held-out', but seeds.exercises = 0"),
    ],
)
def test_benchmarks_that_cannot_be_measured_are_refused(overrides: list[str], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe(
            "tiny", [*ON, 'evaluation.benchmarks=["humaneval"]', 'evaluation.likelihood_of=["held-out"]', *overrides]
        )


def test_how_problems_are_answered_changes_no_likelihood_and_the_wish_for_them_no_answer() -> None:
    asked = keys("evaluation.max_new_tokens=33", "evaluation.samples=2", "evaluation.temperature=0.2")
    assert [asked[name] for name in NAMES] == [keys()[name] for name in NAMES]
    fewer = keys("evaluation.limit=2")
    assert all(fewer[name] != keys()[name] for name in NAMES)
    assert keys("evaluation.likelihood=false") == {n: key for n, key in keys().items() if n not in NAMES}
