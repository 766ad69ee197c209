"""What `hornbook plan --gpus N --kind KIND` says of training on a machine, and of disk."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import main
from pipeline.models.accelerators import accelerator
from pipeline.models.architectures import PhaseCost, StudentCost
from pipeline.recipe import StudentTable
from pipeline.recipe_text import load
from pipeline.run.costs import estimate, table
from pipeline.run.machine import LOGITS, Machine, Phase, lines, times, trained
from pipeline.run.space import checkpoint_bytes
from pipeline.stages.student.objective import CHUNK_LOGITS
from pipeline.store.places import places

A100 = accelerator("a100")


def phi_1(folder: Path, machine: Machine | None, *overrides: str) -> dict[str, Any]:
    return estimate(load("phi-1", overrides), places(str(folder)), machine=machine)


def test_phi_1_on_eight_a100s_takes_what_the_paper_says(tmp_path: Path) -> None:
    """Gunasekar et al. 2023: phi-1-base in 770 GPU-hours, under 4 days on 8 A100s, and 7 more hours of fine-tuning."""
    found = phi_1(tmp_path, Machine(A100, 8))["machine"]
    pretraining, fine_tuning = found["phases"]
    assert abs(found["gpu_hours"] - 770) < 0.2 * 770
    assert abs(pretraining["gpu_hours"] - 770) < 0.05 * 770
    assert pretraining["hours"] < 4 * 24
    assert fine_tuning["hours"] == pytest.approx(7, rel=0.2)
    assert found["hours"] == pytest.approx(pretraining["hours"] + fine_tuning["hours"], abs=1e-3)
    assert "770 A100-hours" in found["mfu_from"]


def test_hours_fall_with_devices_their_peak_and_their_share_of_it() -> None:
    work = [Phase("a", 1000, 1e20), Phase("a", 1000, 1e20)]  # two phases may have one name
    one = times(Machine(A100, 1), 0.5, "", work)
    assert one["hours"] == pytest.approx(2e20 / 312e12 / 0.5 / 3600, rel=1e-4)
    four = times(Machine(A100, 4), 0.5, "", work)
    assert four["hours"] == pytest.approx(one["hours"] / 4, rel=1e-4)
    assert four["gpu_hours"] == pytest.approx(one["gpu_hours"], rel=1e-4)
    assert times(Machine(accelerator("h100"), 1), 0.25, "", work)["hours"] == pytest.approx(
        one["hours"] * 2 * 312 / 989, rel=1e-4
    )


def cost(rows: int = 64, micro: int = 8) -> StudentCost:
    return StudentCost(1_000_000_000, 20, 1024, 50_000, 2048, (PhaseCost("one", 10**9, 1e19, rows, micro),))


def test_split_states_are_shared_by_the_devices_and_whole_ones_are_not() -> None:
    memory = trained(cost(), StudentTable(precision="bf16"), Machine(A100, 8))["memory"]
    whole, split = memory["ddp"], memory["fsdp"]
    assert (whole["weights"], whole["gradients"], whole["optimizer"]) == (4 * 10**9, 4 * 10**9, 8 * 10**9)
    assert (split["weights"], split["gradients"], split["optimizer"]) == (10**9 // 2, 10**9 // 2, 10**9)
    assert whole["gathered"] == 0 < split["gathered"] < 4 * 10**9
    assert whole["activations"] == split["activations"] == 34 * 20 * 1024 * 8 * 2048
    for one in (whole, split):
        assert one["bytes"] == sum(size for name, size in one.items() if name not in ("bytes", "fits"))
    assert trained(cost(), StudentTable(), Machine(A100, 1))["memory"]["fsdp"] is None


def test_an_average_of_the_weights_and_wide_numbers_take_more() -> None:
    def whole(**settings: Any) -> dict[str, int]:
        memory: dict[str, int] = trained(cost(), StudentTable(**settings), Machine(A100, 1))["memory"]["ddp"]
        return memory

    narrow, wide = whole(precision="bf16"), whole(precision="fp32")
    assert wide["activations"] == 2 * narrow["activations"]
    assert (narrow["copies"], wide["copies"]) == (2 * 10**9, 0)
    assert whole(precision="bf16", ema=0.99)["bytes"] == narrow["bytes"] + 4 * 10**9


def test_a_device_holds_no_more_rows_than_its_share_of_a_step() -> None:
    memory = trained(cost(rows=16, micro=8), StudentTable(), Machine(A100, 8))["memory"]
    assert memory["ddp"]["activations"] == 2 * 34 * 20 * 1024 * 2 * 2048
    whole_batch = trained(cost(rows=16, micro=0), StudentTable(), Machine(A100, 1))["memory"]
    assert whole_batch["ddp"]["activations"] == 2 * 34 * 20 * 1024 * 16 * 2048


def test_what_does_not_fit_says_so_and_what_to_change(tmp_path: Path) -> None:
    small = phi_1(tmp_path, Machine(accelerator("l4"), 1))["machine"]
    assert not small["memory"]["ddp"]["fits"]
    assert "that does not fit: set a smaller micro_batch" in "\n".join(lines(small))
    assert "does not fit" not in "\n".join(lines(phi_1(tmp_path, Machine(A100, 8))["machine"]))


def test_a_chunk_of_logits_is_that_of_training() -> None:
    assert LOGITS == 2 * 4 * CHUNK_LOGITS


def test_disk_has_the_checkpoints_the_model_and_the_tokens(tmp_path: Path) -> None:
    estimated = phi_1(tmp_path, None, "student.keep=last")
    found, parameters = estimated["disk"], estimated["student"]["parameters"]
    assert estimated["machine"] is None
    assert found["checkpoint"] == 12 * parameters
    assert found["checkpoints"] == 3 * found["checkpoint"]
    assert found["model"] == 4 * parameters
    assert found["bytes"] == sum(size for name, size in found.items() if name not in ("bytes", "checkpoint"))
    assert checkpoint_bytes(10, StudentTable(ema=0.9)) == 160
    averaged = phi_1(tmp_path, None, "student.ema=0.99", "student.keep=best", "student.held_out_steps=500")["disk"]
    assert averaged["checkpoints"] == 3 * 16 * parameters + 4 * parameters


def test_teachers_cost_half_in_batches_whatever_the_recipe_asks_for(tmp_path: Path) -> None:
    batched, online = (phi_1(tmp_path, None, f"teachers.gpt.mode={mode}") for mode in ("batch", "online"))
    for found in (batched, online):
        assert found["teacher"]["usd_online"] == pytest.approx(2 * found["teacher"]["usd_batch"], rel=1e-6)
    assert batched["teacher"]["usd"] == batched["teacher"]["usd_batch"]
    assert online["teacher"]["usd"] == online["teacher"]["usd_online"]
    assert 'with mode = "batch"' in table(batched)


def test_the_command_takes_gpus_kind_and_a_measured_share(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["plan", "tiny", "--gpus", "2", "--kind", "h200", "--mfu", "0.3", "--json", "--data", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        main(given)
    found = json.loads(capsys.readouterr().out)["machine"]
    assert ended.value.code == 0
    assert (found["gpus"], found["kind"], found["mfu"], found["mfu_from"]) == (2, "h200", 0.3, "--mfu")


def test_a_plan_of_images_knows_machines_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.run import image_costs

    networks = [{"stage": "labelled", "images": 100, "flops": 1e15}]
    found = image_costs._trained(networks, Machine(A100, 8))
    assert (found["gpus"], found["mfu"]) == (1, image_costs.MFU)
    assert found["hours"] == pytest.approx(1e15 / 312e12 / image_costs.MFU / 3600, abs=1e-4)
