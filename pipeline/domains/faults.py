"""What is wrong with a file of a domain, with the line where it stands; collected, so that all is told at once."""

import difflib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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


def read_toml(path: Path, found: list[Faults]) -> tuple[dict[str, Any], Faults]:
    """A TOML file and where its faults go, which are among `found` then; an empty table where it cannot be read."""
    faults = Faults(path)
    found.append(faults)
    try:
        faults.text = path.read_text(encoding="utf-8")
        return tomllib.loads(faults.text), faults
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
