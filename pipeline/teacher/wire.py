"""The chat-completions wire format: request bodies out, answers and errors in."""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pipeline.core.identity import DEEPEST, deeper_than
from pipeline.core.records import Message
from pipeline.teacher.content import Content, content_of
from pipeline.teacher.protocol import Failure, Trouble
from pipeline.teacher.redaction import mask_body, redact

Api = Literal["chat", "completions"]
_DETAIL = 300
"""Most characters of a server's message that are quoted."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Everything of a request body besides model and messages; all of it but `max_tokens` is part of the key."""

    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    seed: int | None = None
    extra_body: tuple[tuple[str, object], ...] = ()
    api: Api = "chat"

    def identity(self) -> dict[str, object]:
        """What changes an answer, without `max_tokens`."""
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stop": list(self.stop),
            "seed": self.seed,
            "extra_body": dict(self.extra_body),
            "api": self.api,
        }


class BodyWriter:
    """Writes request bodies for one endpoint; everything that does not change is encoded once."""

    def __init__(self, base_url: str, model: str, sampling: Sampling) -> None:
        fields: dict[str, object] = {}
        extra = dict(sampling.extra_body)
        if "max_tokens" not in extra and "max_completion_tokens" not in extra:
            # OpenAI's newer models refuse the old name, and no other server knows the new one for sure.
            modern = sampling.api == "chat" and urlsplit(base_url).hostname == "api.openai.com"
            fields["max_completion_tokens" if modern else "max_tokens"] = sampling.max_tokens
        # 1 is every server's default, and models that allow no other value refuse to be told it.
        if sampling.temperature != 1.0:
            fields["temperature"] = sampling.temperature
        if sampling.top_p != 1.0:
            fields["top_p"] = sampling.top_p
        if sampling.stop:
            fields["stop"] = list(sampling.stop)
        fields.update(extra)
        asked = "messages" if sampling.api == "chat" else "prompt"
        self._head = json.dumps({"model": model})[:-1].encode() + f', "{asked}": '.encode()
        self._tail = b", " + json.dumps(fields)[1:].encode()
        self._sampling = sampling

    def body(self, messages: tuple[Message, ...], number: int) -> bytes:
        """The body for the `number`-th sample: a seed is raised by `number`, or all samples would be the same."""
        if self._sampling.api == "chat":
            asked = json.dumps([{"role": message.role, "content": message.content} for message in messages])
        else:
            asked = json.dumps("\n\n".join(message.content for message in messages))
        tail = self._tail
        if self._sampling.seed is not None:
            tail = f', "seed": {self._sampling.seed + number}'.encode() + tail
        return self._head + asked.encode() + tail


class Parsed(NamedTuple):
    """A 200 body: the JSON object, what it says, and `line`: the object's JSON as a journal keeps it."""

    body: dict[str, Any]
    content: Content
    line: bytes


def parse_body(raw: bytes) -> Parsed | Failure:
    """The JSON object of a 200 body, in any encoding that JSON may have; a Failure names what else came.

    The line is UTF-8 and holds no key of this process. What was parsed is what is read back from it.
    """
    body = _loaded(raw)
    if isinstance(body, Failure):
        return body
    if not isinstance(body, dict):
        kind = {"list": "an array", "str": "a string", "NoneType": "null"}.get(type(body).__name__, "a number")
        return Failure(Trouble.MALFORMED, f"200 with JSON that is {kind}, not an object")
    inside = _error_inside(body)
    if inside is not None:
        return inside
    plain = raw[:1] == b"{" and json.detect_encoding(raw) == "utf-8" and _is_utf8(raw)
    line = raw if plain else json.dumps(body).encode()
    kept = mask_body(line)
    if kept != line:
        body = json.loads(kept)
    content = content_of(body)
    return content if isinstance(content, Failure) else Parsed(body, content, kept)


def json_lines(raw: bytes) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file that came from an endpoint, in any encoding; a line that is none is left out.

    A line whose answer is broken has an object all the same; which request a torn line answers cannot be told.
    """
    import jsonlines

    encoding = json.detect_encoding(raw)
    text = raw.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")
    with jsonlines.Reader(text.split("\n"), loads=_shallow) as lines:
        yield from lines.iter(type=dict, skip_empty=True, skip_invalid=True)


def _shallow(text: str | bytes) -> Any:
    """The JSON value of a line. Raises ValueError for what is none, or is nested too deeply to be kept."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if deeper_than(value, DEEPEST):
        raise ValueError("nested too deeply")
    return value


def _loaded(raw: bytes) -> Any | Failure:
    """The JSON value; bytes that are no UTF-8 become lone surrogates, which `content_of` replaces and says."""
    try:
        try:
            value = json.loads(raw)
        except UnicodeDecodeError:
            value = json.loads(raw.decode("utf-8", "surrogateescape"))
    except RecursionError:
        return _too_deep()
    except ValueError as error:
        return Failure(Trouble.MALFORMED, _not_json(raw, error))
    return _too_deep() if raw.count(b"[") + raw.count(b"{") > DEEPEST and deeper_than(value, DEEPEST) else value


def _too_deep() -> Failure:
    return Failure(Trouble.MALFORMED, f"200 with JSON of more than {DEEPEST} levels")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _not_json(raw: bytes, error: ValueError) -> str:
    """What came in place of one JSON object, and what to set."""
    start = raw.removeprefix(codecs.BOM_UTF8).lstrip()[:2000]
    if not start:
        return "200 with an empty body"
    if re.match(rb"(data|event|id|retry)?:", start):
        return "200 with an event stream, not one JSON object: take `stream` out of extra_body"
    if start[:1] == b"<":
        title = re.search(rb"<title[^>]*>([^<]{1,200})", start, re.IGNORECASE)
        named = f", titled {_quote(title.group(1).decode('utf-8', 'replace'))!r}" if title else ""
        page = "an HTML page" if re.match(rb"<(!doctype html|html|head|body)", start, re.IGNORECASE) else "markup"
        return f"200 with {page}{named}, not JSON: base_url should be that of the API (most end in /v1)"
    if getattr(error, "msg", "") == "Extra data":
        return (
            "200 with several JSON values, as a stream has them: take `stream` out of extra_body, "
            "and let base_url be that of an OpenAI-compatible API (most end in /v1)"
        )
    if start[:1] in b"{[":
        return f"200 with a body of {len(raw)} bytes that is not whole JSON"
    return f"200 with text that is not JSON: {_quote(start[:200].decode('utf-8', 'replace'))!r}"


def _error_inside(body: dict[str, Any]) -> Failure | None:
    """The error that a 200 carries in place of an answer, with the class that its code or words give it."""
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    error = body.get("error") or choice.get("error")
    if not error and not choices and (body.get("object") == "error" or body.get("type") == "error"):
        error = body
    if not error or not isinstance(error, dict | str) or (isinstance(error, dict) and not any(error.values())):
        return None
    message, code = _words_of({"error": error})
    status = next((int(word) for word in code.split() if word.isascii() and word.isdigit() and len(word) == 3), 500)
    trouble = _trouble(status if status >= 400 else 500, f"{code} {message}".lower())
    return Failure(trouble, f"200 with an error inside: {_quote(f'{code}: {message}' if code else message)}")


def error_of(status: int, raw: bytes, location: str = "") -> Failure:
    """Class and message of an error response (status other than 200). location: where a redirection points to."""
    if 300 <= status < 400:
        return Failure(Trouble.NOT_FOUND, _redirected(status, location))
    message, code = _server_words(raw)
    words = f"{code} {message}".lower()
    said = f"HTTP {status}: {_quote(message)}" if message else f"HTTP {status}"
    return Failure(_trouble(status, words), said)


def _redirected(status: int, location: str) -> str:
    """A redirection is not followed: it would carry the key to a place that the recipe does not name."""
    where, query, _ = location.partition("?")
    where = re.sub(r"//[^/@]*@", "//", where)
    base = re.sub(r"/(chat/)?completions/?$", "", where)
    if not where:
        return f"HTTP {status}: redirected, without saying where to: correct base_url"
    to = f"redirected to {_quote(where)}{'?...' if query else ''}"
    return f"HTTP {status}: {to}, which is not followed: base_url should be {_quote(base)!r} if that is the API"


def _trouble(status: int, words: str) -> Trouble:
    if status == 402 or "insufficient_quota" in words or "exceeded your current quota" in words:
        return Trouble.QUOTA
    if status in (401, 403, 407):
        return Trouble.AUTHENTICATION
    if status == 404:
        return Trouble.NOT_FOUND
    if status == 429:
        return Trouble.RATE_LIMIT
    if status == 408:
        return Trouble.TIMEOUT
    if status in (502, 503, 504, 529):
        return Trouble.OVERLOAD
    if status >= 500 or status in (409, 425):
        return Trouble.SERVER
    if "content_filter" in words or "content_policy" in words or "content management policy" in words:
        return Trouble.FILTER
    context_words = ("context_length", "context length", "maximum context", "context size", "too many tokens")
    if status == 413 or any(word in words for word in context_words):
        return Trouble.CONTEXT
    return Trouble.BAD_REQUEST


def _server_words(raw: bytes) -> tuple[str, str]:
    """Message and code of an error body: OpenAI's shape, FastAPI's `detail`, or plain text."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or deeper_than(body, DEEPEST):
        return raw[: 4 * _DETAIL].decode("utf-8", "replace").strip(), ""
    return _words_of(body)


def _words_of(body: dict[str, Any]) -> tuple[str, str]:
    error = body.get("error") or body
    if not isinstance(error, dict):
        return str(error), ""
    message = error.get("message") or error.get("detail") or error.get("msg") or ""
    return str(message), f"{error.get('code') or ''} {error.get('type') or ''}".strip()


def retry_after(headers: dict[str, str], now: float) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after` (seconds or an HTTP date); None if not told.

    now: seconds since the epoch, for dates. Names are lower case. A past date is 0 seconds.
    """
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "").strip()
        if not value:
            return None
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def duration(value: str) -> float | None:
    """Seconds of OpenAI's reset headers: "1s", "6m0s", "120ms", "1h2m", or a bare number; None if it is none."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    total, number, rest = 0.0, "", value.strip()
    try:
        if rest and rest.replace(".", "", 1).isdigit():
            return float(rest)
        while rest:
            cut = next((i for i, c in enumerate(rest) if not (c.isdigit() or c == ".")), len(rest))
            number, rest = rest[:cut], rest[cut:]
            unit = "ms" if rest.startswith("ms") else rest[:1]
            total += float(number) * units[unit]
            rest = rest[len(unit) :]
    except (ValueError, KeyError):
        return None
    return total if value.strip() else None


def _quote(message: object) -> str:
    """A server's words on one line, without keys; masked before they are cut, or a piece of a key might be left."""
    text = redact(" ".join(str(message or "").split()))
    return text if len(text) <= _DETAIL else text[:_DETAIL] + "..."
