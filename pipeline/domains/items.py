"""examples/*.toml, problems.jsonl and tasks.jsonl: tasks with their checks, read and checked, nothing executed."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline import checkers
from pipeline.checkers.protocol import Item, Terms
from pipeline.core.identity import canonical_json
from pipeline.core.records import Task
from pipeline.domains.domain import Domain, Given, Gold, Twin
from pipeline.domains.faults import Faults, only_known, read_toml, text_in, text_of, unheld

Malformed = Callable[[Mapping[str, Any]], list[str]]
"""Why a check is none of the domain's checker: one line a fault."""

_ROW = ("id", "prompt", "check", "solution", "group")


def examples(folder: Path, malformed: Malformed, found: list[Faults]) -> tuple[Gold, ...]:
    """The gold items, by file name."""
    gold = []
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        data, faults = read_toml(path, found)
        if faults.found:
            continue
        only_known(data, ("prompt", "solution", "check", "wrong"), faults)
        item = Given(
            id=path.stem,
            prompt=ended(text_of(data, "prompt", faults)),
            solution=ended(text_of(data, "solution", faults)),
            check=_check(data.get("check"), faults, malformed, faults.line("check") or 1),
            place=str(path),
        )
        gold.append(Gold(item, tuple(_twins(data, item, faults))))
    if not gold and not any(one.path.parent == folder for one in found):
        missing = Faults(folder)
        missing.add("", "no example; a domain shows what is right by at least one gold item, a file NAME.toml here")
        found.append(missing)
    return tuple(gold)


def _twins(data: Mapping[str, Any], item: Given, faults: Faults) -> Iterator[Twin]:
    tables = data.get("wrong")
    if not isinstance(tables, list) or not tables or not all(isinstance(one, dict) for one in tables):
        faults.add("wrong", "no wrong twin; add a table [[wrong]] with a solution that the check must reject, and why")
        return
    for number, table in enumerate(tables, 1):
        place = f"wrong.{number}"
        only_known(table, ("solution", "why"), faults, place)
        solution, why = text_of(table, "solution", faults, place), text_of(table, "why", faults, place)
        if ended(solution) == item.solution:
            faults.add("wrong", f"wrong twin {number} is the solution itself")
        yield Twin(ended(solution), why, f"{faults.path}: wrong twin {number}")


def rows(path: Path, malformed: Malformed, found: list[Faults], solved: bool) -> tuple[Given, ...]:
    """The items of a JSON Lines file, () where there is none. solved: whether each needs a solution."""
    if not path.exists():
        return ()
    faults = Faults(path)
    found.append(faults)
    items: list[Given] = []
    lines: dict[str, int] = {}
    prompts: dict[str, int] = {}
    for line, row in _objects(path, faults):
        given = _given(row, malformed, faults, line, solved)
        for what, value, seen in (("id", given.id, lines), ("prompt", given.prompt.strip(), prompts)):
            if value and value in seen:
                faults.add("", f"{what} {value!r:.60} is that of line {seen[value]} too", line)
            seen.setdefault(value, line)
        items.append(given)
    if not items and not faults.found:
        faults.add("", "is empty; write one item a line, or remove the file")
    return tuple(items)


def _given(row: Mapping[str, Any], malformed: Malformed, faults: Faults, line: int, solved: bool) -> Given:
    def text(key: str, wanted: bool = True) -> str:
        value = row.get(key, "")
        if not isinstance(value, str) or (wanted and not value.strip()):
            faults.add("", f"'{key}' should be text, got {value!r:.80}" if key in row else f"'{key}' is missing", line)
            return ""
        return value

    for key in sorted(set(row) - set(_ROW)):
        faults.add("", f"unknown key '{key}'; known: {', '.join(_ROW)}", line)
    return Given(
        id=text("id"),
        prompt=ended(text("prompt")),
        solution=ended(text("solution", solved)),
        check=_check(row.get("check"), faults, malformed, line),
        place=f"{faults.path}:{line}",
        group=text("group", wanted=False),
    )


def _objects(path: Path, faults: Faults) -> Iterable[tuple[int, dict[str, Any]]]:
    try:
        text = text_in(path)
    except (OSError, UnicodeDecodeError) as error:
        faults.add("", f"cannot be read: {error}; it should be JSON Lines in UTF-8")
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            faults.add("", f"is not JSON: {error}", number)
            continue
        held = unheld(row)
        for key, why in held:
            faults.add("", f"'{key}' {why}" if key else why, number)
        if held:
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            faults.add("", f"should be a JSON object, got {row!r:.60}", number)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; raises ValueError where it has a key twice, of which Python would take the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r:.60} is there twice")
    return found


def _check(value: Any, faults: Faults, malformed: Malformed, line: int) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        what = "is missing" if value is None else f"should be a table, got {value!r:.60}"
        faults.add("", f"'check' {what}; its keys are those of the domain's checker", line)
        return {}
    for fault in malformed(value):
        faults.add("", f"check: {fault}", line)
    return value


def test_of(given: Given, domain: Domain) -> str:
    """The check as records hold it: a Python program's test, or the check's JSON text."""
    return str(given.check.get("test", "")) if domain.language == "python" else canonical_json(given.check)


def task_of(given: Given, domain: Domain) -> Task:
    """An item as a seed carries it."""
    entry_point = str(given.check.get("entry_point", "")) if domain.language == "python" else ""
    return Task(entry_point=entry_point, prompt=given.prompt, test=test_of(given, domain))


def item_of(given: Given, solution: str, domain: Domain) -> Item:
    """A solution of an item as the domain's checker takes it: in Python the whole program."""
    return Item(
        given.id, given.prompt, given.prompt + solution if domain.language == "python" else solution, given.check
    )


def item_of_test(item_id: str, prompt: str, solution: str, test: str) -> Item:
    """A solution as a checker takes it, of a record whose test is the JSON of the check."""
    return Item(item_id, prompt, solution, check_of(test))


def check_of(test: str) -> Mapping[str, Any]:
    """The check that a record's test is, outside Python."""
    check: Mapping[str, Any] = json.loads(test)
    return check


def terms_of(domain: Domain, cpu_seconds: float = 5.0, memory_mb: int = 512, packages: tuple[str, ...] = ()) -> Terms:
    """What rulings on the domain's items depend on. packages: beside those of the domain."""
    return Terms(cpu_seconds, memory_mb, tuple(dict.fromkeys((*domain.packages, *packages))), domain.program)


def judging(domain: Domain) -> list[Any]:
    """What a ruling on the domain's items depends on beside limits, for keys."""
    return [domain.checker, checkers.named(domain.checker).version, domain.packages, domain.program]


def ended(text: str) -> str:
    """`text` with one line break at its end; "" stays ""."""
    return text.rstrip("\n") + "\n" if text.strip() else ""
