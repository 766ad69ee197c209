"""Recordings: packed from journals, whose answers they are, and a replay teacher that answers from them."""

import json
import lzma
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from asking import ask_all, execution, prompt, table
from server import chat, serving

from pipeline import teacher
from pipeline.core.errors import InputError, RecipeError
from pipeline.core.resources import shipped
from pipeline.core.stage import Kept
from pipeline.recipe_teachers import ReplayTable
from pipeline.stages.completions.stage import Complete
from pipeline.teacher import kinds, recorded
from pipeline.teacher.journal import Journal
from pipeline.teacher.lines import encode, entries, entry_of
from pipeline.teacher.protocol import Reply, answer_key, messages_digest
from pipeline.teacher.recorded import ABOUT, JOURNAL, pack, replayed

ABOUT_IT = {"model": "Toy", "licence": "Apache-2.0"}


def journalled(folder: Path, answers: dict[int, str], variant: str = "v") -> None:
    """A journal with the answers to prompts number n."""
    with Journal(folder) as journal:
        for number, text in answers.items():
            messages = messages_digest(prompt(number).messages)
            body = chat(text, completion_tokens=3)
            raw = json.dumps(body).encode()
            reply = Reply(answer_key(variant, messages, 0), "local", "toy", raw, body, 100)
            journal.append(encode(entry_of(messages, 0, reply), raw))


def replay(place: str, count: int) -> dict[int, str]:
    """Answers of a replay teacher to prompts 0..count-1, by number; those that it has."""
    asked = [prompt(number) for number in range(count)]
    numbers = {one.id: number for number, one in enumerate(asked)}
    built = teacher.build(ReplayTable(name="mock", replay=place), execution(), 0)
    outcomes = Complete({"mock": built}, Path(place) / "run", execution())(asked)
    kept = [outcome.record for outcome in outcomes if isinstance(outcome, Kept)]
    return {numbers[record.prompt_id]: record.text for record in kept}


def test_what_is_packed_is_replayed(tmp_path: Path) -> None:
    journalled(tmp_path / "a", {0: "zero", 1: "one"})
    journalled(tmp_path / "b", {2: "two"})
    told = pack([tmp_path / "a", tmp_path / "b"], {"v"}, tmp_path / "out", ABOUT_IT)
    assert told["answers"] == 3
    assert told["completion_tokens"] == 9
    assert json.loads((tmp_path / "out" / ABOUT).read_text()) == told
    assert replay(str(tmp_path / "out"), 4) == {0: "zero", 1: "one", 2: "two"}


def test_answers_of_other_teachers_stay_out(tmp_path: Path) -> None:
    journalled(tmp_path / "a", {0: "mine"})
    journalled(tmp_path / "b", {1: "theirs"}, variant="other")
    assert pack([tmp_path], {"v"}, tmp_path / "out", ABOUT_IT)["answers"] == 1


def test_packing_again_grows_and_gives_equal_bytes_for_equal_answers(tmp_path: Path) -> None:
    journalled(tmp_path / "a", {0: "zero", 1: "one"})
    pack([tmp_path / "a"], {"v"}, tmp_path / "out", ABOUT_IT)
    first = (tmp_path / "out" / JOURNAL).read_bytes()
    pack([tmp_path / "a", tmp_path / "a"], {"v"}, tmp_path / "out", ABOUT_IT)
    assert (tmp_path / "out" / JOURNAL).read_bytes() == first
    assert not list((tmp_path / "out").glob("*.partial"))


def test_another_machine_adds_to_what_is_there(tmp_path: Path) -> None:
    journalled(tmp_path / "a", {0: "zero"})
    journalled(tmp_path / "b", {1: "one"})
    pack([tmp_path / "a"], {"v"}, tmp_path / "out", ABOUT_IT)
    assert pack([tmp_path / "b"], {"v"}, tmp_path / "out", ABOUT_IT)["answers"] == 2
    assert replay(str(tmp_path / "out"), 2) == {0: "zero", 1: "one"}


def test_a_question_has_one_answer_in_a_recording_in_whatever_order_it_was_given(tmp_path: Path) -> None:
    journalled(tmp_path / "a", {0: "zero", 1: "one"})
    journalled(tmp_path / "b", {0: "zero by another engine", 1: "one by another engine"}, variant="w")
    taken = []
    for name, order in {"one": "ab", "two": "ba"}.items():
        told = pack([tmp_path / which for which in order], {"v", "w"}, tmp_path / name, ABOUT_IT)
        assert told["answers"] == 2
        taken.append((tmp_path / name / JOURNAL).read_bytes())
    assert taken[0] == taken[1]
    for which in "ab":
        pack([tmp_path / which], {"v", "w"}, tmp_path / "grown", ABOUT_IT)
    assert replay(str(tmp_path / "grown"), 2) == {0: "zero", 1: "one"}


def test_the_identity_is_of_the_bytes_not_of_the_file(tmp_path: Path) -> None:
    journalled(tmp_path / "a", {0: "zero"})
    for name in ("one", "two"):
        pack([tmp_path / "a"], {"v"}, tmp_path / name, ABOUT_IT)
    identities = [identity(tmp_path / name) for name in ("one", "two")]
    assert identities[0] == identities[1]
    pack([tmp_path / "a"], set(), tmp_path / "two", ABOUT_IT)
    assert identity(tmp_path / "two") != identities[0]


def identity(place: Path) -> Any:
    return teacher.build(ReplayTable(name="mock", replay=str(place)), execution(), 0).identity()


def test_a_cut_recording_is_named(tmp_path: Path) -> None:
    journalled(tmp_path / "a", {0: "zero"})
    pack([tmp_path / "a"], {"v"}, tmp_path / "out", ABOUT_IT)
    path = tmp_path / "out" / JOURNAL
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=f"{path} is not whole"):
        replay(str(tmp_path / "out"), 1)


@pytest.mark.parametrize(("most", "live", "failed"), [(0, [1, 3, 4], []), (2, [1, 3], [4])])
def test_what_is_not_recorded_is_left_to_another_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, live: list[int], failed: list[int]
) -> None:
    unpacked = Mock(side_effect=recorded.unpacked)
    monkeypatch.setattr(kinds.replay, "unpacked", unpacked)
    journalled(tmp_path / "a", {0: "zero", 2: "two"})
    place = str(tmp_path / "a")
    recording = ReplayTable(name="mock", replay=place, otherwise="live", most_otherwise=most)
    asked = [prompt(number) for number in range(5)]
    with serving() as server:
        kept, dropped = ask_all(asked, tmp_path / "run", [recording, table(server.url, name="live")])
    assert {one.id: kept[one.id].teacher for one in asked if one.id in kept} == {
        asked[n].id: "live" if n in live else "mock" for n in sorted([0, 2, *live])
    }
    assert sorted(dropped) == sorted(asked[n].id for n in failed)
    assert len(server.requests) == len(live)
    unpacked.assert_called_once_with(Path(place))  # once, for who is asked and for what is answered


def test_the_second_sample_of_a_prompt_that_is_recorded_once_is_asked_of_the_other(tmp_path: Path) -> None:
    journalled(tmp_path / "a", {0: "zero"})
    recording = ReplayTable(name="mock", replay=str(tmp_path / "a"), otherwise="live")
    with serving() as server:
        live = teacher.build(table(server.url, name="live"), execution(), 0)
        teachers = {"mock": teacher.build(recording, execution(), 0), "live": live}
        outcomes = list(Complete(teachers, tmp_path / "run", execution())([prompt(0)] * 3))
    found = {(one.record.teacher, one.record.number) for one in outcomes if isinstance(one, Kept)}
    assert found == {("mock", 0), ("live", 1), ("live", 2)}
    # The other's samples count on from the recorded one: the same model with the same seed does not repeat it.
    assert sorted(entry.number for entry in entries(tmp_path / "run")) == [1, 2]


def test_whom_the_rest_is_left_to_is_in_the_identity_where_there_is_one(tmp_path: Path) -> None:
    journalled(tmp_path / "a", {0: "zero"})
    alone = teacher.build(ReplayTable(name="mock", replay=str(tmp_path / "a")), execution(), 0).identity()
    other = ReplayTable(name="mock", replay=str(tmp_path / "a"), otherwise="live", most_otherwise=2)
    told = {"otherwise": "live", "most_otherwise": 2}
    assert teacher.build(other, execution(), 0).identity() == alone | told


def test_shipped_recordings_are_named_and_others_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy").mkdir()
    with lzma.open(tmp_path / "toy" / JOURNAL, "wb") as out:
        out.write(b"")
    monkeypatch.setattr(recorded, "shipped", lambda name: tmp_path)
    assert replayed("recorded:toy") == tmp_path / "toy"
    with pytest.raises(RecipeError, match=r"no shipped recording 'qwen'; there are \['toy'\]"):
        replayed("recorded:qwen")
    assert replayed("some/journal.jsonl") == Path("some/journal.jsonl")


def test_every_shipped_recording_is_whole_and_says_whose_it_is() -> None:
    for folder in (path.parent for path in shipped("recorded").glob(f"*/{JOURNAL}")):
        about = json.loads((folder / ABOUT).read_text())
        assert {"model", "licence", "sha256", "sampling", "templates"} <= set(about)
        with recorded.unpacked(folder) as (plain,):
            assert len(plain.read_bytes().splitlines()) == about["answers"] > 0


def test_a_recording_is_unpacked_for_whichever_engine_would_ask_and_packed_again_as_it_was(tmp_path: Path) -> None:
    """Tried: what one machine had recorded through llama.cpp another asked again through transformers."""
    journalled(tmp_path / "a", {0: "zero", 1: "one"})
    pack([tmp_path / "a"], {"v", "w"}, tmp_path / "recording", ABOUT_IT)
    packed = (tmp_path / "recording" / JOURNAL).read_bytes()
    recorded.unpack(tmp_path / "recording", {"v", "w"}, tmp_path / "b" / "journal.jsonl")
    asked = [entry.messages for entry in entries(tmp_path / "a")]
    keys = {entry.key for entry in entries(tmp_path / "b")}
    assert keys == {answer_key(variant, messages, 0) for messages in asked for variant in ("v", "w")}
    pack([tmp_path / "b"], {"v", "w"}, tmp_path / "recording", ABOUT_IT)
    assert (tmp_path / "recording" / JOURNAL).read_bytes() == packed
    recorded.unpack(tmp_path / "nothing", {"v"}, tmp_path / "c" / "journal.jsonl")
    assert not list(entries(tmp_path / "c"))
