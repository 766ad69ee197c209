"""`hornbook evaluate` and `score` where something is wrong: what came back, what was asked for, and what to do next."""

import json
from pathlib import Path

import pytest
from server import Reply, chat, refuse, serving

from pipeline.cli.main import main
from pipeline.cli.watching import describe
from pipeline.stages.samples.opening import is_endpoint

ROW = {
    "task_id": "Mine/0",
    "prompt": "def f(x):\n",
    "entry_point": "f",
    "test": "def check(c):\n    assert c(1) == 1\n",
}


def failed(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, object]:
    """The error object of a call that fails, which is all that stdout has."""
    with pytest.raises(SystemExit) as stop:
        main([*map(str, arguments), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["error"]
    assert stop.value.code == found["error"]["code"]
    error: dict[str, object] = found["error"]
    return error


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(ROW | {"task_id": f"Mine/{number}"}) + "\n" for number in range(3)))
    return path


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (refuse(400, "no such option"), "bad request: HTTP 400: no such option"),
        (refuse(413, "too long"), "context too long: HTTP 413: too long"),
        (Reply(body=chat("", "content_filter")), "content filter"),
    ],
)
def test_where_nothing_at_all_is_answered_the_call_has_failed(
    benchmark: Path, capsys: pytest.CaptureFixture[str], reply: Reply, words: str
) -> None:
    with serving(lambda body: reply) as server:
        where = ("--data", benchmark.parent / "data", "--prompt-form", "chat", "--workers", 1)
        error = failed(capsys, "evaluate", server.url, "--model", "m", "--benchmark", benchmark, *where)
    assert error["code"] == 1
    said = str(error["message"])
    assert said.startswith(f"{server.url} answered no problem of mine, so nothing is scored: 3 not answered: ")
    assert words in said
    assert error["hint"] == "correct what the endpoint says, then run the same command again"


@pytest.mark.parametrize("verb", [["score", "samples.jsonl"], ["evaluate", "http://127.0.0.1:9/v1", "--model", "m"]])
def test_a_benchmark_too_many_is_an_error_and_is_not_left_out(
    capsys: pytest.CaptureFixture[str], verb: list[str]
) -> None:
    error = failed(capsys, *verb, "--benchmark", "humaneval", "--benchmark", "composed")
    assert (error["code"], error["kind"]) == (2, "UsageError")
    assert error["message"] == "--benchmark is given 2 times, 'humaneval' and 'composed': it takes one"


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("--max-new-tokens", 10**20, "1000000000000000 or less"),
        ("--batch", 10**20, "1000000 or less"),
        ("--threads", 10**20, "4096 or less"),
    ],
)
def test_a_setting_out_of_range_is_named_by_its_option(
    capsys: pytest.CaptureFixture[str], option: str, value: int, wanted: str
) -> None:
    error = failed(capsys, "evaluate", "http://127.0.0.1:9/v1", "--model", "m", option, value)
    assert (error["code"], error["kind"]) == (2, "UsageError")
    assert error["message"] == f"{option} = {value}: {wanted} is wanted"


@pytest.mark.parametrize(
    "url",
    [
        "me:pass-word@127.0.0.1:8000/v1",
        "pass-word@localhost:8000/v1",
        "pass-word@[::1]:8000/v1",
        "http:/me:pass-word@x/v1",
        "http://me:pass-word@x/v1",
        "http://me:pass-word/more@x/v1",
    ],
)
@pytest.mark.parametrize("option", ["", "--teacher", "--judge"])
def test_a_password_in_an_address_is_refused_and_not_repeated(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, url: str, option: str
) -> None:
    model = ("http://127.0.0.1:9/v1", option, url, f"{option}-model", "m") if option else (url,)
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", *model, "--model", "m", "--benchmark", "composed", "--data", str(tmp_path), "--json"])
    told = capsys.readouterr()
    assert stop.value.code == 2
    assert json.loads(told.out)["error"]["kind"] == "RecipeError"
    assert "pass-word" not in told.out + told.err


@pytest.mark.parametrize(
    ("model", "meant"),
    [
        ("[::1]:8000/v1", True), ("[::1]", True), ("localhost", True), ("localhost/v1", True), ("a.b:80", True),
        ("me@a.b:80/v1", True), ("http://x", True), ("http:/x", True),
        ("smollm2", False), ("owner/name", False), ("data/[1]/model", False),
        ("model@2", False), ("C:/models/a", False),
    ],
)  # fmt: skip
def test_what_is_meant_as_an_address(model: str, meant: bool) -> None:
    assert is_endpoint(model) is meant


def test_answers_from_before_are_counted_and_not_listed() -> None:
    event = {"event": "found", "stage": "samples", "benchmark": "mine", "at": [1796032658] * 1200}
    assert describe(event) == "  samples         1,200 answers of mine from before"
