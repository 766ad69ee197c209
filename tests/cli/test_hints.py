"""A command that Hornbook tells its reader to give works as it is copied."""

import ast
import json
import re
import shlex

import pytest

from pipeline.cli.main import main
from pipeline.cli.options import given_data, with_data


def cli(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("look with `hornbook show R s --dropped x`, then", "look with `hornbook show R s --dropped x D`, then"),
        ("`hornbook status`", "`hornbook status D`"),
        ("`hornbook store gc` and `hornbook runs rm a`", "`hornbook store gc D` and `hornbook runs rm a D`"),
        ("Trace   hornbook trace R 61a8", "Trace   hornbook trace R 61a8 D"),
        # Verbs without a data folder, what has it already, and a verb that is only spoken of.
        ("`hornbook recipes copy NAME FILE`", None),
        ("`hornbook show R x --data other`", None),
        ("`hornbook evaluate --help` says what it takes", None),
        ("a run that `hornbook run` made", None),
        ("this version of hornbook reads formats up to 1", None),
        ("`pip install hornbook[ray]`", None),
    ],
)  # fmt: skip
def test_commands_carry_the_data_folder(text, wanted):
    assert with_data(text, "") == text
    assert with_data(text, "my folder") == (wanted or text).replace(" D", " --data 'my folder'")


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["status", "--data", "x"], "x"), (["status", "--data=a=b"], "a=b"), (["status"], ""), (["x", "--data"], ""),
        (["run", "--", "--data", "x"], ""),
    ],
)  # fmt: skip
def test_what_was_given_for_data(arguments, wanted):
    assert given_data(arguments) == wanted


def test_the_commands_of_a_card_and_of_an_error_can_be_given_as_they_are(capsys, tmp_path):
    bad = ('teachers.composer.faults=["no-code"]', "teachers.composer.fault_share=1.0")
    data, small = tmp_path / "my data", ("seeds.exercises=6", "seeds.textbooks=0")
    code, _, err = cli(capsys, "run", "tiny", *small, *bad, "--until", "documents", "--data", data)
    assert code == 1
    command = re.search(r"`hornbook (show [^`]*)`", err)
    assert command is not None
    code, out, err = cli(capsys, *shlex.split(command[1]))
    assert code == 0, err
    assert "dropped:" in out


def test_a_missing_run_s_hint_in_json_too(capsys, tmp_path):
    _, out, err = cli(capsys, "status", "--json", "--data", tmp_path)
    command = f"`hornbook run first-run --data {tmp_path}`"
    assert command in json.loads(out)["error"]["hint"]
    assert command in err


@pytest.mark.parametrize("name", ["-x.toml", "my file.toml", "it's.toml", "plain.toml"])
def test_the_command_for_a_copied_recipe_works_whatever_the_file_is_called(capsys, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    code, _, err = cli(capsys, "recipes", "copy", "tiny", "--", name)
    assert code == 0
    command = shlex.split(err.rstrip().partition("run it with: hornbook ")[2])
    assert command[0] == "run"
    assert cli(capsys, "plan", *command[1:], "--data", tmp_path / "data")[0] == 0


def test_the_command_for_a_new_domain_works_whatever_its_folder_is_called(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = cli(capsys, "domain", "new", "--from", "regex", "--", "-my folder/mine")
    assert code == 0
    command = shlex.split(out.rstrip().partition("then: hornbook ")[2])
    assert command[:2] == ["domain", "check"]
    assert (tmp_path / command[2] / "domain.toml").is_file()
    assert not command[2].startswith("-")


def test_a_line_of_python_loads_what_was_exported_whatever_the_folder_is_called():
    from pipeline.export.export import load_code

    folder = 'a "quoted" folder\\with all'
    told = load_code("parquet", folder).splitlines()[-1].partition("load_dataset")[2]
    assert ast.literal_eval(told) == folder
