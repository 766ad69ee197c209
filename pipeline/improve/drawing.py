"""The seeds of a round: how many of each kind, about what, and after which exercises."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from pipeline.core.identity import rng
from pipeline.core.records import Exercise, Seed, Task
from pipeline.domains.domain import Domain
from pipeline.improve.clusters import EVOLUTIONS
from pipeline.improve.development import branch_of
from pipeline.stages.seeds.sampling import TASK_FORM, Dealer, turns

Kind = Literal["canonical", "evolved", "reworded"]
SHARES: Mapping[Kind, float] = {"canonical": 0.25, "evolved": 0.5, "reworded": 0.25}
"""A quarter of a round is asked as a recipe asks, three quarters are variations of what the corpus has."""
HARDER = "a harder variation of an exercise"
"""The form of evolved seeds."""


@dataclass(frozen=True, slots=True)
class Direction:
    """Where a round's seeds go. weights: by branch of topics, relative, 1.0 for as many as by chance. evolutions: by
    their names, relative."""

    weights: Mapping[str, float]
    evolutions: Mapping[str, float]


class Slot(NamedTuple):
    """One seed to be: its kind, its branch, and the exercise that it is made from, None where there is none."""

    kind: Kind
    branch: str
    parent: Exercise | None


def slots(count: int, direction: Direction, domain: Domain, parents: Sequence[Exercise], seed: int) -> list[Slot]:
    """`count` seeds to be, kinds and branches evenly mixed.

    A branch has as many as its topics times its weight. parents: exercises of the corpus; each is taken once before any
    twice. Where a branch has none, or the domain's seeds have no form that could show one, seeds are canonical.
    """
    if "form" not in {axis.name for axis in domain.axes}:
        parents = ()
    topics = Counter(map(branch_of, domain.topics))
    branches = sorted(topics)
    shares = [topics[branch] * direction.weights.get(branch, 1.0) for branch in branches]
    decks = {branch: _Parents([p for p in parents if branch_of(p.topic) == branch], seed) for branch in branches}
    kinds = tuple(SHARES)
    given: Counter[str] = Counter()
    found = []
    for turn in turns(count, shares):
        branch = branches[turn]
        # Kinds are dealt within each branch, or one could get a single kind; branches begin apart, for small rounds.
        kind = kinds[_nth_turn(given[branch] + turn)]
        given[branch] += 1
        parent = decks[branch].deal() if kind != "canonical" else None
        found.append(Slot(kind if parent else "canonical", branch, parent))
    return found


def _nth_turn(number: int) -> int:
    """Whose turn the draw of that number is, of a long row that is mixed by `SHARES`."""
    row = list(turns(_ROW, list(SHARES.values())))
    return row[number % _ROW]


_ROW = 4
"""Draws in which each share is a whole number."""


class _Parents:
    """Exercises in shuffled rounds, each once before any twice."""

    def __init__(self, exercises: Sequence[Exercise], seed: int) -> None:
        self._all = sorted(exercises, key=lambda one: one.id)
        self._left: list[Exercise] = []
        self._seed = seed
        self._round = 0

    def deal(self) -> Exercise | None:
        if not self._all:
            return None
        if not self._left:
            self._left = list(self._all)
            rng(self._seed, "parents", self._round).shuffle(self._left)
            self._round += 1
        return self._left.pop()


def seeds(
    wanted: Sequence[Slot],
    direction: Direction,
    domain: Domain,
    tasks: Mapping[str, Task],
    *,
    writer: str,
    solver: str,
    seed: int,
    first: int,
    words: int,
    avoid: frozenset[str],
) -> Iterator[Seed]:
    """The seeds of a round.

    tasks: by id of the exercise, what it is in other words; where one was not reworded, its seed is an evolved one.
    writer, solver: names of the teachers that write, and that solve what is reworded, blind. first: number of the first
    seed. avoid: names of functions that no seed asks for: those of problems, whose exercises could not be kept.
    """
    dealers: dict[str, Dealer] = {}
    names = tuple(EVOLUTIONS)
    evolved = [slot for slot in wanted if slot.parent and not (slot.kind == "reworded" and slot.parent.id in tasks)]
    how = turns(len(evolved), [direction.evolutions.get(name, 1.0) for name in names])
    solved: set[str] = set()
    for number, slot in enumerate(wanted, first):
        parent = slot.parent
        if parent is not None and slot.kind == "reworded" and parent.id in tasks and parent.id not in solved:
            solved.add(parent.id)
            yield _with_task(tasks[parent.id], parent, number, solver, domain)
            continue
        if slot.branch not in dealers:
            dealers[slot.branch] = _dealer(domain, slot.branch, seed, words, avoid)
        dealt = dealers[slot.branch].seed_record(number, writer)
        evolution = names[next(how, 0)] if parent is not None else ""
        yield dealt if parent is None else _harder(dealt, parent, evolution, domain)


def _dealer(domain: Domain, branch: str, seed: int, words: int, avoid: frozenset[str]) -> Dealer:
    """Deals canonical seeds of one branch."""
    topics = tuple(topic for topic in domain.topics if branch_of(topic) == branch)
    left = {group: tuple(name for name in names if name not in avoid) for group, names in domain.names.items()}
    names = {group: left[group] or domain.names[group] for group in left}
    return Dealer(replace(domain, names=names), topics, "exercise", seed, words)


def _harder(dealt: Seed, parent: Exercise, evolution: str, domain: Domain) -> Seed:
    """A dealt seed about the topic of an exercise, in a form that shows the exercise and says how to change it."""
    note = (
        f"Take the exercise below and {EVOLUTIONS[evolution]}. Do not repeat the exercise: docstring, body and tests "
        f"are those of the new one, under the same name.\n\n```{domain.language}\n{parent.text.strip()}\n```"
    )
    title = domain.topics.get(parent.topic, dealt.title)
    return replace(
        dealt,
        topic=parent.topic if parent.topic in domain.topics else dealt.topic,
        title=title,
        function_name=parent.entry_point,
        words=(),
        form=f"{HARDER}: {evolution.replace('-', ' ')}",
        form_note=note,
    )


def _with_task(task: Task, parent: Exercise, number: int, solver: str, domain: Domain) -> Seed:
    return Seed(
        kind="exercise",
        number=number,
        topic=parent.topic,
        title=domain.topics.get(parent.topic, ""),
        audience="",
        form=TASK_FORM,
        function_name=task.entry_point,
        teacher=solver,
        task=task,
    )
