import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asking import ask_all, prompt, table
from hypothesis import given
from hypothesis import strategies as st
from server import Body, Reply, chat, echo, refuse, serving

from pipeline.core.errors import DiskFull, Interrupted, StoreBusy
from pipeline.core.records import Completion, Prompt
from pipeline.recipe_teachers import ReplayTable
from pipeline.stages.completions.stage import Complete, expand
from pipeline.teacher import engine, lines
from pipeline.teacher import journal as journals
from pipeline.teacher.archive import Archive
from pipeline.teacher.index import Table
from pipeline.teacher.journal import Journal
from pipeline.teacher.lines import Entry, decode, encode, entries, entry_of
from pipeline.teacher.protocol import Reply as Raw
from pipeline.teacher.protocol import answer_key

HERE = Path(__file__).parent


def prompts(count: int) -> list[Prompt]:
    return [prompt(number) for number in range(count)]


@given(st.dictionaries(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)))
def test_a_table_is_a_dictionary(content: dict[int, int]) -> None:
    made = Table()
    for key, value in content.items():
        made.put(b"%016x" % key, value)
    wanted = {key if key != 2**64 - 1 else 0: value for key, value in content.items()}
    assert {key: made.get(b"%016x" % key) for key in wanted} == wanted
    assert made.count == len(wanted)
    assert made.get(b"%016x" % 12345) == wanted.get(12345)


@given(text=st.text(), model=st.text(), tokens=st.integers(0, 10**6), number=st.integers(0, 99), pretty=st.booleans())
def test_every_entry_comes_back_from_its_line(text: str, model: str, tokens: int, number: int, pretty: bool) -> None:
    body = chat(text, completion_tokens=tokens)
    raw = json.dumps(body, indent=2 if pretty else None).encode()
    entry = entry_of("ab" * 32, number, Raw("cd" * 32, "http://x/v1", model, raw, body, 100, 0.25e-7))
    line = encode(entry, raw)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == entry
    assert lines.HEAD.match(line)


@given(stopped_at=st.integers(1, 100), asked=st.integers(1, 100), later=st.integers(1, 100))
def test_a_stored_answer_serves_exactly_the_limits_under_which_it_would_be_the_same(
    stopped_at: int, asked: int, later: int
) -> None:
    length = stopped_at >= asked
    finish = "length" if length else "stop"
    entry = Entry("", "", 0, finish, asked, 1, min(stopped_at, asked), 0.0, "", "", {})
    assert entry.serves(asked)
    if later != asked:
        assert entry.serves(later) == (not length and later >= stopped_at)


def test_what_is_answered_is_not_asked_again(tmp_path: Path) -> None:
    with serving() as server:
        first, _ = ask_all(prompts(20), tmp_path, [table(server.url)])
        again, _ = ask_all(prompts(30), tmp_path, [table(server.url)])
    assert len(server.requests) == 30
    assert {i: again[i] for i in first} == first


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({"max_tokens": 2048}, 0),
        ({"max_tokens": 10}, 5),
        ({"temperature": 0.1}, 5),
        ({"top_p": 0.5}, 5),
        ({"model": "n"}, 5),
        ({"seed": 1}, 5),
        ({"stop": ("x",)}, 5),
        ({"extra_body": {"response_format": {"type": "json_object"}}}, 5),
        ({"headers": {"x-a": "b"}}, 5),
        ({"weight": 2.0}, 0),
    ],
    ids=str,
)
def test_the_key_holds_everything_that_changes_an_answer(tmp_path: Path, change: dict[str, object], asked: int) -> None:
    with serving() as server:
        ask_all(prompts(5), tmp_path, [table(server.url)])
        ask_all(prompts(5), tmp_path, [table(server.url, **change)])
    assert len(server.requests) == 5 + asked


def test_a_larger_limit_asks_only_what_was_cut_off(tmp_path: Path) -> None:
    def answer(body: Body) -> Reply:
        long = body["messages"][-1]["content"] in ("question 1", "question 3")
        return Reply(body=chat("text", "length" if long and body["max_tokens"] < 100 else "stop"))

    with serving(answer) as server:
        _, cut = ask_all(prompts(5), tmp_path, [table(server.url, max_tokens=50)])
        assert {drop.reason for drop in cut.values()} == {"truncated"}
        kept, dropped = ask_all(prompts(5), tmp_path, [table(server.url, max_tokens=100)])
        assert len(server.requests) == 7
        assert (len(kept), len(dropped)) == (5, 0)
        # The longer answers win from now on.
        kept, _ = ask_all(prompts(5), tmp_path, [table(server.url, max_tokens=100)])
    assert len(server.requests) == 7
    assert len(kept) == 5


def test_equal_messages_are_several_samples_and_stay_so(tmp_path: Path) -> None:
    counted = iter(range(1000))
    same = [prompt(number, "the same words") for number in range(6)]
    with serving(lambda body: Reply(body=chat(f"answer {next(counted)}"))) as server:
        first, _ = ask_all(same, tmp_path, [table(server.url)])
        again, _ = ask_all(same, tmp_path, [table(server.url)])
    assert len({completion.text for completion in first.values()}) == 6
    assert again == first
    assert len(server.requests) == 6


def test_samples_of_a_prompt_are_numbered(tmp_path: Path) -> None:
    from pipeline import teacher

    with serving() as server:
        from asking import execution

        teachers = {"mock": teacher.build(table(server.url, seed=7), execution(), 0)}
        outcomes = list(Complete(teachers, tmp_path, execution())(expand(prompts(2), 3)))
    assert len(outcomes) == 6
    made = [outcome.record for outcome in outcomes if isinstance(outcome.record, Completion)]
    numbers = sorted((one.prompt_id, one.number) for one in made)
    assert [number for _, number in numbers] == [0, 1, 2, 0, 1, 2]
    assert sorted(body["seed"] for body in server.requests) == [7, 7, 8, 8, 9, 9]
    assert [p.seed.number for p in expand(prompts(2), 3)] == [0, 0, 0, 1, 1, 1]


def test_a_torn_last_line_costs_one_answer(tmp_path: Path) -> None:
    with serving() as server:
        ask_all(prompts(5), tmp_path, [table(server.url)])
        file = tmp_path / "journal.jsonl"
        file.write_bytes(file.read_bytes()[:-40])
        kept, _ = ask_all(prompts(5), tmp_path, [table(server.url)])
        assert len(server.requests) == 6
        again, _ = ask_all(prompts(5), tmp_path, [table(server.url)])
    assert len(server.requests) == 6
    assert again == kept
    lines = file.read_bytes().splitlines()
    assert [decode(line) is not None for line in lines] == [True] * 4 + [False, True]


def test_answers_of_other_journals_are_reused(tmp_path: Path) -> None:
    with serving() as server:
        ask_all(prompts(5), tmp_path / "one", [table(server.url)])
        kept, _ = ask_all(prompts(7), tmp_path / "two", [table(server.url)], reuse=(tmp_path / "one",))
    assert len(server.requests) == 7
    assert len(kept) == 7


def test_a_full_shard_is_followed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals.Journal.__init__, "__kwdefaults__", {"shard_bytes": 2000})
    with serving() as server:
        ask_all(prompts(20), tmp_path, [table(server.url)])
        assert len(list(tmp_path.glob("journal*.jsonl"))) > 3
        ask_all(prompts(20), tmp_path, [table(server.url)])
    assert len(server.requests) == 20
    assert len(list(entries(tmp_path))) == 20


def test_a_second_run_is_told_that_the_journal_is_in_use(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(StoreBusy, match=f"process {os.getpid()}"), Journal(tmp_path):
        pass
    with Journal(tmp_path):
        pass


def test_a_full_disk_stops_the_run_and_keeps_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    room = 3000

    def write(file: int, data: bytes) -> int:
        nonlocal room
        if data.startswith(b'{"key"') or room < len(data):
            fits = min(room, len(data))
            if not fits:
                raise OSError(errno.ENOSPC, "No space left on device")
            room -= fits
            return real(file, data[:fits])
        return real(file, data)

    with serving() as server:
        with monkeypatch.context() as patch:
            patch.setattr("pipeline.teacher.journal.os.write", write)
            with pytest.raises(DiskFull, match="no space left"):
                ask_all(prompts(50), tmp_path, [table(server.url)])
        whole = list(entries(tmp_path))
        assert 3 <= len(whole) <= 6
        assert (tmp_path / "journal.jsonl").read_bytes().endswith(b"}\n")
        kept, _ = ask_all(prompts(50), tmp_path, [table(server.url)])
    assert len(kept) == 50


WORKER = """
import sys
import threading
from pathlib import Path
sys.path[:0] = [{here!r}, {root!r}]
from asking import ask_all, prompt, table
from pipeline.core.errors import HornbookError
from pipeline.teacher import engine
engine.INTERRUPTED_SECONDS = {patience}
in_flight = engine.Engine.in_flight.fget
def asked_by_who_waits(self):
    # The consumer reads it when it waits for answers, having handled all that came: now a signal finds no other code.
    if threading.current_thread() is threading.main_thread() and self.consumed >= 10:
        Path({journal!r}, "waits").touch()
    return in_flight(self)
engine.Engine.in_flight = property(asked_by_who_waits)
try:
    kept, dropped = ask_all([prompt(n) for n in range({count})], Path({journal!r}), [table({url!r})])
    print(len(kept))
except HornbookError as error:
    print(type(error).__name__, error)
    sys.exit(error.exit_code)
"""


def worker(journal: Path, url: str, count: int, patience: float = 300.0) -> "subprocess.Popen[str]":
    root = str(HERE.parent.parent)
    code = WORKER.format(here=str(HERE), root=root, count=count, journal=str(journal), url=url, patience=patience)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def wait_for_lines(journal: Path, count: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if sum(1 for _ in entries(journal)) >= count:
            return
        time.sleep(0.01)
    raise AssertionError("the worker wrote nothing")


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_kill_9_loses_no_answer_and_repeats_only_what_was_in_flight(tmp_path: Path) -> None:
    def answer(body: Body) -> Reply:
        return Reply(body=chat("answer to " + body["messages"][-1]["content"]), delay=0.03)

    with serving(answer) as server:
        process = worker(tmp_path, server.url, 120)
        wait_for_lines(tmp_path, 30)
        process.kill()
        process.communicate()
        before = {entry.key for entry in entries(tmp_path)}
        kept, _ = ask_all(prompts(120), tmp_path, [table(server.url)])
    assert len(kept) == 120
    assert before <= {entry.key for entry in entries(tmp_path)}
    assert len(server.requests) <= 120 + 8


def test_ctrl_c_drains_what_is_in_flight_and_exits_130(tmp_path: Path) -> None:
    sent = threading.Event()

    def answer(body: Body) -> Reply:
        if len(server.requests) > 10:
            sent.wait(300)
        return Reply(body=chat("late"), delay=0.2)

    with serving(answer) as server:
        process = worker(tmp_path, server.url, 500)
        wait_until((tmp_path / "waits").exists)
        process.send_signal(signal.SIGINT)
        sent.set()
        out, _ = process.communicate(timeout=300)
        assert process.returncode == Interrupted.exit_code == 130
        assert out.startswith("Interrupted interrupted after")
        assert len(list(entries(tmp_path))) == len(server.requests) < 500


def test_an_interrupted_run_does_not_wait_for_answers_that_do_not_come(tmp_path: Path) -> None:
    ended = threading.Event()

    def answer(body: Body) -> Reply:
        if len(server.requests) > 10:
            ended.wait(300)
        return Reply(body=chat("late"))

    with serving(answer) as server:
        process = worker(tmp_path, server.url, 500, patience=0.1)
        wait_until(lambda: len(server.requests) == 18)
        wait_until((tmp_path / "waits").exists)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=300)
        ended.set()
    assert process.returncode == Interrupted.exit_code
    assert "interrupted after 10 answers; 8 requests in flight were given up" in out
    assert len(list(entries(tmp_path))) == 10


def test_an_interruption_while_the_caller_is_at_work_does_not_wait_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asking import execution

    from pipeline import teacher

    monkeypatch.setattr(engine, "INTERRUPTED_SECONDS", 0.1)
    ended, told = threading.Event(), list[None]()

    def answer(body: Body) -> Reply:
        if len(server.requests) > 1:
            ended.wait(300)
        return Reply(body=chat("late"))

    hurry = engine.Engine.hurry
    monkeypatch.setattr(engine.Engine, "hurry", lambda self: told.append(hurry(self)))
    with serving(answer) as server:
        run = execution(timeout_seconds=1000)
        asked = Complete({"mock": teacher.build(table(server.url), run, 0)}, tmp_path, run)(prompts(20))

        def interrupted() -> None:
            with contextlib.closing(asked) as outcomes:  # type: ignore[type-var]
                next(outcomes)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        ended.set()
    assert len(told) == 1


def test_what_a_caller_leaves_in_the_middle_is_kept(tmp_path: Path) -> None:
    from asking import execution

    from pipeline import teacher

    with serving() as server:
        run = execution()
        outcomes = Complete({"mock": teacher.build(table(server.url), run, 0)}, tmp_path, run)(prompts(200))
        next(outcomes)
        outcomes.close()  # type: ignore[attr-defined]
        assert len(list(entries(tmp_path))) == len(server.requests)


def test_an_error_in_the_prompts_reaches_the_caller(tmp_path: Path) -> None:
    def broken() -> Iterator[Prompt]:
        yield prompt(0)  # type: ignore[misc]
        raise ValueError("bad row")

    with serving() as server, pytest.raises(ValueError, match="bad row"):
        ask_all(broken(), tmp_path, [table(server.url)])


def test_replay_answers_without_a_server_and_by_any_model(tmp_path: Path) -> None:
    with serving() as server:
        first, _ = ask_all(prompts(10), tmp_path / "j", [table(server.url)])
    replay = ReplayTable(name="mock", replay=str(tmp_path / "j"))
    kept, dropped = ask_all(prompts(12), tmp_path / "k", [replay])
    assert {i: c.text for i, c in kept.items()} == {i: c.text for i, c in first.items()}
    assert {c.teacher_kind for c in kept.values()} == {"replay"}
    assert {drop.reason for drop in dropped.values()} == {"failed"}
    assert all("holds no answer to these messages" in drop.detail for drop in dropped.values())
    assert len(dropped) == 2
    assert not list(entries(tmp_path / "k"))


def test_a_failure_is_not_journalled(tmp_path: Path) -> None:
    broken = True

    def answer(body: Body) -> Reply:
        return refuse(500, "oops") if broken else echo(body)

    with serving(answer) as server:
        _, dropped = ask_all(prompts(2), tmp_path, [table(server.url)], {"retries": 0})
        assert len(dropped) == 2
        broken = False
        kept, _ = ask_all(prompts(2), tmp_path, [table(server.url)])
    assert len(kept) == 2


def test_an_archive_compares_the_whole_key(tmp_path: Path) -> None:
    with serving() as server:
        ask_all(prompts(3), tmp_path, [table(server.url)])
    archive = Archive([tmp_path])
    (key, *_) = [entry.key for entry in entries(tmp_path)]
    assert archive.find(key) is not None
    assert archive.find(key[:16] + "0" * 48) is None
    assert archive.find(answer_key("other", "m", 0)) is None
    archive.close()
