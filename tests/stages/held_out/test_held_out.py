"""The stage `held-out`: what is asked is not trained on, whatever the order in which it comes."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import EmptyCorpus, InputError, RecipeError
from pipeline.core.records import Document, Exercise, Passage
from pipeline.core.stage import Dropped, Kept
from pipeline.recipe import HeldOutTable
from pipeline.stages.held_out.stage import Candidate, HoldOut, drawn, problem_of

TOPICS = ("numbers/digits", "strings/words", "lists/sorting")


def exercise(name: str, topic: str, number: int = 0) -> Exercise:
    return Exercise(
        prompt=f'def {name}(n: int) -> int:\n    """{name} of n, plus {number}."""\n',
        solution=f"    return n + {number}\n",
        entry_point=name,
        test=f"assert {name}(1) == {1 + number}\n",
        test_owner="agreement",
        topic=topic,
        audience="",
        teacher="t",
        completion_id="c",
    )


exercises = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(TOPICS), st.integers(0, 5)), unique=True, max_size=30
).map(lambda drawn: [exercise(f"f_{name}", topic, number) for name, topic, number in drawn])


def split(documents: list[Document], **table: float) -> tuple[list[Document], dict[str, list[Document]], HoldOut]:
    stage = HoldOut(HeldOutTable.model_validate(table))
    kept: list[Document] = []
    dropped: dict[str, list[Document]] = {"held-out": [], "same-name": []}
    for outcome in stage(documents):
        if isinstance(outcome, Kept):
            kept.append(outcome.record)
        else:
            assert isinstance(outcome, Dropped)
            dropped[outcome.reason].append(outcome.record)
    return kept, dropped, stage


@given(exercises, st.randoms())
def test_what_is_drawn_depends_on_the_exercises_alone(documents: list[Exercise], random: object) -> None:
    shuffled = list(documents)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = [drawn([Candidate(d.id, d.topic, d.entry_point) for d in some], 4, 1) for some in (documents, shuffled)]
    assert found[0] == found[1]


@given(exercises)
def test_other_words_change_nothing_of_what_is_asked(documents: list[Exercise]) -> None:
    if len(documents) < 5:
        return
    words = [replace(one, prompt=one.prompt.replace("of n", "of it"), wording=1) for one in documents]
    alone, _, first = split([*documents], problems=4, share=0.5)
    beside, dropped, second = split(
        [one for pair in zip(words, documents, strict=True) for one in pair], problems=4, share=0.5
    )
    assert [one.task_id for one in first.problems] == [one.task_id for one in second.problems]
    assert [one for one in beside if one in documents] == alone
    assert not any(isinstance(one, Exercise) and one.wording for one in dropped["held-out"])


@given(exercises)
def test_no_name_is_both_asked_and_trained_on(documents: list[Exercise]) -> None:
    if len(documents) < 5:
        return
    kept, dropped, stage = split([*documents], problems=3, share=0.5)
    asked = {problem.entry_point for problem in stage.problems}
    assert not asked & {d.entry_point for d in kept if isinstance(d, Exercise)}
    assert len(asked) == len(stage.problems) == len(dropped["held-out"]) <= 3
    assert len(kept) + sum(map(len, dropped.values())) == len(documents)


@given(exercises)
def test_a_second_of_a_topic_comes_after_the_first_of_all(documents: list[Exercise]) -> None:
    candidates = [Candidate(d.id, d.topic, d.entry_point) for d in documents]
    one_each = [c for c in candidates if sum(o.name == c.name for o in candidates) == 1]
    topics = {c.topic for c in one_each}
    chosen = set(drawn(one_each, len(topics), 0))
    assert Counter(c.topic for c in one_each if c.id in chosen) == Counter(topics)


def test_a_passage_and_an_exercise_without_a_test_are_no_problems() -> None:
    passage = Passage(text="```python\nf_a()\n```\n", topic=TOPICS[0])
    plain = [exercise(f"f_{name}", TOPICS[0]) for name in "abcdefghij"]
    kept, dropped, _ = split([passage, *plain], problems=2)
    assert passage in kept
    assert len(dropped["held-out"]) == 2


def test_a_problem_is_its_exercise() -> None:
    one = exercise("f_a", TOPICS[0], 3)
    problem = problem_of(one)
    assert (problem.benchmark, problem.task_id, problem.prompt) == ("held-out", one.id, one.prompt)
    assert (problem.test, problem.canonical_solution) == (one.test, one.solution)


def test_a_corpus_too_small_to_draw_from_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(EmptyCorpus) as error:
        split([exercise("f_a", TOPICS[0])])
    assert "held_out.share = 0.2 of 1 exercises with tests is less than one problem" in str(error.value)
    assert "raise held_out.share" in str(error.value)


def test_the_name_alone_stands_for_no_file() -> None:
    from pipeline.benchmarks.problems import load

    with pytest.raises(InputError, match="made by each run"):
        load("held-out")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("seeds.exercises=0", "names 'held-out', but seeds.exercises = 0"),
        ('decontaminated.benchmarks=["held-out"]', "decontaminated.benchmarks names 'held-out'"),
    ],
)
def test_a_recipe_that_cannot_hold_back_is_told_so(override: str, told: str) -> None:
    from pipeline.recipe_text import load

    with pytest.raises(RecipeError, match=told):
        load("tiny", ['evaluation.benchmarks=["held-out"]', override])


def kept_back(documents: list[Document], problems: list[Exercise]) -> tuple[list[Document], dict[str, str]]:
    stage = HoldOut(HeldOutTable(), problems=[problem_of(problem) for problem in problems])
    outcomes = list(stage(documents))
    assert [problem.task_id for problem in stage.problems] == [problem.id for problem in problems]
    return (
        [one.record for one in outcomes if isinstance(one, Kept)],
        {one.record.id: one.reason for one in outcomes if isinstance(one, Dropped)},
    )


@given(exercises)
def test_problems_of_an_earlier_run_are_kept_back_and_none_is_drawn(documents: list[Exercise]) -> None:
    problems = documents[:3]
    if not problems:
        return
    kept, dropped = kept_back(list(documents), problems)
    assert len(kept) + len(dropped) == len(documents)
    assert {one for one, reason in dropped.items() if reason == "held-out"} == {one.id for one in problems}
    names = {one.entry_point for one in problems}
    assert not names & {one.entry_point for one in kept if isinstance(one, Exercise)}


def test_problems_that_the_corpus_lacks_are_asked_all_the_same() -> None:
    other = exercise("elsewhere", TOPICS[0])
    kept, dropped = kept_back([exercise("here", TOPICS[1]), exercise("elsewhere", TOPICS[2])], [other])
    assert [one.entry_point for one in kept if isinstance(one, Exercise)] == ["here"]
    assert list(dropped.values()) == ["same-name"]
