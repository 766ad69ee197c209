"""Coverage sampling: which topic, audience, form, name and words each seed gets, and which teacher it goes to.

Independent draws leave holes: of 300 topics, 300 draws miss 110. So everything is dealt like cards: no topic comes
twice before all have come once, and the same holds for audiences, forms, words and, within a topic's group, names.
Where a hand leaves a choice, the card that this topic has seen least is taken, so a topic meets every audience and
form before it meets one twice, as nearly as the deck allows.

A deck depends on the recipe's seed and on what was dealt before, never on how many seeds are wanted: asking for more
keeps those that there were. The one exception is the teacher of the last few seeds, because exact shares of n and of
n + 1 need not nest (the Alabama paradox of largest remainders).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import lcm

from pipeline.core.errors import HornbookError, RecipeError
from pipeline.core.identity import rng
from pipeline.core.records import DocumentKind, Seed, Task
from pipeline.recipe import SeedsTable
from pipeline.recipe_teachers import TeacherTable
from pipeline.stages.seeds.curriculum import Curriculum, load

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

    def deal(self, partner: str = "") -> str:
        if not self._left:
            self._left = list(self.items)
            rng(self.seed, "seeds", *self.scope, self._round).shuffle(self._left)
            self._left.reverse()
            self._round += 1
        if not partner:
            return self._left.pop()
        place = min(
            range(len(self._left) - 1, -1, -1),
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
    table: SeedsTable, teachers: Sequence[TeacherTable], seed: int, tasks: TaskSource | None = None
) -> Iterator[Seed]:
    """Draw `table.textbooks` textbook seeds and `table.exercises` exercise seeds, the two kinds evenly mixed.

    teachers: each kind's seeds are shared out by `textbook_share` and `exercise_share`. seed: the recipe's.
    tasks: where exercises for teachers with tests = "seed" come from. A seed's number counts within its kind.

    Everything that can be wrong is checked before the first seed is drawn: raises RecipeError for counts that no
    teacher takes, InputError for a data folder that cannot be used.
    """
    _check_teachers(table, teachers, tasks)
    curriculum = load(table)
    return _draw(table, teachers, seed, tasks, curriculum)


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
                raise RecipeError(f"teacher '{teacher.name}' has tests = 'seed', and there is no source of tasks here")


def _draw(
    table: SeedsTable, teachers: Sequence[TeacherTable], seed: int, tasks: TaskSource | None, curriculum: Curriculum
) -> Iterator[Seed]:
    textbooks = _textbooks(table, teachers, seed, curriculum)
    exercises = _exercises(table, teachers, seed, tasks, curriculum)
    kinds = (textbooks, exercises)
    for turn in turns(table.textbooks + table.exercises, (table.textbooks, table.exercises)):
        yield next(kinds[turn])


class _Dealer:
    """The decks of one document kind."""

    def __init__(self, curriculum: Curriculum, kind: DocumentKind, seed: int, words: int) -> None:
        self.curriculum = curriculum
        self.kind = kind
        self.seed = seed
        self.words = words
        self.topics = Deck(tuple(curriculum.topics), seed, (kind, "topics"))
        self.audiences = {note.key: note for note in curriculum.audiences}
        self.forms = {note.key: note for note in curriculum.forms[kind]}
        self.audience_deck = Deck(tuple(self.audiences), seed, (kind, "audiences"))
        self.form_deck = Deck(tuple(self.forms), seed, (kind, "forms"))
        self.word_deck = Deck(curriculum.words, seed, (kind, "words"))
        self.name_decks = {
            group: Deck(names, seed, (kind, "names", group), shared_stems) for group, names in curriculum.names.items()
        }

    def seed_record(self, number: int, teacher: str) -> Seed:
        topic = self.topics.deal()
        audience = self.audiences[self.audience_deck.deal(topic)]
        form = self.forms[self.form_deck.deal(topic)]
        name = ""
        if self.kind == "exercise":
            group = self.curriculum.name_group(topic)
            name = self.name_decks[group].deal(topic) if group is not None else ""
        return Seed(
            kind=self.kind,
            number=number,
            topic=topic,
            title=self.curriculum.topics[topic],
            audience=audience.name,
            audience_note=audience.differs,
            form=form.name,
            form_note=form.differs,
            function_name=name,
            words=self.word_deck.hand(self.words),
            teacher=teacher,
        )


def _textbooks(
    table: SeedsTable, teachers: Sequence[TeacherTable], seed: int, curriculum: Curriculum
) -> Iterator[Seed]:
    dealer = _Dealer(curriculum, "textbook", seed, table.words)
    for number, turn in enumerate(turns(table.textbooks, [teacher.textbook_share for teacher in teachers])):
        yield dealer.seed_record(number, teachers[turn].name)


def _exercises(
    table: SeedsTable, teachers: Sequence[TeacherTable], seed: int, tasks: TaskSource | None, curriculum: Curriculum
) -> Iterator[Seed]:
    shares = [teacher.exercise_share for teacher in teachers]
    counts = apportion(table.exercises, shares) if table.exercises else [0] * len(teachers)
    wanted = sum(count for count, teacher in zip(counts, teachers, strict=True) if teacher.tests == "seed")
    supply = iter(tasks(seed, wanted)) if tasks is not None and wanted else iter(())
    dealer = _Dealer(curriculum, "exercise", seed, table.words)
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
                hint="lower seeds.exercises or the teacher's share",
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
