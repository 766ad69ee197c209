"""The sweep of concurrencies: which are tried, which is the best, and what a rate is of."""

from collections.abc import Callable

import pytest

from pipeline.teacher.measuring import Level, best, rate, sweep


def level(concurrency: int, tokens_per_second: float) -> Level:
    return Level(concurrency, 10, 0, 0, 100, 0.0, 1.0, tokens_per_second, few=False)


def answering(rate_of: Callable[[int], float]) -> tuple[list[int], Callable[[int], Level | None]]:
    tried: list[int] = []

    def measured(concurrency: int) -> Level | None:
        tried.append(concurrency)
        return level(concurrency, rate_of(concurrency))

    return tried, measured


def test_it_goes_up_until_more_is_no_better_then_looks_between() -> None:
    tried, measured = answering(lambda concurrency: min(concurrency, 20) * 10.0)
    levels = sweep(measured, 256)
    assert tried == [4, 16, 64, 256, 32, 128]
    assert best({one.concurrency: one for one in levels}).concurrency == 32
    assert [one.concurrency for one in levels] == sorted(tried)


def test_it_never_passes_the_most() -> None:
    tried, measured = answering(float)
    assert max(one.concurrency for one in sweep(measured, 100)) == 100
    assert tried == [4, 16, 64, 100, 50]


def test_it_ends_where_there_is_no_time_or_nothing_left_to_ask() -> None:
    assert sweep(lambda concurrency: None, 256) == []
    assert [one.concurrency for one in sweep(lambda c: level(c, c) if c <= 16 else None, 256)] == [4, 8, 16]


def test_of_those_nearly_as_fast_the_least_in_flight_is_the_best() -> None:
    assert best({16: level(16, 98), 64: level(64, 100), 4: level(4, 50)}).concurrency == 16


@pytest.mark.parametrize("in_flight", [1, 3])
def test_a_rate_leaves_out_the_first_wave(in_flight: int) -> None:
    """Waves of answers, one a second, the first after ten seconds of waiting."""
    waves = [(10.0 + wave, 5) for wave in range(4) for _ in range(in_flight)]
    assert rate(waves, 0.0, in_flight) == (5.0 * in_flight, False)


def test_too_few_answers_make_a_guess() -> None:
    assert rate([], 0.0, 4) == (0.0, True)
    assert rate([(2.0, 10)], 0.0, 4) == (5.0, True)
