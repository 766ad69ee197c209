"""Talking to a student, through a pipe and in turns."""

import io
import json

import pytest
import torch
from models_made import TEXT
from shapes_held import hold
from transformers import LlamaConfig, LlamaForCausalLM

from pipeline.cli.main import main
from pipeline.core.errors import InputError
from pipeline.evaluation.chat import Reply, Student, conversation, teacher_of
from pipeline.execution import Execution
from pipeline.models.loading import save
from pipeline.recipe_text import load
from pipeline.stages.tokens.tokenizers import train_bpe


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of random weights, without a chat template."""
    torch.manual_seed(0)
    tokenizer = train_bpe(TEXT, 300)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        eos_token_id=tokenizer.eos_token_id,
    )
    to = tmp_path_factory.mktemp("talking") / "model"
    save(LlamaForCausalLM(config).eval(), tokenizer, to)
    return to


def called(capsys, monkeypatch, said, *arguments):
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    with pytest.raises(SystemExit) as stop:
        main(["chat", *arguments])
    out = capsys.readouterr()
    return stop.value.code, out.out, out.err


def test_all_of_a_pipe_is_one_message(folder, capsys, monkeypatch):
    said = "def add(a, b):\n    return"
    code, out, _ = called(capsys, monkeypatch, said + "\n", str(folder), "--max-new-tokens", "8", "--json")
    told = json.loads(out)
    hold("chat", told)
    assert code == 0
    assert (told["run"], told["model"], told["form"]) == ("", str(folder), "raw")
    (turn,) = told["turns"]
    assert turn["said"] == said
    assert turn["answers"][str(folder)]["tokens"] <= 8
    code, again, _ = called(capsys, monkeypatch, said, str(folder), "--max-new-tokens", "8")
    assert again.startswith(turn["answers"][str(folder)]["text"][:4])


class Typed(io.TextIOWrapper):
    """What a terminal or a pipe sends, as bytes."""

    def __init__(self, said: bytes, terminal: bool) -> None:
        super().__init__(io.BytesIO(said), encoding="utf-8")
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("said", [b"", b"\n", b"\xff\xfe\0", b"\xed\xa0\x80", "é".encode()[:1], b"x\x1b[A\r\n", None])
def test_whatever_comes_in_is_answered(folder, capsys, monkeypatch, said, terminal):
    monkeypatch.setattr("sys.stdin", None if said is None else Typed(said, terminal))
    with pytest.raises(SystemExit) as stop:
        main(["chat", str(folder), "--max-new-tokens", "1", "--json"])
    assert (stop.value.code, len(json.loads(capsys.readouterr().out)["turns"])) == (0, int(bool((said or b"").strip())))


def test_in_a_terminal_the_conversation_goes_on_after_what_cannot_be_answered(folder, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", Typed(b"x = 1 " * 100 + b"\nx = 1\n", True))
    monkeypatch.setattr("pipeline.evaluation.chat.Student.answer", answering(Student.answer, {"x = 1": "2"}))
    with pytest.raises(SystemExit) as stop:
        main(["chat", str(folder)])
    out = capsys.readouterr()
    assert (stop.value.code, out.out) == (0, "2\n")
    assert "error: " in out.err
    assert "longer than the model's context" in out.err


def answering(otherwise, known):
    """`Student.answer` that knows some answers."""
    return lambda one, said: Reply(known[said], "eos", 1) if said in known else otherwise(one, said)


def test_a_terminal_is_sent_no_commands_of_a_models(folder, capsys, monkeypatch):
    monkeypatch.setattr("pipeline.evaluation.chat.Student.answer", lambda *_: Reply("a\x1b[2Jb\n\tc", "eos", 3))
    _, out, _ = called(capsys, monkeypatch, "x", str(folder))
    assert out == "a\\x1b[2Jb\n\tc\n"


def test_what_has_no_template_cannot_be_chatted_with(folder, capsys, monkeypatch):
    code, _, err = called(capsys, monkeypatch, "x", str(folder), "--form", "chat")
    assert code == 2
    assert "has no chat template" in err


def test_what_is_too_long_is_said(folder, capsys, monkeypatch):
    code, _, err = called(capsys, monkeypatch, "x = 1\n" * 100, str(folder))
    assert code == 2
    assert "longer than the model's context" in err


def test_a_run_that_is_not_there_is_told(capsys, monkeypatch, tmp_path):
    code, _, err = called(capsys, monkeypatch, "x", "LATEST", "--data", str(tmp_path))
    assert code == 2
    assert "there is no run in" in err


class Parrot:
    """Says how often it was asked."""

    def __init__(self, name: str) -> None:
        self.name, self.asked = name, 0

    def answer(self, said: str) -> Reply:
        self.asked += 1
        return Reply(f"{said} {self.asked}", "eos", 1)

    def forget(self) -> None:
        self.asked = 0


def test_everybody_answers_in_turn_and_forgets_when_told():
    shown = []
    lines = iter(["a", "", "b", "/reset", "c"])
    found = list(
        conversation([Parrot("x"), Parrot("y")], lines, lambda who, reply: shown.append((who, reply.text)), print)
    )
    assert [turn["said"] for turn in found] == ["a", "b", "c"]
    assert shown == [("x", "a 1"), ("y", "a 1"), ("x", "b 2"), ("y", "b 2"), ("x", "c 1"), ("y", "c 1")]


def test_a_teacher_that_cannot_talk_is_told(tmp_path):
    recipe = load("tiny").recipe
    with pytest.raises(InputError, match="a composer answers the recipe's prompts alone"):
        teacher_of(recipe, "composer", Execution(), tmp_path)
    with pytest.raises(InputError, match="no teacher of that name; teachers are") as error:
        teacher_of(recipe, "nobody", Execution(), tmp_path)
    assert "none of this recipe's teachers can" in error.value.hint
