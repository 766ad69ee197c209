"""What a program sees of the machine: the standard library, shared libraries, a few devices, one small tmpfs.

Built in a mount namespace of its own on an empty tmpfs and made the root, so that the host's files are not hidden but
absent. There is no /proc, no /sys, no home and no /dev/shm.
"""

import os
import sys
import sysconfig
from typing import NamedTuple

from pipeline.sandbox import kernel

# os.path rather than pathlib throughout: this runs in pid 1, which loads as little as it can.
# ruff: noqa: PTH

PREFIX = "/python"
WORK = "/tmp"
"""The program's working directory, home and TMPDIR: a tmpfs that starts empty for each program."""

LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_HIDDEN = ("site-packages", "dist-packages")


class Place(NamedTuple):
    """A path of the host and where the program sees it."""

    source: str
    target: str


def python_paths() -> tuple[list[Place], list[str]]:
    """Folders of the standard library to show, and `sys.path` inside (zip, library, extension modules)."""
    places, inside = [], []
    for key in ("stdlib", "platstdlib"):
        folder = os.path.realpath(sysconfig.get_path(key, vars={"base": sys.base_prefix, "platbase": sys.base_prefix}))
        parent, name = os.path.split(folder)
        target = f"{PREFIX}/{os.path.basename(parent)}"
        if Place(parent, target) not in places:
            places.append(Place(parent, target))
        for path in (f"{target}/{name}", f"{target}/{name}/lib-dynload"):
            if path not in inside and os.path.isdir(f"{parent}/{path[len(target) + 1 :]}"):
                inside.append(path)
    return places, inside


def build(packages: tuple[str, ...], tmp_mb: int, files: int) -> list[str]:
    """Build the view and make it the root; returns `sys.path` for programs.

    packages: files and folders of site-packages to show. Raises OSError where the kernel refuses a step.
    """
    libraries, path = python_paths()
    sources = [p.source for p in libraries] + list(packages)
    root = next(d for d in ("/mnt", "/media", "/srv", "/opt", "/sys") if os.path.isdir(d) and not _holds(d, sources))
    kernel.mount("", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    for place in libraries:
        _show(root, place.source, place.target)
        _hide_packages(root + place.target)
    for source in LIBRARIES:
        if os.path.islink(source):
            os.symlink(os.readlink(source), root + source)
        elif os.path.exists(source) and not any(p.source == source for p in libraries):
            _show(root, source, source)
            _hide_packages(root + source)
        elif os.path.exists(source):
            os.makedirs(os.path.dirname(root + source), exist_ok=True)
            os.symlink(next(p.target for p in libraries if p.source == source), root + source)
    for source in packages:
        _show(root, source, f"{PREFIX}/packages/{os.path.basename(source)}")
    for device in _DEVICES:
        if os.path.exists(device):
            _show(root, device, device, writable=True)
    os.makedirs(root + WORK, exist_ok=True)
    kernel.pivot(root)
    kernel.read_only("/")
    fresh_work(tmp_mb, files)
    return [*path, f"{PREFIX}/packages"] if packages else path


def fresh_work(tmp_mb: int, files: int) -> None:
    """Mount an empty working directory of bounded size."""
    data = f"size={tmp_mb}m,nr_inodes={files + 1},mode=1777"
    kernel.mount("tmpfs", WORK, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC, data)


def remove_all(folder: str) -> None:
    """Empty a folder that is no mount of its own (weak mode), as far as permissions allow."""
    for name in os.listdir(folder):
        path = f"{folder}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            os.chmod(path, 0o700)
            remove_all(path)
            os.rmdir(path)
        else:
            os.unlink(path)


def _holds(folder: str, paths: list[str]) -> bool:
    return any(p == folder or p.startswith(folder + "/") for p in paths)


def _show(root: str, source: str, target: str, *, writable: bool = False) -> None:
    place = root + target
    if os.path.isdir(source):
        os.makedirs(place, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))
    kernel.bind(source, place, writable=writable)


def _hide_packages(folder: str) -> None:
    """Cover the site-packages below a library folder with nothing."""
    if not os.path.isdir(folder):
        return
    for name in sorted(os.listdir(folder)):
        if not name.startswith("python"):
            continue
        for hidden in _HIDDEN:
            path = f"{folder}/{name}/{hidden}"
            if os.path.isdir(path) and not os.path.islink(path):
                kernel.mount("tmpfs", path, "tmpfs", kernel.MS_RDONLY | kernel.MS_NOSUID, "size=4k,mode=755")
