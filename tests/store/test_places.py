"""One rule for the data folder, and one clear line for each place that can be none."""

import os
import re
from pathlib import Path

import fsspec
import pytest

from pipeline.core.environment import DATA
from pipeline.core.errors import HornbookError, MissingExtra, StoreError, UsageError
from pipeline.store import places as module
from pipeline.store.places import places

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_option_goes_before_the_variable_and_that_before_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (places().data, places().chosen) == (CHECKOUT / "data", "the checkout")
    monkeypatch.setenv(DATA, "named")
    assert (places().data, places().chosen) == (tmp_path / "named", DATA)
    assert (places("given").data, places("given").chosen) == (tmp_path / "given", "--data")
    assert places("given").store.root == str(tmp_path / "given" / "store")
    assert not list(tmp_path.iterdir())


def test_a_wheel_writes_below_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "__file__", str(tmp_path / "site-packages" / "pipeline" / "store" / "places.py"))
    monkeypatch.chdir(tmp_path)
    assert (places().data, places().chosen) == (tmp_path / "data", "the current folder")


@pytest.mark.parametrize(
    ("option", "variable", "store", "local", "chosen"),
    [
        ("memory://a", "here", "memory://a/store", "here", DATA),
        ("memory://a/", "", "memory://a/store", None, "the checkout"),
        ("", "memory://b", "memory://b/store", None, "the checkout"),
        ("memory://a", "memory://b", "memory://a/store", None, "the checkout"),
        ("here", "memory://b", "here/store", "here", "--data"),
    ],
)
def test_beside_a_store_at_a_url_the_variable_names_what_is_local(
    tmp_path, monkeypatch, option, variable, store, local, chosen
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(DATA, variable)
    found = places(option)
    assert found.data == (tmp_path / local if local else CHECKOUT / "data")
    assert found.chosen == chosen
    assert found.store.root == (store if "://" in store else str(tmp_path / store))
    assert found.store.is_local == ("://" not in store)


def test_a_file_url_is_a_folder_of_this_machine(tmp_path):
    found = places(f"file://{tmp_path}/x")
    assert (found.data, found.store.root) == (tmp_path / "x", str(tmp_path / "x" / "store"))


def test_what_can_be_no_data_folder_is_one_line_that_names_it(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused = {
        str(tmp_path / "file"): f"--data = '{tmp_path}/file': {tmp_path}/file is not a folder",
        str(tmp_path / "file" / "x"): f"{tmp_path}/file is not a folder",
        str(tmp_path / "loop"): "can be no folder: ",
        "~nobody-of-that-name/x": "can be no folder: ",
        "a\0b": "has a null character in it",
        "x" * 5000: "can be no folder: File name too long",
        "nosuch://x/y": "can be no store: Protocol not known: nosuch",
        "://": "can be no store: ",
    }
    for given, message in refused.items():
        with pytest.raises(UsageError, match=re.escape(message)) as error:
            places(given)
        assert "\n" not in error.value.message
        assert "choose another" in error.value.hint or "fsspec knows" in error.value.hint
        monkeypatch.setenv(DATA, given.replace("\0", ""))


@pytest.mark.parametrize("given", ["/proc/x", "/proc/1/x", "/sys/x", "/dev/null/x"])
def test_a_place_that_cannot_be_made_is_refused_before_anything_is_written(given):
    with pytest.raises(UsageError, match=r"(cannot be written|is not a folder)") as error:
        places(given).prepared()
    assert "--data FOLDER or HORNBOOK_DATA" in error.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be written: Permission denied"):
        places(str(tmp_path / "x")).prepared()


def test_a_url_whose_package_is_missing_names_the_package(monkeypatch):
    def missing(name):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "get_filesystem_class", missing)
    with pytest.raises(MissingExtra, match=r"^--data = s3://bucket/x: Install s3fs to access S3") as error:
        places("s3://user:password@bucket/x")
    assert "password" not in str(error.value)


def test_a_store_that_cannot_be_reached_says_why_without_its_password(monkeypatch):
    def refuses(self, path):
        raise RuntimeError("no credentials for memory://me:hidden@x/y")

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "exists", refuses)
    with pytest.raises(StoreError, match="cannot be reached: RuntimeError: no credentials for memory://x/y") as error:
        places("memory://me:hidden@x/y")
    assert "hidden" not in str(error.value)


def test_a_run_is_one_folder_below_runs_and_no_link(tmp_path):
    where = places(str(tmp_path))
    assert where.run("mine") == tmp_path / "runs" / "mine"
    with pytest.raises(UsageError, match="--name"):
        where.run("../mine")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "mine").symlink_to("/tmp")
    with pytest.raises(HornbookError, match="is a link to /tmp"):
        where.run("mine")
