"""A run that says its exercises in other words: who is asked what, what is kept, and that nothing is asked twice."""

import json
import re
import threading
from collections import Counter
from pathlib import Path

import pytest
from asking import kept, written
from server import Body, Reply, Server, chat, serving

from pipeline.core.errors import BudgetReached, RecipeError
from pipeline.core.records import Exercise
from pipeline.recipe_text import load
from pipeline.report.card import card
from pipeline.report.summary import summarise
from pipeline.report.tracing import trace
from pipeline.run.costs import estimate, table
from pipeline.run.run import run
from pipeline.store.places import places

RECIPE = """
name = "reworded"
seed = 3

[seeds]
exercises = {exercises}
textbooks = 1

[[teachers]]
name = "writer"
kind = "openai"
model = "writes"
base_url = "{url}"

[[teachers]]
name = "solver"
kind = "openai"
model = "solves"
base_url = "{url}"
exercise_share = 0
textbook_share = 0

[rewordings]
per_exercise = 2
solver = "solver"

[distinct]
max_wordings = 0

[decontaminated]
benchmarks = []

[execution]
concurrency = 1
workers = 1
"""
EXERCISE = '''def {name}(values: list[int]) -> int:
    """The sum of the values, and {number} more.

    >>> {name}([1, 2])
    {shown}
    """
    return sum(values) + {number}
'''
TESTS = "assert {name}([1, 2, 3]) == 6 + {number}\nassert {name}([]) == {number}\n"
RIGHT, LOOP = (
    "    return {number} + sum(values)\n",
    "    for value in values[:1]:\n        pass\n    return sum(values, {number})\n",
)
WRONG, RAISES = "    return sum(values) - 1\n", "    raise ValueError\n"
WAYS: list[list[tuple[str, str]]] = [
    [("Add up all values and {number}.", RIGHT), ("{number} and every value together.", LOOP)],
    [("The sum of the values, and {number} more.", ""), ("Say {number} plus the sum of all.", WRONG)],
    [("cut", ""), ("refused", "")],
    [("Sum and {number}, one.", "no code"), ("Sum and {number}, two.", RAISES)],
    [("Sum and {number}, three.", "cut"), ("Sum and {number}, four.", "refused")],
]
"""Of each exercise two wordings, and what is written from them alone."""
REASONS = {"no-docstring": 1, "unsolved": 3, "unanswered": 4}


class Two:
    """An endpoint of a writer and a solver. asked: questions by model and kind."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.worded: Counter[str] = Counter()
        self.asked: Counter[tuple[str, str]] = Counter()
        self.prompts: dict[str, list[str]] = {"words": [], "solution": []}
        self.lock = threading.Lock()

    def __call__(self, body: Body) -> Reply:
        with self.lock:
            kind, text = self.written(body["messages"][-1]["content"])
            self.asked[body["model"], kind] += 1
        reply = Reply(body=chat(text, "length" if text == "cut" else "stop"))
        if text == "refused":
            reply.body["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "no"}
        return reply

    def written(self, asked: str) -> tuple[str, str]:
        wanted = re.search(r"^Name: `(\w+)`", asked, re.M)
        if wanted:
            self.names.append(wanted[1])
            number = len(self.names)
            values = {"name": wanted[1], "number": number, "shown": 3 + number}
            return "exercise", "".join(f"```python\n{code.format(**values)}```\n" for code in (EXERCISE, TESTS))
        found = re.search(r"^def (\w+)", asked, re.M)
        if found is None:
            return "passage", "A passage about loops.\n\n```python\nx = 1\n```\n"
        number = 1 + self.names.index(found[1])
        ways = [(words.format(number=number), body) for words, body in WAYS[(number - 1) % len(WAYS)]]
        if "Write the docstring of this function" in asked:
            self.prompts["words"].append(asked)
            self.worded[found[1]] += 1
            return "words", ways[(self.worded[found[1]] - 1) % 2][0]
        self.prompts["solution"].append(asked)
        (body,) = [body for words, body in ways if words in asked]
        head = f"def {found[1]}(values: list[int]) -> int:\n"
        return "solution", f"```python\n{head}{body.format(number=number)}```\n" if body.startswith(" ") else body


def recipe(folder: Path, server: Server, exercises: int = len(WAYS)) -> Path:
    path: Path = written(folder, RECIPE, url=server.url, exercises=exercises)
    return path


def test_exercises_are_reworded_and_kept_where_the_words_suffice(tmp_path: Path) -> None:
    two, count = Two(), len(WAYS)
    with serving(two) as server:
        wanted, where = load(str(recipe(tmp_path, server))), places(str(tmp_path / "data"))
        before = estimate(wanted, where)
        run(wanted, where, name="first", until="distinct")
        after = estimate(wanted, where)
        asked = len(server.requests)
        run(load(str(recipe(tmp_path, server)), ["distinct.max_wordings=1"]), where, name="again", until="distinct")
        run(load(str(recipe(tmp_path, server)), ["rewordings.examples=1"]), where, name="shown", until="rewordings")
        assert len(server.requests) == asked
    # Of ten wordings seven were docstrings that are new.
    assert two.asked == {
        ("writes", "exercise"): count,
        ("writes", "passage"): 1,
        ("writes", "words"): 2 * count,
        ("solves", "solution"): 7,
    }
    for prompt in two.prompts["words"]:
        assert "The sum of the values, and" not in prompt
        assert ">>>" not in prompt
        assert "return sum(values)" in prompt
    for prompt in two.prompts["solution"]:
        assert not re.search(r">>>|assert|return sum|The sum of the values", prompt)

    made = kept(where, "first", "rewordings")
    validated = {one.entry_point: one for one in kept(where, "first", "validated") if isinstance(one, Exercise)}
    assert {(one.entry_point, one.solution, one.wording) for one in made} == {
        (two.names[0], RIGHT.format(number=1), 1),
        (two.names[0], LOOP.format(number=1), 2),
    }
    for one in made:
        parent = validated[one.entry_point]
        same = ("entry_point", "test", "test_owner", "topic", "audience", "teacher", "completion_id")
        assert [getattr(one, name) for name in same] == [getattr(parent, name) for name in same]
        assert one.id != parent.id
    assert '"""Add up all values and 1."""' in "".join(one.prompt for one in made)
    examples = f"\n\n    >>> {two.names[0]}([1, 2])\n    4\n    "
    said = [f'"""Add up all values and 1.{examples}"""\n', f'"""1 and every value together.{examples}"""\n']
    shown = kept(where, "shown", "rewordings")
    assert [one.prompt.partition("    ")[2] for one in shown] == said
    assert [one.solution for one in shown] == [one.solution for one in made]

    told = summarise(where.runs / "first", where.store)
    line = {line.name: line for line in told.funnel}["rewordings"]
    assert (line.kept, dict(line.dropped)) == (2, REASONS)
    assert {line.name: line.kept for line in told.funnel}["distinct"] == count + 1 + 2
    writer, solver = told.teachers
    assert writer.dropped == {"rewordings": REASONS}
    assert (writer.completions, solver.completions) == (count + 1, 0)
    assert (writer.rewordings, solver.rewordings) == (2 * count - 2, 5)
    assert "8 of other words" in card(told)
    assert solver.tokens > 0

    words, solutions = before["teacher"]["rewordings"]
    assert (words["name"], words["requests"]) == ("writer", 2 * count)
    assert (solutions["name"], solutions["requests"]) == ("solver", 2 * count)
    assert "other words of solver (openai, solves): 10 requests" in table(before)
    assert after["teacher"]["requests"] == 0

    seen = json.dumps(trace(where.runs / "first", where.store, made[0].id).to_json())
    assert "other words for the answer's exercise" in seen
    assert "other words for the answer's exercise" not in json.dumps(
        trace(where.runs / "first", where.store, validated[two.names[0]].id).to_json()
    )


def test_a_replay_teacher_gives_the_same_documents(tmp_path: Path) -> None:
    with serving(Two()) as server:
        path, where = recipe(tmp_path, server), places(str(tmp_path / "data"))
        run(load(str(path)), where, name="live", until="rewordings")
        asked = len(server.requests)
        text = re.sub(r'kind = "openai"\nmodel = "\w+"\n', 'kind = "replay"\n', path.read_text())
        text = re.sub(r'base_url = ".*"', f'replay = "{tmp_path / "data" / "store"}"', text)
        path.write_text(text, encoding="utf-8")
        run(load(str(path)), where, name="replayed", until="rewordings")
        assert len(server.requests) == asked
    bodies = [
        sorted((one.prompt, one.solution) for one in kept(where, name, "rewordings")) for name in ("live", "replayed")
    ]
    assert bodies[0] == bodies[1]
    assert len(bodies[0]) == 2


def test_a_budget_that_ends_while_rewording_is_resumed(tmp_path: Path) -> None:
    two = Two()
    with serving(two) as server:
        where = places(str(tmp_path / "data"))
        overrides = ["teachers.writer.max_tokens=60", "teachers.solver.max_tokens=60"]
        run(load(str(recipe(tmp_path, server)), overrides), where, name="poor", until="validated")
        first = len(server.requests)
        poor = load(str(recipe(tmp_path, server)), [*overrides, "execution.budget_tokens=1230"])
        with pytest.raises(BudgetReached):
            run(poor, where, name="poor", until="rewordings")
        assert first < len(server.requests) < first + 17
        run(load(str(recipe(tmp_path, server)), overrides), where, name="poor", until="rewordings")
        assert len(server.requests) == first + 17
    assert len(kept(where, "poor", "rewordings")) == 2


def test_what_failed_is_not_said_in_other_words(tmp_path: Path) -> None:
    with serving(Two()) as server:
        loaded = load(str(recipe(tmp_path, server)), ["validated.keep=failed"])
        assert "rewordings" not in [one["name"] for one in estimate(loaded, places(str(tmp_path)))["stages"]]
        none = load(str(recipe(tmp_path, server)), ["rewordings.per_exercise=0"])
        assert "rewordings" not in [one["name"] for one in estimate(none, places(str(tmp_path)))["stages"]]


def test_another_language_is_not_reworded(tmp_path: Path) -> None:
    with serving(Two()) as server:
        loaded = load(str(recipe(tmp_path, server)), ["domain=sql", "seeds.textbooks=0"])
        with pytest.raises(
            RecipeError, match=r"domain 'sql' is of language 'sql': only docstrings of Python"
        ) as caught:
            estimate(loaded, places(str(tmp_path)))
        assert caught.value.hint == "set rewordings.per_exercise = 0"
