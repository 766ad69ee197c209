import fcntl
import io
import json
import os
import re
import struct
import subprocess
import sys
import termios

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from pipeline.cli.watching import Watcher, describe, fitted


def shown(events, **options):
    stream = io.StringIO()
    with Watcher(Console(file=stream, width=200), **options) as watch:
        for event in events:
            watch(event)
    return stream.getvalue()


FINISHED = {
    "event": "stage-finished",
    "stage": "quality",
    "kept": 1200,
    "dropped": {"secret": 1, "too-short": 30},
    "seconds": 1.24,
}


def test_a_finished_stage_says_what_it_kept_and_why_it_dropped():
    assert describe(FINISHED) == "  quality          1,200 kept  31 dropped (too-short 30, secret 1)  1.2 s"


def test_a_stored_stage_says_so():
    assert describe(FINISHED | {"event": "stage-reused"}).endswith("stored")


def test_progress_shows_what_was_measured():
    event = {"event": "train", "stage": "student", "done": 1000, "total": 2000, "tokens_per_second": 12.345}
    assert describe(event) == "  student         1,000 of 2,000 (50%), tokens per second 12.3"


ASKING = {
    "event": "teacher", "stage": "completions", "done": 1000, "total": 2000, "kept": 970, "reused": 0, "in_flight": 64,
    "requests_per_second": 31.25, "tokens_per_second": 10312.5, "rate_limited": 3, "usd": 0.2147, "tokens": 390000,
    "eta_seconds": 32.0,
}  # fmt: skip


def test_a_conversation_says_how_far_how_fast_and_at_what_price():
    assert describe(ASKING) == (
        "  completions     1,000 of 2,000 (50%), 97% kept, 31.2 requests/s, 10,312 tokens/s, 64 in flight, 3 429s, "
        "390,000 tokens, $0.2147, 32 s left"
    )
    unknown = ASKING | {"done": 0, "total": None, "kept": 0, "eta_seconds": None, "reused": 7}
    assert describe(unknown) == (
        "  completions     0, 7 from the journal, 31.2 requests/s, 10,312 tokens/s, 64 in flight, 3 429s, "
        "390,000 tokens, $0.2147"
    )
    assert describe(ASKING | {"eta_seconds": 5400.0}).endswith(", 90 min left")


def test_a_conversation_without_an_answer_yet_says_what_goes_on():
    event = {
        "event": "teacher", "stage": "completions", "done": 0, "total": 66, "kept": 0, "reused": 0, "in_flight": 64,
        "requests_per_second": 0.0, "tokens_per_second": 0.0, "rate_limited": 0, "usd": 0.0, "tokens": 0,
        "eta_seconds": None, "doing": "qwen: 64 under way, 1,280 tokens written, reading prompts",
    }  # fmt: skip
    assert describe(event).endswith(", qwen: 64 under way, 1,280 tokens written, reading prompts")


def test_a_log_gets_few_lines_and_every_lasting_one():
    progress = [{"event": "train", "stage": "student", "step": n} for n in range(50)]
    lines = shown([*progress, FINISHED, {"event": "note", "text": "waiting"}]).splitlines()
    assert lines[-2:] == [describe(FINISHED), "  waiting"]
    assert len(lines) <= 3


def test_json_events_are_one_object_a_line():
    lines = shown([FINISHED, {"event": "train", "stage": "student", "step": 1}], as_json=True).splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["stage-finished", "train"]


TRAINING = {
    "event": "train", "stage": "student", "phase": "pretrain", "step": 120, "steps": 480, "loss": 3.21987, "lr": 3e-4,
    "grad_norm": 1.234, "tokens": 491520, "tokens_per_second": 12345.6, "mfu": 0.42, "eta_seconds": 185.0,
}  # fmt: skip


def test_training_says_how_far_it_is_how_fast_and_how_long_it_will_take():
    assert describe(TRAINING) == (
        "  student         120 of 480 (25%), pretrain, loss 3.220, 12,346 tokens/s, lr 0.0003, gradient norm 1.23, "
        "MFU 0.42, 3 min left"
    )
    assert fitted(TRAINING, 80) == "  student         120 of 480 (25%), loss 3.220, 12,346 tokens/s, 3 min left"
    assert fitted(TRAINING, 52) == "  student         120 of 480 (25%), 3 min left"
    assert describe(TRAINING | {"step": 479}).startswith("  student         479 of 480 (99%)")
    assert "left" not in describe(TRAINING | {"step": 480, "eta_seconds": 0.0})
    assert describe(TRAINING | {"eta_seconds": 9000.0}).endswith("2.5 h left")


def test_what_matters_most_is_left_in_a_narrow_terminal():
    assert fitted(ASKING, 80) == ("  completions     1,000 of 2,000 (50%), 3 429s, $0.2147, 32 s left")
    assert fitted(ASKING, 60) == "  completions     1,000 of 2,000 (50%), $0.2147, 32 s left"
    assert fitted(ASKING, 50) == "  completions     1,000 of 2,000 (50%), 32 s left"
    assert fitted(FINISHED, 60) == "  quality          1,200 kept  31 dropped  1.2 s"
    assert fitted(FINISHED, 200) == describe(FINISHED)


def test_a_model_that_loads_is_told_of_at_once_in_a_log_too():
    loading = {"event": "loading", "stage": "student", "what": "smollm2"}
    assert describe(loading) == "  student         loading smollm2"
    assert describe(loading | {"seconds": 12.3}) == "  student         loading smollm2, 12 s"
    assert shown([FINISHED, loading, TRAINING, TRAINING]).splitlines()[1] == describe(loading)


texts = st.text(st.characters(codec="utf-8"), max_size=40) | st.text("模型学習한국어ａｂ\u0301", max_size=60)
events = st.one_of(
    st.builds(lambda text: {"event": "note", "text": text}, texts),
    st.builds(lambda stage, text: {"event": "loading", "stage": stage, "what": text, "seconds": 3.0}, texts, texts),
    st.builds(
        lambda stage, reasons, ended: {
            "event": ended, "stage": stage, "kept": 7, "dropped": reasons, "seconds": 123456.7,
        },
        texts, st.dictionaries(texts, st.integers(0, 10**9), max_size=6),
        st.sampled_from(["stage-finished", "stage-reused"]),
    ),
    st.builds(lambda text, step: TRAINING | {"phase": text, "step": step}, texts, st.integers(0, 480)),
    st.builds(lambda text, done: ASKING | {"doing": text, "done": done}, texts, st.integers(0, 10**7)),
    st.builds(lambda name, value: {"event": "records", "done": 1, "total": 3, name: value}, texts, texts),
)  # fmt: skip


@given(events, st.integers(0, 200))
@example({"event": "note", "text": "模" * 100}, 41)
@example({"event": "loading", "stage": "a\nb\x1b[2J", "what": "x\ry"}, 80)
def test_a_progress_line_is_one_line_that_fits(event, width):
    line = fitted(event, width)
    assert cell_len(line) <= width
    assert line.isprintable()
    assert describe(event).isprintable()


DRAWING = r"""
import sys, time
from rich.console import Console
from pipeline.cli.watching import Watcher
events = [
    {"event": "stage-started", "stage": "completions"},
    {"event": "teacher", "stage": "completions", "done": 1000, "total": 2000, "kept": 970, "reused": 12,
     "in_flight": 64, "requests_per_second": 31.25, "tokens_per_second": 10312.5, "rate_limited": 3, "usd": 0.2147,
     "tokens": 390000, "eta_seconds": 32.0, "doing": "\u6a21\u578b" * 30},
    {"event": "note", "text": "one two three " * 20},
    {"event": "stage-finished", "stage": "quality", "kept": 1, "seconds": 1.0,
     "dropped": {"\u6a21" * 9: 3, "b" * 9: 2}},
    {"event": "loading", "stage": "student", "what": "m" * 100},
]
with Watcher(Console(stderr=True)) as watch:
    for event in events:
        watch(event)
        time.sleep(0.2)
"""


@pytest.mark.parametrize("columns", [30, 80])
def test_no_line_is_wider_than_the_terminal(columns):
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    for name in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-c", DRAWING], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True
    )
    os.close(theirs)
    drawn = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not read:
            break
        drawn += read
    os.close(ours)
    assert process.wait() == 0
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.decode()))
    assert any("1,000 of" in line for line in lines)
    assert any("loading mmm" in line for line in lines)
    assert all(cell_len(line) <= columns for line in lines), lines


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}])
def test_a_pipe_gets_whole_lines_and_nothing_is_drawn_over(environment):
    done = subprocess.run(
        [sys.executable, "-c", DRAWING], capture_output=True, check=True, env={**os.environ, **environment}
    )
    assert b"\r" not in done.stderr
    assert b"\x1b[" not in re.sub(rb"\x1b\[[0-9;]*m", b"", done.stderr)
    assert "one two three " * 19 in done.stderr.decode(errors="replace")
