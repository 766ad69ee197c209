"""Tests made of agreement: who is believed, what the test says then, and why an exercise is dropped otherwise."""

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.records import Document, Exercise
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.recipe import AgreementTable, ValidatedTable
from pipeline.sandbox import Program, Sandbox, Verdict
from pipeline.stages.validated.stage import Validate, ValidateBlocks, limits_of

TABLE = ValidatedTable(cpu_seconds=1.0)
AGREEMENT = AgreementTable()

PROMPT = '''def total(values: list[int]) -> int:
    """The sum of the values, e.g. total([5]) returns 4.

    >>> total([1, 2])
    12
    """
'''
TEST = "assert total([1, 2, 3]) == 5\nassert total([]) == 1\nassert total([4, -4]) == 8\n"
SUM = "    return sum(values)\n"
LOOP = "    result = 0\n    for value in values:\n        result += value\n    return result\n"
LOOP_RENAMED = LOOP.replace("result", "amount").replace("value in", "one in").replace("+= value", "+= one")
FOLD = "    import functools\n    return functools.reduce(lambda a, b: a + b, values, 0)\n"
FIRST = "    return values[0] if values else 0\n"
LENGTH = "    return len(values)\n"
RAISES = "    raise ValueError('no')\n"
DRAWS = "    import random\n    return random.randint(0, 10**9)\n"
DRAWS_TOO = "    import random\n    drawn = random.randint(0, 10**9)\n    return drawn\n"
OBJECT = "    return object()\n"
OBJECT_TOO = "    made = object()\n    return made\n"
NONE = "    values.sort()\n"
NONE_TOO = "    values.reverse()\n    values.sort()\n"
FOREVER = "    while values:\n        pass\n    return 0\n"
BROKEN = "    return (\n"


def exercise(solution: str, *attempts: str, prompt: str = PROMPT, test: str = TEST) -> Exercise:
    return Exercise(
        prompt=prompt,
        solution=solution,
        entry_point="total",
        test=test,
        test_owner="teacher",
        completion_id="c",
        attempts=attempts,
    )


@pytest.fixture(scope="module")
def stage() -> Iterator[Validate]:
    with Sandbox(limits_of(TABLE)) as sandbox:
        yield Validate(TABLE, sandbox, AGREEMENT)


def run(stage: Validate, *records: Document) -> list[Kept[Document] | Dropped]:
    tally = Tally()
    outcomes = list(checked(stage, records, tally))
    assert tally.balanced
    return outcomes


def one(stage: Validate, record: Exercise) -> Exercise | str:
    """The exercise kept, or the reason and detail of the drop."""
    (outcome,) = run(stage, record)
    assert isinstance(outcome.record, Exercise)
    if isinstance(outcome, Dropped):
        assert outcome.record == record
        return f"{outcome.reason}: {outcome.detail}"
    return outcome.record


def test_values_that_solutions_agree_on_replace_those_that_the_teacher_guessed(stage: Validate) -> None:
    kept = one(stage, exercise(SUM, LOOP, LENGTH, FIRST))
    assert isinstance(kept, Exercise)
    assert (kept.solution, kept.test_owner, kept.attempts, kept.completion_id) == (SUM, "agreement", None, "c")
    assert kept.test.splitlines()[:5] == [
        "assert total([1, 2]) == 3",
        "assert total([5]) == 5",
        "assert total([1, 2, 3]) == 6",
        "assert total([]) == 0",
        "assert total([4, -4]) == 0",
    ]
    assert kept.prompt == PROMPT.replace("returns 4.", "returns 5").replace("    12\n", "    3\n")


def test_where_the_teacher_is_outvoted_a_blind_solution_is_kept(stage: Validate) -> None:
    kept = one(stage, exercise(LENGTH, FIRST, LOOP, FOLD))
    assert isinstance(kept, Exercise)
    assert kept.solution == LOOP


def test_calls_on_which_all_raise_are_no_part_of_the_test(stage: Validate) -> None:
    raising = "    if not values:\n        raise ValueError\n"
    kept = one(stage, exercise(raising + SUM, raising + LOOP))
    assert isinstance(kept, Exercise)
    assert "total([])" not in kept.test
    assert "total([4, -4]) == 0" in kept.test


def test_an_exception_that_the_docstring_speaks_of_is_part_of_the_test(stage: Validate) -> None:
    prompt = PROMPT.replace("e.g.", "ValueError where there is none, e.g.")
    raising = "    if not values:\n        raise ValueError('none')\n"
    other = "    if not values:\n        raise KeyError('none')\n"
    kept = one(stage, exercise(raising + SUM, raising + LOOP, prompt=prompt))
    assert isinstance(kept, Exercise)
    assert "try:\n    total([])\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError(" in kept.test
    differ = one(stage, exercise(raising + SUM, other + LOOP, prompt=prompt))
    assert isinstance(differ, Exercise)
    assert "total([])" not in differ.test
    (wrong,) = run(stage, replace(kept, solution=SUM))
    assert isinstance(wrong, Dropped)
    assert "total([]) raises ValueError" in wrong.detail


IN_PLACE = '''def total(values: list[int]) -> None:
    """Each value becomes the sum of those up to it, in place.

    >>> numbers = [1, 2, 3]
    >>> total(numbers)
    >>> numbers
    [1, 1, 1]
    >>> rows = []
    >>> total(rows)
    >>> len(rows) == 0
    False
    >>> total(None)
    Traceback (most recent call last):
    TypeError
    >>> total(numbers)
    >>> numbers[-1]
    0
    """
'''
SUMS = "    for place in range(1, len(values)):\n        values[place] += values[place - 1]\n"
SUMS_TOO = "    import itertools\n    values[:] = itertools.accumulate(values)\n"
NOTHING = "    return None\n"


def test_what_is_changed_in_place_is_agreed_on_by_what_the_session_shows(stage: Validate) -> None:
    kept = one(stage, exercise(SUMS, SUMS_TOO, NOTHING, prompt=IN_PLACE, test=""))
    assert isinstance(kept, Exercise)
    assert kept.test.startswith("try:\n    total(None)\nexcept TypeError:\n")
    assert kept.test.splitlines()[6:] == [
        "numbers = [1, 2, 3]",
        "total(numbers)",
        "assert numbers == [1, 3, 6]",
        "rows = []",
        "total(rows)",
        "assert (len(rows) == 0) == True",
        "total(numbers)",
        "assert numbers[-1] == 10",
    ]
    assert "    >>> numbers\n    [1, 3, 6]\n" in kept.prompt
    (wrong,) = run(stage, replace(kept, solution=NOTHING))
    assert isinstance(wrong, Dropped)


def test_solutions_that_are_to_agree_have_a_fifth_of_the_time(stage: Validate) -> None:
    slower = replace(stage, table=ValidatedTable(cpu_seconds=10.0))
    loops = "    while values:\n        pass\n    return 0\n"
    said = one(slower, exercise(loops, loops.replace("return 0", "return 1")))
    assert isinstance(said, str)
    assert "total([1, 2]) gives the program used more than 2 CPU s (2)" in said


def test_what_changes_nothing_is_no_result(stage: Validate) -> None:
    said = one(stage, exercise(NOTHING, "    pass\n", prompt=IN_PLACE.replace("    >>> total(None)\n", ""), test=""))
    assert said == "no-agreement: 2 of 2 agree, but only on 2 calls that return a literal, 3 wanted"


def test_what_a_returned_function_returns_is_agreed_on(stage: Validate) -> None:
    prompt = '''def total(first):
    """A function that adds `first` to a number.

    >>> total(2)(3)
    4
    >>> add = total(5)
    >>> add(1)
    4
    >>> add(total(1)(1))
    4
    """
'''
    inner = "    def add(other):\n        return first + other\n\n    return add\n"
    kept = one(stage, exercise("    return lambda other: first + other\n", inner, prompt=prompt, test=""))
    assert isinstance(kept, Exercise)
    assert kept.test == "assert total(2)(3) == 5\nadd = total(5)\nassert add(1) == 6\nassert add(total(1)(1)) == 7\n"


@pytest.mark.parametrize(
    ("solutions", "detail"),
    [
        ((SUM, LENGTH, FIRST), "1 of 3 agree, 2 wanted: total([1, 2]) gives 3 (1), 2 (1), 1 (1)"),
        ((SUM, LOOP, LENGTH, "    return values.__len__()\n"), "2 of 4 agree, and 2 on something else, 2 wanted"),
        ((LOOP, LOOP_RENAMED, LOOP), "1 of 4 solutions differ as programs, 2 must agree"),
        ((SUM,), "1 of 4 solutions differ as programs, 2 must agree"),
        ((DRAWS, DRAWS_TOO), "2 differ from run to run"),
        (
            (RAISES, "    raise KeyError(1)\n"),
            "0 of 2 agree, 2 wanted: total([1, 2]) gives ValueError: no (2)",
        ),
        ((BROKEN, "    return [\n"), "total([1, 2]) gives SyntaxError: '(' was never closed (line "),
        ((OBJECT, OBJECT_TOO), "0 of 2 agree, 2 wanted"),
        ((NONE, NONE_TOO), "calls return None, 2 results wanted"),
    ],
)
def test_there_is_no_agreement(stage: Validate, solutions: tuple[str, ...], detail: str) -> None:
    said = one(stage, exercise(*solutions))
    assert isinstance(said, str)
    assert said.startswith("no-agreement: ")
    assert detail in said


@pytest.mark.parametrize(("test", "calls"), [("", 0), ("total([2])\n", 2)])
@pytest.mark.parametrize("attempts", [(), (LOOP,)])
def test_an_exercise_that_shows_too_few_calls(
    stage: Validate, test: str, calls: int, attempts: tuple[str, ...]
) -> None:
    shown = exercise(SUM, *attempts, prompt='def total(values):\n    """The sum."""\n', test=test)
    assert one(stage, shown) == f"no-agreement: {calls} calls of total shown, 3 wanted"


def test_too_few_calls_with_a_result(stage: Validate) -> None:
    prompt, test = 'def total(values):\n    """The sum."""\n', "total([2])\ntotal(['a'])\n"
    said = one(stage, exercise(SUM, LOOP, prompt=prompt, test=test))
    assert said == "no-agreement: 2 of 2 agree, but only on 2 calls that return a literal, 3 wanted"


def test_a_solution_that_never_ends_is_outvoted(stage: Validate) -> None:
    kept = one(stage, exercise(FOREVER, SUM, LOOP))
    assert isinstance(kept, Exercise)
    assert kept.solution == SUM


def test_who_can_win_no_vote_any_more_is_not_run_again(stage: Validate, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    run = Sandbox.run

    def counted(self: Sandbox, programs: Iterable[Program]) -> Iterator[Verdict]:
        return run(self, (ran.append(one.id) or one for one in programs))  # type: ignore[func-returns-value]

    monkeypatch.setattr(Sandbox, "run", counted)
    one(stage, exercise(FOREVER, SUM, LOOP, LENGTH))
    assert [name.split("/")[1:] for name in ran if "/" in name] == [
        ["0", "0"], ["1", "0"], ["2", "0"], ["3", "0"], ["1", "1"], ["2", "1"],
    ]  # fmt: skip


def test_floats_agree_but_for_rounding(stage: Validate) -> None:
    prompt = 'def total(values):\n    """The sum."""\n'
    test = "total([0.1] * 3)\ntotal([1.5])\ntotal([])\ntotal([2])\n"
    kept = one(
        stage, exercise(SUM, "    return 0.1 * 3 if len(values) == 3 else sum(values)\n", prompt=prompt, test=test)
    )
    also = one(
        stage,
        exercise(
            SUM, "    return sum(values) + 1e-12 if values else 0\n", prompt=prompt, test=test.replace("2]", "2.0]")
        ),
    )
    assert isinstance(kept, Exercise)
    assert isinstance(also, Exercise)
    assert "assert abs(total([1.5]) - 1.5) <= 2e-09" in also.test


def test_true_is_not_one_and_a_tuple_is_no_list(stage: Validate) -> None:
    said = one(stage, exercise("    return len(values) > 0\n", "    return int(len(values) > 0)\n"))
    assert isinstance(said, str)
    said = one(stage, exercise("    return [len(values)]\n", "    return (len(values),)\n"))
    assert isinstance(said, str)


def test_examples_that_build_on_each_other_show_what_was_agreed_on(stage: Validate) -> None:
    prompt = '''def total(values):
    """The sum, and the values are sorted.

    >>> given = [3, 1]
    >>> total(given)
    5
    >>> given
    [3, 1]
    >>> print(total([2, 2]))
    five
    >>> total(None)
    7
    """
'''
    body = "    values.sort()\n"
    kept = one(stage, exercise(body + SUM, body + LOOP, prompt=prompt, test=TEST))
    assert isinstance(kept, Exercise)
    shown = "    >>> given = [3, 1]\n    >>> total(given)\n    4\n    >>> given\n    [1, 3]\n"
    shown += "    >>> print(total([2, 2]))\n    4\n"
    assert shown + '    """' in kept.prompt


def test_other_documents_pass_beside_them_in_order_whole_and_on_another_machine(stage: Validate) -> None:
    plain = exercise(SUM, prompt=PROMPT.replace("    12\n", "    3\n"), test="assert total([1]) == 1\n")
    plain = Exercise(**{**plain.content(), "attempts": None})
    records = [exercise(SUM, LOOP), plain, exercise(SUM, LENGTH), exercise(FOLD, LOOP)]
    here = run(stage, *records)
    assert [isinstance(outcome, Kept) for outcome in here] == [True, True, False, True]
    assert here[1].record == plain
    blocks = pickle.loads(pickle.dumps(ValidateBlocks(TABLE, "strong", AGREEMENT)))
    there = list(blocks(records))
    assert [o.record.id for o in there] == [o.record.id for o in here]
    assert [getattr(o, "detail", "") for o in there] == [getattr(o, "detail", "") for o in here]


BODIES = st.sampled_from([SUM, LOOP, LOOP_RENAMED, FOLD, FIRST, LENGTH, RAISES, DRAWS, OBJECT, NONE, BROKEN])


@given(st.lists(st.lists(BODIES, min_size=1, max_size=4), max_size=4))
@settings(max_examples=15, deadline=None)
def test_in_is_kept_and_dropped(stage: Validate, drawn: list[list[str]]) -> None:
    outcomes = run(stage, *(exercise(*solutions) for solutions in drawn))
    for solutions, outcome in zip(drawn, outcomes, strict=True):
        right = {SUM, LOOP, FOLD} & {LOOP if body == LOOP_RENAMED else body for body in solutions}
        assert isinstance(outcome, Kept) == (len(right) >= 2)
