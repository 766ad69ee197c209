import gzip
import json
from pathlib import Path

import pytest

from pipeline.benchmarks import problems
from pipeline.core.errors import InputError
from pipeline.evaluation.api import score_file
from pipeline.evaluation.samples_file import read
from pipeline.sandbox import Sandbox

ROWS = [
    {
        "task_id": f"Mine/{number}",
        "prompt": f'def f{number}(x):\n    """Add {number}."""\n',
        "entry_point": f"f{number}",
        "canonical_solution": f"    return x + {number}\n",
        "test": f"def check(candidate):\n    assert candidate(1) == {number + 1}\n",
    }
    for number in range(3)
]


@pytest.fixture
def benchmark(tmp_path: Path) -> str:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return str(path)


def samples(tmp_path: Path, *lines: object, name: str = "samples.jsonl") -> Path:
    path = tmp_path / name
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def test_a_samples_file_is_scored_and_human_evals_results_are_written(
    tmp_path: Path, benchmark: str, sandbox: Sandbox
) -> None:
    path = samples(
        tmp_path,
        {"task_id": "Mine/0", "completion": "    return x\n", "mine": [1]},
        "\n   \n",
        {"task_id": "Mine/1", "completion": "    return x\n"},
        {"task_id": "Mine/1", "solution": "def f1(x):\n    return 1 + x"},
        {"task_id": "Mine/2", "completion": "    while True: pass\n"},
    )
    result = score_file(path, benchmark, sandbox=sandbox)
    assert [(s.task_id, s.passed, s.number) for s in result.scores] == [
        ("Mine/0", True, 0),
        ("Mine/1", False, 0),
        ("Mine/1", True, 1),
        ("Mine/2", False, 0),
    ]
    assert result.estimate.pass_at_k == {1: 0.5}
    written = [json.loads(line) for line in (tmp_path / "samples.jsonl_results.jsonl").read_text().splitlines()]
    assert [row["passed"] for row in written] == [True, False, True, False]
    assert written[0]["mine"] == [1]
    assert written[0]["result"] == "passed"
    assert written[1]["result"].startswith("failed: ")
    assert written[3]["result"] == "timed out"


def test_missing_problems_make_the_result_partial(tmp_path: Path, benchmark: str, sandbox: Sandbox) -> None:
    path = samples(tmp_path, {"task_id": "Mine/2", "completion": "    return x + 2\n"}, name="s.jsonl.gz")
    made = score_file(path, benchmark, sandbox=sandbox).to_json()
    assert (made["problems"], made["scored"], made["pass@k"]["1"]) == (3, 1, 1.0)
    assert made["partial"] == "1 of 3 problems scored"
    assert made["unscored"] == {"Mine/0": "no sample", "Mine/1": "no sample"}
    assert (tmp_path / "s.jsonl.gz_results.jsonl").exists()


def test_a_reference_that_fails_here_is_named(tmp_path: Path, sandbox: Sandbox) -> None:
    wrong = ROWS[0] | {"canonical_solution": "    return None\n"}
    bench = samples(tmp_path, wrong, ROWS[1], name="bench.jsonl")
    path = samples(tmp_path, {"task_id": "Mine/0", "completion": "    return x"})
    result = score_file(path, str(bench), sandbox=sandbox)
    assert "1 reference solutions of bench fail on this machine: Mine/0 (failed" in result.notes[0]
    other = samples(tmp_path, {"task_id": "Mine/1", "completion": "    return x"})
    assert not [note for note in score_file(other, str(bench), sandbox=sandbox).notes if "reference" in note]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"task_id": "Mine/0", "compl', "line 2: is not JSON"),
        ("[]\n", r"line 2: holds \[\], wanted a JSON object"),
        ({"completion": "x"}, r"line 2: has no task_id, only the keys \['completion'\]"),
        ({"task_id": "Mine/9", "completion": "x"}, "line 2: task_id 'Mine/9' is not in the benchmark"),
        ({"task_id": None, "completion": "x"}, "line 2: task_id None is not in the benchmark"),
        ({"task_id": "Mine/0"}, "line 2: of Mine/0 has neither completion nor solution"),
        ({"task_id": "Mine/0", "completion": ["x"]}, r"line 2: of Mine/0: completion should be text, got \['x'\]"),
        ({"task_id": "Mine/0", "completion": "x", "solution": "y"}, "has completion and solution, wanted one"),
    ],
)
def test_bad_lines_are_named_before_anything_is_run(tmp_path: Path, benchmark: str, line: object, says: str) -> None:
    path = samples(tmp_path, {"task_id": "Mine/0", "completion": "    return x"}, line)
    with pytest.raises(InputError, match=says) as caught:
        read(path, problems.load(benchmark))
    assert "samples.jsonl: 1 of 2 lines cannot be scored" in str(caught.value)


def test_many_bad_lines_are_counted(tmp_path: Path, benchmark: str) -> None:
    path = samples(tmp_path, *[{"task_id": "no"}] * 15)
    with pytest.raises(InputError, match=r"15 of 15 lines[\s\S]*and 5 more"):
        read(path, problems.load(benchmark))


def test_an_empty_or_missing_file_is_an_input_error(tmp_path: Path, benchmark: str) -> None:
    with pytest.raises(InputError, match="holds no samples"):
        read(samples(tmp_path, "\n"), problems.load(benchmark))
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "nothing.jsonl", problems.load(benchmark))


def test_unreadable_bytes_are_named_with_their_line(tmp_path: Path, benchmark: str) -> None:
    bench = problems.load(benchmark)
    good = json.dumps({"task_id": "Mine/0", "completion": "    return x"}).encode() + b"\n"
    path = tmp_path / "samples.jsonl"
    path.write_bytes(good + good + b'{"task_id": "\xff"}\n')
    with pytest.raises(InputError, match=r"samples\.jsonl: 1 of 3 lines(.|\n)*line 3: is not UTF-8 text"):
        read(path, bench)
    packed = gzip.compress(b"".join(b"%d" % (n * n) + good for n in range(20_000)))
    broken = tmp_path / "samples.jsonl.gz"
    broken.write_bytes(packed[: len(packed) // 2] + b"\xff" * 100 + packed[len(packed) // 2 :])
    with pytest.raises(InputError, match=r"samples\.jsonl\.gz cannot be read after line \d+"):
        read(broken, bench)
    broken.write_bytes(packed[:-4000])
    with pytest.raises(InputError, match=r"cannot be read after line \d+: Compressed file ended"):
        read(broken, bench)
    broken.write_bytes(good)
    assert len(read(broken, bench)) == 1


def test_samples_that_repeat_are_counted_and_said(tmp_path: Path, benchmark: str, sandbox: Sandbox) -> None:
    row = {"task_id": "Mine/0", "completion": "    return x\n"}
    other = {"task_id": "Mine/1", "completion": "    return x\n"}
    result = score_file(samples(tmp_path, row, row, other, row), benchmark, sandbox=sandbox)
    assert result.notes[0] == "2 of 4 samples repeat another of their task; each counts as a sample"
    assert len(result.scores) == 4
    assert not score_file(samples(tmp_path, row, other), benchmark, (1,), sandbox=sandbox).notes


def test_line_separators_inside_text_do_not_end_a_line(tmp_path: Path, benchmark: str) -> None:
    path = tmp_path / "samples.jsonl"
    row = {"task_id": "Mine/0", "completion": "    return x  # \u2028\u0085 \r\n"}
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(row, ensure_ascii=False).encode() + b"\r\n")
    assert read(path, problems.load(benchmark))[0].sample.completion == row["completion"]


@pytest.mark.parametrize("task_id", [11, "11", "MBPP/11", "Mbpp/11", "mbpp/11"])
def test_mbpp_task_ids_are_known_in_all_their_spellings(tmp_path: Path, task_id: object) -> None:
    row = {"task_id": 11, "text": "Id.", "code": "def f(x):\n  return x", "test_list": ["assert f(1) == 1"]}
    bench = samples(tmp_path, row, name="mbpp.jsonl")
    path = samples(tmp_path, {"task_id": task_id, "completion": "def f(x): return x"})
    assert read(path, problems.load(str(bench)))[0].sample.task_id == "Mbpp/11"


def test_a_number_of_samples_below_one_is_refused(tmp_path: Path, benchmark: str, sandbox: Sandbox) -> None:
    path = samples(tmp_path, {"task_id": "Mine/0", "completion": "    return x"})
    with pytest.raises(InputError, match="-k 0"):
        score_file(path, benchmark, (0,), sandbox=sandbox)
