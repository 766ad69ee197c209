"""An endpoint that is scored: what it answers is kept, what it does not answer is told."""

import os
import signal
import threading
from pathlib import Path

import pytest
from asking import execution
from problems_made import mine
from server import Body, Reply, chat, refuse, serving

from pipeline.core.errors import Interrupted
from pipeline.core.records import Sample
from pipeline.recipe_evaluation import EvaluationTable
from pipeline.stages.samples.endpoint import EndpointModel
from pipeline.stages.samples.models import Ask
from pipeline.stages.samples.stage import sample
from pipeline.teacher import engine

MINE = mine(24)
ASK = Ask(max_new_tokens=64, stop="none", chat=True)


def score(model: EndpointModel, journal: Path) -> list[Sample]:
    return list(
        sample(
            [MINE],
            model,
            EvaluationTable(),
            model_name="before",
            checkpoint="",
            seed=0,
            execution=execution(),
            journal=journal,
            prompt_form="chat",
        )
    )


def test_ctrl_c_keeps_the_answers_that_were_in_flight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The main thread waits for answers while four are on their way; then comes Ctrl-C, and when it is heard, answers.
    arrived, go = threading.Barrier(4, timeout=300), threading.Event()
    stop = engine.Engine.stop
    monkeypatch.setattr(engine, "INTERRUPTED_SECONDS", 300.0)

    def stopped(self: engine.Engine, error: BaseException | None) -> None:
        stop(self, error)
        go.set()

    monkeypatch.setattr(engine.Engine, "stop", stopped)

    def answer(body: Body) -> Reply:
        if not go.is_set():
            if arrived.wait() == 0:
                os.kill(os.getpid(), signal.SIGINT)
            assert go.wait(300)
        return Reply(body=chat("    return x"))

    journal = tmp_path / "answers.jsonl"
    run = execution(concurrency=4)
    with serving(answer) as server:
        model = EndpointModel(server.url, "m", "", run)
        with pytest.raises(Interrupted, match="those in flight were waited for"):
            score(model, journal)
        assert len(journal.read_text().splitlines()) == len(server.requests) == 4
        assert len(score(EndpointModel(server.url, "m", "", run), journal)) == 24
        assert len(server.requests) == 24


def test_what_is_not_answered_is_unscored_and_the_result_says_why(tmp_path: Path) -> None:
    def answer(body: Body) -> Reply:
        if "Add 3." in body["messages"][-1]["content"]:
            return refuse(400, "maximum context length is 8", "context_length_exceeded")
        return Reply(body=chat("    return x"))

    with serving(answer) as server:
        model = EndpointModel(server.url, "m", "", execution())
        samples = score(model, tmp_path / "answers.jsonl")
    assert {problem.task_id for problem in MINE.problems} - {one.task_id for one in samples} == {"Mine/3"}
    (note,) = model.notes(ASK)
    assert note.startswith("1 not answered: context too long: ")
    assert "maximum context length is 8" in note
