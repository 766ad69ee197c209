"""Which problems may direct: a run's own, and none of a test benchmark."""

from dataclasses import replace

import pytest
from example_run import Example, build

from pipeline.core.errors import UsageError
from pipeline.improve.development import DEVELOPMENT, branch_of, halves, refuse_tests
from pipeline.run.reading import RunView, open_run


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return build(tmp_path_factory.mktemp("data"))


@pytest.fixture
def view(example: Example) -> RunView:
    return open_run(example.folder, example.store)


def test_a_run_that_kept_nothing_back_directs_nothing(view: RunView) -> None:
    with pytest.raises(UsageError, match=r"has kept back 0 problems of its corpus.*never by a test benchmark"):
        halves(view, 1)


def test_a_problem_of_a_test_benchmark_is_refused(example: Example, view: RunView) -> None:
    """The run is scored on a file of problems, which so is a test benchmark of it."""
    first = replace(example.problems[0], benchmark=DEVELOPMENT, task_id="of the corpus")
    with pytest.raises(UsageError, match="a test benchmark, and must direct nothing"):
        refuse_tests(view, (first,))
    refuse_tests(view, (replace(first, prompt=first.prompt.replace('"""', '"""Otherwise: ', 1)),))


def test_branches_are_first_parts() -> None:
    assert [branch_of(topic) for topic in ("strings/slicing/steps", "strings", "")] == ["strings", "strings", ""]
