"""`hornbook evaluate` as a user runs it, with a small endpoint in the place of a model."""

import json
import re
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from models_made import folder
from shapes_held import hold

from pipeline.benchmarks import problems
from pipeline.cli.main import main
from pipeline.evaluation import references
from pipeline.models import loading

TASKS = [
    {
        "task_id": f"Mine/{n}",
        "prompt": f'def f{n}(x):\n    """Add {n}."""\n',
        "entry_point": f"f{n}",
        "test": f"def check(candidate):\n    assert candidate(1) == {n + 1}\n",
        "canonical_solution": f"    return x + {n}\n",
    }
    for n in range(4)
]


class _Server(ThreadingHTTPServer):
    """ "strong" solves all tasks, "weak" those with an even number; "judge" grades. Counts its requests."""

    asked = 0

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.keys: dict[str, set[str | None]] = defaultdict(set)

    def text(self, model: str, prompt: str) -> str:
        if model == "judge":
            return "Right." + "\nGrade: 8" if "return x" in prompt else "Nothing.\nGrade: 2"
        n = int(prompt.split("def f")[1][0])
        right = f"return x + {n}" if model == "strong" or n % 2 == 0 else "return None"
        return f"\n    {right}\n\nprint('then some')\n"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked += 1
        self.server.keys[body["model"]].add(self.headers["authorization"])
        if self.path.endswith("/chat/completions"):
            text = self.server.text(body["model"], body["messages"][-1]["content"])
            choice: dict[str, object] = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        else:
            choice = {"text": self.server.text(body["model"], body["prompt"]), "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": 7}
        made = json.dumps({"choices": [choice], "usage": usage, "model": "m"}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(made)))
        self.end_headers()
        self.wfile.write(made)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server(("127.0.0.1", 0), _Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    return path


def evaluate(server: _Server, benchmark: Path, *options: object, model: str = "weak") -> int:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    arguments = ["evaluate", url, "--model", model, "--benchmark", benchmark, "--data", benchmark.parent / "data"]
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in (*arguments, "--workers", 1, *options)])
    return int(str(stop.value.code))


def test_the_board_holds_student_and_teacher_to_the_same_problems(
    server: _Server, benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    assert evaluate(server, benchmark, "--teacher", url, "--teacher-model", "strong", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    hold("evaluate", found)
    assert found["pass@k"] == {"1": 0.5}
    teacher, student = found["board"]
    assert (teacher["pass@k"]["1"], teacher["share_of_teacher"]) == (1.0, 1.0)
    assert (student["pass@k"]["1"], student["share_of_teacher"]) == (0.5, 0.5)
    assert student["paired_with_teacher"] == {"gained": 0, "lost": 2, "p": 0.5}
    assert student["tokens_per_second"] > 0
    assert evaluate(server, benchmark, "--teacher", url, "--teacher-model", "strong") == 0
    text = capsys.readouterr().out
    assert "(teacher)" in text
    assert "100.0%" in text
    assert server.asked == 8, "the second call is answered from the journal"


def test_a_published_score_stands_beside_with_its_protocol_as_the_default(
    server: _Server, benchmark: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    published = references.known()["phi-1"].model_copy(
        update={"prompt_form": "chat", "scores": {benchmark.stem: 52.0}, "samples": 1}
    )
    monkeypatch.setattr(references, "known", lambda: {"phi-1": published})
    assert evaluate(server, benchmark, "--reference", "phi-1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["prompt_form"] == "chat"
    assert (found["reference"]["verdict"], found["reference"]["unlike"]) == ("reproduced", [])
    assert found["reference"]["pass@1"] == 0.52
    assert evaluate(server, benchmark, "--reference", "phi-1", "--prompt-form", "raw") == 0
    text = capsys.readouterr().out
    assert "reproduced: phi-1 (1.3B) is published with 52.0%, here 50.0% (-2.0)" in text
    assert "unlike there: prompt form raw, there chat" in text
    asked = server.asked
    assert evaluate(server, benchmark, "--reference", "phi-2") == 2
    assert "--reference 'phi-2' is not known" in capsys.readouterr().err
    published.scores.clear()  # type: ignore[attr-defined]
    assert evaluate(server, benchmark, "--reference", "phi-1") == 2
    assert f"no published score on '{benchmark.stem}' is known" in capsys.readouterr().err
    assert server.asked == asked, "what cannot be compared is said before anything is asked"


def test_a_corpus_splits_the_score(server: _Server, benchmark: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = benchmark.parent / "corpus.jsonl"
    corpus.write_text(json.dumps({"text": TASKS[0]["prompt"] + TASKS[0]["canonical_solution"]}) + "\n")
    assert evaluate(server, benchmark, "--corpus", corpus, "--json") == 0
    splits = json.loads(capsys.readouterr().out)["splits"]
    assert [one["tau"] for one in splits] == [0.95, 0.9, 0.85, 0.8]
    for one in splits:
        assert one["similar"]["problems"] + one["non_similar"]["problems"] == 4
        assert one["similar"]["problems"] >= 1
    assert evaluate(server, benchmark, "--corpus", "no-such-run") == 2
    assert "there is no run in" in capsys.readouterr().err


def test_a_judge_grades_and_its_journal_replays_offline(
    server: _Server, benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    options = ("--judge", url, "--judge-model", "judge", "--repeats", 2, "--json")
    assert evaluate(server, benchmark, *options) == 0
    first = json.loads(capsys.readouterr().out)["understanding"]
    assert (first["problems"], first["graded"], first["agreement"]) == (4, 4, 0.0)
    assert first["percent"] == 50.0
    assert (first["grade_where_tests_pass"], first["grade_where_tests_fail"]) == (8.0, 2.0)
    asked = server.asked
    assert evaluate(server, benchmark, "--judge", f"replay:{first['journal']}", "--repeats", 2, "--json") == 0
    again = json.loads(capsys.readouterr().out)["understanding"]
    assert again["grades"] == first["grades"]
    assert server.asked == asked
    assert evaluate(server, benchmark, "--judge", url) == 2
    assert "--judge-model" in capsys.readouterr().err


def test_an_endpoint_whose_model_changed_is_asked_again_with_fresh_and_old_answers_have_an_age(
    server: _Server, benchmark: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    options = ("--judge", url, "--judge-model", "judge", "--repeats", 1, "--json")

    def scored(*more: object) -> tuple[float, list[str], str]:
        assert evaluate(server, benchmark, *options, *more) == 0
        found = json.loads(capsys.readouterr().out)
        notes = [note for note in found["notes"] if "given before" in note]
        return found["pass@k"]["1"], notes, found["understanding"]["note"]

    assert scored() == (0.5, [], "")
    answer = _Server.text
    # Behind the same URL and name another model stands, and time has passed.
    monkeypatch.setattr(
        _Server, "text", lambda self, model, prompt: answer(self, model.replace("weak", "strong"), prompt)
    )
    (journal,) = (benchmark.parent / "data" / "evaluations").glob("*.jsonl")
    journal.write_text(re.sub(r'"at": \d+', '"at": 1700000000', journal.read_text()))
    asked = server.asked
    score, (note,), told = scored()
    assert (score, server.asked) == (0.5, asked)
    assert re.fullmatch(
        r"4 of 4 answers were given before, on 2023-11-14 \(\d+ days ago\); --fresh asks for them again", note
    )
    assert told.startswith("4 of 4 answers were given before")
    assert "(today)" in told
    assert scored("--fresh") == (1.0, [], "")
    assert server.asked == asked + 8
    score, (note,), _ = scored()
    assert score == 1.0
    assert "(today)" in note
    assert server.asked == asked + 8
    kept = [json.loads(line) for line in journal.read_text().splitlines()]
    assert len([line for line in kept if "answer" in line]) == 8, "old answers stay, as an earlier generation"
    assert [len(line["retired"]) for line in kept if "retired" in line] == [4]
    assert not list(journal.parent.glob("judge-*.*")), "the judge read other answers: a folder of their own"
    scored("--fresh")
    assert [path.name[-2:] for path in journal.parent.glob("judge-*.*")] == [".1"]


def test_a_killed_fresh_evaluation_goes_on_with_its_own_generation(tmp_path: Path) -> None:
    from pipeline.stages.samples.stage import _Journal

    path = tmp_path / "answers.jsonl"
    journal = _Journal(path)
    for key in "abc":
        journal.add(key, {"text": "old", "finish_reason": "stop", "tokens": 1})
    journal = _Journal(path)
    journal.retire(["a", "b", "z"])
    journal.add("a", {"text": "new", "finish_reason": "stop", "tokens": 1})
    assert {key: line["text"] for key, line in _Journal(path).lines.items()} == {"a": "new", "c": "old"}


def test_each_endpoint_gets_its_own_key_and_no_other(
    server: _Server, benchmark: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("STUDENT", "TEACHER", "JUDGE"):
        monkeypatch.setenv(f"{name}_KEY", f"key-of-{name}")
    url = f"http://127.0.0.1:{server.server_port}/v1"
    other = f"http://localhost:{server.server_port}/v1"
    judge = ("--judge", url, "--judge-model", "judge", "--judge-key-env")
    teacher = ("--teacher", other, "--teacher-model", "strong", "--limit", 1)
    assert evaluate(server, benchmark, "--api-key-env", "STUDENT_KEY", *teacher, *judge, "JUDGE_KEY") == 0
    assert server.keys == {"weak": {"Bearer key-of-STUDENT"}, "strong": {None}, "judge": {"Bearer key-of-JUDGE"}}
    own = ("--teacher-key-env", "TEACHER_KEY", "--limit", 2)
    assert evaluate(server, benchmark, "--api-key-env", "STUDENT_KEY", *teacher, *own) == 0
    assert server.keys["strong"] == {None, "Bearer key-of-TEACHER"}
    capsys.readouterr()
    assert evaluate(server, benchmark, *judge, "NO_KEY_HERE") == 2
    assert "NO_KEY_HERE" in capsys.readouterr().err


def test_saved_samples_are_equal_from_run_to_run_and_score_the_same(
    server: _Server, benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = benchmark.parent / "one.jsonl", benchmark.parent / "two.jsonl"
    assert evaluate(server, benchmark, "--save", first, "--json") == 0
    own = json.loads(capsys.readouterr().out)
    assert evaluate(server, benchmark, "--save", second, "--post-processing", "auto") == 0
    assert first.read_bytes() == second.read_bytes()
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["score", str(first), "--benchmark", str(benchmark), "--json", "--workers", "1"])
    scored = json.loads(capsys.readouterr().out)
    hold("score", scored)
    assert scored["results"] == own["results"]
    rows = [json.loads(line) for line in (benchmark.parent / "one.jsonl_results.jsonl").read_text().splitlines()]
    assert [row["passed"] for row in rows] == [True, False, True, False]
    assert rows[1]["detail"] == "assert candidate(1) == 2: expected 2, got None"


def test_the_memory_of_a_scored_program_can_be_raised(benchmark: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = benchmark.parent / "large.jsonl"
    body = "    room = bytes(700 << 20)\n    return x + (len(room) > 0) - 1"
    large.write_text(json.dumps({"task_id": "Mine/0", "completion": body}) + "\n")
    found = []
    for options in ((), ("--memory-mb", "1024")):
        with pytest.raises(SystemExit):
            main(["score", str(large), "--benchmark", str(benchmark), "--json", "--workers", "1", *options])
        (result,) = json.loads(capsys.readouterr().out)["results"]
        found.append(result["verdict"])
    assert found == ["memory", "passed"]


def test_post_processing_can_be_switched_off_and_the_result_says_how_it_asked(
    server: _Server, benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(server, benchmark) == 0
    text = capsys.readouterr().out
    assert "prompt form stripped/1 (newlines at the prompt's end are not asked" in text
    assert "stop rule code-stop/2, post-processing code-stop/2" in text
    assert r"the endpoint was sent the stop strings ['\nassert ', '\nif ', '\nprint(', '\n```']" in text
    assert evaluate(server, benchmark, "--post-processing", "none", "--prompt-form", "raw", "--stop", "none") == 0
    text = capsys.readouterr().out
    assert "prompt form raw/1 (the prompt as it is" in text
    assert "stop rule none, post-processing none" in text
    assert evaluate(server, benchmark, "--post-processing", "some") == 2
    assert evaluate(server, benchmark, "--teacher", "x", "--teacher-form", "verse") == 2
    assert "--teacher-form = 'verse'" in capsys.readouterr().err


def test_a_benchmark_whose_own_answers_fail_says_so(
    server: _Server, benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = [*TASKS[:3], {**TASKS[3], "canonical_solution": "    return x\n"}]
    benchmark.write_text("".join(json.dumps(task) + "\n" for task in broken))
    assert evaluate(server, benchmark) == 0
    captured = capsys.readouterr()
    assert "1 reference solutions of mine fail on this machine: Mine/3" in captured.out
    assert "Mine/3" in captured.err, "said before the model is asked"


def test_an_absent_benchmark_fails_at_once_and_names_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.benchmarks import hub
    from pipeline.core.errors import MissingExtra

    monkeypatch.delenv(problems.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(hub, "rows", lambda *_: (_ for _ in ()).throw(ConnectionError("no network")))
    with pytest.raises(MissingExtra, match="benchmark 'mbpp' is not on this machine") as error:
        problems.load("mbpp")
    assert "--benchmark FILE.jsonl" in str(error.value)
    assert problems.FOLDER_VARIABLE in str(error.value)


@pytest.mark.parametrize("option", ["", "--teacher", "--judge"])
@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("localhost:9/v1", "sk-abc", "write http://localhost:9/v1"),
        ("http://127.0.0.1:9/v1#x", "sk-abc", "a fragment"),
        ("http://127.0.0.1:9/v1 ", "sk-abc", "a blank at character"),
        ("ftp://127.0.0.1/v1", "sk-abc", "should be a URL"),
        pytest.param(
            "http://127.0.0.1:9/v1",
            "sk-abc\u2026",
            "KEY holds U+2026 (HORIZONTAL ELLIPSIS)",
            marks=pytest.mark.skipif(sys.getfilesystemencoding() != "utf-8", reason="no variable holds this key here"),
        ),
        ("http://127.0.0.1:9/v1", "sk-abc\r\nx-a: b", "KEY holds a line break"),
    ],
)
def test_an_endpoint_that_cannot_be_asked_is_named_before_anything_is_asked(
    server: _Server,
    benchmark: Path,
    option: str,
    url: str,
    key: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KEY", key)
    if option:
        options = [option, url, f"{option}-model", "strong", f"{option}-key-env", "KEY"]
        assert evaluate(server, benchmark, *options) == 2
    else:
        data = ["--benchmark", str(benchmark), "--data", str(benchmark.parent / "data")]
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", url, "--model", "m", "--api-key-env", "KEY", *data])
        assert stop.value.code == 2
    told = " ".join(capsys.readouterr().err.split())
    assert words in told
    assert key not in told
    assert server.asked == 0


def test_a_model_answers_in_the_arithmetic_that_is_asked_for(
    server: _Server, benchmark: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert evaluate(server, benchmark, "--precision", "bf16") == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "--precision bf16 is of a model that is loaded here, and http://127.0.0.1" in told
    assert "leave --precision out" in told
    assert evaluate(server, benchmark, "--precision", "bf15") == 2
    assert "bf15" in capsys.readouterr().err
    assert server.asked == 0

    def found(*options: str) -> dict[str, Any]:
        arguments = ["evaluate", folder("llama", tmp_path), "--benchmark", benchmark, "--data", tmp_path / "data"]
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in (*arguments, "--limit", 2, "--max-new-tokens", 4, "--json", *options)])
        assert stop.value.code == 0
        read: dict[str, Any] = json.loads(capsys.readouterr().out)
        return read

    plain, half, whole = (
        found("--device", "cpu"),
        found("--device", "cpu", "--precision", "bf16"),
        found("--device", "cpu", "--precision", "fp32"),
    )
    assert [one["settings"]["precision"] for one in (plain, half, whole)] == ["fp32", "bf16", "fp32"]
    assert [one["speed"]["answers"] for one in (plain, half, whole)] == [2, 2, 0], "answers of another one do not serve"


def test_likelihood_is_of_the_reference_solutions_by_a_model_that_is_here(
    server: _Server,
    benchmark: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loads: list[str] = []
    load = loading.load

    def counted(spec: str, **settings: Any) -> Any:
        loads.append(spec)
        return load(spec, **settings)

    monkeypatch.setattr(loading, "load", counted)
    assert evaluate(server, benchmark, "--likelihood") == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "--likelihood reads a model's probabilities, and http://127.0.0.1" in told
    assert "leave --likelihood out" in told
    assert server.asked == 0
    arguments = ["evaluate", folder("llama", tmp_path), "--benchmark", benchmark, "--data", tmp_path / "data"]
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in (*arguments, "--likelihood", "--limit", 3, "--max-new-tokens", 4, "--json")])
    assert stop.value.code == 0
    found = json.loads(capsys.readouterr().out)
    hold("evaluate", found)
    assert found["likelihood"]["problems"] == 3
    assert len(loads) == 1, "the model is read once for both"
    low, high = found["likelihood"]["interval"]
    assert 0 < low <= found["likelihood"]["bits_per_byte"] <= high


@pytest.mark.parametrize(
    ("option", "value", "most"),
    [("--workers", "4097", "4096"), ("--cpu-seconds", "inf", "86400"), ("--cpu-seconds", "1e9", "86400")],
)
def test_limits_that_no_machine_has_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, most: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["score", str(tmp_path / "samples.jsonl"), "--json", option, value])
    assert stopped.value.code == 2
    said = json.loads(capsys.readouterr().out)["error"]["message"]
    assert said == f"Invalid value for '{option}': Input should be less than or equal to {most}"


@pytest.mark.parametrize(
    ("option", "of"),
    [
        ("--teacher-model", "--teacher"),
        ("--teacher-key-env", "--teacher"),
        ("--teacher-form", "--teacher"),
        ("--judge-model", "--judge"),
        ("--judge-key-env", "--judge"),
    ],
)
def test_an_option_of_one_that_is_not_given_is_refused(
    option: str, of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "smollm2", option, "x"])
    assert stopped.value.code == 2
    assert f"{option} is of {of}, which is not given\n  give {of} too" in capsys.readouterr().err


def test_an_empty_model_name_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["evaluate", ""], ["chat", ""]):
        with pytest.raises(SystemExit) as stopped:
            main([*words, "--data", str(tmp_path / "data")])
        assert stopped.value.code == 2
        assert "a model is named '', which is no name\n  name \"smollm2\"" in capsys.readouterr().err
