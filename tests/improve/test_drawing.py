"""The seeds of a round: counts, kinds, branches and parents."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from pipeline.core.records import Exercise, Prompt, Seed, Task
from pipeline.domains.loading import load
from pipeline.improve.clusters import EVOLUTIONS
from pipeline.improve.development import branch_of
from pipeline.improve.drawing import HARDER, Direction, Slot, seeds, slots
from pipeline.stages.prompts.stage import Render

DOMAIN = load("python")
EVEN = Direction({}, {})


def exercise(name: str, topic: str) -> Exercise:
    return Exercise(
        prompt=f'def {name}(n: int) -> int:\n    """{name} of n."""\n',
        solution="    return n\n",
        entry_point=name,
        test=f"assert {name}(1) == 1\n",
        test_owner="teacher",
        topic=topic,
    )


PARENTS = [exercise(f"of_{number}", topic) for number, topic in enumerate(DOMAIN.topics)]


def draw(
    count: int,
    direction: Direction = EVEN,
    tasks: Mapping[str, Task] = MappingProxyType({}),
    avoid: frozenset[str] = frozenset(),
) -> tuple[list[Slot], list[Seed]]:
    wanted = slots(count, direction, DOMAIN, PARENTS, 7)
    drawn = seeds(wanted, direction, DOMAIN, tasks, writer="w", solver="s", seed=7, first=100, words=2, avoid=avoid)
    return wanted, list(drawn)


def test_a_quarter_is_canonical_and_the_rest_varied() -> None:
    wanted, _ = draw(400)
    kinds = Counter(slot.kind for slot in wanted)
    assert kinds.keys() == {"canonical", "evolved", "reworded"}
    assert abs(kinds["canonical"] - 100) <= 14
    assert abs(kinds["evolved"] - 200) <= 14


def test_branches_get_what_their_topics_and_weights_say() -> None:
    topics = Counter(map(branch_of, DOMAIN.topics))
    even = Counter(slot.branch for slot in draw(len(DOMAIN.topics))[0])
    assert even == topics
    heavy = Counter(slot.branch for slot in draw(400, Direction({"errors": 20.0}, {}))[0])
    assert heavy["errors"] == max(heavy.values())


def test_a_parent_is_of_the_branch_and_comes_once_before_any_twice() -> None:
    wanted, _ = draw(400)
    assert all(slot.parent is None or branch_of(slot.parent.topic) == slot.branch for slot in wanted)
    assert max(Counter(slot.parent.id for slot in wanted if slot.parent).values()) == 1


def test_an_evolved_seed_shows_its_parent_and_how_to_change_it() -> None:
    wanted, drawn = draw(40, Direction({}, {"constraint": 0.0, "steps": 0.0, "rare-case": 1.0}))
    pairs = [(slot.parent, seed) for slot, seed in zip(wanted, drawn, strict=True) if slot.parent]
    for parent, seed in pairs:
        assert seed.form == f"{HARDER}: rare case"
        assert (seed.topic, seed.function_name, seed.teacher) == (parent.topic, parent.entry_point, "w")
    (prompt,) = [outcome.record for outcome in Render(DOMAIN)([pairs[0][1]])]
    assert isinstance(prompt, Prompt)
    assert pairs[0][0].text.strip() in prompt.messages[-1].content
    assert EVOLUTIONS["rare-case"] in prompt.messages[-1].content


def test_what_was_reworded_is_a_task_for_the_solver_and_the_rest_is_evolved() -> None:
    wanted, _ = draw(40)
    reworded = [slot.parent for slot in wanted if slot.kind == "reworded" and slot.parent]
    known = reworded[0]
    task = Task(
        entry_point=known.entry_point, prompt=f'def {known.entry_point}(n):\n    """Other."""\n', test=known.test
    )
    _, drawn = draw(40, tasks={known.id: task})
    (solved,) = [seed for seed in drawn if seed.task]
    assert (solved.teacher, solved.topic, solved.task) == ("s", known.topic, task)
    assert sum(seed.form.startswith(HARDER) for seed in drawn) == sum(bool(slot.parent) for slot in wanted) - 1


def test_numbers_go_on_and_names_to_avoid_are_not_asked_for() -> None:
    _, drawn = draw(200)
    assert [seed.number for seed in drawn] == list(range(100, 300))
    canonical = {seed.function_name for seed in drawn if not seed.form.startswith(HARDER)}
    avoid = frozenset(sorted(canonical)[:20])
    _, again = draw(200, avoid=avoid)
    assert not avoid & {seed.function_name for seed in again}


def test_without_parents_all_is_canonical() -> None:
    assert {slot.kind for slot in slots(40, EVEN, DOMAIN, [], 1)} == {"canonical"}
