"""HTTP/1.1 responses out of bytes, in whatever pieces they come."""

import re
import zlib
from dataclasses import dataclass

LARGEST_BODY = 64 << 20
"""A longer response is an error: no chat completion is 64 MiB."""
_LONGEST_LINE = 16 << 10
_LARGEST_HEAD = 64 << 10
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;.*)?", re.DOTALL)
"""A chunk's size and its extensions, which say nothing that we know (RFC 9112, section 7.1)."""


@dataclass(frozen=True, slots=True)
class Response:
    """headers: names in lower case, the last value of each. body: as it is once it is unpacked."""

    status: int
    headers: dict[str, str]
    body: bytes


class Parser:
    """Bytes of one response in, the response out. rest: what came behind it; keep_alive: whether there may be more."""

    def __init__(self) -> None:
        self.keep_alive = True
        self.rest = b""
        self._data = b""
        self._more: list[bytes] = []
        self._have = 0
        self._status = 0
        self._headers: dict[str, str] | None = None
        self._length: int | None = None
        self._chunked = False
        self._chunks = bytearray()
        self._in_trailers = False

    def feed(self, data: bytes) -> Response | None:
        """The response once it is whole, else None. Raises ValueError for what is not HTTP or too long."""
        if self._headers is None:
            self._data += data
            if not self._read_head():
                return None
            data = self._data
        self._have += len(data)
        if self._have > LARGEST_BODY:
            raise ValueError(f"a body of more than {LARGEST_BODY} bytes")
        if self._chunked:
            return self._read_chunks(data)
        self._more.append(data)
        if self._length is not None and self._have >= self._length:
            body = self._body()
            self.rest = body[self._length :]
            return self._response(body[: self._length])
        return None

    def at_end(self) -> Response | None:
        """The response when the server closes: whole only if it gave no length."""
        if self._headers is None or self._chunked or self._length is not None:
            return None
        self.keep_alive = False
        return self._response(self._body())

    def _read_head(self) -> bool:
        """Read status and headers; `_data` is then what follows them. Interim responses (1xx) are passed over."""
        while True:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                if len(self._data) > _LARGEST_HEAD:
                    raise ValueError("more than 64 KiB of headers")
                return False
            lines = self._data[:end].decode("latin-1").split("\r\n")
            self._data = self._data[end + 4 :]
            version, _, after = lines[0].partition(" ")
            if not version.startswith("HTTP/1.") or not re.match(r"[1-9][0-9]{2}(?![0-9])", after):
                raise ValueError(f"first line {lines[0][:60]!r}")
            if after[0] != "1":
                break
        headers = _fields(lines[1:])
        self._status, self._headers = int(after[:3]), headers
        connection = headers.get("connection", "").lower().replace(" ", "").split(",")
        self.keep_alive = version != "HTTP/1.0" and "close" not in connection
        coding = headers.get("transfer-encoding", "identity").lower().strip()
        if coding not in ("chunked", "identity"):
            raise ValueError(f"transfer-encoding {coding[:40]!r}")
        self._chunked = coding == "chunked"
        if self._status in (204, 304):
            self._length, self._chunked = 0, False
        elif not self._chunked and "content-length" in headers:
            self._length = _number(headers["content-length"])
        return True

    def _body(self) -> bytes:
        return self._more[0] if len(self._more) == 1 else b"".join(self._more)

    def _read_chunks(self, data: bytes) -> Response | None:
        """Move whole chunks from `_chunks` to `_more`; the response once the trailers, if any, have ended."""
        waiting, at = self._chunks, 0
        waiting += data
        while (end := waiting.find(b"\r\n", at)) >= 0:
            if self._in_trailers:
                if end == at:
                    self.rest = bytes(waiting[end + 2 :])
                    return self._response(self._body())
                at = end + 2
                continue
            size = _CHUNK.fullmatch(waiting, at, end)
            if size is None:
                raise ValueError(f"a chunk begins with {bytes(waiting[at : at + 60])!r}")
            start, stop = end + 2, end + 2 + int(size.group(1), 16)
            if stop - start > LARGEST_BODY:
                raise ValueError(f"a body of more than {LARGEST_BODY} bytes")
            if stop > start:
                if len(waiting) < stop + 2:
                    break
                if waiting[stop : stop + 2] != b"\r\n":
                    raise ValueError("a chunk does not end where it says")
                self._more.append(bytes(waiting[start:stop]))
                at = stop + 2
            else:
                self._in_trailers, at = True, start
        if end < 0 and len(waiting) - at > _LONGEST_LINE:
            raise ValueError("a chunk's first line has no end")
        del waiting[:at]
        return None

    def _response(self, body: bytes) -> Response:
        assert self._headers is not None
        coding = self._headers.get("content-encoding", "").lower().strip()
        return Response(self._status, self._headers, _unpacked(body, coding) if body else body)


def _fields(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    last = ""
    for line in lines:
        if line[:1] in (" ", "\t") and last:  # a value that goes on, as old servers fold it
            headers[last] = f"{headers[last]} {line.strip()}".strip()
            continue
        name, _, value = line.partition(":")
        last, value = name.strip().lower(), value.strip()
        if last == "content-length" and headers.get(last, value) != value:
            raise ValueError("two values of content-length")
        headers[last] = value
    return headers


def _number(value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,16}", value):
        raise ValueError(f"content-length {value[:40]!r}")
    return int(value)


def _unpacked(body: bytes, coding: str) -> bytes:
    """The body of a server that packs it, asked or not. Raises ValueError where it cannot be unpacked."""
    if coding in ("", "identity"):
        return body
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise ValueError(f"content-encoding {coding[:40]!r}, which was not asked for")
    # "deflate" is zlib's format by the standard, and the bare one from servers that took it by its name.
    bare = coding == "deflate" and body[0] & 0x0F != 8
    try:
        unpacker = zlib.decompressobj(-15 if bare else 47)
        whole = unpacker.decompress(body, LARGEST_BODY)
    except zlib.error as error:
        raise ValueError(f"content-encoding {coding!r}: {error}") from None
    if not unpacker.eof:
        raise ValueError(f"content-encoding {coding!r}: cut off, or more than {LARGEST_BODY} bytes")
    return whole
