"""Exact targets: seeds are added in rounds until as many documents are kept as a recipe wants (`[want]`).

A round asks again, where topics are short, for as many answers as are expected to bring what is lacking, and the stages
are made anew with the first seeds as they were: what was answered is not asked twice. Which rounds a recipe comes to
depends on what its stages kept and on nothing else, so a run that was killed finds them again in the store.
"""

import heapq
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.core.errors import RecipeError
from pipeline.core.money import dollars, token_estimate
from pipeline.core.plan import Plan
from pipeline.core.records import Completion, Document, Seed
from pipeline.recipe import Recipe
from pipeline.recipe_seeds import RoundTable
from pipeline.stages.completions.facts import WRITING, CompletionsFacts
from pipeline.store.store import Store

LAST = "decontaminated"
"""The stage that keeps what is counted."""
KINDS = {"exercises": "exercise", "textbooks": "textbook"}
"""The kinds of documents, by the settings that count them."""
PATIENCE = 20
"""Seeds of a topic, and of a last round, of which none is kept until nothing more is hoped for."""
PRICED = 64
"""Prompts that are rendered to tell what an answer may cost at most, before the first has come."""

ENDED = {
    "reached": "as many are kept as were wanted",
    "answers": "the ceiling on answers is reached (want.answers)",
    "usd": "the ceiling on dollars is reached (want.usd)",
    "dry": "nothing more is kept of what is asked",
}
"""Why no further round is begun."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What came of all seeds of one kind so far. asked: seeds, by topic; kept: documents, by the topic of their seed.
    recent, recent_kept: seeds of the last round, and documents that are of them."""

    wanted: int
    asked: Mapping[str, int]
    kept: Mapping[str, int]
    recent: int
    recent_kept: int

    @property
    def lacking(self) -> int:
        """Documents that are wanted and not there."""
        return max(0, self.wanted - sum(self.kept.values()))

    def to_json(self) -> dict[str, Any]:
        """Numbers, and by topic what was asked and what is kept."""
        topics = {topic: [count, self.kept.get(topic, 0)] for topic, count in sorted(self.asked.items())}
        return {
            "wanted": self.wanted,
            "asked": sum(self.asked.values()),
            "kept": sum(self.kept.values()),
            "topics": topics,
        }


@dataclass(frozen=True, slots=True)
class Count:
    """What a recipe's rounds have come to, once `LAST` is made. usd: what the answers cost when they were given.
    ended: a key of `ENDED`, or "". more: the next round, None where there is none."""

    standings: Mapping[str, Standing]
    answers: int
    usd: float
    ended: str
    more: RoundTable | None

    def to_json(self) -> dict[str, Any]:
        """One entry of `want` in run.json. further: seeds of the next round."""
        told = {kind: standing.to_json() for kind, standing in self.standings.items() if standing.wanted}
        more = {kind: sum(getattr(self.more, kind).values()) for kind in KINDS} if self.more else {}
        return {
            **told,
            "answers": self.answers,
            "usd": round(self.usd, 8),
            "ended": self.ended,
            "further": {kind: n for kind, n in more.items() if n},
        }


def to_text(told: Mapping[str, Any]) -> str:
    """An entry of `want` for a person: what there is, and how it goes on or why it does not."""
    there = [
        f"{one['kept']:,} of {one['wanted']:,} {kind} wanted are kept, of {one['asked']:,} asked"
        for kind in KINDS
        if (one := told.get(kind))
    ]
    if told.get("ended"):
        return f"{'; '.join(there)}: {ENDED.get(told['ended'], told['ended'])}"
    further = [f"{n:,} {kind}" for kind, n in (told.get("further") or {}).items()]
    return f"{'; '.join(there)}; further {' and '.join(further)} are asked"


SCARCE = 5
"""Topics that `scarce` names."""


def scarce(told: Mapping[str, Any]) -> str:
    """The topics of which less than half of an even share is kept, those with least first, for a person."""
    found = []
    for kind in KINDS:
        topics: Mapping[str, tuple[int, int]] = (told.get(kind) or {}).get("topics") or {}
        share = sum(kept for _, kept in topics.values()) / max(1, len(topics))
        short = sorted((kept, topic, asked) for topic, (asked, kept) in topics.items() if asked and kept < share / 2)
        found += [f"{topic} ({kept:,} kept of {asked:,} asked)" for kept, topic, asked in short]
    return ", ".join(found[:SCARCE]) + (f" and {len(found) - SCARCE:,} more" if len(found) > SCARCE else "")


class Settled(NamedTuple):
    """A recipe with the rounds that the store tells of. rounds: the plans before each of them. counts: what was found
    after each round that is finished."""

    recipe: Recipe
    rounds: tuple[Plan, ...]
    counts: tuple[Count, ...]


def settled(recipe: Recipe, planned: Callable[[Recipe], Plan], store: Store) -> Settled:
    """Go through the rounds of a recipe as far as they are made. planned: the plan of a recipe.

    Raises RecipeError where a ceiling leaves nothing to ask, or cannot be kept.
    """
    if not recipe.want.any:
        return Settled(recipe, (), ())
    recipe = first(recipe)
    rounds: list[Plan] = []
    counts: list[Count] = []
    while True:
        plan = planned(recipe)
        if store.manifest(LAST, plan[LAST].key) is None:
            return Settled(recipe, tuple(rounds), tuple(counts))
        counts.append(count(recipe, plan, store))
        if counts[-1].more is None:
            return Settled(recipe, tuple(rounds), tuple(counts))
        rounds.append(plan)
        recipe = with_round(recipe, counts[-1].more)


def with_round(recipe: Recipe, more: RoundTable) -> Recipe:
    """The recipe with one round more."""
    seeds = recipe.seeds.model_copy(update={"rounds": (*recipe.seeds.rounds, more)})
    return recipe.model_copy(update={"seeds": seeds})


def first(recipe: Recipe) -> Recipe:
    """The recipe with no more first seeds than the ceilings allow."""
    want, seeds = recipe.want, recipe.seeds
    most = want.most_answers // recipe.completions.samples_per_prompt
    if want.usd is not None and (most_usd := worst(recipe)):
        most = min(most, int(want.usd / most_usd))
        if not most:
            raise RecipeError(
                f"want.usd = {want.usd:g} does not pay for one answer, which may cost {dollars(most_usd)}",
                hint="raise it, or lower max_tokens of the teacher",
            )
    if not most:
        raise RecipeError(f"want.answers = {want.answers} leaves nothing to ask", hint="raise it")
    if seeds.exercises + seeds.textbooks <= most:
        return recipe
    cut = dict(zip(KINDS, _shared(most, [seeds.exercises, seeds.textbooks]), strict=True))
    return recipe.model_copy(update={"seeds": seeds.model_copy(update=cut)})


def worst(recipe: Recipe) -> float:
    """Dollars that a seed costs at most, of the dearest teacher. Raises RecipeError where a price is not known."""
    from itertools import islice

    from pipeline.stages.prompts.stage import rendered
    from pipeline.stages.rewordings import step as rewordings
    from pipeline.stages.solutions.step import solving
    from pipeline.teacher.building import usd

    prompt = max(token_estimate(prompt.messages) for prompt in islice(rendered(recipe), PRICED))
    writers = [(table, recipe.completions.samples_per_prompt) for table in recipe.teachers]
    solvers = [(table, recipe.agreement.solutions) for table in solving(recipe)]
    wording = [
        (table, recipe.rewordings.per_exercise) for table in rewordings.asked(recipe) if rewordings.wanted(recipe)
    ]
    worst = 0.0
    for table, times in [*writers, *solvers, *wording]:
        cost = usd(table, prompt, table.max_tokens)
        if cost is None:
            raise RecipeError(
                f"want.usd = {recipe.want.usd:g} cannot be kept: no price is known for {table.answers_with!r}",
                hint="leave it out, or write the price as in data/prices.toml and set HORNBOOK_PRICES to that file",
            )
        worst = max(worst, cost * times)
    return worst * (1 + bool(solvers) + 2 * bool(wording))


def count(recipe: Recipe, plan: Plan, store: Store) -> Count:
    """What the finished stages of a plan have come to, and how it goes on."""
    standings = _standings(recipe, plan, store)
    samples = recipe.completions.samples_per_prompt
    seeds = sum(sum(one.asked.values()) for one in standings.values())
    usd = _spent(plan, store)
    ended, more = "reached", None
    if any(one.lacking for one in standings.values()):
        rooms = {"answers": recipe.want.most_answers // samples - seeds}
        if recipe.want.usd is not None and usd:
            rooms["usd"] = int((recipe.want.usd - usd) / (usd / seeds))
        least = min(rooms, key=lambda name: rooms[name])
        lacking = {kind: one for kind, one in standings.items() if one.lacking}
        asked = {kind: further(one) for kind, one in lacking.items() if not _dry(one)}
        if not any(asked.values()):
            ended = "dry"
        elif rooms[least] < 1:
            ended = least
        else:
            ended, more = "", RoundTable(**_within(rooms[least], asked))
    return Count(standings, seeds * samples, usd, ended, more)


def _standings(recipe: Recipe, plan: Plan, store: Store) -> dict[str, Standing]:
    from pipeline.domains.loading import load
    from pipeline.stages.seeds.sampling import selected

    topics = selected(load(recipe.domain), recipe.seeds.topics)
    asked = {kind: Counter(dict.fromkeys(topics, 0)) for kind in KINDS.values()}
    for seed in store.kept("seeds", plan["seeds"].key):
        assert isinstance(seed, Seed)
        asked[seed.kind][seed.topic] += 1
    answers = (one for one in store.kept("completions", plan["completions"].key) if isinstance(one, Completion))
    seed_of = {answer.id: answer.seed for answer in answers}
    counts = {kind: recipe.seeds.counts(name) for name, kind in KINDS.items()}
    kept = {kind: Counter[str]() for kind in counts}
    recent = Counter[str]()
    for document in store.kept(LAST, plan[LAST].key):
        assert isinstance(document, Document)
        of = seed_of.get(document.completion_id)
        if of is not None:
            kept[of.kind][of.topic] += 1
            recent[of.kind] += of.number >= sum(counts[of.kind][:-1])
    return {
        name: Standing(getattr(recipe.want, name), asked[kind], kept[kind], counts[kind][-1], recent[kind])
        for name, kind in KINDS.items()
    }


def _spent(plan: Plan, store: Store) -> float:
    """Dollars that all answers cost when they were given, to whichever run."""
    manifests = (store.manifest(name, plan[name].key) for name in WRITING if name in plan)
    told = [
        fact for one in manifests if one is not None for fact in CompletionsFacts.from_json(one.facts).teachers or ()
    ]
    return sum(float(fact.get("usd") or 0.0) + float(fact.get("earlier_usd") or 0.0) for fact in told)


def _dry(one: Standing) -> bool:
    """Whether the last round brought nothing, and asked enough to tell."""
    return one.recent >= PATIENCE and not one.recent_kept


def further(one: Standing) -> dict[str, int]:
    """Seeds by topic that are expected to bring what is lacking, and by one standard deviation more, so that the last
    few do not take a round each. What is lacking is filled up from the topics that have least; one of which much was
    asked and nothing is kept is given up. No round asks more than all before it, or than all that is wanted.
    """
    asked = sum(one.asked.values())
    rate = (sum(one.kept.values()) + 1) / (asked + 2)
    hoped = [topic for topic, n in one.asked.items() if n < PATIENCE or one.kept.get(topic)]
    if not hoped:
        return {}
    needed = _filled({topic: one.kept.get(topic, 0) for topic in hoped}, one.lacking)
    seeds = {
        topic: count * (one.asked[topic] + 2) / (one.kept.get(topic, 0) + 2 * rate) for topic, count in needed.items()
    }
    total = math.ceil(sum(seeds.values()) * (1 + 1 / math.sqrt(one.lacking)))
    shared = _shared(min(total, max(asked, one.wanted)), list(seeds.values()))
    return {topic: n for topic, n in zip(seeds, shared, strict=True) if n}


def _filled(levels: Mapping[str, int], count: int) -> dict[str, int]:
    """How `count` more are spread so that the lowest come up first; those that get none are left out."""
    heap = sorted((level, topic) for topic, level in levels.items())
    given: Counter[str] = Counter()
    for _ in range(count):
        level, topic = heap[0]
        given[topic] += 1
        heapq.heapreplace(heap, (level + 1, topic))
    return dict(given)


def _within(room: int, asked: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """The seeds of a round, by kind and topic, cut to `room` in all."""
    flat = [(kind, topic, n) for kind, topics in asked.items() for topic, n in topics.items()]
    total = sum(n for *_, n in flat)
    shared = _shared(min(room, total), [n for *_, n in flat])
    return {
        kind: {topic: n for (of, topic, _), n in zip(flat, shared, strict=True) if of == kind and n} for kind in asked
    }


def most_tokens(recipe: Recipe, answer_tokens: Mapping[str, int]) -> float:
    """Tokens of the teachers' documents that are kept at most; infinite where no number of a kind is wanted."""
    asked = [(kind, getattr(recipe.want, name)) for name, kind in KINDS.items() if recipe.seeds.counts(name)[0]]
    return sum(answer_tokens[kind] * wanted if wanted else math.inf for kind, wanted in asked)


def _shared(total: int, shares: Sequence[float]) -> list[int]:
    from pipeline.stages.seeds.sampling import apportion

    return apportion(total, shares)
