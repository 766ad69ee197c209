"""What several solutions of one exercise agree on, outside Python, by the domain's checker.

The solution that came with an exercise may not be what its task asks for, and a check that came with it may be a
guess. So the blind solutions (`Exercise.attempts`), written from the task alone, and the teacher's own are each taken
as what is right in turn, and the checker says which of the others are right by it, on made data too. Each answer is a
vote, also of equal ones: a query or a pattern of some words has few ways to be written, and none of the blind saw
another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pipeline import checkers
from pipeline.checkers.protocol import BAD_CHECK, Blind, Check, Checker, Item, Ruling
from pipeline.core.errors import SandboxUnavailable
from pipeline.core.identity import canonical_json
from pipeline.core.records import Exercise
from pipeline.core.stage import Dropped, Kept
from pipeline.domains.domain import Domain
from pipeline.domains.items import check_of
from pipeline.languages.finding import named
from pipeline.recipe import AgreementTable


@dataclass(slots=True)
class _Candidate:
    """A solution, and how many answers are it. alone: what the checker says of it by itself."""

    text: str
    votes: int
    alone: Ruling | None = None


@dataclass(slots=True)
class _Ballot:
    """candidates: those that differ as texts of the language, the teacher's own first. agree: pairs of them, each by
    its place, of which the second is right by the first; told: what was said of the others."""

    exercise: Exercise
    check: Check
    candidates: list[_Candidate]
    agree: set[tuple[int, int]] = field(default_factory=set)
    told: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def answers(self) -> int:
        return sum(one.votes for one in self.candidates)

    def standing(self) -> list[int]:
        """Places of the candidates that hold by themselves."""
        return [place for place, one in enumerate(self.candidates) if one.alone is not None and one.alone.passed]

    def with_whom(self, place: int) -> list[int]:
        """Places of the candidates that agree with one, which is among them."""
        return [other for other in self.standing() if other == place or _pair(place, other) in self.agree]

    def votes(self, place: int) -> int:
        return sum(self.candidates[other].votes for other in self.with_whom(place))


def _pair(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


def agreed(
    exercises: Sequence[Exercise], table: AgreementTable, domain: Domain, checker: Checker
) -> Iterator[Kept[Exercise] | Dropped]:
    """One outcome for each exercise, in order: with the solution and the check that were agreed on, or dropped as
    no-agreement. Raises SandboxUnavailable where the machine could not judge."""
    blind = checkers.named(domain.checker).blind
    assert blind is not None
    ballots = [_ballot(exercise, domain) for exercise in exercises]
    every = [(ballot, one) for ballot in ballots for one in ballot.candidates]
    alone = (_item(ballot, blind.alone(ballot.check, one.text), one) for ballot, one in every)
    for (_, one), ruling in zip(every, checker.rule(alone), strict=True):
        one.alone = _known(ruling)
    pairs = [
        (ballot, (first, second))
        for ballot in ballots
        for first in ballot.standing()
        for second in ballot.standing()
        if first < second
    ]
    held = (
        _item(ballot, blind.against(ballot.check, ballot.candidates[first].text), ballot.candidates[second])
        for ballot, (first, second) in pairs
    )
    for (ballot, pair), ruling in zip(pairs, checker.rule(held), strict=True):
        if _known(ruling).passed:
            ballot.agree.add(pair)
        else:
            ballot.told[pair] = f"{ruling.reason}: {ruling.detail}"
    for ballot in ballots:
        yield _outcome(ballot, table, blind)


def _ballot(exercise: Exercise, domain: Domain) -> _Ballot:
    language = named(domain.language)
    found: dict[bytes, _Candidate] = {}
    for text in (exercise.solution, *(exercise.attempts or ())):
        form = language.normal_form(text) or text.encode("utf-8", "surrogatepass")
        if form in found:
            found[form].votes += 1
        else:
            found[form] = _Candidate(text, 1)
    return _Ballot(exercise, check_of(exercise.test), list(found.values()))


def _item(ballot: _Ballot, check: Check, one: _Candidate) -> Item:
    return Item(ballot.exercise.id, ballot.exercise.prompt, one.text, check)


def _known(ruling: Ruling) -> Ruling:
    """A ruling of the machine's; one that a check made of a solution does not hold is a ruling like another."""
    if ruling.passed is None and ruling.reason != BAD_CHECK:
        raise SandboxUnavailable(
            f"the checker could not judge exercise {ruling.id}: {ruling.detail}", hint="`hornbook doctor` says why"
        )
    return ruling


def _outcome(ballot: _Ballot, table: AgreementTable, blind: Blind) -> Kept[Exercise] | Dropped:
    """The teacher's own solution stands where it is among those that most agree on."""
    exercise, standing = ballot.exercise, ballot.standing()
    if not standing:
        ruling = ballot.candidates[0].alone
        assert ruling is not None
        detail = f"none of {ballot.answers} solutions holds by itself: {ruling.reason}: {ruling.detail}"
        return Dropped(exercise, "no-agreement", detail)
    lead = max(standing, key=lambda place: (ballot.votes(place), -place))
    most = ballot.votes(lead)
    tied = any(ballot.votes(place) == most for place in standing if place not in ballot.with_whom(lead))
    if most < table.agree or tied:
        said = f"{most} of {ballot.answers} solutions agree" + ", and as many on something else" * tied
        apart = next((f": {told}" for (first, _), told in sorted(ballot.told.items()) if first == lead), "")
        return Dropped(exercise, "no-agreement", f"{said}, {table.agree} wanted{apart}")
    text = ballot.candidates[lead].text
    test = canonical_json(blind.against(ballot.check, text))
    return Kept(replace(exercise, solution=text, test=test, test_owner="agreement", attempts=None))
