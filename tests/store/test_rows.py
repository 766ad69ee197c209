import copy
import dataclasses
import pickle
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import records
from pipeline.core.errors import StoreError
from pipeline.core.records import RECORD_TYPES, Completion, Exercise, Passage, Prompt, Seed
from pipeline.core.stage import Dropped
from pipeline.store.rows import dropped_from_row, dropped_row, from_row, schema_of, to_row, to_table

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
for _cls in (records.Record, *RECORD_TYPES.values(), records.Message):
    st.register_type_strategy(
        _cls,
        lambda cls: st.builds(cls, **{f.name: _field(cls, f) for f in dataclasses.fields(cls) if f.init}),
    )


def _field(cls, field):
    hint = get_type_hints(cls)[field.name]
    strategies = {
        str: text,
        int: st.integers(-(2**63), 2**63 - 1),
        float: st.floats(allow_nan=False, allow_infinity=False),
        tuple[str, ...]: st.lists(text, max_size=3).map(tuple),
        tuple[records.Message, ...]: st.lists(st.from_type(records.Message), max_size=3).map(tuple),
    }
    return strategies.get(hint, st.from_type(hint))


@given(st.one_of([st.from_type(cls) for cls in RECORD_TYPES.values()]))
def test_round_trip_of_every_record_type(record):
    table = to_table([to_row(record)], schema_of([type(record)]))
    (back,) = (from_row(row) for row in table.to_pylist())
    assert back.content() == record.content()
    assert back.id == record.id


@given(st.one_of([st.from_type(cls) for cls in RECORD_TYPES.values()]))
def test_records_travel_between_processes(record):
    for back in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record)):
        assert back == record
        assert type(back) is type(record)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithoutSlots(Passage):
    note: str
    number: int = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OnlyItsId(records.Record):
    pass


@pytest.mark.parametrize("record", [WithoutSlots(text="a", note="b", number=4), OnlyItsId()])
def test_records_of_other_makes_travel_too(record):
    for back in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record)):
        assert back == record
        assert back.id == record.id
        assert type(back) is type(record)


def test_an_artifact_may_hold_several_types():
    rows = [Passage(text="a"), Exercise(prompt="p", solution="s", entry_point="f", test="t", test_owner="seed")]
    table = to_table(map(to_row, rows), schema_of([Passage, Exercise]))
    assert [from_row(row) for row in table.to_pylist()] == rows
    assert table.schema.names[:2] == ["id", "type"]


def test_two_types_that_disagree_on_a_column_are_refused():
    with pytest.raises(TypeError, match="column number is"):
        schema_of([Seed, dataclasses.make_dataclass("Odd", [("number", str)], bases=(), frozen=True)])


@given(st.from_type(Completion), text, text, st.none() | st.floats(0, 1))
def test_round_trip_of_a_dropped_record(record, detail, kept_id, similarity):
    dropped = Dropped(record, "refused", detail, kept_id, similarity)
    table = to_table([dropped_row(dropped)], schema_of([Completion], dropped=True))
    assert [dropped_from_row(row) for row in table.to_pylist()] == [dropped]


def test_a_changed_row_is_reported():
    row = to_row(Passage(text="a")) | {"text": "b"}
    with pytest.raises(StoreError, match="was changed on disk"):
        from_row(row)


@given(st.from_type(Prompt), st.from_type(Prompt))
def test_equal_ids_mean_equal_content(one, other):
    assert (one.id == other.id) == (one.content() == other.content())
