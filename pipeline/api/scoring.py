"""A benchmark's score of anything that answers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from pipeline.benchmarks import problems
from pipeline.evaluation.api import result_of
from pipeline.execution import Execution
from pipeline.recipe_evaluation import EvaluationTable
from pipeline.sandbox import Limits, Sandbox
from pipeline.stages.samples.models import Answered, Ask
from pipeline.stages.samples.stage import sample
from pipeline.stages.scores.results import Result


class _Called:
    """A function as a model that answers prompts."""

    def __init__(self, answer: Callable[[str], str]) -> None:
        self._answer = answer

    @property
    def checkpoint(self) -> str:
        """None: nobody knows what a function has in it."""
        return ""

    def answers(self, prompts: Sequence[str], ask: Ask, seeds: Sequence[int]) -> Iterator[Answered]:
        for index, prompt in enumerate(prompts):
            yield Answered(index, self._answer(prompt), "stop", 0)


def evaluate(
    answer: Callable[[str], str],
    benchmark: str = "humaneval",
    *,
    limit: int = 0,
    workers: int = 0,
    cpu_seconds: float = 10.0,
    sandbox: Literal["strong", "weak"] = "strong",
    name: str = "",
) -> Result:
    """pass@1 of `answer` on a benchmark.

    answer: given a problem's prompt (signature and docstring), returns what completes it; it is called once a problem,
    and what is written after the function's body is cut off, as of any model. limit: first n problems, 0 for all; the
    result then says that it is partial. workers: processes of the sandbox, 0 for one a core. Programs run in the
    sandbox alone. Raises HornbookError for a benchmark that is not there and a sandbox that cannot be had.
    """
    problem_set = problems.load(benchmark)
    table = EvaluationTable(benchmarks=(benchmark,), limit=limit, cpu_seconds=cpu_seconds)
    execution = Execution(workers=workers, sandbox=sandbox)
    called = name or getattr(answer, "__name__", type(answer).__name__)
    samples = list(
        sample([problem_set], _Called(answer), table, model_name=called, checkpoint=called, seed=0, execution=execution)
    )
    limits = Limits(cpu_seconds=table.cpu_seconds, memory_mb=table.memory_mb)
    with Sandbox(limits, workers=execution.worker_count(), mode=execution.sandbox) as box:
        result, _ = result_of(problem_set, samples, box)
    return replace(result, model=called)
