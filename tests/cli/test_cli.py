import json
import subprocess
import sys

import pytest

from pipeline import __version__
from pipeline.cli.main import main


def cli(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return stop.value.code, captured.out, captured.err


def test_importing_the_command_line_imports_nothing_heavy():
    heavy = "torch numpy pyarrow sklearn transformers datasets numba pandas aiohttp openai"
    code = f"import sys, pipeline.cli.main; print([m for m in '{heavy}'.split() if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_version(capsys):
    assert cli(capsys, "--version") == (0, f"{__version__}\n", "")


def test_recipes_are_listed_and_copied(capsys, tmp_path):
    code, out, _ = cli(capsys, "recipes", "--json")
    assert code == 0
    assert {"first-run", "tiny", "phi-1"} <= set(json.loads(out))
    target = tmp_path / "mine.toml"
    code, out, err = cli(capsys, "recipes", "copy", "tiny", target)
    assert (code, out) == (0, "")
    assert f"hornbook run {target}" in err
    assert 'name = "tiny"' in target.read_text()
    assert cli(capsys, "recipes", "copy", "tiny", target)[0] == 2
    assert cli(capsys, "recipes", "copy", "nope", tmp_path / "x.toml")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum"], "No such command 'rum'"),
        (["run"], "Missing argument 'RECIPE'"),
        (["run", "no-such-recipe"], "no recipe 'no-such-recipe'"),
        (["run", "tiny", "seeds.exercises=none"], "seeds.exercises = 'none': a whole number is wanted"),
        (["run", "tiny", "--sandbox", "none"], "execution.sandbox = 'none': 'strong' or 'weak' is wanted"),
        (["score", "x.jsonl", "--sandbox", "off"], "--sandbox = 'off'"),
        (["prompts", "preview", "tiny", "--kind", "poem"], "--kind = 'poem'"),
    ],
)
def test_wrong_arguments_exit_with_2_and_say_what_is_wanted(capsys, arguments, message):
    code, out, err = cli(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_a_run_that_does_not_exist(capsys, tmp_path):
    code, _, err = cli(capsys, "status", "LATEST", "--data", tmp_path)
    assert code == 2
    assert "no run" in err
