"""A student trained by more than the run's own process: by torchrun that the run starts, by a second machine, by a
cluster's launcher. Each is compared with the student of one process."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from shapes_held import hold
from walk_command import here, hornbook

from pipeline.stages.student import job as jobs

TWO = ["execution.threads=1", "execution.processes=2", "execution.parallel=fsdp"]
MORE_STEPS = "student.phases.0.steps=40"


def untrained(tiny, folder):
    """A copy of the finished run, as if its student were still to be made; with what was made of it."""
    data, _ = tiny
    shutil.copytree(data, folder / "data")
    for stage in ("student", "samples-after", "scores"):
        shutil.rmtree(folder / "data" / "store" / stage)
    (student,) = (data / "store" / "student").iterdir()
    return folder / "data", student


def artifact(data):
    (found,) = [one for one in (data / "store" / "student").iterdir() if (one / "manifest.json").is_file()]
    return found


def facts(student):
    return json.loads((student / "manifest.json").read_text())["facts"]


def alike(one, other):
    ours, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (one, other))
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-2, atol=1e-2)


def partial(data):
    return next(iter((data / "store").glob("student/*.partial")), None)


def test_two_processes_train_the_student_of_one(tiny, tmp_path):
    data, alone = untrained(tiny, tmp_path)
    made = hornbook("run", "tiny", *TWO, "--until", "student", "--json", data=data)
    assert made.code == 0, made.err
    together = artifact(data)
    assert together.name == alone.name, "execution settings never enter a key"
    alike(together, alone)
    curves = [[point["loss"] for point in facts(one)["curve"]] for one in (together, alone)]
    assert len(curves[0]) == 8
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)
    assert facts(together)["held_out_loss"] == pytest.approx(facts(alone)["held_out_loss"], rel=1e-3)
    assert made.json["run"]
    assert "Warning" not in made.err
    assert partial(data) is None
    assert not (together / jobs.FILE).exists()


def test_what_a_clusters_launcher_trained_is_adopted_and_the_run_goes_on(tiny, tmp_path):
    data, alone = untrained(tiny, tmp_path)
    out = tmp_path / "out"
    shutil.copytree(alone / "model", out / "model")
    (out / "curve.jsonl").write_text('{"step": 1, "loss": 6.5, "lr": 0.001}\n')
    wrong = here("adopt", "LATEST", out, "student.seed=3", data=data)
    assert wrong.code == 2
    assert "'student.seed=3' would make another run" in wrong.err
    absent = here("adopt", "LATEST", tmp_path, data=data)
    assert absent.code == 2
    assert "holds no finished training" in absent.err
    said = json.loads((out / "model" / "training.json").read_text())
    said["settings"]["student"]["phases"][0]["lr"] = 0.5
    (tmp_path / "other" / "model").mkdir(parents=True)
    (tmp_path / "other" / "model" / "training.json").write_text(json.dumps(said))
    other = here("adopt", "LATEST", tmp_path / "other", data=data)
    assert other.code == 2
    assert "student.phases.0.lr = 0.5 there, 0.001 in the run" in other.err
    done = here("adopt", "LATEST", out, "execution.threads=1", "--json", data=data)
    assert done.code == 0, done.err
    hold("adopt", done.json)
    assert [score["benchmark"] for score in done.json["scores"]] == ["composed"]
    assert facts(artifact(data))["curve"] == [{"step": 1, "loss": 6.5, "lr": 0.001}]
    assert (out / "model").is_dir(), "the cluster's folder is left as it is"
    again = here("adopt", "LATEST", out, data=data)
    assert again.code == 2
    assert "has its student already" in again.err


def started(*arguments, data):
    command = [sys.executable, "-m", "pipeline.cli.main", *map(str, arguments), "--data", str(data)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def training(process, data):
    """(process id, rank) of those that train, once they have written a checkpoint."""
    while not (folder := partial(data)) or not list(folder.glob("checkpoints/step-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            rank = re.search(rb"(?:^|\0)RANK=(\d+)", (entry / "environ").read_bytes())
            if str(folder).encode() in (entry / "cmdline").read_bytes() and rank:
                found[int(entry.name)] = int(rank[1])
    return found


@pytest.mark.slow
def test_a_process_that_is_killed_is_named_and_the_next_call_goes_on(tiny, tmp_path):
    data, _ = untrained(tiny, tmp_path)
    run = ["run", "tiny", MORE_STEPS, "--name", "killed", *TWO]
    process = started(*run, "execution.checkpoint_seconds=0.2", data=data)
    ranks = training(process, data)
    assert sorted(ranks.values()) == [0, 1]
    os.kill(next(pid for pid, rank in ranks.items() if rank == 1), signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "process 1 of the training was ended by SIGKILL" in err
    assert "run the same command again: it goes on from step" in err
    going_on = hornbook(*run, "--json", data=data)
    assert going_on.code == 0, going_on.err
    whole = artifact(data)
    events = (data / "runs" / "killed" / "events.jsonl").read_text().splitlines()
    resumed = [event for event in map(json.loads, events) if event["event"] == "resume"]
    assert [0 < event["step"] < 40 for event in resumed] == [True]
    assert [point["step"] for point in facts(whole)["curve"]] == list(range(1, 41))
    assert "<svg" in (data / "runs" / "killed" / "report.html").read_text()
    score = hornbook("show", "killed", "scores", "-n", "1", "--json", data=data).json
    traced = hornbook("trace", "killed", json.loads(json.dumps(score))["records"][0]["id"], data=data)
    assert traced.code == 0, traced.err
    assert "checkpoint" in traced.out
    alone = hornbook("run", "tiny", MORE_STEPS, "--name", "alone", "--fresh", "student", "--until", "student",
                     "execution.threads=1", data=data)  # fmt: skip
    assert alone.code == 0, alone.err
    (other,) = [one for one in (data / "store" / "student").iterdir() if one.name != whole.name]
    alike(whole, other)


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_no_process_behind(tiny, tmp_path):
    data, _ = untrained(tiny, tmp_path)
    process = started("run", "tiny", MORE_STEPS, *TWO, "execution.checkpoint_seconds=0.2", data=data)
    ranks = training(process, data)
    assert sorted(ranks.values()) == [0, 1]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    while ranks and any(Path(f"/proc/{pid}").exists() for pid in ranks):
        time.sleep(0.1)


@pytest.mark.slow
def test_two_machines_of_two_processes_train_one_student(tiny, tmp_path):
    """Both are this one, as two agents of torchrun that meet at a port."""
    data, alone = untrained(tiny, tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    joined = started("join", "LATEST", "--json", data=data)
    nodes = ["execution.nodes=2", f"execution.rendezvous=127.0.0.1:{port}"]
    made = hornbook("run", "tiny", *TWO, *nodes, "--until", "student", data=data)
    assert made.code == 0, made.err
    out, err = joined.communicate(timeout=120)
    assert joined.returncode == 0, err
    hold("join", json.loads(out))
    assert "2 processes of this machine train" in err
    alike(artifact(data), alone)
