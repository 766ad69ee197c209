import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import HornbookError
from pipeline.core.records import Document, Passage, Problem
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.recipe import DecontaminatedTable
from pipeline.stages.decontaminated.kernels import edit_distance
from pipeline.stages.decontaminated.ngrams import ProblemNgrams
from pipeline.stages.decontaminated.split import split, splits
from pipeline.stages.decontaminated.stage import Decontaminate
from pipeline.stages.decontaminated.trees import ProblemTrees, functions
from pipeline.work.local import Processes

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
    assert drops["tree-overlap"] == "b/1: AST match 1.000 >= 0.95 (best_of, line 1)"
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


def indented(text: str, by: str = "    ") -> str:
    return "".join(by + line if line.strip() else line for line in text.splitlines(keepends=True))


def filler(count: int) -> str:
    """Code of `count` functions that solve no problem."""
    lines = (
        "    rows = []\n    for row in table:\n        rows.append((row, {0}, len(row) % {0}))\n    return rows\n\n\n"
    )
    return "".join(f"def step{i}(table):\n" + lines.format(i) for i in range(2, count + 2))


PLACES = {
    "at the top": "{}",
    "method": "class Tools:\n    limit = 3\n\n{1}\n",
    "fallback of an import": "try:\n    from fast import top\nexcept ImportError:\n{1}\n",
    "inside a function": "def build(table):\n    rows = list(table)\n{1}\n    return best_of(rows)\n",
    "decorated": "@cache\n{}",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_leaked_solution_is_found_wherever_it_stands_in_a_large_module(place: str) -> None:
    module = filler(40) + PLACES[place].format(RENAMED, indented(RENAMED)) + filler(40)
    assert decontaminated([module, filler(80)], [problem("b/1")]) == ["tree-overlap", ""]
    (drop,) = Decontaminate(problems=[problem("b/1")])([Passage(text=module)])
    line = 1 + module[: module.index("def best_of")].count("\n")
    assert isinstance(drop, Dropped)
    assert drop.detail == f"b/1: AST match 1.000 >= 0.95 (best_of, line {line})"


PROSE = {
    "fenced": "Look at this, please:\n\n```python\n{}```\n\nIt is a loop.\n",
    "fence never closed": "Look:\n\n```\n{}",
    "in a list": "- First, look:\n\n  ```py\n{1}  ```\n",
    "console session": "Type it in:\n\n>>> {2}\nand call it.\n",
    "module of Python 2": "def show(x):\n    print x\n\n\n{}\n\nprint best_of({{}})\n",
}


@pytest.mark.parametrize("form", PROSE)
def test_a_leaked_solution_is_found_in_text_that_is_not_python_as_a_whole(form: str) -> None:
    text = PROSE[form].format(RENAMED, indented(RENAMED, "  "), RENAMED.rstrip("\n").replace("\n", "\n... "))
    assert decontaminated([text, text.replace("sorted", "list")], [problem("b/1")]) == ["tree-overlap"] * 2
    assert decontaminated([text.replace(":\n", "\n")], [problem("b/1")]) == [""]


def test_a_small_solution_counts_anywhere_as_an_equal_program_and_never_as_a_similar_one() -> None:
    small = problem("b/4", "def odd(xs):\n", "    return sum(x for x in xs if x % 2 == 1)\n", "odd")
    same = "def count(items):\n    return sum(i for i in items if i % 2 == 1)\n\n\n"
    texts = [filler(30) + same, filler(30) + same.replace("% 2", "% 3"), same.replace("sum", "any")]
    assert decontaminated(texts, [small]) == ["tree-overlap", "", ""]


ADD = problem("b/5", 'def add(x, y):\n    """Add two numbers."""\n', "    return x + y\n", "add")
LENGTH = problem("b/6", 'def length(s):\n    """Length of a string."""\n', "    return len(s)\n", "length")
PLUS = "def plus(a, b):\n    return a + b\n\n\n"
SIZE = "def size(a):\n    return len(a)\n\n\n"


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        (PLUS, True),
        (PLUS + "assert plus(1, 2) == 3\nassert plus(0, 0) == 0\nprint(plus(2, 3), [1, 2, 3], {4: 5, 6: 7})\n", True),
        (PLUS + SIZE + "def other(a):\n    return a\n", True),
        (PLUS + filler(1), False),
        (filler(20) + PLUS, False),
        (filler(20) + PLUS.replace("    ret", '    """To add two numbers, give both."""\n    ret'), True),
        (filler(20) + PLUS.replace("    ret", '    """Same as a + b."""\n    ret'), False),
        ("class Sum(Base):\n    def __add__(self, other):\n        return self + other\n", False),
        ("A function has a name and parameters:\n\n```python\n" + PLUS + "```\n", False),
    ],
)
def test_a_program_that_everybody_writes_counts_where_the_document_is_about_it(text: str, dropped: bool) -> None:
    assert decontaminated([text], [ADD, LENGTH]) == ["tree-overlap" if dropped else ""]


def test_the_detail_of_a_program_that_everybody_writes_says_why_it_counts() -> None:
    texts = [PLUS, filler(3) + PLUS.replace("    ret", '    """Add two numbers."""\n    ret')]
    drops = [o for text in texts for o in Decontaminate(problems=[ADD])([Passage(text=text)])]
    assert [o.detail for o in drops if isinstance(o, Dropped)] == [
        "b/5: AST match 1.000 >= 0.95 (plus, line 1), equal programs of 9 nodes, 100% >= 50% of its functions",
        "b/5: AST match 1.000 >= 0.95 (plus, line 22), equal programs of 9 nodes, with the problem's words",
    ]


def test_ngrams_of_the_languages_own_words_count_only_with_the_rest_of_the_problem() -> None:
    body = "    for i in range(len(l)):\n        for j in range(i + 1, len(l)):\n            if l[i] > l[j]:\n"
    swap = "                l[i], l[j] = l[j], l[i]\n    return l\n"
    pairs = problem("b/7", "def tidy(l):\n", body + swap, "tidy")
    theirs = f"def pairs(l, wanted):\n{body}                yield wanted\n"
    table = "names = {{1: 'one', 2: 'two', 3: 'three', 4: 'four', 5: 'five', 6: 'six', 7: 'seven'}}\n"
    digits = problem("b/8", "def name(n):\n", table + "    return names[n]\n", "name")
    assert decontaminated([theirs, table, "x = 1\n" + body + swap], [pairs, digits]) == ["", "", "ngram-overlap"]
    telling = body.replace("l[i] > l[j]", "weight[i] > capacity[j] and fits(i)")
    knapsack = problem("b/9", "def pack(l):\n", telling + swap, "pack")
    assert decontaminated([f"def g(l):\n{telling}                return i\n"], [knapsack]) == ["ngram-overlap"]


def match_rate(a: str, b: str) -> float:
    """Largest AST match rate of a function of `a` with one of `b`, in [0, 1]; 0.0 where either has none."""
    rates = [
        1.0 - int(edit_distance(x.sequence, y.sequence, size)) / size
        for x in functions(a)
        for y in functions(b)
        if (size := max(len(x.sequence), len(y.sequence)))
    ]
    return max(rates, default=0.0)


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


def test_benchmarks_with_the_same_task_ids_are_split_apart_and_by_any_executor() -> None:
    documents: list[Document] = [Passage(text=RENAMED + f"# {i}\n") for i in range(3)]
    other = problem("b/1", "def g(n):\n", "    while n > 1:\n        n -= 2\n    return n == 0\n", "g")
    found = splits({"one": [problem("b/1")], "two": [other]}, documents)
    assert found["one"] == split([problem("b/1")], documents)
    assert found["one"].closest[0].document_id == min(document.id for document in documents)
    assert (found["two"].by_tau[0].similar, found["two"].by_tau[0].non_similar) == ((), ("b/1",))
    processes = Processes(2, patience=0.0)
    assert splits({"one": [problem("b/1")], "two": [other]}, documents, executor=processes) == found
    processes.close()
