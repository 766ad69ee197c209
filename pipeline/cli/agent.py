"""`hornbook agent`: all that a program, or whoever writes one, may rely on, as one page made from the code."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pipeline import __version__
from pipeline.cli.options import JsonOption, print_json, say, verbs
from pipeline.cli.shapes import FAILURE, SHAPES, written
from pipeline.core import environment
from pipeline.core.errors import HornbookError


def agent(as_json: JsonOption = False) -> None:
    """One page for agents and scripts: verbs, JSON shapes, exit codes, reasons, environment variables."""
    found = reference()
    if as_json:
        print_json(found)
    else:
        say(page(found))


def reference() -> dict[str, Any]:
    """What the page says: the JSON of `hornbook agent`."""
    from pipeline import walk, walks
    from pipeline.export import hub

    keys = {hub.TOKEN: "the token of `export --push`; never shown", "api_key_env": "a recipe's key that names others"}
    return {
        "hornbook": __version__,
        "verbs": [_verb(name, command) for name, command in verbs()],
        "failure": written(FAILURE),
        "exit_codes": [{"code": 0, "kind": "", "meaning": "done"}, *map(_ending, _kinds(HornbookError))],
        "stages": [
            {
                "name": step.name,
                "walk": "text" if step.name in walk.names() else "images",
                "caption": step.caption,
                "reasons": dict(step.reasons),
            }
            for step in walks.steps()
        ],
        "environment": {one.name: one.meaning for one in environment.VARIABLES} | keys,
    }


def _verb(name: str, command: Any) -> dict[str, Any]:
    """usage: all that it takes, as it is typed. parts: what each of it means."""
    shown = [(_part(one), one) for one in command.params]
    typed = [part if one.required else f"[{part}]" for part, one in shown]
    return {
        "verb": name,
        "usage": " ".join(["hornbook", name, *typed]),
        "meaning": " ".join((command.help or "").split()),
        "parts": {part: _meaning(one) for part, one in shown},
        "json": written(SHAPES[name]) if name in SHAPES else None,
    }


def _part(parameter: Any) -> str:
    """An argument or an option as it is typed; three dots where it may be given again."""
    word: str = parameter.metavar or parameter.name.upper().replace("_", "-")
    if parameter.param_type_name == "argument":
        return word.strip("[]") + (" ..." if parameter.nargs == -1 and "..." not in word else "")
    name = " / ".join([*parameter.opts, *parameter.secondary_opts])
    return (name if parameter.is_flag else f"{name} {word}") + (" ..." if parameter.multiple else "")


def _meaning(parameter: Any) -> str:
    """Its help, with the default where that is a value."""
    default = parameter.default
    said = " ".join((parameter.help or "").split())
    told = not isinstance(default, bool) and isinstance(default, str | int | float) and default != ""
    return f"{said} Default: {default}.".strip() if told else said


def _kinds(kind: type[HornbookError]) -> Iterator[type[HornbookError]]:
    """A class of errors and all below it, parents first; those of the package alone."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == HornbookError.__module__:
            yield from _kinds(below)


def _ending(kind: type[HornbookError]) -> dict[str, Any]:
    return {"code": kind.exit_code, "kind": kind.__name__, "meaning": (kind.__doc__ or "").splitlines()[0]}


def page(found: dict[str, Any]) -> str:
    """The reference as Markdown."""
    common = _common(found["verbs"])
    owners = {verb["json"]: verb["verb"] for verb in reversed(found["verbs"])}
    return "\n".join(
        [
            f"# Hornbook {found['hornbook']} for agents and scripts",
            "",
            _INTRODUCTION,
            "",
            f"Where a command fails, stdout carries `{found['failure']}`, beside the result where there is one.",
            "",
            "## Exit codes",
            "",
            *_table("code | kind of error | meaning", _endings(found["exit_codes"])),
            "",
            "Mistakes of Hornbook's (kind `Internal`) and errors of the system (their own kinds) have code 1.",
            "",
            "## Words and options of several verbs",
            "",
            *(f"- `{part}`: {meaning}" for part, meaning in common.items()),
            "",
            "## Verbs",
            *(line for verb in found["verbs"] for line in _section(verb, common, owners[verb["json"]])),
            "",
            "## Stages, and the reasons for which they drop",
            *(line for stage in found["stages"] for line in _stage(stage)),
            "",
            "## Environment",
            "",
            *_table("variable | meaning", ((f"`{name}`", said) for name, said in found["environment"].items())),
        ]
    )


_INTRODUCTION = f"""Made from the code by `hornbook agent`; `hornbook agent --json` is the same as data.

- Results go to stdout, all else to stderr. With `--json` stdout carries one object whatever happens. Keys that are
  shown here stay; more may be added. `text`, `whole`, `number` are types, `|` is or, `<k>` any key.
- The same command again goes on where it was: what was finished, or paid for, is not done twice.
- Everything is written below one folder: {environment.DATA_RULE}.
- A recipe is TOML; any key of it can be given as `table.key=value` after it. `hornbook settings --json` lists them.
- A record, kept or dropped, is a row of `store/STAGE/KEY/*.parquet` in the data folder; `status` says the key."""


def _common(verbs: list[dict[str, Any]]) -> dict[str, str]:
    """What several verbs take in the same meaning."""
    counted = Counter(item for verb in verbs for item in verb["parts"].items() if item[1])
    return {part: meaning for (part, meaning), count in counted.items() if count > 1}


def _endings(codes: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for one in codes:
        yield str(one["code"]), f"`{one['kind']}`" if one["kind"] else "", one["meaning"]


def _section(verb: dict[str, Any], common: dict[str, str], owner: str) -> Iterator[str]:
    """owner: the first verb with the same JSON."""
    yield from ("", f"### {verb['verb']}", "", f"    {verb['usage']}", "", verb["meaning"])
    own = [(part, said) for part, said in verb["parts"].items() if said and common.get(part) != said]
    yield from ("", *(f"- `{part}`: {meaning}" for part, meaning in own)) if own else ()
    said = f"JSON: `{verb['json']}`" if owner == verb["verb"] else f"JSON: as of `{owner}`"
    yield from ("", said) if verb["json"] else ()


def _stage(stage: dict[str, Any]) -> Iterator[str]:
    yield from ("", f"### {stage['name']} ({stage['walk']})", "", f"{stage['caption']}.")
    yield from ("", *(f"- `{reason}`: {said}" for reason, said in stage["reasons"].items())) if stage["reasons"] else ()


def _table(head: str, rows: Any) -> Iterator[str]:
    yield f"| {head} |"
    yield "|" + "---|" * (head.count("|") + 1)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
