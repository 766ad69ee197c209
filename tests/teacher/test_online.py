import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
from asking import ask_all, prompt, table
from server import Body, Reply, chat, echo, refuse, serving

from pipeline.core.errors import AuthenticationError, BudgetReached, TeacherError
from pipeline.core.records import Prompt, Seed, Task
from pipeline.teacher.pace import Pace


def prompts(count: int) -> list[Prompt]:
    return [prompt(number) for number in range(count)]


def test_every_prompt_gets_its_own_answer(tmp_path: Path) -> None:
    asked = prompts(50)
    with serving() as server:
        kept, dropped = ask_all(asked, tmp_path, [table(server.url)])
    assert not dropped
    assert {p.id: f"answer to question {p.seed.number}" for p in asked} == {i: c.text for i, c in kept.items()}
    assert {c.teacher_kind for c in kept.values()} == {"openai"}
    assert {(c.prompt_tokens, c.completion_tokens) for c in kept.values()} == {(10, 20)}


def test_the_request_says_what_the_recipe_says(tmp_path: Path) -> None:
    settings = {
        "temperature": 0.3,
        "top_p": 0.9,
        "max_tokens": 77,
        "stop": ("END",),
        "seed": 5,
        "extra_body": {"response_format": {"type": "json_object"}},
        "headers": {"x-team": "a"},
    }
    with serving() as server:
        ask_all(prompts(1), tmp_path, [table(server.url, **settings)])
    (body,), (head,) = server.requests, server.heads
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "You teach."}, {"role": "user", "content": "question 0"}],
        "temperature": 0.3,
        "top_p": 0.9,
        "max_tokens": 77,
        "stop": ["END"],
        "seed": 5,
        "response_format": {"type": "json_object"},
    }
    assert head["x-team"] == "a"
    assert server.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    "fault",
    [
        refuse(500, "oops"),
        refuse(503, "overloaded"),
        refuse(429, "slow down", retry_after="0.05"),
        refuse(429, "slow down", retry_after=formatdate(time.time() - 5, usegmt=True)),
        refuse(408, "timeout"),
        Reply(raw=b'{"choices": [{"mess'),
        Reply(raw=b"[1, 2]"),
        Reply(body={"error": {"message": "upstream failed"}}),
        Reply(body={"choices": []}),
        Reply(body=chat("x"), cut=90),
        Reply(raw=b"", cut=0),
    ],
    ids=lambda reply: f"{reply.status}-{len(str(reply.raw or reply.body))}-{reply.cut}",
)
def test_what_may_pass_is_asked_again(tmp_path: Path, fault: Reply) -> None:
    seen: set[str] = set()

    def answer(body: Body) -> Reply:
        question = body["messages"][-1]["content"]
        if question in seen:
            return echo(body)
        seen.add(question)
        return fault

    with serving(answer) as server:
        kept, dropped = ask_all(prompts(4), tmp_path, [table(server.url)])
    assert len(kept) == 4
    assert not dropped
    assert len(server.requests) == 8


@pytest.mark.parametrize(
    ("reply", "reason", "words"),
    [
        (Reply(body=chat("half", "length")), "truncated", "20 tokens reached max_tokens = 1024"),
        (Reply(body=chat("", "content_filter")), "refused", "content filter"),
        (refuse(400, "flagged", "content_filter"), "refused", "flagged"),
        (refuse(400, "maximum context length is 8", "context_length_exceeded"), "failed", "context too long"),
        (
            Reply(body={"choices": [{"message": {"content": None, "refusal": "I will not"}, "finish_reason": "stop"}]}),
            "refused",
            "I will not",
        ),
    ],
)
def test_what_cannot_pass_is_dropped_at_once_with_its_reason(
    tmp_path: Path, reply: Reply, reason: str, words: str
) -> None:
    with serving(lambda body: reply) as server:
        kept, dropped = ask_all(prompts(3), tmp_path, [table(server.url)])
    assert not kept
    assert {drop.reason for drop in dropped.values()} == {reason}
    assert all(words in drop.detail for drop in dropped.values())
    assert len(server.requests) == 3


def test_of_an_exercise_whose_tests_are_to_be_agreed_on_the_function_is_enough(tmp_path: Path) -> None:
    function = '```python\ndef f(x: int) -> int:\n    """Twice."""\n    return 2 * x\n\nassert f(1) == 2\n'
    exercise = Seed(kind="exercise", number=1, topic="a/b", title="b", audience="x", form="y", teacher="mock")
    given = Task(entry_point="f", prompt="def f(x):\n", test="")
    seeds = [exercise, replace(exercise, kind="textbook"), replace(exercise, task=given)]
    asked = [replace(prompt(number), seed=seed) for number, seed in enumerate(seeds)]
    with serving(lambda body: Reply(body=chat(function + "assert f(2", "length"))) as server:
        kept, dropped = ask_all(asked, tmp_path, [table(server.url)], cut=frozenset({"mock"}))
    assert {(one.text, one.finish_reason) for one in kept.values()} == {(function + "```\n", "length")}
    assert set(kept) == {asked[0].id}
    assert [drop.reason for drop in dropped.values()] == ["truncated", "truncated"]


def test_a_request_that_always_fails_is_dropped_after_its_retries(tmp_path: Path) -> None:
    def answer(body: Body) -> Reply:
        return refuse(500, "oops") if body["messages"][-1]["content"] == "question 1" else echo(body)

    with serving(answer) as server:
        kept, dropped = ask_all(prompts(20), tmp_path, [table(server.url)], {"retries": 2})
    assert len(kept) == 19
    (drop,) = dropped.values()
    assert (drop.reason, drop.detail) == ("failed", "server error: HTTP 500: oops (tried 3 times)")
    assert len(server.requests) == 22


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_stops_the_run_with_one_error(tmp_path: Path, status: int) -> None:
    with serving(lambda body: refuse(status, "bad key")) as server, pytest.raises(AuthenticationError, match="bad key"):
        ask_all(prompts(500), tmp_path, [table(server.url)])
    assert len(server.requests) <= 8


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (refuse(404, "no such model"), "no such model"),
        (refuse(429, "pay first", "insufficient_quota"), "quota exhausted"),
        (refuse(400, "temperature is not supported"), "refused the first"),
    ],
)
def test_what_no_request_can_pass_stops_the_run(tmp_path: Path, reply: Reply, words: str) -> None:
    with serving(lambda body: reply) as server, pytest.raises(TeacherError, match=words):
        ask_all(prompts(500), tmp_path, [table(server.url)])
    assert len(server.requests) <= 16


def test_a_dead_endpoint_is_left_for_its_fallback(tmp_path: Path) -> None:
    with serving(lambda body: refuse(404, "gone")) as dead, serving() as alive:
        teacher = table(dead.url, fallbacks=({"base_url": alive.url, "model": "other"},))
        kept, dropped = ask_all(prompts(30), tmp_path, [teacher])
    assert len(kept) == 30
    assert not dropped
    assert {c.model for c in kept.values()} == {"other"}


def test_weights_share_the_requests_in_flight(tmp_path: Path) -> None:
    """Nothing is answered before both endpoints are as full as they may be."""
    most, lock, full = {"/one": 8, "/two": 3}, threading.Lock(), threading.Event()
    in_flight = dict.fromkeys(most, 0)

    def answer(place: str) -> Callable[[Body], Reply]:
        def held(body: Body) -> Reply:
            with lock:
                in_flight[place] += 1
                if in_flight == most:
                    full.set()
            assert full.wait(300)
            return echo(body)

        return held

    with serving(answer("/one")) as one, serving(answer("/two")) as two:
        teacher = table(one.url, weight=3.0, fallbacks=({"base_url": two.url, "weight": 1.0},))
        kept, _ = ask_all(prompts(80), tmp_path, [teacher], {"timeout_seconds": 300.0})
    assert full.is_set()
    assert len(kept) == len(one.requests) + len(two.requests) == 80


def test_one_slow_request_holds_no_other(tmp_path: Path) -> None:
    """The slow one is answered when all others are."""
    done, lock, all_done = itertools.count(1), threading.Lock(), threading.Event()

    def answer(body: Body) -> Reply:
        if body["messages"][-1]["content"] == "question 0":
            return Reply(body=chat("late" if all_done.wait(300) else "held up the others"))
        with lock:
            if next(done) == 59:
                all_done.set()
        return echo(body)

    with serving(answer) as server:
        kept, _ = ask_all(prompts(60), tmp_path, [table(server.url)], {"concurrency": 4, "timeout_seconds": 400.0})
    assert len(kept) == 60
    assert "late" in {completion.text for completion in kept.values()}


def test_a_retry_after_pauses_all_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of four in flight is refused; the others are answered once the refusal has been read."""
    arrived: list[float] = []
    lock, four, told = threading.Lock(), threading.Barrier(4, timeout=300), threading.Event()
    refused: list[float] = []
    rejected = Pace.rejected

    def heard(self: Pace, now: float, started: float, retry_after: float | None) -> float:
        wait = rejected(self, now, started, retry_after)
        refused.append(now)
        told.set()
        return wait

    monkeypatch.setattr(Pace, "rejected", heard)

    def answer(body: Body) -> Reply:
        with lock:
            arrived.append(time.monotonic())
            number = len(arrived)
        if number <= 4:
            if four.wait() == 0:
                return refuse(429, "slow", retry_after="0.5")
            assert told.wait(300)
        return echo(body)

    with serving(answer) as server:
        kept, _ = ask_all(prompts(40), tmp_path, [table(server.url)], {"concurrency": 4, "timeout_seconds": 300.0})
    assert len(kept) == 40
    assert len(arrived) == 41
    assert arrived[4] - refused[0] > 0.45  # from when the refusal was read, whatever held its reader up


def test_a_wait_of_hours_ends_the_run_and_an_endpoint_that_has_none_goes_on(tmp_path: Path) -> None:
    tomorrow = formatdate(time.time() + 86_400, usegmt=True)
    for told in ("86400", tomorrow):
        with serving(lambda body, told=told: refuse(429, "daily limit", retry_after=told)) as resting:  # type: ignore[misc]
            with pytest.raises(
                TeacherError, match=r"is told to wait \(http://127.0.0.1:\d+/v1 for 86,\d\d\d s\)"
            ) as seen:
                ask_all(prompts(50), tmp_path / told[:5], [table(resting.url)])
            assert "run again when the limit has passed" in str(seen.value)
            with serving() as alive:
                both = table(resting.url, fallbacks=({"base_url": alive.url},))
                kept, dropped = ask_all(prompts(50), tmp_path / f"both {told[:5]}", [both])
            assert (len(kept), len(dropped)) == (50, 0)


@pytest.mark.parametrize("shown", [True, False])
def test_a_token_budget_is_never_passed(tmp_path: Path, shown: bool) -> None:
    served = 0
    lock = threading.Lock()

    def answer(body: Body) -> Reply:
        nonlocal served
        with lock:
            served += 300
        reply = chat("x" * 400, prompt_tokens=100, completion_tokens=200)
        if not shown:
            del reply["usage"]
        return Reply(body=reply)

    with serving(answer) as server:
        limited = {"budget_tokens": 5000}
        with pytest.raises(BudgetReached, match="budget_tokens = 5000"):
            ask_all(prompts(200), tmp_path, [table(server.url, max_tokens=200)], limited)
        first = len(server.requests)
        assert 0 < served <= 5000
        if not shown:
            return
        with pytest.raises(BudgetReached):
            ask_all(prompts(200), tmp_path, [table(server.url, max_tokens=200)], limited)
        assert len(server.requests) - first <= 1
        kept, _ = ask_all(prompts(30), tmp_path, [table(server.url, max_tokens=200)])
    assert len(kept) == 30


def test_a_budget_in_dollars_is_a_hard_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[models]\n"m" = { prompt = 1000.0, completion = 1000.0 }\n')
    monkeypatch.setenv("HORNBOOK_PRICES", str(prices))
    with serving() as server, pytest.raises(BudgetReached, match="budget_usd = 1"):
        ask_all(prompts(500), tmp_path / "j", [table(server.url, max_tokens=20)], {"budget_usd": 1.0})
    # 30 tokens an answer at $0.001 a token.
    assert 10 <= len(server.requests) <= 33


def test_an_unreachable_endpoint_stops_the_run_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.teacher.breaker import Breaker

    monkeypatch.setattr(Breaker, "FIRST_SECONDS", 0.02)
    with serving() as server:
        url = server.url
    with pytest.raises(TeacherError, match="cannot be reached at http://127.0.0.1"):
        ask_all(prompts(50), tmp_path, [table(url)])


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(body={"error": "boom"}), "200 with an error inside: boom"),
        (Reply(raw=b"<html><title>Sign in</title>"), "200 with an HTML page, titled 'Sign in'"),
        (Reply(body={"choices": []}), "200 without a choice"),
        (refuse(500, "out of memory"), "HTTP 500: out of memory"),
    ],
)
def test_an_endpoint_that_answers_no_request_is_said_to_answer_and_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reply: Reply, words: str
) -> None:
    from pipeline.teacher.breaker import Breaker

    monkeypatch.setattr(Breaker, "FIRST_SECONDS", 0.02)
    with serving(lambda body: reply) as server, pytest.raises(TeacherError) as caught:
        ask_all(prompts(50), tmp_path, [table(server.url)])
    assert f"gets no answer from {server.url}: {words}" in str(caught.value)
    assert "mend what the server says, then run again" in str(caught.value)


def test_teachers_run_side_by_side(tmp_path: Path) -> None:
    def slow(body: Body) -> Reply:
        return Reply(body=chat("slow"), delay=0.3)

    asked = [prompt(n, asked="slow" if n % 20 == 0 else "fast") for n in range(60)]
    with serving(slow) as one, serving() as two:
        tables = [table(one.url, name="slow"), table(two.url, name="fast")]
        kept, dropped = ask_all(asked, tmp_path, tables)
    assert not dropped
    assert len(kept) == 60
    assert len(one.requests) == 3
