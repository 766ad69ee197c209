"""A worker process: leaves the host's namespaces, starts the fork-server as pid 1 of new ones, then judges.

Started by the pool as a fresh interpreter with a clean environment, so that nothing of the pipeline's memory, files or
keys is in it. Speaks with the pool over the socket on `POOL`: first what it could set up, then one answer per program.
"""

import contextlib
import json
import os
import resource
import select
import socket
import tempfile
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.sandbox import child, idle, kernel, namespaces, outcomes, server, tester, view, wire
from pipeline.sandbox.judge import Judge, Session
from pipeline.sandbox.namespaces import Ids
from pipeline.sandbox.outcomes import ServerLost
from pipeline.sandbox.types import Layer, Limits

POOL = 3
"""File descriptor of the socket to the pool."""
SANDBOX_USER = 1000
"""User id of programs inside their user namespace."""
NOBODY = 65534
"""The host's user that programs run as when the pipeline runs as root."""
ENVIRONMENT = {
    "HOME": view.WORK,
    "TMPDIR": view.WORK,
    "PATH": "",
    "TZ": "UTC",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""The whole environment of programs; hash seed, time zone and locale are what makes them repeatable."""
_NAMESPACES = {
    "user namespace": kernel.CLONE_NEWUSER,
    "pid namespace": kernel.CLONE_NEWPID,
    "network namespace": kernel.CLONE_NEWNET,
    "ipc namespace": kernel.CLONE_NEWIPC,
    "uts namespace": kernel.CLONE_NEWUTS,
}


class Entered(NamedTuple):
    """Which namespaces this process is in now."""

    layers: list[Layer]
    two_users: bool


def main() -> None:
    """Set up, report, judge until the pool is gone."""
    config = json.loads(wire.receive(POOL))
    limits = Limits(**config["limits"])
    entered = _enter_namespaces()
    control, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        control.close()
        try:
            _serve(far, limits, config, entered)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    far.close()
    report = control.recv(1 << 16)
    wire.send(POOL, report or json.dumps([["fork-server", False, "it ended at its start"]]).encode())
    if not report:
        return
    kernel.limit(resource.RLIMIT_CORE, 0)
    try:
        _judge_all(Judge(control, POOL, limits))
    except (wire.Closed, ServerLost, BrokenPipeError, ConnectionResetError):
        pass
    control.close()
    os.waitpid(pid, 0)


def _judge_all(judge: Judge) -> None:
    """Answer the pool's programs in order; the test of the next one is read, and so remembered, while one runs, and it
    starts while that is reported."""
    session: Session | None = None
    following: dict[str, Any] | None = None
    while True:
        if session is None:
            session = judge.begin(json.loads(wire.receive(POOL)), None)
        if following is None and select.select([POOL], [], [], 0)[0]:
            following = json.loads(wire.receive(POOL))
            with contextlib.suppress(Exception):  # what is wrong with it is said when it begins
                outcomes.plan(following["test"], following["entry_point"])
        session.run()
        beside = session.again()
        if beside is not None:
            session = beside
            continue
        ended = session
        if following is None:
            session.stop()
            session = None
        else:
            session, following = judge.begin(following, ended), None
        wire.send(POOL, json.dumps(ended.finish()).encode())


def _enter_namespaces() -> Entered:
    """Leave the host's namespaces, all or none: the fork-server's are one piece."""
    two_users = os.getuid() == 0 and namespaces.maps_id(NOBODY)
    own, other = Ids(0, 0, 1), Ids(SANDBOX_USER, NOBODY, 1)
    users = [own, other] if two_users else [Ids(SANDBOX_USER, os.getuid(), 1)]
    flags = 0
    for flag in _NAMESPACES.values():
        flags |= flag
    refused = ""
    try:
        namespaces.enter(flags, users)
    except OSError as error:
        refused = str(error)
    layers = [Layer(name, not refused, refused and f"{refused} ({_why(flag)})") for name, flag in _NAMESPACES.items()]
    return Entered(layers, two_users)


def _why(flag: int) -> str:
    """What usually refuses a namespace."""
    if flag == kernel.CLONE_NEWUSER:
        return "see user.max_user_namespaces, unprivileged_userns_clone, AppArmor, the container's seccomp profile"
    return "needs the user namespace"


def _serve(control: socket.socket, limits: Limits, config: dict[str, Any], entered: Entered) -> None:
    """In pid 1: import what programs share, build the view, try every layer, report, serve.

    It keeps `POOL` open, and its forks do not: the pool sees the end of the socket when this process, too, is gone.
    """
    kernel.die_with_parent()
    account = idle.open_account()
    layers = list(entered.layers)
    isolated = all(layer.available for layer in layers)
    packages = tuple(config["packages"])
    path: list[str] = []
    for name in config["modules"]:
        __import__(name)
    own = os.open("/proc/self/statm", os.O_RDONLY)
    own_bytes = _address_space(own)
    if isolated:
        try:
            kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWCGROUP)
            path = view.build(packages, limits.tmp_mb, limits.files)
            _set_host_name()
            layers.append(Layer("mount namespace and minimal view", True))
        except OSError as error:
            isolated = False
            layers.append(Layer("mount namespace and minimal view", False, str(error)))
    else:
        layers.append(Layer("mount namespace and minimal view", False, "needs the user namespace"))
    work = view.WORK if isolated else tempfile.mkdtemp(prefix="hornbook-sandbox-")
    os.chdir(work)
    if isolated:
        kernel.not_dumpable()
    kernel.no_new_privileges()
    layers += [_try("seccomp", kernel.SeccompFilter), _try("landlock", lambda: kernel.Landlock(["/"], [work]).close())]
    seccomp = kernel.SeccompFilter() if layers[-2].available else None
    user = SANDBOX_USER if isolated and entered.two_users else None
    guards = server.Guards(seccomp, user, isolated, work, packages, account)
    environment = ENVIRONMENT if isolated else ENVIRONMENT | {"HOME": work, "TMPDIR": work}
    server.prepare_interpreter(path, environment, config["preloaded"])
    if config["preloaded"]:
        own_bytes = _address_space(own)
    os.close(own)
    settings = server.Settings(
        limits.cpu_seconds,
        limits.wall_seconds,
        limits.idle_seconds,
        (limits.memory_mb << 20) + own_bytes,
        limits.output_kb << 10,
        limits.tmp_mb,
        limits.files,
        limits.threads,
    )
    control.send(json.dumps([[layer.name, layer.available, layer.detail] for layer in layers]).encode())
    try:
        server.run(control, settings, guards, {server.PROGRAM: child.start, server.TEST: tester.start})
    finally:
        if not isolated:
            view.remove_all(work)
            Path(work).rmdir()


def _address_space(statm: int) -> int:
    """Bytes of this process's address space. statm: open on /proc/self/statm, which the view does not have."""
    return int(os.pread(statm, 100, 0).split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _set_host_name() -> None:
    socket.sethostname("sandbox")


def _try(name: str, action: Any) -> Layer:
    """Whether a layer can be put on, tried in a fork of its own where trying is not undone."""
    try:
        action()
    except OSError as error:
        return Layer(name, False, str(error))
    return Layer(name, True)


if __name__ == "__main__":
    main()
