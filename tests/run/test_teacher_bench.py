"""`hornbook bench teacher`: what it pays for, the run finds."""

import json
from pathlib import Path

import pytest
from server import Body, Reply, Server, chat, serving
from shapes_held import hold

from pipeline.cli.main import main
from pipeline.core.errors import UsageError
from pipeline.recipe_text import Loaded, load
from pipeline.run.run import run
from pipeline.run.teacher_bench import bench
from pipeline.store.places import places


def recipe(server: Server, *more: str) -> Loaded:
    overrides = (
        "teachers.composer.kind=openai",
        f"teachers.composer.base_url={server.url}",
        "teachers.composer.model=gpt-4o-mini",
        "seeds.exercises=150",
        "seeds.textbooks=50",
    )
    return load("tiny", (*overrides, *more))


def answer(body: Body) -> Reply:
    return Reply(body=chat("a text", prompt_tokens=100, completion_tokens=50), delay=0.002)


def test_the_run_finds_what_the_bench_has_paid_for(tmp_path: Path) -> None:
    at = places(str(tmp_path))
    with serving(answer) as server:
        loaded = recipe(server)
        found = bench(loaded, at, seconds=0.6, most=16)
        asked = len(server.requests)
        assert asked > 0
        assert {one.concurrency for one in found.levels} <= {2, 4, 8, 16}
        assert sum(one.answers for one in found.levels) <= asked
        outcome = run(loaded, at, until="completions")
        assert outcome.name == found.run
        texts = [json.dumps(body["messages"]) for body in server.requests]
        assert len(set(texts)) == len(texts) == 200


def test_hours_and_dollars_are_of_what_is_left(tmp_path: Path) -> None:
    with serving(answer) as server:
        found = bench(recipe(server), places(str(tmp_path)), seconds=0.2, most=2)
    each = 100 * 0.15e-6 + 50 * 0.6e-6
    assert found.usd == pytest.approx(found.left * each, abs=1e-4)
    assert found.left == 200 - len(server.requests)
    assert found.hours == pytest.approx(found.left * 50 / found.best.tokens_per_second / 3600, abs=1e-4)
    assert f"execution.concurrency={found.best.concurrency}" in found.to_text()


def test_nothing_is_asked_twice_where_all_is_answered(tmp_path: Path) -> None:
    at = places(str(tmp_path))
    with serving(answer) as server:
        loaded = recipe(server, "seeds.exercises=6", "seeds.textbooks=0")
        bench(loaded, at, seconds=5, most=4)
        assert len(server.requests) == 6
        with pytest.raises(UsageError, match="every prompt of teacher 'composer' is answered"):
            bench(loaded, at, seconds=5, most=4)
        run(loaded, at, until="completions")
        with pytest.raises(UsageError, match="nothing to measure with"):
            bench(loaded, at, seconds=5, most=4)
        assert len(server.requests) == 6


def test_a_recipe_without_an_endpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no teacher that asks an endpoint online"):
        bench(load("tiny"), places(str(tmp_path)))
    with serving(answer) as server, pytest.raises(UsageError) as error:
        bench(recipe(server), places(str(tmp_path)), teacher="other")
    assert error.value.message == "--teacher = 'other': no teacher of that name; teachers are composer"
    assert error.value.hint == "those that ask an endpoint online: composer"


def test_servers_that_come_while_it_is_measured_are_not_measured(tmp_path: Path) -> None:
    """Levels would be of as many servers as there were just then."""
    listed = tmp_path / "servers.txt"

    def more(body: Body) -> Reply:
        listed.write_text(f"{first.url}\n{second.url}\n")
        return answer(body)

    with serving(more) as first, serving(answer) as second:
        listed.write_text(f"{first.url}\n")
        servers = f'execution.servers=[{{teacher = "composer", file = "{listed}"}}]'
        found = bench(recipe(first, servers), places(str(tmp_path / "data")), seconds=0.6, most=16)
        assert second.url in listed.read_text()
        assert len(found.levels) > 1
        assert not second.requests


def test_the_verb_prints_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(answer) as server:
        settings = ["teachers.composer.kind=openai", f"teachers.composer.base_url={server.url}"]
        rest = ["teachers.composer.model=m", "--seconds", "0.2", "--most", "4", "--json", "--data", str(tmp_path)]
        with pytest.raises(SystemExit) as ended:
            main(["bench", "teacher", "tiny", *settings, *rest])
    assert ended.value.code == 0
    found = json.loads(capsys.readouterr().out)
    hold("bench teacher", found)
    assert found["best"] in [one["concurrency"] for one in found["levels"]]
