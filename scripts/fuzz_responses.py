"""Feed whole HTTP responses of any kind to a teacher, for as long as it is told to, and count what stops a run.

    python scripts/fuzz_responses.py [--minutes 60] [--batch 400] [--until decontaminated] [--seed N] [--json]

Each round sends a batch of new responses through a real run (wire, journal, parsing, store), the same run again, a run
that replays its journal, and the report, as `tests/teacher/fuzzed_responses.py` says. A round that raises is a stop,
one whose answers are not what was sent a loss; the responses that did it are written to --keep. Exit status 0 only if
there was neither.
"""

import argparse
import json
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "teacher")]

from fuzzed_responses import responses, smallest, walk  # noqa: E402


def drawn(number: int, count: int) -> list[bytes]:
    """`count` responses or some more, the same for the same `number`."""
    found: list[bytes] = []

    @seed(number)
    @settings(max_examples=count, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(responses())
    def gather(response: bytes) -> None:
        found.append(response)

    gather()
    return found


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--minutes", type=float, default=60.0)
    options.add_argument("--batch", type=int, default=400, help="responses a round")
    options.add_argument("--until", default="decontaminated", help="last stage of each run")
    options.add_argument("--seed", type=int, default=0, help="number of the first round")
    options.add_argument("--keep", type=Path, default=Path("fuzzed"), help="folder for the responses that failed")
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    warnings.simplefilter("ignore")
    end = time.monotonic() + 60 * given.minutes
    total: Counter[str] = Counter()
    number = given.seed
    while time.monotonic() < end:
        sent = drawn(number, given.batch)
        total["rounds"] += 1
        total["responses"] += len(sent)
        with tempfile.TemporaryDirectory() as folder:
            try:
                total += walk(sent, Path(folder), given.until)
            except Exception as error:
                total["losses" if isinstance(error, AssertionError) else "stops"] += 1
                traceback.print_exc()
                given.keep.mkdir(exist_ok=True)
                few = smallest(sent, Path(folder) / "halves", given.until)
                for place, response in enumerate(few):
                    (given.keep / f"{number}-{place}.http").write_bytes(response)
        number += 1
        print(f"\r{dict(total)}", end="", file=sys.stderr)
    print(file=sys.stderr)
    found = {"stops": 0, "losses": 0, **total}
    print(json.dumps(found) if given.json else "\n".join(f"{count:>9,} {name}" for name, count in found.items()))
    return 1 if found["stops"] + found["losses"] else 0


if __name__ == "__main__":
    sys.exit(main())
