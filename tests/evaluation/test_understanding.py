import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.benchmarks import problems
from pipeline.core.errors import InputError
from pipeline.core.records import Sample, Score
from pipeline.evaluation.understanding import Grade, grade, summarise_grades
from pipeline.execution import Execution
from pipeline.recipe_teachers import ReplayTable
from pipeline.sandbox import Sandbox
from pipeline.stages.samples.models import Answerer, Ask
from pipeline.stages.samples.opening import open_model
from pipeline.stages.scores.stage import judge as judge_samples
from pipeline.stages.scores.stage import references
from pipeline.teacher import build, evaluation_teacher


class _Server(ThreadingHTTPServer):
    """Answers chat requests with a grade, completions with a body; keeps the bodies that it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[dict[str, object]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.bodies.append(body)
        usage = {"prompt_tokens": 5, "completion_tokens": 7}
        if self.path.endswith("/chat/completions"):
            right = "return ..." not in body["messages"][-1]["content"]
            text = "All steps are there.\n\nGrade: 9" if right else "Nothing of it.\nGrade: 1"
            choice: dict[str, object] = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        else:
            choice = {"text": "\n    return x\n", "finish_reason": "stop"}
        made = json.dumps({"choices": [choice], "usage": usage, "model": "m"}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(made)))
        self.end_headers()
        self.wfile.write(made)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_there_are_fifty_problems_each_with_a_reference_and_tests() -> None:
    own = problems.load("understanding")
    assert len(own.problems) == 50
    assert all(p.canonical_solution and "assert candidate(" in p.test for p in own.problems)


def test_a_judge_grades_and_a_replay_of_it_gives_the_same_offline(
    tmp_path: Path, server: _Server, sandbox: Sandbox
) -> None:
    own = problems.load("understanding").limited(4)
    right = list(references(own.problems[:2]))
    wrong = [
        Sample(
            problem_id=p.id,
            benchmark=p.benchmark,
            task_id=p.task_id,
            model="reference",
            checkpoint="c",
            raw="",
            completion="    return ...\n",
        )
        for p in own.problems[2:]
    ]
    samples = [*right, *wrong]
    scores = [one.score for one in judge_samples(samples, own.problems, sandbox)]
    execution = Execution()
    judge = evaluation_teacher(server.url, "judge", execution=execution)
    first = grade(samples, own, judge, journal=tmp_path / "j", execution=execution, repeats=2, scores=scores)
    assert (first.problems, first.graded, first.percent) == (50, 4, 50.0)
    assert (first.passing, first.failing, first.agreement) == (9.0, 1.0, 0.0)
    assert [g.verdict for g in first.grades[::2]] == ["All steps are there."] * 2 + ["Nothing of it."] * 2
    assert len(server.bodies) == 8

    replay = build(ReplayTable(name="again", replay=str(tmp_path / "j")), execution, 0)
    second = grade(samples, own, replay, journal=tmp_path / "k", execution=execution, repeats=2, scores=scores)
    assert [(g.task_id, g.repeat, g.grade) for g in second.grades] == [
        (g.task_id, g.repeat, g.grade) for g in first.grades
    ]
    assert len(server.bodies) == 8
    assert second.to_json()["percent"] == 50.0


def test_disagreement_is_measured_and_a_missing_grade_is_not_zero() -> None:
    own = problems.load("understanding")
    grades = [
        Grade("s1", "Understanding/0", 0, 4.0, ""),
        Grade("s1", "Understanding/0", 1, 8.0, ""),
        Grade("s2", "Understanding/1", 0, None, ""),
    ]
    score = Score(
        sample_id="s1",
        problem_id="p",
        benchmark="b",
        task_id="Understanding/0",
        model="m",
        passed=True,
        verdict="passed",
    )
    made = summarise_grades(grades, own, "judge", "digest", [score])
    assert (made.graded, made.percent, made.agreement) == (1, 60.0, 4.0)
    assert (made.passing, made.failing) == (6.0, None)


def test_no_grade_at_all_is_null() -> None:
    made = summarise_grades([], problems.load("understanding"), "judge", "digest").to_json()
    assert made["percent"] is None
    assert made["interval"] is None


def test_repeats_below_one_are_refused(tmp_path: Path) -> None:
    judge = evaluation_teacher("http://127.0.0.1:9/v1", "judge", execution=Execution())
    with pytest.raises(InputError, match="repeats should be 1 or more"):
        grade([], problems.load("understanding"), judge, journal=tmp_path, execution=Execution(), repeats=0)


def test_an_endpoint_continues_prompts_and_answers_chats(server: _Server, tmp_path: Path) -> None:
    model: Answerer = open_model(server.url, execution=Execution(), cache=tmp_path, endpoint_model="m")
    assert model.checkpoint == f"{server.url} m"
    made = list(model.answers(["def f(x):", "def g(x):"], Ask(max_new_tokens=30), [1, 2]))
    assert sorted(a.index for a in made) == [0, 1]
    assert {(a.text, a.tokens) for a in made} == {("\n    return x\n", 7)}
    asked = sorted(server.bodies, key=lambda body: str(body["prompt"]))
    assert [body["prompt"] for body in asked] == ["def f(x):", "def g(x):"]
    assert asked[0]["stop"] == ["\nassert ", "\nif ", "\nprint(", "\n```"]
    assert asked[0]["temperature"] == 0
    chat = list(model.answers(["hello"], Ask(max_new_tokens=30, chat=True), [1]))
    assert chat[0].text.endswith("Grade: 9")


def test_an_endpoint_without_a_model_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="serves models by name"):
        open_model("http://127.0.0.1:9/v1", execution=Execution(), cache=tmp_path)
