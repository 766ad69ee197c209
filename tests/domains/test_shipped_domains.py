"""What the shipped domains sql, regex and pandas hold, by number and apart from each other; that it is right is
`test_domain_verbs.py`'s, which executes it."""

import re
from pathlib import Path

import pytest

from pipeline.domains.domain import Domain
from pipeline.domains.loading import load
from pipeline.languages.finding import named
from pipeline.recipe_text import load as load_recipe
from pipeline.report.summary import summarise
from pipeline.run.run import run
from pipeline.stages.prompts.stage import rendered
from pipeline.store.places import places
from pipeline.teacher.lines import entries
from pipeline.teacher.protocol import messages_digest
from pipeline.teacher.recorded import replayed, unpacked


def axis(domain: Domain, name: str) -> int:
    return next(len(one.values) for one in domain.axes if one.name == name)


@pytest.mark.parametrize(("name", "topics", "problems"), [("sql", 60, 60), ("regex", 40, 40), ("pandas", 40, 30)])
def test_there_is_enough_of_everything(name: str, topics: int, problems: int) -> None:
    domain = load(name)
    assert len(domain.topics) >= topics
    assert len(domain.problems) >= problems
    assert 6 <= len(domain.examples) <= 10
    assert all(len(gold.wrong) >= 2 for gold in domain.examples)
    assert axis(domain, "level") == 3


def test_the_axes_are_those_that_a_corpus_is_asked_for_by() -> None:
    assert axis(load("sql"), "schema") >= 12
    assert axis(load("sql"), "style") >= 6
    assert axis(load("regex"), "tongue") == 2
    groups = [problem.group for problem in load("regex").problems]
    assert min(groups.count("english"), groups.count("german")) >= 15


def test_no_problem_of_sql_is_asked_of_tables_that_a_seed_or_an_example_shows() -> None:
    domain = load("sql")
    (schemas,) = (one for one in domain.axes if one.name == "schema")
    seeds = {table for value in schemas.values for column in value.columns for table in tables(column.text)}
    examples = {table for gold in domain.examples for table in tables(gold.item.prompt)}
    problems = {table for problem in domain.problems for table in tables(problem.prompt)}
    assert examples <= seeds
    assert not problems & seeds
    assert len({problem.group for problem in domain.problems}) >= 6


def tables(text: str) -> list[str]:
    return re.findall(r"^CREATE TABLE .*$", text, re.MULTILINE)


def test_no_problem_of_pandas_has_a_name_or_a_solution_that_is_shown_to_teachers() -> None:
    domain = load("pandas")
    names = {name for group in domain.names.values() for name in group}
    assert not names & {str(problem.check["entry_point"]) for problem in domain.problems}
    shown = {gold.item.solution for gold in domain.examples}
    assert not shown & {problem.solution for problem in domain.problems}


@pytest.mark.parametrize("name", ["sql", "regex", "pandas"])
def test_no_two_problems_or_examples_are_one_program_in_other_names(name: str) -> None:
    domain = load(name)
    language = named(domain.language)
    items = [*domain.problems, *(gold.item for gold in domain.examples)]
    whole = domain.language == "python"
    forms = [language.normal_form(item.prompt + item.solution if whole else item.solution) for item in items]
    assert len(set(forms)) == len(forms)


@pytest.mark.parametrize("name", ["sql", "regex", "pandas"])
def test_the_page_of_a_domain_counts_what_is_there(name: str) -> None:
    domain = load(name)
    page = (Path(domain.folder) / "README.md").read_text(encoding="utf-8")
    assert f"| topics | {len(domain.topics)} leaves in {len({t.split('/')[0] for t in domain.topics})} branches" in page
    assert f"| examples | {len(domain.examples)}," in page
    assert f"| problems | {len(domain.problems)}" in page


@pytest.mark.parametrize("name", ["sql", "regex", "pandas"])
def test_record_and_first_run_of_a_domain_draw_the_same_seeds(name: str) -> None:
    record = load_recipe("record", [f"domain={name}"]).recipe
    assert record.domain == name
    assert record.evaluation.benchmarks == (name,)
    assert record.teachers[0].tests == "agreement"
    first = load_recipe("first-run", [f"domain={name}"]).recipe
    assert first.seed == record.seed
    asked = {messages_digest(prompt.messages) for prompt in rendered(record)}
    assert {messages_digest(prompt.messages) for prompt in rendered(first)} <= asked


@pytest.mark.parametrize(("name", "answers", "kept"), [("sql", 30, 2), ("regex", 25, 2), ("pandas", 19, 2)])
def test_a_recording_is_solved_validated_and_keeps_something_offline(
    name: str, answers: int, kept: int, tmp_path: Path
) -> None:
    """Part of it is executed: all of it is what `hornbook run first-run domain=NAME` does."""
    loaded = load_recipe("first-run", [f"domain={name}"])
    (teacher, *_) = loaded.recipe.teachers
    with unpacked(replayed(teacher.replay)) as journals:
        recorded = {entry.messages for journal in journals for entry in entries(journal)}
    asked = {messages_digest(prompt.messages) for prompt in rendered(loaded.recipe)}
    assert len(asked & recorded) >= answers
    short = load_recipe("first-run", [f"domain={name}", "seeds.exercises=8", "execution.workers=1"])
    where = places(str(tmp_path))
    outcome = run(short, where, name="first", until="validated")
    lines = {line.name: line for line in summarise(outcome.folder, where.store).funnel}
    assert lines["completions"].kept >= 6
    assert lines["validated"].kept >= kept
    assert set(lines["validated"].dropped) <= {"no-agreement", "test-failed", "timeout"}
