"""The lines of a journal: what is written of an answer, and how it is read again.

A line starts with fixed fields, so that an index of a million answers is built without parsing them::

    {"key": 64 hex, "messages": 64 hex, "n": 0, "finish": "stop", "max_tokens": 1024, "tokens": [60, 330],
     "usd": 0.000207, "at": 1764288000, "model": "...", "endpoint": "...", "answer": {the response as it came}}

"finish" is what the answer was taken for when it was written; readers take it from the answer itself. "at" is when it
came, in seconds since the epoch; lines of earlier versions lack it.
"""

import functools
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.teacher.content import Content, content_of
from pipeline.teacher.protocol import Answer, Failure, Reply, Trouble

HEAD = re.compile(
    rb'\{"key": "([0-9a-f]{64})", "messages": "([0-9a-f]{64})", "n": (\d+), "finish": "(\w+)", '
    rb'"max_tokens": (\d+), "tokens": \[(\d+), (\d+)\], "usd": ([0-9.e+-]+), '
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a journal."""

    key: str
    messages: str
    number: int
    finish: str
    max_tokens: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    model: str
    endpoint: str
    body: dict[str, Any]
    at: int = 0

    def serves(self, max_tokens: int) -> bool:
        """Whether this is the answer under a limit of `max_tokens`.

        The same limit: yes. A larger one: if it did not stop on length. A smaller one: if it fits.
        """
        if self.max_tokens == max_tokens:
            return True
        return self.finish != "length" and (max_tokens > self.max_tokens or 0 < self.completion_tokens <= max_tokens)


def entry_of(messages: str, number: int, reply: Reply) -> Entry:
    """The journal entry of a reply. Never raises: an odd body is journalled too, it may have been paid for."""
    content = content_of(reply.body)
    if not isinstance(content, Content):
        content = Content("", "stop", "", 0, 0)
    return Entry(
        key=reply.key,
        messages=messages,
        number=number,
        finish=content.finish,
        max_tokens=reply.max_tokens,
        prompt_tokens=content.prompt_tokens,
        completion_tokens=content.completion_tokens,
        usd=reply.usd,
        model=reply.model,
        endpoint=reply.endpoint,
        body=reply.body,
        at=reply.at or int(time.time()),
    )


def encode(entry: Entry, raw: bytes) -> bytes:
    """The journal line of `entry`; `raw` is the JSON of its body, put in as it came.

    A line break in JSON can only be white space between its tokens, so a blank in its place changes nothing.
    """
    head = (
        f'{{"key": "{entry.key}", "messages": "{entry.messages}", "n": {entry.number}, "finish": "{entry.finish}", '
        f'"max_tokens": {entry.max_tokens}, "tokens": [{entry.prompt_tokens}, {entry.completion_tokens}], '
        f'"usd": {entry.usd!r}, "at": {entry.at}, {_origin(entry.model, entry.endpoint)}, "answer": '
    )
    flat = raw.replace(b"\r", b" ").replace(b"\n", b" ") if b"\n" in raw or b"\r" in raw else raw
    return head.encode() + flat + b"}\n"


@functools.lru_cache(maxsize=64)
def _origin(model: str, endpoint: str) -> str:
    return f'"model": {json.dumps(model)}, "endpoint": {json.dumps(endpoint)}'


def decode(line: bytes) -> Entry | None:
    """The entry of a line, or None if the line is torn or not a journal's."""
    try:
        value = json.loads(line)
        content = content_of(value["answer"])
        return Entry(
            key=value["key"],
            messages=value["messages"],
            number=value["n"],
            finish=content.finish if isinstance(content, Content) else value["finish"],
            max_tokens=value["max_tokens"],
            prompt_tokens=value["tokens"][0],
            completion_tokens=value["tokens"][1],
            usd=value["usd"],
            model=value["model"],
            endpoint=value["endpoint"],
            body=value["answer"],
            at=value.get("at", 0),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return None


def shards(place: Path) -> list[Path]:
    """Journal files at `place`: the file itself, or all `*.jsonl` journals below the folder, in order of name."""
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("journal*.jsonl") if path.is_file())


@dataclass(frozen=True, slots=True)
class Head:
    """The fixed fields of a journal line."""

    key: str
    messages: str
    number: int
    finish: str
    tokens: int
    usd: float


def heads(place: Path) -> Iterator[Head]:
    """The fixed fields of every whole line of the journals at `place`; the answers are not parsed."""
    for path in shards(place):
        with path.open("rb", buffering=1 << 20) as lines:
            for line in lines:
                head = head_of(line)
                if head is not None:
                    yield head


def head_of(line: bytes) -> Head | None:
    """The fixed fields of one line; None for one that is torn, or no journal's."""
    found = HEAD.match(line) if line.endswith(b"}\n") else None
    if found is None:
        return None
    key, messages, number, finish, _, prompt, completion, usd = found.groups()
    tokens = int(prompt) + int(completion)
    return Head(key.decode(), messages.decode(), int(number), finish.decode(), tokens, float(usd))


def entries(place: Path) -> Iterator[Entry]:
    """Every whole entry of the journals at `place`, in the order in which they were written."""
    for path in shards(place):
        with path.open("rb") as lines:
            for line in lines:
                entry = decode(line)
                if entry is not None:
                    yield entry


def read(entry: Entry, *, earlier: bool) -> Answer | Failure:
    """What a journal entry says: the answer, or the refusal that it is. earlier: as in `Answer`."""
    content = content_of(entry.body)
    if not isinstance(content, Content):
        return content
    if content.refusal:
        return Failure(Trouble.REFUSAL, f"the model refused: {content.refusal[:300]}")
    if content.finish == "filter":
        said = f" (finish_reason {content.reason!r})"
        return Failure(Trouble.FILTER, f"the endpoint's content filter stopped the answer{said}")
    return Answer(
        text=content.text,
        finish_reason="length" if content.finish == "length" else content.reason if content.notes else "stop",
        model=entry.model,
        prompt_tokens=content.prompt_tokens,
        completion_tokens=content.completion_tokens,
        usd=entry.usd,
        number=entry.number,
        max_tokens=entry.max_tokens,
        earlier=earlier,
        notes=content.notes,
        at=entry.at,
    )


def is_void(entry: Entry) -> bool:
    """Whether what was journalled is no answer by now's reading, and is to be asked for again."""
    content = content_of(entry.body)
    return isinstance(content, Failure) and content.trouble.may_pass
