"""What is wrong with a file of a domain, with the line where it stands; collected, so that all is told at once."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any

from pipeline.core.identity import DEEPEST, deeper_than, storable

_LONGEST_NUMBER = 10_000
"""Bits of a whole number; Python writes none of more than 4,300 digits."""
PAGE = "the format is on the page of domains, prompts/README.md"


class Faults:
    """The faults of one file. `text` is read to find where a key stands."""

    def __init__(self, path: Path, text: str = "") -> None:
        self.path = path
        self.text = text
        self.found: list[str] = []

    def add(self, key: str, message: str, line: int | None = None) -> None:
        """A fault at `key`, dotted as it is nested; `line` where it is known, counted from 1."""
        at = self.line(key) if line is None else line
        self.found.append(f"{self.path}:{at}: {message}" if at else f"{self.path}: {message}")

    def line(self, key: str) -> int | None:
        """Line on which `key` is set, or its table opened, counted from 1; for a list's item, where it first occurs."""
        if not key:
            return None
        inner = re.escape(key if "/" in key or " " in key else key.rpartition(".")[2])
        dotted = re.escape(key)
        patterns = (
            rf"^\s*\[+{dotted}\]",
            rf"^\s*\[.*\.?{inner}\]",
            rf'^\s*"?{inner}"?\s*=',
            rf"^\s*\[.*{inner}.*\]",
            rf'["\']{inner}["\']',
        )
        for pattern in patterns:
            found = re.search(pattern, self.text, re.MULTILINE)
            if found:
                return self.text.count("\n", 0, found.start()) + 1
        return None


def text_in(path: Path) -> str:
    """What a file holds, without a byte order mark. Raises OSError, also for a pipe or a device, whose text may have no
    end, and UnicodeDecodeError."""
    if path.exists() and not path.is_file():
        raise OSError("it is no file")
    return path.read_text(encoding="utf-8-sig")


def unheld(value: Any) -> list[tuple[str, str]]:
    """What of a TOML or JSON value no check can hold: its dotted key, "" for the whole, and why."""
    if deeper_than(value, DEEPEST):
        return [("", f"is nested in more than {DEEPEST} levels")]
    return list(_unheld(value, ""))


def _unheld(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != storable(key):
                yield place, "has a key with half of a surrogate pair, which no file can store"
            yield from _unheld(inner, f"{place}.{storable(key)}".removeprefix("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _unheld(inner, place)
    elif isinstance(value, str):
        if value != storable(value):
            yield place, "holds half of a surrogate pair, which no file can store"
    elif isinstance(value, int):  # and bool
        if value.bit_length() > _LONGEST_NUMBER:
            yield place, f"is a number of more than {_LONGEST_NUMBER:,} bits"
    elif isinstance(value, float):
        if not isfinite(value):
            yield place, f"is {value}, for which JSON has no form; write a number or text"
    elif value is not None:
        yield place, f"is a date or time ({value}); write it as text, in quotes"


def read_toml(path: Path, found: list[Faults]) -> tuple[dict[str, Any], Faults]:
    """A TOML file and where its faults go, which are among `found` then; an empty table where it cannot be read."""
    faults = Faults(path)
    found.append(faults)
    try:
        faults.text = text_in(path)
        data = tomllib.loads(faults.text)
        for key, why in unheld(data):
            faults.add(key, f"'{key}' {why}" if key else why)
        return ({} if faults.found else data), faults
    except FileNotFoundError:
        faults.add("", "is missing")
    except (OSError, UnicodeDecodeError) as error:
        faults.add("", f"cannot be read: {error}; it should be a TOML file in UTF-8")
    except (ValueError, RecursionError) as error:
        faults.add("", f"is not TOML: {error}")
    return {}, faults


def nearest(name: str, known: Iterable[str]) -> str:
    """A question whether another name was meant, "" where none is near."""
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def text_of(data: dict[str, Any], key: str, faults: Faults, place: str = "", wanted: bool = True) -> str:
    """The text at `key`; a fault and "" where it is none. place: the dotted key of the table."""
    value = data.get(key)
    dotted = f"{place}.{key}" if place else key
    if isinstance(value, str) and (value.strip() or not wanted):
        return value
    if value is None and key not in data:
        if wanted:
            faults.add(place, f"'{dotted}' is missing; it should be text")
    else:
        faults.add(dotted, f"'{dotted}' should be text, got {value!r:.80}")
    return ""


def texts_of(value: Any, key: str, faults: Faults) -> tuple[str, ...]:
    """A list of text with at least one item; a fault and () where it is none."""
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return tuple(value)
    faults.add(key, f"'{key}' should be a list of strings with at least one item, got {value!r:.80}")
    return ()


def only_known(data: dict[str, Any], known: Iterable[str], faults: Faults, place: str = "") -> None:
    """A fault for each key that is not among `known`."""
    names = list(known)
    for key in data:
        if key not in names:
            dotted = f"{place}.{key}" if place else key
            faults.add(dotted, f"unknown key '{dotted}'{nearest(key, names) or '; known: ' + ', '.join(names)}")
