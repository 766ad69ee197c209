import io
import json

from rich.console import Console

from pipeline.progress import EventLog, Watcher, describe


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
    assert describe(event) == "  student         1,000 of 2,000, tokens per second 12.3"


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


def test_the_log_holds_every_event_with_its_time(tmp_path):
    seen = []
    log = EventLog(tmp_path / "events.jsonl", seen.append)
    log({"event": "note", "text": "a\nb"})
    log(FINISHED)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["note", "stage-finished"]
    assert all(line["time"] > 0 for line in lines)
    assert len(seen) == 2
