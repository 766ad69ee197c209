"""Generation against a real server: SmolLM2 behind llama.cpp's own HTTP server, asked as any other endpoint.

    python scripts/bench/generation_server.py [--json] [--prompts 20] [--max-tokens 64] [--base-url URL --model NAME]

Starts the server of the `xllamacpp` wheel with the embedded model, asks the prompts, then asks them again: the second
time every answer must come from the journal. `--base-url` asks a server that already runs instead.
"""

import argparse
import json
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOPICS = (
    "loops",
    "recursion",
    "lists",
    "dictionaries",
    "strings",
    "sorting",
    "binary search",
    "sets",
    "tuples",
    "files",
)


@contextmanager
def llama_server() -> Iterator[str]:
    """Base URL of a server on a free port of the loopback interface."""
    try:
        import xllamacpp
    except ImportError:
        raise SystemExit("xllamacpp is not installed: pip install 'hornbook[llamacpp]', or give --base-url") from None
    from pipeline.models.local import find_smollm2

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = xllamacpp.CommonParams()
    settings.model.path = str(find_smollm2())
    settings.n_parallel, settings.n_ctx = 4, 4 * 2048
    settings.hostnames, settings.port = ["127.0.0.1"], port
    settings.verbosity, settings.warmup = -1, False
    server = xllamacpp.Server(settings)
    yield f"http://127.0.0.1:{port}/v1"
    del server


def ask(base_url: str, model: str, prompts: int, max_tokens: int, journal: Path) -> dict[str, Any]:
    from pipeline import teacher
    from pipeline.core.records import Message, Passage
    from pipeline.execution import Execution
    from pipeline.recipe_teachers import OpenAITable

    execution = Execution(concurrency=4, timeout_seconds=300.0)
    table = OpenAITable(name="server", base_url=base_url, model=model, max_tokens=max_tokens, temperature=0.0)
    questions = [
        (Passage(text=text), (Message("user", text),))
        for text in (f"Explain {TOPICS[n % len(TOPICS)]} in Python, part {n}." for n in range(prompts))
    ]
    finishes: Counter[str] = Counter()
    tokens = reused = 0
    start = time.perf_counter()
    asked = teacher.build(table, execution, 0)
    for _, result in teacher.ask(questions, asked, journal=journal, execution=execution):
        if isinstance(result, teacher.Answer):
            finishes[result.finish_reason] += 1
            tokens += result.completion_tokens
            reused += result.earlier
        else:
            finishes[f"{result.trouble}: {result.detail}"] += 1
    seconds = time.perf_counter() - start
    return {"ends": dict(finishes), "completion_tokens": tokens, "reused": reused, "seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--base-url", default="")
    parser.add_argument("--model", default="smollm2")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:

        def both(base_url: str) -> dict[str, Any]:
            sizes = (given.model, given.prompts, given.max_tokens, Path(folder))
            return {"first": ask(base_url, *sizes), "again": ask(base_url, *sizes)}

        if given.base_url:
            found = both(given.base_url)
        else:
            with llama_server() as base_url:
                found = both(base_url)
    if given.json:
        print(json.dumps(found))
        return
    for name, figures in found.items():
        ends = ", ".join(f"{count} {end}" for end, count in figures["ends"].items())
        print(
            f"{name:<6} {given.prompts} prompts: {ends}; {figures['completion_tokens']} tokens, "
            f"{figures['reused']} from the journal, {figures['seconds']} s"
        )


if __name__ == "__main__":
    main()
