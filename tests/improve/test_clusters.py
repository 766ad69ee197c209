"""Failures by topic and error, and what follows from them for a round."""

import pytest

from pipeline.improve.clusters import ERRORS, Cluster, error_of, evolutions, weights


@pytest.mark.parametrize(
    ("verdict", "detail", "finish", "error"),
    [
        ("failed", "assert f(1) == 2: expected 2, got 3", "stop", "wrong value"),
        ("failed", "assert f(1): got False", "stop", "wrong value"),
        ("failed", "IndexError: list index out of range (line 2)", "stop", "exception"),
        ("failed", "assert f([]) == 0: ZeroDivisionError: division by zero", "stop", "exception"),
        ("early-exit", "exited with status 1 before it had answered", "stop", "exception"),
        ("syntax-error", "line 3: invalid syntax", "stop", "syntax"),
        ("syntax-error", "line 3: '(' was never closed", "length", "runs on"),
        ("timeout-cpu", "the program used more than 5 CPU s", "stop", "runs on"),
        ("memory", "MemoryError", "stop", "runs on"),
    ],
)
def test_every_failure_has_one_of_four_errors(verdict: str, detail: str, finish: str, error: str) -> None:
    assert error_of(verdict, detail, finish) == error


def failing(branch: str, problems: int, failed: float, **errors: float) -> Cluster:
    return Cluster(branch, problems, failed, dict.fromkeys(ERRORS, 0.0) | errors)


def test_weights_rise_with_the_failure_rate_and_are_smoothed() -> None:
    found = [failing("lists", 10, 9), failing("strings", 10, 1), failing("errors", 1, 1)]
    weighed = weights(found, ["errors", "lists", "numbers", "strings"])
    assert weighed["lists"] > weighed["errors"] > weighed["numbers"] == 1.0 > weighed["strings"] > 0
    # (9 + 2 * 11/21) / 12, over 11/21
    assert weighed["lists"] == pytest.approx((9 + 2 * 11 / 21) / 12 / (11 / 21), abs=1e-4)


@pytest.mark.parametrize("failed", [0.0, 3.0])
def test_where_nothing_or_all_failed_there_is_no_direction(failed: float) -> None:
    found = [failing("lists", 3, failed), failing("strings", 3, failed)]
    assert set(weights(found, ["lists", "strings", "numbers"]).values()) == {1.0}


def test_errors_decide_how_exercises_are_made_harder() -> None:
    raising = {"exception": 8.0}
    assert evolutions([failing("lists", 9, 8, **raising)]) == {"constraint": 1.0, "rare-case": 9.0, "steps": 1.0}
    comparing = {"wrong value": 4.0, "syntax": 9.0, "runs on": 9.0}
    assert evolutions([failing("lists", 30, 22, **comparing)]) == {"constraint": 3.0, "rare-case": 1.0, "steps": 3.0}
