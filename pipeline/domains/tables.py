"""topics.toml, axes.toml, names.toml and words.toml: each read into its part of a domain, its faults collected."""

import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pipeline.core.records import Column, DocumentKind
from pipeline.core.template import SEED_VARIABLES
from pipeline.domains.domain import Axis, Value, below, prefixes
from pipeline.domains.faults import Faults, nearest, text_of, texts_of
from pipeline.languages.python.naming import why_not_a_name

TITLE = "title"
"""The key of a branch that names the branch itself, and so can be no leaf's."""
KINDS: tuple[DocumentKind, ...] = ("textbook", "exercise")

_SLUG = re.compile(r"[^\W_A-Z]+(-[^\W_A-Z]+)*")
_AXIS = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = frozenset({"kinds", "only"})


def is_slug(key: str) -> bool:
    """Lower-case words, of any script, joined by dashes."""
    return bool(_SLUG.fullmatch(key)) and key == key.lower()


def topics(data: Mapping[str, Any], faults: Faults) -> dict[str, str]:
    """Leaf path -> title, sorted by path."""
    found: dict[str, str] = {}

    def walk(branch: Mapping[str, Any], parts: tuple[str, ...]) -> None:
        for key, value in branch.items():
            dotted = ".".join((*parts, key))
            if isinstance(value, dict):
                if not is_slug(key):
                    faults.add(dotted, f"branch '{dotted}' should be lower-case words joined by dashes")
                walk(value, (*parts, key))
            elif not isinstance(value, str) or not value.strip():
                faults.add(dotted, f"'{dotted}' should be a title in words, got {value!r:.80}")
            elif key != TITLE:
                if not is_slug(key):
                    faults.add(dotted, f"leaf '{dotted}' should be lower-case words joined by dashes")
                if not parts:
                    faults.add(dotted, f"leaf '{dotted}' lies in no branch; put it under a table [branch]")
                found["/".join((*parts, key))] = value.strip()

    walk(data, ())
    if not found and not faults.found:
        faults.add("", "no topic; add a table [branch] with leaves")
    return dict(sorted(found.items()))


def axes(data: Mapping[str, Any], known_topics: Mapping[str, str], faults: Faults) -> tuple[Axis, ...]:
    """The axes in the order in which they are dealt."""
    found: dict[str, Axis] = {}
    for name, section in sorted(data.items()):
        if not _AXIS.fullmatch(name):
            faults.add(
                name, f"axis '{name}' should be lower-case letters, digits and _, for it is a template's variable"
            )
        elif name in SEED_VARIABLES:
            faults.add(name, f"axis '{name}' is what templates call the seed's own {name}; choose another name")
        elif not isinstance(section, dict) or not section:
            faults.add(name, f"axis '{name}' should have values; add a table [{name}.some-value] with a name")
        else:
            found[name] = _axis(name, section, faults)
    _variables_differ(found, faults)
    for axis in found.values():
        for value in axis.values:
            _only_exists(axis, value, found, known_topics, faults)
    return _dealt(found, faults)


def _axis(name: str, section: Mapping[str, Any], faults: Faults) -> Axis:
    values: list[Value] = []
    columns: tuple[str, ...] | None = None
    for key, table in sorted(section.items()):
        dotted = f"{name}.{key}"
        if not isinstance(table, dict):
            faults.add(dotted, f"'{dotted}' should be a table with a name, got {table!r:.80}")
            continue
        own = tuple(sorted(set(table) - _RESERVED - {"name"}))
        if columns is None:
            columns = own
        elif own != columns:
            other = f"{name}.{values[0].key}" if values else "the one before"
            faults.add(
                dotted, f"'{dotted}' has the columns {list(own)}, '{other}' has {list(columns)}; all have the same"
            )
        values.append(_value(key, table, own, dotted, faults))
    return Axis(name, tuple(values), columns or ())


def _value(key: str, table: dict[str, Any], columns: tuple[str, ...], dotted: str, faults: Faults) -> Value:
    for column in columns:
        if not _AXIS.fullmatch(column):
            faults.add(f"{dotted}.{column}", f"column '{dotted}.{column}' should be lower-case letters, digits and _")
    kinds = KINDS if "kinds" not in table else texts_of(table["kinds"], f"{dotted}.kinds", faults)
    for kind in kinds:
        if kind not in KINDS:
            faults.add(f"{dotted}.kinds", f"'{dotted}.kinds' has {kind!r}; kinds are {' and '.join(KINDS)}")
    only = table.get("only", {})
    if not isinstance(only, dict):
        faults.add(f"{dotted}.only", f"'{dotted}.only' should be a table of axes, got {only!r:.80}")
        only = {}
    return Value(
        key=key,
        name=_line(text_of(table, "name", faults, dotted)),
        columns=tuple(
            Column(column, _column(text_of(table, column, faults, dotted, wanted=False))) for column in columns
        ),
        kinds=tuple(kind for kind in KINDS if kind in kinds),
        only={axis: texts_of(allowed, f"{dotted}.only.{axis}", faults) for axis, allowed in only.items()},
    )


def _line(text: str) -> str:
    return " ".join(text.split())


def _column(text: str) -> str:
    """A text of one line without blanks too many; one of several lines as it is, without the last line break."""
    return text.rstrip("\n") if "\n" in text.strip() else _line(text)


def _variables_differ(found: Mapping[str, Axis], faults: Faults) -> None:
    owner: dict[str, str] = {}
    for axis in found.values():
        for variable in axis.variables:
            if variable in owner or variable in SEED_VARIABLES:
                other = owner.get(variable, "the seed itself")
                faults.add(axis.name, f"'{variable}' would mean a column of '{axis.name}' and of '{other}'; rename one")
            owner[variable] = axis.name


def _only_exists(
    axis: Axis, value: Value, found: Mapping[str, Axis], known_topics: Mapping[str, str], faults: Faults
) -> None:
    for other, allowed in value.only.items():
        place = f"{axis.name}.{value.key}"
        if other == "topic":
            known = prefixes(known_topics)
        elif other in found and other != axis.name:
            known = {one.key for one in found[other].values}
        else:
            faults.add(
                place, f"'{place}.only' names '{other}', which is no other axis{nearest(other, [*found, 'topic'])}"
            )
            continue
        missing = [name for name in allowed if name not in known]
        if known and missing:  # of a file that could not be read nothing is known
            names = ", ".join(f"'{name}'" for name in missing)
            what = "which is none" if len(missing) == 1 else "which are none"
            faults.add(place, f"'{place}.only.{other}' has {names}, {what}{nearest(missing[0], known)}")


def _dealt(found: Mapping[str, Axis], faults: Faults) -> tuple[Axis, ...]:
    """Each axis after those that its values' `only` names; of equals by name."""
    needs = {
        name: sorted({other for value in axis.values for other in value.only if other in found and other != name})
        for name, axis in found.items()
    }
    try:
        return tuple(found[name] for name in TopologicalSorter(needs).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        faults.add(error.args[1][0], f"'only' goes in a circle: {circle}; leave it out on one of them")
        return tuple(found.values())


def names(data: Mapping[str, Any], known_topics: Mapping[str, str], language: str, faults: Faults) -> dict[str, Any]:
    """Topic prefix -> names."""
    groups: dict[str, tuple[str, ...]] = {}
    owner: dict[str, str] = {}
    for prefix, value in sorted(data.items()):
        group = texts_of(value, prefix, faults)
        for name in group:
            reason = why_not_a_name(name) if language == "python" else _why_not_a_line(name)
            if reason:
                faults.add(name, f"name '{name}' under \"{prefix}\" {reason}; choose another")
            elif name in owner:
                faults.add(name, f'name \'{name}\' is under "{owner[name]}" and under "{prefix}"; keep one')
            owner[name] = prefix
        if group:
            groups[prefix] = group
        if prefix and known_topics and prefix not in prefixes(known_topics):
            faults.add(prefix, f"'{prefix}' is no topic{nearest(prefix, prefixes(known_topics))}")
    for topic in known_topics if not faults.found else ():
        if not any(not prefix or below(topic, prefix) for prefix in groups):
            faults.add("", f"no names for topic '{topic}'; add a list under it, a prefix of it, or \"\"")
    return groups


def _why_not_a_line(text: str) -> str:
    return "" if text.strip() == text != "" and text.isprintable() else "should be text of one line"


def words(data: Mapping[str, Any], faults: Faults) -> tuple[str, ...]:
    """All words, in the order of their groups' names."""
    found: dict[str, str] = {}
    for group, value in sorted(data.items()):
        for word in texts_of(value, group, faults):
            reason = _why_not_a_line(word) or (
                "should have no comma, which stands between words" if "," in word else ""
            )
            if reason:
                faults.add(word, f"word {word!r} under '{group}' {reason}")
            elif word in found:
                faults.add(word, f"word '{word}' is under '{found[word]}' and under '{group}'; keep one")
            found[word] = group
    if not found and not faults.found:
        faults.add("", "no words; add a list under any key, or remove the file")
    return tuple(found)
