"""The pages say what is true: links lead somewhere, commands and settings exist, and tables are those of the code."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import __version__, recipe_settings, walk
from pipeline.cli.main import whole_command
from pipeline.recipe_text import shipped_recipes

ROOT = Path(__file__).parents[1]
WRITTEN_BY_RUNS = ("data/store", "data/runs", "data/sweeps", "data/improve", "data/models", "data/evaluations")
PAGES = sorted(
    page
    for top in ("", "pipeline", "prompts", "data", "tests", "scripts")
    for page in ((ROOT / top).rglob("*.md") if top else ROOT.glob("*.md"))
    if not page.relative_to(ROOT).as_posix().startswith(WRITTEN_BY_RUNS) and page.stem.isupper()
)
"""The pages that people read, by their names in capitals: a template's name is in small letters."""

_LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_FOLDERS = ("pipeline/", "prompts/", "data/", "tests/", "scripts/")


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def every_page() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", PAGES, ids=named)


def blocks(page: Path, language: str) -> list[str]:
    return [text for tag, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if tag == language]


def spans(page: Path) -> list[str]:
    """Code within lines."""
    return _SPAN.findall(_BLOCK.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """What a link's # may name: a heading in small letters, with dashes for blanks and without other marks."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_pages_are_found() -> None:
    assert {"README.md", "CHANGELOG.md", "pipeline/README.md", "pipeline/recipes/SETTINGS.md"} <= set(map(named, PAGES))


@every_page()
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        place, _, anchor = link.partition("#")
        if ":" in place:
            continue
        target = page.parent / place if place else page
        assert target.exists(), f"{named(page)}: there is nothing at {link}"
        assert not anchor or anchor in anchors(target), (
            f"{named(page)}: {place or named(page)} has no heading #{anchor}"
        )


@every_page()
def test_files_that_a_page_names_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # what was moved later stays as it was called
        return
    for span in spans(page):
        path = span.split()[0]
        if not path.startswith(_FOLDERS) or path.startswith(WRITTEN_BY_RUNS) or re.search(r"[*{<]|\b[A-Z]{3,}\b", path):
            continue
        assert (ROOT / path).exists(), f"{named(page)} names {path}, which is not there"


def commands(page: Path) -> Iterator[list[str]]:
    """The arguments of every `hornbook ...` that a page shows, in scripts and manifests too; in a block without a
    language two blanks begin what explains it."""
    lines = [re.split(r"\s{2,}", line)[0] for block in blocks(page, "") for line in block.splitlines()]
    lines += [line.strip() for name in ("bash", "yaml") for block in blocks(page, name) for line in block.splitlines()]
    for text in (*lines, *spans(page)):
        words = shlex.split(text, comments=True) if re.match(r"(\.venv/bin/)?hornbook( |$)", text) else []
        if words[1:]:
            yield words[1:]


def wrong_with(arguments: list[str]) -> str:
    """Why `hornbook` with these arguments is no command, by its verbs, their options and the keys of settings."""
    command: Any = whole_command()
    rest = list(arguments)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        if rest[0] == "VERB":
            return ""
        if rest[0] not in command.commands:
            return f"there is no verb {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    options = {name: option for option in command.params for name in (*option.opts, *option.secondary_opts)}
    given = 0
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            if word not in options and word != "--help":
                return f"there is no option {word!r}"
            if word != "--help" and not options[word].is_flag and not (rest and rest.pop(0)):
                return f"{word} takes a value"
        elif re.match(r"[a-z_]+(\.\w+)+=", word):
            recipe_settings.find(word.partition("=")[0])
        else:
            given += word != "..."
    arguments_ = [one for one in command.params if one.param_type_name == "argument"]
    if "commands" not in vars(command) and given > len(arguments_) and all(one.nargs == 1 for one in arguments_):
        return f"{given} arguments for {len(arguments_)}"
    return ""


@every_page()
def test_commands_that_a_page_shows_can_be_given(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return
    for arguments in commands(page):
        assert not wrong_with(arguments), f"{named(page)}: hornbook {shlex.join(arguments)}: {wrong_with(arguments)}"
        if arguments[0] in ("run", "plan") and re.fullmatch(r"[a-z][\w-]*", (arguments[1:] or [""])[0]):
            assert arguments[1] in shipped_recipes(), named(page)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("run tiny --until quality seeds.words=3", ""),
        ("evaluate smollm2 --benchmark", "--benchmark takes a value"),
        ("evalute smollm2", "there is no verb 'evalute'"),
        ("store gc --force", "there is no option '--force'"),
        ("trace LATEST a b", "3 arguments for 2"),
        ("models get NAME", ""),
    ],
)
def test_a_wrong_command_is_told(line: str, why: str) -> None:
    assert wrong_with(line.split()) == why


def test_the_commands_are_many() -> None:
    assert sum(len(list(commands(page))) for page in PAGES) > 50


@every_page()
def test_recipes_that_a_page_shows_have_known_keys(page: Path) -> None:
    for block in blocks(page, "toml"):
        for table, values in tomllib.loads(block).items():
            for one in values if isinstance(values, list) else [values]:
                for key in one if isinstance(one, dict) else ():
                    recipe_settings.find(f"{table}.{key}")


@every_page()
def test_python_that_a_page_shows_can_be_parsed(page: Path) -> None:
    for block in blocks(page, "python"):
        ast.parse(block)


TROUBLES = ROOT / "pipeline/cli/TROUBLESHOOTING.md"


@pytest.mark.parametrize("said", re.findall(r"^\| `(.+?)` \|", TROUBLES.read_text(encoding="utf-8"), re.MULTILINE))
def test_messages_of_the_page_of_troubles_are_said_somewhere(said: str) -> None:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "pipeline").rglob("*.py"))
    assert any(said in source for source in sources)


def test_make_has_the_targets_that_the_readme_names() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    assert {
        name for page in pages for name in re.findall(r"^make (\w+)|`make (\w+)", page) for name in name if name
    } <= targets


def test_the_page_of_settings_is_that_of_the_command() -> None:
    page = (ROOT / "pipeline/recipes/SETTINGS.md").read_text(encoding="utf-8")
    now = recipe_settings.markdown(recipe_settings.find(""))
    assert page.strip() == now.strip(), "hornbook settings --markdown > pipeline/recipes/SETTINGS.md writes it anew"


STAGES = (ROOT / "pipeline/stages/README.md").read_text(encoding="utf-8")
SECTIONS = {text.partition("\n")[0]: text for text in re.split(r"^## ", STAGES, flags=re.MULTILINE)[1:]}


def test_the_page_of_stages_has_those_of_the_walk_in_their_order() -> None:
    assert tuple(SECTIONS) == walk.names()


@pytest.mark.parametrize("step", walk.WALK, ids=lambda step: step.name)
def test_the_page_of_stages_says_what_a_stage_reads_writes_and_drops(step: Any) -> None:
    section = SECTIONS[step.name]
    caption = step.caption[0].upper() + step.caption[1:]
    reads = ", ".join(f"`{name}`" for name in step.inputs) or "no other stage"
    writes = " or ".join(f"`{kind.__name__}`" for kind in step.kept) or "files"
    assert f"{caption}. Reads {reads}; writes {writes}." in " ".join(section.split())
    rows = re.findall(r"^\| `([\w-]+)` \| (.+?) \| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    assert {reason: meaning for reason, meaning, _, _ in rows} == dict(step.reasons), "each reason needs its row"


def test_every_verb_is_on_the_page_of_commands() -> None:
    page = (ROOT / "pipeline/cli/README.md").read_text(encoding="utf-8")
    root: Any = whole_command()
    assert {verb for verb in root.commands if f"hornbook {verb} " not in page} == set()


def test_the_newest_version_of_the_changelog_is_that_of_the_package() -> None:
    page = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    [(newest, date), *earlier] = re.findall(r"^## (\d+\.\d+\.\d+) \((.+)\)$", page, re.MULTILINE)
    assert __version__ == newest + ".dev0" * (date == "unreleased")
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", date) for _, date in earlier)
