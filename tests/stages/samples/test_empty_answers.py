"""Answers that are empty for a reason of their own: they count, and the number's label says so."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from problems_made import mine

from pipeline.cli.main import main
from pipeline.core.events import Event
from pipeline.evaluation.api import result_of
from pipeline.execution import Execution
from pipeline.recipe_evaluation import EvaluationTable
from pipeline.sandbox import Sandbox
from pipeline.stages.samples import endpoint
from pipeline.stages.samples.models import NO_CONTENT, NO_ROOM, Answered, Ask
from pipeline.stages.samples.stage import sample
from pipeline.teacher import Failure
from pipeline.teacher.content import content_of
from pipeline.teacher.protocol import Outcome, Trouble

MINE = mine(3)


class Model:
    """Answers all but the first prompt rightly; the first with nothing, for a reason."""

    checkpoint = "weights"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.asked = 0

    def answers(self, prompts: Sequence[str], ask: Ask, seeds: Sequence[int]) -> Iterator[Answered]:
        for index, prompt in enumerate(prompts):
            self.asked += 1
            number = prompt[5]
            yield (
                Answered(index, "", self.reason, 0)
                if number == "0"
                else Answered(index, f"\n    return x + {number}\n", "eos", 7)
            )


def samples(model: Model, journal: Path, events: list[Event]) -> list[Any]:
    asked = sample(
        [MINE],
        model,
        EvaluationTable(),
        model_name="m",
        checkpoint="",
        seed=0,
        execution=Execution(),
        journal=journal,
        on_event=events.append,
    )
    return list(asked)


@pytest.mark.parametrize(
    ("reason", "said", "asked_again"),
    [
        (NO_CONTENT, "1 answer without content", 1),
        (NO_ROOM, "1 answer to prompts that are longer than the model's context", 0),
    ],
)
def test_an_empty_answer_stays_in_the_denominator_and_is_said(
    reason: str, said: str, asked_again: int, tmp_path: Path
) -> None:
    events: list[Event] = []
    model = Model(reason)
    made = samples(model, tmp_path / "journal.jsonl", events)
    assert [event["text"] for event in events if event["event"] == "warning"] == [f"mine: {said} of 3 count as empty"]
    with Sandbox(workers=1) as sandbox:
        result, _ = result_of(MINE, made, sandbox)
    assert (result.estimate.problems, result.estimate.scored) == (3, 3)
    assert result.estimate.pass_at_k[1] == pytest.approx(2 / 3)
    assert result.to_text().splitlines()[0].endswith(f"3 of 3 problems; {said} counted as empty")
    assert result.to_json()["empty"] == [said]
    samples(model, tmp_path / "journal.jsonl", events)
    assert model.asked == 3 + asked_again


def body(message: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("failure", "answered"),
    [
        (content_of(body({"content": None})), True),
        (content_of(body({"content": " \n"})), True),
        (content_of(body({"content": None, "reasoning_content": "Hm."})), True),
        (content_of({"choices": []}), False),
        (Failure(Trouble.TIMEOUT, "no answer in 60 s"), False),
    ],
)
def test_an_endpoint_that_answers_without_content_has_answered(
    failure: Any, answered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(failure, Failure)
    monkeypatch.setattr(endpoint, "converse", lambda questions, *_, **__: (Outcome(q, failure) for q in questions))
    model = endpoint.EndpointModel("http://127.0.0.1:9/v1", "m", "", Execution())
    found = list(model.answers(["def f(x):"], Ask(max_new_tokens=8, chat=True), [0]))
    assert found == ([Answered(0, "", NO_CONTENT, 0)] if answered else [])
    assert len(model.notes(Ask(max_new_tokens=8, chat=True))) == (0 if answered else 1)


def score(tmp_path: Path, source: str, *options: str) -> int:
    benchmark, path = tmp_path / "mine.jsonl", tmp_path / "samples.jsonl"
    task = {
        "task_id": "Mine/0",
        "prompt": "def f(x):\n",
        "entry_point": "f",
        "test": "def check(g):\n    assert g(1) == 1\n",
    }
    benchmark.write_text(json.dumps(task) + "\n")
    path.write_text((json.dumps({"task_id": "Mine/0", "completion": source}) + "\n") * 2)
    with pytest.raises(SystemExit) as stop:
        main(["score", str(path), "--benchmark", str(benchmark), "--workers", "1", *options])
    return int(str(stop.value.code))


@pytest.mark.parametrize("options", [("-k", "1,2"), ("-k", "1", "-k", "2"), ("-k", "1, 2,1"), ("-k1,2",)])
def test_k_is_given_as_its_hint_says(
    options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(tmp_path, "    return x\n", "--json", *options) == 0
    assert json.loads(capsys.readouterr().out)["pass@k"] == {"1": 1.0, "2": 1.0}


@pytest.mark.parametrize("word", ["0", "ten", "1.5", "-1", "1,x", ",", "²"])
def test_a_k_that_is_none_is_named(word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert score(tmp_path, "    return x\n", "-k", word) == 2
    error = capsys.readouterr().err
    assert "no number of samples" in error or "is not a number of samples" in error
    assert "use 1 or more, e.g. -k 1,10" in error


def test_programs_may_import_the_packages_that_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "    import tenacity, packaging\n    return x\n"
    assert score(tmp_path, source, "--json", "-k", "1") == 0
    assert json.loads(capsys.readouterr().out)["pass@k"] == {"1": 0.0}
    assert score(tmp_path, source, "--json", "-k", "1", "--packages", "tenacity,packaging") == 0
    assert json.loads(capsys.readouterr().out)["pass@k"] == {"1": 1.0}
    assert score(tmp_path, source, "--packages", "tenacity", "--packages", "no-such-package") == 2
    assert "packages names 'no-such-package', which is not installed" in capsys.readouterr().err
