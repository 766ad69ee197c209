"""The pages in a real browser, from a narrow window to a wide one, in both themes; a hostile run executes nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import chromium
import pytest
from example_run import Example
from visiting import served

from pipeline.store.store import Store
from scripts.bench import view_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not chromium.BINARY, reason="Chromium is not available here"),
]
LOOKS = [(width, dark) for width in chromium.WIDTHS for dark in (False, True)]
LOOK = pytest.mark.parametrize(("width", "dark"), LOOKS, ids=[f"{w} {'dark' if d else 'light'}" for w, d in LOOKS])


@pytest.fixture(scope="module")
def address(data: Path) -> Iterator[str]:
    """Where the command serves the runs."""
    with served(data) as said:
        yield said["url"]


@pytest.fixture(scope="module")
def tab(address: str) -> Iterator[chromium.Page]:
    """A tab that was let in."""
    with chromium.chromium() as page:
        page.open(address)
        yield page


def shown(tab: chromium.Page, address: str, *parts: str) -> None:
    """Open a page of the browser of runs anew, and wait until it is drawn."""
    tab.call("Page.navigate", url="about:blank")
    tab.errors.clear()
    place = "/".join(quote(part, safe="?=&") for part in parts)
    tab.open(f"{address.partition('?')[0]}#/{place}")
    tab.wait("document.querySelector('#main > :not(noscript)') && !document.querySelector('#main[aria-busy]')")


def pages(example: Example) -> dict[str, tuple[str, ...]]:
    run = ("run", "example")
    duplicate = example.drops["distinct"][0].record.id
    return {
        "runs": (),
        "run": run,
        "kept": (*run, "documents", "kept"),
        "dropped": (*run, "distinct", "dropped"),
        "found": (*run, "decontaminated", "kept?text=values"),
        "spans": (*run, "tokens", "spans"),
        "document": (*run, "record", example.kept[0].id),
        "duplicate": (*run, "record", duplicate),
        "completion": (*run, "record", example.completions[0].id),
        "problems": (*run, "problems"),
        "training": (*run, "training"),
        "labels": (*run, "labels"),
        "compared": ("compare?run=example&run=hostile",),
    }


@LOOK
def test_every_page_fits_the_window_can_be_read_and_complains_of_nothing(
    tab: chromium.Page, address: str, example: Example, width: int, dark: bool
) -> None:
    tab.look(width, dark=dark)
    found = {}
    for name, parts in pages(example).items():
        shown(tab, address, *parts)
        assert "cannot be shown" not in tab.evaluate("document.querySelector('h1').textContent"), name
        found[name] = tab.faults()
    tab.evaluate("document.getElementById('help').showModal()")
    found["help"] = tab.faults()
    assert {name: faults for name, faults in found.items() if faults} == {}


@LOOK
def test_the_report_fits_the_window_and_can_be_read(
    tab: chromium.Page, example: Example, width: int, dark: bool
) -> None:
    tab.look(width, dark=dark)
    tab.errors.clear()
    tab.open((example.folder / "report.html").as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert tab.faults() == []


def hostile_records(data: Path) -> dict[str, dict[int, str]]:
    """By stage, ids of records that have the hostile texts, by the number of the text; an answer shows its prompt."""
    run = json.loads((data / "runs" / "hostile" / "run.json").read_text())
    keys = {stage["name"]: stage["key"] for stage in run["stages"]}
    store = Store(str(data / "store"))
    found: dict[str, dict[int, str]] = {"completions": {}, "documents": {}}
    numbers = {}
    record: Any
    for record in store.kept("completions", keys["completions"]):
        numbers[record.id] = record.seed.number % len(view_run.HOSTILE)
        found["completions"].setdefault(numbers[record.id], record.id)
    for record in store.kept("documents", keys["documents"]):
        found["documents"].setdefault(numbers[record.completion_id], record.id)
    return found


@pytest.mark.parametrize(("width", "stage"), [(400, "completions"), (2000, "documents")])
def test_a_hostile_run_executes_nothing_and_breaks_no_page(
    tab: chromium.Page, address: str, data: Path, width: int, stage: str
) -> None:
    tab.look(width)
    lists = [(one, "kept") for one in ("prompts", "completions", "documents")]
    opened = [("run", "hostile"), ("run", "hostile", "problems")]
    opened += [("run", "hostile", *one) for one in (*lists, ("distinct", "dropped"), ("quality", "dropped"))]
    ids = hostile_records(data)[stage]
    assert sorted(ids) == list(range(len(view_run.HOSTILE)))
    opened += [("run", "hostile", "record", ids[number]) for number in sorted(ids)]
    found = {}
    for parts in opened:
        shown(tab, address, *parts)
        assert tab.evaluate("window.hostile === undefined"), parts
        assert tab.evaluate("document.querySelectorAll('#main img, #main script, #main svg [onload]').length") == 0, (
            parts
        )
        if faults := tab.faults():
            found["/".join(parts)] = faults
    assert found == {}


def test_what_is_forbidden_is_told(tab: chromium.Page, address: str) -> None:
    """The checks above can fail: a pale text, a wide box and a complaint are found."""
    shown(tab, address)
    tab.look(400)
    tab.evaluate("""(() => {
      const one = document.createElement("p");
      one.textContent = "pale";
      one.style.cssText = "color: rgb(200 200 200); background-color: white; width: 900px";
      document.body.append(one);
      console.error("it complains");
    })()""")
    said = tab.faults()
    assert any(one.startswith("too pale: P. 1.6") for one in said)
    assert any(one.startswith("too wide: P.") for one in said)
    assert "complaint: it complains" in said
