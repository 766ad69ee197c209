import random

import pytest

from pipeline.store import spool
from pipeline.store.spool import Texts

SOME = ["", "a", "é漢字", "\ud800", "line\n" * 50]


@pytest.mark.parametrize("memory", [0, 3, 10_000])
@pytest.mark.parametrize("buffer", [1, 40, 10_000])
def test_texts_are_found_in_memory_on_their_way_to_disk_and_on_disk(
    memory: int, buffer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "BUFFER", buffer)
    texts = Texts(memory)
    draw = random.Random(0)
    added: list[str] = []
    for _ in range(60):
        added.append(draw.choice(SOME))
        assert texts.append(added[-1]) == len(added) - 1
        number = draw.randrange(len(added))
        assert texts[number] == added[number]
    assert [texts[number] for number in range(len(texts))] == added
