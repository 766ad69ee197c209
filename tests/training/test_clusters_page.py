"""The examples for clusters on the page of training: they can be parsed, and do what they say with stand-ins."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

PAGE = (Path(__file__).parents[2] / "pipeline" / "training" / "README.md").read_text(encoding="utf-8")


def example(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


STAND_INS = {
    "scontrol": 'test "$1 $2 $3" = "show hostnames node-[3-4]" && printf "node-3\\nnode-4\\n"',
    "srun": 'test "$1" = --kill-on-bad-exit=1 || exit 9\nshift\nfor SLURM_NODEID in 0 1; do export SLURM_NODEID; '
    '"$@" || exit; done',
    "hornbook": 'echo "$HORNBOOK_DATA: $*" >> "$SAID"',
}


def stand_ins(folder: Path) -> dict[str, str]:
    """An environment in which those commands are these; what hornbook is told goes to `folder / "said"`."""
    for name, text in STAND_INS.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "SAID": str(folder / "said")}


def test_the_slurm_script_makes_the_run_on_one_node_and_joins_it_from_the_others(tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text(example("bash"))
    environment = stand_ins(tmp_path) | {"SLURM_JOB_NODELIST": "node-[3-4]", "SLURM_NNODES": "2"}
    done = subprocess.run(["bash", "-eu", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (tmp_path / "said").read_text().splitlines()
    assert first.startswith("/shared/hornbook: run phi-1-small --name small ")
    assert first.endswith("execution.nodes=2 execution.rendezvous=node-3:29400")
    assert second == "/shared/hornbook: join small"


@pytest.mark.parametrize(("index", "said"), [("0", "run phi-1-small --name small"), ("1", "join small")])
def test_the_job_of_kubernetes_makes_the_run_in_one_pod_and_joins_it_from_the_others(
    tmp_path: Path, index: str, said: str
) -> None:
    service, job = yaml.safe_load_all(example("yaml"))
    spec: Any = job["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert spec["completions"] == spec["parallelism"]
    assert f"execution.nodes={spec['completions']} " in container["command"][-1]
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
    # A pod's name in the network is its Job's name and index, in the subdomain that is the headless service's name.
    assert f"rendezvous={job['metadata']['name']}-0.{pod['subdomain']}:" in container["command"][-1]
    assert (service["metadata"]["name"], service["spec"]["clusterIP"]) == (pod["subdomain"], "None")
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    values = {one["name"]: one["value"] for one in container["env"]}
    environment = stand_ins(tmp_path) | values | {"JOB_COMPLETION_INDEX": index}
    subprocess.run(container["command"], env=environment, check=True)
    assert (tmp_path / "said").read_text().startswith(f"/shared/hornbook: {said}")
