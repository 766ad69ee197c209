"""Leaving the host's user namespace with the user ids that the caller wants inside."""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from pipeline.sandbox import kernel


class Ids(NamedTuple):
    """A run of ids: `length` ids from `inside` in the new namespace are those from `outside` in this one."""

    inside: int
    outside: int
    length: int


def maps_id(outside: int) -> bool:
    """Whether this user namespace knows the user and the group `outside`, so that they can be mapped further."""
    for kind in ("uid_map", "gid_map"):
        runs = [tuple(map(int, line.split())) for line in Path(f"/proc/self/{kind}").read_text().splitlines()]
        if not any(start <= outside < start + count for start, _, count in runs):
            return False
    return True


def enter(flags: int, users: list[Ids]) -> None:
    """Unshare `flags`, CLONE_NEWUSER among them, and map user and group ids alike. Raises OSError.

    More than one run of ids, or another user than the caller's own, can be mapped only by a process that stays behind
    with the capability to; that is what is forked here.
    """
    text = "".join(f"{i} {o} {n}\n" for i, o, n in users)
    if users == [Ids(users[0].inside, os.getuid(), 1)]:
        group = os.getgid()
        kernel.unshare(flags)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(text)
        Path("/proc/self/gid_map").write_text(f"{users[0].inside} {group} 1\n")
        return
    unshared_read, unshared_write = os.pipe()
    mapped_read, mapped_write = os.pipe()
    helper = os.fork()
    if helper == 0:
        try:
            os.close(unshared_write)
            if os.read(unshared_read, 1):
                parent = os.getppid()
                Path(f"/proc/{parent}/uid_map").write_text(text)
                Path(f"/proc/{parent}/gid_map").write_text(text)
                os.write(mapped_write, b"1")
        finally:
            os._exit(0)
    os.close(mapped_write)
    try:
        kernel.unshare(flags)
        with contextlib.suppress(OSError):
            os.write(unshared_write, b"1")
        if not os.read(mapped_read, 1):
            raise PermissionError(1, f"the ids {text.split()} could not be mapped")
    finally:
        for fd in (unshared_read, unshared_write, mapped_read):
            os.close(fd)
        os.waitpid(helper, 0)
