"""Several servers behind one teacher: nothing lost, nothing repeated, whichever of them dies, comes back or goes."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asking import ask_all, execution, prompt, table
from server import Body, Reply, echo, refuse, serving

from pipeline import recipe_text, teacher
from pipeline.core.errors import InputError, RecipeError, TeacherError
from pipeline.core.events import Event
from pipeline.core.money import Ledger
from pipeline.core.stage import Kept
from pipeline.execution import Execution, ServersTable
from pipeline.report.servers import servers
from pipeline.stages.completions.stage import Complete
from pipeline.teacher import online, sites
from pipeline.teacher.breaker import Breaker
from pipeline.teacher.kinds.openai import EndpointTeacher
from pipeline.teacher.lines import heads
from pipeline.teacher.servers import Servers

NAME = "http://one.name.for.all.of.them/v1"
"""What answers are stored under; nothing listens there."""


def listed(*urls: str, **more: Any) -> dict[str, Any]:
    return {"servers": (ServersTable(teacher="mock", urls=urls, **more),)}


def question(body: Body) -> str:
    return str(body["messages"][-1]["content"])


def test_one_dies_one_is_slow_and_one_returns_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Breaker, "FIRST_SECONDS", 0.05)
    answered: Counter[str] = Counter()
    by: Counter[str] = Counter()
    lock, returned = threading.Lock(), threading.Event()

    def answer(who: str, body: Body) -> Reply:
        with lock:
            late, others = by["late"], by["dying"] + by["slow"]
            dead = (who == "dying" and by["dying"] >= 30) or (who == "late" and others < 60)
            if not dead:
                answered[question(body)] += 1
                by[who] += 1
        if dead:
            return Reply(cut=0, body={})
        if who == "late":
            returned.set()
        elif not late and others > 150:
            returned.wait(30)  # the rest is left for the one that returns
        return Reply(body=echo(body).body, delay=0.02 if who == "slow" else 0.0)

    events: list[Event] = []
    with (
        serving(lambda body: answer("dying", body)) as dying,
        serving(lambda body: answer("slow", body)) as slow,
        serving(lambda body: answer("late", body)) as late,
    ):
        settings = listed(dying.url, slow.url, late.url)
        prompts = [prompt(n) for n in range(300)]
        kept, dropped = ask_all(prompts, tmp_path, [table(NAME)], settings, on_event=events.append)
        again, _ = ask_all(prompts, tmp_path, [table(NAME)], settings)

    assert not dropped
    assert {kept[one.id].text for one in prompts} == {f"answer to question {n}" for n in range(300)}
    assert set(answered.values()) == {1}
    assert len(answered) == 300
    assert len({head.key for head in heads(tmp_path)}) == sum(1 for _ in heads(tmp_path)) == 300
    assert by["dying"] == 30
    assert by["slow"]
    assert by["late"]
    assert {one.text for one in again.values()} == {one.text for one in kept.values()}
    notes = " ".join(str(event["text"]) for event in events if event["event"] == "note")
    assert f"{dying.url} is left out" in notes
    assert f"{late.url} answers again" in notes
    told = {one.server: one for one in servers(e for e in events if e["event"] == "servers")["mock"]}
    assert [told[one.url].answered for one in (dying, slow, late)] == [by["dying"], by["slow"], by["late"]]
    assert told[dying.url].failed >= Breaker.FAILURES
    assert told[slow.url].tokens == 20 * by["slow"]


def test_where_a_teachers_servers_are_changes_no_key(tmp_path: Path) -> None:
    alone = teacher.build(table(NAME), Execution(), 0)
    many = teacher.build(table(NAME), Execution(**listed("http://a/v1", "http://b/v1")), 0)
    assert alone.identity() == many.identity()
    assert alone.keys("messages", 0) == many.keys("messages", 0)


def test_the_next_request_goes_where_least_is_outstanding(tmp_path: Path) -> None:
    """One server holds what it is given; the other answers at once, and so gets all the rest."""
    release = threading.Event()
    held: list[Body] = []

    def hold(body: Body) -> Reply:
        held.append(body)
        release.wait(30)
        return echo(body)

    def quick(body: Body) -> Reply:
        if len(fast.requests) == 40:
            release.set()
        return echo(body)

    with serving(hold) as slow, serving(quick) as fast:
        prompts = [prompt(n) for n in range(44)]
        kept, _ = ask_all(prompts, tmp_path, [table(NAME)], {"concurrency": 4, **listed(slow.url, fast.url)})
    assert len(kept) == 44
    assert len(held) == 4


def test_servers_come_and_go_with_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "LOOK_SECONDS", 0.01)
    places = tmp_path / "endpoints.txt"
    changed = threading.Event()

    def first(body: Body) -> Reply:
        if len(one.requests) == 20:
            places.write_text(f"# the second replica\n{two.url}  # alone\n")
            changed.set()
        return Reply(body=echo(body).body, delay=0.01)

    def second(body: Body) -> Reply:
        assert changed.is_set()
        return echo(body)

    with serving(first) as one, serving(second) as two:
        places.write_text(f"{one.url}\n")
        settings = {"concurrency": 2, "servers": (ServersTable(teacher="mock", file=str(places)),)}
        kept, dropped = ask_all((prompt(n) for n in range(600)), tmp_path / "journal", [table(NAME)], settings)
    assert len(kept) == 600
    assert not dropped
    assert len(one.requests) + len(two.requests) == 600
    assert len(two.requests) > len(one.requests)


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "LOOK_SECONDS", 0.01)
    places = tmp_path / "endpoints.txt"
    settings = {"servers": (ServersTable(teacher="mock", file=str(places)),)}
    doing: list[object] = []

    def start(event: Event) -> None:
        doing.append(event.get("doing"))
        if event.get("doing"):
            places.write_text(server.url)

    with serving() as server:
        kept, _ = ask_all([prompt(1)], tmp_path / "journal", [table(NAME)], settings, on_event=start)
    assert len(kept) == 1
    assert "waiting for a server" in doing


def test_a_run_does_not_wait_for_ever_for_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online, "LONGEST_SILENCE", 0.0)
    settings = {"timeout_seconds": 0.02, "servers": (ServersTable(teacher="mock", file=str(tmp_path / "none.txt")),)}
    with pytest.raises(TeacherError, match=r"no server is listed in .*none\.txt"):
        ask_all([prompt(1)], tmp_path / "journal", [table(NAME)], settings)


def _looking(places: Path) -> tuple[sites.Sites, Callable[[], list[str]]]:
    """The servers of a file, and a look at it as long after the last as looks are apart."""
    servers = {"servers": (ServersTable(teacher="mock", file=str(places)),)}
    service = teacher.build(table(NAME), execution(**servers), 0)
    assert isinstance(service, EndpointTeacher)
    found, now = sites.Sites(service, Ledger(None, None)), itertools.count(1)
    return found, lambda: found.look(next(now) * sites.LOOK_SECONDS)


@pytest.mark.parametrize(
    ("half", "said"),
    [
        (b"", "names no server"),
        (b"\n  \n# http://c/v1\n", "names no server"),
        (None, "names no server"),
        (b"http:/", "endpoints.txt:1 should be a URL"),
        (b"http://a/v1\nhttp", "endpoints.txt:2 should be a URL"),
        (b"http://a/v1\n\xff", "cannot be read"),
        (b"http://a/v1\n\0\0\0", "endpoints.txt:2"),
    ],
)
def test_of_a_file_that_is_half_written_the_last_good_list_is_used(
    tmp_path: Path, half: bytes | None, said: str
) -> None:
    places = tmp_path / "endpoints.txt"
    places.write_text("http://a/v1\nhttp://b/v1\n")
    found, look = _looking(places)
    before = list(found)
    if half is None:
        places.unlink()
    else:
        places.write_bytes(half)
    (warning,) = [text for _ in range(4) for text in look()]
    assert said in warning
    assert warning.endswith("; the servers listed before are asked")
    assert list(found) == before
    places.write_text("http://a/v1\nhttp://b/v1\nhttp://c/v1\n")
    assert [text for _ in range(4) for text in look()] == ["server http://c/v1 is listed"]
    assert list(found)[:2] == before
    assert found.trouble == ""


def test_a_list_that_is_still_being_written_does_not_count(tmp_path: Path) -> None:
    places, whole = tmp_path / "endpoints.txt", "http://a/v1\nhttp://b:8001/v1\nhttp://c/v1\n"
    places.write_text(whole)
    found, look = _looking(places)
    before = list(found)
    for half in ("http://a/v", "http://a/v1\nhttp://b", "http://a/v1\nhttp://b:80", "http://a/v1\nhttp://b:8001/v1\n"):
        assert whole.startswith(half)
        places.write_text(half)
        assert look() == []
    places.write_text(whole)
    assert [look(), look()] == [[], []]
    assert list(found) == before
    places.write_text("http://a/v1\n")
    gone = [f"server {address} is listed no more" for address in ("http://b:8001/v1", "http://c/v1")]
    assert [look(), look(), look()] == [[], gone, []]


def test_a_run_goes_on_while_its_file_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "LOOK_SECONDS", 0.01)
    places = tmp_path / "endpoints.txt"
    events: list[Event] = []

    def spoil(body: Body) -> Reply:
        places.write_bytes(b"")
        return Reply(body=echo(body).body, delay=0.02)

    with serving(spoil) as server:
        places.write_text(server.url)
        settings = {"concurrency": 1, "servers": (ServersTable(teacher="mock", file=str(places)),)}
        prompts = [prompt(n) for n in range(30)]
        kept, _ = ask_all(prompts, tmp_path / "journal", [table(NAME)], settings, on_event=events.append)
    assert len(kept) == 30
    assert sum("names no server" in str(event.get("text")) for event in events) == 1


def test_a_server_without_the_model_is_left_and_the_others_go_on(tmp_path: Path) -> None:
    with serving(lambda body: refuse(404, "no such model")) as wrong, serving() as right:
        kept, _ = ask_all((prompt(n) for n in range(20)), tmp_path, [table(NAME)], listed(wrong.url, right.url))
    assert len(kept) == 20


def test_a_list_names_the_line_that_is_wrong(tmp_path: Path) -> None:
    places = tmp_path / "endpoints.txt"
    places.write_text("http://a/v1\n\nnode2:8000\n")
    with pytest.raises(RecipeError, match=r"endpoints\.txt:3 should be a URL"):
        Servers("execution.servers.0", file=places).listed()
    places.write_bytes(b"\xff\n")
    with pytest.raises(InputError, match="cannot be read"):
        Servers("execution.servers.0", file=places).listed()
    with pytest.raises(RecipeError, match=r"urls\[0\]: the key would travel unencrypted"):
        Servers("execution.servers.0", ("http://far.example.com/v1",), keyed=True).listed()
    assert Servers("s", ("http://a/v1/", "http://a/v1")).listed() == ("http://a/v1",)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("[{teacher = 'other', urls = ['http://a/v1']}]", "servers.0.teacher should name a teacher, one of 'composer'"),
        ("[{teacher = 'composer'}]", "should have either 'urls' or 'file', got neither"),
        ("[{teacher = 'composer', urls = ['http://a/v1'], file = 'f'}]", "got both"),
        ("[{teacher = 'composer', file = 'f'}, {teacher = 'composer', file = 'g'}]", "has servers already"),
    ],
)
def test_servers_belong_to_a_teacher_that_asks_endpoints(written: str, words: str) -> None:
    openai = ("teachers.0.kind=openai", f"teachers.0.base_url={NAME}", "teachers.0.model=m")
    with pytest.raises(RecipeError, match=words):
        recipe_text.load("tiny", (*openai, f"execution.servers={written}"))
    with pytest.raises(RecipeError, match="the recipe has none online"):
        recipe_text.load("tiny", ("execution.servers=[{teacher = 'composer', urls = ['http://a/v1']}]",))


def test_a_file_of_servers_begins_where_the_recipe_lies(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        f"""
        [[teachers]]
        name = "vllm"
        kind = "openai"
        base_url = "{NAME}"
        model = "m"
        [[execution.servers]]
        teacher = "vllm"
        file = "endpoints.txt"
        [seeds]
        textbooks = 1
        [student]
        """
    )
    loaded = recipe_text.load(str(mine))
    assert loaded.execution.servers[0].file == str(tmp_path / "endpoints.txt")


def test_figures_of_several_calls_are_summed() -> None:
    def event(began: float, answered: int) -> Event:
        one = {"server": "u", "answered": answered, "failed": 1, "tokens": 10 * answered, "busy_seconds": 2.0}
        return {"event": "servers", "teacher": "t", "stage": "completions", "began": began, "servers": [one]}

    (found,) = servers([event(1.0, 3), event(1.0, 5), event(9.0, 4)])["t"]
    assert (found.answered, found.failed, found.tokens, found.tokens_per_second) == (9, 2, 90, 22.5)


def test_the_stage_gives_one_outcome_a_prompt(tmp_path: Path) -> None:
    with serving() as one, serving() as two:
        run = Execution(**listed(one.url, two.url))
        stage = Complete({"mock": teacher.build(table(NAME), run, 0)}, tmp_path, run)
        assert sum(isinstance(found, Kept) for found in stage(prompt(n) for n in range(50))) == 50
    assert one.requests
    assert two.requests
