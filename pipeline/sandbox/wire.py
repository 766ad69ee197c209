"""Messages over a stream socket: four bytes of length, then the body. Names are bound early: programs patch modules."""

import struct
from os import read as _read
from os import write as _write

from pipeline.sandbox.codec import Malformed

_pack = struct.Struct("<I").pack
_unpack = struct.Struct("<I").unpack
_LARGE = 1 << 16
"""Bytes of a body from which on a copy costs more than a second system call."""


class Closed(Exception):
    """The other side has closed the channel."""


def send(fd: int, body: bytes) -> None:
    """Write one message; blocks until the other side has taken it. Raises Closed where there is no other side."""
    head = _pack(len(body))
    try:
        for part in (head + body,) if len(body) < _LARGE else (head, body):
            data = memoryview(part)
            while data:
                data = data[_write(fd, data) :]
    except (BrokenPipeError, ConnectionResetError):
        raise Closed from None


def receive(fd: int, most: int = 1 << 30) -> bytes:
    """Read one message of at most `most` bytes; raises Closed at the end, Malformed where it would be longer."""
    (length,) = _unpack(_exactly(fd, 4))
    if length > most:
        raise Malformed(f"a message of {length:,} bytes, at most {most:,} are allowed")
    return _exactly(fd, length)


def _exactly(fd: int, count: int) -> bytes:
    parts = []
    while count:
        try:
            part = _read(fd, min(count, 1 << 20))
        except ConnectionResetError:
            raise Closed from None
        if not part:
            raise Closed
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class Inbox:
    """Takes messages apart as their bytes come in, for a reader that polls."""

    def __init__(self, fd: int, most: int) -> None:
        self.fd = fd
        self.most = most
        self._buffer = bytearray()
        self.total = 0
        self.closed = False

    def fill(self) -> None:
        """Read what is there, once; sets `closed` at the end."""
        try:
            part = _read(self.fd, 1 << 18)
        except ConnectionResetError:
            part = b""
        except BlockingIOError:
            return
        if not part:
            self.closed = True
        self._buffer += part
        self.total += len(part)

    def pop(self) -> bytes | None:
        """The next whole message, or None; raises Malformed for one that would be too long."""
        if len(self._buffer) < 4:
            return None
        (length,) = _unpack(bytes(self._buffer[:4]))
        if length > self.most:
            raise Malformed(f"a message of {length:,} bytes, at most {self.most:,} are allowed")
        if len(self._buffer) < 4 + length:
            return None
        body = bytes(self._buffer[4 : 4 + length])
        del self._buffer[: 4 + length]
        return body
