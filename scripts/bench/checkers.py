"""CPU milliseconds per check of each checker, on the sets that the tests hold them to.

    python scripts/bench/checkers.py [--json] [--workers N]

CPU counts the worker's processes and this one, their start left out. `judged_cpu_ms` is what the executed program alone
took, as rulings say it. Sets: right and wrong SQL queries and patterns, JSON documents, a program with a docstring
example, the same with pandas imported.
"""

import argparse
import json
import os
import resource
import sys
import time
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline import checkers  # noqa: E402
from pipeline.checkers.protocol import Item, Means, Terms  # noqa: E402

PROGRAM = 'def add(a, b):\n    """Sum.\n\n    >>> add(1, 2)\n    3\n    """\n    return a + b\n'
FRAME = "import pandas as pd\n\n\ndef total(n):\n    return int(pd.Series(range(n)).sum())\n"
PERSON = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}


def sets() -> dict[str, tuple[str, Terms, list[Item]]]:
    """Name of the set: checker, terms and items."""
    sql = tomllib.loads((ROOT / "tests/data/sqlite.toml").read_text(encoding="utf-8"))
    regex = tomllib.loads((ROOT / "tests/data/regex.toml").read_text(encoding="utf-8"))
    found: dict[str, tuple[str, Terms, list[Item]]] = {}
    for kind in ("right", "wrong"):
        queries = [
            Item("", "", query, {key: case[key] for key in ("reference", "ordered") if key in case} | schema)
            for case in sql["case"]
            for schema in [{"schema": sql["schemas"][case["schema"]]}]
            for query in case[kind]
        ]
        found[f"sqlite, {kind}"] = ("sqlite", Terms(), queries)
    keys = ("match", "no_match", "mode", "reference")
    for kind in ("right", "wrong"):
        patterns = [
            Item("", "", pattern, {key: case[key] for key in keys if key in case})
            for case in regex["case"]
            for pattern in case[kind]
        ]
        found[f"regex, {kind}"] = ("regex", Terms(), patterns)
    found["json-schema"] = ("json-schema", Terms(), [Item("", "", '{"name": "Ann"}', {"schema": PERSON})] * 50)
    check = {"entry_point": "add", "test": "assert add(2, 3) == 5\n"}
    found["python"] = ("python", Terms(), [Item("", "", PROGRAM, check)] * 50)
    if find_spec("pandas"):
        check = {"entry_point": "total", "test": "assert total(4) == 6\n"}
        found["python, pandas"] = ("python", Terms(packages=("pandas",)), [Item("", "", FRAME, check)] * 50)
    program = "def check(item):\n    assert float(item.solution) == item.check['value']\n"
    found["python-check"] = ("python-check", Terms(program=program), [Item("", "", "2", {"value": 2})] * 50)
    return found


def cpu() -> float:
    """CPU seconds of this process and of all its children that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def measured(name: str, terms: Terms, items: list[Item], workers: int) -> dict[str, Any]:
    kind = checkers.named(name)
    before = cpu()
    with kind.make(terms, Means(workers)):
        pass
    start = cpu() - before
    before, began = cpu(), time.perf_counter()
    with kind.make(terms, Means(workers)) as checker:
        rulings = list(checker.rule(items))
    seconds = time.perf_counter() - began
    states = [ruling.state for ruling in rulings]
    return {
        "items": len(items),
        "right": states.count("right"),
        "wrong": states.count("wrong"),
        "unscored": states.count("unscored"),
        "cpu_ms_per_item": round(1000 * (cpu() - before - start) / len(items), 1),
        "judged_cpu_ms": round(1000 * sum(ruling.cpu_seconds for ruling in rulings) / len(items), 1),
        "items_per_second": round(len(items) / seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of a table")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    report = {label: measured(name, terms, items, options.workers) for label, (name, terms, items) in sets().items()}
    if options.json:
        print(json.dumps(report))
        return
    print(f"load {os.getloadavg()[0]:.1f}")
    print(f"{'':16} {'items':>6} {'right':>6} {'wrong':>6} {'unscored':>9} {'CPU ms/item':>12} {'judged':>7}")
    for label, row in report.items():
        print(
            f"{label:16} {row['items']:>6} {row['right']:>6} {row['wrong']:>6} {row['unscored']:>9} "
            f"{row['cpu_ms_per_item']:>12} {row['judged_cpu_ms']:>7}"
        )


if __name__ == "__main__":
    main()
