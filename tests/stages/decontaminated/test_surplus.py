"""What is kept beyond what is wanted: exactly that goes, from the most crowded topics, in whatever order it comes."""

from collections import Counter
from collections.abc import Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.records import Document, Exercise, Passage
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.recipe_seeds import WantTable
from pipeline.stages.decontaminated.stage import Decontaminate
from pipeline.stages.decontaminated.surplus import Enough


def exercise(number: int, topic: str) -> Exercise:
    return Exercise(
        prompt=f"def f{number}():\n",
        solution="    return 1\n",
        entry_point=f"f{number}",
        test="",
        test_owner="teacher",
        topic=topic,
        teacher="t",
    )


def outcomes(records: Iterable[Document], **want: int) -> list[Kept[Document] | Dropped]:
    tally = Tally()
    found = list(checked(Enough(Decontaminate(), WantTable(**want)), records, tally))  # type: ignore[arg-type]
    assert tally.balanced
    return found


def kept(records: Iterable[Document], **want: int) -> Iterator[Document]:
    return (outcome.record for outcome in outcomes(records, **want) if isinstance(outcome, Kept))


@given(st.lists(st.sampled_from("aaaabbc"), max_size=30), st.integers(1, 20), st.randoms(use_true_random=False))
def test_as_many_stay_as_are_wanted_evenly_over_topics_whatever_their_order(topics, most, random):  # type: ignore[no-untyped-def]
    records: list[Document] = [exercise(number, topic) for number, topic in enumerate(topics)]
    there = list(kept(records, exercises=most))
    assert len(there) == min(most, len(records))
    left, had = Counter(one.topic for one in there), Counter(topics)
    for topic in had.keys() - {topic for topic in had if left[topic] == had[topic]}:
        assert max(left.values()) - left[topic] <= 1
    random.shuffle(records)
    assert {one.id for one in kept(records, exercises=most)} == {one.id for one in there}


def test_each_kind_has_its_own_number_and_real_code_none() -> None:
    code = [Passage(text=f"x = {number}\n") for number in range(3)]
    passages = [Passage(text=f"text {number}", topic="a", teacher="t") for number in range(3)]
    records: list[Document] = [*code, *passages, exercise(1, "a"), exercise(2, "a")]
    assert len(list(kept(records, exercises=1))) == 7
    assert len(list(kept(records, textbooks=2))) == 7
    dropped = [o for o in outcomes(records, exercises=1, textbooks=2) if isinstance(o, Dropped)]
    assert Counter(o.detail for o in dropped) == {"2 are kept, 1 are wanted": 1, "3 are kept, 2 are wanted": 1}
    assert {o.reason for o in dropped} == {"surplus"}
