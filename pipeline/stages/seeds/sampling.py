"""Coverage sampling: which topic, axes, name and words each seed gets, and which teacher it goes to.

Independent draws leave holes: of 300 topics, 300 draws miss 110. So everything is dealt like cards: no topic comes
twice before all have come once, and the same holds for the values of an axis, words and, within a topic's group, names.
Where a hand leaves a choice, the card that this topic has seen least is taken, so a topic meets every value of an axis
before it meets one twice, as nearly as the deck allows.

A deck depends on the recipe's seed and on what was dealt before, never on how many seeds are wanted: asking for more
keeps those that there were. The one exception is the teacher of the last few seeds, because exact shares of n and of
n + 1 need not nest (the Alabama paradox of largest remainders). Rounds (`seeds.rounds`) come after all of these, so
there even the teachers stay.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import Any

from pipeline import checkers
from pipeline.core.errors import HornbookError, RecipeError
from pipeline.core.identity import rng
from pipeline.core.records import Choice, DocumentKind, Seed, Task
from pipeline.domains.domain import Axis, Domain, Value, below, prefixes
from pipeline.domains.faults import nearest
from pipeline.domains.items import task_of
from pipeline.recipe_seeds import SeedsTable
from pipeline.recipe_teachers import TeacherTable

TaskSource = Callable[[int, int], Iterator[Task]]
"""tasks(seed, count): `count` tasks; more of them must begin with the same ones for seeds to stay as they were."""

TASK_FORM = "complete"
"""The form of seeds that carry a task: what is asked is fixed by the task, so topic, audience and words are empty."""


@dataclass(slots=True)
class Deck:
    """Deals `items` in shuffled rounds: each once before any twice.

    scope: names the deck's randomness. Among the cards left in a round, `deal(partner)` takes one that `partner` has
    met least; of several such cards the one that is most like the partner, then the first in the round's order.
    likeness(partner, card): how well the two go together, higher for better.
    """

    items: Sequence[str]
    seed: int
    scope: tuple[str, ...]
    likeness: Callable[[str, str], int] = lambda partner, card: 0
    _round: int = 0
    _left: list[str] = field(default_factory=list)
    _met: Counter[tuple[str, str]] = field(default_factory=Counter)

    def deal(self, partner: str = "", suits: Callable[[str], bool] | None = None) -> str:
        """The next card; suits: those that may come, at least one of the items.

        What does not suit stays for later, one card of each: what seldom suits comes when it does.
        """
        if not self._left or (suits and not any(map(suits, self._left))):
            cards = list(self.items)
            rng(self.seed, "seeds", *self.scope, self._round).shuffle(cards)
            self._left = [*reversed(cards), *dict.fromkeys(self._left)]
            self._round += 1
        if not partner:
            return self._left.pop()
        place = min(
            (i for i in range(len(self._left) - 1, -1, -1) if not suits or suits(self._left[i])),
            key=lambda i: (self._met[partner, self._left[i]], -self.likeness(partner, self._left[i])),
        )
        card = self._left.pop(place)
        self._met[partner, card] += 1
        return card

    def hand(self, size: int) -> tuple[str, ...]:
        """`size` different cards (all of them where there are fewer); a card met twice goes back under the deck."""
        cards: list[str] = []
        held_back: list[str] = []
        while len(cards) < min(size, len(self.items)):
            card = self.deal()
            (held_back if card in cards else cards).append(card)
        self._left[:0] = held_back
        return tuple(cards)


@lru_cache(maxsize=100_000)
def shared_stems(topic: str, name: str) -> int:
    """How many words of a function name begin as a word of the topic's leaf does (five letters): a cheap likeness."""
    leaf = {part[:5] for part in topic.rpartition("/")[2].split("-")}
    return len(leaf & {part[:5] for part in name.split("_")})


def apportion(total: int, shares: Sequence[float]) -> list[int]:
    """Split `total` by `shares` into whole numbers that add up to it (largest remainder, ties to the first).

    Shares need not add up to 1; raises ValueError where one is negative or none is positive, unless total is 0.
    """
    if any(share < 0 for share in shares) or (total and not any(shares)):
        raise ValueError(f"shares must be >= 0 with one above 0, got {list(shares)}")
    if not total:
        return [0] * len(shares)
    exact = [Fraction(str(share)) for share in shares]
    quotas = [total * share / sum(exact) for share in exact]
    counts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(shares)), key=lambda i: (counts[i] - quotas[i], i))
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


def turns(total: int, shares: Sequence[float]) -> Iterator[int]:
    """Whose turn each of `total` draws is: indices of `shares`, evenly mixed, adding up to `apportion(total, shares)`.

    Each turn goes to whoever is furthest behind the share so far and has not had all of it.
    """
    left = apportion(total, shares)
    exact = [Fraction(str(share)) for share in shares]
    whole = lcm(*(share.denominator for share in exact))
    step = [int(share * whole) for share in exact]
    behind = [0] * len(step)
    for _ in range(total):
        for i, gain in enumerate(step):
            behind[i] += gain
        turn = max((i for i in range(len(step)) if left[i]), key=lambda i: behind[i])
        behind[turn] -= sum(step)
        left[turn] -= 1
        yield turn


def draw(
    domain: Domain, table: SeedsTable, teachers: Sequence[TeacherTable], seed: int, tasks: TaskSource | None = None
) -> Iterator[Seed]:
    """Draw `table.textbooks` textbook seeds and `table.exercises` exercise seeds, the two kinds evenly mixed.

    teachers: each kind's seeds are shared out by `textbook_share` and `exercise_share`. seed: the recipe's.
    tasks: where exercises for teachers with tests = "seed" come from, where the domain has no tasks of its own. A
    seed's number counts within its kind.

    What can be wrong is checked before the first seed is drawn: raises RecipeError for counts that no teacher takes,
    and for topics that there are none of.
    """
    tasks = _own_tasks(domain) if domain.tasks else tasks if domain.language == "python" else None
    _check_teachers(table, teachers, tasks)
    _check_language(table, teachers, domain)
    topics = selected(domain, table.topics)
    _check_rounds(table, topics)
    return _draw(table, teachers, seed, tasks, domain, topics)


def _own_tasks(domain: Domain) -> TaskSource:
    """The domain's tasks in shuffled order, each once."""

    def tasks(seed: int, count: int) -> Iterator[Task]:
        deck = Deck([str(number) for number in range(len(domain.tasks))], seed, ("tasks",))
        return (task_of(domain.tasks[int(deck.deal())], domain) for _ in range(min(count, len(domain.tasks))))

    return tasks


def selected(domain: Domain, wanted: Sequence[str]) -> tuple[str, ...]:
    """The topics at or below those wanted, all for none."""
    cut = tuple(prefix.strip("/") for prefix in wanted)
    unknown = [prefix for prefix in cut if not any(below(topic, prefix) for topic in domain.topics)]
    if unknown:
        known = prefixes(domain.topics)
        lines = [f"'seeds.topics': no topic is at or below '{prefix}'{nearest(prefix, known)}" for prefix in unknown]
        branches = sorted({topic.split("/")[0] for topic in domain.topics})
        raise RecipeError("\n".join(lines), hint=f"the branches are {', '.join(branches)}")
    return tuple(topic for topic in domain.topics if not cut or any(below(topic, prefix) for prefix in cut))


def _check_rounds(table: SeedsTable, topics: Sequence[str]) -> None:
    for number, part in enumerate(table.rounds):
        for topic in (*part.exercises, *part.textbooks):
            if topic not in topics:
                raise RecipeError(
                    f"'seeds.rounds.{number}': '{topic}' is no topic that is drawn from{nearest(topic, set(topics))}"
                )


def _check_teachers(table: SeedsTable, teachers: Sequence[TeacherTable], tasks: TaskSource | None) -> None:
    for key, count, share in (
        ("textbooks", table.textbooks, "textbook_share"),
        ("exercises", table.exercises, "exercise_share"),
    ):
        if count and not any(getattr(teacher, share) for teacher in teachers):
            raise RecipeError(
                f"'seeds.{key}' is {count}, but no teacher has {share} above 0",
                hint=f"add a [[teachers]] table, raise a {share}, or set seeds.{key} = 0",
            )
    if table.exercises and tasks is None:
        for teacher in teachers:
            if teacher.tests == "seed" and teacher.exercise_share:
                raise RecipeError(
                    f"teacher '{teacher.name}' has tests = 'seed', and there is no source of tasks here",
                    hint="add a tasks.jsonl to the domain, or set tests = 'teacher'",
                )


def _check_language(table: SeedsTable, teachers: Sequence[TeacherTable], domain: Domain) -> None:
    """Composers write Python; agreement needs a checker that holds solutions against each other."""
    for teacher in teachers if domain.language != "python" else ():
        asked = (table.exercises and teacher.exercise_share) or (table.textbooks and teacher.textbook_share)
        if asked and teacher.kind == "composer":
            raise RecipeError(
                f"teacher '{teacher.name}' has kind = 'composer', which is for Python; domain '{domain.name}' is of "
                f"language '{domain.language}'",
                hint="name a teacher with a model, e.g. qwen2.5-coder-1.5b",
            )
        if asked and teacher.tests == "agreement" and checkers.named(domain.checker).blind is None:
            able = [name for name in checkers.names() if name == "python" or checkers.named(name).blind]
            raise RecipeError(
                f"teacher '{teacher.name}' has tests = 'agreement', and the checker '{domain.checker}' of domain "
                f"'{domain.name}' cannot hold one solution against another; {', '.join(able)} can",
                hint="set tests = 'teacher' or 'seed'",
            )


def _draw(
    table: SeedsTable,
    teachers: Sequence[TeacherTable],
    seed: int,
    tasks: TaskSource | None,
    domain: Domain,
    topics: tuple[str, ...],
) -> Iterator[Seed]:
    dealers = [Dealer(domain, topics, kind, seed, table.words) for kind in ("textbook", "exercise")]
    textbooks = _textbooks(table, teachers, dealers[0])
    exercises = _exercises(table, teachers, seed, tasks, dealers[1])
    yield from _mixed((textbooks, table.textbooks), (exercises, table.exercises))
    firsts = [table.textbooks, table.exercises]
    for part in table.rounds:
        counts = [sum(part.textbooks.values()), sum(part.exercises.values())]
        kinds = zip(dealers, (part.textbooks, part.exercises), firsts, strict=True)
        further = [_further(dealer, wanted, teachers, first) for dealer, wanted, first in kinds]
        yield from _mixed(*zip(further, counts, strict=True))
        firsts = [first + count for first, count in zip(firsts, counts, strict=True)]


def _mixed(*kinds: tuple[Iterator[Seed], int]) -> Iterator[Seed]:
    """So many seeds of each kind, evenly mixed."""
    counts = [count for _, count in kinds]
    for turn in turns(sum(counts), counts):
        yield next(kinds[turn][0])


def _further(
    dealer: "Dealer", wanted: Mapping[str, int], teachers: Sequence[TeacherTable], first: int
) -> Iterator[Seed]:
    """The seeds of a round, from number `first`: one of each topic before a second of any."""
    shares = [getattr(teacher, f"{dealer.kind}_share") for teacher in teachers]
    topics = [t for lap in range(max(wanted.values(), default=0)) for t in sorted(wanted) if wanted[t] > lap]
    for number, (topic, turn) in enumerate(zip(topics, turns(len(topics), shares), strict=True), first):
        yield dealer.seed_record(number, teachers[turn].name, topic)


class _Hand:
    """The deck of one axis for documents of one kind."""

    def __init__(self, axis: Axis, kind: DocumentKind, seed: int) -> None:
        self.axis = axis
        self.values = axis.of(kind)
        self.restricted = any(value.only for value in self.values.values())
        self.deck = Deck(tuple(self.values), seed, (kind, f"{axis.name}s"))

    def deal(self, topic: str, chosen: dict[str, str]) -> Value | None:
        """A value that suits a topic and what was chosen before, which it joins; None where documents of this kind
        have none. Raises RecipeError where there are values but none suits."""
        if not self.values:
            return None

        def suits(key: str) -> bool:
            return self.values[key].suits(topic, chosen)

        if self.restricted and not any(map(suits, self.values)):
            met = ", ".join([f"topic {topic!r}", *(f"{axis} {key!r}" for axis, key in chosen.items())])
            raise RecipeError(
                f"axis '{self.axis.name}' has no value for {met}",
                hint="widen 'only' in axes.toml, or add a value; `hornbook domain check` tries them all",
            )
        key = self.deck.deal(topic, suits if self.restricted else None)
        chosen[self.axis.name] = key
        return self.values[key]


class Dealer:
    """The decks of one document kind."""

    def __init__(self, domain: Domain, topics: tuple[str, ...], kind: DocumentKind, seed: int, words: int) -> None:
        self.domain = domain
        self.kind = kind
        self.words = words
        self.topics = Deck(topics, seed, (kind, "topics"))
        self.hands = [_Hand(axis, kind, seed) for axis in domain.axes]
        self.word_deck = Deck(domain.words, seed, (kind, "words"))
        self.name_decks = {
            group: Deck(names, seed, (kind, "names", group), shared_stems) for group, names in domain.names.items()
        }

    def seed_record(self, number: int, teacher: str, topic: str = "") -> Seed:
        """The next seed, of a topic or of the one whose turn it is."""
        topic = topic or self.topics.deal()
        chosen: dict[str, str] = {}
        dealt = [(hand.axis, hand.deal(topic, chosen)) for hand in self.hands]
        name = ""
        if self.kind == "exercise":
            group = self.domain.name_group(topic)
            name = self.name_decks[group].deal(topic) if group is not None else ""
        return seed_of(
            self.kind,
            number,
            topic,
            self.domain.topics[topic],
            [axis.choice(value) for axis, value in dealt if value is not None],
            function_name=name,
            words=self.word_deck.hand(self.words),
            teacher=teacher,
        )


def seed_of(kind: DocumentKind, number: int, topic: str, title: str, choices: Sequence[Choice], **more: Any) -> Seed:
    """A seed with its choices where they belong: audience and form, with their notes, in fields of their own."""
    own: dict[str, str] = {}
    others = []
    for choice in choices:
        columns = choice.columns
        if choice.axis in ("audience", "form"):
            own[choice.axis] = choice.name
            own |= {f"{choice.axis}_note": column.text for column in columns if column.name == "note"}
            columns = tuple(column for column in columns if column.name != "note")
        if choice.axis not in own or columns:
            others.append(Choice(axis=choice.axis, name=choice.name, columns=columns))
    fixed: dict[str, Any] = {"audience": "", "form": "", **own}
    return Seed(kind=kind, number=number, topic=topic, title=title, axes=tuple(others), **fixed, **more)


def _textbooks(table: SeedsTable, teachers: Sequence[TeacherTable], dealer: Dealer) -> Iterator[Seed]:
    for number, turn in enumerate(turns(table.textbooks, [teacher.textbook_share for teacher in teachers])):
        yield dealer.seed_record(number, teachers[turn].name)


def _exercises(
    table: SeedsTable, teachers: Sequence[TeacherTable], seed: int, tasks: TaskSource | None, dealer: Dealer
) -> Iterator[Seed]:
    shares = [teacher.exercise_share for teacher in teachers]
    counts = apportion(table.exercises, shares) if table.exercises else [0] * len(teachers)
    wanted = sum(count for count, teacher in zip(counts, teachers, strict=True) if teacher.tests == "seed")
    supply = iter(tasks(seed, wanted)) if tasks is not None and wanted else iter(())
    given = 0
    for number, turn in enumerate(turns(table.exercises, shares)):
        teacher = teachers[turn]
        if teacher.tests != "seed":
            yield dealer.seed_record(number, teacher.name)
            continue
        task = next(supply, None)
        if task is None:
            raise HornbookError(
                f"the source of tasks gave {given} of {wanted} tasks",
                hint="lower seeds.exercises or the teacher's share, or add to the domain's tasks.jsonl",
            )
        given += 1
        yield Seed(
            kind="exercise",
            number=number,
            topic="",
            title="",
            audience="",
            form=TASK_FORM,
            function_name=task.entry_point,
            teacher=teacher.name,
            task=task,
        )
