"""The local teacher's two engines on SmolLM2: tokens a second, greedy, loading not counted.

    python scripts/bench/local.py [--json] [--prompts 64] [--max-tokens 96] [--threads 0]

Each engine answers the same chat prompts in a process of its own; an engine that is not installed is null.
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


def work(engine: str, prompts: int, max_tokens: int, threads: int) -> dict[str, float]:
    sys.path.insert(0, str(ROOT))
    from pipeline import teacher
    from pipeline.core.records import Message, Passage
    from pipeline.execution import Execution
    from pipeline.recipe_teachers import LocalTable
    from pipeline.teacher import threaded
    from pipeline.teacher.lines import entries

    execution = Execution(threads=threads)
    settings = {"name": "local", "kind": "local", "model": "smollm2", "engine": engine}
    table = LocalTable.model_validate({**settings, "max_tokens": max_tokens, "temperature": 0.0})
    asked = teacher.build(table, execution, 0)
    times: list[float] = []
    prepare = threaded.ThreadLane.prepare

    def timed(lane: threaded.ThreadLane) -> None:
        prepare(lane)
        times.append(time.perf_counter())

    threaded.ThreadLane.prepare = timed  # type: ignore[method-assign]

    def questions() -> Iterator[tuple[Passage, tuple[Message, ...]]]:
        for number in range(prompts):
            text = f"{QUESTIONS[number % len(QUESTIONS)]} Variant {number}."
            yield Passage(text=text), (Message("user", text),)

    with tempfile.TemporaryDirectory() as folder:
        for _ in teacher.ask(questions(), asked, journal=Path(folder), execution=execution):
            pass
        seconds = time.perf_counter() - times[0]
        tokens = sum(entry.completion_tokens for entry in entries(Path(folder)))
    return {"tokens_per_second": round(tokens / seconds, 1), "tokens": tokens, "seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--worker", choices=ENGINES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(work(given.worker, given.prompts, given.max_tokens, given.threads)))
        return
    found: dict[str, Any] = {}
    for engine in ENGINES:
        sizes = [
            "--prompts",
            str(given.prompts),
            "--max-tokens",
            str(given.max_tokens),
            "--threads",
            str(given.threads),
        ]
        command = [sys.executable, __file__, "--worker", engine, *sizes]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found[engine] = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
        if found[engine] is None:
            print(f"{engine}: {done.stderr.strip()[-300:]}", file=sys.stderr)
    if given.json:
        print(json.dumps({"engines": found}))
    else:
        for engine, figures in found.items():
            print(f"{engine:<14}" + (f"{figures['tokens_per_second']:>8.1f} tokens/s" if figures else "not installed"))


if __name__ == "__main__":
    main()
