"""A domain of another language than Python through the stages: parsed, judged, compared, asked and scored."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.benchmarks.problems import load as load_problems
from pipeline.checkers.protocol import Means
from pipeline.core.errors import RecipeError
from pipeline.core.records import Choice, Column, Completion, Exercise, Sample, Seed
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.domains.domain import Domain
from pipeline.domains.loading import load
from pipeline.proving.checking import check
from pipeline.recipe import DecontaminatedTable, DistinctTable, ValidatedTable
from pipeline.recipe_evaluation import EvaluationTable
from pipeline.recipe_seeds import SeedsTable
from pipeline.recipe_teachers import ComposerTable, ReplayTable
from pipeline.recipe_text import load as load_recipe
from pipeline.sandbox import Sandbox
from pipeline.stages.decontaminated.stage import Decontaminate
from pipeline.stages.distinct.stage import Distinct
from pipeline.stages.documents.stage import Parse
from pipeline.stages.samples.postprocess import chosen
from pipeline.stages.samples.stage import how
from pipeline.stages.scores.stage import score
from pipeline.stages.seeds.sampling import draw
from pipeline.stages.validated.ruling import Rule

DDL = "CREATE TABLE pets (name TEXT NOT NULL, kind TEXT NOT NULL, legs INTEGER NOT NULL, born TEXT);"
ROWS = (
    "INSERT INTO pets VALUES ('Ada', 'cat', 4, '2020-01-02'), ('Bo', 'bird', 2, NULL), ('Cy', 'cat', 3, '2021-05-06');"
)
FILES = {
    "domain.toml": """
name = "pets"
title = "Pets"
licence = "CC0-1.0"
text = "en"
language = "sql"
checker = "sqlite"
[answer]
task = "text"
solution = "sql"
check = ""
[exercise]
prompt = '''
{{ schema_ddl }}
-- {{ task }}
'''
check = '{"schema": {{ (schema_ddl ~ schema_rows) | tojson }}, "reference": {{ solution | tojson }}}'
""",
    "topics.toml": '[reading]\ntitle = "Reading"\nfilters = "Filters"\norder = "Order"\n',
    "axes.toml": f'[schema.pets]\nname = "pets"\nddl = "{DDL}"\nrows = "{ROWS}"\n',
    "exercise.md": (
        '+++\nname = "e"\nversion = 1\nkind = "exercise"\ndescription = "d"\nvariables = ["title", "schema_ddl"]\n+++\n'
        "Ask about {{ title }}.\n{{ schema_ddl }}\n"
    ),
    "complete.md": (
        '+++\nname = "c"\nversion = 1\nkind = "exercise"\ndescription = "d"\nvariables = ["task"]\n+++\n'
        "{{ task.prompt }}\n"
    ),
    "examples/cats.toml": (
        f"prompt = '''\n{DDL}\n-- Names of the cats.\n'''\nsolution = \"SELECT name FROM pets WHERE kind = 'cat';\"\n"
        f'[check]\nschema = "{DDL} {ROWS}"\nreference = "SELECT name FROM pets WHERE kind = \'cat\'"\n'
        "[[wrong]]\nwhy = 'right on the shown data only'\nsolution = \"SELECT name FROM pets WHERE legs > 2;\"\n"
    ),
}  # fmt: skip


def problem(number: int, words: str, query: str) -> str:
    check = {"schema": DDL + ROWS, "reference": query}
    return json.dumps({"id": f"p{number}", "prompt": f"{DDL}\n-- {words}\n", "check": check, "solution": query})


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Domain:
    folder = tmp_path_factory.mktemp("domains") / "pets"
    (folder / "examples").mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    long = (
        "SELECT kind, COUNT(*) AS n, MAX(legs) AS most FROM pets WHERE born IS NOT NULL GROUP BY kind ORDER BY n, kind"
    )
    rows = problem(1, "Kinds of pets.", "SELECT DISTINCT kind FROM pets"), problem(2, "A table of kinds.", long)
    (folder / "problems.jsonl").write_text("\n".join(rows) + "\n")
    return load(str(folder))


def completion(text: str) -> Completion:
    axes = (Choice(axis="schema", name="pets", columns=(Column("ddl", DDL), Column("rows", ROWS))),)
    seed = Seed(kind="exercise", number=0, topic="reading/filters", title="Filters", audience="", form="", axes=axes)
    return Completion(
        prompt_id="p", seed=seed, teacher="t", teacher_kind="replay", model="m", text=text, finish_reason="stop"
    )


def answer(task: str, query: str) -> str:
    return f"```text\n{task}\n```\n\n```sql\n{query}\n```\n"


def parsed(domain: Domain, *texts: str) -> list[Exercise | Dropped]:
    outcomes = list(checked(Parse(domain), map(completion, texts), Tally()))
    return [o.record if isinstance(o, Kept) else o for o in outcomes]  # type: ignore[misc]


def exercises_of(domain: Domain, *texts: str) -> list[Exercise]:
    found = parsed(domain, *texts)
    return [one for one in found if isinstance(one, Exercise)]


def test_the_domain_holds(pets: Domain) -> None:
    assert check(pets, Means(mode="weak")).faults == ()


def test_an_exercise_is_made_as_the_domain_says(pets: Domain) -> None:
    [exercise] = parsed(pets, answer("Names of the cats.", "SELECT name FROM pets WHERE kind = 'cat';"))
    assert isinstance(exercise, Exercise)
    assert exercise.prompt == f"{DDL}\n-- Names of the cats.\n"
    assert exercise.solution == "SELECT name FROM pets WHERE kind = 'cat';\n"
    assert exercise.written == "Names of the cats.\n" + exercise.solution
    assert json.loads(exercise.test)["reference"] == "SELECT name FROM pets WHERE kind = 'cat';"


def test_a_question_at_the_end_needs_no_closing_fence_where_its_last_sentence_is_whole(pets: Domain) -> None:
    query = "```sql\nSELECT name FROM pets;\n```\n```text\n"
    [exercise] = parsed(pets, query + "Names of all pets.")
    assert isinstance(exercise, Exercise)
    assert exercise.prompt.endswith("-- Names of all pets.\n")
    [cut] = parsed(pets, query + "Names of all pets that")
    assert isinstance(cut, Dropped)
    assert cut.reason == "unclosed-fence"


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        ("Sorry.", "no-code", "0 "),
        ("```text\nCats?\n```\n```sql\nSELECT", "unclosed-fence", "line 4"),
        ("```sql\nSELECT 1;\n```", "no-task", "a block tagged 'text' is wanted, the blocks are sql"),
        (answer("Cats?", "SELECT FROM WHERE ((;"), "unparsable", "no sql: "),
    ],
)
def test_what_is_missing_is_told(pets: Domain, text: str, reason: str, detail: str) -> None:
    [dropped] = parsed(pets, text)
    assert isinstance(dropped, Dropped)
    assert dropped.reason == reason
    assert detail in dropped.detail


def test_the_checker_validates_and_its_word_begins_the_detail(pets: Domain) -> None:
    exercises = exercises_of(
        pets,
        answer("Names of the cats.", "SELECT name FROM pets WHERE kind = 'cat';"),
        answer("Weights.", "SELECT weight FROM pets;"),
    )
    tally = Tally()
    kept, dropped = checked(Rule(pets, ValidatedTable(), Means(mode="weak")), exercises, tally)
    assert isinstance(kept, Kept)
    assert isinstance(dropped, Dropped)
    assert "no such column: weight" in dropped.detail
    assert (tally.entered, tally.kept) == (2, 1)


def test_a_shared_schema_makes_no_duplicates_and_equal_queries_are_clones(pets: Domain) -> None:
    exercises = exercises_of(
        pets,
        answer("Names of the cats.", "SELECT name FROM pets WHERE kind = 'cat';"),
        answer("Which birds have two legs?", "SELECT name FROM pets WHERE legs = 2 AND kind = 'bird';"),
        answer("How is every animal called that purrs?", "select p.name from pets p where p.kind='cat'"),
        answer("How is every animal called that purrs?", "select name from pets where kind='cat' -- purr"),
    )
    outcomes = list(checked(Distinct(DistinctTable(), language="sql"), exercises, Tally()))
    reasons = sorted(outcome.reason for outcome in outcomes if isinstance(outcome, Dropped))
    assert "near-duplicate" in reasons or "clone" in reasons
    assert sum(isinstance(outcome, Kept) for outcome in outcomes) >= 2
    wordings = list(checked(Distinct(DistinctTable(max_wordings=2), language="sql"), exercises[:3], Tally()))
    assert sum(isinstance(outcome, Kept) for outcome in wordings) == 3


def test_solutions_of_problems_are_found_under_other_names(pets: Domain) -> None:
    leaked = (
        "SELECT kind, COUNT(*) AS number, MAX(legs) AS top FROM pets WHERE born IS NOT NULL GROUP BY kind "
        "ORDER BY number, kind;"
    )
    exercises = exercises_of(pets, answer("Count.", leaked), answer("Names.", "SELECT name FROM pets;"))
    problems = load_problems(str(pets.folder)).problems
    stage = Decontaminate(DecontaminatedTable(), problems, language="sql")
    first, second = checked(stage, exercises, Tally())
    assert isinstance(first, Dropped)
    assert (first.reason, first.detail.partition(":")[0]) == ("tree-overlap", "p2")
    assert isinstance(second, Kept)


def test_answers_end_and_are_scored_as_the_domain_says(pets: Domain) -> None:
    problems = load_problems(str(pets.folder))
    assert (problems.name, problems.language, len(problems.problems)) == ("pets", "sql", 2)
    assert how(problems, EvaluationTable(), "stripped", "code").language == "sql"
    first = problems.problems[0]
    cut = chosen("stripped", False, language="sql").apply(first, "SELECT DISTINCT kind FROM pets; SELECT 2;\n\nmore")
    assert cut == "SELECT DISTINCT kind FROM pets;\n"
    chat = chosen("chat", False, language="sql").apply(first, answer("x", "SELECT DISTINCT kind FROM pets"))
    assert chat == "SELECT DISTINCT kind FROM pets\n"

    def sample(text: str) -> Sample:
        return Sample(problem_id=first.id, benchmark="pets", task_id="p1", model="m", checkpoint="c", raw=text,
                      completion=text)  # fmt: skip

    with Sandbox(mode="weak") as sandbox:
        scores = list(score([sample(cut), sample("SELECT kind FROM pets;\n")], problems.problems, sandbox))
    assert [one.passed for one in scores] == [True, False]
    assert scores[1].detail.startswith("wrong-rows: ")


def test_a_recipe_asks_the_domain_s_problems_and_is_held_against_them(pets: Domain, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[seeds]\nexercises = 2\n[[teachers]]\nname = "a"\nkind = "replay"\nreplay = "x"\n')
    recipe = load_recipe(str(path), [f"domain={pets.folder}", 'decontaminated.benchmarks=["humaneval"]']).recipe
    assert recipe.evaluation.benchmarks == (str(pets.folder),)
    assert recipe.decontaminated.benchmarks == ("humaneval", str(pets.folder))
    assert load_recipe(str(path)).recipe.evaluation.benchmarks == ("humaneval",)


def test_teachers_that_know_python_alone_are_refused(pets: Domain) -> None:
    with pytest.raises(RecipeError, match="kind = 'composer', which is for Python; domain 'pets' is of language 'sql'"):
        draw(pets, SeedsTable(exercises=1), [ComposerTable(name="c")], 0)
    other = replace(pets, checker="python-check")
    with pytest.raises(RecipeError) as raised:
        draw(other, SeedsTable(exercises=1), [ReplayTable(name="c", tests="agreement")], 0)
    assert str(raised.value) == (
        "teacher 'c' has tests = 'agreement', and the checker 'python-check' of domain 'pets' cannot hold one solution "
        "against another; python, sqlite, regex can\n  set tests = 'teacher' or 'seed'"
    )
    draw(pets, SeedsTable(exercises=1), [ReplayTable(name="c", tests="agreement")], 0)
