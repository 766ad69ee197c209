import contextlib
import errno
import json
import multiprocessing
import os
import signal
import uuid

import pytest

from pipeline.core.errors import StoreError, StoreFormatError
from pipeline.core.records import Passage
from pipeline.core.stage import Dropped, Kept, Tally
from pipeline.store.manifest import FORMAT
from pipeline.store.store import ROWS_PER_PART, Store, Writer

KEPT = [Passage(text=f"text {n}") for n in range(5)]
DROPPED = [Dropped(Passage(text="short"), "too-short", "5 < 40")]


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path):
    return Store(str(tmp_path / "store") if request.param == "folder" else f"memory://{uuid.uuid4()}")


def tally_of(kept, dropped):
    tally = Tally(len(kept) + len(dropped), len(kept))
    tally.dropped.update(d.reason for d in dropped)
    return tally


def write(store, key="k", kept=KEPT, dropped=DROPPED, finish=True):
    writer = Writer(store, "quality", key, [Passage], [Passage])
    for record in kept:
        writer.write(Kept(record))
    for outcome in dropped:
        writer.write(outcome)
    if finish:
        writer.finish(
            tally_of(kept, dropped),
            version=1,
            inputs={"distinct": "d"},
            settings={"a": 1},
            facts={"b": 2},
            made_by="test",
            seconds=1.5,
            cpu_seconds=0.5,
        )
    return writer


def test_what_was_written_is_read(store):
    write(store)
    assert list(store.kept("quality", "k")) == KEPT
    assert list(store.dropped("quality", "k")) == DROPPED
    manifest = store.manifest("quality", "k")
    assert (manifest.entered, manifest.kept, manifest.dropped) == (6, 5, {"too-short": 1})
    assert (manifest.seconds, manifest.cpu_seconds) == (1.5, 0.5)
    assert (manifest.inputs, manifest.settings, manifest.facts) == ({"distinct": "d"}, {"a": 1}, {"b": 2})


def test_without_a_manifest_nothing_counts_and_the_next_writer_starts_clean(store):
    write(store, kept=KEPT[:3], finish=False)._flush("part")
    assert store.manifest("quality", "k") is None
    write(store, kept=KEPT[3:])
    assert list(store.kept("quality", "k")) == KEPT[3:]


def test_many_parts_keep_their_order(tmp_path):
    store = Store(str(tmp_path))
    records = [Passage(text=str(n)) for n in range(ROWS_PER_PART + 7)]
    write(store, kept=records, dropped=[])
    assert len(list((tmp_path / "quality" / "k").glob("part-*.parquet"))) == 2
    assert [r.text for r in store.kept("quality", "k")] == [r.text for r in records]  # type: ignore[attr-defined]


def test_an_artifact_of_nothing_is_still_an_artifact(store):
    write(store, kept=[], dropped=[])
    assert list(store.kept("quality", "k")) == []
    assert store.manifest("quality", "k").kept == 0


def test_files_beside_the_records(store, tmp_path):
    (tmp_path / "work" / "model").mkdir(parents=True)
    (tmp_path / "work" / "model" / "weights.bin").write_bytes(b"abc")
    writer = Writer(store, "student", "k", [Passage])
    writer.add(tmp_path / "work" / "model")
    writer.finish(Tally(), version=1, inputs={}, settings={}, facts={}, made_by="test", seconds=1.5, cpu_seconds=0.5)
    assert store.manifest("student", "k").files == {"model/weights.bin": 3}
    assert (store.local("student", "k", tmp_path / "cache") / "model" / "weights.bin").read_bytes() == b"abc"


def test_a_kill_before_the_manifest_loses_no_work_in_progress(store, tmp_path):
    journal = tmp_path / "work" / "journal.jsonl"
    journal.parent.mkdir()
    journal.write_text("paid\n")
    Writer(store, "quality", "k", [Passage]).add(journal)
    assert store.manifest("quality", "k") is None
    writer = Writer(store, "quality", "k", [Passage])
    assert journal.read_text() == "paid\n"
    writer.add(journal)
    writer.add(journal)
    manifest = writer.finish(
        tally_of([], []), version=1, inputs={}, settings={}, facts={}, made_by="", seconds=0, cpu_seconds=0
    )
    assert manifest.files["journal.jsonl"] == 5
    assert (store.local("quality", "k", tmp_path / "cache") / "journal.jsonl").read_text() == "paid\n"


def test_a_newer_format_is_refused_and_named(tmp_path):
    store = Store(str(tmp_path))
    write(store)
    path = tmp_path / "quality" / "k" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": FORMAT + 1}))
    with pytest.raises(
        StoreFormatError, match=f"has format {FORMAT + 1}; this version of hornbook reads formats up to"
    ):
        store.manifest("quality", "k")


def test_a_damaged_manifest_says_what_to_delete(tmp_path):
    store = Store(str(tmp_path))
    write(store)
    (tmp_path / "quality" / "k" / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match=r"cannot be read(.|\n)*delete .*quality/k/manifest.json"):
        store.manifest("quality", "k")


def _hold(root, held, release):
    with Store(root).lock("quality", "k", lambda text: None):
        held.set()
        release.wait(300)


def test_a_second_process_waits_and_is_told(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(str(tmp_path), held, release))
    holder.start()
    assert held.wait(300)
    told = []

    def on_wait(text):
        told.append(text)
        os.kill(holder.pid, signal.SIGKILL)  # the kernel drops the lock with the process

    with Store(str(tmp_path)).lock("quality", "k", on_wait):
        pass
    holder.join()
    assert told == ["another process is making quality k; waiting for it"]


def test_the_files_of_an_artifact_are_those_that_its_manifest_names(store, tmp_path):
    (tmp_path / "left").write_text("by a crash")
    write(store, finish=False).add(tmp_path / "left")
    write(store)
    fs, folder = store.filesystem, store.folder("quality", "k")
    there = {str(path).rsplit("/", 1)[-1] for path in fs.ls(folder, detail=False)}
    assert there == {*store.manifest("quality", "k").files, "manifest.json"}


def test_what_a_manifest_says_beyond_what_is_known_here_is_left_out(tmp_path):
    store = Store(str(tmp_path))
    write(store)
    before = store.manifest("quality", "k")
    path = tmp_path / "quality" / "k" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"of a later version": 1}))
    assert store.manifest("quality", "k") == before


def test_reasons_stand_in_the_order_of_the_alphabet_whichever_came_first(store):
    reasons = ["too-short", "repeated", "secret"]
    write(store, dropped=[Dropped(Passage(text=reason), reason, "1 < 2") for reason in reasons])
    assert list(store.manifest("quality", "k").dropped) == sorted(reasons)


def test_a_lock_leaves_nothing_behind_once_the_artifact_is_made(tmp_path):
    store = Store(str(tmp_path))
    with store.lock("quality", "k", lambda text: None):
        assert [path.name for path in (tmp_path / "quality").iterdir()] == ["k.lock"]
    assert list((tmp_path / "quality").iterdir()) == []


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_where_a_file_cannot_be_linked_it_is_copied(tmp_path, monkeypatch, number):
    def refused(*_):
        raise OSError(number, "no links here")

    (tmp_path / "journal").write_text("paid")
    monkeypatch.setattr(os, "link", refused)
    writer = Writer(Store(str(tmp_path / "store")), "quality", "k", [Passage])
    writer.add(tmp_path / "journal")
    assert (tmp_path / "store" / "quality" / "k" / "journal").read_text() == "paid"


def test_a_copy_of_a_remote_artifact_is_made_once_and_again_where_it_is_torn(tmp_path):
    remote = Store(f"memory://{uuid.uuid4()}")
    write(remote)
    copy = remote.local("quality", "k", tmp_path)
    (copy / "mark").touch()
    assert (remote.local("quality", "k", tmp_path) / "mark").exists()
    (copy / "manifest.json").unlink()
    assert not (remote.local("quality", "k", tmp_path) / "mark").exists()
    assert (copy / "manifest.json").exists()


DAMAGE = {
    "gone": lambda fs, path: fs.rm(path),
    "empty": lambda fs, path: fs.pipe_file(path, b""),
    "half": lambda fs, path: fs.pipe_file(path, fs.cat_file(path)[: fs.size(path) // 2]),
    "other bytes": lambda fs, path: fs.pipe_file(path, b"PAR1\xff\x00" * 50),
    "end cut off": lambda fs, path: fs.pipe_file(path, fs.cat_file(path)[:-5]),
    "list": lambda fs, path: fs.pipe_file(path, b"[]"),
    "object": lambda fs, path: fs.pipe_file(path, b"{}"),
    "null": lambda fs, path: fs.pipe_file(path, b"null"),
    "a key alone": lambda fs, path: fs.pipe_file(path, b'{"format": 1}'),
    "another type": lambda fs, path: fs.pipe_file(path, b'{"format": "1"}'),
    "too deep": lambda fs, path: fs.pipe_file(path, b"[" * 100_000),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["part-00000.parquet", "dropped-00000.parquet", "manifest.json"])
def test_a_broken_file_is_named_with_what_to_do_and_no_record_goes_missing_unsaid(store, name, damage):
    write(store)
    fs, path = store.filesystem, f"{store.folder('quality', 'k')}/{name}"
    if (name, damage) == ("manifest.json", "gone"):
        return  # that is an artifact not made yet
    DAMAGE[damage](fs, path)
    with pytest.raises(StoreError) as error:
        [*store.kept("quality", "k"), *store.dropped("quality", "k")]
    assert path in error.value.message
    assert "\n" not in error.value.message
    manifest = error.value.hint.removeprefix("delete ").split(" and run")[0]
    fs.rm(manifest)
    write(store)
    assert list(store.kept("quality", "k")) == KEPT


def test_a_byte_that_rots_among_the_rows_is_told_or_changes_none_of_them(tmp_path):
    store = Store(str(tmp_path))
    write(store, kept=[Passage(text=f"{number} " * 40) for number in range(50)])
    path = tmp_path / "quality" / "k" / "part-00000.parquet"
    whole, rows = path.read_bytes(), list(store.rows("quality", "k", "part"))
    pages = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")  # what follows is the footer
    for place in range(0, pages, 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with contextlib.suppress(StoreError):
            assert list(store.rows("quality", "k", "part")) == rows
