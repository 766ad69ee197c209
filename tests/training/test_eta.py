"""How long training will still take, where steps take as long as they have passes."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.training.eta import Eta

phases = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 9)), min_size=1, max_size=3)


@given(phases, st.floats(0.001, 100), st.data())
def test_steps_that_take_what_their_passes_do_give_the_exact_time_left(work, each, data):
    durations = [passes * each for steps, passes in work for _ in range(steps)]
    started = data.draw(st.integers(0, len(durations)))
    eta, clock = Eta(work, started, 0.0), 0.0
    for place in range(started, len(durations)):
        clock += durations[place]
        left = eta(place + 1, clock)
        if place + 1 - started < Eta.LEAST_STEPS:
            assert left is None
        else:
            true = sum(durations[place + 1 :])
            assert abs(left - true) <= 0.06 + 1e-6 * true


def test_what_comes_between_steps_counts():
    eta = Eta([(10, 1)], 0, 100.0)
    assert eta(5, 100.0 + 5 * 2 + 10) == 20.0
    assert eta(10, 130.0) == 0.0


def test_a_resumed_process_counts_from_where_it_began():
    eta = Eta([(100, 1)], 50, 0.0)
    assert eta(52, 2.0) is None
    assert eta(60, 20.0) == 80.0
