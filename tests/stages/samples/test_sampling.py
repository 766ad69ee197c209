import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from problems_made import mine

from pipeline import walk, walks
from pipeline.benchmarks.problems import ProblemSet
from pipeline.core.errors import InputError, UsageError
from pipeline.core.interrupts import all_of, mapped, terminable, undivided
from pipeline.core.records import Problem, Sample
from pipeline.execution import Execution
from pipeline.recipe_evaluation import EvaluationTable
from pipeline.recipe_text import load
from pipeline.stages.samples.endpoint import EndpointModel
from pipeline.stages.samples.models import STOP_LABELS, Answered, Ask
from pipeline.stages.samples.postprocess import CHAT, asked, chosen, cut_body, joined
from pipeline.stages.samples.stage import how, sample
from pipeline.store import jsonl

MINE = mine(4)


class Killed(Exception):
    pass


class Echo:
    """Answers each prompt with its seed or its length, last prompt first; dies after `most` answers."""

    checkpoint = "weights-1"

    def __init__(self, most: int = 10**9) -> None:
        self.asked: list[str] = []
        self.asks: list[Ask] = []
        self.most = most

    def answers(self, prompts: Sequence[str], ask: Ask, seeds: Sequence[int]) -> Iterator[Answered]:
        self.asks.append(ask)
        for index in reversed(range(len(prompts))):
            if len(self.asked) == self.most:
                raise Killed
            self.asked.append(prompts[index])
            value = seeds[index] if ask.temperature else len(prompts[index])
            yield Answered(index, f"\n    return {value}\nprint(1)\n", "eos", 7)


def run(model: Echo, journal: Path | None = None, seed: int = 0, **table: object) -> list[Sample]:
    return list(
        sample(
            [MINE],
            model,
            EvaluationTable(**table),  # type: ignore[arg-type]
            model_name="before",
            checkpoint="",
            seed=seed,
            execution=Execution(),
            journal=journal,
        )
    )


def test_samples_come_in_the_order_of_the_problems_with_raw_and_processed_text() -> None:
    model = Echo()
    samples = run(model)
    assert [s.task_id for s in samples] == [p.task_id for p in MINE.problems]
    assert model.asked[-1] == MINE.problems[0].prompt.rstrip("\n")
    length = len(model.asked[-1])
    assert samples[0].raw == f"    return {length}\nprint(1)\n"
    assert samples[0].completion == f"    return {length}\n"
    assert (samples[0].model, samples[0].checkpoint, samples[0].tokens) == ("before", "weights-1", 7)


def test_the_raw_form_asks_the_prompt_as_it_is() -> None:
    model = Echo()
    samples = run(model, prompt_form="raw")
    assert model.asked[-1] == MINE.problems[0].prompt
    assert samples[0].raw.startswith("\n    return")


def test_a_killed_evaluation_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    journal = tmp_path / "answers" / "journal.jsonl"
    with pytest.raises(Killed):
        run(Echo(most=3), journal)
    with journal.open("a") as file:
        file.write('{"key": "cut sh')
    second = Echo()
    samples = run(second, journal)
    assert len(second.asked) == 1
    assert samples == run(Echo())
    third = Echo()
    assert run(third, journal) == samples
    assert third.asked == []


def test_a_journal_serves_only_what_it_was_written_for(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    run(Echo(), journal)
    for other in ({"prompt_form": "raw"}, {"max_new_tokens": 7}, {"temperature": 0.5}):
        model = Echo()
        run(model, journal, **other)
        assert len(model.asked) == 4, other
    newer = Echo()
    newer.checkpoint = "weights-2"
    run(newer, journal)
    assert len(newer.asked) == 4
    seeded = Echo()
    run(seeded, journal, seed=5)
    assert seeded.asked == []


def test_a_journal_that_is_none_is_named(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    journal.write_text('{"task_id": "Mine/0"}\n')
    with pytest.raises(InputError, match=r"journal.jsonl is no journal: a line holds"):
        run(Echo(), journal)


def test_each_sample_has_a_seed_of_its_own_whatever_is_asked_beside_it() -> None:
    every = run(Echo(), samples=3, temperature=0.8)
    assert len({s.raw for s in every}) == 12
    some = run(Echo(), samples=3, temperature=0.8, limit=2)
    assert [s.raw for s in some] == [s.raw for s in every[:6]]
    assert [s.number for s in some] == [0, 1, 2, 0, 1, 2]


def test_several_greedy_samples_are_refused() -> None:
    with pytest.raises(InputError, match="all samples would be equal"):
        run(Echo(), samples=2)


def test_an_answer_that_never_came_leaves_no_sample() -> None:
    class Silent(Echo):
        def answers(self, prompts: Sequence[str], ask: Ask, seeds: Sequence[int]) -> Iterator[Answered]:
            return iter(())

    assert run(Silent()) == []


def test_whole_programs_are_asked_with_the_prompt_as_it_is_and_cut_at_done() -> None:
    model = Echo()
    few_shot = ProblemSet("few", MINE.digest, "here", MINE.problems[:1], answer="whole", stop=("[DONE]",))
    made = list(
        sample(
            [few_shot],
            model,
            EvaluationTable(),
            model_name="m",
            checkpoint="",
            seed=0,
            execution=Execution(),
        )
    )
    assert model.asked == [MINE.problems[0].prompt]
    assert model.asks[0].stop_strings == ("[DONE]",)
    assert made[0].whole
    assert chosen("stripped", True).apply(MINE.problems[0], "def f(): pass\n[DONE]\nmore") == "def f(): pass\n"


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("\n    return x", "\n    return x"),
        ("\n    return x\nprint(f(1))\n", "\n    return x\n"),
        ("\n# first\n    return x\n# after\n", "\n# first\n    return x\n"),
        ("\n\n\n    return x\n\n\ndef g():\n", "\n\n\n    return x\n\n\n"),
        ("\n    return [\n        x,\n]\nclass A: pass", "\n    return [\n        x,\n]\n"),
    ],
)
def test_a_body_ends_where_it_is_left(text: str, body: str) -> None:
    assert cut_body(MINE.problems[0], text) == body


@pytest.mark.parametrize(
    ("answer", "completion"),
    [
        ("Sure!\n```python\ndef f0(x):\n    return x\n```\nDone.", "\n\ndef f0(x):\n    return x\n"),
        ("```\n    return x\n```", "    return x\n"),
        ("    return x\nHope that helps", "    return x\n"),
        ("```python\ndef f0(x):\n    return x", "\n\ndef f0(x):\n    return x\n"),
    ],
)
def test_chat_answers_become_completions(answer: str, completion: str) -> None:
    assert CHAT.apply(MINE.problems[0], answer) == completion


def test_a_chat_model_is_not_told_to_complete_a_function_that_the_prompt_does_not_open() -> None:
    described = Problem(
        benchmark="b",
        task_id="t",
        prompt='"""\nWrite twice.\nassert twice(2) == 4\n"""\n',
        entry_point="twice",
        test="",
    )
    assert "Complete the following" in asked(MINE.problems[0], "chat")
    assert "Write the Python function described" in asked(described, "chat")
    assert "Complete" not in asked(described, "chat")
    assert CHAT.apply(described, "```python\ntwice = lambda x: 2 * x\n```\nDone.") == "twice = lambda x: 2 * x\n"


def test_a_prompt_that_ends_with_the_signature_is_finished_before_it_is_replaced() -> None:
    bare = Problem(benchmark="b", task_id="t", prompt="import math\n\ndef f(x):\n", entry_point="f", test="")
    made = bare.prompt + CHAT.apply(bare, "```python\ndef f(x):\n    return math.pi\n```")
    compile(made, "answer", "exec")


def test_a_stripped_prompt_and_its_answer_make_the_program_that_the_model_saw() -> None:
    prompt = asked(MINE.problems[0], "stripped")
    text = "\n    return x\n"
    assert MINE.problems[0].prompt + joined(MINE.problems[0], "stripped", False, text) == prompt + text
    assert MINE.problems[0].prompt in asked(MINE.problems[0], "chat") + "\n"


def test_evalplus_begins_the_answer_and_what_follows_is_read_as_code() -> None:
    ask = how(MINE, EvaluationTable(), "evalplus", "code")
    assert ask.chat
    assert ask.opening.endswith("corresponding tests:\n```python\n")
    assert "\n```\n" in ask.stop_strings
    assert asked(MINE.problems[0], "evalplus").startswith("Please provide a self-contained Python script")
    problem = Problem(benchmark="b", task_id="t", prompt='def f(x):\n    """Twice."""\n', entry_point="f", test="")
    text = "import math\n\ndef f(x):\n    return x * 2\n\nprint(f(1))"
    made = problem.prompt + chosen("evalplus", whole=False).apply(problem, text)
    assert made.rstrip().endswith("return x * 2")
    compile(made, "answer", "exec")


def test_no_answer_is_begun_for_an_endpoint() -> None:
    model = EndpointModel("http://127.0.0.1:9/v1", "m", "", Execution())
    with pytest.raises(UsageError, match="begins the answer for the model, which an endpoint does not let one do"):
        next(iter(model.answers(["x"], how(MINE, EvaluationTable(), "evalplus", "code"), [0])))


def test_an_answer_to_a_docstring_prompt_is_a_program_and_is_not_cut_at_its_first_definition() -> None:
    docstring = Problem(
        benchmark="mbpp",
        task_id="Mbpp/1",
        prompt='"""\nTwice x.\nassert twice(2) == 4\n"""\n',
        entry_point="twice",
        test="assert twice(2) == 4\n",
    )
    mbpp = ProblemSet("mbpp", MINE.digest, "here", (docstring,))
    assert (mbpp.opened, MINE.opened) == (False, True)
    ask = how(mbpp, EvaluationTable(), "stripped", "code")
    assert STOP_LABELS[ask.stop] == chosen("stripped", False, "auto", mbpp.opened).label == "program-stop/2"
    text = "\nimport math\n\n\ndef twice(x):\n    return 2 * x\n\n\nassert twice(2) == 4\n"
    made = chosen("stripped", False, "auto", mbpp.opened).apply(docstring, text)
    assert made == "\nimport math\n\n\ndef twice(x):\n    return 2 * x\n\n\n"
    assert how(mbpp, EvaluationTable(), "stripped", "none").stop == "none"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_signal_while_an_answer_is_kept_loses_none_of_those_that_are_made(
    number: signal.Signals, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group of answers is made at once: those behind the one that is being written are made, and maybe paid for."""

    class Group(Echo):
        def answers(self, prompts: Sequence[str], ask: Ask, seeds: Sequence[int]) -> Iterator[Answered]:
            yield from mapped(all_of(list(super().answers(prompts, ask, seeds))), lambda one: one)
            raise AssertionError("the signal came before")

    append = jsonl.append
    written: list[str] = []

    def hit(path: Path, row: dict[str, object]) -> None:
        if len(written) == at:
            signal.raise_signal(number)
        append(path, row)
        written.append(str(row["key"]))

    monkeypatch.setattr(jsonl, "append", hit)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminable():
        run(Group(), tmp_path / "samples.jsonl")
    assert len(list(jsonl.rows(tmp_path / "samples.jsonl"))) == len(MINE.problems) == 4
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_signal_outside_an_answer_is_raised_where_it_comes() -> None:
    def source() -> Iterator[int]:
        yield 1
        signal.raise_signal(signal.SIGTERM)
        yield 2

    seen: list[int] = []

    def see(one: int) -> None:
        seen.append(one)
        signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt), terminable():
        seen.extend(undivided(source()))
    with pytest.raises(KeyboardInterrupt), terminable():  # a list's iterator takes no exception
        list(map(see, undivided(iter([3, 4]))))
    assert seen[-1] == 3


def test_the_arithmetic_changes_what_is_answered_and_nothing_before_it() -> None:
    def keys(*overrides: str) -> dict[str, str]:
        recipe = load("tiny", ["student.init=smollm2", "tokens.tokenizer=student", *overrides]).recipe
        reads = dict.fromkeys(walks.names(), "")
        return {stage.name: stage.key for stage in walk.plan(recipe, reads).stages}

    plain, half = keys(), keys("evaluation.precision=bf16")
    changed = {name for name in plain if plain[name] != half[name]}
    assert changed >= {"samples-before", "samples-after", "scores"}
    assert not changed & {"seeds", "tokens", "student", "held-out"}
