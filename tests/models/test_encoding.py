import pickle
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import HornbookError, InputError
from pipeline.models import embeddings as encoding
from pipeline.models.embeddings import blockwise, encoder, remembered


class Reader:
    """An embedding that counts what it reads, and can fail after some texts."""

    def __init__(self, fails_after: int = 10**9) -> None:
        self.read: list[str] = []
        self.fails_after = fails_after

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        if len(self.read) + len(texts) > self.fails_after:
            raise KeyboardInterrupt
        self.read += texts
        return np.array([[len(t), t.count("x")] for t in texts], dtype=np.float32).reshape(len(texts), 2)


TEXTS = [f"text {i} {'x' * (i % 7)}" for i in range(200)]


def test_a_text_is_embedded_once_whatever_the_order_and_the_call(tmp_path: Path) -> None:
    reader = Reader()
    told: list[tuple[int, int]] = []
    embed = remembered(reader, {"weights": 1}, tmp_path, lambda done, total: told.append((done, total)))
    first = embed([*TEXTS, TEXTS[3]])
    assert (first == Reader()([*TEXTS, TEXTS[3]])).all()
    assert sorted(reader.read) == sorted(TEXTS)
    assert told[-1] == (201, 201)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    later = Reader()
    again = remembered(later, {"weights": 1}, tmp_path)([*TEXTS[::-1], "new"])
    assert (again[:200] == first[:200][::-1]).all()
    assert later.read == ["new"]
    other = Reader()
    remembered(other, {"weights": 2}, tmp_path)(TEXTS[:5])
    assert len(other.read) == 5
    assert embed([]).shape == (0, 2)


def test_a_killed_embedding_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "KEEP_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        remembered(Reader(fails_after=130), "w", tmp_path)(TEXTS)
    rest = Reader()
    assert (remembered(rest, "w", tmp_path)(TEXTS) == Reader()(TEXTS)).all()
    assert len(rest.read) == 200 - 128


@pytest.mark.parametrize("damage", [b"", b"not safetensors", None])
def test_a_damaged_file_counts_as_not_there(tmp_path: Path, damage: bytes | None) -> None:
    remembered(Reader(), "w", tmp_path)(TEXTS[:10])
    (file,) = (tmp_path / "embeddings").glob("*/*.safetensors")
    file.write_bytes(file.read_bytes()[:-16] if damage is None else damage)
    reader = Reader()
    assert (remembered(reader, "w", tmp_path)(TEXTS[:10]) == Reader()(TEXTS[:10])).all()
    assert len(reader.read) == 10
    reader = Reader()
    remembered(reader, "w", tmp_path)(TEXTS[:10])
    assert not reader.read


def test_an_encoder_folder_is_read_by_its_last_hidden_states(
    tiny_bert: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    embed = encoder(str(tiny_bert), tmp_path, "cpu")
    texts = ["def x return x", "sort list", "", "loop " * 500]
    together = embed(texts)
    assert together.shape == (4, 32)
    assert together.dtype == np.float32
    assert not together[2].any()
    assert np.allclose(together[0], embed(texts[:1])[0], atol=1e-5)
    assert np.allclose(together[3], embed(["loop " * 64])[0], atol=1e-5)  # what the model has positions for
    assert not np.allclose(together[0], together[1], atol=1e-2)
    assert "Loading weights" not in capfd.readouterr().err


def test_text_that_spells_a_special_token_is_read_as_text(tiny_bert: Path, tmp_path: Path) -> None:
    spelled, apart = encoder(str(tiny_bert), tmp_path, "cpu")(["x [PAD] sort", "x [ PAD ] sort"])
    assert np.allclose(spelled, apart, atol=1e-5)


def test_what_cannot_be_loaded_is_an_error_at_the_first_call(tiny_bert: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "bert"))
    (folder / "model.safetensors").unlink()
    embed = encoder(str(folder), tmp_path, "cpu")
    with pytest.raises(InputError, match=r"the embedding model '.*bert' could not be loaded"):
        embed(["x"])
    with pytest.raises(InputError, match=r"no model at '/nowhere/at-all'"):
        encoder("/nowhere/at-all", tmp_path)(["x"])


class Nodes:
    """As a cluster: what goes there and what comes back is pickled."""

    parallel = True
    far = True
    cpu_seconds = 0.0

    def __init__(self) -> None:
        self.blocks = 0

    def map(self, work: Any, blocks: Any) -> Iterator[Any]:
        there = pickle.loads(pickle.dumps(work, protocol=5))
        for block in list(blocks):
            self.blocks += 1
            yield pickle.loads(pickle.dumps(there(pickle.loads(pickle.dumps(block)))))


class Neighbours(Nodes):
    """Worker processes of this machine, which no embedding is for."""

    far = False


CODE = [f"def x{i} return {'loop ' * (i % 9)} sort list" for i in range(150)] + ["", "def x1 return"]


def test_a_model_that_travelled_reads_the_same_without_the_disk_it_came_from(tiny_bert: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "bert"))
    sent = pickle.dumps(encoder(str(folder), tmp_path, "cpu"))
    shutil.rmtree(folder)
    there = pickle.loads(sent)
    assert (there(CODE) == encoder(str(tiny_bert), tmp_path, "cpu")(CODE)).all()
    assert pickle.loads(pickle.dumps(there))(CODE).shape == (152, 32)


@pytest.mark.parametrize("far", [True, False])
def test_embeddings_are_the_same_to_the_bit_on_nodes_that_know_nothing_of_the_cache(
    tiny_bert: Path, tmp_path: Path, far: bool
) -> None:
    read, where = encoder(str(tiny_bert), tmp_path, "cpu"), Nodes() if far else Neighbours()
    here, there = tmp_path / "here", tmp_path / "there"
    expected = remembered(read, "w", here)(CODE)
    told: list[tuple[int, int]] = []
    remote = remembered(read, "w", there, lambda done, total: told.append((done, total)), where)
    assert (remote(CODE) == expected).all()
    assert (remote(CODE[::-1]) == expected[::-1]).all()
    assert told[-1] == (152, 152)
    assert where.blocks == (3 if far else 0)
    assert [f.read_bytes() for f in sorted(here.rglob("*.*"))] == [f.read_bytes() for f in sorted(there.rglob("*.*"))]
    assert (blockwise(read, where)(CODE) == blockwise(read)(CODE)).all()
    assert blockwise(read, where)([]).shape == (0, 32)


def test_a_gpu_of_this_machine_reads_rather_than_the_nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch

    read = encoder("smollm2", tmp_path)
    monkeypatch.setattr("pipeline.models.loading.pick_device", lambda device: torch.device("cuda"))
    assert read.stays
    monkeypatch.setattr("pipeline.models.loading.pick_device", lambda device: torch.device("cpu"))
    assert not read.stays


def test_a_node_with_other_packages_says_which(tiny_bert: Path, tmp_path: Path) -> None:
    packed = pickle.loads(pickle.dumps(encoder(str(tiny_bert), tmp_path, "cpu")))._packed
    with pytest.raises(
        HornbookError, match=r"cannot read with the embedding model: it has transformers .*, wanted 0\.1\n"
    ):
        replace(packed, versions={**packed.versions, "transformers": "0.1"}).opened()
    with pytest.raises(HornbookError, match=r"a node cannot load the embedding model: "):
        replace(packed, module=packed.module[:200]).opened()


def test_what_multiplies_is_chosen_once_for_a_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.models import rates

    for wins, kept in ((True, True), (False, True)):  # what is measured later changes nothing
        monkeypatch.setattr(rates, "onednn_wins", lambda wins=wins: wins)
        assert encoder("smollm2", tmp_path, "cpu")._through_onednn() == kept
    assert (tmp_path / "embeddings" / "products.txt").read_text() == "onednn\n"
    assert not encoder("smollm2", tmp_path / "other", "cpu")._through_onednn()
    assert (tmp_path / "other" / "embeddings" / "products.txt").read_text() == "torch\n"


def test_a_stop_iteration_of_the_model_loses_no_text() -> None:
    calls: list[int] = []

    def embed(texts: Sequence[str]) -> Any:
        calls.append(len(texts))
        if len(calls) == 2:
            raise StopIteration
        return np.ones((len(texts), 2), dtype=np.float32)

    with pytest.raises(RuntimeError, match="StopIteration"):
        blockwise(embed)([str(i) for i in range(200)])
