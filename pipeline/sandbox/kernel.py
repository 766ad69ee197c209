"""The kernel's layers of isolation, called through ctypes: namespaces, mounts, capabilities, seccomp, landlock.

Each function raises OSError with the kernel's own answer where a layer is refused. Constants carry their headers'
names.
"""

import ctypes
import errno
import os
import resource
import stat
import struct
import sys
from collections.abc import Iterable

from pipeline.sandbox.syscalls import (
    ARCHES,
    FILTERED_BY_ARGUMENT,
    MACHINE,
    NEWEST,
    SERVER_NEEDS,
    TABLE,
    number,
)

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_THREAD = 0x10000000, 0x20000000, 0x40000000, 0x10000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_M_ARENA_MAX = -8
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_prctl = _libc.prctl


def _checked(result: int, action: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{action}: {os.strerror(code)}")
    return result


def unshare(flags: int) -> None:
    """Leave the namespaces named by CLONE_NEW* flags for new ones."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """mount(2)."""
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode() if kind else None)
    _checked(_libc.mount(*arguments, ctypes.c_ulong(flags), data.encode()), f"mount {kind or 'bind'} on {target}")


def bind(source: str, target: str, *, writable: bool = False) -> None:
    """Show `source` at `target`, with what is mounted below it, read-only unless `writable`."""
    mount(source, target, None, MS_BIND | MS_REC)
    if not writable:
        read_only(target)


def read_only(target: str) -> None:
    """Make a mount and all below it read-only, without devices and setuid programs (mount_setattr, Linux 5.12)."""
    attributes = struct.pack("<QQQQ", MS_RDONLY | MS_NOSUID, 0, 0, 0)
    call = (number("mount_setattr"), _AT_FDCWD, os.fsencode(target), _AT_RECURSIVE, attributes, len(attributes))
    _checked(_syscall(*call), f"make {target} read-only")


def unmount(target: str) -> None:
    """Detach a mount at once, whoever uses it."""
    _checked(_libc.umount2(os.fsencode(target), MNT_DETACH), f"unmount {target}")


def pivot(root: str) -> None:
    """Make the mount at `root` the root of this mount namespace and let go of the old one."""
    os.chdir(root)
    _checked(_syscall(number("pivot_root"), b".", b"."), "pivot_root")
    unmount(".")
    os.chdir("/")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    _checked(_prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0), "prctl PR_SET_PDEATHSIG")


def no_new_privileges() -> None:
    """Give up setuid programs for good; seccomp and landlock need this of an ordinary user."""
    _checked(_prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl PR_SET_NO_NEW_PRIVS")


def not_dumpable() -> None:
    """Keep processes of the same user out of this one's memory."""
    _checked(_prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl PR_SET_DUMPABLE")


_CAPSET_HEADER = struct.pack("<Ii", 0x20080522, 0)
_CAPSET_NONE = bytes(24)


def drop_capabilities() -> None:
    """Give up every capability."""
    _checked(_syscall(number("capset"), _CAPSET_HEADER, _CAPSET_NONE), "capset")


# BPF: see linux/filter.h and linux/seccomp.h. An instruction is (code, jump if true, jump if false, constant).
_LOAD, _EQUAL, _GREATER, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCH, _ARGUMENT_0 = 0, 4, 16
_instruction = struct.Struct("<HBBI").pack
_OWN_PID = 0xFFFFFFFE
_Block = tuple[int, int, int, int]
_HEAD: list[_Block] = [
    (_LOAD, 0, 0, _ARCH),
    (_EQUAL, 1, 0, ARCHES.get(MACHINE, (0, 0))[1]),
    (_RETURN, 0, 0, _KILL),
    (_LOAD, 0, 0, _NUMBER),
]
_DENY: _Block = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
_THREADS_ONLY: list[_Block] = [
    (_EQUAL, 0, 4, TABLE["clone"][ARCHES.get(MACHINE, (0, 0))[0]]),
    (_LOAD, 0, 0, _ARGUMENT_0),
    (_ANY_BIT, 0, 1, CLONE_THREAD),
    (_RETURN, 0, 0, _ALLOW),
    _DENY,
]


class SeccompFilter:
    """Refuses what a program that computes has no use for; EPERM, so that it sees a PermissionError.

    In two parts, because a long filter takes the kernel a third of a millisecond to check. `install_common`, once in
    the server and inherited by its forks: other programs, namespaces, sockets, keys, tracing, anonymous memory files,
    System V IPC, clocks, priorities, io_uring, and calls newer than this list. `install_program`, in each fork: new
    processes, mounts and users, which the server itself needs; threads are allowed, signals go to the program alone.
    """

    def __init__(self) -> None:
        if MACHINE not in ARCHES:
            raise OSError(f"seccomp: the filter is written for {', '.join(ARCHES)}, not for {MACHINE}")
        refused = set(TABLE) - FILTERED_BY_ARGUMENT - SERVER_NEEDS - {"clone3"}
        nosys = _ERRNO | errno.ENOSYS
        newer = [
            (_GREATER, 0, 1, NEWEST),
            (_RETURN, 0, 0, nosys),
            (_EQUAL, 0, 1, number("clone3")),
            (_RETURN, 0, 0, nosys),
        ]
        self._common = [*_HEAD, *newer, *_denied(refused)]
        self._program = [*_HEAD, *_own_only("kill"), *_own_only("tgkill"), *_own_only("prlimit64"), *_THREADS_ONLY]
        self._program += _denied(SERVER_NEEDS)
        self._packed = b"".join(_instruction(*block) for block in self._program)
        self._places = [i * 8 + 4 for i, block in enumerate(self._program) if block[3] == _OWN_PID]

    def install_common(self) -> None:
        """Filter the server and all it forks from here on; needs `no_new_privileges`."""
        _install(b"".join(_instruction(*block) for block in self._common))

    def install_program(self) -> None:
        """Filter this process, a fork of the server, from here on."""
        code = bytearray(self._packed)
        own = struct.pack("<I", os.getpid())
        for place in self._places:
            code[place : place + 4] = own
        _install(bytes(code))


def _install(code: bytes) -> None:
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("<HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    _checked(_prctl(_PR_SET_SECCOMP, 2, program, 0, 0), "prctl PR_SET_SECCOMP")


def _own_only(name: str) -> list[_Block]:
    """Allow a call only where its first argument is the process's own pid (or 0, which means that for prlimit64)."""
    or_zero = [(_EQUAL, 1, 0, 0)] if name == "prlimit64" else []
    tests = [(_LOAD, 0, 0, _ARGUMENT_0), *or_zero, (_EQUAL, 0, 1, _OWN_PID), (_RETURN, 0, 0, _ALLOW), _DENY]
    return [(_EQUAL, 0, len(tests), number(name)), *tests]


def _denied(names: Iterable[str]) -> list[_Block]:
    """A chain of tests that refuses `names`, where this machine has them, and allows the rest."""
    chain = sorted(n for n in map(number, names) if n >= 0)
    tests = [(_EQUAL, len(chain) - i, 0, n) for i, n in enumerate(chain)]
    return [*tests, (_RETURN, 0, 0, _ALLOW), _DENY]


# Landlock: see linux/landlock.h. Rights by the version of the interface (ABI) that brought them.
_READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL = 1 << 2, 1 << 3, 1 << 14, 1 << 15
_MAKE_DEVICES = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11
_EXECUTE = 1
_RIGHTS_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}


class Landlock:
    """A ruleset: files may be read below `readable` and changed below `writable`, nothing else.

    Where the kernel knows them, TCP and abstract sockets and signals to processes outside the ruleset are refused too.
    """

    def __init__(self, readable: Iterable[str], writable: Iterable[str]) -> None:
        abi = _checked(_syscall(number("landlock_create_ruleset"), None, 0, 1), "landlock")
        self.abi = abi
        rights = max(r for v, r in _RIGHTS_BY_ABI.items() if v <= abi)
        network = 0b11 if abi >= 4 else 0
        scopes = 0b11 if abi >= 6 else 0
        ruleset = struct.pack("<QQQ", rights, network, scopes)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
        create = (number("landlock_create_ruleset"), ruleset, len(ruleset), 0)
        self.fd = _checked(_syscall(*create), "landlock_create_ruleset")
        for path in readable:
            self._allow(path, rights & (_READ_FILE | _READ_DIR))
        for path in writable:
            self._allow(path, rights & ~(_EXECUTE | _MAKE_DEVICES))

    def _allow(self, path: str, rights: int) -> None:
        directory = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(directory).st_mode):
                rights &= _READ_FILE | 1 << 1 | _TRUNCATE | _IOCTL
            rule = struct.pack("<Qi", rights, directory)
            _checked(_syscall(number("landlock_add_rule"), self.fd, 1, rule, 0), f"landlock_add_rule {path}")
        finally:
            os.close(directory)

    def enforce(self) -> None:
        """Bind this process and all it starts to the ruleset."""
        _checked(_syscall(number("landlock_restrict_self"), self.fd, 0), "landlock_restrict_self")

    def close(self) -> None:
        """Let go of the ruleset; processes bound to it stay bound."""
        os.close(self.fd)


def one_malloc_arena() -> None:
    """Keep glibc from reserving 128 MiB of address space for each thread, which RLIMIT_AS would count; else nothing."""
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_ARENA_MAX, 1)


def cpu_clock(pid: int) -> int:
    """Id of the clock that counts a process's CPU time, for `time.clock_gettime` (see clock_getcpuclockid(3))."""
    return (~pid << 3) | 2


def limit(what: int, value: int) -> None:
    """Set a resource limit, soft and hard, or the lower one that is already in force or the largest that there is."""
    _, hard = resource.getrlimit(what)
    value = min(value, sys.maxsize if hard == resource.RLIM_INFINITY else hard)
    resource.setrlimit(what, (value, value))
