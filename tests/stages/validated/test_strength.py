"""How much a test pins down: mutants made and killed, weak tests dropped, and nothing lost or moved on the way."""

import pytest

from pipeline.core.errors import RecipeError, SandboxUnavailable
from pipeline.core.records import Exercise, Passage
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.recipe import ValidatedTable
from pipeline.recipe_text import load
from pipeline.sandbox import Sandbox, Verdict
from pipeline.stages.validated import strength
from pipeline.stages.validated.stage import Validate, ValidateBlocks, limits_of
from pipeline.walk import plan

PROMPT = 'def clamp(x, low, high):\n    """The number nearest to x in [low, high]."""\n'
SOLUTION = "    if x < low:\n        return low\n    if x > high:\n        return high\n    return x\n"
STRONG = "".join(f"assert clamp({x}, 2, 5) == {max(2, min(5, x))}\n" for x in range(8))
WEAK = "assert clamp(3, 2, 5) == 3\n"
COUNTING = "    total = 0\n    while total < x:\n        total += 1\n    return total\n"


def exercise(test: str, solution: str = SOLUTION) -> Exercise:
    return Exercise(prompt=PROMPT, solution=solution, entry_point="clamp", test=test, test_owner="teacher")


def outcomes(records, sandbox, **settings):
    table = ValidatedTable(**{"cpu_seconds": 2.0, "mutants": 20, **settings})
    tally = Tally()
    found = list(checked(Validate(table, sandbox), records, tally))
    assert tally.balanced
    return found


def test_a_strong_test_kills_what_a_weak_one_lets_live(sandbox: Sandbox) -> None:
    strong, weak = outcomes([exercise(STRONG), exercise(WEAK)], sandbox)
    assert isinstance(strong, Kept)
    assert isinstance(weak, Kept)
    assert strong.record.mutants == weak.record.mutants > 5
    assert weak.record.killed < strong.record.killed
    # `x <= low` and `x >= high` mean the same as the solution: where they differ the bound is x itself.
    assert strong.record.mutants - strong.record.killed == 2


def test_a_weak_test_is_dropped_with_both_numbers_and_what_lives(sandbox: Sandbox) -> None:
    strong, weak = outcomes([exercise(STRONG), exercise(WEAK)], sandbox, min_mutants_killed=0.7)
    assert isinstance(strong, Kept)
    assert isinstance(weak, Dropped)
    assert weak.reason == "weak-test"
    assert isinstance(weak.record, Exercise)
    assert weak.record.killed is not None
    assert weak.record.mutants is not None
    share = weak.record.killed / weak.record.mutants
    assert weak.detail.startswith(f"{share:.2f} < 0.7 of {weak.record.mutants} mutants killed; alive: ")
    assert " in line " in weak.detail


def test_a_mutant_that_never_ends_is_killed(sandbox: Sandbox) -> None:
    (only,) = outcomes([exercise("assert clamp(3, 0, 0) == 3\nassert clamp(0, 0, 0) == 0\n", COUNTING)], sandbox)
    assert isinstance(only, Kept)
    assert only.record.killed == only.record.mutants


def test_what_has_no_mutants_goes_by_in_its_place(sandbox: Sandbox) -> None:
    passage = Passage(text="Prose.\n\n```python\nx = 1\n```\n", completion_id="c")
    wrong = exercise("assert clamp(3, 2, 5) == 4\n")
    records = [passage, exercise(STRONG), wrong, passage, exercise(WEAK)]
    found = outcomes(records, sandbox)
    assert [outcome.record.id for outcome in found] == [record.id for record in records]
    assert [isinstance(outcome, Kept) for outcome in found] == [True, True, False, True, True]
    assert found[2].reason == "test-failed"
    assert found[2].record.mutants is None


def test_the_numbers_are_found_out_and_no_part_of_what_the_exercise_is(sandbox: Sandbox) -> None:
    (kept,) = outcomes([exercise(STRONG)], sandbox)
    assert kept.record == exercise(STRONG)
    assert kept.record.id == exercise(STRONG).id


def test_without_mutants_nothing_is_said_of_them(sandbox: Sandbox) -> None:
    (kept,) = outcomes([exercise(WEAK)], sandbox, mutants=0)
    assert (kept.record.mutants, kept.record.killed) == (None, None)


def test_blocks_that_travel_come_to_the_same(sandbox: Sandbox) -> None:
    table = ValidatedTable(cpu_seconds=2.0, mutants=6, min_mutants_killed=0.7)
    records = [exercise(STRONG), exercise(WEAK)]
    here = list(Validate(table, sandbox)(records))
    assert list(ValidateBlocks(table, sandbox.mode)(records)) == here


def test_a_sandbox_that_fails_stops_the_stage() -> None:
    class Failing:
        def run(self, programs):
            for program in programs:
                yield Verdict(program.id, "infrastructure", "no answer")

    table = ValidatedTable(mutants=3)
    with pytest.raises(SandboxUnavailable, match="could not judge a mutant of exercise .*: no answer"):
        list(strength.measured([Kept(exercise(STRONG))], table, Failing()))


def test_a_mutant_has_a_fifth_of_the_time_and_at_least_a_second_where_the_solution_has_it() -> None:
    assert strength.limits_of(ValidatedTable(cpu_seconds=10.0)).cpu_seconds == 2.0
    assert strength.limits_of(ValidatedTable(cpu_seconds=3.0)).cpu_seconds == 1.0
    assert strength.limits_of(ValidatedTable(cpu_seconds=0.5)).cpu_seconds == 0.5
    assert (
        strength.limits_of(ValidatedTable(memory_mb=99)).memory_mb == limits_of(ValidatedTable(memory_mb=99)).memory_mb
    )


def test_the_key_of_a_recipe_without_mutants_does_not_know_them() -> None:
    def key(*overrides: str) -> str:
        return plan(load("tiny", overrides).recipe, {})["validated"].key

    assert key("validated.mutants=0") == key()
    assert len({key(), key("validated.mutants=4"), key("validated.mutants=4", "validated.min_mutants_killed=0.5")}) == 3


def test_a_limit_without_mutants_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"min_mutants_killed = 0.5 without mutants; set validated.mutants"):
        load("tiny", ["validated.min_mutants_killed=0.5"])
