import json
from pathlib import Path

import pytest
from asking import ask_all, prompt, table
from batch_server import BatchApi
from server import Reply, chat, refuse, serving

from pipeline.errors import BudgetReached, TeacherError
from pipeline.records import Prompt
from pipeline.teacher import batch as lane
from pipeline.teacher.journal import entries


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
            patch.setattr(lane.BatchLane, "_watch", die)
            if reply_lost:
                patch.setattr(lane.tenacity, "stop_after_delay", lambda seconds: lane.tenacity.stop_after_attempt(1))
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
            patch.setattr(lane.BatchLane, "_watch", die)
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
