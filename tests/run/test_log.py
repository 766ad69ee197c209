"""events.jsonl holds every event, each with its time."""

import json

from pipeline.run.log import EventLog


def test_the_log_holds_every_event_with_its_time(tmp_path):
    seen = []
    log = EventLog(tmp_path / "events.jsonl", seen.append)
    log({"event": "note", "text": "a\nb"})
    log({"event": "stage-finished", "stage": "quality", "kept": 1200})
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["note", "stage-finished"]
    assert all(line["time"] > 0 for line in lines)
    assert len(seen) == 2
