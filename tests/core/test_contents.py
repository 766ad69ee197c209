"""What files are: their names and contents, and times only of more than can be read."""

import os
from pathlib import Path

import pytest

from pipeline.core import contents
from pipeline.core.contents import content_digest, digest_of, size_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code" / "inner").mkdir(parents=True)
    (tmp_path / "code" / "a.py").write_text("a = 1\n")
    (tmp_path / "code" / "inner" / "b.py").write_text("b = 1\n")
    return tmp_path / "code"


def touched(path: Path, seconds: int) -> None:
    os.utime(path, (seconds, seconds))


def test_the_same_files_elsewhere_and_of_another_time_are_the_same(folder: Path, tmp_path: Path) -> None:
    before = content_digest(folder)
    touched(folder / "a.py", 5)
    assert content_digest(folder.rename(tmp_path / "moved")) == before


def test_another_byte_another_name_and_a_file_more_are_other_files(folder: Path) -> None:
    seen = {content_digest(folder)}
    (folder / "a.py").write_text("a = 2\n")
    seen.add(content_digest(folder))
    (folder / "a.py").rename(folder / "c.py")
    seen.add(content_digest(folder))
    (folder / "d.py").write_text("")
    seen.add(content_digest(folder))
    assert len(seen) == 4


def test_hidden_files_caches_and_files_that_are_not_wanted_say_nothing(folder: Path) -> None:
    before = content_digest(folder, lambda name: name.endswith(".py"))
    for name in (".hidden.py", ".git/config.py", "__pycache__/a.py", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert content_digest(folder, lambda name: name.endswith(".py")) == before
    assert content_digest(folder) != before


def test_of_more_than_can_be_read_size_and_time_are_the_contents(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "a.py"
    size = path.stat().st_size
    for most, times_count in ((size, False), (size - 1, True)):
        monkeypatch.setattr(contents, "MOST_BYTES", most)
        touched(path, 5)
        before = digest_of([("a.py", path)])
        touched(path, 6)
        assert (digest_of([("a.py", path)]) != before) is times_count
        touched(path, 5)
        assert digest_of([("a.py", path)]) == before
        path.write_text("a = 22\n" if most == size else "a = 333\n")
        touched(path, 5)
        assert digest_of([("a.py", path)]) != before
        path.write_text("a = 1\n")


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 << 20, "3.0 MiB"), (5 << 30, "5.0 GiB")]
)
def test_sizes(count: int, said: str) -> None:
    assert size_text(count) == said
