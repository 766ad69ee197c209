import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline import encoding
from pipeline.encoding import encoder, remembered
from pipeline.errors import InputError


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


def test_what_cannot_be_loaded_is_an_error_at_the_first_call(tiny_bert: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_bert, tmp_path / "bert"))
    (folder / "model.safetensors").unlink()
    embed = encoder(str(folder), tmp_path, "cpu")
    with pytest.raises(InputError, match=r"the embedding model '.*bert' could not be loaded"):
        embed(["x"])
    with pytest.raises(InputError, match=r"no model at '/nowhere/at-all'"):
        encoder("/nowhere/at-all", tmp_path)(["x"])
