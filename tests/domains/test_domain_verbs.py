"""`hornbook domain new` and `check`: a copy that works, and claims that are executed."""

import json
from pathlib import Path

import pytest

from pipeline import recipe_text
from pipeline.checkers.protocol import Means
from pipeline.cli.main import main
from pipeline.core.errors import UsageError
from pipeline.core.known import domains
from pipeline.domains.loading import load
from pipeline.proving.checking import Checked, check
from pipeline.proving.starting import start

WEAK = Means(mode="weak")


def checked(folder: Path) -> Checked:
    return check(load(str(folder)), WEAK)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    start(tmp_path / "mine", "python")
    return tmp_path / "mine"


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("name", domains())
def test_every_claim_of_what_is_shipped_holds(name: str) -> None:
    found = check(load(name), WEAK)
    assert found.faults == ()
    assert found.checks >= 3


def test_a_new_domain_holds_and_has_its_own_name(mine: Path) -> None:
    assert load(str(mine)).name == "mine"
    assert checked(mine).faults == ()


@pytest.mark.parametrize("name", domains())
def test_a_new_domain_has_a_page_and_a_recipe_of_its_own(name: str, tmp_path: Path) -> None:
    """Recipes of the domain it comes from replay what was recorded for that one's prompts."""
    told = start(tmp_path / "mine", name)
    assert [file for file in told.files if "recipes" in file] == ["recipes/first-run.toml"]
    page = (tmp_path / "mine" / "README.md").read_text()
    assert page.startswith("# mine\n")
    assert f"began as a copy of `{name}`" in page
    recipe = recipe_text.load("first-run", [f"domain={tmp_path / 'mine'}"]).recipe
    assert (recipe.name, recipe.domain) == ("first-run-mine", str(tmp_path / "mine"))
    assert [teacher.kind for teacher in recipe.teachers] == ["local"]
    assert recipe.seeds.exercises == 40
    by_file = recipe_text.load(str(tmp_path / "mine" / "recipes" / "first-run.toml"), []).recipe
    assert by_file == recipe


def test_new_writes_over_nothing(mine: Path) -> None:
    with pytest.raises(UsageError, match="mine exists already"):
        start(mine, "python")
    with pytest.raises(UsageError, match="'My Domain' is no name of a domain"):
        start(mine.parent / "My Domain", "python")


def test_a_check_that_a_wrong_twin_passes_is_a_fault(mine: Path) -> None:
    replaced(mine / "examples" / "give-change.toml", "assert give_change(9) == [5, 2, 2]\n", "")
    replaced(mine / "examples" / "give-change.toml", "assert give_change(93) == [50, 20, 20, 2, 1]\n", "")
    [fault] = checked(mine).faults
    assert "give-change.toml: wrong twin 1 (gives each coin at most once): the check lets it pass" in fault


def test_a_gold_solution_that_fails_is_a_fault(mine: Path) -> None:
    replaced(mine / "examples" / "give-change.toml", "assert give_change(0) == []", "assert give_change(0) == [1]")
    assert any("the solution does not pass: test-failed: " in fault for fault in checked(mine).faults)


def test_a_problem_that_is_an_example_is_a_fault(mine: Path) -> None:
    item = load(str(mine)).examples[0].item
    row = {"id": "p", "prompt": item.prompt, "check": dict(item.check), "solution": "    return {}\n"}
    (mine / "problems.jsonl").write_text(json.dumps(row) + "\n")
    faults = checked(mine).faults
    assert any("asks what problem 'p' asks" in fault for fault in faults)
    assert any("problems.jsonl:1: the solution does not pass" in fault for fault in faults)


def test_axes_that_leave_a_topic_without_a_value_are_a_fault(mine: Path) -> None:
    with (mine / "axes.toml").open("a") as file:
        file.write('\n[level.hard]\nname = "hard"\nonly = { topic = ["lists"] }\n')
    faults = checked(mine).faults
    assert any("axis 'level' has no value for topic 'algorithms/" in fault for fault in faults)


def test_a_template_that_fails_on_a_value_is_a_fault(mine: Path) -> None:
    replaced(mine / "textbook" / "passage.md", "{{ title }}", "{{ title.nothing }}")
    assert any("'str object' has no attribute 'nothing'" in fault for fault in checked(mine).faults)


def test_the_command_says_all_in_one_object(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["domain", "check", str(mine), "--sandbox", "weak", "--json"])
    assert stop.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["passed"], told["counts"]["wrong twins"]) == (True, 5)
    assert told["rendered"][0]["usd_per_1000"]["gpt-4o-mini"] > 0
    (mine / "topics.toml").write_text("x = 3\n")
    with pytest.raises(SystemExit) as stop:
        main(["domain", "check", str(mine), "--json"])
    assert stop.value.code == 2
    assert "'x' should be a title in words, got 3" in json.loads(capsys.readouterr().out)["error"]["message"]
