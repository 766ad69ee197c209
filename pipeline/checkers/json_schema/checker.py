"""`json-schema`: a document held against a schema, or a schema against documents."""

from typing import Any

from pipeline.checkers.protocol import (
    BAD_CHECK,
    BAD_CHECK_MEANS,
    Check,
    Item,
    Kind,
    Means,
    Ruling,
    Terms,
)
from pipeline.checkers.running import Executing, Work, calling, oversize, ruled
from pipeline.checkers.shapes import Key, malformed
from pipeline.sandbox import Limits, Program, Sandbox

LONGEST = 100_000
"""Characters of an answer at most."""
_ANY = (str, bool, int, float, list, dict, type(None))
_KEYS = {
    "schema": Key((dict, bool), "the answer is a document that this JSON Schema accepts"),
    "equals": Key(_ANY, "with `schema`: what the document has to be"),
    "valid": Key(list, "the answer is a JSON Schema that accepts each of these documents"),
    "invalid": Key(list, "documents that the schema, the given one or the answer, refuses"),
    "reference": Key(
        (dict, bool), "with `valid`: a right schema; documents made from the valid ones are held against both"
    ),
}
_REASONS = {
    "no-json": "it is no JSON",
    "invalid": "the document is refused by the schema",
    "not-equal": "the document is valid and not the one that is wanted",
    "no-schema": "it is JSON and no JSON Schema",
    "refuses-valid": "the schema refuses a document that it must accept",
    "accepts-invalid": "the schema accepts a document that it must refuse",
    "too-large": "the answer or its memory is over a limit",
    "timeout": "it used up its CPU time",
    BAD_CHECK: BAD_CHECK_MEANS,
}
_MODULE = "pipeline.checkers.json_schema.child"


def _faults(check: Check) -> list[str]:
    faults = malformed(check, _KEYS)
    if faults:
        return faults
    if ("schema" in check) == ("valid" in check):
        faults.append("one of 'schema' (the answer is a document) and 'valid' (it is a schema) is needed, and not both")
    if "valid" in check and not check["valid"]:
        faults.append("'valid' is empty")
    if "valid" in check and not check.get("invalid") and "reference" not in check:
        faults.append("there is neither a document in 'invalid' nor a 'reference': the schema true would be right")
    for key, other in (("equals", "schema"), ("reference", "valid")):
        if key in check and other not in check:
            faults.append(f"'{key}' goes with '{other}'")
    return faults


def _program(item: Item) -> Program | Ruling:
    if len(item.solution) > LONGEST:
        return oversize(item, item.solution, LONGEST)
    check = item.check
    given: dict[str, Any] = {"text": item.solution, "invalid": check.get("invalid", [])}
    if "schema" in check:
        equals = [check["equals"]] if "equals" in check else []
        return calling(item, _MODULE, kind="document", schema=check["schema"], equals=equals, **given)
    reference = [check["reference"]] if "reference" in check else []
    return calling(item, _MODULE, kind="schema", valid=check["valid"], reference=reference, **given)


def _make(terms: Terms, means: Means) -> Executing:
    limits = Limits(cpu_seconds=terms.cpu_seconds, memory_mb=terms.memory_mb)
    packages = ("jsonschema",)
    sandbox = Sandbox(limits, workers=means.workers, mode=means.mode, packages=packages, modules=(_MODULE,))
    return Executing(KIND.name, Work(_faults, _program, ruled), sandbox)


KIND = Kind(
    name="json-schema",
    language="text",
    version=1,
    what="a document held against a JSON Schema, or a JSON Schema against documents",
    reasons=_REASONS,
    keys={name: key.meaning for name, key in _KEYS.items()},
    faults=_faults,
    make=_make,
)
