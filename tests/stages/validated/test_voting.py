"""Outside Python: what blind solutions agree on by the domain's checker, and what of the own check is a guess."""

import json
from dataclasses import replace
from typing import Any

import pytest

from pipeline.checkers.protocol import Means
from pipeline.core.records import Completion, Exercise, Seed, Task
from pipeline.core.stage import Kept, Tally, checked
from pipeline.domains.loading import load
from pipeline.recipe import AgreementTable, ValidatedTable
from pipeline.stages.solutions.stage import asks, body_of, seed_of
from pipeline.stages.validated.ruling import Rule

SCHEMA = (
    "CREATE TABLE pets (name TEXT NOT NULL, kind TEXT NOT NULL, legs INTEGER NOT NULL);"
    "INSERT INTO pets VALUES ('Ada', 'cat', 4), ('Bo', 'bird', 2), ('Cy', 'cat', 3);"
)
CATS = "SELECT name FROM pets WHERE kind = 'cat';\n"
ALSO_CATS = "SELECT p.name FROM pets AS p WHERE p.kind IN ('cat') ORDER BY p.legs;\n"
BY_ACCIDENT = "SELECT name FROM pets WHERE legs > 2;\n"
ALL = "SELECT name FROM pets;\n"
DOGS = "SELECT name FROM pets WHERE kind = 'dog';\n"
ERROR = "SELECT weight FROM pets;\n"


def exercise(language: str, solution: str, *attempts: str, check: object = None, prompt: str = "Which?\n") -> Exercise:
    test = json.dumps(check or {"schema": SCHEMA})
    return Exercise(
        prompt=prompt,
        solution=solution,
        entry_point="",
        test=test,
        test_owner="teacher",
        teacher="t",
        attempts=attempts,
    )


def ruled(name: str, *exercises: Exercise, agree: int = 2) -> list[Any]:
    rule = Rule(load(name), ValidatedTable(), Means(mode="weak"), AgreementTable(agree=agree))
    tally = Tally()
    outcomes = list(checked(rule, exercises, tally))
    assert (tally.entered, len(outcomes)) == (len(exercises), len(exercises))
    return outcomes


def told(outcome: Any) -> tuple[str, str]:
    if isinstance(outcome, Kept):
        assert outcome.record.attempts is None
        assert outcome.record.test_owner == "agreement"
        return "kept", outcome.record.solution
    return outcome.reason, outcome.detail


def test_queries_vote_by_their_rows_on_the_shown_and_on_other_data() -> None:
    found = ruled(
        "sql",
        exercise("sql", CATS, ALSO_CATS, ALL, BY_ACCIDENT),
        exercise("sql", BY_ACCIDENT, CATS, ALSO_CATS, ALL),
        exercise("sql", CATS, CATS, ERROR),
        exercise("sql", CATS, BY_ACCIDENT, ALL),
        exercise("sql", CATS, ALSO_CATS, ALL, ALL),
        exercise("sql", ERROR, DOGS),
        exercise("sql", CATS),
    )
    own, outvoted, equal, none, tied, broken, alone = map(told, found)
    assert own == ("kept", CATS)
    assert outvoted == ("kept", CATS)
    assert equal == ("kept", CATS)
    assert none[0] == "no-agreement"
    assert none[1].startswith("1 of 3 solutions agree, and as many on something else, 2 wanted: wrong-on-other-data")
    assert tied[0] == "no-agreement"
    assert tied[1].startswith("2 of 4 solutions agree, and as many on something else, 2 wanted")
    assert broken[0] == "no-agreement"
    assert broken[1].startswith("none of 2 solutions holds by itself: error: ")
    assert alone == ("no-agreement", "1 of 1 solutions agree, 2 wanted")
    assert isinstance(found[1], Kept)
    assert json.loads(found[1].record.test) == {"schema": SCHEMA, "reference": CATS}


def test_more_than_two_may_be_wanted() -> None:
    three, two = ruled("sql", exercise("sql", CATS, ALSO_CATS, CATS), exercise("sql", CATS, CATS, ALL), agree=3)
    assert told(three) == ("kept", CATS)
    assert told(two)[1].startswith("2 of 3 solutions agree, 3 wanted")


def test_what_a_teacher_says_to_match_is_a_guess_and_is_tried() -> None:
    guess = {"match": ["12", "1234"], "no_match": ["99"]}
    digits, also, wrong = "\\d{2}\n", "[0-9][0-9]\n", "\\d+\n"
    kept, apart, endless = ruled(
        "regex",
        exercise("regex", digits, also, wrong, check=guess),
        exercise("regex", digits, wrong, check=guess),
        exercise("regex", "(a+)+b\n", "(a+)+b\n", check=guess),
    )
    assert told(kept) == ("kept", digits)
    assert isinstance(kept, Kept)
    assert json.loads(kept.record.test) == {"tried": ["12", "1234", "99"], "reference": "\\d{2}"}
    assert told(apart)[1].startswith("1 of 2 solutions agree, and as many on something else, 2 wanted: over-match")
    assert told(endless)[0] == "no-agreement"


def test_a_drop_is_of_the_record_that_came() -> None:
    given = exercise("sql", CATS, BY_ACCIDENT)
    (one,) = ruled("sql", given)
    assert one.record is given


def test_an_exercise_without_attempts_keeps_its_own_check() -> None:
    (one,) = ruled("sql", replace(exercise("sql", CATS), attempts=None))
    assert isinstance(one, Kept)
    assert one.record.test_owner == "teacher"


def test_solutions_are_asked_from_the_prompt_alone() -> None:
    given = replace(exercise("sql", CATS), attempts=None)
    assert asks(given, frozenset({"t"}), AgreementTable())
    assert not asks(replace(given, test_owner="seed"), frozenset({"t"}), AgreementTable())
    seed = seed_of(given, 3, "solver")
    assert (seed.teacher, seed.number, seed.function_name) == ("solver", 3, "")
    assert seed.task == Task(entry_point="", prompt="Which?\n", test="")


@pytest.mark.parametrize(
    ("text", "body"),
    [("```sql\nSELECT 1\n```", "SELECT 1\n"), ("Sorry.", None), ("```sql\nSELECT FROM WHERE ((\n```", None)],
)
def test_a_blind_answer_is_read_by_its_language(text: str, body: str | None) -> None:
    seed: Seed = seed_of(exercise("sql", CATS), 0)
    answer = Completion(
        prompt_id="p", seed=seed, teacher="t", teacher_kind="replay", model="m", text=text, finish_reason="stop"
    )
    assert body_of(answer, "sql") == body
