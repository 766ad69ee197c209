import pytest

from pipeline.core.records import Passage
from pipeline.core.stage import ConservationError, Dropped, Kept, Tally, checked

RECORDS = [Passage(text=str(n)) for n in range(4)]


class Halve:
    name = "halve"
    version = 1
    reasons = frozenset({"odd"})

    def __call__(self, records):
        for record in records:
            odd = int(record.text) % 2
            yield Dropped(record, "odd", f"{record.text} % 2 = 1") if odd else Kept(record)


class Forgetful(Halve):
    def __call__(self, records):
        return (outcome for outcome in super().__call__(records) if isinstance(outcome, Kept))


class Inventive(Halve):
    def __call__(self, records):
        return (Dropped(record, "ugly", "") for record in records)


def test_tally_counts_and_balances():
    tally = Tally()
    assert len(list(checked(Halve(), RECORDS, tally))) == 4
    assert (tally.entered, tally.kept, dict(tally.dropped), tally.balanced) == (4, 2, {"odd": 2}, True)


def test_a_lost_record_is_a_bug():
    with pytest.raises(ConservationError, match=r"halve: 4 records in, but 2 kept \+ 0 dropped"):
        list(checked(Forgetful(), RECORDS, Tally()))


def test_a_reason_outside_the_closed_set_is_a_bug():
    with pytest.raises(ConservationError, match=r"reason 'ugly', not in \['odd'\]"):
        list(checked(Inventive(), RECORDS, Tally()))
