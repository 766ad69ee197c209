"""How a command ends: one exit code, one message for a person and, with --json, one object on stdout.

::

    {"error": {"code": 2, "kind": "RecipeError", "message": "...", "hint": "...", "stage": "", "run": ""}}

code is the exit code; kind is the class of `pipeline.core.errors`, or "Internal" for a mistake of ours; stage and run
are "" where no run was under way. A command that has a result and fails nevertheless (`doctor` on a machine that is not
ready) has "error" among the result's keys.
"""

import codecs
import contextlib
import os
import select
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import typer

from pipeline.cli import options as command_line
from pipeline.cli.options import stderr
from pipeline.core import environment
from pipeline.core.errors import DiskFull, HornbookError, Interrupted, UsageError, happened_in
from pipeline.core.interrupts import terminable, undisturbed
from pipeline.store.disk import is_full

INTERRUPTED = "interrupted: run the same command again; what was finished is not done twice"

_Refused: type[Any] = typer.BadParameter.__mro__[2]
"""ClickException, by a way that holds for a Typer that uses click and for one that carries its own."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command did not do what it was asked. code: its exit code."""

    code: int
    kind: str
    message: str
    hint: str = ""
    stage: str = ""
    run: str = ""


def guarded(call: Callable[[], Any], arguments: Sequence[str]) -> int:
    """Run a command; returns its exit code after saying on stderr, and with --json on stdout, how it ended.

    call: gives None or an exit code, or raises. arguments: the command line, to see whether it asks for JSON.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    asked = "--json" in arguments[: arguments.index("--") if "--" in arguments else None]
    with terminable():
        with command_line.holding_json() if asked else contextlib.nullcontext() as objects:
            code, error = _ended(call)
        with undisturbed():
            return _last_words(code, error, objects, command_line.given_data(arguments))


def _ended(call: Callable[[], Any]) -> tuple[int, BaseException | None]:
    """The exit code and what was raised, if anything was."""
    try:
        code = call() or 0
    except SystemExit as stop:  # Typer ends this way at any EPIPE, be it of stdout or of a worker's socket
        if isinstance(stop.__context__, OSError):
            return 1, None if _unread() else stop.__context__
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None), None
    except BaseException as error:
        return 1, error
    # Typer gives this code for a KeyboardInterrupt that the verb did not handle.
    return code, KeyboardInterrupt() if code == Interrupted.exit_code else None


def _unread() -> bool:
    """Whether the reader of stdout is gone, as `head` is after ten lines: then there is nobody to tell."""
    try:
        poll = select.poll()
        poll.register(sys.__stdout__.fileno() if sys.__stdout__ else -1, 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False


def failure_of(error: BaseException) -> Failure:
    """The failure that an exception means, without any key in it."""
    run, stage = happened_in(error)
    return replace(_failure(error), run=run, stage=stage)


def _failure(error: BaseException) -> Failure:
    match error:
        case HornbookError():
            return Failure(error.exit_code, type(error).__name__, _redacted(error.message), _redacted(error.hint))
        case KeyboardInterrupt():
            message, _, hint = INTERRUPTED.partition(": ")
            return Failure(Interrupted.exit_code, Interrupted.__name__, message, hint)
        case typer.Abort():
            return Failure(HornbookError.exit_code, "Aborted", "aborted")
        case MemoryError():
            return Failure(1, "MemoryError", "out of memory", "use fewer workers or a smaller batch, then run again")
        case OSError():
            full = is_full(error)
            about = f"{error.filename}: " if error.filename else ""
            hint = "free space, then run again: finished work is kept" if full else _DEBUG_HINT
            kind = DiskFull.__name__ if full else type(error).__name__
            return Failure(1, kind, _redacted(f"{about}{error.strerror or error}"), hint)
    encoding = sys.getfilesystemencoding()
    if isinstance(error, UnicodeEncodeError) and codecs.lookup(error.encoding) == codecs.lookup(encoding) != _UTF_8:
        characters = ascii(error.object[error.start : error.end])
        hint = "set LC_ALL=C.UTF-8 or PYTHONUTF8=1, then run the same command again"
        message = f"{characters} cannot be in a file's name here, where names are in {encoding}: {error.object!a}"
        return Failure(UsageError.exit_code, UsageError.__name__, _redacted(message), hint)
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):  # before Python 3.13 no OSError
        return Failure(UsageError.exit_code, UsageError.__name__, str(error), "name a place that is no loop of links")
    if isinstance(error, _Refused):
        context = getattr(error, "ctx", None)
        hint = f"`{context.command_path} --help` says what it takes" if context else ""
        return Failure(error.exit_code, UsageError.__name__, error.format_message() or "a command is missing", hint)
    told = " ".join(str(error).split())
    return Failure(1, "Internal", _redacted(f"internal error: {type(error).__name__}: {told}"), _REPORT_HINT)


_UTF_8 = codecs.lookup("utf-8")
_DEBUG_HINT = f"{environment.DEBUG}=1 shows where"
_REPORT_HINT = (
    f"this is a mistake of Hornbook's, please report it; {environment.DEBUG}=1 shows the traceback, "
    "and that of a run is in traceback.txt of the run's folder"
)


def _say(error: BaseException, failure: Failure) -> None:
    """The failure for a person, on stderr."""
    if os.environ.get(environment.DEBUG, "0") not in ("", "0"):
        stderr.print(redacted_traceback(error), markup=False, soft_wrap=True)
    if isinstance(error, _Refused):
        error.show()
        return
    if failure.code == Interrupted.exit_code and not isinstance(error, HornbookError):
        stderr.print(INTERRUPTED, markup=False, soft_wrap=True)
        return
    hint = f"\n  {failure.hint}" if failure.hint else ""
    stderr.print(f"error: {failure.message}{hint}", markup=False, soft_wrap=True)


def _last_words(code: int, error: BaseException | None, objects: list[Any] | None, data: str) -> int:
    """Says how the command ended, writes the one object where one is wanted; returns the exit code."""
    failure = None
    if error is not None:
        failure = failure_of(error)
        failure = replace(failure, hint=command_line.with_data(failure.hint, data))
        code = failure.code
        with contextlib.suppress(OSError):  # stderr may be closed too
            _say(error, failure)
    if objects is None or not (objects or code):
        return code
    found = objects[-1] if objects else {}
    if code and "error" not in found:
        found = {**found, "error": asdict(failure or Failure(code, "Failed", f"failed with exit code {code}"))}
    try:
        command_line.write(command_line.json_text(found))
    except (typer.Exit, HornbookError) as unread:
        if isinstance(unread, HornbookError):
            stderr.print(f"error: {unread}", markup=False, soft_wrap=True)
        return code or 1
    return code


def redacted_traceback(error: BaseException) -> str:
    """The traceback of an error, with every key of this process masked. Values of variables are not in it."""
    return _redacted("".join(traceback.format_exception(error)))


def _redacted(text: str) -> str:
    known = sys.modules.get("pipeline.teacher.redaction")  # where it was never imported no key was read
    return known.redact(text) if known else text
