"""What a check may hold: its keys with the types of their values, held against a table with all faults at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pipeline.checkers.protocol import Check

_WORDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a table"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a check. kind: of its value, or a tuple of kinds. one_of: the values that it may have, () for any."""

    kind: type | tuple[type, ...]
    meaning: str
    required: bool = False
    one_of: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[type, ...]:
        return self.kind if isinstance(self.kind, tuple) else (self.kind,)


def malformed(check: Check, keys: Mapping[str, Key]) -> list[str]:
    """What is wrong with the keys of `check` and the types of their values."""
    faults = [f"unknown key '{name}'{_nearest(name, keys)}" for name in check if name not in keys]
    for name, key in keys.items():
        if name not in check:
            if key.required:
                faults.append(f"'{name}' is missing: {key.meaning}")
            continue
        value = check[name]
        if not _fits(value, key.kinds):
            faults.append(f"'{name}' should be {_worded(key.kinds)}, got {_shown(value)}")
        elif key.one_of and value not in key.one_of:
            faults.append(f"'{name}' should be one of {', '.join(key.one_of)}, got {_shown(value)}")
    return faults


def _nearest(name: str, keys: Mapping[str, Key]) -> str:
    near = get_close_matches(name, keys, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; known keys are {', '.join(keys)}"


def _fits(value: object, kinds: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in kinds
    if isinstance(value, str):
        return str in kinds
    if isinstance(value, Mapping):
        return dict in kinds
    if isinstance(value, Sequence):
        return list in kinds
    if isinstance(value, int):
        return int in kinds or float in kinds
    return isinstance(value, kinds)


def _worded(kinds: tuple[type, ...]) -> str:
    return " or ".join(_WORDS[kind] for kind in kinds)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
