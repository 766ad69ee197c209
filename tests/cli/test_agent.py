"""`hornbook agent` says what there is, and what it says of `--json` is so."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from example_run import Example, build, change_run
from shapes_held import faults, hold

from pipeline import walks
from pipeline.cli import models
from pipeline.cli.agent import page, reference
from pipeline.cli.main import main
from pipeline.cli.options import verbs
from pipeline.cli.shapes import ANY, FAILURE, SHAPES, written
from pipeline.core import environment, errors

ROOT = Path(__file__).parents[2]
PAGE = page(reference())


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    made = build(tmp_path_factory.mktemp("agent") / "data")
    shutil.copytree(made.folder, made.folder.with_name("second"))
    change_run(made.folder.with_name("second"), run="second")
    return made


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    with pytest.raises(SystemExit) as stop:
        main([*map(str, arguments), "--json"])
    return int(str(stop.value.code)), json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("verb", [name for name, _ in verbs()])
def test_the_page_has_every_verb_with_all_that_it_takes(verb: str) -> None:
    (section,) = re.findall(rf"^### {verb}$(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    usage = section.split("\n")[2]
    assert usage.startswith(f"    hornbook {verb} ") or usage == f"    hornbook {verb}"
    for parameter in dict(verbs())[verb].params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            word = option if option.startswith("-") else (parameter.metavar or option.upper()).strip("[]")
            assert word in usage.removeprefix(f"    hornbook {verb}")
        assert not parameter.help or " ".join(parameter.help.split()) in PAGE


def test_the_page_has_every_exit_code_reason_and_variable() -> None:
    kinds = [
        value for value in vars(errors).values() if isinstance(value, type) and value.__module__ == errors.__name__
    ]
    codes = {kind.__name__: getattr(kind, "exit_code", None) for kind in kinds}
    assert all(f"| {code} | `{name}` | " in PAGE for name, code in codes.items())
    assert set(codes.values()) == {1, 2, 3, 130}
    for step in walks.steps():
        assert f"### {step.name} (" in PAGE
        assert all(f"- `{reason}`: {meaning}" in PAGE for reason, meaning in step.reasons.items())
    assert all(f"| `{one.name}` | {one.meaning} |" in PAGE for one in environment.VARIABLES)


def test_every_verb_with_json_has_a_shape_and_no_other() -> None:
    with_json = {name for name, command in verbs() if any("--json" in one.opts for one in command.params)}
    assert with_json == set(SHAPES)
    assert all(f"JSON: `{written(shape)}`" in PAGE for shape in SHAPES.values())


def calls(example: Example, folder: Path) -> dict[str, list[object]]:
    data = ["--data", example.folder.parents[1]]
    kept = example.kept[0].id
    (folder / "rows.jsonl").write_text('{"text": "def one():\\n    return 1\\n"}\n' * 2)
    return {
        "plan": ["tiny", *data],
        "status": ["LATEST", *data],
        "show": ["LATEST", "distinct", "--dropped", "all", *data],
        "trace": ["LATEST", kept, *data],
        "diff": ["example", "second", *data],
        "report": ["LATEST", *data],
        "view": ["--export", folder / "browsed", *data],
        "export": ["LATEST", "--to", folder / "out", "--licence", "composer=MIT", *data],
        "sweep": [],
        "settings": [],
        "reasons": [],
        "clean": [folder / "rows.jsonl", "--to", folder / "cleaned"],
        "agent": [],
        "recipes": [],
        "domain new": [folder / "mine"],
        "domain check": ["regex", "--sandbox", "weak"],
        "models": data,
        "models ls": data,
        "models rm": ["qwen2.5-coder-0.5b", *data],
        "runs": data,
        "runs ls": data,
        "runs rm": ["LATEST", *data],
        "runs compare": ["example", "second", *data],
        "store gc": data,
    }


ELSEWHERE = {
    "run": "vision/test_image_walk.py",
    "embed": "vision/test_image_walk.py",
    "chat": "evaluation/test_chat.py",
    "evaluate": "evaluation/test_command.py",
    "score": "evaluation/test_command.py",
    "ladder": "sweep/test_sweeping.py",
    "bench teacher": "run/test_teacher_bench.py",
    "improve": "improve/test_rounds.py",
    "domain preview": "domains/test_domain_preview.py",
    "adopt": "end_to_end/test_several_processes.py",
    "join": "end_to_end/test_several_processes.py",
}
"""Verbs that need a model, a sandbox or a walk: the tests that make one hold their output too."""


def test_what_the_verbs_print_has_the_keys_that_are_named(
    example: Example, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    called = calls(example, tmp_path)
    for verb, arguments in called.items():
        code, told = printed(capsys, *verb.split(), *arguments)
        assert code == 0, (verb, told)
        hold(verb, told)
    _, told = printed(capsys, "doctor")
    hold("doctor", told)
    monkeypatch.setattr(models, "fetch", lambda *_: tmp_path / "rows.jsonl")
    _, told = printed(capsys, "models", "get", "qwen2.5-coder-0.5b")
    hold("models get", told)
    assert {*called, "doctor", "models get"} | ELSEWHERE.keys() == SHAPES.keys()
    for verb, file in ELSEWHERE.items():
        assert f'hold("{verb}", ' in (ROOT / "tests" / file).read_text()


def test_a_failure_has_the_keys_that_are_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, told = printed(capsys, "status", "--data", tmp_path)
    assert code == told["error"]["code"] == 2
    assert faults(told, FAILURE) == []
    assert f"`{written(FAILURE)}`" in PAGE


@pytest.mark.parametrize(
    ("value", "shape", "said"),
    [
        ({"a": 1}, {"a": int, "b": str}, ["the value has no 'b'"]),
        ({"a": True}, {"a": int}, [".a is no int: True"]),
        ({"a": [1, "x"]}, {"a": [int]}, [".a[1] is no int: 'x'"]),
        ({"x": 1, "y": None}, {"<k>": (int, None)}, []),
        ({"x": "no"}, {"<k>": ("yes", "maybe")}, [".x is not 'yes': 'no'"]),
        ([], {"a": ANY}, ["the value is no object: []"]),
    ],
)
def test_a_value_of_another_shape_is_told(value: Any, shape: Any, said: list[str]) -> None:
    assert faults(value, shape) == said
