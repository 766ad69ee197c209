import asyncio
import contextlib
import gzip
import itertools
import re
import time
import zlib
from email.utils import formatdate

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from server import Reply, serving

from pipeline.teacher.content import content_of
from pipeline.teacher.protocol import Failure, Trouble
from pipeline.teacher.response import Parser
from pipeline.teacher.transport import Session, TransportError, Wire, transport
from pipeline.teacher.wire import duration, error_of, parse_body, retry_after


def fed(data: bytes, cuts: list[int]) -> "object":
    parser = Parser()
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    response = None
    for start, stop in itertools.pairwise(places):
        assert response is None
        response = parser.feed(data[start:stop])
    return response


@given(body=st.binary(max_size=300), cuts=st.lists(st.integers(0, 1000), max_size=6), chunk=st.integers(1, 50))
def test_a_response_is_read_however_it_is_cut(body: bytes, cuts: list[int], chunk: int) -> None:
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-Y: z\r\n\r\n" % len(body) + body
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(body[i : i + chunk]), body[i : i + chunk]) for i in range(0, len(body), chunk)
    )
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    for data in (plain, chunked, b"HTTP/1.1 100 Continue\r\n\r\n" + plain):
        response = fed(data, cuts)
        assert response is not None
        assert response.status == 200  # type: ignore[attr-defined]
        assert response.body == body  # type: ignore[attr-defined]


chunk_ends = st.sampled_from([b"", b" ", b";", b";a=b", b' ; a="0"', b";0"])
trailer = st.sampled_from([b"x-a: b\r\n", b"0: 0\r\n", b"digest: " + b"0" * 5000 + b"\r\n"])


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=40), max_size=5),
    ends=st.lists(chunk_ends, min_size=6, max_size=6),
    zeros=st.integers(1, 4),
    trailers=st.lists(trailer, max_size=2),
    interim=st.integers(0, 2),
    packed=st.sampled_from(["", "gzip", "deflate"]),
    cuts=st.lists(st.integers(0, 10_000), max_size=6),
)
def test_chunks_are_read_as_h11_reads_them(
    pieces: list[bytes],
    ends: list[bytes],
    zeros: int,
    trailers: list[bytes],
    interim: int,
    packed: str,
    cuts: list[int],
) -> None:
    body = b"".join(pieces)
    sent = {"": lambda b: b, "gzip": gzip.compress, "deflate": zlib.compress}[packed](body) if body else body
    step = max(1, -(-len(sent) // max(1, len(pieces))))
    parts = [sent[i : i + step] for i in range(0, len(sent), step)]
    data = (
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * interim + b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n"
    )
    data += b"content-encoding: %s\r\n" % packed.encode() if packed and body else b""
    data += b"\r\n" + b"".join(b"%X%s\r\n%s\r\n" % (len(p), e, p) for p, e in zip(parts, ends, strict=False))
    data += b"0" * zeros + ends[-1] + b"\r\n" + b"".join(trailers) + b"\r\n"
    response = fed(data, cuts)
    assert response is not None
    assert response.body == body  # type: ignore[attr-defined]
    if b" ;" in data:  # RFC 9112 asks that blanks before an extension are read, and h11 refuses them
        return
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    client.receive_data(data)
    events = []
    while not events or not isinstance(events[-1], h11.EndOfMessage):
        events.append(client.next_event())
        assert events[-1] is not h11.NEED_DATA
    assert b"".join(bytes(event.data) for event in events if isinstance(event, h11.Data)) == sent


@pytest.mark.parametrize(
    ("head", "body", "words"),
    [
        (b"Transfer-Encoding: chunked", b"-1\r\nabc", "a chunk begins with"),
        (b"Transfer-Encoding: chunked", b"0x3\r\nabc\r\n0\r\n\r\n", "a chunk begins with"),
        (b"Transfer-Encoding: chunked", b"3\r\nabcdef\r\n", "does not end where it says"),
        (b"Transfer-Encoding: chunked", b"FFFFFFFF\r\n", "a body of more than"),
        (b"Transfer-Encoding: chunked", b"1" * 20_000, "has no end"),
        (b"Transfer-Encoding: gzip, chunked", b"", "transfer-encoding 'gzip, chunked'"),
        (b"Content-Length: -5", b"", "content-length '-5'"),
        (b"Content-Length: 1_0", b"", "content-length '1_0'"),
        (b"Content-Length: 5\r\nContent-Length: 6", b"", "two values of content-length"),
        (b"Content-Length: 3\r\nContent-Encoding: br", b"abc", "content-encoding 'br', which was not asked for"),
        (b"Content-Length: 3\r\nContent-Encoding: gzip", b"abc", "content-encoding 'gzip'"),
        (b"Content-Length: 15\r\nContent-Encoding: gzip", gzip.compress(b"abc", mtime=0)[:15], "cut off"),
    ],
)
def test_what_is_wrong_with_a_response_is_said(head: bytes, body: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Parser().feed(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_response_or_none(data: bytes) -> None:
    for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"):
        parser = Parser()
        with contextlib.suppress(ValueError):
            parser.feed(start + data)
            parser.at_end()


@pytest.mark.parametrize("data", [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 70000])
def test_what_is_not_http_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        Parser().feed(data)


@pytest.mark.parametrize("made", [Wire, Session])
@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (Reply(raw=b"x", delay=1.5), Trouble.TIMEOUT),
        (Reply(raw=b"x" * 100, cut=80), Trouble.CONNECTION),
        (Reply(raw=b"x", cut=0), Trouble.CONNECTION),
    ],
)
def test_both_transports_fail_alike(made: type, reply: Reply, trouble: Trouble) -> None:
    async def ask(url: str) -> None:
        client = made(url, {}, 0.5) if made is Wire else made(url, {}, 0.5, 4)
        try:
            with pytest.raises(TransportError) as caught:
                await client.post("/chat/completions", b"{}")
            assert caught.value.trouble is trouble
        finally:
            await client.close()

    with serving(lambda body: reply) as server:
        asyncio.run(ask(server.url))


@pytest.mark.parametrize("made", [Wire, Session])
def test_both_transports_reuse_connections(made: type) -> None:
    async def ask(url: str) -> list[bytes]:
        client = made(url, {"x-a": "b"}, 5.0) if made is Wire else made(url, {"x-a": "b"}, 5.0, 4)
        try:
            return [(await client.post("/chat/completions", b"{}")).body for _ in range(3)]
        finally:
            await client.close()

    with serving(lambda body: Reply(body={"fine": 1})) as server:
        assert asyncio.run(ask(server.url)) == [b'{"fine": 1}'] * 3
    assert {head["x-a"] for head in server.heads} == {"b"}


def test_https_and_proxies_go_through_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    async def kinds() -> list[type]:
        made = [transport(url, {}, 1.0, 1) for url in ("http://10.0.0.1/v1", "https://10.0.0.1/v1")]
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        made.append(transport("http://example.org/v1", {}, 1.0, 1))
        for one in made:
            await one.close()
        return [type(one) for one in made]

    for variable in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "no_proxy",
        "NO_PROXY",
    ):
        monkeypatch.delenv(variable, raising=False)
    assert asyncio.run(kinds()) == [Wire, Session, Session]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("1s", 1), ("6m0s", 360), ("120ms", 0.12), ("1h2m3s", 3723), ("2", 2), ("1.5s", 1.5), ("", None), ("soon", None)],
)
def test_durations_of_headers(value: str, seconds: float | None) -> None:
    assert duration(value) == seconds


def test_retry_after_is_seconds_milliseconds_or_a_date() -> None:
    now = time.time()
    assert retry_after({"retry-after": "3"}, now) == 3
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}, now) == 0.25
    assert retry_after({"retry-after": formatdate(now + 30, usegmt=True)}, now) == pytest.approx(30, abs=1.1)
    assert retry_after({"retry-after": formatdate(now - 30, usegmt=True)}, now) == 0
    assert retry_after({"retry-after": "soon"}, now) is None
    assert retry_after({}, now) is None


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        (429, b"slow down", Trouble.RATE_LIMIT),
        (429, b'{"error": {"message": "You exceeded your current quota"}}', Trouble.QUOTA),
        (402, b"", Trouble.QUOTA),
        (401, b"", Trouble.AUTHENTICATION),
        (404, b'{"detail": "Not Found"}', Trouble.NOT_FOUND),
        (503, b"", Trouble.OVERLOAD),
        (529, b"", Trouble.OVERLOAD),
        (500, b"<html>", Trouble.SERVER),
        (408, b"", Trouble.TIMEOUT),
        (413, b"", Trouble.CONTEXT),
        (400, b'{"error": "the request exceeds the available context size"}', Trouble.CONTEXT),
        (400, b'{"error": {"message": "x", "code": "content_filter"}}', Trouble.FILTER),
        (422, b'{"detail": [{"msg": "bad"}]}', Trouble.BAD_REQUEST),
    ],
)
def test_errors_have_classes(status: int, body: bytes, trouble: Trouble) -> None:
    assert error_of(status, body).trouble is trouble


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["message", "content", "text", "x"]), inner)
    ),
    max_leaves=8,
)


@given(choices=json_values, usage=json_values)
def test_no_body_breaks_the_reader(choices: object, usage: object) -> None:
    body = {"choices": choices, "usage": usage}
    content_of(body)
    assert isinstance(content_of({"choices": [choices]}), object)


@given(raw=st.binary(max_size=50))
def test_bytes_that_are_no_answer_are_malformed(raw: bytes) -> None:
    assert isinstance(parse_body(raw), Failure)
