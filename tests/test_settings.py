"""Every key has a type, a default and a meaning; `hornbook settings`, completion and the page of the docs agree."""

import json
import re
from importlib import resources

import pytest

from pipeline import recipe_settings as settings
from pipeline.cli import completion
from pipeline.cli.main import main
from pipeline.core.errors import RecipeError, UsageError
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.recipe_images import ImageRecipe
from pipeline.recipe_text import load


def cli(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([*map(str, arguments)])
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


def leaves(model, prefix=""):
    """The keys of a model's JSON schema, found another way than `settings` finds them."""
    schema = model.model_json_schema()

    def walk(node, key):
        node = node["allOf"][0] if "allOf" in node else node  # how pydantic before 2.9 writes a table with a default
        if "$ref" in node:
            yield from walk(schema["$defs"][node["$ref"].rpartition("/")[2]], key)
        elif node.get("type") == "array" and {"$ref", "oneOf"} & node.get("items", {}).keys():
            yield from walk(node["items"], f"{key}.N")
        elif "oneOf" in node:
            for kind in node["oneOf"]:
                yield from walk(kind, key)
        elif node.get("type") == "object" and "properties" in node:
            for name, inner in node["properties"].items():
                yield from walk(inner, f"{key}.{name}" if key else name)
        else:
            yield key

    yield from walk(schema, prefix)


def test_every_key_of_the_recipe_and_of_execution_is_there_with_a_meaning():
    found = [setting for table in settings.tables() for setting in table.settings]
    assert {setting.key for setting in found} == {
        *leaves(Recipe),
        *(key for key in leaves(ImageRecipe) if "." in key),
        *leaves(Execution, "execution"),
    }
    assert len({(setting.key, setting.when) for setting in found}) == len(found)
    for setting in found:
        assert setting.meaning, setting.key
        assert setting.type, setting.key
        assert "\n" not in setting.meaning
    assert all(table.meaning for table in settings.tables())


@pytest.mark.parametrize(
    ("key", "name", "kind", "default"),
    [
        ("seeds.exercises", "seeds.exercises", "whole number from 0", "0"),
        ("teachers.temperature", "teachers.N.temperature", "number from 0 to 2", "0.7"),
        ("teachers.0.temperature", "teachers.N.temperature", "number from 0 to 2", "0.7"),
        ("teachers.gpt.kind", "teachers.N.kind", 'one of "openai", "local", "composer", "replay"', "required"),
        ("student.phases.0.lr", "student.phases.N.lr", "number above 0", "5e-05"),
        ("student.ema", "student.ema", "number from 0 below 1", "0.0"),
        ("evaluation.benchmarks", "evaluation.benchmarks", "list of benchmark:", '["humaneval"]'),
        ("student.phases.betas", "student.phases.N.betas", "list of 2: number", "[0.9, 0.95]"),
        ("quality.min_value", "quality.min_value", "number from 0 to 1, or left out", "none"),
        ("quality.classifier", "quality.classifier", "true or false", "false"),
        ("execution.workers", "execution.workers", "whole number from 0 to 4,096", "0"),
        ("student.init", "student.init", "model: a word, a path or owner/name", '"smollm2"'),
        ("seed", "seed", "whole number", "0"),
    ],
)
def test_one_key_in_any_spelling(capsys, key, name, kind, default):
    whens = ['kind = "openai"', 'kind = "local"'] if name == "teachers.N.temperature" else [""]
    found = [setting for table in settings.find(key) for setting in table.settings]
    setting = found[0]
    assert {(setting.key, setting.shown) for setting in found} == {(name, default)}
    assert [setting.when for setting in found] == whens
    assert setting.type.startswith(kind)
    code, out, _ = cli(capsys, "settings", key)
    assert code == 0
    assert f"{name} = {default}" in out
    assert setting.meaning in out
    code, out, _ = cli(capsys, "settings", key, "--json")
    assert [(one["key"], one["when"]) for one in json.loads(out)["settings"]] == [(name, when) for when in whens]


def test_each_kind_of_teacher_lists_its_own_keys(capsys):
    code, out, _ = cli(capsys, "settings", "teachers")
    assert code == 0
    blocks = {block.partition("  ")[0]: block for block in out.split("\n[")}
    common, replay = blocks["[teachers.N]"], blocks['teachers.N] of kind = "replay"']
    assert "teachers.N.max_tokens" in common
    assert "teachers.N.replay" not in common
    keys = [line.split()[0] for line in replay.splitlines() if " = " in line and line.startswith("  teachers")]
    assert keys == ["teachers.N.replay", "teachers.N.otherwise", "teachers.N.most_otherwise"]
    assert 'teachers.N.fallbacks.N] of kind = "openai"' in blocks


@pytest.mark.parametrize("table", ["seeds", "teachers", "teachers.0", "student.phases", "student", "execution"])
def test_a_tables_name_lists_its_keys(capsys, table):
    code, out, _ = cli(capsys, "settings", table, "--json")
    assert code == 0
    keys = [one["key"] for one in json.loads(out)["settings"]]
    first = table.split(".")[0]
    assert keys
    assert all(key.startswith(f"{first}.") for key in keys)
    everything = {one.key for all_of in settings.tables() for one in all_of.settings}
    if table in ("seeds", "student", "execution"):
        assert set(keys) == {key for key in everything if key.startswith(f"{table}.")}


@pytest.mark.parametrize(
    ("key", "guess"),
    [
        ("seeds.exercise", "seeds.exercises"),
        ("temprature", "probes.temperature"),
        ("teachers.0.temprature", "teachers.N.temperature"),
        ("executoin", "execution"),
        ("student.inti", "student.init"),
    ],
)
def test_an_unknown_key_names_the_nearest(capsys, key, guess):
    code, out, err = cli(capsys, "settings", key)
    assert (code, out) == (2, "")
    assert f"no setting {key!r}" in err
    assert f"did you mean {guess!r}?" in err
    code, out, _ = cli(capsys, "settings", key, "--json")
    assert json.loads(out)["error"]["code"] == code == 2
    with pytest.raises(UsageError, match="no setting '§'"):
        settings.find("§")


def test_the_page_has_a_row_for_each_key_and_bars_are_escaped(capsys):
    code, out, _ = cli(capsys, "settings", "--markdown")
    assert code == 0
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in out.splitlines() if line.startswith("| `")]
    assert [row[0].strip(" `") for row in rows] == [s.key for table in settings.tables() for s in table.settings]
    assert {len(row) for row in rows} == {4}


def test_the_page_in_the_repository_is_the_one_that_is_written():
    written = settings.markdown(settings.tables()).strip()
    assert (resources.files("pipeline") / "recipes" / "SETTINGS.md").read_text("utf-8").strip() == written, (
        "write it anew: hornbook settings --markdown > pipeline/recipes/SETTINGS.md"
    )


def test_defaults_are_what_a_recipe_of_nothing_has():
    recipe = load("tiny", ["teachers.0.kind=composer"]).recipe
    for table in settings.tables():
        for setting in table.settings:
            if (
                setting.key.startswith(("execution.", "teachers.N.", "student.phases", "seeds.rounds"))
                or "." not in setting.key
            ):
                continue
            if setting.when == 'walk = "images"':
                continue
            name, key = setting.key.split(".")
            empty = type(getattr(recipe, name))()
            assert setting.default == getattr(empty, key), setting.key


def complete(capsys, monkeypatch, line):
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
    monkeypatch.setenv("_HORNBOOK_COMPLETE", "complete_bash")
    code, out, err = cli(capsys)
    assert (code, err) == (0, "")
    return out.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hornbook run ph", ["phi-1", "phi-1-small"]),
        ("hornbook run mi", ["mine.toml"]),
        ("hornbook recipes copy ti", ["tiny"]),
        ("hornbook run tiny student.in", ["student.init="]),
        ("hornbook run tiny teachers.0.temp", ["teachers.0.temperature="]),
        ("hornbook run tiny teachers.0.kind=co", ["teachers.0.kind=composer"]),
        ("hornbook run tiny teachers.0.tests=ag", ["teachers.0.tests=agreement"]),
        ("hornbook run tiny sources.kind=st", ["sources.kind=stdlib"]),
        ("hornbook run tiny quality.classifier=t", ["quality.classifier=true"]),
        ("hornbook run tiny --until de", ["decontaminated"]),
        ("hornbook show DATA LATEST qu", ["quality"]),
        ("hornbook status DATA my-", ["my-run"]),
        ("hornbook report DATA LA", ["LATEST"]),
        ("hornbook evaluate smollm2 --benchmark comp", ["composed"]),
        ("hornbook settings tokens.vo", ["tokens.vocabulary"]),
        ("hornbook clean distinct.sh", ["distinct.shingle="]),
        ("hornbook clean ", []),
        ("hornbook status --data /proc/nowhere my-", []),
    ],
)
def test_the_shell_completes_names(capsys, monkeypatch, tmp_path, line, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").touch()
    (tmp_path / "runs" / "my-run").mkdir(parents=True)
    (tmp_path / "runs" / "my-run" / "run.json").write_text("{}")
    assert complete(capsys, monkeypatch, line.replace("DATA", f"--data {tmp_path}")) == words


def test_completion_can_be_installed_and_shown(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("shellingham.detect_shell", lambda *_, **__: ("bash", "/bin/bash"))  # whatever is above us
    code, out, _ = cli(capsys, "--show-completion", "bash")
    assert (code, "_HORNBOOK_COMPLETE" in out) == (0, True)
    code, out, _ = cli(capsys, "--install-completion", "bash")
    assert code == 0
    assert "_HORNBOOK_COMPLETE" in "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())


def test_a_completion_that_fails_gives_no_word():
    assert completion.runs(ctx=None, incomplete="") == []


@pytest.mark.parametrize(
    "wrong",
    [
        ["student.phases.0.lr=nan"],
        ["student.phases.0.zzz=1"],
        ["student.phases.0=1"],
        ["student.phases=[]"],
        ["student.phases=[1]"],
        ["student.phases.0.lr=-1", "student.phases.0.batch=x"],
        ["evaluation.benchmarks=[1]", "seed=x"],
    ],
)
def test_what_is_wrong_is_told_once_and_nothing_that_follows_from_it(wrong):
    with pytest.raises(RecipeError) as refused:
        load("tiny", wrong)
    assert len(refused.value.problems) == len(wrong)
