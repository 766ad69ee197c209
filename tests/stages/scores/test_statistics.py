from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stages.scores.statistics import (
    crossed_interval,
    holm,
    interval,
    log_fit,
    mcnemar,
    paired_difference,
    pass_at_k,
    wilson,
)


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_k_subsets_with_a_pass(case: tuple[int, int, int]) -> None:
    n, c, k = case
    passed = [True] * c + [False] * (n - c)
    subsets = list(combinations(passed, k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(any(s) for s in subsets) / len(subsets))


def test_pass_at_k_of_too_few_samples_is_an_error_not_one() -> None:
    with pytest.raises(ValueError, match="at least 5 samples a problem, got 2"):
        pass_at_k(2, 0, 5)


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0), (0, 0, 1)])
def test_pass_at_k_refuses_counts_that_cannot_be(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError):
        pass_at_k(n, c, k)


def test_pass_at_1_is_the_mean() -> None:
    assert pass_at_k(200, 37, 1) == pytest.approx(37 / 200)


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=60), st.randoms())
def test_the_interval_contains_the_mean_and_ignores_order(values: list[float], random: object) -> None:
    low, high = interval(values, seed=1, resamples=400)
    mean = sum(values) / len(values)
    assert 0 <= low <= mean + 1e-9
    assert mean - 1e-9 <= high <= 1
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert interval(shuffled, seed=1, resamples=400) == (low, high)


def test_the_interval_of_a_benchmark_is_about_what_the_binomial_says() -> None:
    low, high = interval([1.0] * 82 + [0.0] * 82, seed=0)
    assert low == pytest.approx(0.5 - 1.96 * 0.5 / 164**0.5, abs=0.006)
    assert high == pytest.approx(0.5 + 1.96 * 0.5 / 164**0.5, abs=0.006)


def test_nothing_solved_is_not_known_exactly() -> None:
    low, high = interval([0.0] * 20, seed=0)
    assert low == 0
    assert high == pytest.approx(0.161, abs=0.002)


def test_an_interval_needs_a_problem() -> None:
    with pytest.raises(ValueError, match="at least one"):
        interval([], seed=0)


def test_wilson_agrees_with_its_published_example() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
    low, high = wilson(81, 263)
    assert [low, high] == pytest.approx([0.2553, 0.3662], abs=1e-4)


@pytest.mark.parametrize("total", [1, 7, 100, 164, 500])
def test_none_and_all_passed_have_an_exact_end(total: int) -> None:
    assert wilson(0, total).low == 0.0
    assert wilson(total, total).high == 1.0
    assert 0.0 < wilson(0, total).high < 1.0


def test_mcnemar_is_the_exact_binomial_test() -> None:
    before = [True] * 3 + [False] * 11 + [True] * 5
    after = [False] * 3 + [True] * 11 + [True] * 5
    result = mcnemar(before, after)
    assert (result.gained, result.lost) == (11, 3)
    assert result.p == pytest.approx(0.057373046875)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=40))
def test_mcnemar_is_symmetric_and_a_probability(pairs: list[tuple[bool, bool]]) -> None:
    before, after = [b for b, _ in pairs], [a for _, a in pairs]
    forth, back = mcnemar(before, after), mcnemar(after, before)
    assert forth.p == back.p
    assert 0 < forth.p <= 1
    assert (forth.gained, forth.lost) == (back.lost, back.gained)


@given(st.integers(0, 7), st.integers(0, 7))
def test_mcnemars_p_is_the_share_of_all_ways_to_change_that_are_as_uneven(gained: int, lost: int) -> None:
    before, after = [False] * gained + [True] * lost, [True] * gained + [False] * lost
    ways = list(product((0, 1), repeat=gained + lost))
    as_uneven = [way for way in ways if abs(2 * sum(way) - len(way)) >= abs(gained - lost)]
    assert mcnemar(before, after).p == pytest.approx(len(as_uneven) / len(ways))


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_ends_are_the_rates_from_which_the_share_is_just_196_deviations(case: tuple[int, int]) -> None:
    passed, total = case
    for end in wilson(passed, total):
        distance = (passed / total - end) ** 2
        assert distance == pytest.approx(1.959963984540054**2 * end * (1 - end) / total, abs=1e-9)


def test_mcnemar_without_a_change_says_nothing() -> None:
    assert mcnemar([True, False], [True, False]).p == 1.0


def test_mcnemar_needs_the_same_problems() -> None:
    with pytest.raises(ValueError, match="same problems"):
        mcnemar([True], [])


def rates(*runs: list[float]) -> "np.typing.NDArray[np.float64]":
    return np.array(runs, dtype=np.float64)


def test_the_interval_of_one_run_is_that_over_problems() -> None:
    values = [1.0, 0.0, 0.5] * 10
    assert crossed_interval(rates(values), 0) == interval(values, 0)


def test_runs_that_differ_widen_the_interval_and_equal_ones_do_not() -> None:
    half = [1.0, 0.0] * 40
    equal = crossed_interval(rates(half, half, half), 0)
    apart = crossed_interval(rates([1.0] * 40 + [0.0] * 40, [1.0] * 20 + [0.0] * 60, [1.0] * 60 + [0.0] * 20), 0)
    assert equal == pytest.approx(interval(half, 0), abs=0.02)
    assert apart.high - apart.low > 1.3 * (equal.high - equal.low)


def test_nothing_solved_in_any_run_is_not_known_exactly() -> None:
    assert crossed_interval(rates([0.0] * 20, [0.0] * 20), 0) == wilson(0, 20)


def test_a_paired_difference_is_narrower_than_that_of_two_samples_where_the_same_problems_are_hard() -> None:
    one = [1.0] * 20 + [0.0] * 60
    two = [1.0] * 26 + [0.0] * 54
    found = paired_difference(rates(one), rates(two), 0)
    assert found.value == pytest.approx(6 / 80)
    assert 0 < found.interval.low < found.value < found.interval.high < 0.14
    assert found.p < 0.01
    assert paired_difference(rates(two), rates(one), 0).value == -found.value


def test_recipes_that_nowhere_differ_have_no_difference() -> None:
    same = rates([1.0, 0.0, 1.0])
    assert paired_difference(same, same, 0) == (0.0, (0.0, 0.0), 1.0)


def test_a_paired_difference_is_of_the_same_problems() -> None:
    with pytest.raises(ValueError, match="equal problems on both sides"):
        paired_difference(rates([1.0]), rates([1.0, 0.0]), 0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_an_adjusted_p_is_no_smaller_keeps_the_order_and_is_that_of_bonferroni_at_most(ps: list[float]) -> None:
    adjusted = holm(ps)
    assert all(p <= a <= min(1.0, len(ps) * p) + 1e-12 for p, a in zip(ps, adjusted, strict=True))
    for one, two in combinations(range(len(ps)), 2):
        assert ps[one] > ps[two] or adjusted[one] <= adjusted[two]


def test_holm_of_a_textbooks_case() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_a_fit_finds_the_line_that_the_rates_were_made_of() -> None:
    fit = log_fit([1, 2, 4], [rates([0.1] * 10), rates([0.2] * 10), rates([0.3] * 10)], 0)
    assert fit.at_one == pytest.approx(0.1)
    assert fit.slope == pytest.approx(0.1)
    assert fit.interval == pytest.approx((0.1, 0.1))
    with pytest.raises(ValueError, match="two different xs"):
        log_fit([2, 2], [rates([0.1]), rates([0.2])], 0)
