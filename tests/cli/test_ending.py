"""Every command ends with one message, the right exit code and, with --json, exactly one JSON object on stdout."""

import contextlib
import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import unicodedata

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli import ending
from pipeline.cli import main as cli
from pipeline.cli import options as command_line
from pipeline.cli.ending import guarded
from pipeline.cli.options import print_json, say
from pipeline.core import errors
from pipeline.core.errors import happening_in

KEYS = {"code", "kind", "message", "hint", "stage", "run"}


def raising(error):
    def call():
        raise error

    return call


def ended(capsys, call, *arguments):
    code = guarded(call, arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


CASES = [
    (errors.HornbookError("bad", hint="mend it"), 1, "HornbookError", "bad", "mend it"),
    (errors.RecipeError("bad"), 2, "RecipeError", "bad", ""),
    (errors.MissingKey("no key"), 2, "MissingKey", "no key", ""),
    (errors.BudgetReached("$1 of $1"), 3, "BudgetReached", "$1 of $1", ""),
    (errors.DiskFull("full", hint="free space"), 1, "DiskFull", "full", "free space"),
    (errors.Interrupted("stopped"), 130, "Interrupted", "stopped", ""),
    (KeyboardInterrupt(), 130, "Interrupted", "interrupted", "run the same command again"),
    (OSError(errno.ENOSPC, "No space left on device", "/a/b"), 1, "DiskFull", "/a/b: No space left", "free space"),
    (OSError(errno.EMFILE, "Too many open files", "/a"), 1, "OSError", "/a: Too many open files", "HORNBOOK_DEBUG=1"),
    (MemoryError(), 1, "MemoryError", "out of memory", "fewer workers"),
    (ZeroDivisionError("division by zero"), 1, "Internal", "internal error: ZeroDivisionError: division", "report it"),
    (RecursionError("too deep"), 1, "Internal", "internal error: RecursionError: too deep", "report it"),
    (typer.Abort(), 1, "Aborted", "aborted", ""),
]


@pytest.mark.parametrize(("error", "code", "kind", "message", "hint"), CASES, ids=lambda value: type(value).__name__)
def test_an_error_is_one_object_and_one_message_without_a_traceback(capsys, error, code, kind, message, hint):
    got, out, err = ended(capsys, raising(error), "run", "--json")
    found = json.loads(out)
    assert list(found) == ["error"]
    assert set(found["error"]) == KEYS
    assert got == found["error"]["code"] == code
    assert found["error"]["kind"] == kind
    assert message in found["error"]["message"]
    assert hint in found["error"]["hint"]
    assert message.split(":")[0] in err
    assert "Traceback" not in err
    assert ended(capsys, raising(error), "run")[:2] == (code, "")
    assert ended(capsys, raising(error), "run", "--", "--json")[:2] == (code, "")


def test_every_error_of_ours_has_its_exit_code_in_the_object(capsys):
    for kind in (getattr(errors, name) for name in dir(errors)):
        if isinstance(kind, type) and issubclass(kind, errors.HornbookError):
            code, out, _ = ended(capsys, raising(kind("x")), "--json")
            assert (code, json.loads(out)["error"]["kind"]) == (kind.exit_code, kind.__name__)


def test_run_and_stage_are_found_through_the_errors_that_followed(capsys):
    def call():
        try:
            first = OSError(errno.ENOSPC, "full")
            happening_in(first, "mine", "student")
            raise first
        except OSError as error:
            raise errors.DiskFull("no space left") from error

    _, out, _ = ended(capsys, call, "--json")
    assert (json.loads(out)["error"]["run"], json.loads(out)["error"]["stage"]) == ("mine", "student")


def test_what_is_printed_beside_the_object_goes_to_stderr_and_the_last_object_is_the_one(capsys):
    def call():
        print("from a library")
        print_json({"a": 1})
        say("a line")

    code, out, err = ended(capsys, call, "--json")
    assert (code, json.loads(out)) == (0, {"a": 1})
    assert "from a library" in err
    assert "a line" in err
    assert command_line._held is None


def test_a_command_that_has_a_result_and_fails_has_the_error_beside_it(capsys):
    def call():
        print_json({"ready": False})
        return 1

    code, out, _ = ended(capsys, call, "--json")
    found = json.loads(out)
    assert (code, found["ready"], found["error"]["code"]) == (1, False, 1)


def test_a_traceback_is_shown_on_request_and_holds_no_key(capsys, monkeypatch):
    from pipeline.teacher.redaction import Secret

    Secret("sk-very-secret-key")
    monkeypatch.setenv("HORNBOOK_DEBUG", "1")
    code, out, err = ended(capsys, raising(ValueError("refused sk-very-secret-key")), "--json")
    assert code == 1
    assert "Traceback" in err
    assert "ValueError: refused [key]" in json.loads(out)["error"]["message"]
    assert "sk-very-secret-key" not in out + err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], ""),
        (["rum"], "No such command 'rum'"),
        (["run"], "Missing argument 'RECIPE'"),
        (["run", "tiny", "--nope"], "No such option:? '?--nope"),
        (["show", "LATEST"], "Missing argument 'STAGE'"),
        (["show", "LATEST", "seeds", "-n", "x"], "Invalid value for '-n'"),
        (["prompts", "preview", "tiny"], "No such option:? '?--json"),
    ],
)
def test_what_the_grammar_refuses_is_an_object_too(capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        cli.main([*arguments, "--json"])
    captured = capsys.readouterr()
    found = json.loads(captured.out)["error"]
    assert (stop.value.code, found["code"], found["kind"]) == (2, 2, "UsageError")
    assert re.search(message, found["message"])  # quoted or not, as the command line's library has it
    assert "--help` says what it takes" in found["hint"]
    assert "Traceback" not in captured.err


def test_sigterm_is_an_interruption_for_every_verb(capsys):
    before = signal.getsignal(signal.SIGTERM)
    code, out, err = ended(capsys, lambda: signal.raise_signal(signal.SIGTERM), "clean", "--json")
    assert (code, json.loads(out)["error"]["kind"]) == (130, "Interrupted")
    assert err.count("interrupted: run the same command again") == 1
    assert signal.getsignal(signal.SIGTERM) is before


def command(*arguments, **settings):
    return subprocess.Popen([sys.executable, "-m", "pipeline.cli.main", *arguments], stderr=subprocess.PIPE, **settings)


@pytest.mark.parametrize("arguments", [["recipes", "--json"], ["recipes"], ["--version"], ["run", "--help"]])
def test_a_reader_that_has_gone_gives_no_traceback(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    with command(*arguments, stdout=writer) as process:
        os.close(writer)
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_stdout_that_is_full_or_closed_gives_no_traceback():
    with open("/dev/full", "wb") as full, command("recipes", "--json", stdout=full) as process:  # noqa: PTH123
        assert b"stdout cannot be written: No space left on device" in process.stderr.read()
    assert process.returncode == 1
    closed = [sys.executable, "-c", "import os, sys; os.close(1); os.execv(sys.executable, sys.argv[1:])"]
    done = subprocess.run(
        [*closed, sys.executable, "-m", "pipeline.cli.main", "recipes"],
        capture_output=True,
        check=False,
        close_fds=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_json_is_json_where_stdout_has_ascii_alone():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    with command("run", "näme", "--json", stdout=subprocess.PIPE, env=environment) as process:
        out, err = process.communicate()
    assert "no recipe 'näme'" in json.loads(out)["error"]["message"]
    assert b"Traceback" not in err


OBEYED = st.text(st.sampled_from([*map(chr, range(32)), *map(chr, range(127, 160)), *"\u202e\u2066a é日\n\t\ud800"]))


@given(OBEYED)
def test_nothing_that_is_shown_commands_the_terminal(text):
    shown, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(shown):
        say(text)
        print_json({"text": text, text: [text]})
    with contextlib.redirect_stderr(told):
        guarded(raising(errors.HornbookError(text, hint=text)), [])
        command_line.stderr.print(text, markup=False)
    for out in (shown.getvalue(), told.getvalue()):
        assert not {letter for letter in out if unicodedata.category(letter) == "Cc" or letter in "\u202e\u2066"} - {
            *"\n\t"
        }
    value, end = json.JSONDecoder().raw_decode(shown.getvalue(), shown.getvalue().index("{\n"))
    assert value == {"text": text, text: [text]}
    assert shown.getvalue()[end:] == "\n"


@given(
    st.recursive(
        st.floats() | st.none() | st.text(max_size=2),
        lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(max_size=2) | st.integers(), inner),
    )
)
def test_json_has_no_number_that_json_has_not(value):
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        print_json(value)

    def refuse(word):
        raise AssertionError(word)

    json.loads(shown.getvalue(), parse_constant=refuse)


def test_failure_of_has_no_line_break_in_an_internal_message():
    assert "\n" not in ending.failure_of(ValueError("a\n b")).message


def test_a_name_that_the_locale_cannot_hold_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.cli.ending.sys.getfilesystemencoding", lambda: "iso8859-1")
    error = UnicodeEncodeError("latin-1", "/tmp/\u6a21", 5, 6, "ordinal not in range(256)")
    failure = ending.failure_of(error)
    assert failure.code == 2
    assert failure.message == (
        "'\\u6a21' cannot be in a file's name here, where names are in iso8859-1: '/tmp/\\u6a21'"
    )
    assert failure.hint == "set LC_ALL=C.UTF-8 or PYTHONUTF8=1, then run the same command again"
    assert ending.failure_of(UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")).code == 1
