"""The walk with an OpenAI-compatible teacher, and what happens when its key is wrong or missing."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow.parquet as pq
import pytest
from walk_command import here

KEY = "sk-test-0123456789abcdefghijklmnop"


class Endpoint(ThreadingHTTPServer):
    """Answers chat completions from a table of user messages; refuses every key but `KEY`."""

    daemon_threads = True

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.asked = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Endpoint
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked += 1
        if self.headers.get("authorization") != f"Bearer {KEY}":
            return self.reply(401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})
        text = self.server.answers[body["messages"][-1]["content"]]
        message = {"role": "assistant", "content": text}
        usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return self.reply(200, {"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage})

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def rows(data, stage):
    (folder,) = (data / "store" / stage).iterdir()
    return [row for part in folder.glob("part-*.parquet") for row in pq.read_table(part).to_pylist()]


@pytest.fixture
def endpoint(tiny):
    data, _ = tiny
    text = {row["prompt_id"]: row["text"] for row in rows(data, "completions")}
    server = Endpoint({row["messages"][-1]["content"]: text[row["id"]] for row in rows(data, "prompts")})
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def teacher(endpoint):
    return [
        "teachers.composer.kind=openai",
        f"teachers.composer.base_url={endpoint.url}",
        "teachers.composer.model=mock",
        "teachers.composer.api_key_env=HORNBOOK_TEST_KEY",
    ]


def test_an_openai_teacher_gives_the_same_corpus_and_its_key_is_nowhere(tiny, endpoint, tmp_path, monkeypatch):
    data, _ = tiny
    monkeypatch.setenv("HORNBOOK_TEST_KEY", KEY)
    result = here("run", "tiny", *teacher(endpoint), "--json", data=tmp_path)
    assert result.code == 0, result.err
    assert endpoint.asked == 28
    assert len(rows(tmp_path, "decontaminated")) == len(rows(data, "decontaminated"))
    assert result.json["teachers"][0]["tokens"] == 28 * 150
    assert KEY not in result.out + result.err
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


def test_a_wrong_key_stops_the_run_with_one_error(endpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("HORNBOOK_TEST_KEY", "sk-wrong-key-value")
    result = here("run", "tiny", *teacher(endpoint), "--json", data=tmp_path)
    assert result.code == 1
    error = result.json["error"]
    assert (error["code"], error["kind"], error["stage"]) == (1, "AuthenticationError", "completions")
    assert [error["run"]] == [folder.name for folder in (tmp_path / "runs").iterdir()]
    assert "sk-wrong" not in result.out
    assert result.err.count("error:") == 1
    assert "HORNBOOK_TEST_KEY" in result.err
    assert "sk-wrong" not in result.err
    assert endpoint.asked < 28


def test_no_key_in_the_environment_asks_nothing(endpoint, tmp_path, monkeypatch):
    monkeypatch.delenv("HORNBOOK_TEST_KEY", raising=False)
    result = here("run", "tiny", *teacher(endpoint), "--json", data=tmp_path)
    assert result.code == result.json["error"]["code"] == 2
    assert "HORNBOOK_TEST_KEY is not set" in result.json["error"]["message"]
    assert result.json["error"]["hint"] == "export HORNBOOK_TEST_KEY=... and run again"
    assert "HORNBOOK_TEST_KEY" in result.err
    assert endpoint.asked == 0


def test_a_budget_ends_the_run_with_3_and_a_larger_one_goes_on(endpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("HORNBOOK_TEST_KEY", KEY)
    arguments = ["run", "tiny", *teacher(endpoint), "--until", "documents"]
    stopped = here(*arguments, "execution.budget_tokens=6000", "--json", data=tmp_path)
    assert stopped.code == stopped.json["error"]["code"] == 3, stopped.err
    assert (stopped.json["error"]["kind"], stopped.json["error"]["stage"]) == ("BudgetReached", "completions")
    assert "budget_tokens" in stopped.err
    paid = endpoint.asked
    assert 0 < paid < 28
    finished = here(*arguments, data=tmp_path)
    assert finished.code == 0, finished.err
    assert endpoint.asked == 28
