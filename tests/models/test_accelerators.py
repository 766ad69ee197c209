"""The shipped kinds of GPUs."""

import pytest

from pipeline.core.errors import UsageError
from pipeline.models.accelerators import A100, accelerator, accelerators


def test_every_kind_says_its_peak_its_memory_and_where_both_come_from() -> None:
    for kind in accelerators().values():
        assert 50e12 < kind.flops < 5e15, kind.kind
        assert 15e9 < kind.memory_bytes < 300e9, kind.kind
        assert 0.2 < kind.mfu < 0.7, kind.kind
        assert kind.mfu_from, kind.kind
        assert kind.source, kind.kind


def test_a_kind_is_found_in_any_case_and_a_wrong_one_names_the_nearest() -> None:
    assert accelerator("A100") == accelerators()[A100]
    with pytest.raises(UsageError, match="--kind = 'h10' is not known") as caught:
        accelerator("h10")
    assert "did you mean 'h100'?" in str(caught.value.hint)
