from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from pipeline.benchmarks import problems
from pipeline.core.records import Problem, Sample
from pipeline.sandbox import Program, Sandbox, Verdict
from pipeline.stages.scores.results import summarise
from pipeline.stages.scores.stage import judge, program_source, references, score

TWICE = Problem(
    benchmark="mine",
    task_id="Mine/0",
    prompt='def twice(x):\n    """Double."""\n',
    entry_point="twice",
    test="def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(-3) == -6\n",
    canonical_solution="    return 2 * x\n",
)


def answer(completion: str, problem: Problem = TWICE, number: int = 0, *, whole: bool = False) -> Sample:
    return Sample(
        problem_id=problem.id,
        benchmark=problem.benchmark,
        task_id=problem.task_id,
        model="m",
        checkpoint="c",
        raw=completion,
        completion=completion,
        number=number,
        whole=whole,
    )


class Counting:
    """Stands in for the sandbox: every program passes, and it is remembered which were run."""

    def __init__(self, verdict: str = "passed") -> None:
        self.programs: list[Program] = []
        self.verdict = verdict

    def run(self, programs: Iterable[Program]) -> Iterator[Verdict]:
        for program in programs:
            self.programs.append(program)
            yield Verdict(program.id, self.verdict, "why")  # type: ignore[arg-type]


def test_a_completion_is_joined_to_the_prompt_as_it_is() -> None:
    assert program_source(TWICE, answer("    return 2 * x")) == TWICE.prompt + "    return 2 * x\n"
    assert program_source(TWICE, answer("twice = 3", whole=True)) == "twice = 3\n"
    prelude = replace(TWICE, prelude="import math")
    assert program_source(prelude, answer("    pass", prelude)).startswith("import math\ndef twice")


def test_equal_programs_run_once_and_every_sample_has_a_score() -> None:
    fake = Counting()
    samples = [
        answer("    return 1\n", number=0),
        answer("    return 2\n", number=1),
        answer("    return 1\n", number=2),
    ]
    scores = list(score(samples, [TWICE], fake))  # type: ignore[arg-type]
    assert len(fake.programs) == 2
    assert [s.sample_id for s in scores] == [s.id for s in samples]
    assert all(s.passed for s in scores)


def test_an_infrastructure_verdict_is_unscored_not_wrong() -> None:
    scores = list(score([answer("    return 1\n")], [TWICE], Counting("infrastructure")))  # type: ignore[arg-type]
    assert scores[0].passed is None
    assert scores[0].verdict == "infrastructure"


def test_a_sample_of_other_data_is_refused() -> None:
    changed = replace(TWICE, test="def check(candidate):\n    pass\n")
    with pytest.raises(ValueError, match="not scored here"):
        list(score([answer("    return 1\n")], [changed], Counting()))  # type: ignore[arg-type]


RIGHT = ["    return 2 * x", "    return x + x\n\n\nprint('done')\n", "\n    # note\n    return x * 2\n"]
WRONG = {
    "wrong": "    return x\n",
    "empty": "",
    "syntax": "    return (\n",
    "null": "    return 2 * x\x00\n",
    "surrogate": "    return '\ud800'\n",
    "exit": "    import os\n    os._exit(0)\n",
    "system-exit": "    return 2 * x\n\nraise SystemExit(0)\n",
    "equals-everything": "    class A:\n        def __eq__(self, other):\n            return True\n    return A()\n",
    "int-that-equals": (
        "    class Any(int):\n        def __eq__(self, other):\n            return True\n"
        "        __hash__ = int.__hash__\n    return Any(0)\n"
    ),
    "check-replaced": "    return 0\n\ndef check(candidate):\n    pass\n",
    "assert-replaced": "    return 0\n\nimport builtins\nbuiltins.AssertionError = type(None)\n",
    "unclosed-string": '    return 0\n\nx = """',
    "deep": "    return " + "(" * 500 + "x" + ")" * 500 + "\n",
}


@pytest.mark.parametrize("completion", RIGHT)
def test_right_answers_pass(sandbox: Sandbox, completion: str) -> None:
    assert next(score([answer(completion)], [TWICE], sandbox)).passed


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_and_cheating_answers_fail(sandbox: Sandbox, kind: str) -> None:
    judged = next(judge([answer(WRONG[kind])], [TWICE], sandbox))
    assert judged.score.passed is False, judged.verdict


def test_references_score_everything_and_empty_answers_nothing(sandbox: Sandbox) -> None:
    own = problems.load("understanding")
    right = summarise(score(references(own.problems), own.problems, sandbox), own)
    assert right.estimate.pass_at_k == {1: 1.0}
    assert right.partial == ""
    wrong = summarise(score((answer("    return ...\n", p) for p in own.problems), own.problems, sandbox), own)
    assert wrong.estimate.pass_at_k == {1: 0.0}
