"""What a program sees of the machine: the standard library, shared libraries, a few devices, one small tmpfs.

Built in a mount namespace of its own on an empty tmpfs and made the root, so that the host's files are not hidden but
absent. There is no /proc, no /sys, no home and no /dev/shm.
"""

import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from pipeline.sandbox import kernel

PREFIX = "/python"
WORK = "/tmp"
"""The program's working directory, home and TMPDIR: a tmpfs that starts empty for each program."""

LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/ld.so.cache")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_HIDDEN = ("site-packages", "dist-packages")


class Place(NamedTuple):
    """A path of the host and where the program sees it."""

    source: str
    target: str


def python_paths() -> tuple[list[Place], list[str]]:
    """Folders of the standard library to show, and `sys.path` inside (library and extension modules)."""
    places, inside = [], []
    for key in ("stdlib", "platstdlib"):
        base = {"base": sys.base_prefix, "platbase": sys.base_prefix}
        library = Path(sysconfig.get_path(key, vars=base)).resolve()
        target = f"{PREFIX}/{library.parent.name}"
        if Place(str(library.parent), target) not in places:
            places.append(Place(str(library.parent), target))
        for name in (library.name, f"{library.name}/lib-dynload"):
            if f"{target}/{name}" not in inside and (library.parent / name).is_dir():
                inside.append(f"{target}/{name}")
    return places, inside


def move_modules(modules: Iterable[ModuleType], places: list[Place]) -> None:
    """Make modules that were imported before the view know where they lie in it.

    Without it a package finds no further submodules, unless its interpreter is the distribution's, which lies under
    the same path inside: `import unittest.mock` fails where `unittest` was imported.
    """

    def inside(path: Any) -> Any:
        for source, target in places:
            if isinstance(path, str) and path.startswith(source + "/"):
                return target + path[len(source) :]
        return path

    for module in modules:
        spec = getattr(module, "__spec__", None)
        loader = getattr(spec, "loader", None)
        owners = ((module, ("__file__", "__cached__")), (spec, ("origin", "cached")), (loader, ("path",)))
        for owner, names in owners:
            for name in names:
                path = getattr(owner, name, None)
                if inside(path) != path:
                    setattr(owner, name, inside(path))
        for folders in (getattr(module, "__path__", None), getattr(spec, "submodule_search_locations", None)):
            if isinstance(folders, list):
                folders[:] = map(inside, folders)


def build(packages: tuple[str, ...], tmp_mb: int, files: int) -> list[str]:
    """Build the view and make it the root; returns `sys.path` for programs.

    packages: files and folders of site-packages to show. Raises OSError where the kernel refuses a step.
    """
    libraries, path = python_paths()
    targets = {place.source: place.target for place in libraries}
    sources = [*targets, *packages]
    root = next(d for d in ("/mnt", "/media", "/srv", "/opt", "/sys") if Path(d).is_dir() and not _holds(d, sources))
    kernel.mount("", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    for source, target in targets.items():
        _show(source, root + target)
        _hide_packages(root + target)
    for source in LIBRARIES:
        inside = Path(root + source)
        if not Path(source).exists():
            continue
        if Path(source).is_symlink() or source in targets:
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.symlink_to(targets[source] if source in targets else Path(source).readlink())
        else:
            _show(source, root + source)
            _hide_packages(root + source)
    for source in packages:
        _show(source, f"{root}{PREFIX}/packages/{Path(source).name}")
    for device in DEVICES:
        if Path(device).exists():
            _show(device, root + device, writable=True)
    Path(root + WORK).mkdir(exist_ok=True)
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
    for path in Path(folder).iterdir():
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
            remove_all(str(path))
            path.rmdir()
        else:
            path.unlink()


def _holds(folder: str, paths: list[str]) -> bool:
    return any(p == folder or p.startswith(folder + "/") for p in paths)


def _show(source: str, place: str, *, writable: bool = False) -> None:
    if Path(source).is_dir():
        Path(place).mkdir(parents=True, exist_ok=True)
    else:
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).touch()
    kernel.bind(source, place, writable=writable)


def _hide_packages(folder: str) -> None:
    """Cover the site-packages below a library folder with nothing."""
    for hidden in _HIDDEN:
        for path in sorted(Path(folder).glob(f"python*/{hidden}")):
            if path.is_dir() and not path.is_symlink():
                kernel.mount("tmpfs", str(path), "tmpfs", kernel.MS_RDONLY | kernel.MS_NOSUID, "size=4k,mode=755")
