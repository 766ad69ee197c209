"""In the sandbox: documents against schemas, by the library jsonschema."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

Answer = dict[str, Any]
"""`fault`: why the check does not hold; or `reason` ("" for right), `expected`, `found` and `where`."""
_MOST_TWINS = 300
_NOT_HELD = (ArithmeticError, ValueError, TypeError, AttributeError, LookupError, RecursionError, re.error)
"""What the library raises for schemas and documents that its authors did not think of."""
_OTHER_TYPES: tuple[Any, ...] = (None, "text", -1, 1.5, True, [], {})


class _NoSchema(Exception):
    """What should be a schema is none."""


class _Undecided(Exception):
    """The library cannot hold a document against a schema: a number is too large, or a reference comes round again."""


class _Schema:
    """A schema of the draft that it names, 2020-12 where it names none; `format` is checked."""

    def __init__(self, schema: Any) -> None:
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for

        if not isinstance(schema, dict | bool):
            raise _NoSchema(f"{_told(schema)} is neither an object nor true or false")
        if isinstance(schema, dict) and not isinstance(schema.get("$schema", ""), str):
            raise _NoSchema(f"at $schema: {_told(schema['$schema'])} is no text")
        kind = validator_for(schema, default=Draft202012Validator)
        try:
            kind.check_schema(schema)
        except SchemaError as error:
            raise _NoSchema(f"{_place(error)}{error.message}") from None
        except _NOT_HELD as error:
            raise _NoSchema(f"{type(error).__name__}: {error}") from None
        self.validator = kind(schema, format_checker=kind.FORMAT_CHECKER)

    def objection(self, document: Any) -> str:
        """Why it refuses a document, "" where it does not. Raises _NoSchema for a reference that leads nowhere, and
        _Undecided."""
        from jsonschema.exceptions import best_match
        from referencing.exceptions import Unresolvable

        try:
            error = best_match(self.validator.iter_errors(document))
        except Unresolvable as unresolvable:
            raise _NoSchema(f"the reference {unresolvable.ref!r} leads nowhere") from None
        except _NOT_HELD as reason:
            raise _Undecided(f"{type(reason).__name__}: {reason}"[:200]) from None
        return "" if error is None else f"{_place(error)}{error.message}"


def _place(error: Any) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return f"at {path.lstrip('.')}: " if path else ""


def _wrong(reason: str, expected: str, found: str, where: str = "") -> Answer:
    return {"reason": reason, "expected": expected, "found": found, "where": where}


def document(text: str, schema: Any, equals: list[Any], invalid: list[Any]) -> Answer:
    """Judge a document. equals: what it must be, in a list, [] for anything. invalid: what the schema must refuse."""
    try:
        held = _Schema(schema)
        for number, twin in enumerate(invalid, start=1):
            if not held.objection(twin):
                return {"fault": f"'invalid' {number} is valid by the schema: {_told(twin)}"}
        try:
            given = parsed(text)
        except (ValueError, RecursionError) as error:
            return _wrong("no-json", "", str(error) or "it is nested too deeply")
        try:
            objection = held.objection(given)
        except _Undecided as undecided:
            return _wrong("too-large", "", f"it cannot be held against the schema: {undecided}")
        if objection:
            return _wrong("invalid", "", objection)
        if equals and not _equal(equals[0], given):
            return _wrong("not-equal", _told(equals[0]), _told(given))
        made = list(twins(given))
        if not equals and made and not any(_refuses(held, one) for one in made):
            return {"fault": f"the schema refuses none of {len(made)} documents made from the answer: it says nothing"}
    except _Undecided as undecided:
        return {"fault": f"'invalid' cannot be held against the schema: {undecided}"}
    except _NoSchema as error:
        return {"fault": f"'schema' is none: {error}"}
    return {"reason": ""}


def schema(text: str, valid: list[Any], invalid: list[Any], reference: list[Any]) -> Answer:
    """Judge a schema. reference: a right one, in a list, [] for none."""
    right = None
    if reference:
        try:
            right = _Schema(reference[0])
            for number, one in enumerate(valid, start=1):
                if right.objection(one):
                    return {"fault": f"the reference refuses 'valid' {number}: {right.objection(one)}"}
            for number, one in enumerate(invalid, start=1):
                if not right.objection(one):
                    return {"fault": f"the reference accepts 'invalid' {number}: {_told(one)}"}
        except (_NoSchema, _Undecided) as error:
            return {"fault": f"'reference' is no schema: {error}"}
    try:
        parts = parsed(text)
    except (ValueError, RecursionError) as error:
        return _wrong("no-json", "", str(error) or "it is nested too deeply")
    try:
        return _against(_Schema(parts), right, valid, invalid)
    except _NoSchema as error:
        return _wrong("no-schema", "", str(error))
    except _Undecided as undecided:
        return _wrong("no-schema", "", f"no document can be held against it: {undecided}")


def _against(given: _Schema, right: _Schema | None, valid: list[Any], invalid: list[Any]) -> Answer:
    """Judge a schema by the documents of its check, and by those made from them."""
    for one in valid:
        if objection := given.objection(one):
            return _wrong("refuses-valid", f"{_told(one)} is valid", objection)
    for one in invalid:
        if not given.objection(one):
            return _wrong("accepts-invalid", f"{_told(one)} is refused", "it is valid")
    if right is None:
        return {"reason": ""}
    for one in sorted((twin for each in valid for twin in twins(each)), key=lambda twin: len(_told(twin))):
        try:
            wanted = right.objection(one)
        except _Undecided:
            continue
        found = given.objection(one)
        if wanted and not found:
            return _wrong("accepts-invalid", f"{_told(one)} is refused ({wanted})", "it is valid")
        if found and not wanted:
            return _wrong("refuses-valid", f"{_told(one)} is valid", found)
    return {"reason": ""}


def _refuses(schema: _Schema, document: Any) -> bool:
    try:
        return bool(schema.objection(document))
    except _Undecided:
        return False


def answer(kind: str, **given: Any) -> Answer:
    """Judge one item. kind: "document" or "schema"."""
    return document(**given) if kind == "document" else schema(**given)


def parsed(text: str) -> Any:
    """A JSON text, as RFC 8259 has it: no NaN, no name twice. Raises ValueError and RecursionError."""

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            raise ValueError(f"the name {next(n for n in names if names.count(n) > 1)!r} stands twice in one object")
        return found

    return json.loads(text, parse_constant=refuse, object_pairs_hook=once)


def twins(document: Any) -> Iterator[Any]:
    """Documents with one thing changed: a property or an item left out, put in or doubled, a value of another type, a
    number moved far, a text emptied or grown."""
    for count, twin in enumerate(_twins(document, document, [])):
        if count >= _MOST_TWINS:
            return
        yield twin


def _twins(whole: Any, part: Any, path: list[Any]) -> Iterator[Any]:
    for other in (*_OTHER_TYPES, *_neighbours(part)):
        if not _equal(other, part):
            yield _with(whole, path, other)
    if isinstance(part, dict):
        for name in part:
            yield _with(whole, path, {key: value for key, value in part.items() if key != name})
        yield _with(whole, path, part | {"unexpected": 1})
    if isinstance(part, list) and part:
        yield _with(whole, path, part[:-1])
        yield _with(whole, path, [*part, part[-1]])
    for key, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        yield from _twins(whole, value, [*path, key])


def _neighbours(value: Any) -> tuple[Any, ...]:
    if isinstance(value, str):
        return "", value + value, value + "!", value.upper(), value[:-1]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value + 1, value - 1, 0, -value, value * 1000, *((value + 0.5,) if abs(value) < 1e300 else ())
    return ()


def _with(whole: Any, path: list[Any], value: Any) -> Any:
    """A copy of `whole` with `value` at `path`."""
    if not path:
        return value
    changed = copy.deepcopy(whole)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


def _equal(one: Any, other: Any) -> bool:
    """As JSON has it: numbers by value, true is no 1, the order of names does not count."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


def _told(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except ValueError:  # a whole number of more digits than Python writes
        text = f"a {type(value).__name__} with a number of more than 4,300 digits"
    return text if len(text) <= 120 else f"{text[:120]}..."
