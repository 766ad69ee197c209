"""A domain by name or by folder, read and checked as a whole: all faults at once, each with file and line."""

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import meta

from pipeline import checkers
from pipeline.core import known, template
from pipeline.core.errors import InputError, RecipeError
from pipeline.core.names import objection
from pipeline.core.resources import shipped
from pipeline.core.template import SEED_VARIABLES
from pipeline.domains import items, tables
from pipeline.domains.domain import TEMPLATES, Domain, Part, Shape
from pipeline.domains.faults import PAGE, Faults, nearest, only_known, read_toml, text_of
from pipeline.languages.finding import LANGUAGES

GROUP = "hornbook.domains"
"""The entry-point group by which a package brings a domain: a path, or a function without arguments that gives it."""
TOML = "domain.toml"
_TEXTS = ("name", "title", "licence", "text", "language", "checker")
_PARTS = ("task", "solution", "check")


def names() -> list[str]:
    """The domains that have a name: the shipped ones, then those that packages bring."""
    here = known.domains()
    return [*here, *sorted({point.name for point in entry_points(group=GROUP)} - set(here))]


def folder_of(name_or_path: str) -> Path:
    """The folder that a recipe's `domain` means. Raises RecipeError."""
    place = shipped("prompts") / name_or_path
    if "/" not in name_or_path and (place / TOML).is_file():
        return place
    if Path(name_or_path).is_dir():
        return Path(name_or_path)
    for point in entry_points(group=GROUP):
        if point.name == name_or_path:
            return _brought(point)
    raise RecipeError(
        f"there is no domain {name_or_path!r:.200}: neither a folder nor one of {', '.join(names())}",
        hint=nearest(name_or_path[:100], names()).removeprefix("; ") or "name a folder that holds a domain.toml",
    )


def _brought(point: EntryPoint) -> Path:
    try:
        found = point.load()
        return Path(found() if callable(found) else found)
    except Exception as error:
        raise RecipeError(
            f"the domain {point.name!r} of {point.value} cannot be found: {type(error).__name__}: {error}",
            hint="mend or remove the package that brings it",
        ) from error


def load(name_or_path: str) -> Domain:
    """A domain, read and checked. Raises InputError that lists every fault of the folder, RecipeError for no folder."""
    folder = folder_of(name_or_path)
    return _read(folder, _state(folder))


def _state(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells whether a folder has changed since it was read."""
    stats = ((path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file())
    return tuple((str(path), stat.st_mtime_ns, stat.st_size) for path, stat in stats)


@lru_cache(maxsize=8)
def _read(folder: Path, state: Any) -> Domain:
    found: list[Faults] = []
    domain = _domain(folder, found)
    lines = [line for faults in found for line in faults.found]
    if lines:
        count = f"{len(lines)} fault{'s' if len(lines) != 1 else ''}"
        raise InputError(f"domain {folder} has {count}:\n" + "\n".join(f"  - {line}" for line in lines), hint=PAGE)
    return domain


def _domain(folder: Path, found: list[Faults]) -> Domain:
    data, faults = read_toml(folder / TOML, found)
    if faults.found and not data:  # where it is missing nothing else can be told
        data = {}
    about = {} if not data else {key: text_of(data, key, faults).strip() for key in _TEXTS}
    if data:
        only_known(data, (*_TEXTS, "packages", "templates", "answer", "exercise"), faults)
        _head(about, faults)
    language, checker = about.get("language", ""), about.get("checker", "")
    kind = checkers.named(checker) if checker in checkers.names() else None
    if kind and kind.language not in (language, "text") and language in LANGUAGES:
        faults.add("checker", f"checker '{checker}' judges {kind.language}, but the language is '{language}'")

    def malformed(check: Mapping[str, Any]) -> list[str]:
        return kind.faults(check) if kind else []

    topics_data, topic_faults = read_toml(folder / "topics.toml", found)
    topics = tables.topics(topics_data, topic_faults) if not topic_faults.found else {}
    axes = tables.axes(*_optional(folder / "axes.toml", found, topics)) if (folder / "axes.toml").exists() else ()
    names: Mapping[str, tuple[str, ...]] = {}
    if (folder / "names.toml").exists():
        names_data, name_faults = read_toml(folder / "names.toml", found)
        names = tables.names(names_data, topics, language, name_faults) if not name_faults.found else {}
    words: tuple[str, ...] = ()
    if (folder / "words.toml").exists():
        words_data, word_faults = read_toml(folder / "words.toml", found)
        words = tables.words(words_data, word_faults) if not word_faults.found else ()
    variables = frozenset(name for axis in axes for name in axis.variables)
    program = folder / "check.py"
    return Domain(
        folder=folder,
        name=about.get("name", ""),
        title=about.get("title", ""),
        licence=about.get("licence", ""),
        text=about.get("text", ""),
        language=language,
        checker=checker,
        packages=_packages(data.get("packages", []), faults),
        topics=topics,
        axes=axes,
        names=names,
        words=words,
        templates=_templates(folder, data.get("templates", {}), variables, faults, found),
        answer=_answer(data, language, faults),
        shape=_shape(data, language, variables, faults),
        examples=items.examples(folder / "examples", malformed, found),
        problems=items.rows(folder / "problems.jsonl", malformed, found, solved=True),
        tasks=items.rows(folder / "tasks.jsonl", malformed, found, solved=False),
        program=program.read_text(encoding="utf-8-sig", errors="replace") if program.is_file() else "",
    )


def _optional(path: Path, found: list[Faults], topics: Mapping[str, str]) -> tuple[Any, Mapping[str, str], Faults]:
    data, faults = read_toml(path, found)
    return data, topics, faults


def _head(about: Mapping[str, str], faults: Faults) -> None:
    if about["name"] and (not tables.is_slug(about["name"]) or objection(about["name"])):
        faults.add("name", f"name '{about['name']}' should be lower-case words joined by dashes")
    for key, there in (("language", list(LANGUAGES)), ("checker", checkers.names())):
        if about[key] and about[key] not in there:
            near = nearest(about[key], there)
            faults.add(key, f"{key} '{about[key]}' is none{near or '; there are ' + ', '.join(there)}")


def _packages(value: Any, faults: Faults) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    faults.add("packages", f"'packages' should be a list of names, got {value!r:.80}")
    return ()


def _templates(
    folder: Path, named: Any, variables: frozenset[str], faults: Faults, found: list[Faults]
) -> dict[str, str]:
    """Those that are there; each is read, and one that is named but missing is a fault."""
    if not isinstance(named, dict):
        faults.add("templates", f"'templates' should be a table of names and files, got {named!r:.80}")
        named = {}
    only_known(named, TEMPLATES, faults, "templates")
    paths = {key: named.get(key, default) for key, default in TEMPLATES.items()}
    there = {}
    for key, path in paths.items():
        if not isinstance(path, str) or not _below(path):
            faults.add(f"templates.{key}", f"'templates.{key}' should be a path below the folder, got {path!r:.80}")
        elif key in named or (folder / path).exists():
            there[key] = path
            own = Faults(folder / path)
            found.append(own)
            try:
                one = template.load(folder / path, variables)
            except InputError as error:
                own.found.append(error.message)
                continue
            wanted = {"passage": "textbook", "value": "judge"}.get(key, "exercise")
            if one.kind != wanted and key != "reword":
                own.add("kind", f"this is a template of kind '{one.kind}'; for '{key}' kind '{wanted}' is wanted")
            if "task" in one.variables and key in ("passage", "exercise", "calls"):
                own.add("variables", f"'{key}' needs a task; only 'complete' is given one")
    if not there.keys() & {"exercise", "passage", "complete"}:
        faults.add("", f"no template; write {TEMPLATES['exercise']} or {TEMPLATES['passage']}")
    return there


def _below(path: str) -> bool:
    """Whether a path leads to a place below the folder that it is said of."""
    return path.isprintable() and not Path(path).is_absolute() and ".." not in Path(path).parts


def _answer(data: Mapping[str, Any], language: str, faults: Faults) -> Part | None:
    table = _table_of(data, "answer", language, faults)
    if table is None:
        return None
    only_known(table, _PARTS, faults, "answer")
    task = text_of(table, "task", faults, "answer", wanted=False)
    solution = text_of(table, "solution", faults, "answer")
    return Part(
        task.lower(), solution.lower(), text_of({"check": "", **table}, "check", faults, "answer", False).lower()
    )


def _shape(data: Mapping[str, Any], language: str, variables: frozenset[str], faults: Faults) -> Shape | None:
    table = _table_of(data, "exercise", language, faults)
    if table is None:
        return None
    only_known(table, ("prompt", "check"), faults, "exercise")
    given = SEED_VARIABLES | variables | set(_PARTS)
    sources = {"prompt": text_of(table, "prompt", faults, "exercise"), "check": str(table.get("check", ""))}
    for key, source in sources.items():
        try:
            used = meta.find_undeclared_variables(template.environment().parse(source))
        except jinja2.TemplateSyntaxError as error:
            faults.add(key, f"'exercise.{key}': {error.message}", (faults.line(key) or 1) + error.lineno - 1)
            continue
        except (ValueError, RecursionError) as error:
            faults.add(key, f"'exercise.{key}': {error}")
            continue
        for name in sorted(used - given):
            faults.add(key, f"'exercise.{key}' uses '{name}', which is no variable{nearest(name, given)}")
    return Shape(**sources)


def _table_of(data: Mapping[str, Any], key: str, language: str, faults: Faults) -> dict[str, Any] | None:
    """The table `key`, which a domain has whose language is not Python, and no other; None where it has none."""
    if not data:
        return None
    table = data.get(key)
    if language == "python":
        if table is not None:
            faults.add(key, f"[{key}] is not for language = 'python', whose exercises are functions; leave it out")
        return None
    if not isinstance(table, dict):
        faults.add(key, f"[{key}] is missing; a domain of language '{language}' says with it how an exercise is made")
        return None
    return table
