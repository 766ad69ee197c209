import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decontamination import Decontaminate, split
from pipeline.decontamination.kernels import edit_distance
from pipeline.decontamination.ngrams import ProblemNgrams
from pipeline.decontamination.trees import ProblemTrees, match_rate
from pipeline.errors import HornbookError
from pipeline.recipe import DecontaminatedTable
from pipeline.records import Document, Passage, Problem
from pipeline.stage import Dropped, Kept, Tally, checked

SOLUTION = """    best = {}
    for key, value in pairs:
        if key not in best or best[key] < value:
            best[key] = value
    return sorted(best.items(), reverse=True)
"""
PROMPT = '''from typing import List

def top(pairs: List) -> List:
    """Collect the largest value seen for every key of the given pairs and order the result by key, last first.

    >>> top([("a", 1)])
    [("a", 1)]
    """
'''


def problem(task: str, prompt: str = PROMPT, solution: str = SOLUTION, name: str = "top", test: str = "") -> Problem:
    return Problem(benchmark="b", task_id=task, prompt=prompt, entry_point=name, test=test, canonical_solution=solution)


def decontaminated(texts: Sequence[str], problems: Sequence[Problem], **fields: object) -> list[str]:
    """Reasons in the order of `texts`, "" for kept."""
    table = DecontaminatedTable(**fields)  # type: ignore[arg-type]
    documents: list[Document] = [Passage(text=text, origin=str(i)) for i, text in enumerate(texts)]
    tally = Tally()
    reasons = {
        o.record.id: o.reason if isinstance(o, Dropped) else ""
        for o in checked(Decontaminate(table, problems), documents, tally)
    }
    return [reasons[document.id] for document in documents]


RENAMED = "def best_of(rows):\n" + SOLUTION.replace("best", "found").replace("pairs", "rows").replace("value", "v")


def test_the_problem_itself_its_wording_and_its_solution_renamed_are_dropped() -> None:
    wording = "Explain how to collect the largest value seen for every key of the given pairs and order the result."
    texts = [PROMPT + SOLUTION, wording, RENAMED, "def other(x):\n    return [y + 1 for y in x if y]\n"]
    assert decontaminated(texts, [problem("b/1")]) == ["ngram-overlap", "ngram-overlap", "tree-overlap", ""]


def test_details_name_the_problem_and_both_numbers() -> None:
    documents = [Passage(text=RENAMED), Passage(text=PROMPT)]
    drops = {o.reason: o.detail for o in Decontaminate(problems=[problem("b/1")])(documents) if isinstance(o, Dropped)}
    assert drops["tree-overlap"] == "b/1: AST match 1.000 >= 0.95"
    assert drops["ngram-overlap"].startswith("b/1: 13 words >= 13, ")


def test_case_and_punctuation_do_not_hide_an_overlap() -> None:
    words = "COLLECT the largest -- value seen; for EVERY key of the given (pairs) and order the result"
    assert decontaminated([words], [problem("b/1")]) == ["ngram-overlap"]


def test_a_short_statement_is_matched_as_a_whole_and_a_very_short_one_is_not() -> None:
    short = problem(
        "b/2", 'def rev(s):\n    """Reverse the words of a sentence in place."""\n', "    return s[::-1]\n", "rev"
    )
    tiny = problem("b/3", 'def add(a, b):\n    """Return the sum."""\n', "    return a + b\n", "add")
    texts = [
        "Today we will reverse the words of a sentence in place, step by step.",
        "Reverse the words of a letter in place.",
        "Return the sum of the prices of everything in the basket.",
    ]
    assert decontaminated(texts, [short, tiny]) == ["ngram-overlap", "", ""]


def test_boilerplate_of_the_benchmark_and_runs_of_numbers_are_not_looked_for() -> None:
    header = "METADATA = author jt dataset test and then check the candidate function on these examples one by one"
    problems = [problem(f"b/{i}", PROMPT.replace("largest", f"w{i}"), test=header) for i in range(4)]
    numbers = problem("b/9", test="assert top([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])")
    assert decontaminated([header, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14"], [*problems, numbers]) == ["", ""]


def test_stock_phrases_of_the_corpus_are_cut_and_whole_problems_are_not() -> None:
    phrase = "Collect the largest value seen for every key of the given pairs and order the result"
    draw = random.Random(0)
    stock = [f"{phrase}. Lesson {i}: {draw.getrandbits(64)} {draw.getrandbits(64)}." for i in range(30)]
    reasons = decontaminated([*stock, PROMPT + SOLUTION], [problem("b/1")])
    assert reasons == [""] * 30 + ["ngram-overlap"]
    assert decontaminated(stock[:5], [problem("b/1")]) == ["ngram-overlap"] * 5


def test_small_functions_match_only_when_they_are_the_same_program() -> None:
    tiny = problem("b/3", 'def length(s):\n    """."""\n', "    return len(s)\n", "length")
    texts = ["def size(things):\n    return len(things)\n", "def total(things):\n    return sum(things)\n"]
    assert decontaminated(texts, [tiny]) == ["tree-overlap", ""]


def test_tau_is_the_recipes() -> None:
    changed = RENAMED.replace("        if key", "        v = abs(v)\n        if key")
    rate = match_rate(changed, PROMPT + SOLUTION)
    assert 0.8 < rate < 0.95
    assert decontaminated([changed], [problem("b/1")]) == [""]
    assert decontaminated([changed], [problem("b/1")], tree=rate - 0.01) == ["tree-overlap"]
    assert decontaminated([changed], [problem("b/1")], tree=rate + 0.01) == [""]


def test_match_rate_ignores_names_docstrings_annotations_and_decorators() -> None:
    dressed = RENAMED.replace("(rows):\n", '(rows: list[int]) -> dict:\n    """Words."""\n')
    assert match_rate("@cache\n" + dressed, PROMPT + SOLUTION) == 1.0
    assert match_rate("not python (", SOLUTION) == 0.0
    assert match_rate(RENAMED, "x = 1\n") < 0.2


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=12), st.lists(st.integers(0, 3), max_size=12), st.integers(0, 12))
def test_the_banded_distance_is_the_distance(a: list[int], b: list[int], most: int) -> None:
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    table[:, 0], table[0, :] = range(len(a) + 1), range(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            same = table[i - 1, j - 1] + (a[i - 1] != b[j - 1])
            table[i, j] = min(same, table[i - 1, j] + 1, table[i, j - 1] + 1)
    arrays = (np.array(x, dtype=np.int32) for x in (a, b))
    assert edit_distance(*arrays, most) == min(table[len(a), len(b)], most + 1)


def test_the_bound_never_hides_a_match() -> None:
    draw = random.Random(1)
    lines = [
        "    a = b + c\n",
        "    if a < b:\n        c = a\n",
        "    for a in b:\n        c += a\n",
        "    a = [x for x in b]\n",
    ]
    texts = ["def f(a, b, c):\n" + "".join(draw.choices(lines, k=8)) + "    return a\n" for _ in range(40)]
    problems = [
        problem(f"b/{i}", text.split("\n")[0] + "\n", text.split("\n", 1)[1], "f") for i, text in enumerate(texts)
    ]
    trees = ProblemTrees(problems)
    for text in texts[:10]:
        found = {m.problem.task_id: m.rate for m in trees.matches(text, 0.7)}
        slow = {p.task_id: match_rate(text, p.prompt + p.canonical_solution) for p in problems}
        assert found == pytest.approx({task: rate for task, rate in slow.items() if rate >= 0.7})


def test_embedding_overlap_needs_a_model_and_names_the_cosine() -> None:
    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.array(
            [[1.0, 0.1 * ("snake" in t)] if "largest" in t else [0.0, 1.0] for t in texts], dtype=np.float32
        )

    documents: list[Document] = [Passage(text="the largest snake"), Passage(text="weather")]
    table = DecontaminatedTable(embedding=0.9)
    outcomes = list(Decontaminate(table, [problem("b/1")], embed)(documents))
    assert [o.reason if isinstance(o, Dropped) else "" for o in outcomes] == ["embedding-overlap", ""]
    assert isinstance(outcomes[0], Dropped)
    assert outcomes[0].detail == "b/1: cosine 0.995 >= 0.9"
    with pytest.raises(HornbookError, match="needs an embedding model"):
        list(Decontaminate(table, [problem("b/1")])(documents))


def test_without_problems_everything_is_kept() -> None:
    documents: list[Document] = [Passage(text=PROMPT), Passage(text="x")]
    assert list(Decontaminate()(documents)) == [Kept(document) for document in documents]


def test_order_does_not_matter() -> None:
    texts = [PROMPT + SOLUTION, RENAMED, "nothing in common", "", "def f(:", *[f"x = {i}\n" for i in range(20)]]
    straight = decontaminated(texts, [problem("b/1"), problem("b/2", solution="")])
    assert decontaminated(texts[::-1], [problem("b/1"), problem("b/2", solution="")]) == straight[::-1]


def test_problems_whose_words_are_few_have_no_ngrams() -> None:
    assert ProblemNgrams([problem("b/1", "f(x)", "", "f")], 13).hits(["f(x)", ""]) == [(), ()]


def test_split_of_a_benchmark_for_a_corpus() -> None:
    problems = [
        problem("b/1"),
        problem("b/2", "def g(n):\n", "    while n > 1:\n        n -= 2\n    return n == 0\n", "g"),
    ]
    changed = RENAMED.replace("        if key", "        v = abs(v)\n        if key")
    documents: list[Document] = [Passage(text=text) for text in (changed, "prose only", "def h():\n    return 0\n")]
    found = split(problems, documents)
    assert [s.tau for s in found.by_tau] == [0.95, 0.9, 0.85, 0.8]
    assert found.by_tau[0].similar == ()
    assert found.by_tau[-1].similar == ("b/1",)
    assert all(sorted((*s.similar, *s.non_similar)) == ["b/1", "b/2"] for s in found.by_tau)
    assert found.closest[0].document_id == documents[0].id
    assert (found.closest[1].rate, found.closest[1].document_id) == (0.0, "")
    assert split(problems, documents[::-1]) == found
