"""The local teacher's two engines: tokens a second and a CPU second, greedy, loading not counted.

    python scripts/bench/local.py [--json] [--models smollm2 ...] [--questions 1 8 32] [--max-tokens 96] [--threads 0]

Each answers the same chat prompts in a process of its own; an engine that is not installed is null. `engine_alone` is
what the batched engine itself reaches with as many rows: steps one after another, without prompts, drawing, stopping or
a journal; llama.cpp has none here.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("transformers", "llama.cpp")
QUESTIONS = (
    "Write a Python function that returns the sum of a list.",
    "Explain what a loop is in Python, with one example.",
    "Write a Python function that reverses a string.",
    "What is recursion? Give an example.",
)
ALONE_TOKENS = (64, 24)
"""Tokens that each row has, and steps that are timed."""


def work(model: str, engine: str, questions: int, max_tokens: int, threads: int) -> dict[str, float]:
    """Ask a teacher as a run does."""
    from pipeline import teacher
    from pipeline.core.records import Message, Passage
    from pipeline.execution import Execution
    from pipeline.recipe_teachers import LocalTable
    from pipeline.store.places import places
    from pipeline.teacher import threaded
    from pipeline.teacher.lines import entries

    execution = Execution(threads=threads)
    settings = {"name": "local", "kind": "local", "model": model, "engine": engine}
    table = LocalTable.model_validate({**settings, "max_tokens": max_tokens, "temperature": 0.0})
    asked = teacher.build(table, execution, 0, places().models)
    begun: list[tuple[float, float]] = []
    prepare = threaded.ThreadLane.prepare

    def timed(lane: threaded.ThreadLane) -> None:
        prepare(lane)
        begun.append((time.perf_counter(), time.process_time()))

    threaded.ThreadLane.prepare = timed  # type: ignore[method-assign]

    def asking() -> Iterator[tuple[Passage, tuple[Message, ...]]]:
        for number in range(questions):
            text = f"{QUESTIONS[number % len(QUESTIONS)]} Variant {number}."
            yield Passage(text=text), (Message("user", text),)

    with tempfile.TemporaryDirectory() as folder:
        for _ in teacher.ask(asking(), asked, journal=Path(folder), execution=execution):
            pass
        seconds, cpu_seconds = (
            now - then for now, then in zip((time.perf_counter(), time.process_time()), begun[0], strict=True)
        )
        tokens = sum(entry.completion_tokens for entry in entries(Path(folder)))
    return {
        "tokens_per_second": round(tokens / seconds, 1),
        "tokens_per_cpu_second": round(tokens / cpu_seconds, 1),
        "tokens": tokens,
    }


def alone(model: str, questions: int, threads: int) -> float:
    """Tokens a second of the batched engine's steps, in the arithmetic that the teacher takes here."""
    from pipeline import teacher
    from pipeline.execution import Execution
    from pipeline.models.engines import make_engine
    from pipeline.recipe_teachers import LocalTable
    from pipeline.store.places import places
    from pipeline.teacher.generating import GenerateWorker

    table = LocalTable.model_validate({"name": "local", "kind": "local", "model": model, "engine": "transformers"})
    worker = GenerateWorker(teacher.build(table, Execution(threads=threads), 0, places().models))
    worker.prepare()
    loaded, (length, steps) = worker._loaded, ALONE_TOKENS
    engine = make_engine(loaded.model, questions, length + steps + 1, loaded.packed)
    engine.admit([list(range(100 + row, 100 + row + length)) for row in range(questions)])
    engine.step([7] * questions)
    began = time.perf_counter()
    for _ in range(steps):
        engine.step([7] * questions)
    return round(questions * steps / (time.perf_counter() - began), 1)


def apart(*arguments: str) -> Any:
    """What this script prints with the arguments; None where it fails."""
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{' '.join(arguments)}: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--models", nargs="+", default=["smollm2"])
    parser.add_argument("--questions", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--worker", choices=(*ENGINES, "alone"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        (model,), (questions,) = given.models, given.questions
        sys.path.insert(0, str(ROOT))
        told = (
            alone(model, questions, given.threads)
            if given.worker == "alone"
            else work(model, given.worker, questions, given.max_tokens, given.threads)
        )
        print(json.dumps(told))
        return
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for model in given.models:
        for questions in given.questions:
            sizes = ["--models", model, "--questions", str(questions), "--max-tokens", str(given.max_tokens)]
            sizes += ["--threads", str(given.threads)]
            figures = {engine: apart("--worker", engine, *sizes) for engine in ENGINES}
            figures["engine_alone"] = apart("--worker", "alone", *sizes)
            found.setdefault(model, {})[str(questions)] = figures
            if not given.json:
                print(f"{model}, {questions} questions: " + "; ".join(_told(*figure) for figure in figures.items()))
    if given.json:
        print(json.dumps({"models": found}))


def _told(name: str, figure: Any) -> str:
    if figure is None:
        return f"{name} not installed"
    if name == "engine_alone":
        return f"the batched engine alone {figure} tokens/s"
    return f"{name} {figure['tokens_per_second']} tokens/s, {figure['tokens_per_cpu_second']} a CPU second"


if __name__ == "__main__":
    main()
