"""The training curve, written step by step and read whole."""

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.training import curve
from pipeline.training.curve import POINTS, CurvePoint


def train(path: Path, steps: range, loss: float) -> None:
    for step in steps:
        curve.add(path, {"event": "train", "step": step, "loss": loss, "lr": 0.1, "tokens": 7})


def test_after_a_resume_the_last_line_of_a_step_counts(tmp_path: Path) -> None:
    path = tmp_path / "curve.jsonl"
    train(path, range(1, 6), 2.0)
    train(path, range(4, 7), 1.0)  # killed after step 5, gone on with from the checkpoint of step 3
    assert curve.read(path) == tuple(CurvePoint(step, 2.0 if step < 4 else 1.0, 0.1) for step in range(1, 7))


def test_after_a_resume_the_last_event_of_a_step_counts_too() -> None:
    events = [{"step": 1, "loss": 3.0, "lr": None}, {"step": 2, "loss": 2.5}, {"step": 2, "loss": 2.0}]
    assert curve.curve(events) == (CurvePoint(1, 3.0, None), CurvePoint(2, 2.0, None))


def test_a_line_that_a_kill_has_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "curve.jsonl"
    train(path, range(1, 3), 2.0)
    path.write_text(path.read_text()[:-9])
    assert [point.step for point in curve.read(path)] == [1]


def test_no_file_is_no_curve(tmp_path: Path) -> None:
    assert curve.read(tmp_path / "curve.jsonl") == ()


@given(st.integers(1, 3 * POINTS))
def test_a_long_curve_is_thinned_evenly_with_both_ends(steps: int) -> None:
    found = [point.step for point in curve.curve({"step": step, "loss": 1.0} for step in range(steps))]
    assert len(found) == min(steps, POINTS)
    assert (found[0], found[-1]) == (0, steps - 1)
    gaps = {b - a for a, b in pairwise(found)}
    assert not gaps or (min(gaps) >= 1 and max(gaps) - min(gaps) <= 1)
