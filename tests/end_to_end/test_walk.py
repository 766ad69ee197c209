"""The whole walk on the tiny recipe, through the command line."""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
from walk_command import here, hornbook

STAGES = [
    "seeds",
    "prompts",
    "completions",
    "documents",
    "validated",
    "distinct",
    "quality",
    "decontaminated",
    "tokens",
    "student",
    "samples-after",
    "scores",
]


def kept_ids(data, stage):
    (folder,) = (data / "store" / stage).iterdir()
    return sorted(
        i for part in folder.glob("part-*.parquet") for i in pq.read_table(part, columns=["id"])["id"].to_pylist()
    )


def test_every_stage_balances(tiny):
    data, _ = tiny
    status = here("status", "LATEST", "--json", data=data).json
    assert [stage["name"] for stage in status["stages"]] == STAGES
    for stage in status["stages"]:
        assert stage["in"] == stage["kept"] + sum(stage["dropped"].values()), stage["name"]
        assert stage["state"] in ("made", "reused", "stored")


def test_the_report_has_what_programs_rely_on(tiny):
    data, result = tiny
    report = result.json
    assert set(report) >= {"run", "funnel", "scores", "teachers", "seconds"}
    (score,) = report["scores"]
    assert (score["benchmark"], score["model"], score["problems"]) == ("composed", "after", 4)
    low, high = score["interval"]
    assert 0 <= low <= score["pass@1"] <= high <= 1
    assert [split["tau"] for split in score["splits"]] == [0.95, 0.9, 0.85, 0.8]
    assert all(split["similar"]["problems"] + split["non_similar"]["problems"] == 4 for split in score["splits"])
    (teacher,) = report["teachers"]
    assert (teacher["name"], teacher["kind"], teacher["completions"]) == ("composer", "composer", 28)
    folder = data / "runs" / report["run"]
    assert json.loads((folder / "report.json").read_text())["run"] == report["run"]
    html = (folder / "report.html").read_text()
    assert "<html" in html
    assert "http://" not in html.replace("http://www.w3.org", "")


def test_a_second_run_does_nothing_and_says_so(tiny):
    data, first = tiny
    again = here("run", "tiny", "--json", data=data)
    assert again.code == 0
    assert f"nothing to make: all {len(STAGES)} stages" in again.err
    assert again.json["scores"] == first.json["scores"]


def test_plan_knows_what_is_stored_and_touches_nothing(tiny, tmp_path):
    data, _ = tiny
    assert {s["state"] for s in here("plan", "tiny", "--json", data=data).json["stages"]} == {"stored"}
    changed = here("plan", "tiny", "student.phases.0.steps=9", "--json", data=data).json["stages"]
    assert [s["name"] for s in changed if s["state"] == "to-make"] == ["student", "samples-after", "scores"]
    empty = tmp_path / "nothing"
    plan = here("plan", "tiny", "--json", data=empty).json
    assert {s["state"] for s in plan["stages"]} == {"to-make"}
    assert plan["teacher"]["requests"] == 28
    assert plan["student"]["parameters"] > 0
    assert not empty.exists()


def test_trace_walks_back_to_the_seed_and_forward_to_the_tokens(tiny):
    data, _ = tiny
    (folder,) = (data / "store" / "decontaminated").iterdir()
    document = pq.read_table(next(iter(folder.glob("part-*.parquet"))), columns=["id"])["id"][0].as_py()
    traced = here("trace", "LATEST", document, "--json", data=data)
    assert traced.code == 0, traced.err
    text = json.dumps(traced.json)
    for kind in ("seed", "prompt", "completion", "span"):
        assert kind in text
    (scores,) = (data / "store" / "scores").iterdir()
    score = pq.read_table(next(iter(scores.glob("part-*.parquet"))), columns=["id"])["id"][0].as_py()
    traced = here("trace", "LATEST", score, data=data)
    assert traced.code == 0, traced.err
    for word in ("score", "sample", "checkpoint", "seed"):
        assert word in traced.out.lower()
    assert here("trace", "LATEST", "0123456789abcdef01234567", data=data).code == 2


def test_show_prints_kept_and_dropped_records(tiny):
    data, _ = tiny
    assert "def " in here("show", "LATEST", "documents", "-n", "2", data=data).out
    wrong = here("show", "LATEST", "dokuments", data=data)
    assert wrong.code == 2
    assert "documents" in wrong.err


def test_replay_gives_the_same_corpus_at_no_cost(tiny, tmp_path):
    data, _ = tiny
    recorded = next(iter((data / "store" / "completions").iterdir()))
    teachers = ["teachers.composer.kind=replay", f"teachers.composer.replay={recorded}"]
    replayed = here("run", "tiny", *teachers, "--until", "decontaminated", "--json", data=tmp_path)
    assert replayed.code == 0, replayed.err

    def texts(where, stage):
        (folder,) = (where / "store" / stage).iterdir()
        rows = [r for part in folder.glob("part-*.parquet") for r in pq.read_table(part).to_pylist()]
        return sorted(str(r.get("text") or "") + str(r.get("solution") or "") for r in rows)

    # Of near-duplicates the one with the smallest id is kept, and ids know their teacher: so texts before `distinct`.
    assert texts(tmp_path, "validated") == texts(data, "validated")
    assert len(texts(tmp_path, "decontaminated")) == len(texts(data, "decontaminated"))


def test_killed_four_times_a_run_is_resumed_to_the_same_end(tiny, tmp_path):
    """kill -9 in the middle of four stages; the last call ends with the kept ids and scores of a quiet run."""
    data, quiet = tiny
    command = [sys.executable, "-m", "pipeline.cli.main", "run", "tiny", "--json", "--data", str(tmp_path)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    for stage in ("completions", "validated", "student", "samples-after"):
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while not list(tmp_path.glob(f"store/{stage}/*")):
            assert process.poll() is None, f"ended with {process.returncode} before {stage} began"
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    final = here("run", "tiny", "--json", data=tmp_path)
    assert final.code == 0, final.err
    for stage in ("completions", "decontaminated", "samples-after"):
        assert kept_ids(tmp_path, stage) == kept_ids(data, stage), stage
    assert final.json["scores"] == quiet.json["scores"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_exit_with_130_and_the_next_call_goes_on(number, tmp_path):
    command = [sys.executable, "-m", "pipeline.cli.main", "run", "tiny", "--json", "--data", str(tmp_path)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 600
    while not list(tmp_path.glob("store/validated/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert "run the same command again to go on" in err
    (run,) = (tmp_path / "runs").iterdir()
    error = json.loads(out)["error"]
    assert (error["code"], error["kind"], error["run"]) == (130, "Interrupted", run.name)
    assert error["stage"]
    assert json.loads((run / "run.json").read_text())["state"] == "interrupted"
    assert here("run", "tiny", "--until", "distinct", data=tmp_path).code == 0


def test_an_empty_corpus_says_which_stage_dropped_it_and_why(tmp_path):
    result = here("run", "tiny", "quality.min_characters=100000", data=tmp_path)
    assert result.code == 1
    assert "stage quality kept 0 of" in result.err
    assert "too-short" in result.err
    assert re.search(r"hornbook show \S+ quality --dropped too-short", " ".join(result.err.split()))


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounting a tiny disk needs root")
def test_a_full_disk_is_named_and_resumed_once_there_is_room(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this machine does not allow mounting")
    try:
        result = hornbook("run", "tiny", "--until", "decontaminated", "--json", data=disk)
        assert result.code == result.json["error"]["code"] == 1
        assert result.json["error"]["kind"] == "DiskFull"
        assert "no space left" in result.err
        assert "--data FOLDER" in result.err
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        assert hornbook("run", "tiny", "--until", "decontaminated", data=disk).code == 0
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_store_of_a_newer_format_is_refused(tiny, tmp_path):
    data, _ = tiny
    shutil.copytree(data, tmp_path / "data")
    (folder,) = (tmp_path / "data" / "store" / "seeds").iterdir()
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    result = here("run", "tiny", data=tmp_path / "data")
    assert result.code == 1
    assert "has format 99; this version of hornbook reads formats up to" in result.err


def test_the_decontaminated_corpus_knows_what_is_closest_to_each_problem(tiny, monkeypatch):
    from pipeline import walk
    from pipeline.benchmarks.problems import load
    from pipeline.core.plan import PlannedStage
    from pipeline.execution import Execution
    from pipeline.recipe import Recipe
    from pipeline.stages.decontaminated import split
    from pipeline.stages.making import Making
    from pipeline.stages.scores.step import closest
    from pipeline.store.places import places

    data, _ = tiny
    (folder,) = (data / "store" / "decontaminated").iterdir()
    stage = PlannedStage("scores", 2, "", {"decontaminated": folder.name}, {})
    making = Making(walk.named("scores"), stage, Recipe(), Execution(), places(str(data)), log=lambda _: None)
    facts = json.loads((folder / "manifest.json").read_text())["facts"]["closest"]
    whole = load("composed")
    assert facts["composed"]["digest"] == whole.digest
    found = closest([whole], making)
    assert found["composed"]

    def compared(benchmarks, documents, executor):
        asked.extend(benchmarks)
        return anew(benchmarks, documents, executor=executor)

    asked = []
    anew = split.splits
    monkeypatch.setattr(split, "splits", compared)
    assert closest([whole], making) == found
    assert not asked
    other = dataclasses.replace(whole, digest="of other data")
    assert closest([other], making) == found
    part = closest([whole.limited(4)], making)["composed"]
    assert part == {task: found["composed"][task] for task in part}
    assert asked == ["composed", "composed"]
