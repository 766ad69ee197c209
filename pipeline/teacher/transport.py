"""Bytes to an endpoint and back: HTTP/1.1 over kept-alive connections.

Two transports with one interface. `Wire` speaks plain HTTP over asyncio streams of its own and costs about a third of
the CPU time of aiohttp, which matters when one core feeds a local vLLM; `Session` is aiohttp and does everything else:
TLS, proxies, redirections refused. `transport` chooses.
"""

import asyncio
import urllib.request
from collections import deque
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
import yarl

from pipeline.teacher.address import joined
from pipeline.teacher.protocol import Trouble
from pipeline.teacher.response import LARGEST_BODY, Parser, Response

_IDLE_SECONDS = 15.0
"""Connections unused for longer are not trusted with a request: servers close them about then (uvicorn: 5 s)."""


class TransportError(Exception):
    """No response. trouble: TIMEOUT or CONNECTION; sent: the request may have reached the server."""

    def __init__(self, trouble: Trouble, detail: str, *, sent: bool) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.detail = detail
        self.sent = sent


class Transport(Protocol):
    """One endpoint's connections."""

    async def post(self, path: str, body: bytes) -> Response:
        """Send a request, wait for the whole response. path: below the base URL, "/chat/completions"."""

    async def close(self) -> None: ...


def transport(base_url: str, headers: Mapping[str, str], timeout: float, most: int) -> Transport:
    """The cheapest transport that can reach `base_url`. timeout: seconds for a whole request; most: connections."""
    parts = urlsplit(base_url)
    proxied = "http" in urllib.request.getproxies() and not urllib.request.proxy_bypass(parts.hostname or "")
    if parts.scheme == "http" and not proxied:
        return Wire(base_url, headers, timeout)
    return Session(base_url, headers, timeout, most)


class Session:
    """aiohttp behind the interface."""

    def __init__(self, base_url: str, headers: Mapping[str, str], timeout: float, most: int) -> None:
        self._base = base_url
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=most, keepalive_timeout=_IDLE_SECONDS),
            headers=dict(headers),
            timeout=aiohttp.ClientTimeout(total=timeout),
            trust_env=True,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def post(self, path: str, body: bytes) -> Response:
        try:
            url = yarl.URL(joined(self._base, path), encoded=True)
            async with self._session.post(url, data=body, allow_redirects=False) as response:
                raw = await _bounded(response)
                return Response(response.status, {k.lower(): v for k, v in response.headers.items()}, raw)
        except TimeoutError:
            raise TransportError(Trouble.TIMEOUT, "no answer in time", sent=True) from None
        except aiohttp.ClientConnectorError as error:
            raise TransportError(Trouble.CONNECTION, str(error), sent=False) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TransportError(Trouble.CONNECTION, f"{type(error).__name__}: {error}", sent=True) from None

    async def close(self) -> None:
        await self._session.close()


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The whole body. Raises ValueError for one that is too long."""
    raw = bytearray()
    async for piece in response.content.iter_any():
        raw += piece
        if len(raw) > LARGEST_BODY:
            raise ValueError(f"a body of more than {LARGEST_BODY} bytes")
    return bytes(raw)


class Wire:
    """A minimal HTTP/1.1 client: one request at a time on each connection, connections reused last in first out."""

    def __init__(self, base_url: str, headers: Mapping[str, str], timeout: float) -> None:
        parts = urlsplit(base_url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._base = base_url
        self._timeout = timeout
        self._fixed = "".join(
            f"{name}: {value}\r\n" for name, value in {"host": parts.netloc, "accept": "*/*", **headers}.items()
        )
        self._heads: dict[str, bytes] = {}
        self._idle: deque[_Connection] = deque()
        self._closed = False

    def _head(self, path: str) -> bytes:
        """Request line and fixed headers, up to the value of content-length."""
        head = self._heads.get(path)
        if head is None:
            parts = urlsplit(joined(self._base, path))
            target = f"{parts.path}?{parts.query}" if parts.query else parts.path
            head = f"POST {target} HTTP/1.1\r\n{self._fixed}content-length: ".encode("ascii")
            self._heads[path] = head
        return head

    async def post(self, path: str, body: bytes) -> Response:
        loop = asyncio.get_running_loop()
        connection = self._reusable(loop.time())
        if connection is None:
            connection = await self._connect(loop)
        data = b"%s%d\r\n\r\n%s" % (self._head(path), len(body), body)
        try:
            response = await connection.exchange(data, self._timeout)
        except BaseException:
            connection.abort()
            raise
        if connection.reusable and not self._closed:
            connection.idle_since = loop.time()
            self._idle.append(connection)
        else:
            connection.abort()
        return response

    def _reusable(self, now: float) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.open and now - connection.idle_since < _IDLE_SECONDS:
                return connection
            connection.abort()
        return None

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> "_Connection":
        try:
            async with asyncio.timeout(min(self._timeout, 30.0)):
                _, connection = await loop.create_connection(lambda: _Connection(loop), self._host, self._port)
        except TimeoutError:
            raise TransportError(
                Trouble.CONNECTION, f"no connection to {self._host}:{self._port}", sent=False
            ) from None
        except OSError as error:
            detail = f"no connection to {self._host}:{self._port}: {error.strerror or error}"
            raise TransportError(Trouble.CONNECTION, detail, sent=False) from None
        return connection

    async def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().abort()
        # One turn of the loop, so that the sockets are really closed before it ends.
        await asyncio.sleep(0)


class _Connection(asyncio.Protocol):
    """One socket and at most one request on it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Response] | None = None
        self._parser = Parser()
        self.open = False
        self.reusable = False
        self.idle_since = 0.0

    async def exchange(self, data: bytes, timeout: float) -> Response:
        """Send `data`, return the response to it. Raises TransportError."""
        if self._transport is None or not self.open:
            raise TransportError(Trouble.CONNECTION, "connection closed by the server", sent=False)
        self._waiter = self._loop.create_future()
        self._parser = Parser()
        timer = self._loop.call_later(timeout, self._fail, Trouble.TIMEOUT, f"no answer in {timeout:g} s")
        self._transport.write(data)
        try:
            return await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def abort(self) -> None:
        self.open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.open = True

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self.abort()  # bytes that nobody asked for: the stream can no longer be trusted
            return
        try:
            response = self._parser.feed(data)
        except ValueError as error:
            self._fail(Trouble.CONNECTION, f"not HTTP/1.1: {error}")
            return
        if response is not None:
            self._finish(response)

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        if self._waiter is None:
            return
        response = self._parser.at_end() if error is None else None
        if response is not None:
            self._finish(response)
        else:
            self._fail(Trouble.CONNECTION, f"connection lost before the answer was whole ({error or 'closed'})")

    def _finish(self, response: Response) -> None:
        self.reusable = self.open and self._parser.keep_alive and not self._parser.rest
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(response)

    def _fail(self, trouble: Trouble, detail: str) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TransportError(trouble, detail, sent=True))
