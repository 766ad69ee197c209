"""The names that notebooks may rely on, and what they do."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import api

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "pipeline/api/README.md").read_text(encoding="utf-8")


def test_all_is_what_the_page_lists():
    listed = re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(set(api.__all__))
    assert api.__all__ == sorted(api.__all__)


def test_the_page_shows_signatures_as_they_are():
    for name in ("runs", "load", "run_stage", "evaluate", "stages"):
        parameters = ", ".join(inspect.signature(getattr(api, name)).parameters)
        assert f"`{name}({parameters})`" in PAGE, parameters


def test_everything_public_says_what_it_is():
    for name in set(api.__all__) - {"__version__"}:
        assert inspect.getdoc(getattr(api, name)), name
    for name, member in inspect.getmembers(api.Run):
        if not name.startswith("_"):
            assert inspect.getdoc(member), name


def test_hornbook_is_the_same():
    code = "import sys; sys.path.insert(0, sys.argv[1]); import hornbook; from pipeline import api\n"
    code += "assert hornbook.__all__ == api.__all__\n"
    code += "heavy = {'torch', 'pyarrow', 'numba', 'datasets', 'pandas'} & sys.modules.keys()\n"
    code += "assert not heavy, heavy\n"
    code += "assert all(getattr(hornbook, name) is getattr(api, name) for name in hornbook.__all__)\n"
    named = ROOT / "pipeline" / "api" / "named"
    subprocess.run([sys.executable, "-c", code, str(named)], check=True, cwd=ROOT)


def test_a_run_and_its_records(example):
    data = str(example.folder.parents[1])
    assert api.runs(data) == ["shown"]
    run = api.load(data=data)
    assert (run.name, run.folder.name) == ("shown", "shown")
    assert "decontaminated" in run.stages
    table = run.table()
    assert sorted(table["id"].to_pylist()) == sorted(document.id for document in example.kept)
    assert all(table["text"].to_pylist())
    dropped = run.table("validated", dropped=True)
    assert {"reason", "detail"} <= set(dropped.column_names)
    assert dropped.num_rows == len(example.drops["validated"])
    assert list(run.frame()["id"]) == table["id"].to_pylist()
    assert run.report()["run"] == "shown"
    assert (run.student / "config.json").is_file()
    document = example.kept[0]
    assert run.record(document.id)["id"] == document.id
    with pytest.raises(api.HornbookError, match="has kept no record nothing"):
        run.record("nothing")
    with pytest.raises(api.HornbookError, match="has no records of a stage 'tokens'"):
        run.table("tokens")
    with pytest.raises(api.HornbookError, match="no run 'another'"):
        api.load("another", data=data)


LONG = "def f{0}(x):\n    # adds {0} to a number that is given, and says nothing of it\n    return x + {0}\n"


def test_a_stage_on_texts():
    texts = [LONG.format(1), "x = 1", LONG.format(2), "x = 1"]
    found = api.run_stage("quality", texts)
    assert found.kept == (texts[0], texts[2])
    assert [(one.place, one.reason) for one in found.dropped] == [(1, "too-short"), (3, "too-short")]
    assert api.run_stage("quality", texts, "quality.min_characters=0", "quality.max_repeated_lines=1").kept == tuple(
        texts
    )


def test_of_equal_texts_the_first_is_kept():
    texts = [LONG.format(1), LONG.format(1), LONG.format(1)]
    found = api.run_stage("distinct", texts)
    assert found.kept == (texts[0],)
    assert [(one.place, one.reason, one.kept_text) for one in found.dropped] == [
        (1, "exact-duplicate", texts[0]),
        (2, "exact-duplicate", texts[0]),
    ]


def test_overlap_with_a_benchmark():
    from pipeline.benchmarks.problems import load

    problem = load("composed").problems[0]
    solved = problem.prompt + problem.canonical_solution
    found = api.run_stage("decontaminated", [solved, LONG.format(1)], benchmarks=["composed"])
    assert [one.text for one in found.dropped] == [solved]
    with pytest.raises(api.HornbookError, match="none is named"):
        api.run_stage("decontaminated", [solved])


def test_what_is_no_stage_or_setting_is_told():
    with pytest.raises(api.HornbookError, match="run_stage takes no stage 'student'"):
        api.run_stage("student", [])
    with pytest.raises(api.HornbookError, match="similarty"):
        api.run_stage("distinct", [], "distinct.similarty=0.5")
    assert api.stages() == ("distinct", "quality", "decontaminated")


def test_a_callable_is_scored(sandbox):
    from pipeline.benchmarks.problems import load

    known = {problem.prompt.strip(): problem.canonical_solution for problem in load("composed").problems}

    def cheat(prompt: str) -> str:
        return known[prompt.strip()]

    result = api.evaluate(cheat, "composed", limit=3, workers=1, sandbox=sandbox.mode)
    assert (result.model, result.estimate.value, result.estimate.scored) == ("cheat", 1.0, 3)
    assert "PARTIAL" in result.to_text()
    assert (
        api.evaluate(lambda _: "    return None\n", "composed", limit=3, workers=1, sandbox=sandbox.mode).estimate.value
        == 0
    )
