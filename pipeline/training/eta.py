"""How long training will still take."""

from collections.abc import Sequence


class Eta:
    """Seconds to the last step, from what this process has measured: checkpoints and measuring on held-out rows count.

    work: number of steps of each phase, and passes of each of its steps, which take equally long. started: steps that
    earlier processes made. clock: time at which this one began, seconds.
    """

    LEAST_STEPS = 3
    """Steps before there is an estimate: the first ones compile, allocate and read."""

    def __init__(self, work: Sequence[tuple[int, int]], started: int, clock: float) -> None:
        self._work = work
        self._started = started
        self._clock = clock

    def __call__(self, done: int, clock: float) -> float | None:
        """After `done` steps of all, at `clock`; None where it cannot be told yet."""
        made = self._passes(done) - self._passes(self._started)
        if done - self._started < self.LEAST_STEPS or made <= 0:
            return None
        left = sum(steps * passes for steps, passes in self._work) - self._passes(done)
        return round((clock - self._clock) / made * left, 1)

    def _passes(self, done: int) -> int:
        """Passes of the first `done` steps."""
        total = 0
        for steps, passes in self._work:
            here = min(done, steps)
            total, done = total + here * passes, done - here
        return total
