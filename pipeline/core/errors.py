"""Every error Hornbook raises on purpose, as one tree.

::

    HornbookError                    exit 1   root; `except HornbookError` is enough at the edge
    ├── UsageError                   exit 2   the user's words are wrong: nothing was run
    │   ├── RecipeError                       a recipe key, value or file
    │   ├── MissingExtra                      an optional dependency is not installed
    │   ├── MissingKey                        an API key is not in the environment
    │   └── InputError                        a data file given by the user (names file and line)
    ├── StoreError                   exit 1   artifacts on disk
    │   ├── StoreFormatError                  written by a newer format of the store
    │   ├── StoreBusy                         another process is writing the same artifact
    │   └── DiskFull                          no space left; what was finished is kept
    ├── TeacherError                 exit 1   a teacher cannot go on
    │   └── AuthenticationError               the endpoint refused the key
    ├── BudgetReached                exit 3   a hard cap on tokens or dollars; resumable
    ├── SandboxUnavailable           exit 1   a layer of isolation is missing and `--sandbox=weak` was not given
    ├── EmptyCorpus                  exit 1   cleaning left nothing to train on
    ├── TrainingError                exit 1   the loss diverged or is not a number, or a process died
    └── Interrupted                  exit 130 Ctrl-C or SIGTERM, after draining; resumable

A message has one sentence for what was found and one for the next thing to do (`hint`). Exceptions of other
libraries are wrapped at the edges only (teacher, tokens, sandbox, store).
"""

import contextlib
from collections.abc import Iterable
from typing import ClassVar


class HornbookError(Exception):
    """Any error that Hornbook raises on purpose; the root of the tree.

    `str(error)` is the message, then the hint on a line of its own where there is one.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(HornbookError):
    """The command line, the recipe or an input file is wrong; nothing was run."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe cannot be used. The message lists every problem of the recipe, not the first.

    problems: each of them, for whoever reads several recipes and tells what is wrong with all.
    """

    def __init__(self, message: str, *, hint: str = "", problems: Iterable[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems) or (message,)


class MissingExtra(UsageError):
    """A feature needs an optional dependency that is not installed."""


class MissingKey(UsageError):
    """The environment variable that holds an API key is not set."""


class InputError(UsageError):
    """A data file cannot be read; the message names the file and, where there is one, the line."""


class StoreError(HornbookError):
    """An artifact cannot be read or written."""


class StoreFormatError(StoreError):
    """An artifact was written by a newer format than this version reads."""


class StoreBusy(StoreError):
    """Another process holds the lock of the artifact that this one wants to write."""


class DiskFull(StoreError):
    """No space left on the device of the store. Finished artifacts and journal lines are whole."""


class TeacherError(HornbookError):
    """A teacher cannot go on at all (not: one request failed, which is a dropped record)."""


class AuthenticationError(TeacherError):
    """The endpoint refused the key: retrying cannot help, so the run stops at the first one."""


class BudgetReached(HornbookError):
    """A hard cap (`budget_usd`, `budget_tokens`) stopped the run. What was paid for is on disk."""

    exit_code = 3


class SandboxUnavailable(HornbookError):
    """The kernel refuses a layer of isolation that running model-written code needs."""


class EmptyCorpus(HornbookError):
    """A stage has kept no record, so there is nothing for the next one to work on."""


class TrainingError(HornbookError):
    """Training cannot go on: the loss is not finite or has diverged, or one of its processes has ended."""


class Interrupted(HornbookError):
    """The user interrupted the run; finished work is on disk and the next call goes on from there."""

    exit_code = 130


def happening_in(error: BaseException, run: str, stage: str) -> None:
    """Note on any error in which run, and in which stage of it, it was raised."""
    with contextlib.suppress(AttributeError):
        error._happened_in = (run, stage)  # type: ignore[attr-defined]


def happened_in(error: BaseException | None) -> tuple[str, str]:
    """Run and stage that were noted on an error, or on one that it was raised from; "" where none were."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        noted: tuple[str, str] | None = getattr(error, "_happened_in", None)
        if noted:
            return noted
        error = error.__cause__ or error.__context__
    return "", ""
