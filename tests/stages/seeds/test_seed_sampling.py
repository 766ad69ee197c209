"""Coverage sampling: everything once before anything twice, exact shares, and more seeds keep the first ones."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import HornbookError, RecipeError
from pipeline.core.records import Column, Seed, Task
from pipeline.domains.domain import Axis, Domain, Value
from pipeline.domains.loading import load
from pipeline.recipe_seeds import RoundTable, SeedsTable
from pipeline.recipe_teachers import ReplayTable, TeacherTable
from pipeline.stages.seeds.sampling import Deck, apportion, draw, shared_stems, turns

STRONG = ReplayTable(name="strong")
WEAK = ReplayTable(name="weak", tests="seed", textbook_share=0.0)

PYTHON = load("python")
AXES = {axis.name: axis for axis in PYTHON.axes}

shares = st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=1, max_size=5).filter(any)


def tasks(seed: int, count: int) -> Iterator[Task]:
    for n in range(count):
        yield Task(entry_point=f"task_{n}", prompt=f'def task_{n}():\n    """{seed}"""\n', test=f"assert task_{n}()\n")


def flat(values: list[str], universe: int) -> bool:
    counts = Counter(values)
    lowest = min(counts.values()) if len(counts) == universe else 0
    return max(counts.values()) - lowest <= 1


def drawn(teachers: tuple[TeacherTable, ...] = (STRONG,), seed: int = 0, **table: Any) -> list[Seed]:
    return list(draw(PYTHON, SeedsTable(**table), teachers, seed, tasks))


@pytest.mark.parametrize("count", [7, 436, 500, 1000])
@pytest.mark.parametrize("kind", ["textbooks", "exercises"])
def test_topics_audiences_and_forms_are_flat(kind: str, count: int) -> None:
    seeds = drawn(**{kind: count})
    assert len(seeds) == count
    assert flat([seed.topic for seed in seeds], len(PYTHON.topics))
    assert flat([seed.audience for seed in seeds], len(AXES["audience"].values))
    assert flat([seed.form for seed in seeds], len(AXES["form"].of(seeds[0].kind)))
    assert flat([word for seed in seeds for word in seed.words], len(PYTHON.words))


def test_names_are_flat_within_their_section() -> None:
    by_group: dict[str, list[str]] = {}
    for seed in drawn(exercises=3000):
        by_group.setdefault(seed.topic.rsplit("/", 1)[0], []).append(seed.function_name)
    for group, names in by_group.items():
        assert flat(names, len(PYTHON.names[group])), group


def test_names_go_to_topics_that_share_a_word() -> None:
    seeds = drawn(exercises=436)
    alike = sum(shared_stems(seed.topic, seed.function_name) > 0 for seed in seeds)
    assert alike > 150  # of 436; about 41 if a section's names were dealt without looking
    assert shared_stems("strings/properties/run-length", "compress_runs") == 0
    assert shared_stems("dictionaries/transforming/flatten-keys", "flatten_keys") == 2


def test_a_topic_meets_different_audiences_and_forms() -> None:
    seeds = drawn(textbooks=436 * 6)
    audiences = Counter((seed.topic, seed.audience) for seed in seeds)
    forms = Counter((seed.topic, seed.form) for seed in seeds)
    # The last card of a round leaves no choice, so a few pairs come twice; of independent draws 13% and 19% would.
    assert sum(count - 1 for count in audiences.values()) < 0.02 * len(seeds)
    assert sum(count - 1 for count in forms.values()) < 0.03 * len(seeds)


def test_a_seed_carries_how_its_text_differs() -> None:
    notes = {value.name: value.columns[0].text for axis in AXES.values() for value in axis.of("exercise").values()}
    for seed in drawn(exercises=40):
        assert seed.audience_note == notes[seed.audience]
        assert seed.form_note == notes[seed.form]
        assert seed.title == PYTHON.topics[seed.topic]
        assert len(set(seed.words)) == 2
        assert seed.task is None


def test_the_topics_are_shuffled_and_the_seed_decides() -> None:
    first, again, other = drawn(textbooks=50), drawn(textbooks=50), drawn(textbooks=50, seed=1)
    assert first == again
    assert [seed.topic for seed in first] != sorted(seed.topic for seed in first)
    assert [seed.topic for seed in first] != [seed.topic for seed in other]


def test_ids_are_unique_though_constraints_repeat() -> None:
    seeds = drawn(textbooks=600, exercises=600)
    assert len({seed.id for seed in seeds}) == 1200


def test_kinds_are_mixed_from_the_start() -> None:
    kinds = [seed.kind for seed in drawn(textbooks=30, exercises=90)]
    assert Counter(kinds) == {"textbook": 30, "exercise": 90}
    assert Counter(kinds[:40]) == {"textbook": 10, "exercise": 30}


@pytest.mark.parametrize("teachers", [(STRONG,), (STRONG, WEAK)])
def test_more_seeds_begin_with_the_same_ones(teachers: tuple[TeacherTable, ...]) -> None:
    few = {seed.id for seed in drawn(teachers, textbooks=100, exercises=300)}
    for more in (
        {"textbooks": 100, "exercises": 600},
        {"textbooks": 500, "exercises": 300},
        {"textbooks": 200, "exercises": 600},
    ):
        assert few <= {seed.id for seed in drawn(teachers, **more)}


def test_more_seeds_of_both_kinds_come_in_the_same_order() -> None:
    few, many = drawn(textbooks=50, exercises=150), drawn(textbooks=100, exercises=300)
    assert many[:200] == few


def test_exercises_for_weak_teachers_carry_a_task() -> None:
    seeds = drawn((STRONG, WEAK), seed=5, exercises=10, textbooks=4)
    weak = [seed for seed in seeds if seed.teacher == "weak"]
    assert len(weak) == 5
    assert [seed.task for seed in weak] == list(tasks(5, 5))
    assert [seed.function_name for seed in weak] == [f"task_{n}" for n in range(5)]
    assert all(seed.kind == "exercise" and seed.form == "complete" and not seed.topic for seed in weak)
    assert all(seed.task is None for seed in seeds if seed.teacher == "strong")


def test_more_words_than_there_are_take_them_all() -> None:
    words = PYTHON.words
    assert set(drawn(textbooks=1, words=len(words) + 5)[0].words) == set(words)
    assert drawn(textbooks=1, words=0)[0].words == ()


def test_nothing_is_drawn_for_zero() -> None:
    assert drawn(()) == []


def test_counts_without_a_teacher_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"'seeds.textbooks' is 3, but no teacher has textbook_share above 0"):
        draw(PYTHON, SeedsTable(textbooks=3), [WEAK], 0)
    with pytest.raises(RecipeError, match="'seeds.exercises' is 1"):
        draw(PYTHON, SeedsTable(exercises=1), [], 0)


def test_a_weak_teacher_needs_tasks() -> None:
    with pytest.raises(RecipeError, match="no source of tasks"):
        draw(PYTHON, SeedsTable(exercises=3), [WEAK], 0, None)
    with pytest.raises(HornbookError, match="gave 2 of 3 tasks"):
        list(draw(PYTHON, SeedsTable(exercises=3), [WEAK], 0, lambda seed, count: islice(tasks(seed, count), 2)))


def test_topics_cut_the_tree_down() -> None:
    seeds = draw(PYTHON, SeedsTable(textbooks=60, topics=("strings/slicing", "lists")), [STRONG], 0)
    assert all(seed.topic.startswith(("strings/slicing/", "lists/")) for seed in seeds)
    with pytest.raises(RecipeError, match="'string'; did you mean 'strings'"):
        draw(PYTHON, SeedsTable(textbooks=1, topics=("string",)), [STRONG], 0)


def with_axes(**axes: dict[str, dict[str, tuple[str, ...]]]) -> Domain:
    """Python's topics with axes of their own: axis -> value -> `only`."""

    def value(key: str, only: dict[str, tuple[str, ...]]) -> Value:
        return Value(key, key, (Column("note", f"note of {key}"),), ("textbook", "exercise"), only)

    made = tuple(Axis(n, tuple(value(k, o) for k, o in sorted(v.items())), ("note",)) for n, v in axes.items())
    return replace(PYTHON, axes=made)


def test_axes_of_any_name_are_in_the_seed_and_are_flat() -> None:
    domain = with_axes(level={"easy": {}, "hard": {}}, audience={"child": {}, "adult": {}, "elder": {}})
    seeds = list(draw(domain, SeedsTable(textbooks=120), [STRONG], 0))
    assert Counter(seed.audience for seed in seeds) == {"child": 40, "adult": 40, "elder": 40}
    levels = Counter(choice.name for seed in seeds for choice in seed.axes if choice.axis == "level")
    assert levels == {"easy": 60, "hard": 60}
    assert (seeds[0].audience_note, seeds[0].form) == (f"note of {seeds[0].audience}", "")


def test_only_is_kept() -> None:
    domain = with_axes(
        level={"easy": {}, "hard": {"topic": ("strings", "lists")}},
        style={"terse": {"level": ("hard",)}, "chatty": {}},
    )
    seeds = list(draw(domain, SeedsTable(textbooks=500), [STRONG], 0))
    for seed in seeds:
        level, style = (choice.name for choice in seed.axes)
        assert level == "easy" or seed.topic.startswith(("strings/", "lists/"))
        assert style == "chatty" or level == "hard"
    assert {tuple(choice.name for choice in seed.axes) for seed in seeds} == {
        ("easy", "chatty"), ("hard", "chatty"), ("hard", "terse")
    }  # fmt: skip


def test_a_combination_without_a_value_is_refused() -> None:
    domain = with_axes(level={"easy": {"topic": ("strings",)}})
    with pytest.raises(RecipeError, match="axis 'level' has no value for topic '"):
        list(draw(domain, SeedsTable(textbooks=50), [STRONG], 0))


@given(st.integers(0, 500), shares)
def test_apportionment_is_whole_and_nearest(total: int, parts: list[float]) -> None:
    counts = apportion(total, parts)
    assert sum(counts) == total
    for count, part in zip(counts, parts, strict=True):
        assert abs(count - total * part / sum(parts)) < 1
        assert part or not count


def test_apportionment_by_largest_remainder() -> None:
    assert apportion(10, [0.3, 0.3, 0.4]) == [3, 3, 4]
    assert apportion(1, [0.5, 0.5]) == [1, 0]
    assert apportion(100, [1 / 3, 1 / 3, 1 / 3]) == [34, 33, 33]
    assert apportion(0, [0.0]) == [0]
    with pytest.raises(ValueError, match="shares"):
        apportion(1, [0.0, 0.0])


@given(st.integers(0, 200), shares)
def test_turns_are_exact_and_evenly_mixed(total: int, parts: list[float]) -> None:
    order = list(turns(total, parts))
    counts = Counter(order)
    assert [counts[n] for n in range(len(parts))] == apportion(total, parts)
    for so_far in range(1, total):
        for n, part in enumerate(parts):
            assert abs(order[:so_far].count(n) - so_far * part / sum(parts)) < len(parts)


@given(st.integers(1, 12), st.integers(0, 60), st.integers(0, 5))
def test_a_deck_deals_each_card_once_a_round(size: int, deals: int, seed: int) -> None:
    deck = Deck([str(n) for n in range(size)], seed, ("test",))
    cards = [deck.deal(str(n % 3)) for n in range(deals)]
    for start in range(0, deals - size + 1, size):
        assert len(set(cards[start : start + size])) == size


@settings(max_examples=50)
@given(st.integers(1, 9), st.integers(0, 12), st.integers(1, 20))
def test_a_hand_holds_different_cards(size: int, hand: int, hands: int) -> None:
    deck = Deck([str(n) for n in range(size)], 0, ("test",))
    dealt = [deck.hand(hand) for _ in range(hands)]
    for cards in dealt:
        assert len(cards) == len(set(cards)) == min(size, hand)
    counts = Counter(card for cards in dealt for card in cards)
    if counts:
        assert max(counts.values()) - (min(counts.values()) if len(counts) == size else 0) <= 2


def test_a_round_adds_seeds_of_its_topics_and_leaves_all_before_it_as_they_were() -> None:
    first = drawn(exercises=30, textbooks=4)
    topics = [first[0].topic, first[1].topic]
    rounds = (RoundTable(exercises={topics[0]: 3, topics[1]: 1}), RoundTable(textbooks={topics[1]: 2}))
    seeds = {size: drawn(exercises=30, textbooks=4, rounds=rounds[:size]) for size in range(3)}
    assert seeds[0] == first
    assert seeds[1][:34] == first
    assert seeds[2][:38] == seeds[1]
    added = [(seed.kind, seed.topic) for seed in seeds[2][34:]]
    assert Counter(added[:4]) == {("exercise", topics[0]): 3, ("exercise", topics[1]): 1}
    assert added[4:] == [("textbook", topics[1])] * 2
    assert sorted(seed.number for seed in seeds[2] if seed.kind == "exercise") == list(range(34))
    assert sorted(seed.number for seed in seeds[2] if seed.kind == "textbook") == list(range(6))
    with pytest.raises(RecipeError, match="'seeds.rounds.0': 'no/such' is no topic"):
        drawn(exercises=1, rounds=(RoundTable(exercises={"no/such": 1}),))
