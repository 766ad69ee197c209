"""Calls of the command line that mean harm or make no sense, and what must hold after each of them."""

import contextlib
import hashlib
import io
import json
import os
import random
from dataclasses import dataclass
from pathlib import Path

from pipeline.cli.main import main
from pipeline.sandbox import Sandbox, Verdict

CODES = {0, 1, 2, 3, 130}

TEXTS = [
    "", " ", ".", "..", "~", "-", "--", "-n", "--json", "../../evil", "../../../../../../../../tmp/{mark}",
    "/tmp/{mark}", "a/../../../evil", "evil/../../../evil", "..\\..\\evil", "/etc/passwd", "/dev/zero", "/dev/full",
    "/proc/self/environ", "/proc/self/mem", "a b", "a\nb", "a\tb", "\x1b[31mred", "LATEST", "latest", ".hidden",
    "$HOME/x", "$(id)", "`id`", ";id", "|id", "file:///etc/passwd", "http://127.0.0.1:1/x",
    "https://user:secret@127.0.0.1:1/v1", "s3://bucket/x", "memory://x", "naïve", "é" * 60, "日本語", "💥", "\udcff",
    "\u202eevil", "x" * 101, "x" * 300, "x" * 5000, "%s%n", "{}", "{0.__class__}", "[[", "]]", "'", "\"", "nan",
    "inf", "1e999", "0x" + "f" * 5000, "9" * 5000, "null", "true", "tiny", "phi-1", "composed", "humaneval", "seeds",
    "completions", "broken.toml", "deep.toml", "latin.toml", "huge.toml", "numbers.toml", "folder", "fifo", "loop",
    "dangling", "empty", "rows.jsonl", "half.parquet", "half.gz", "names.toml", "good.toml",
]  # fmt: skip
"""`{mark}` stands for a name that no other test uses."""

FOLDERS = [
    "data", "file", "file/x", "loop", "/proc/x", "/proc/self/x", "/sys/x", "/dev/null", "/dev/null/x",
    "s3://bucket/x", "nosuch://x", "memory://fuzz", "://", "http://127.0.0.1:1/x", "file:///proc/x", "x" * 5000,
    "~nobody-of-that-name",
]  # fmt: skip
"""Values of --data and of options that name where to write: below the current folder, or where nobody can."""

RECIPE = """name = 'good'
[seeds]
exercises = 2
[[teachers]]
name = 't'
kind = 'composer'
[student]
init = 'scratch'
[tokens]
tokenizer = 'train'
[decontaminated]
benchmarks = ['composed']
[evaluation]
benchmarks = ['composed']
"""
"""One that plans in a moment."""

SAMPLES = '{"task_id": "composed/0", "completion": "    return 1\\n"}\n'
"""One answer to a problem of the benchmark composed."""

OUT_OF_DATA = {"out", "index", "copied.toml", "saved.jsonl", "samples.jsonl_results.jsonl"}
"""What calls are told to write beside the data folder."""


@dataclass(frozen=True)
class Place:
    """A root with the current folder in it, and the data folder in that."""

    root: Path
    here: Path
    data: Path
    mark: str

    def outside(self) -> dict[str, str]:
        """What lies below the root outside the data folder: kind and bytes of each, of large files when they were
        written, by path."""
        found = {}
        for folder, folders, names in os.walk(self.root):
            here = Path(folder)
            if here == self.here:
                folders[:] = [name for name in folders if name not in OUT_OF_DATA | {"data"}]
                names = [name for name in names if name not in OUT_OF_DATA]
            for name in [*folders, *names]:
                path = here / name
                found[str(path.relative_to(self.root))] = _what(path)
        return found

    def strays(self) -> list[Path]:
        """What was written at the absolute places that calls named."""
        return [path for path in (Path("/tmp") / self.mark, Path("/") / self.mark) if path.exists()]


def _what(path: Path) -> str:
    if path.is_symlink():
        return f"link {path.readlink()}"
    if path.is_file() and (said := path.stat()).st_size > 2**20:
        return f"{said.st_size} bytes, written at {said.st_mtime_ns}"
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return f"mode {path.lstat().st_mode:o}"


def place(root: Path) -> Place:
    """Fills a root with files of every broken kind."""
    here = root / "a" / "b" / "here"
    here.mkdir(parents=True)
    (root / "home").mkdir()
    files = {
        "broken.toml": b"name = \n[[",
        "deep.toml": b"a = " + b"[" * 100_000,
        "latin.toml": b"name = '\xe9'",
        "numbers.toml": b"seed = " + b"9" * 10_000,
        "names.toml": RECIPE.replace("'good'", "'../../evil'").replace("'t'", "'../t'").encode(),
        "good.toml": RECIPE.encode(),
        "file": b"a file",
        "empty": b"",
        "samples.jsonl": SAMPLES.encode(),
        "rows.jsonl": b'{"text": "def f():\\n    return 1\\n"}\n{oops\n{"text": null}\n\xff\n',
        "half.parquet": b"PAR1 and no more",
        "half.gz": b"\x1f\x8b\x08 and no more",
    }
    for name, data in files.items():
        (here / name).write_bytes(data)
    with (here / "huge.toml").open("wb") as file:
        file.truncate(64 * 2**20)
    (here / "folder").mkdir()
    os.mkfifo(here / "fifo")
    (here / "loop").symlink_to("loop")
    (here / "dangling").symlink_to("nowhere")
    return Place(root, here, here / "data", f"hornbook-evil-{random.SystemRandom().randrange(10**12)}")


class NothingRuns(Sandbox):
    """A sandbox in which every program passes and none is run."""

    def __enter__(self):
        return self

    def run(self, programs, ordered=True):
        return (Verdict(program.id, "passed") for program in programs)


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    code: int
    out: str
    err: str


def call(arguments: list[str]) -> Ended:
    """One call of the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    code = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as stop:
            code = stop.code
    assert isinstance(code, int), f"{arguments}: ended with {code!r}"
    return Ended(code, out.getvalue(), err.getvalue())


def check(arguments: list[str]) -> Ended:
    """A call, held to what holds for all of them; with --json also to one object and its error."""
    ended = call(arguments)
    told = f"{[argument[:80] for argument in arguments]}: {ended.code}\n{ended.out[-2000:]}\n{ended.err[-2000:]}"
    assert ended.code in CODES, told
    assert "Traceback" not in ended.out + ended.err, told
    assert "internal error" not in ended.out + ended.err, told
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if ended.code and "--json" in before:
        error = json.loads(ended.out)["error"]
        assert error["code"] == ended.code, told
        assert error["message"], told
    elif ended.code and not ended.out.strip():
        assert ended.err.strip(), told
    return ended
