"""Whole HTTP responses of servers that send anything, and the walk that such answers go: a run, the same run again, a
run that replays its journal, and the report. Shared by a test and by `scripts/fuzz_responses.py`.
"""

import asyncio
import gzip
import itertools
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from server import chat

from pipeline.core.records import Completion
from pipeline.core.stage import Dropped
from pipeline.recipe_text import load
from pipeline.report import write_report
from pipeline.run.run import run
from pipeline.store import places
from pipeline.store.manifest import Manifest
from pipeline.teacher import breaker, sites
from pipeline.teacher.lines import entries
from pipeline.teacher.protocol import Trouble
from pipeline.teacher.response import Parser, Response
from pipeline.teacher.transport import TransportError

texts = st.text(st.characters(codec=None), max_size=40) | st.sampled_from(
    ["", " \n", "\ud800", "a\udfffb", "\ud83d\ude00", "\x00", "\u2028\x85\r\n", "\ufeff", "[key]", "None", "NaN",
     "```python\ndef f(x):\n    return x\n```", "```python\nx = '\x00\ud800'\n", "<think>\nhm", "</think>", "`" * 20]
)  # fmt: skip
lessons = st.builds(
    lambda topic, odd, number: (
        f"# {topic}\n\nA list keeps its order, {odd}and each place of it has a number that begins at {number % 7}. "
        f"We add up what stands in it, one after the other, and look at what has come of that so far.\n\n"
        f"```python\ntotal = {number}\nfor step in range({number % 9}):\n    total += step\nprint(total)\n```\n"
    ),
    texts,
    texts,
    st.integers(0, 10**6),
)
"""Passages that later stages may keep, with something odd in them."""
numbers = (
    st.integers()
    | st.floats()
    | st.sampled_from([True, False, -1, 10**18, 2**63, 10**400, 1e308, float("nan"), float("inf"), "7", "²"])
)
names = st.sampled_from(
    ["choices", "message", "content", "text", "type", "refusal", "finish_reason", "usage", "prompt_tokens",
     "completion_tokens", "error", "reasoning_content", "tool_calls", "delta", "index", "logprobs", "model", "id"]
)  # fmt: skip
values = st.recursive(
    st.none() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | texts, inner, max_size=3),
    max_leaves=8,
)
finishes = values | st.sampled_from(
    [
        "stop",
        "stop",
        "stop",
        "stop",
        "length",
        "content_filter",
        "max_tokens",
        "abort",
        "error",
        "SAFETY",
        "tool_calls",
        "\ud800",
        "x" * 999,
    ]
)
parts = texts | st.fixed_dictionaries({}, optional={"type": texts, "text": values})
messages = st.fixed_dictionaries(
    {"content": texts | lessons | lessons | lessons | st.lists(parts | lessons, max_size=3) | values},
    optional={"refusal": values, "reasoning_content": values, "tool_calls": values, "role": values},
)
usages = values | st.fixed_dictionaries({}, optional={"prompt_tokens": numbers, "completion_tokens": numbers | values})
choices = st.fixed_dictionaries({"message": messages}, optional={"finish_reason": finishes}) | st.fixed_dictionaries(
    {}, optional={"message": messages, "finish_reason": finishes, "text": values, "index": values, "logprobs": values}
)
answers = st.fixed_dictionaries(
    {"choices": st.lists(choices, min_size=1, max_size=2)},
    optional={"usage": usages, "model": values, "id": values, "created": numbers, "object": values, "x": values},
)
encodings = st.sampled_from(["ascii"] * 6 + ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """The body of a response: mostly an answer with something odd about it, at times anything."""
    kind = draw(st.integers(0, 9))
    value = draw(answers if kind < 8 else values)
    if kind == 8:
        value = chat(draw(texts)) | {"error": value}
    encoding = draw(encodings)
    raw = json.dumps(value, ensure_ascii=encoding == "ascii", indent=draw(st.sampled_from([None, None, 1])))
    data = raw.encode(encoding, "surrogatepass")
    odd = draw(st.integers(0, 29)) - 20  # what is simple is drawn more often
    if odd == 2:
        data = data[: draw(st.integers(0, len(data)))]
    elif odd == 3:
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(st.binary(max_size=3)) + data[place + 1 :]
    elif odd == 4:
        levels = draw(st.sampled_from([90, 100, 101, 500, 990, 1100, 100_000]))
        data = b'{"x": ' + b"[" * levels + b"]" * levels + b', "choices": [{"message": {"content": "a"}}]}'
    elif odd == 5:
        data = b'{"usage": 1, "choices": 2, "x": %s, ' % (b"9" * draw(st.integers(1, 6000))) + data.lstrip()[1:]
    elif odd == 6:
        data = b"data: " + data + b"\n\ndata: [DONE]\n\n"
    elif odd == 7:
        data = data + b"\n" + data
    elif odd == 8:
        data = draw(st.sampled_from([b"", b"<!doctype html><title>Sign in</title>", b"\xff\xfe", b"busy"]))
    elif odd == 9:
        data = data.replace(b'"', b'"\xe9', 3)
    return data


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """A whole response, framed as servers frame them, with headers of any kind.

    No status and no header that tells a client to stop or to wait: those are orders, and obeyed.
    """
    body = draw(bodies())
    status = draw(st.sampled_from([200] * 30 + [201, 204, 206, 400, 408, 409, 413, 422, 500, 502, 503, 529]))
    head = f"HTTP/1.1 {status} Whatever\r\n"
    if draw(st.integers(0, 9)) == 9:
        head = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + head
    for name in draw(
        st.lists(st.sampled_from(["x-request-id", "date", "content-type", "x-é", "set-cookie"]), max_size=2)
    ):
        head += f"{name}: {draw(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=9))}\r\n"
    packing = draw(st.sampled_from([""] * 8 + ["gzip", "gzip", "deflate", "deflate", "br"]))
    if packing:
        head += f"content-encoding: {packing}\r\n"
        packers: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "br": bytes}
        body = packers[packing](body)
    framing = draw(st.integers(0, 3))
    if framing == 0:
        return head.encode("latin-1") + b"\r\n" + body
    if framing < 3:
        return head.encode("latin-1") + b"content-length: %d\r\n\r\n" % len(body) + body
    step = draw(st.integers(1, 1 + len(body)))
    end = draw(st.sampled_from([b"", b";a=b", b' ; a="0"']))
    chunks = b"".join(
        b"%x%s\r\n%s\r\n" % (len(piece), end, piece) for i in range(0, len(body), step) if (piece := body[i : i + step])
    )
    tail = b"0" + end + b"\r\n" + draw(st.sampled_from([b"", b"x-a: 0\r\n"])) + b"\r\n"
    return head.encode("latin-1") + b"transfer-encoding: chunked\r\n\r\n" + chunks + tail


@dataclass
class Served:
    """The network in a walk: gives the responses away one by one, the first request a plain answer before all."""

    responses: Sequence[bytes]
    asked: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, path: str, body: bytes) -> Response:
        number = self.asked
        self.asked += 1
        if number == 0:
            asyncio.get_running_loop().call_later(0.05, self.answered.set)
            return Response(200, {}, json.dumps(chat("words")).encode())
        await self.answered.wait()
        raw = self.responses[(number - 1) % len(self.responses)]
        parser = Parser()
        try:
            found = None
            for start in range(0, len(raw), 1 + len(raw) // 3):
                found = found or parser.feed(raw[start : start + 1 + len(raw) // 3])
            found = found or parser.at_end()
        except ValueError as error:
            raise TransportError(Trouble.CONNECTION, f"not HTTP/1.1: {error}", sent=True) from None
        if found is None:
            raise TransportError(Trouble.CONNECTION, "connection lost before the answer was whole", sent=True)
        return found

    async def close(self) -> None:
        """Nothing to release."""


RECIPE = """
name = "fuzz"

[seeds]
exercises = {exercises}
textbooks = {textbooks}

[[teachers]]
name = "mock"
kind = "{kind}"
{source}

[student]
init = "scratch"

[evaluation]
benchmarks = []

[decontaminated]
benchmarks = ["composed"]

[execution]
retries = 0
workers = 1
concurrency = 32
"""


def walk(sent: Sequence[bytes], folder: Path, until: str = "documents") -> Counter[str]:
    """Send each response once, and hold the walk to what it promises; counts of what became of the answers.

    AssertionError where an answer is lost, changed or asked again; whatever else is raised is a run that was stopped.
    """
    count = len(sent) + 1
    served = Served(sent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sites, "transport", lambda *_: served)
        patch.setattr(breaker.Breaker, "FAILURES", 10**9)
        first = _run(folder, "first", count, "openai", 'base_url = "http://127.0.0.1:9/v1"\nmodel = "m"', until)
        assert served.asked == count
        again = _run(folder, "again", count, "openai", 'base_url = "http://127.0.0.1:9/v1"\nmodel = "m"', until)
        assert served.asked == count, "a finished stage asked again"
    assert again == first
    completions = first["completions"]
    assert completions[0].entered == count
    journals = [entry for path in folder.glob("data/store/completions/*") for entry in entries(path)]
    lines = sum(path.read_bytes().count(b"\n") for path in folder.glob("data/store/completions/*/*.jsonl"))
    assert len(journals) == lines, "a journalled answer cannot be read"
    kept = completions[0].kept
    assert len(journals) >= kept
    replay = f'replay = "{folder}/data/store/completions/{completions[0].key}"'
    replayed = _run(folder, "replay", count, "replay", replay, until)["completions"]
    assert _texts(replayed[1]) == _texts(completions[1]), "replay gives other texts"
    assert _drops(replayed[2]) == _drops(completions[2]), "replay drops other answers"
    return Counter({"kept": kept, **completions[0].dropped})


Stages = dict[str, tuple[Manifest, list[Any], list[Dropped]]]


def _run(folder: Path, name: str, count: int, kind: str, source: str, until: str) -> Stages:
    """Run, report, and read back every stage: in = kept + dropped, as stored."""
    recipe = folder / f"{kind}.toml"
    exercises = count // 2
    recipe.write_text(RECIPE.format(exercises=exercises, textbooks=count - exercises, kind=kind, source=source))
    where = places.places(str(folder / "data"))
    outcome = run(load(str(recipe)), where, name=name, until=until)
    summary, page = write_report(outcome.folder, where.store)
    assert json.loads(json.dumps(summary.to_json()))["funnel"]
    page.encode()
    found: Stages = {}
    for line in summary.funnel:
        manifest = where.store.manifest(line.name, line.key)
        if manifest is None:
            continue
        kept = list(where.store.kept(line.name, line.key))
        dropped = list(where.store.dropped(line.name, line.key))
        assert (len(kept), len(dropped)) == (manifest.kept, sum(manifest.dropped.values())), line.name
        assert manifest.entered == len(kept) + len(dropped), line.name
        found[line.name] = (manifest, kept, dropped)
    return found


def _texts(records: Iterable[Any]) -> dict[str, str]:
    return {record.prompt_id: record.text for record in records if isinstance(record, Completion)}


def _drops(dropped: Iterable[Dropped]) -> dict[str, str]:
    """Reasons by prompt, of those dropped for an answer: an error is none, and in no journal."""
    return {
        one.record.id: one.reason
        for one in dropped
        if one.reason != "failed" and "HTTP 4" not in one.detail and "error inside" not in one.detail
    }


def smallest(sent: Sequence[bytes], folder: Path, until: str = "documents") -> list[bytes]:
    """Responses of `sent` that make the walk fail by themselves, as few as halving finds; [] where none does."""
    sent = list(sent)
    for number in itertools.count():
        if len(sent) == 1:
            return sent
        halves = [sent[: len(sent) // 2], sent[len(sent) // 2 :]]
        for which, half in enumerate(halves):
            part = folder / f"{number}-{which}"
            part.mkdir(parents=True)
            try:
                walk(half, part, until)
            except Exception:
                sent = half
                break
        else:
            return sent
    raise AssertionError("unreachable")
