import json
from pathlib import Path

import pytest
import tenacity
from asking import ask_all, prompt, table
from batch_server import BatchApi
from server import Reply, chat, refuse, serving

from pipeline.core.errors import BudgetReached, TeacherError
from pipeline.core.records import Prompt
from pipeline.teacher import batch as lane
from pipeline.teacher import batch_api
from pipeline.teacher.lines import entries


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "POLL_SECONDS", 0.02)


def prompts(count: int) -> list[Prompt]:
    return [prompt(number) for number in range(count)]


def test_a_batch_gives_the_records_that_asking_online_gives(tmp_path: Path) -> None:
    asked = prompts(25)
    with serving() as server:
        online, _ = ask_all(asked, tmp_path / "online", [table(server.url)])
        server.route = api = BatchApi()
        batched, dropped = ask_all(asked, tmp_path / "batch", [table(server.url, mode="batch")])
    assert batched == online
    assert not dropped
    assert len(api.batches) == 1
    assert {line["url"] for line in api.sent} == {"/v1/chat/completions"}
    assert len(list(entries(tmp_path / "batch"))) == 25
    assert not list((tmp_path / "batch").glob("batch-*.jsonl"))


def test_large_batches_are_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "MOST_REQUESTS", 10)
    with serving() as server:
        server.route = api = BatchApi()
        kept, _ = ask_all(prompts(25), tmp_path, [table(server.url, mode="batch")])
    assert len(kept) == 25
    assert len(api.batches) == 3


def test_expired_and_failed_rows_are_sent_again_and_bad_ones_dropped(tmp_path: Path) -> None:
    seen: set[str] = set()

    def judge(line: dict) -> Reply | None:  # type: ignore[type-arg]
        question = line["body"]["messages"][-1]["content"]
        first = question not in seen
        seen.add(question)
        if question == "question 3":
            return refuse(400, "maximum context length", "context_length_exceeded")
        if first and question in ("question 1", "question 2"):
            return None if question == "question 1" else refuse(500, "oops")
        return Reply(body=chat("fine"))

    with serving() as server:
        server.route = api = BatchApi(judge)
        kept, dropped = ask_all(prompts(6), tmp_path, [table(server.url, mode="batch")])
    assert len(kept) == 5
    (drop,) = dropped.values()
    assert (drop.reason, drop.detail.split(":")[0]) == ("failed", "context too long")
    assert len(api.sent) == 8


@pytest.mark.parametrize("reply_lost", [False, True])
def test_a_dead_process_finds_its_batch_again(
    tmp_path: Path, reply_lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prompts(12)
    with serving() as server:
        server.route = api = BatchApi(polls=10**9)
        api.forget_reply = reply_lost
        teacher = table(server.url, mode="batch")

        class Died(Exception):
            pass

        async def die(*_: object) -> None:
            raise Died

        with monkeypatch.context() as patch:
            # The first look at the batch (or the lost reply to its creation) is where the process ends.
            patch.setattr(lane.BatchLane, "_follow", die)
            if reply_lost:
                patch.setattr(tenacity, "stop_after_delay", lambda seconds: tenacity.stop_after_attempt(1))
            with pytest.raises((Died, TeacherError)):
                ask_all(asked, tmp_path, [teacher])
        assert len(api.batches) == 1
        api.polls, api.forget_reply = 0, False
        kept, dropped = ask_all([*asked, prompt(99)], tmp_path, [teacher])
    assert len(kept) == 13
    assert not dropped
    assert len(api.sent) == 13
    assert len(api.batches) == 2


def test_answers_nobody_asks_for_any_more_are_journalled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        server.route = api = BatchApi(polls=10**9)
        teacher = table(server.url, mode="batch")

        async def die(*_: object) -> None:
            raise RuntimeError("died")

        with monkeypatch.context() as patch:
            patch.setattr(lane.BatchLane, "_follow", die)
            with pytest.raises(RuntimeError, match="died"):
                ask_all(prompts(5), tmp_path, [teacher])
        api.polls = 0
        kept, _ = ask_all(prompts(7)[3:], tmp_path, [teacher])
        assert len(kept) == 4
        assert len(list(entries(tmp_path))) == 7


def test_a_refused_batch_stops_the_run(tmp_path: Path) -> None:
    with serving() as server:
        server.route = api = BatchApi()
        api.refuse_create = True
        with pytest.raises(TeacherError, match="model not allowed"):
            ask_all(prompts(3), tmp_path, [table(server.url, mode="batch")])


def test_a_budget_bounds_batches_too(tmp_path: Path) -> None:
    with serving() as server:
        server.route = api = BatchApi()
        with pytest.raises(BudgetReached):
            ask_all(prompts(300), tmp_path, [table(server.url, mode="batch", max_tokens=100)], {"budget_tokens": 3000})
    assert 0 < 30 * len(api.sent) <= 3000
    assert len(list(entries(tmp_path))) == len(api.sent)


def test_prices_are_those_of_the_batch_api(tmp_path: Path) -> None:
    with serving() as server:
        server.route = BatchApi()
        kept, _ = ask_all(prompts(1), tmp_path, [table(server.url, mode="batch", model="gpt-4o-mini")])
    (completion,) = kept.values()
    assert completion.usd == pytest.approx((10 * 0.15 + 20 * 0.60) / 1e6 / 2)


def test_request_lines_are_the_online_bodies(tmp_path: Path) -> None:
    with serving() as server:
        ask_all(prompts(1), tmp_path / "a", [table(server.url, stop=("x",))])
        server.route = api = BatchApi()
        ask_all(prompts(1), tmp_path / "b", [table(server.url, stop=("x",), mode="batch")])
    assert json.dumps(api.sent[0]["body"]) == json.dumps(server.requests[0])


def test_a_full_queue_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane, "MOST_REQUESTS", 10)
    with serving() as server:
        server.route = api = BatchApi()
        api.room = 25
        kept, dropped = ask_all(prompts(60), tmp_path, [table(server.url, mode="batch")])
    assert len(kept) == 60
    assert not dropped
    assert len(api.sent) == 60
    assert any(batch["status"] == "failed" for batch in api.batches.values())


def test_a_batch_larger_than_the_queue_is_halved(tmp_path: Path) -> None:
    with serving() as server:
        server.route = api = BatchApi()
        api.room = 9
        kept, dropped = ask_all(prompts(40), tmp_path, [table(server.url, mode="batch")])
    assert len(kept) == 40
    assert not dropped
    assert len(api.sent) == 40


def test_a_queue_without_any_room_ends_the_run(tmp_path: Path) -> None:
    with serving() as server:
        server.route = api = BatchApi()
        api.room = 0
        with pytest.raises(TeacherError, match="Enqueued token limit reached"):
            ask_all(prompts(2), tmp_path, [table(server.url, mode="batch")], {"retries": 1})
    assert not api.sent


def test_a_request_larger_than_a_file_may_be_makes_no_empty_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "MOST_BYTES", 10)
    with serving() as server:
        server.route = api = BatchApi()
        kept, _ = ask_all(prompts(3), tmp_path, [table(server.url, mode="batch")])
    assert len(kept) == len(api.batches) == 3


def test_a_cancelled_batch_ends_the_run_and_keeps_its_answers(tmp_path: Path) -> None:
    with serving() as server:
        server.route = api = BatchApi()
        api.cancel = True
        with pytest.raises(TeacherError, match=r"batch-0 .* was cancelled"):
            ask_all(prompts(10), tmp_path, [table(server.url, mode="batch")])
        assert len(list(entries(tmp_path))) == 5
        api.cancel = False
        kept, _ = ask_all(prompts(10), tmp_path, [table(server.url, mode="batch")])
    assert len(kept) == 10
    assert len(api.sent) == 10


class Died(Exception):
    """Where a process ends."""


def ask_and_die(monkeypatch: pytest.MonkeyPatch, method: str, url: str, place: Path, asked: list[Prompt]) -> None:
    """Ask, and end when the lane's method is called."""

    async def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(lane.BatchLane, method, die)
        with pytest.raises(Died):
            ask_all(asked, place, [table(url, mode="batch")])


def test_a_lost_batch_is_found_behind_many_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        server.route = api = BatchApi(polls=0)
        ask_and_die(monkeypatch, "_follow", server.url, tmp_path, prompts(4))
        book = tmp_path / "batches.jsonl"
        book.write_bytes(book.read_bytes().splitlines(keepends=True)[0])  # died before the id was written down
        for number in range(1, 250):
            other = {"id": f"other-{number}", "status": "completed", "input_file_id": "", "looks": 0}
            api.batches[f"other-{number}"] = {
                **other,
                "created_at": 10**10,
                "completion_window": "24h",
                "endpoint": "x",
            }
        kept, _ = ask_all(prompts(4), tmp_path, [table(server.url, mode="batch")])
    assert len(kept) == 4
    assert len(api.sent) == 4
    assert api.pages == 3


def test_an_upload_that_never_became_a_batch_is_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        server.route = api = BatchApi()
        call = batch_api.Batches._call

        async def dies_at_create(
            self: batch_api.Batches, function: object, *arguments: object, **named: object
        ) -> object:
            if "input_file_id" in named:
                raise Died
            return await call(self, function, *arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(batch_api.Batches, "_call", dies_at_create)
            with pytest.raises(Died):
                ask_all(prompts(4), tmp_path, [table(server.url, mode="batch")])
        assert (len(api.files), len(api.batches)) == (1, 0)
        kept, _ = ask_all(prompts(4), tmp_path, [table(server.url, mode="batch")])
    assert len(kept) == len(api.sent) == 4
    assert not list(tmp_path.glob("batch-*.jsonl"))


def test_answers_are_journalled_once_though_the_process_died_while_reading_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Died

    with serving() as server:
        server.route = api = BatchApi(polls=0)
        with monkeypatch.context() as patch:
            patch.setattr(batch_api.Batches, "done", die)
            # All answers are in the journal, and the batch is not yet noted as done.
            ask_all_or_die(prompts(6), tmp_path, server.url)
        kept, _ = ask_all(prompts(6), tmp_path, [table(server.url, mode="batch")])
    assert len(kept) == len(api.sent) == 6
    assert len(list(entries(tmp_path))) == 6


def ask_all_or_die(asked: list[Prompt], place: Path, url: str) -> None:
    with pytest.raises(Died):
        ask_all(asked, place, [table(url, mode="batch")])


def test_a_batch_that_the_endpoint_forgot_is_sent_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        server.route = api = BatchApi()
        ask_and_die(monkeypatch, "_follow", server.url, tmp_path, prompts(4))
        api.batches.clear()
        kept, dropped = ask_all(prompts(4), tmp_path, [table(server.url, mode="batch")])
    assert len(kept) == 4
    assert not dropped


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b"null",
        b"{}",
        b'{"custom_id": NAME}',
        b'{"custom_id": NAME, "response": null, "error": null}',
        b'{"custom_id": NAME, "response": [], "error": "x"}',
        b'{"custom_id": NAME, "response": {"status_code": "200", "body": 5}}',
        b'{"custom_id": NAME, "response": {"status_code": {}, "body": null}}',
        b'{"custom_id": NAME, "response": {"status_code": 200, "body": null}}',
        b'{"custom_id": NAME, "response": {"status_code": 200, "body": [1]}}',
        b'{"custom_id": NAME, "response": {"status_code": 200, "body": {"choices": [7], "usage": true}}}',
        b'{"custom_id": NAME, "response": {"status_code": 500, "body": {"error": "\\ud800"}}}',
        b'{"custom_id": NAME, "response": null, "error": {"code": null, "message": "\\ud800"}}',
        b'{"custom_id": [NAME]}',
        b'{"custom_id": NAME, "x": ' + b"[" * 5000,
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_line_of_any_shape_costs_its_own_request_at_most(
    tmp_path: Path, line: bytes, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = BatchApi(polls=0)

    def route(method: str, path: str, raw: bytes) -> Reply:
        reply = api(method, path, raw)
        if not path.endswith("/content") or reply.raw is None or len(api.batches) > 1:
            return reply
        first, *rest = reply.raw.splitlines()
        name = json.dumps(json.loads(first)["custom_id"]).encode()
        text = b"\n".join([line.replace(b"NAME", name), *rest]).decode("utf-8", "replace")
        return Reply(raw=text.encode(encoding))

    with serving() as server:
        server.route = route
        kept, dropped = ask_all(prompts(3), tmp_path, [table(server.url, mode="batch")])
    assert (len(kept), len(dropped)) == (3, 0)


@pytest.mark.parametrize(
    "reply",
    [Reply(raw=b"<html>"), Reply(raw=b""), Reply(body=[1]), Reply(body={}), Reply(body={"id": None, "status": 7}),
     Reply(body={"id": 5, "data": "x"}), Reply(body="x"), Reply(body=None)],
    ids=lambda reply: str(reply.raw or reply.body),
)  # fmt: skip
@pytest.mark.parametrize("at", ["/v1/files", "/v1/batches", "/v1/batches/batch-0"])
@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_what_is_no_reply_of_a_batch_api_ends_the_run_with_words(
    tmp_path: Path, reply: Reply, at: str, kind: str
) -> None:
    api = BatchApi(polls=0)
    odd = Reply(reply.status, reply.body, {"content-type": kind}, reply.raw)

    with serving() as server:
        server.route = lambda method, path, raw: odd if path == at else api(method, path, raw)
        with pytest.raises(TeacherError, match="the Batch API at http://127.0.0.1"):
            ask_all(prompts(2), tmp_path, [table(server.url, mode="batch")])
