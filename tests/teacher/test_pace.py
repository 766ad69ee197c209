import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation import at_random, bucket, simulate, sliding, window

from pipeline.teacher.breaker import Breaker
from pipeline.teacher.limits import rate_that_ran_dry
from pipeline.teacher.pace import UNHEARD, UNHEARD_SECONDS, Pace

STATED = {"x-ratelimit-limit-requests": "1200"}
RATE, ROWS = 20, 300


@pytest.mark.parametrize("latency", [0.005, 0.05])
@pytest.mark.parametrize(
    "headers", [STATED, {}, {"x-ratelimit-limit-requests": "10000000"}], ids=["true", "none", "wrong"]
)
@pytest.mark.parametrize("retry_after", [1.0, None], ids=["retry-after", "not-told"])
@pytest.mark.parametrize(
    "limiter",
    [
        *(functools.partial(bucket, RATE, burst) for burst in (1, 2, 5, 10, 20)),
        *(functools.partial(kind, RATE, 1) for kind in (window, sliding)),
    ],
    ids=["spaced", "bucket-2", "bucket-5", "bucket-10", "bucket-20", "window", "sliding"],
)
def test_a_limit_is_kept_and_used(limiter, headers, latency, retry_after) -> None:  # type: ignore[no-untyped-def]
    burst = limiter.args[1]
    accepts = limiter()
    outcome = simulate(Pace(64), accepts, ROWS, latency=latency, headers=headers, retry_after=retry_after)
    assert outcome.rejections <= 20
    assert outcome.seconds <= 1.3 * ((ROWS - burst) / RATE + latency)


@pytest.mark.parametrize("burst", [1, 5, 20])
def test_a_short_retry_after_makes_no_flood(burst: int) -> None:
    outcome = simulate(Pace(64), bucket(RATE, burst), ROWS, retry_after=0.05)
    assert outcome.rejections <= 20
    assert outcome.seconds <= 1.3 * (ROWS - burst) / RATE


def test_the_ramp_waits_for_no_answer_but_stays_low_until_the_endpoint_could_have_said_no() -> None:
    pace = Pace(256)
    sent: list[float] = []
    now = 0.0
    while len(sent) < 256:
        wait = pace.wait(now, 0.0)
        if wait:
            now += wait
            continue
        pace.started(now, 0.0)
        sent.append(now)
    assert sent[UNHEARD - 1] < 0.05
    assert sent[UNHEARD] >= UNHEARD_SECONDS
    assert sent[-1] < UNHEARD_SECONDS + 0.05


def _left(sent: list[float], burst: float, now: float, rate: float) -> float:
    level, at = 0.0, 0.0
    for time in [*sent, now]:
        level, at = min(burst, level + (time - at) * rate) - 1, time
    return level + 1


@given(rate=st.floats(1, 50), burst=st.integers(1, 30))
def test_the_rate_at_which_a_bucket_ran_dry_is_found(rate: float, burst: int) -> None:
    sent, level, at, now = [], 0.0, 0.0, 0.0
    while True:
        # Asked at 1.5 times the rate after a rest of a second, until a request finds the bucket dry.
        now = (now or 1.0) + 1 / (1.5 * rate)
        level, at = min(burst, level + (now - at) * rate), now
        if level < 1:
            break
        level -= 1
        sent.append(now)
    found = rate_that_ran_dry(sent, 0.0, burst, now, 0.0, 100.0)
    assert found >= rate - 0.01
    assert _left(sent, burst, now, found - 0.01) < 1 <= _left(sent, burst, now, found + 0.01)


def test_a_stated_limit_is_never_rejected_by_a_fair_bucket() -> None:
    assert simulate(Pace(64), bucket(RATE, 16), ROWS, headers=STATED).rejections == 0


def test_a_configured_limit_wins_over_the_stated_one() -> None:
    outcome = simulate(Pace(64, requests_per_minute=600), bucket(RATE, 20), ROWS, headers=STATED)
    assert outcome.rejections == 0
    assert 29 <= outcome.seconds <= 31


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
@pytest.mark.parametrize("most", [64, 256])
def test_rejections_at_random_do_not_stall_the_run(share: float, most: int) -> None:
    assert simulate(Pace(most), at_random(share), 2000).seconds < 30


def test_a_fast_limiter_is_learned() -> None:
    outcome = simulate(Pace(64), bucket(500, 500), 10_000)
    assert outcome.seconds <= 1.1 * 9_500 / 500
    assert outcome.rejections <= 100


def test_without_a_limit_concurrency_rises_to_the_most() -> None:
    pace = Pace(256)
    simulate(pace, lambda now: True, 3000)
    assert pace.concurrency == 256


def test_overload_lowers_concurrency_once_per_round_and_never_below_the_floor() -> None:
    pace = Pace(64)
    pace.concurrency = 64
    for _ in range(10):
        pace.overloaded(now=2.0, started=1.0)
    assert pace.concurrency == pytest.approx(44.8)
    for number in range(50):
        pace.overloaded(now=4.0 + number, started=3.5 + number)
    assert pace.concurrency == pace.floor == 4


def test_tokens_a_minute_are_kept() -> None:
    pace = Pace(64, tokens_per_minute=6000)
    now, sent = 0.0, 0
    while now < 30:
        wait = pace.wait(now, 50)
        if wait:
            now += wait
            continue
        pace.started(now, 50)
        pace.ended()
        pace.succeeded(now, now, 50, 50, 25)
        sent += 50
    assert 2800 <= sent <= 3100


def test_remaining_zero_pauses_until_the_reset() -> None:
    pace = Pace(64)
    pace.read_headers(10.0, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2s"})
    assert pace.wait(10.0, 0) == pytest.approx(60.0)


def test_a_breaker_opens_probes_and_closes() -> None:
    breaker = Breaker()
    for _ in range(Breaker.FAILURES):
        assert breaker.wait(0.0) == 0.0
        breaker.started()
        breaker.failed(0.0)
    assert breaker.wait(0.0) == 1.0
    assert breaker.wait(1.0) == 0.0
    breaker.started()
    assert breaker.wait(1.0) == float("inf")
    breaker.failed(1.0)
    assert breaker.wait(1.0) == 2.0
    breaker.started()
    breaker.succeeded()
    assert breaker.wait(3.0) == 0.0
