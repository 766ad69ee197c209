"""A large run on disk to browse, made of records without a teacher: every stage of the corpus, and scores.

    python scripts/bench/view_run.py DATA [--documents 100000] [--name large] [--hostile]

--hostile: a small run whose texts are an attack on a page: script tags, a line of 5 MB, marks that turn the direction
of writing, NULs, a table of Markdown with 10,000 columns.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline.core.identity import storable  # noqa: E402
from pipeline.core.plan import Plan  # noqa: E402
from pipeline.core.records import Completion, Exercise, Message, Passage, Prompt, Record, Sample, Score, Seed  # noqa: E402
from pipeline.core.stage import Dropped, Kept, Tally  # noqa: E402
from pipeline.recipe_text import dump, load  # noqa: E402
from pipeline.store.store import Store, Writer  # noqa: E402
from pipeline.walk import plan  # noqa: E402

WORDS = ("river", "count", "values", "list", "return", "number", "string", "table", "first", "second", "window",
         "shift", "mean", "total", "order", "of", "the", "and", "with", "each", "every", "between")  # fmt: skip
TOPICS = ("lists/mapping", "lists/filtering", "strings/cases", "numbers/sums", "dictionaries/counting", "graphs/paths")
TEACHERS = ("composer", "qwen", "smollm2")

RECIPE = """
name = "large"
description = "Records made by a script, to be browsed."
seed = 7
[seeds]
exercises = 100
textbooks = 10
[[teachers]]
name = "composer"
kind = "composer"
[student]
init = "smollm2"
[decontaminated]
benchmarks = []
[evaluation]
benchmarks = ["composed"]
"""

HOSTILE = (
    "<script>window.hostile = 1</script><img src=x onerror='window.hostile = 2'>",
    "</pre></code></script><svg onload='window.hostile = 3'>",
    "javascript:window.hostile=4 [click](javascript:window.hostile=4) ![x](http://192.0.2.1/leak.png)",
    "x = '" + "A" * 5_000_000 + "'",
    "access = 'user\u202e \u2066// only admins\u2069 \u2066' \u200b\u200f\u0645\u0631\u062d\u0628\u0627 \ufeff zero",
    "nul \x00 bell \x07 escape \x1b[31m delete \x7f c1 \x9b",
    "lone \ud800 surrogate \udfff pair \ud83d\ude00",
    "| " + " | ".join(f"c{n}" for n in range(10_000)) + " |\n|" + "---|" * 10_000 + "\n|" + " x |" * 10_000,
    "\n" * 50_000 + "the last of 50,000 lines",
    "{{ constructor.constructor('window.hostile=5')() }} ${window.hostile=6} __proto__ constructor",
    "```python\n" + '"""' * 5_001 + "\n" + "(" * 20_000,
    "\u0301" * 5_000 + "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 500,
)


def outcomes(stage: str, records: Sequence[Record], drop: Any) -> Iterator[Kept[Any] | Dropped]:
    """Each record kept, or dropped as `drop(place, record)` says."""
    for place, record in enumerate(records):
        yield drop(place, record) or Kept(record)


def write(
    store: Store, planned: Plan, name: str, found: Iterable[Any], kept: Any, dropped: Any, **facts: Any
) -> list[Any]:
    """An artifact of these outcomes under the key of a plan; returns the records kept."""
    stage, tally, passed = planned[name], Tally(), []
    writer = Writer(store, name, stage.key, kept, dropped)
    for outcome in found:
        tally.entered += 1
        if isinstance(outcome, Dropped):
            tally.dropped[outcome.reason] += 1
        else:
            tally.kept += 1
            passed.append(outcome.record)
        writer.write(outcome)
    writer.finish(
        tally,
        version=stage.version,
        inputs=stage.inputs,
        settings=stage.settings,
        facts=facts,
        made_by="hornbook bench",
        seconds=12.5,
        cpu_seconds=11.0,
    )
    return passed


def sentence(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, k=words)).capitalize() + "."


def exercise(draw: random.Random, number: int, seed: Seed, completion_id: str, text: str) -> Exercise:
    name = f"{draw.choice(WORDS)}_{draw.choice(WORDS)}_{number}"
    said = text or "\n    ".join(sentence(draw, 11) for _ in range(7))
    lines = "".join(
        f"    if value_{n} > {draw.randint(0, 99)}:\n"
        f"        total += value_{n} * {draw.randint(2, 9)}  # {sentence(draw, 4)}\n"
        for n in range(6)
    )
    prompt = f'def {name}({", ".join(f"value_{n}" for n in range(6))}):\n    """{said}"""\n'
    return Exercise(
        prompt=storable(prompt),
        solution=f"    total = 0\n{lines}    return total\n",
        entry_point=name,
        test=f"assert {name}(0, 0, 0, 0, 0, 0) == 0\n",
        test_owner="teacher",
        topic=seed.topic,
        audience=seed.audience,
        teacher=seed.teacher,
        completion_id=completion_id,
    )


def corpus(store: Store, planned: Plan, documents: int, texts: Sequence[str]) -> list[Any]:
    """Seeds to decontaminated; returns the documents kept."""
    draw = random.Random(7)
    seeds, prompts, answers, made = [], [], [], []
    for number in range(documents):
        seed = Seed(
            kind="exercise" if number % 8 else "textbook",
            number=number,
            topic=TOPICS[number % 6],
            title="a topic",
            audience="a beginner",
            form="function",
            teacher=TEACHERS[number % 3],
            words=("river", "count"),
        )
        text = storable(texts[number % len(texts)]) if texts else ""
        messages = (Message("system", "You write Python."), Message("user", text or f"Write number {number}."))
        prompt = Prompt(seed=seed, messages=messages, template="exercise/write.md", template_digest="5f" * 32)
        body = text or "\n".join(sentence(draw, 12) for _ in range(10))
        answer = Completion(
            prompt_id=prompt.id,
            seed=seed,
            teacher=seed.teacher,
            teacher_kind="composer",
            model="m",
            text=body,
            finish_reason="stop",
            prompt_tokens=40,
            completion_tokens=300,
            usd=0.0002,
        )
        seeds.append(seed)
        prompts.append(prompt)
        answers.append(answer)
        if number % 8:
            made.append(exercise(draw, number, seed, answer.id, text))
        else:
            made.append(
                Passage(
                    text=body,
                    topic=seed.topic,
                    audience=seed.audience,
                    teacher=seed.teacher,
                    completion_id=answer.id,
                    executed=0,
                )
            )
    both = (Passage, Exercise)
    write(store, planned, "seeds", map(Kept, seeds), (Seed,), ())
    write(store, planned, "prompts", map(Kept, prompts), (Prompt,), (Seed,))
    write(store, planned, "completions", map(Kept, answers), (Completion,), (Prompt,), teachers=[])
    write(store, planned, "documents", map(Kept, made), both, (Completion,))
    del seeds, prompts, answers
    first = made[0]
    rules: dict[str, Any] = {
        "validated": lambda place, r: Dropped(r, "test-failed", f"got {place} == 0") if place % 9 == 5 else None,
        "distinct": lambda place, r: (
            Dropped(r, "near-duplicate", "0.83 >= 0.70", first.id, 0.83) if place % 17 == 3 else None
        ),
        "quality": lambda place, r: Dropped(r, "too-short", "31 < 40 characters") if place % 41 == 6 else None,
        "decontaminated": lambda place, r: Dropped(r, "tree-overlap", "1.00 >= 0.95") if place % 97 == 9 else None,
    }
    for name, rule in rules.items():
        made = write(store, planned, name, outcomes(name, made, rule), both, both)
    return made


def scores(store: Store, planned: Plan, texts: Sequence[str]) -> None:
    """The composed problems, answered before and after."""
    from pipeline.benchmarks.problems import load as benchmark

    problems = benchmark("composed").problems
    draw, found = random.Random(3), []
    for model in ("before", "after"):
        samples = []
        for number, problem in enumerate(problems):
            passed = draw.random() < (0.2 if model == "before" else 0.5)
            body = (
                problem.canonical_solution
                if passed
                else storable(texts[number % len(texts)])
                if texts
                else "    pass\n"
            )
            common: Any = {
                "problem_id": problem.id,
                "benchmark": problem.benchmark,
                "task_id": problem.task_id,
                "model": model,
            }
            sample = Sample(checkpoint="c" * 24, raw=body, completion=body, tokens=30, **common)
            samples.append(sample)
            detail = "" if passed else "check failed: returned None"
            found.append(
                Score(
                    sample_id=sample.id,
                    group=problem.group,
                    passed=passed,
                    detail=detail,
                    verdict="pass" if passed else "fail",
                    **common,
                )
            )
        write(store, planned, f"samples-{model}", map(Kept, samples), (Sample,), ())
    write(store, planned, "scores", map(Kept, found), (Score,), ())


def build(data: Path, documents: int, name: str = "large", texts: Sequence[str] = ()) -> Path:
    """The run's folder below DATA/runs; its artifacts are below DATA/store."""
    folder, store = data / "runs" / name, Store(str(data / "store"))
    folder.mkdir(parents=True, exist_ok=True)
    recipe = folder / "recipe.toml"
    text = RECIPE.replace("exercises = 100", f"exercises = {documents}").replace('"large"', f'"{name}"')
    recipe.write_text(text, encoding="utf-8")
    loaded = load(str(recipe))
    recipe.write_text(dump(loaded.recipe, loaded.execution), encoding="utf-8")
    planned = plan(loaded.recipe, {})
    corpus(store, planned, documents, texts)
    scores(store, planned, texts)
    stages = [
        {"name": s.name, "key": s.key, "state": "made" if store.manifest(s.name, s.key) else "to-make", "seconds": 3.0}
        for s in planned.stages
    ]
    info = {
        "run": name,
        "recipe": name,
        "state": "interrupted",
        "started": "2026-02-03T09:10:11.000+00:00",
        "seconds": 752.5,
        "called": "2026-02-03T09:10:11.000+00:00",
        "stages": stages,
    }
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    train = {"event": "train", "stage": "student", "steps": 900}
    events = [
        {"time": 2.0 + step, **train, "step": step, "loss": 0.3 + 2.0 / (1 + step / 60), "lr": 5e-5 * (1 - step / 950)}
        for step in range(1, 900, 3)
    ]
    events += [
        {
            "time": step,
            "event": "held-out",
            "stage": "student",
            "step": step,
            "held_out_loss": 0.45 + 1.5 / (1 + step / 60),
        }
        for step in range(100, 900, 100)
    ]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return folder


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path)
    options.add_argument("--documents", type=int, default=100_000)
    options.add_argument("--name", default="large")
    options.add_argument("--hostile", action="store_true")
    given = options.parse_args()
    texts = HOSTILE if given.hostile else ()
    documents = len(HOSTILE) * 8 if given.hostile else given.documents
    print(build(given.data, documents, "hostile" if given.hostile else given.name, texts))


if __name__ == "__main__":
    main()
