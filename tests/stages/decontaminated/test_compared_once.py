"""One comparison of the corpus serves both the drop at the recipe's tau and the split of the benchmarks."""

import ast
import json
import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.clean.clean import clean
from pipeline.core.records import Document, Passage, Problem
from pipeline.core.stage import Dropped, Kept
from pipeline.recipe import DecontaminatedTable
from pipeline.stages.decontaminated.split import TAUS, Near, gathered, splits
from pipeline.stages.decontaminated.stage import Decontaminate
from pipeline.stages.decontaminated.trees import ProblemTrees
from pipeline.work.local import Processes
from pipeline.work.protocol import SERIAL, Executor

MODULES = ("bisect", "calendar", "colorsys", "heapq", "heapq", "statistics", "string", "textwrap", "fractions")
NO_WORDS = DecontaminatedTable(ngram=400)


@cache
def real_functions() -> tuple[str, ...]:
    """Functions of the standard library, some of which differ little from each other."""
    top = Path(sysconfig.get_path("stdlib"))
    found = []
    for name in MODULES:
        text = (top / f"{name}.py").read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                found.append(ast.unparse(node) + "\n")
    return tuple(dict.fromkeys(found))


def benchmark(name: str, functions: Sequence[str]) -> list[Problem]:
    return [
        Problem(
            benchmark=name,
            task_id=f"{name}/{number}",
            prompt="",
            entry_point=text.split("def ", 1)[1].split("(")[0],
            test="",
            canonical_solution=text,
        )
        for number, text in enumerate(functions)
    ]


@cache
def benchmarks() -> dict[str, list[Problem]]:
    """Two: every ninth function, and short ones, which count by chance only where they are half of a document."""
    short = [text for text in real_functions() if text.count("\n") == 2][:12]
    return {"ninth": benchmark("ninth", real_functions()[::9]), "short": benchmark("short", short)}


@cache
def corpus() -> tuple[Document, ...]:
    """Functions as they are, changed a little, and several in one text."""
    texts = list(real_functions())
    texts += [text.replace("return ", "return not ", 1) for text in texts[::3]]
    texts += ["".join(real_functions()[i : i + 4]) for i in range(0, len(real_functions()), 7)]
    return tuple(Passage(text=text) for text in dict.fromkeys(texts))


def problems() -> list[Problem]:
    return [problem for of_one in benchmarks().values() for problem in of_one]


def outcomes(
    table: DecontaminatedTable, executor: Executor = SERIAL
) -> tuple[list[Kept[Document] | Dropped], list[Near]]:
    near: list[Near] = []
    stage = Decontaminate(table, problems(), executor=executor, similar=near.append)
    return list(stage(corpus())), near


def test_matches_at_one_tau_are_the_same_whatever_else_is_asked() -> None:
    trees = ProblemTrees(problems())
    alone = {name: ProblemTrees(of_one) for name, of_one in benchmarks().items()}
    found: Counter[float] = Counter()
    for document in corpus():
        once = trees.compared(document.text, 0.5)
        for tau in (0.5, 0.8, 0.85, 0.93, 0.95, 1.0):
            matches = trees.matches(document.text, tau)
            assert once.matches(tau) == matches
            for name, of_one in alone.items():
                assert once.matches(tau, name) == of_one.matches(document.text, tau)
            found[tau] += len(matches)
    assert min(found.values()) > 20


@pytest.mark.parametrize("tau", [0.6, 0.9, 0.95])
def test_the_drops_and_the_split_are_those_of_two_comparisons(tau: float) -> None:
    trees = ProblemTrees(problems())
    made, near = outcomes(NO_WORDS.model_copy(update={"tree": tau}))
    reasons = ["tree-overlap" if trees.matches(document.text, tau) else "" for document in corpus()]
    assert [o.reason if isinstance(o, Dropped) else "" for o in made] == reasons
    left = [outcome.record for outcome in made if isinstance(outcome, Kept)]
    assert 0 < len(left) < len(corpus())
    assert gathered(benchmarks(), near) == splits(benchmarks(), left)
    assert {one.document_id for one in near} <= {document.id for document in left}
    if tau < min(TAUS):
        assert not near
    if tau == max(TAUS):  # which functions are that close between the two is the standard library's affair
        assert near


def test_any_executor_tells_of_the_same_documents_in_the_same_order() -> None:
    processes = Processes(2, patience=0.0)
    assert outcomes(NO_WORDS, processes) == outcomes(NO_WORDS)
    processes.close()


def test_what_the_embedding_drops_is_not_told_of() -> None:
    import numpy as np

    def embed(texts: Sequence[str]) -> "np.ndarray":
        return np.array([[1.0, 0.0] if len(text) % 2 else [0.0, 1.0] for text in texts], dtype=np.float32)

    near: list[Near] = []
    table = DecontaminatedTable(ngram=400, embedding=0.9)
    odd = [problem for problem in problems() if len(problem.prompt + problem.canonical_solution) % 2]
    made = list(Decontaminate(table, odd, embed, similar=near.append)(corpus()))
    left = [outcome.record for outcome in made if isinstance(outcome, Kept)]
    assert {outcome.reason for outcome in made if isinstance(outcome, Dropped)} == {"tree-overlap", "embedding-overlap"}
    assert gathered({"ninth": odd}, near)["ninth"] == splits({"ninth": odd}, left)["ninth"]


def test_the_file_of_splits_is_that_of_the_documents_kept_compared_anew(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"text": document.text}) + "\n" for document in corpus()), encoding="utf-8")
    clean([path], tmp_path / "out", problems=problems(), decontaminated=NO_WORDS)
    texts = pq.read_table(tmp_path / "out" / "kept", columns=["text"])["text"].to_pylist()
    dropped = pq.read_table(tmp_path / "out" / "dropped", columns=["reason"])["reason"].to_pylist()
    assert {"tree-overlap", "near-duplicate"} <= set(dropped)
    anew = splits(benchmarks(), kept(texts))
    written = json.dumps({name: split.to_json() for name, split in anew.items()}, indent=1) + "\n"
    assert (tmp_path / "out" / "splits.json").read_text(encoding="utf-8") == written
    assert anew["ninth"].by_tau[-1].similar


def kept(texts: Sequence[str]) -> Iterator[Document]:
    return (Passage(text=text) for text in texts)
