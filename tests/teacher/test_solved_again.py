"""A run whose tests are agreed on: what the endpoint is asked, what is kept of it, and that nothing is asked twice."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from asking import kept, written
from server import Body, Reply, Server, chat, serving

from pipeline.core.errors import BudgetReached
from pipeline.core.records import Exercise
from pipeline.recipe import AgreementTable
from pipeline.recipe_text import load
from pipeline.report.summary import summarise
from pipeline.report.tracing import trace
from pipeline.run.costs import estimate, table
from pipeline.run.run import run
from pipeline.stages.solutions.stage import asks
from pipeline.store.places import places

RECIPE = """
name = "agreed"
seed = 3

[seeds]
exercises = {exercises}
textbooks = 2

[[teachers]]
name = "weak"
kind = "openai"
model = "mock"
base_url = "{url}"
tests = "agreement"

[decontaminated]
benchmarks = []

[execution]
concurrency = 1
workers = 1
"""
HEAD = '''def {name}(values: list[int]) -> int:
    """A number of the values, e.g. {name}([5]) returns 4.

    >>> {name}([1, 2])
    12
    """
'''
TESTS = "assert {name}([1, 2, 3]) == 5\nassert {name}([]) == 1\nassert {name}([4, -4]) == 8\n"
SUM = "    return sum(values)\n"
LOOP = "    result = 0\n    for value in values:\n        result += value\n    return result\n"
LENGTH = "    return len(values)\n"
FIRST = "    return values[0] if values else 0\n"
DRAWN = "    import random\n    return random.randint(0, 10**9)\n"
RAISES = "    raise ValueError('no')\n"
WAYS: list[list[str]] = [
    [SUM, LENGTH, LOOP, SUM],
    [FIRST, SUM, LENGTH, LOOP],
    [SUM, LENGTH, FIRST, "no code"],
    [DRAWN, DRAWN + "    pass\n", DRAWN, DRAWN],
    [SUM, RAISES, "cut", LOOP],
    [SUM, "refused", "cut", "no code"],
]
"""What the endpoint solves an exercise with: the way that comes with it, and those of the blind answers."""
KEPT = {0: SUM, 1: SUM, 4: SUM}


class Weak:
    """An endpoint that writes exercises, one way after the other, and solves them. asked: blind requests by name."""

    def __init__(self, delay: float = 0.0) -> None:
        self.names: list[str] = []
        self.asked: Counter[str] = Counter()
        self.prompts: list[str] = []
        self.lock = threading.Lock()
        self.delay = delay

    def __call__(self, body: Body) -> Reply:
        asked = body["messages"][-1]["content"]
        with self.lock:
            text = self.written(asked)
        reply = Reply(body=chat(text, "length" if text == "cut" else "stop"), delay=self.delay)
        if text == "refused":
            reply.body["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "no"}
        return reply

    def written(self, asked: str) -> str:
        wanted = re.search(r"^Name: `(\w+)`", asked, re.M)
        if wanted:
            self.names.append(wanted[1])
            way = WAYS[(len(self.names) - 1) % len(WAYS)][0]
            return "".join(f"```python\n{code.format(name=wanted[1])}```\n" for code in (HEAD + way, TESTS))
        if "Complete this Python function" not in asked:
            return "A passage about loops.\n\n```python\nx = 1\n```\n"
        found = re.search(r"def (\w+)", asked)
        assert found is not None
        self.prompts.append(asked)
        self.asked[found[1]] += 1
        way = WAYS[self.names.index(found[1]) % len(WAYS)][1 + (self.asked[found[1]] - 1) % 3]
        return f"```python\n{HEAD.format(name=found[1])}{way}```\n" if way.startswith(" ") else way


def recipe(folder: Path, server: Server, exercises: int = len(WAYS)) -> Path:
    path: Path = written(folder, RECIPE, url=server.url, exercises=exercises)
    return path


def test_exercises_are_solved_blind_and_those_agreed_on_are_kept(tmp_path: Path) -> None:
    weak = Weak()
    with serving(weak) as server:
        wanted, where = load(str(recipe(tmp_path, server))), places(str(tmp_path / "data"))
        before = estimate(wanted, where)
        run(wanted, where, name="first", until="validated")
        asked = len(server.requests)
        after = estimate(wanted, where)
        again = load(str(recipe(tmp_path, server)), ["agreement.agree=3"])
        run(again, where, name="stricter", until="documents")
        assert len(server.requests) == asked
    assert asked == len(WAYS) + 2 + 3 * len(WAYS)
    assert len(weak.prompts) == 3 * len(WAYS)
    for prompt in weak.prompts:
        assert ">>> " in prompt
        assert not re.search(r"returns|assert|return sum|12", prompt)

    solved = [one for one in kept(where, "first", "solutions") if isinstance(one, Exercise)]
    attempts = {one.entry_point: one.attempts for one in solved}
    assert attempts == {
        name: tuple(way for way in WAYS[number][1:] if way.startswith(" ")) for number, name in enumerate(weak.names)
    }
    found = {one.entry_point: one for one in kept(where, "first", "validated") if isinstance(one, Exercise)}
    assert {name: one.solution for name, one in found.items()} == {weak.names[n]: body for n, body in KEPT.items()}
    for one in found.values():
        assert (one.test_owner, one.attempts) == ("agreement", None)
        assert f"assert {one.entry_point}([4, -4]) == 0\n" in one.test
        assert "    3\n" in one.prompt

    teacher = before["teacher"]
    (solutions,) = teacher["solutions"]
    assert (teacher["requests"], solutions["requests"]) == (asked, 3 * len(WAYS))
    assert solutions["tokens"] > 3 * len(WAYS) * 200
    assert "solutions of weak (openai, mock): 18 requests" in table(before)
    assert after["teacher"]["requests"] == 0
    told = summarise(where.runs / "first", where.store)
    (view,) = told.teachers
    assert (view.completions, view.solutions, view.tokens) == (len(WAYS) + 2, 15, 30 * asked - 30)
    lines = {line.name: line for line in told.funnel}
    assert (lines["solutions"].kept, lines["validated"].kept) == (len(WAYS) + 2, 5)
    assert dict(view.dropped) == {"validated": {"no-agreement": 3}}

    outvoted = trace(where.runs / "first", where.store, found[weak.names[1]].id)
    own = trace(where.runs / "first", where.store, found[weak.names[0]].id)
    assert "blind solution 1 of 3 is kept" in json.dumps(outvoted.to_json())
    assert "the solution that came with it is kept" in json.dumps(own.to_json())
    dropped = trace(where.runs / "first", where.store, found[weak.names[0]].completion_id)
    assert "its text was changed here" in json.dumps(dropped.to_json())


def test_a_replay_teacher_gives_the_same_documents(tmp_path: Path) -> None:
    with serving(Weak()) as server:
        path, where = recipe(tmp_path, server), places(str(tmp_path / "data"))
        run(load(str(path)), where, name="live", until="validated")
        asked = len(server.requests)
        text = path.read_text().replace('kind = "openai"\nmodel = "mock"\n', 'kind = "replay"\n')
        text = re.sub(r'base_url = ".*"', f'replay = "{tmp_path / "data" / "store"}"', text)
        path.write_text(text, encoding="utf-8")
        run(load(str(path)), where, name="replayed", until="validated")
        assert len(server.requests) == asked
    bodies = [
        sorted(
            (one.prompt, one.solution, one.test) for one in kept(where, name, "validated") if isinstance(one, Exercise)
        )
        for name in ("live", "replayed")
    ]
    assert bodies[0] == bodies[1]
    assert len(bodies[0]) == len(KEPT)


def test_a_budget_that_ends_while_solving_is_resumed_and_fresh_asks_again(tmp_path: Path) -> None:
    with serving(Weak()) as server:
        where = places(str(tmp_path / "data"))
        short = "teachers.weak.max_tokens=60"
        run(load(str(recipe(tmp_path, server)), [short]), where, name="poor", until="documents")
        poor = load(str(recipe(tmp_path, server)), ["execution.budget_tokens=1000", short])
        with pytest.raises(BudgetReached):
            run(poor, where, name="poor", until="solutions")
        first = len(server.requests)
        assert len(WAYS) + 2 < first < 4 * len(WAYS) + 2
        rich = load(str(recipe(tmp_path, server)), [short])
        run(rich, where, name="poor", until="validated")
        assert len(server.requests) == 4 * len(WAYS) + 2
    with serving(Weak()) as server:
        again = load(str(recipe(tmp_path, server)), [f"teachers.weak.base_url={server.url}", short])
        weak = server.answer
        run(again, where, name="renewed", until="solutions")
        asked = len(server.requests)
        assert isinstance(weak, Weak)
        weak.asked.clear()
        run(again, where, name="renewed", until="solutions", fresh=["solutions"])
        assert len(server.requests) == asked + 3 * len(WAYS)


def test_killed_while_solving_it_goes_on_where_it_was(tmp_path: Path) -> None:
    with serving(Weak(delay=0.05)) as server:
        path, data = recipe(tmp_path, server), tmp_path / "data"
        command = [sys.executable, "-m", "pipeline.cli.main", "run", str(path), "--until", "solutions", "--name", "cut"]
        process = subprocess.Popen([*command, "--data", str(data)], stderr=subprocess.DEVNULL, env=dict(os.environ))
        deadline = time.monotonic() + 300
        while len(server.requests) < len(WAYS) + 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        where = places(str(data))
        run(load(str(path)), where, name="cut", until="validated")
        assert 4 * len(WAYS) + 2 <= len(server.requests) <= 4 * len(WAYS) + 3
    (journal,) = (data / "store" / "solutions").glob("*/journal.jsonl")
    assert len(journal.read_text().splitlines()) == 3 * len(WAYS)
    assert not list((data / "store" / "solutions").glob("*.partial"))


@pytest.mark.slow
def test_on_ray_the_same_documents_are_kept(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs hornbook[ray]")
    where = places(str(tmp_path / "data"))
    with serving(Weak()) as server:
        wanted = load(str(recipe(tmp_path, server)))
        run(wanted, where, name="here", until="validated")
    here = kept(where, "here", "validated")
    shutil.rmtree(tmp_path / "data" / "store" / "validated")
    there = replace(wanted, execution=wanted.execution.model_copy(update={"engine": "ray"}))
    run(there, where, name="there", until="validated")
    assert [one.id for one in kept(where, "there", "validated")] == [one.id for one in here]
    assert len(here) == len(KEPT) + 2


def test_an_exercise_whose_tests_the_pipeline_owns_is_not_solved_again() -> None:
    own = Exercise(
        prompt=HEAD.format(name="f"),
        solution=SUM,
        entry_point="f",
        test=TESTS.format(name="f"),
        test_owner="teacher",
        teacher="weak",
    )
    assert asks(own, frozenset({"weak"}), AgreementTable())
    assert not asks(replace(own, test_owner="seed"), frozenset({"weak"}), AgreementTable())
