"""Nothing that a server can send stops a run, is lost, or cannot be stored, replayed and reported.

`scripts/fuzz_responses.py` does the same for as long as it is told to.
"""

from pathlib import Path

import pytest
from fuzzed_responses import responses, walk
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.teacher.pace import Pace
from pipeline.teacher.wire import duration, json_lines, retry_after


def gathered(count: int) -> list[bytes]:
    found: list[bytes] = []

    @settings(max_examples=count)
    @given(responses())
    def gather(response: bytes) -> None:
        found.append(response)

    gather()
    return found


def test_no_response_stops_a_run_or_is_lost(tmp_path: Path) -> None:
    outcomes = walk(gathered(300), tmp_path)
    assert outcomes["kept"] > 30
    assert outcomes["failed"] > 30


@given(st.text(max_size=9) | st.sampled_from(["²", "9" * 5000, "1e999", "nan", "-1", "0", "1s" * 99, "9" * 400 + "h"]))
def test_no_header_stops_a_run(value: str) -> None:
    pace = Pace(8, 0, 0)
    for name in ("limit-requests", "limit-tokens", "remaining-requests", "reset-requests", "reset-tokens"):
        pace.read_headers(0.0, {f"x-ratelimit-{name}": value, "x-ratelimit-remaining-tokens": "0"})
    assert pace.wait(0.0, 10.0) >= 0
    for name in ("retry-after", "retry-after-ms"):
        wait = retry_after({name: value}, 0.0)
        assert wait is None or wait >= 0
    assert duration(value) is None or duration(value) >= 0  # type: ignore[operator]


@given(st.binary(max_size=60), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
def test_a_file_of_a_batch_may_hold_anything(junk: bytes, encoding: str) -> None:
    lines = '{"custom_id": "a"}\n\n[1]\n{"custom_id": "é"}\r\n'
    assert list(json_lines(lines.encode(encoding))) == [{"custom_id": "a"}, {"custom_id": "é"}]
    list(json_lines(junk))
    assert {"custom_id": "a"} in json_lines(b'{"custom_id": "a"}\n' + junk.replace(b"\x00", b""))


@pytest.mark.slow
def test_no_response_stops_a_run_up_to_the_corpus(tmp_path: Path) -> None:
    walk(gathered(1500), tmp_path, "decontaminated")
