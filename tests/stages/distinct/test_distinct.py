import pickle
import random
import re
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.records import Document, Exercise, Passage
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.recipe import DistinctTable
from pipeline.stages.distinct.stage import Distinct, keeper_key
from pipeline.work.protocol import SERIAL, Executor

WORDS = [f"word{i}" for i in range(4_000)]


def jaccard(a: str, b: str, n: int = 5) -> float:
    """Exact Jaccard in plain Python, for texts of at least `n` words."""
    x, y = (
        {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
        for words in (re.findall(r"\w+", t) for t in (a, b))
    )
    return len(x & y) / len(x | y)


def run(documents: list[Document], **settings_: object) -> tuple[list[Document], list[Dropped]]:
    tally = Tally()
    outcomes = list(checked(Distinct(DistinctTable(**settings_)), documents, tally))  # type: ignore[arg-type]
    assert tally.balanced
    kept = [o.record for o in outcomes if isinstance(o, Kept)]
    return kept, [o for o in outcomes if isinstance(o, Dropped)]  # type: ignore[return-value]


def passages(*texts: str) -> list[Document]:
    return [Passage(text=text, origin=str(i)) for i, text in enumerate(texts)]


def exercise(prompt: str, solution: str, **more: object) -> Exercise:
    fields: dict[str, object] = {"entry_point": "f", "test": "", "test_owner": "teacher", **more}
    return Exercise(prompt=prompt, solution=solution, **fields)  # type: ignore[arg-type]


def prose(seed: int, length: int = 200) -> list[str]:
    return random.Random(seed).choices(WORDS, k=length)


def edited(words: list[str], rate: float, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [draw.choice(WORDS) if draw.random() < rate else word for word in words]


def test_equal_texts_are_one_and_the_drop_names_the_survivor() -> None:
    kept, dropped = run(passages("alpha beta gamma", "alpha beta gamma", "delta"))
    assert len(kept) == 2
    (drop,) = dropped
    assert (drop.reason, drop.similarity) == ("exact-duplicate", 1.0)
    assert drop.kept_id in {document.id for document in kept}


def test_near_duplicates_carry_the_exact_similarity_to_the_document_kept() -> None:
    a = prose(0)
    b = [*a[:190], *prose(1, 10)]
    kept, (drop,) = run(passages(" ".join(a), " ".join(b)))
    assert drop.reason == "near-duplicate"
    assert drop.kept_id == kept[0].id
    assert drop.similarity == pytest.approx(jaccard(" ".join(a), " ".join(b)))
    assert drop.detail == f"{drop.similarity:.2f} >= 0.7"


def test_a_chain_of_resemblance_does_not_reach_beyond_the_survivor() -> None:
    words = prose(3, 400)
    chain = []
    for step in range(12):
        words = edited(words, 0.02, step)
        chain.append(" ".join(words))
    documents = passages(*chain)
    text = {document.id: document.text for document in documents}
    kept, dropped = run(documents)
    assert len(kept) > 1
    for drop in dropped:
        assert drop.kept_id in {document.id for document in kept}
        assert jaccard(text[drop.record.id], text[drop.kept_id]) >= 0.7


def test_no_two_survivors_are_near_duplicates_on_a_ladder_of_edits() -> None:
    documents: list[Document] = []
    pairs: list[tuple[str, str]] = []
    for seed in range(150):
        original = prose(seed + 100, 120)
        for rate in (0.005, 0.01, 0.02, 0.03, 0.05, 0.1):
            pairs.append((" ".join(original), " ".join(edited(original, rate, seed))))
    texts = sorted({text for pair in pairs for text in pair})
    documents = passages(*texts)
    kept, dropped = run(documents)
    survivors = {document.text for document in kept}
    close = [(a, b) for a, b in pairs if a != b and jaccard(a, b) >= 0.7]
    assert len(close) > 300
    missed = sum(a in survivors and b in survivors for a, b in close)
    assert missed <= 0.01 * len(close)
    by_id = {document.id: document.text for document in documents}
    assert all(jaccard(by_id[d.record.id], by_id[d.kept_id]) >= 0.7 for d in dropped)


def test_texts_shorter_than_a_shingle_are_only_alike_when_equal() -> None:
    texts = ["", " ", "a", "b", "x = 1", "x - 1", "return a", "+++", "---", "one two three four"]
    kept, dropped = run(passages(*texts))
    assert [d.reason for d in dropped] == []
    assert len(kept) == len(texts)
    _, (drop,) = run(passages("one two", "one  two\n"))
    assert drop.reason == "near-duplicate"


@pytest.mark.parametrize("longer", [90, 110, 140, 260])
def test_a_document_contained_in_a_longer_one_stays(longer: int) -> None:
    part = prose(7, 60)
    kept, dropped = run(passages(" ".join(part), " ".join(part + prose(8, longer - 60))))
    assert (len(kept), dropped) == (2, [])


def test_templated_documents_on_different_topics_do_not_merge() -> None:
    template = "Write a function that solves the following task and explain each step of it to a {} who knows {}"
    topics = [" ".join(prose(seed, 60)) for seed in range(200)]
    texts = [template.format("beginner", "loops") + " " + topic for topic in topics]
    kept, dropped = run(passages(*texts))
    assert (len(kept), dropped) == (200, [])


def test_templated_exercises_that_resemble_each_other_in_a_chain_are_no_cluster() -> None:
    words = prose(61, 600)
    documents: list[Document] = []
    for i in range(100):
        said = " ".join(words[4 * i : 4 * i + 100])
        prompt = f'def solve(values):\n    """Write a function as the template says: {said}"""\n'
        documents.append(exercise(prompt, f"    return [v * {i} for v in values] + {words[i]}\n", test="assert solve"))
    text = {document.id: document.text for document in documents}
    neighbours = [jaccard(a.text, b.text) for a, b in pairwise(documents)]
    assert min(neighbours) >= 0.7  # so that single linkage, as union-find does it, leaves one
    kept, dropped = run(documents)
    assert len(kept) > 10
    assert all(jaccard(text[drop.record.id], text[drop.kept_id]) >= 0.7 for drop in dropped)


def test_a_huge_cluster_leaves_one_and_stays_fast() -> None:
    base = prose(11, 300)
    texts = [" ".join([*base, f"copy{i}"]) for i in range(3_000)]
    kept, dropped = run(passages(*texts))
    assert len(kept) == 1
    assert {d.kept_id for d in dropped} == {kept[0].id}


def test_a_wildly_long_document_is_compared_like_any_other() -> None:
    words = prose(13, 150_000)
    kept, (drop,) = run(passages(" ".join(words), " ".join([*words, "end"]), "short text of a few words more"))
    assert len(kept) == 2
    assert drop.similarity is not None
    assert drop.similarity > 0.99


def test_the_band_parameters_of_a_recipe_are_used() -> None:
    a, b = " ".join(prose(21, 100)), " ".join(edited(prose(21, 100), 0.05, 1))
    similarity = jaccard(a, b)
    assert 0.5 < similarity < 0.9
    _, loose = run(passages(a, b), similarity=similarity - 0.01)
    _, tight = run(passages(a, b), similarity=similarity + 0.01)
    assert (len(loose), len(tight)) == (1, 0)


def test_chinese_text_is_compared_by_characters() -> None:
    text = "".join(chr(0x4E00 + i) for i in random.Random(5).choices(range(2_000), k=300))
    _, (drop,) = run(passages(text, text[:-5] + "。完"))
    assert drop.reason == "near-duplicate"


def test_renamed_clones_go_and_constants_stay() -> None:
    first = (
        "def total(prices, tax):\n    amount = 0\n    for price in prices:\n"
        "        amount += price * 2\n    return amount + tax\n"
    )
    renamed = (
        "def addiere(werte: list[int], extra: int) -> int:\n"
        '    """Ganz andere Worte als im Original stehen hier in dieser Beschreibung."""\n'
        "    s = 0  # Anfang\n    for w in werte:\n        s += (w * 2)\n    return s + extra\n"
    )
    other = first.replace("* 2", "* 3").replace("amount", "n").replace("prices", "xs").replace("price", "x")
    kept, dropped = run(passages(first, renamed, other))
    assert Counter(d.reason for d in dropped) == {"clone": 1}
    assert len(kept) == 2
    assert len(run(passages(first, renamed), clones=False)[0]) == 2


def variant(n: int, word: str) -> str:
    return f'def scale_{word}(x):\n    """{word} {word}s by {word}."""\n    y = x * {n}\n    return y + {n}\n'


def test_constant_variants_are_kept_and_can_be_capped() -> None:
    texts = [variant(n, WORDS[n]) for n in range(2, 12)]
    assert len(run(passages(*texts))[0]) == 10
    kept, dropped = run(passages(*texts), max_constant_variants=3)
    assert len(kept) == 3
    assert {d.reason for d in dropped} == {"clone"}
    assert "3 kept >= 3" in dropped[0].detail


def test_exercises_that_differ_in_constants_only_are_not_near_duplicates() -> None:
    docstring = '    """' + " ".join(prose(31, 60)) + '"""\n'
    documents: list[Document] = [
        exercise(f"def f(x):\n{docstring}", f"    return x * {n}\n", test="assert f") for n in range(5)
    ]
    assert len(run(documents)[0]) == 5
    assert len(run(documents, max_constant_variants=2)[0]) == 2
    as_passages = passages(*(document.text for document in documents))
    assert len(run(as_passages)[0]) == 1


SAME_SUM = (
    ("values", "Return the sum of values."),
    ("numbers", "Return the sum of numbers."),
    ("values", "Add all the given numbers up and return what comes out."),
    ("values", "What is the total of a list? Loop over it."),
)


def worded(name: str, said: str, factor: int = 1, **more: object) -> Exercise:
    prompt = f'def f({name}):\n    """{said}"""\n'
    solution = f"    total = 0\n    for item in {name}:\n        total += item * {factor}\n    return total\n"
    return exercise(prompt, solution, **more)


@pytest.mark.parametrize(("most", "left"), [(1, 1), (2, 2), (3, 3), (0, 3)])
def test_exercises_may_say_one_solution_in_other_words(most: int, left: int) -> None:
    documents: list[Document] = [worded(name, said) for name, said in SAME_SUM]
    assert len({document.text for document in documents}) == 4
    kept, dropped = run(documents, max_wordings=most)
    assert len(kept) == left
    assert {drop.reason for drop in dropped} == {"clone"}
    again, none = run(kept, max_wordings=most)
    assert (again, none) == (kept, [])
    if most == 2:
        details = [drop.detail for drop in dropped]
        assert any(detail.startswith("2 wordings kept of an equal normal form >= 2; text 0.") for detail in details)


def test_a_renaming_to_a_word_of_the_docstring_is_a_clone() -> None:
    prompt = 'def f(xs):\n    """Return the total of xs."""\n'
    documents: list[Document] = [
        exercise(prompt, f"    {n} = 0\n    for x in xs:\n        {n} += x\n    return {n}\n") for n in ("total", "acc")
    ]
    kept, (drop,) = run(documents, max_wordings=0)
    assert (len(kept), drop.reason) == (1, "clone")


def test_passages_are_clones_in_any_words() -> None:
    texts = [worded(name, said).text for name, said in SAME_SUM]
    assert len(run(passages(*texts), max_wordings=0)[0]) == 1
    mixed: list[Document] = [worded(*SAME_SUM[0], test="assert f", test_owner="seed"), *passages(*texts[1:])]
    assert len(run(mixed, max_wordings=0)[0]) == 1
    first_kept = set()
    for i in range(8):  # without tests, the smaller id is kept, a passage's or an exercise's
        pair: list[Document] = [worded(*SAME_SUM[0], audience=str(i)), Passage(text=texts[2], audience=str(i))]
        (keeper,), _ = run(pair, max_wordings=0)
        first_kept.add(type(keeper))
    assert first_kept == {Passage, Exercise}


def test_other_wordings_are_not_counted_as_variants_of_constants() -> None:
    documents: list[Document] = [worded(*SAME_SUM[k], factor=n) for n in (2, 3, 4) for k in (0, 2, 3)]
    kept, dropped = run(documents, max_wordings=0, max_constant_variants=2)
    assert len(kept) == 6
    assert all("differs in constants only from 2 kept >= 2" in drop.detail for drop in dropped)
    assert len(run(documents, max_wordings=1, max_constant_variants=2)[0]) == 2


def test_stubs_are_not_clones_of_each_other() -> None:
    stub = 'def {}(self, value):\n    """{}"""\n    raise NotImplementedError\n'
    kept, _ = run(passages(stub.format("read", "Reads one thing."), stub.format("write_all", "Writes something else.")))
    assert len(kept) == 2


def test_modules_of_a_value_or_two_are_not_clones_of_each_other() -> None:
    texts = ["BACKOFF = 10\nTRIES = 3\n", '"""For tests."""\nWIDTH = 10\nHEIGHT = 3\n']
    assert len(run(passages(*texts))[0]) == 2
    assert len(run(passages(*texts), max_constant_variants=1)[0]) == 2


def test_the_keeper_is_the_exercise_with_owned_tests() -> None:
    with_tests = exercise("def f(a):\n", "    return a\n", test="assert f(1) == 1", test_owner="seed")
    others = [exercise("def f(a):\n", "    return a\n", audience=str(i)) for i in range(5)]
    kept, dropped = run([*others, with_tests])
    assert kept == [with_tests]
    assert min([*others, with_tests], key=keeper_key) == with_tests
    assert {d.kept_id for d in dropped} == {with_tests.id}


def test_tests_that_the_pipeline_owns_go_before_a_teachers_and_those_before_none() -> None:
    def one(owner: str, number: int, test: str = "assert f(1) == 1") -> Exercise:
        return exercise("def f(a):\n", "    return a\n", test=test, test_owner=owner, audience=str(number))

    owned, taught, untested = (
        [one("seed", n) for n in range(8)],
        [one("teacher", n) for n in range(8)],
        [one("teacher", n, " \n") for n in range(8)],
    )
    for better, worse in ((owned, taught), (taught, untested), (owned, untested)):
        for first, second in zip(better, worse, strict=True):  # whichever of the two has the smaller id
            kept, (drop,) = run([second, first])
            assert kept == [first]
            assert (drop.record, drop.kept_id) == (second, first.id)


SOME_TEXT = st.one_of(
    st.lists(st.sampled_from(["a", "b", "c", "dd", "é", "漢字", "+", "\n"]), max_size=14).map(" ".join),
    st.builds(
        lambda name, n, op: f"def {name}(x):\n    y = x {op} {n}\n    return y\n",
        st.sampled_from("fgh"),
        st.integers(0, 2),
        st.sampled_from("+-*"),
    ),
    st.text(max_size=12),
)


class Elsewhere:
    """An executor whose blocks and results travel, as they do to another process."""

    parallel = True
    cpu_seconds = 0.0

    def map(self, work: Any, blocks: Any) -> Any:
        for block in blocks:
            yield pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(work))(pickle.loads(pickle.dumps(block)))))


SOME_EXERCISE = st.builds(
    worded,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["One way.", "Another way of a.", "Another way of b.", "A third."]),
    st.integers(1, 2),
    test=st.sampled_from(["", "assert f"]),
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(SOME_TEXT, max_size=14).map(lambda texts: passages(*texts)),
    st.lists(SOME_EXERCISE, max_size=10, unique_by=lambda document: document.id),
    st.randoms(use_true_random=False),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from([SERIAL, Elsewhere()]),
)
def test_the_survivors_depend_on_neither_order_nor_executor_and_a_second_pass_drops_nothing(
    texts: list[Document],
    exercises: list[Exercise],
    shuffler: random.Random,
    cap: int,
    wordings: int,
    executor: Executor,
) -> None:
    documents = [*texts, *exercises]
    table = DistinctTable(max_constant_variants=cap, max_wordings=wordings)
    first = [o.record for o in Distinct(table)(documents) if isinstance(o, Kept)]
    shuffled = shuffler.sample(documents, len(documents))
    tally = Tally()
    second = [o.record for o in checked(Distinct(table, executor=executor), shuffled, tally) if isinstance(o, Kept)]
    assert [d.id for d in first] == [d.id for d in second]
    assert tally.entered == len(documents)
    again = list(Distinct(table)(first))
    assert all(isinstance(o, Kept) for o in again)


def varied(count: int) -> list[Document]:
    """Near-duplicates, renamed clones, constant variants and exercises, in no order."""
    made: list[Document] = [*passages(*(" ".join(edited(prose(i % 40, 50), 0.01, i)) for i in range(count)))]
    made += [Passage(text=f"def f{i}(x{i}):\n    y = x{i} * {i % 9}\n    return [y] * {i % 5}\n") for i in range(count)]
    docstring = '    """' + " ".join(prose(31, 60)) + '"""\n'
    made += [exercise(f"def f(x):\n{docstring}", f"    return x * {n}\n", audience=str(n % 3)) for n in range(30)]
    random.Random(count).shuffle(made)
    return made


@pytest.mark.parametrize("cap", [0, 2])
def test_every_executor_and_any_memory_give_the_same_outcomes(monkeypatch: pytest.MonkeyPatch, cap: int) -> None:
    documents = varied(200)
    table = DistinctTable(max_constant_variants=cap)
    one = list(Distinct(table)(documents))
    assert {o.reason for o in one if isinstance(o, Dropped)} >= {"near-duplicate", "clone"}
    monkeypatch.setattr("pipeline.stages.distinct.stage.BATCH_DOCUMENTS", 7)
    assert list(Distinct(table, executor=Elsewhere())(documents)) == one
    monkeypatch.setattr("pipeline.store.spool.MEMORY_CHARACTERS", 2_000)
    assert list(Distinct(table)(documents)) == one
    assert list(Distinct(table, executor=Elsewhere())(documents[::-1])) == one


def test_a_clone_carries_the_similarity_that_dropped_it_and_that_of_its_text() -> None:
    first = "def total(prices):\n    amount = 0\n    for price in prices:\n        amount += price\n    return amount\n"
    second = "def s(v):\n    n = 0\n    for e in v:\n        n += e\n    return n\n"
    _, (drop,) = run(passages(first, second))
    assert (drop.reason, drop.similarity) == ("clone", 1.0)
    assert drop.detail == f"equal normal form: 1.00 = 1.00; text {jaccard(first, second):.2f}"


def test_a_control_keeps_every_duplicate_in_its_place() -> None:
    documents = passages("the same text", "another", "the same text")
    assert run(documents, duplicates="keep") == (documents, [])
