"""One prompt template: TOML front matter, messages, strict variables. `prompts/README.md` describes the format.

A template is checked when it is loaded: front matter with exactly the known keys, a body that Jinja2 can parse, and
declared variables that are those which the body uses. What is left to go wrong when it is rendered is an expression
that does not suit a value.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

import jinja2
from jinja2 import meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.core.errors import InputError
from pipeline.core.identity import digest
from pipeline.core.records import Message

TemplateKind = Literal["textbook", "exercise", "judge"]

SEED_VARIABLES = frozenset({"title", "topic", "path", "name", "function_name", "words", "task"})
"""What a textbook or exercise template of any domain may use, beside its axes; `stages.prompts.stage.variables` gives
them their values."""

_FENCE = "+++"
_ROLE = re.compile(r"^=== (system|user|assistant) ===[ \t]*$", re.MULTILINE)
_KEYS = {"name": str, "version": int, "kind": str, "description": str, "variables": list}
_OPTIONAL = {"system": str, "sample": dict}


@dataclass(frozen=True, slots=True)
class Template:
    """A template that can be rendered.

    path: where it was read. digest: of its whole text, front matter included. sample: a value for each variable of a
    judge template. parts: role and Jinja2 source of each message. line: of the body's first line in the file.
    """

    path: Path
    name: str
    version: int
    kind: TemplateKind
    description: str
    variables: frozenset[str]
    digest: str
    sample: Mapping[str, Any]
    parts: tuple["Part", ...]

    def messages(self, **values: Any) -> tuple[Message, ...]:
        """Render; `values` may hold more than the template uses. Raises InputError naming file, line and variable."""
        messages = []
        for part in self.parts:
            try:
                content = part.compiled.render(values).strip("\n")
            except jinja2.UndefinedError as error:
                raise InputError(
                    f"{self.path}:{part.error_line(error)}: {error.message}",
                    hint=f"this template is given {', '.join(sorted(values))}",
                ) from None
            except Exception as error:
                raise InputError(f"{self.path}:{part.error_line(error)}: {type(error).__name__}: {error}") from None
            if content.strip():
                messages.append(Message(part.role, content))
        if not messages:
            raise InputError(f"{self.path}: every message is empty", hint="write the request below the front matter")
        return tuple(messages)


@dataclass(frozen=True, slots=True)
class Part:
    """One message: its role, its compiled text, and the line of the file on which it starts, counted from 1."""

    role: str
    compiled: jinja2.Template
    line: int

    def error_line(self, error: BaseException) -> int:
        """Line of the file where rendering failed."""
        line = 1
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == "<template>":
                line = trace.tb_lineno
            trace = trace.tb_next
        return self.line + line - 1


def environment() -> ImmutableSandboxedEnvironment:
    """Jinja2 without files, without access to Python's internals, and with undefined variables as errors."""
    return ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def template_digest(path: Path) -> str:
    """Digest of a template's whole text, 64 hex digits; line endings do not change it. Raises InputError."""
    return digest(_read(path))


def load(path: Path, axes: frozenset[str] = frozenset()) -> Template:
    """Read and check a template. Raises InputError that names the file and line of what is wrong first.

    axes: the variables that the domain's axes give a textbook or exercise template.
    """
    return _load(path, _read(path), SEED_VARIABLES | axes)


@lru_cache(maxsize=64)
def _load(path: Path, text: str, known: frozenset[str]) -> Template:
    front, body, body_line = _split(path, text)
    _check_front(path, text, front)
    env = environment()
    parts = []
    used: set[str] = set()
    pieces = _pieces(body, body_line)
    if front.get("system"):
        pieces.insert(0, ("system", front["system"], _line_of(text, "system")))
    for role, source, line in pieces:
        try:
            used |= meta.find_undeclared_variables(env.parse(source))
            parts.append(Part(role, env.from_string(source), line))
        except jinja2.TemplateSyntaxError as error:
            raise InputError(
                f"{path}:{line + error.lineno - 1}: {error.message}", hint="see prompts/README.md"
            ) from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}:{line}: {error}", hint="see prompts/README.md") from None
    variables = frozenset(front["variables"])
    _check_variables(path, text, front, frozenset(used), known if front["kind"] != "judge" else frozenset())
    return Template(
        path=path,
        name=front["name"],
        version=front["version"],
        kind=front["kind"],
        description=front["description"],
        variables=variables,
        digest=digest(text),
        sample=front.get("sample", {}),
        parts=tuple(parts),
    )


def _read(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"template {path} is not a file", hint="it should be Markdown in UTF-8")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        beside = sorted(p.name for p in path.parent.glob("*.md")) if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, beside, n=1)
        raise InputError(
            f"template {path} is missing" + (f"; did you mean '{near[0]}'?" if near else ""),
            hint="a domain's templates lie in its folder; [templates] of domain.toml says where they have other names",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"template {path} cannot be read: {error}", hint="it should be Markdown in UTF-8") from None


def _split(path: Path, text: str) -> tuple[dict[str, Any], str, int]:
    """Front matter, body, and the line of the file on which the body starts."""
    lines = text.split("\n")
    closing = next((n for n, line in enumerate(lines) if n and line.rstrip() == _FENCE), None)
    if lines[0].rstrip() != _FENCE or closing is None:
        raise InputError(
            f"{path}:1: a template starts with TOML between two lines '{_FENCE}', found {lines[0]!r:.60}",
            hint="see prompts/README.md",
        )
    try:
        front = tomllib.loads("\n" + "\n".join(lines[1:closing]) + "\n")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: front matter is not TOML: {error}", hint="see prompts/README.md") from None
    return front, "\n".join(lines[closing + 1 :]), closing + 2


def _line_of(text: str, key: str) -> int:
    found = re.search(rf"^\[?{re.escape(key)}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _check_front(path: Path, text: str, front: dict[str, Any]) -> None:
    known = _KEYS | _OPTIONAL
    for key, value in front.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            guess = f"; did you mean '{near[0]}'?" if near else f"; known keys are {', '.join(known)}"
            raise InputError(f"{path}:{_line_of(text, key)}: unknown key '{key}'{guess}")
        if not isinstance(value, known[key]) or isinstance(value, bool):
            raise InputError(
                f"{path}:{_line_of(text, key)}: '{key}' should be a {known[key].__name__}, got {value!r:.60}"
            )
    missing = [key for key in _KEYS if key not in front]
    if missing:
        raise InputError(f"{path}: the front matter lacks '{missing[0]}'", hint="see prompts/README.md")
    kinds = get_args(TemplateKind)
    if front["kind"] not in kinds:
        raise InputError(
            f"{path}:{_line_of(text, 'kind')}: 'kind' should be one of {', '.join(kinds)}, got {front['kind']!r}"
        )
    if not all(isinstance(name, str) for name in front["variables"]):
        raise InputError(f"{path}:{_line_of(text, 'variables')}: 'variables' should be a list of names")


def _pieces(body: str, first_line: int) -> list[tuple[str, str, int]]:
    """Role, source and first line of each message of the body."""
    marks = list(_ROLE.finditer(body))
    opening = body[: marks[0].start()] if marks else body
    pieces = [("user", opening, first_line)] if opening.strip() else []
    ends = [mark.start() for mark in marks[1:]] + [len(body)]
    for mark, end in zip(marks, ends, strict=False):
        source = body[mark.end() : end]
        line = first_line + body.count("\n", 0, mark.end())
        pieces.append((mark.group(1), source, line))
    return pieces


def _check_variables(
    path: Path, text: str, front: Mapping[str, Any], used: frozenset[str], known: frozenset[str]
) -> None:
    kind, declared, sample = front["kind"], frozenset(front["variables"]), front.get("sample", {})
    line = _line_of(text, "variables")
    for name in sorted(used - declared):
        near = difflib.get_close_matches(name, sorted(declared | known), n=1)
        guess = f"; did you mean '{near[0]}'?" if near else ""
        where = re.search(rf"\{{[{{%].*\b{re.escape(name)}\b", text)
        at = text.count("\n", 0, where.start()) + 1 if where else line
        raise InputError(f"{path}:{at}: the text uses '{name}', which 'variables' does not list{guess}")
    for name in sorted(declared - used):
        raise InputError(
            f"{path}:{line}: 'variables' lists '{name}', which the text does not use; remove one or use it"
        )
    if kind != "judge":
        for name in sorted(declared - known):
            raise InputError(
                f"{path}:{line}: '{name}' is no variable of a {kind} template",
                hint=f"there are {', '.join(sorted(known))}",
            )
    elif set(sample) != declared:
        wrong = sorted(set(sample) ^ declared)[0]
        raise InputError(
            f"{path}:{_line_of(text, 'sample')}: [sample] of a judge template should give a value for each variable "
            f"and no other; '{wrong}' is in one and not in the other"
        )
