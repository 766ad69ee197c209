"""Learning rates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.recipe import PhaseTable
from pipeline.training.schedule import learning_rate


@given(
    total=st.integers(1, 200),
    warmup=st.integers(0, 50),
    ratio=st.floats(0, 1),
    schedule=st.sampled_from(["cosine", "linear", "constant"]),
)
def test_rates_rise_to_the_peak_and_then_never_rise(total: int, warmup: int, ratio: float, schedule: str) -> None:
    phase = PhaseTable(lr=1.0, warmup_steps=warmup, min_lr_ratio=ratio, schedule=schedule)  # type: ignore[arg-type]
    rates = [learning_rate(phase, step, total) for step in range(total)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(1.0)
    assert peak == min(warmup, total - 1)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert all(0 < rate <= 1 for rate in rates)


def test_the_decay_ends_near_its_floor() -> None:
    phase = PhaseTable(lr=1.0, warmup_steps=0, min_lr_ratio=0.1, schedule="linear")
    assert learning_rate(phase, 99, 100) == pytest.approx(0.1 + 0.9 / 100)
