"""Exact targets: how many are kept, what is asked for them, and why it ends; cut short and gone on with."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import HornbookError, Interrupted
from pipeline.core.records import Seed
from pipeline.recipe_text import load
from pipeline.report import write_report
from pipeline.report.summary import summarise
from pipeline.run.costs import estimate, table
from pipeline.run.garbage import collect
from pipeline.run.run import Outcome, run
from pipeline.run.wanting import PATIENCE, Standing, further, scarce, to_text, worst
from pipeline.store.places import Places, places
from pipeline.teacher.lines import heads

FROM_NOTHING = ["seeds.exercises=0", "seeds.textbooks=0", "execution.workers=1"]


@pytest.fixture
def at(tmp_path: Path) -> Places:
    return places(str(tmp_path / "data"))


def go(at: Places, *overrides: str, **options: Any) -> Outcome:
    loaded = load("tiny", [*FROM_NOTHING, *overrides])
    return run(loaded, at, name="mine", until="decontaminated", **options)


def said(at: Places) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((at.runs / "mine" / "run.json").read_text())
    return found


def key(at: Places, name: str) -> str:
    return next(str(entry["key"]) for entry in said(at)["stages"] if entry["name"] == name)


def kept(at: Places, name: str = "decontaminated") -> list[str]:
    return sorted(record.id for record in at.store.kept(name, key(at, name)))


def rounds(at: Places) -> list[dict[str, int]]:
    return [{name: one["exercises"][name] for name in ("asked", "kept")} for one in said(at)["want"]]


def interrupting(stage: str, time: int) -> Callable[[Mapping[str, Any]], None]:
    """Ctrl-C as a stage is begun for the `time`-th time."""
    left = [time]

    def watch(event: Mapping[str, Any]) -> None:
        if event["event"] == "stage-started" and event["stage"] == stage:
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt

    return watch


@pytest.mark.parametrize("share", ["0.0", "0.9"])
def test_exactly_as_many_are_kept_as_are_wanted_whatever_share_is_dropped(at: Places, share: str) -> None:
    go(at, "want.exercises=12", f"teachers.0.fault_share={share}", "want.answers=2000")
    assert len(kept(at)) == 12
    assert said(at)["want"][-1]["ended"] == "reached"
    assert rounds(at)[-1]["kept"] == 12
    manifests = [at.store.manifest(entry["name"], entry["key"]) for entry in said(at)["stages"]]
    assert all(one is not None and one.entered == one.kept + sum(one.dropped.values()) for one in manifests)
    asked = [one["asked"] for one in rounds(at)]
    assert asked == sorted(set(asked))
    assert share != "0.0" or asked[-1] < 20


def test_both_kinds_are_counted_apart(at: Places) -> None:
    go(at, "want.exercises=8", "want.textbooks=3")
    records = at.store.kept("decontaminated", key(at, "decontaminated"))
    assert Counter(record.type for record in records) == {"exercise": 8, "passage": 3}


def test_seeds_of_earlier_rounds_stay_and_further_ones_go_where_topics_are_short(at: Places) -> None:
    go(at, "want.exercises=24", 'seeds.topics=["lists", "strings"]', "teachers.0.fault_share=0.6")
    asked = [list(at.store.kept("seeds", part[0]["key"])) for part in [*said(at)["rounds"], said(at)["stages"]]]
    assert len(asked) > 2
    for before, after in pairwise(asked):
        assert after[: len(before)] == before
    for before, after, told in zip(asked, asked[1:], said(at)["want"], strict=False):
        topics = told["exercises"]["topics"]
        least = min(have for _, have in topics.values())
        chosen = {seed.topic for seed in after[len(before) :] if isinstance(seed, Seed)}
        assert chosen <= {topic for topic, (_, have) in topics.items() if have <= least + 1}


WANTED = ["want.exercises=12", "teachers.0.fault_share=0.7"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """What `WANTED` comes to where nothing cuts it short."""
    at = places(str(tmp_path_factory.mktemp("whole")))
    go(at, *WANTED)
    return at


def test_each_answer_is_asked_once_and_the_last_round_holds_all_of_them(whole: Places) -> None:
    assert len(said(whole)["rounds"]) > 1
    answers = said(whole)["want"][-1]["answers"]
    keys = [head.key for head in heads(Path(whole.store.folder("completions", key(whole, "completions"))))]
    assert len(keys) == len(set(keys)) == answers
    assert summarise(whole.runs / "mine", whole.store).teachers[0].earlier == 0


def test_a_second_call_makes_nothing_and_all_rounds_are_needed(whole: Places) -> None:
    assert not go(whole, *WANTED).made
    assert not collect(whole)


@pytest.mark.parametrize(("stage", "time"), [("completions", 2), ("decontaminated", 2), ("seeds", 3)])
def test_a_run_that_was_cut_short_comes_to_the_same(at: Places, whole: Places, stage: str, time: int) -> None:
    with pytest.raises(Interrupted):
        go(at, *WANTED, watch=interrupting(stage, time))
    asked = [head.key for head in heads(Path(at.store.base) / "completions")]
    go(at, *WANTED)
    assert kept(at) == kept(whole)
    assert said(at)["plan"] == said(whole)["plan"]
    assert said(at)["want"] == said(whole)["want"]
    keys = {head.key for head in heads(Path(at.store.folder("completions", key(at, "completions"))))}
    assert keys.issuperset(asked)


def test_the_ceiling_on_answers_ends_it_and_the_run_goes_on_with_what_is_kept(at: Places) -> None:
    go(at, "want.exercises=14", "want.answers=20", "teachers.0.fault_share=0.8")
    last = said(at)["want"][-1]
    assert (last["answers"], last["ended"]) == (20, "answers")
    assert len(kept(at)) == last["exercises"]["kept"] < 14
    assert said(at)["state"] == "done"
    go(at, "want.exercises=14", "want.answers=400", "teachers.0.fault_share=0.8")
    assert len(kept(at)) == 14


def test_where_nothing_more_comes_it_ends(at: Places) -> None:
    """A replay answers what was recorded, and no more."""
    go(at, "seeds.exercises=12")
    recorded = at.store.folder("completions", key(at, "completions"))
    there = len(kept(at))
    loaded = load(
        "tiny", [*FROM_NOTHING, "want.exercises=40", "teachers.0.kind=replay", f"teachers.0.replay={recorded}"]
    )
    outcome = run(loaded, at, name="replayed", until="decontaminated")
    last = json.loads((outcome.folder / "run.json").read_text())["want"][-1]
    assert (last["exercises"]["kept"], last["ended"]) == (there, "dry")
    assert last["answers"] < 400


def test_the_plan_says_what_is_wanted_what_there_is_and_what_it_may_come_to(at: Places, whole: Places) -> None:
    loaded = load("tiny", [*FROM_NOTHING, *WANTED])
    before = estimate(loaded, at, "mine")
    assert (before["teacher"]["requests"], before["want"]["most"]["answers"]) == (12, 120)
    assert "12 exercises that are kept" in table(before)
    after = estimate(loaded, whole, "mine")
    assert after["want"]["counts"][-1]["ended"] == "reached"
    assert after["teacher"]["requests"] == 0
    assert "12 of 12 exercises wanted are kept" in table(after)


def test_the_report_says_what_was_wanted_and_why_it_ended(whole: Places) -> None:
    summary, card = write_report(whole.runs / "mine", whole.store)
    assert "12 of 12 exercises wanted are kept" in card
    assert summary.to_json()["want"][-1]["ended"] == "reached"
    page = (whole.runs / "mine" / "report.html").read_text()
    assert page.count("exercises wanted are kept") == len(said(whole)["want"])


@pytest.mark.parametrize(
    ("overrides", "what"),
    [
        (["want.exercises=5", "teachers.0.tests=seed"], "is given tasks"),
        (["seeds.exercises=5", "want.answers=5"], "a ceiling and no number"),
        (["seeds.exercises=5", 'seeds.rounds=[{exercises={"strings/slicin"=1}}]'], "'strings/slicin' is no topic"),
        (["want.exercises=5", "want.answers=1", "completions.samples_per_prompt=2"], "nothing to ask"),
    ],
)
def test_what_cannot_be_reached_is_said_before_anything_is_made(at: Places, overrides: list[str], what: str) -> None:
    with pytest.raises(HornbookError, match=what):
        go(at, *overrides)
    assert not (at.runs / "mine" / "report.html").exists()


topics = st.dictionaries(
    st.sampled_from("abcdefgh"), st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1
).map(lambda found: {topic: (asked, min(asked, have)) for topic, (asked, have) in found.items()})


@given(topics, st.integers(1, 80))
def test_a_round_asks_for_what_is_lacking_of_topics_that_bring_something(
    found: dict[str, tuple[int, int]], lacking: int
) -> None:
    asked = {topic: n for topic, (n, _) in found.items()}
    have = {topic: n for topic, (_, n) in found.items()}
    one = Standing(sum(have.values()) + lacking, asked, have, 0, 0)
    seeds = further(one)
    hopeless = {topic for topic, n in asked.items() if n >= PATIENCE and not have[topic]}
    assert not hopeless & seeds.keys()
    assert sum(seeds.values()) <= max(sum(asked.values()), one.wanted)
    assert hopeless == asked.keys() or sum(seeds.values()) >= min(lacking, max(sum(asked.values()), one.wanted))
    others = asked.keys() - hopeless - seeds.keys()
    assert all(have[other] + lacking >= max(have[topic] for topic in seeds) for other in others if seeds)


def test_topics_with_least_are_named() -> None:
    told = {"exercises": {"topics": {"a": [9, 0], "b": [9, 9], "c": [0, 0], "d": [9, 1]}}}
    assert scarce(told) == "a (0 kept of 9 asked), d (1 kept of 9 asked)"
    assert to_text({"exercises": {"wanted": 9, "kept": 4, "asked": 12}, "ended": "usd"}) == (
        "4 of 9 exercises wanted are kept, of 12 asked: the ceiling on dollars is reached (want.usd)"
    )


def test_the_dearest_seed_pays_for_its_other_words_too(tmp_path: Path) -> None:
    """Each of them may cost as much as the dearest answer of a seed does, and is asked for and solved."""
    path = tmp_path / "paid.toml"
    path.write_text(
        "[seeds]\nexercises = 9\n[want]\nexercises = 9\nusd = 1.0\n[[teachers]]\nname = 'paid'\nkind = 'openai'\n"
        "model = 'gpt-4o'\nbase_url = 'http://localhost:1/v1'\nmax_tokens = 1000\n",
        encoding="utf-8",
    )
    none, some = (worst(load(str(path), [f"rewordings.per_exercise={n}"]).recipe) for n in (0, 2))
    assert some == pytest.approx(6 * none)
