"""The validated stage: what is kept, why the rest is dropped, and the law that nothing is lost."""

import pickle
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import SandboxUnavailable
from pipeline.core.records import Document, Exercise, Passage
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.recipe import ValidatedTable
from pipeline.sandbox import Program, Sandbox, Verdict
from pipeline.sandbox.types import VERDICTS
from pipeline.stages.validated.stage import REASON_OF, Validate, ValidateBlocks, limits_of
from pipeline.stages.validated.step import STEP

TABLE = ValidatedTable(cpu_seconds=1.0)
PROMPT = 'def f(x):\n    """Double x.\n\n    >>> f(2)\n    4\n    """\n'


def exercise(solution: str = "    return x * 2\n", test: str = "assert f(3) == 6\n", prompt: str = PROMPT) -> Exercise:
    return Exercise(prompt=prompt, solution=solution, entry_point="f", test=test, test_owner="teacher")


DOCUMENTED = '''def double(x):
    """Twice x.

    >>> double(2)
    {}
    """
    return 2 * x
'''


def passage(text: str, *, teacher: bool = True) -> Passage:
    return Passage(text=text, completion_id="c" if teacher else "", origin="" if teacher else "a.py")


CASES: list[tuple[Document, str]] = [
    (exercise(), ""),
    (exercise(test=""), "no-test"),
    (exercise(test="f(3)\n"), "no-test"),
    (exercise(test="if f(3) != 6:\n    raise AssertionError\n"), ""),
    (exercise(test="assert (f(3) == 7, 'wrong')\n"), "no-test"),
    (exercise(test="for x in []:\n    assert f(x) == 7\n"), "no-test"),
    (exercise(test="try:\n    assert f(3) == 7\nexcept AssertionError:\n    print('wrong')\n"), "test-failed"),
    (exercise(test="class TestF:\n    def test_f(self):\n        assert f(3) == 7\n"), "test-failed"),
    (exercise(solution="    return x * 3\n"), "test-failed"),
    (exercise(prompt=PROMPT.replace("4", "5")), "test-failed"),
    (exercise(solution="    return (\n"), "syntax-error"),
    (exercise(solution="    import os\n    os._exit(0)\n"), "crash"),
    (exercise(solution="    import statistics\n    return statistics.NormalDist(x)\n"), "uncomparable"),
    (passage("Prose.\n\n```python\nx = 1\n```\n\n```python\n>>> x + 1\n2\n```\n"), ""),
    (passage("Prose.\n\n```python\nx = 1\n```\n\n```python\n>>> x + 1\n3\n```\n"), "test-failed"),
    (passage(f"```python\n{DOCUMENTED.format(4)}```\n\n```python\ndouble(3)\n```\n"), ""),
    (passage(f"```python\n{DOCUMENTED.format(5)}```\n"), "test-failed"),
    (passage("Prose.\n\n```python\nprint(undefined)\n```\n"), "test-failed"),
    (passage("Prose.\n\n```python\nx = (\n```\n"), "syntax-error"),
    (passage("Prose alone.\n"), ""),
    (passage("import os\nos._exit(1)\n", teacher=False), ""),
    (passage("import os\nos._exit(1\n", teacher=False), "syntax-error"),
]


@pytest.fixture(scope="module")
def stage() -> Iterator[Validate]:
    with Sandbox(limits_of(TABLE)) as sandbox:
        yield Validate(TABLE, sandbox)


def run(stage: Validate, records: list[Document]) -> list[tuple[Document, str]]:
    tally = Tally()
    outcomes = [(o.record, o.reason if isinstance(o, Dropped) else "") for o in checked(stage, records, tally)]
    assert tally.balanced
    return outcomes  # type: ignore[return-value]


def test_each_document_has_its_outcome_in_order(stage: Validate) -> None:
    assert run(stage, [record for record, _ in CASES]) == CASES


def test_a_block_that_has_travelled_has_the_same_outcomes(stage: Validate) -> None:
    records = [record for record, _ in CASES]
    elsewhere = pickle.loads(pickle.dumps(ValidateBlocks(TABLE, "strong")))
    assert list(checked(elsewhere, records, Tally())) == list(checked(stage, records, Tally()))


def test_a_program_that_never_ends_is_dropped_as_timeout(stage: Validate) -> None:
    assert run(stage, [exercise(solution="    while True:\n        pass\n")])[0][1] == "timeout"


@given(st.lists(st.sampled_from(range(len(CASES))), max_size=8))
@settings(max_examples=8, deadline=None)
def test_outcomes_do_not_depend_on_order_or_company(stage: Validate, places: list[int]) -> None:
    assert run(stage, [CASES[i][0] for i in places]) == [CASES[i] for i in places]


def test_a_drop_shows_the_value_expected_and_the_value_got(stage: Validate) -> None:
    (outcome,) = stage([exercise(prompt=PROMPT.replace("4", "5"))])
    assert isinstance(outcome, Dropped)
    assert outcome.detail == "example: f(2): expected 5, got 4"
    (outcome,) = stage([exercise(solution="    return x * 3 if x != 2 else 4\n")])
    assert isinstance(outcome, Dropped)
    assert outcome.detail == "assert f(3) == 6: expected 6, got 9"


def test_an_exercise_without_a_test_is_kept_where_the_recipe_allows_it() -> None:
    lenient = Validate(ValidatedTable(require_test=False), Sandbox())
    assert [type(o) for o in lenient([exercise(test=""), exercise(test="", solution="    return 1\n")])] == [
        Kept,
        Dropped,
    ]


class Outage:
    """Stands in for a sandbox that can judge `judged` programs and then no other."""

    is_open = True

    def __init__(self, judged: int) -> None:
        self.judged = judged

    def run(self, programs: Iterable[Program]) -> Iterator[Verdict]:
        for number, program in enumerate(programs):
            yield Verdict(program.id, "passed" if number < self.judged else "infrastructure", "no process can start")


def test_a_sandbox_that_cannot_judge_stops_the_stage_and_says_nothing_of_the_record() -> None:
    outcomes = Validate(TABLE, Outage(judged=1))([exercise(), exercise(test="assert f(4) == 8\n")])  # type: ignore[arg-type]
    assert isinstance(next(outcomes), Kept)
    with pytest.raises(SandboxUnavailable, match="could not judge exercise .*: no process can start") as error:
        next(outcomes)
    assert error.value.hint == "run `hornbook doctor`; the run can be resumed"


def test_every_verdict_but_passed_and_an_outage_has_a_reason_of_the_stage() -> None:
    assert set(REASON_OF) == VERDICTS - {"passed", "infrastructure"}
    assert set(REASON_OF.values()) <= set(STEP.reasons)


RUN = "Prose.\n\n```py3\nx = 1\n```\n\n~~~pycon\n>>> x\n1\n~~~\n"


def test_a_passage_says_how_much_of_it_was_executed(stage: Validate) -> None:
    texts = [RUN, "Prose alone.\n", "Sorted:\n\n```\napple\npear\n```\n", "```bash\nls\n```\n"]
    kept = [outcome.record for outcome in stage([passage(text) for text in texts])]
    assert [record.executed for record in kept if isinstance(record, Passage)] == [2, 0, 0, 0]
    assert [record.id for record in kept] == [passage(text).id for text in texts]
    (real,) = stage([passage("x = 1\n", teacher=False)])
    assert isinstance(real.record, Passage)
    assert real.record.executed == 0


def test_the_recipe_decides_what_becomes_of_passages_that_were_not_executed() -> None:
    strict = Validate(ValidatedTable(unexecuted="drop"), Sandbox())
    records = [passage(RUN), passage("```\napple\n```\n"), passage("x = 1\n", teacher=False)]
    kept, dropped, real = strict(records)
    assert isinstance(kept, Kept)
    assert isinstance(real, Kept)
    assert isinstance(dropped, Dropped)
    assert (dropped.reason, dropped.detail) == ("not-executed", "0 of 1 blocks are Python, at least 1 is required")


@pytest.mark.parametrize(
    "info", ["py3", "python2", "ipython3", "{.python}", "python,editable", "python:a.py", "Python"]
)
def test_wrong_code_is_dropped_whatever_its_fence_is_called(stage: Validate, info: str) -> None:
    text = f"Prose.\n\n```{info}\nassert 1 == 2\n```\n"
    assert run(stage, [passage(text)])[0][1] == "test-failed"


def test_a_control_keeps_what_failed_in_place_of_what_passed(stage: Validate) -> None:
    records: list[Document] = [exercise(), exercise("    return x\n"), exercise("    return (\n"), passage("prose")]
    turned = Validate(ValidatedTable(keep="failed"), stage.sandbox)
    assert [reason for _, reason in run(turned, records)] == ["passed", "", "syntax-error", ""]


def test_a_control_without_verification_keeps_all_and_runs_nothing() -> None:
    records: list[Document] = [exercise("    return (\n"), passage("prose")]
    tally = Tally()
    closed = Sandbox(limits_of(ValidatedTable()), workers=1)
    outcomes = list(checked(Validate(ValidatedTable(keep="all"), closed), records, tally))
    assert [outcome.record for outcome in outcomes] == records
    assert not closed.is_open
