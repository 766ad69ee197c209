"""What is written is there whole or not at all, and a full disk says so."""

import os
import stat
from pathlib import Path

import pytest

from pipeline.core.errors import DiskFull, StoreError
from pipeline.store.disk import disk_errors, full_disk, is_full, whole_folder, write_atomically

NO_SPACE = OSError(28, "No space left on device")


@pytest.mark.parametrize("content", ["é\n", "é\n".encode(), lambda file: file.write("é\n".encode())])
@pytest.mark.parametrize("scratch", [None, ".scratch"])
def test_a_file_holds_what_was_given_and_nothing_lies_beside_it(tmp_path: Path, content, scratch) -> None:
    path = tmp_path / "made" / "file"
    path.parent.mkdir()
    beside = path.parent / scratch if scratch else None
    if beside:
        beside.write_text("left by a kill, and longer than what is written now")
    assert write_atomically(path, content, scratch=beside) == 3
    assert path.read_text(encoding="utf-8") == "é\n"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("scratch", [None, ".scratch"])
def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, scratch) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")

    def fail(file):
        file.write(b"new")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_atomically(path, fail, scratch=tmp_path / scratch if scratch else None)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_files_and_folders_are_as_readable_as_the_umask_says(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"x")
        with whole_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(previous)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("scratch", [None, ".scratch"])
def test_a_folder_appears_when_all_of_it_is_there(tmp_path: Path, scratch) -> None:
    folder, beside = tmp_path / "made" / "folder", tmp_path / "made" / scratch if scratch else None
    if beside:
        beside.mkdir(parents=True)
        (beside / "left").touch()
    for text in ("old", "new"):
        with whole_folder(folder, scratch=beside) as place:
            (place / "inside").mkdir()
            (place / "inside" / "file").write_text(text)
            assert not folder.exists() or (folder / "inside" / "file").read_text() == "old"
        assert (folder / "inside" / "file").read_text() == text
    assert [path.name for path in (tmp_path / "made").rglob("*")] == ["folder", "inside", "file"]


def test_a_folder_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with whole_folder(folder) as place:
        (place / "file").write_text("old")

    def half() -> None:
        with whole_folder(folder) as place:
            (place / "file").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert (folder / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_without_replace_the_first_process_wins(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with whole_folder(folder, replace=False) as ours:
        (ours / "file").write_text("ours")
        with whole_folder(folder, replace=False) as theirs:
            (theirs / "file").write_text("theirs")
    assert (folder / "file").read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [folder]


def test_full_disks_are_known_by_number_or_by_words() -> None:
    assert is_full(NO_SPACE)
    assert is_full(OSError(122, "Disk quota exceeded"))
    assert is_full(RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"))
    assert not is_full(OSError(13, "Permission denied"))
    assert not is_full(None)


def test_a_full_disk_is_said_in_the_words_of_the_place(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match=r"no room(.|\n)*make some") as caught, full_disk("no room", "make some"):
        raise NO_SPACE
    assert caught.value.__cause__ is NO_SPACE
    with pytest.raises(DiskFull, match="said inside"), full_disk("said outside", ""):
        raise DiskFull("said inside: No space left on device")
    with pytest.raises(OSError, match="denied"), full_disk("no room", ""):
        raise OSError(13, "denied")


def test_disk_errors_say_what_to_do() -> None:
    with pytest.raises(DiskFull, match=r"no space left while writing x(.|\n)*--data FOLDER"), disk_errors("x"):
        raise NO_SPACE
    with pytest.raises(StoreError, match="cannot write x: Read-only file system"), disk_errors("x"):
        raise OSError(30, "Read-only file system")
    with pytest.raises(StoreError, match="stores of this kind are read-only"), disk_errors("x"):
        raise NotImplementedError


def test_what_is_written_is_on_the_disk_before_it_has_its_name_and_the_name_before_the_call_is_over(
    tmp_path: Path, monkeypatch
) -> None:
    done = []
    fsync, rename = os.fsync, Path.replace

    def synced(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else os.fstat(handle).st_size)
        fsync(handle)

    def named(path: Path, target: Path) -> Path:
        done.append("named")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", named)
    write_atomically(tmp_path / "file", b"12345")
    assert done == [5, "named", "folder"]
