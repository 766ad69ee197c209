"""Generation on a server that works: rate, CPU time and memory beside a bare aiohttp loop, AsyncOpenAI and curator.

    python scripts/bench/generation.py [--json] [--rows 2000] [--rounds 3] [--server URL] [--peer-python PYTHON]

Each tool sends the same prompts from a process of its own to one mock server (50 ms latency, 1.5 kB answers), in turn,
`rounds` times; the round with the least time counts, for this measures tools and not what else the machine did. Time
and CPU start after the imports. Hornbook's figures include its journal. `--peer-python` is an interpreter with the
peers installed, if they are not in this one; a tool that is not installed or does not start (curator fetches a
tokenizer from the network) is null.
`--flat ROWS` instead shows that memory stays flat: that many rows at latency 0, resident memory on the way.
"""

import argparse
import asyncio
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOOLS = ("hornbook", "aiohttp", "openai", "curator")
IMPORTS = {
    "hornbook": ("aiohttp", "pipeline.teacher.online"),
    "aiohttp": ("aiohttp",),
    "openai": ("openai",),
    "curator": ("bespokelabs.curator",),
}
CONCURRENCY = (64, 256)
MODEL = "gpt-4o-mini"
ROOT = Path(__file__).resolve().parents[2]


def text(number: int) -> str:
    return f"ID={number} Write a lesson on binary search for a first-year student."


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def run_hornbook(base_url: str, rows: int, concurrency: int, watch: Callable[[int], None] | None = None) -> int:
    from serving import prompts

    from pipeline import teacher
    from pipeline.core.stage import Kept
    from pipeline.execution import Execution
    from pipeline.recipe_teachers import OpenAITable
    from pipeline.stages.completions.stage import Complete

    execution = Execution(concurrency=concurrency)
    table = OpenAITable(name="mock", base_url=base_url, model=MODEL)
    teachers = {"mock": teacher.build(table, execution, 0)}
    kept = 0
    with tempfile.TemporaryDirectory() as folder:
        for outcome in Complete(teachers, Path(folder), execution)(prompts(map(text, range(rows)))):
            kept += isinstance(outcome, Kept)
            if watch is not None:
                watch(kept)
    return kept


async def run_aiohttp(base_url: str, rows: int, concurrency: int) -> int:
    """The least that asking over aiohttp can cost: no retry, no journal, no record."""
    import aiohttp

    numbers = iter(range(rows))
    answered = 0

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal answered
        for number in numbers:
            body = {"model": MODEL, "messages": [{"role": "user", "content": text(number)}], "max_tokens": 1024}
            async with session.post(f"{base_url}/chat/completions", json=body) as response:
                reply = await response.json()
                answered += bool(reply["choices"][0]["message"]["content"])

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:
        await asyncio.gather(*(worker(session) for _ in range(concurrency)))
    return answered


async def run_openai(base_url: str, rows: int, concurrency: int) -> int:
    import openai

    # Its connect timeout of 5 s is too short for a busy machine, where this should measure and not fail.
    client = openai.AsyncOpenAI(base_url=base_url, api_key="none", timeout=600.0)
    gate = asyncio.Semaphore(concurrency)

    async def ask(number: int) -> bool:
        async with gate:
            messages = [{"role": "user", "content": text(number)}]
            reply = await client.chat.completions.create(model=MODEL, messages=messages, max_tokens=1024)
            return bool(reply.choices[0].message.content)

    async with client:
        return sum(await asyncio.gather(*(ask(number) for number in range(rows))))


def run_curator(base_url: str, rows: int, concurrency: int) -> int:
    from bespokelabs import curator

    limits = {"max_requests_per_minute": 10_000_000, "max_tokens_per_minute": 1_000_000_000}
    model = curator.LLM(
        model_name=MODEL,
        backend="openai",
        backend_params={"base_url": base_url, "api_key": "none", "max_concurrent_requests": concurrency, **limits},
    )
    answers = model([text(number) for number in range(rows)])
    return len(getattr(answers, "dataset", answers))


def work(tool: str, base_url: str, rows: int, concurrency: int) -> dict[str, float]:
    """Run one tool in this process and measure it."""
    sys.path.insert(0, str(ROOT))
    for module in IMPORTS[tool]:
        importlib.import_module(module)
    cpu, start = time.process_time(), time.perf_counter()
    if tool == "hornbook":
        answered = run_hornbook(base_url, rows, concurrency)
    elif tool == "aiohttp":
        answered = asyncio.run(run_aiohttp(base_url, rows, concurrency))
    elif tool == "openai":
        answered = asyncio.run(run_openai(base_url, rows, concurrency))
    else:
        answered = run_curator(base_url, rows, concurrency)
    seconds, used = time.perf_counter() - start, time.process_time() - cpu
    if answered != rows:
        raise SystemExit(f"{tool}: {answered} of {rows} answers")
    return {
        "requests_per_second": round(rows / seconds, 1),
        "cpu_seconds_per_1000": round(1000 * used / rows, 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def measure(tool: str, python: str, base_url: str, rows: int, concurrency: int) -> dict[str, float] | None:
    """One round of one tool in a fresh process; None if it is not installed or fails."""
    command = [python, __file__, "--worker", tool, "--server", base_url, "--rows", str(rows)]
    quiet = {"CURATOR_DISABLE_CACHE": "1", "CURATOR_VIEWER": "0", "TELEMETRY_ENABLED": "0", "OPENAI_API_KEY": "none"}
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, **quiet, "CURATOR_CACHE_DIR": cache}
        done = subprocess.run(
            [*command, "--concurrency", str(concurrency)], capture_output=True, text=True, env=environment, check=False
        )
    if done.returncode:
        if "ModuleNotFoundError" not in done.stderr:
            print(f"{tool}: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    from serving import mock_server

    best: dict[str, dict[str, Any]] = {str(c): dict.fromkeys(TOOLS) for c in CONCURRENCY}
    with mock_server(arguments.server) as mock:
        for _ in range(arguments.rounds):
            for concurrency in CONCURRENCY:
                for tool in TOOLS:
                    mock.control(latency=0.05)
                    python = sys.executable if tool == "hornbook" else arguments.peer_python
                    found = measure(tool, python, mock.base_url, arguments.rows, concurrency)
                    kept = best[str(concurrency)]
                    if found and (not kept[tool] or found["requests_per_second"] > kept[tool]["requests_per_second"]):
                        kept[tool] = found
    return {"concurrency": best}


def flat(rows: int, server: str) -> dict[str, Any]:
    """Resident memory after a quarter of the rows and after all of them."""
    from serving import mock_server

    seen: dict[int, float] = {}

    def watch(done: int) -> None:
        if done in (rows // 4, rows):
            seen[done] = round(resident_mb(), 1)

    with mock_server(server) as mock:
        mock.control(latency=0)
        sys.path.insert(0, str(ROOT))
        start = time.perf_counter()
        run_hornbook(mock.base_url, rows, 64, watch)
        seconds = time.perf_counter() - start
    early, late = seen[rows // 4], seen[rows]
    return {
        "rows": rows,
        "seconds": round(seconds, 1),
        "rss_mb": {str(k): v for k, v in seen.items()},
        "ratio": round(late / early, 3),
    }


def table(result: dict[str, Any]) -> str:
    lines = [f"{'':<14}{'requests/s':>12}{'CPU s / 1,000':>16}{'peak MB':>10}"]
    for concurrency, tools in result["concurrency"].items():
        for tool, found in tools.items():
            name = f"{tool} C={concurrency}"
            if found is None:
                lines.append(f"{name:<14}{'does not run here':>36}")
                continue
            figures = f"{found['requests_per_second']:>10.0f}{found['cpu_seconds_per_1000']:>16.2f}"
            lines.append(f"{name:<16}{figures}{found['peak_rss_mb']:>10.0f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--server", default="", help="root URL of a mock that already runs")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--flat", type=int, default=0, metavar="ROWS")
    parser.add_argument("--worker", choices=TOOLS, help=argparse.SUPPRESS)
    parser.add_argument("--concurrency", type=int, default=64, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(work(arguments.worker, arguments.server, arguments.rows, arguments.concurrency)))
        return
    result = flat(arguments.flat, arguments.server) if arguments.flat else compare(arguments)
    print(json.dumps(result) if arguments.json or arguments.flat else table(result))


if __name__ == "__main__":
    main()
