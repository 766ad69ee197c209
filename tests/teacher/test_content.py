"""What servers say of an answer: how it ended, where its text is, and what came in place of one."""

import codecs
import json
from pathlib import Path
from typing import Any

import pytest
from asking import ask_all, prompt, table
from hypothesis import given
from hypothesis import strategies as st
from server import Body, Reply, chat, echo, serving

from pipeline.core.records import Prompt
from pipeline.recipe_teachers import ReplayTable
from pipeline.teacher import lines as journal
from pipeline.teacher import redaction
from pipeline.teacher.content import Content, content_of
from pipeline.teacher.protocol import Failure, Trouble
from pipeline.teacher.protocol import Reply as Raw
from pipeline.teacher.wire import Parsed, error_of, parse_body


def prompts(count: int) -> list[Prompt]:
    return [prompt(number) for number in range(count)]


def ended(finish: object, text: str = "words") -> Content | Failure:
    return content_of({"choices": [{"message": {"content": text}, "finish_reason": finish}]})


@pytest.mark.parametrize("finish", ["stop", "STOP", "eos", "eos_token", "end_turn", "stop_sequence", "COMPLETE", ""])
def test_endings_of_whole_answers(finish: str) -> None:
    content = ended(finish)
    assert isinstance(content, Content)
    assert (content.finish, content.notes) == ("stop", () if finish else content.notes)


@pytest.mark.parametrize(
    "finish",
    ["length", "max_tokens", "model_length", "MAX_TOKENS", "FinishReason.MAX_TOKENS", "FINISH_REASON_MAX_TOKENS",
     "max_output_tokens", "max-tokens", "model_context_window_exceeded"],
)  # fmt: skip
def test_endings_of_answers_that_were_cut(finish: str) -> None:
    assert getattr(ended(finish), "finish", None) == "length"
    assert getattr(ended(finish, ""), "finish", None) == "length", "a blank one, too: all went into the reasoning"


@pytest.mark.parametrize(
    "finish",
    ["content_filter", "SAFETY", "sensitive", "refusal", "RECITATION", "PROHIBITED_CONTENT", "guardrail_intervened"],
)
def test_endings_of_answers_that_were_refused(finish: str) -> None:
    content = ended(finish)
    assert isinstance(content, Content)
    assert (content.finish, content.reason) == ("filter", finish)


@pytest.mark.parametrize(
    "finish", ["abort", "error", "ERROR", "cancelled", "network_error", "insufficient_system_resource", "timeout"]
)
def test_endings_of_answers_that_broke_off(finish: str) -> None:
    failure = ended(finish)
    assert isinstance(failure, Failure)
    assert failure.trouble is Trouble.SERVER
    assert failure.detail == f"200 with finish_reason {finish!r}: the server gave up on the answer"


@pytest.mark.parametrize("finish", ["tool_calls", "OTHER", 7, ["stop"], {"type": "stop"}, True, "\ud800", "x" * 500])
def test_an_ending_that_is_not_known_is_kept_and_said(finish: object) -> None:
    content = ended(finish)
    assert isinstance(content, Content)
    (note,) = content.notes
    assert content.finish == "stop"
    assert note == f"finish_reason {content.reason!r} is not known: the answer was taken for a whole one"
    assert len(content.reason) <= 40
    assert "\ud800" not in note


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "text", "text": None}, {"type": "text", "text": "b"}], "b"),
        (["a", "b"], "ab"),
        (["a", None, 3, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "b"}], "b"),
        ([{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": "b"}], "b"),
        ([{"type": "text", "text": {"value": "a", "annotations": []}}], "a"),
        ({"type": "text", "text": "a"}, "a"),
    ],
)
def test_where_the_text_is(content: object, text: str) -> None:
    found = content_of({"choices": [{"message": {"content": content, "reasoning_content": "not this"}}]})
    assert isinstance(found, Content)
    assert found.text == text


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"content": None}, "no text"),
        ({"content": ""}, "blank"),
        ({"content": " \n\t"}, "blank"),
        ({"content": []}, "no text"),
        ({"content": [{"type": "text", "text": None}]}, "no text"),
        ({"content": [{"type": "text", "text": ""}]}, "blank"),
        ({"content": 5}, "no text"),
        ({"content": None, "reasoning_content": "def f(): ..."}, "only reasoning: raise max_tokens"),
        ({"content": "", "reasoning": "def f(): ..."}, "only reasoning: raise max_tokens"),
        ({"content": [{"type": "thinking", "thinking": "x"}]}, "no text"),
        ({"content": None, "tool_calls": [{"id": "1"}]}, "only a call of a tool"),
        ({}, "no text"),
        ("words", "no text"),
    ],
)
def test_no_answer_is_asked_again(tmp_path: Path, message: Any, words: str) -> None:
    body = {"choices": [{"message": message, "finish_reason": "stop"}]}
    failure = parse_body(json.dumps(body).encode())
    assert isinstance(failure, Failure)
    assert failure.trouble is Trouble.MALFORMED
    assert words in failure.detail
    seen: set[str] = set()

    def answer(asked: Body) -> Reply:
        question = asked["messages"][-1]["content"]
        first = question not in seen
        seen.add(question)
        return Reply(body=body) if first else echo(asked)

    with serving(answer) as server:
        kept, dropped = ask_all(prompts(2), tmp_path, [table(server.url)])
    assert (len(kept), len(dropped), len(server.requests)) == (2, 0, 4)


def test_a_text_that_is_continued_may_end_at_once() -> None:
    content = content_of({"choices": [{"text": "", "finish_reason": "stop"}]})
    assert isinstance(content, Content)
    assert content.text == ""


@pytest.mark.parametrize(
    ("count", "read"),
    [(7, 7), (0, 0), (7.0, 7), ("7", 7), (True, 0), (False, 0), (None, 0), (-1, 0), (7.5, 0), ("x", 0), ("²", 0),
     (float("nan"), 0), (float("inf"), 0), (10**30, 0), (10**400, 0), (1e300, 0), ([7], 0), ({}, 0), ("9" * 5000, 0)],
)  # fmt: skip
def test_counts_of_tokens_of_any_type(count: object, read: int) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": count}
    found = content_of({"choices": [{"message": {"content": "a"}}], "usage": usage})
    assert isinstance(found, Content)
    assert (found.prompt_tokens, found.completion_tokens) == (read, read)


@pytest.mark.parametrize(
    ("text", "read"),
    [("a\ud83d\ude00b", "a\U0001f600b"), ("a\ud83db", "a\ufffdb"), ("\ude00\ud83d", "\ufffd\ufffd"), ("\x00", "\x00")],
)
def test_halves_of_surrogate_pairs_are_joined_or_replaced_and_said(text: str, read: str) -> None:
    found = ended("stop", text)
    assert isinstance(found, Content)
    assert found.text == read
    assert bool(found.notes) == (text != "\x00")


BODY = chat("naïve – \U0001f600")


@pytest.mark.parametrize(
    "raw",
    [
        codecs.BOM_UTF8 + json.dumps(BODY, ensure_ascii=False).encode(),
        *(json.dumps(BODY, ensure_ascii=False).encode(name)
          for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")),
        b" \r\n\t" + json.dumps(BODY, indent=2).encode() + b"\r\n",
        json.dumps(BODY).encode().replace(b'"usage"', b'"usage": {"prompt_tokens": true}, "usage"'),
        json.dumps({**BODY, "x": float("nan"), "y": 10**4000}).encode(),
        json.dumps({**BODY, "x": "\ud800"}, ensure_ascii=False).encode("utf-8", "surrogatepass"),
        json.dumps({**BODY, "x": "?"}).encode().replace(b"?", b"\xff\xfe"),
    ],
)  # fmt: skip
def test_the_journal_keeps_what_was_parsed(tmp_path: Path, raw: bytes) -> None:
    parsed = parse_body(raw)
    assert isinstance(parsed, Parsed)
    assert parsed.content.text == "naïve – \U0001f600"
    entry = journal.entry_of("ab" * 32, 0, Raw("cd" * 32, "e", "m", parsed.line, parsed.body, 9))
    line = journal.encode(entry, parsed.line)
    again = journal.decode(line)
    assert again is not None
    assert content_of(again.body) == parsed.content
    assert journal.HEAD.match(line)
    with serving(lambda body: Reply(raw=raw)) as server:
        kept, _ = ask_all(prompts(2), tmp_path / "j", [table(server.url)])
        ask_all(prompts(2), tmp_path / "j", [table(server.url)])
    assert len(server.requests) == 2
    replayed, dropped = ask_all(prompts(2), tmp_path / "k", [ReplayTable(name="mock", replay=str(tmp_path))])
    assert not dropped
    assert {i: c.text for i, c in replayed.items()} == {i: c.text for i, c in kept.items()}


def test_bytes_that_are_no_text_are_replaced_and_said() -> None:
    parsed = parse_body(json.dumps(chat("caf?")).encode().replace(b"?", b"\xe9"))
    assert isinstance(parsed, Parsed)
    assert parsed.content.text == "caf\ufffd"
    assert "U+FFFD" in parsed.content.notes[0]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "an empty body"),
        (b'data: {"choices": []}\n\ndata: [DONE]\n', "an event stream, not one JSON object: take `stream` out"),
        (b": keep-alive\n\ndata: {}\n", "an event stream"),
        (b"\n<!DOCTYPE html><html><title>Sign in</title>", "an HTML page, titled 'Sign in', not JSON: base_url"),
        (b'<?xml version="1.0"?><e/>', "markup, not JSON"),
        (b'{"message": {"content": "a"}}\n{"done": true}\n', "several JSON values, as a stream has them"),
        (b'{"choices": [{"mess', "not whole JSON"),
        (b"upstream is busy", "text that is not JSON: 'upstream is busy'"),
        (b'{"model": "m", "message": {"content": "a"}}', "without a choice: its keys are 'model', 'message'; base_url"),
        (b"[1]", "an array, not an object"),
        (b'"a"', "a string, not an object"),
        (b"null", "null, not an object"),
        (b'{"a": ' + b"[" * 101 + b"]" * 101 + b"}", "more than 100 levels"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "more than 100 levels"),
        (b'{"choices": ' + b"9" * 5000 + b"}", "not whole JSON"),
    ],
)
def test_what_came_in_place_of_an_answer_is_named(raw: bytes, words: str) -> None:
    failure = parse_body(raw)
    assert isinstance(failure, Failure)
    assert failure.trouble is Trouble.MALFORMED
    assert words in failure.detail


@pytest.mark.parametrize(
    ("body", "trouble", "words"),
    [
        ({"error": {"message": "upstream failed"}}, Trouble.SERVER, "upstream failed"),
        ({"error": "overloaded"}, Trouble.SERVER, "overloaded"),
        ({"error": {"message": "busy", "code": 503}}, Trouble.OVERLOAD, "503: busy"),
        ({"error": {"message": "slow", "code": 429}}, Trouble.RATE_LIMIT, "slow"),
        ({"error": {"message": "m is too long: maximum context length", "code": 400}}, Trouble.CONTEXT, "too long"),
        ({"error": {"message": "pay", "code": "insufficient_quota"}}, Trouble.QUOTA, "pay"),
        ({"object": "error", "message": "no model", "code": 404}, Trouble.NOT_FOUND, "no model"),
        ({"choices": [{"error": {"message": "lost"}, "message": {"content": "ha"}}]}, Trouble.SERVER, "lost"),
    ],
)
def test_an_error_inside_a_200_has_its_class_and_its_words(body: Body, trouble: Trouble, words: str) -> None:
    failure = parse_body(json.dumps(body).encode())
    assert isinstance(failure, Failure)
    assert failure.trouble is trouble
    assert failure.detail.startswith("200 with an error inside: ")
    assert words in failure.detail


def test_no_error_beside_an_answer_is_none() -> None:
    for error in (None, {}, "", False, {"message": None, "code": None}):
        assert isinstance(parse_body(json.dumps({**chat("a"), "error": error}).encode()), Parsed)


def test_a_redirection_says_where_to_and_what_to_set() -> None:
    failure = error_of(307, b"", "https://me:pw@new.example.org/v1/chat/completions?token=abc")
    assert failure.trouble is Trouble.NOT_FOUND
    assert "redirected to https://new.example.org/v1/chat/completions?..., which is not followed" in failure.detail
    assert "base_url should be 'https://new.example.org/v1'" in failure.detail
    assert "pw" not in failure.detail
    assert "abc" not in failure.detail
    assert error_of(302, b"").detail == "HTTP 302: redirected, without saying where to: correct base_url"


def test_the_report_of_a_run_says_which_endings_were_not_known(tmp_path: Path) -> None:
    from pipeline.teacher import Answer, Spent

    spent = Spent("mock", "openai")
    with serving(lambda body: Reply(body=chat("a", "tool_calls"))) as server:
        kept, _ = ask_all(prompts(3), tmp_path, [table(server.url)], answered=lambda name, answer: spent.add(answer))
    note = "finish_reason 'tool_calls' is not known: the answer was taken for a whole one"
    assert spent.facts["notes"] == {note: 3}
    assert spent.facts["oldest"] <= spent.facts["newest"]
    assert {completion.finish_reason for completion in kept.values()} == {"tool_calls"}
    for number in range(100):
        spent.add(Answer("a", f"r{number}", "m", 1, 1, 0.0, 0, 9, notes=(f"note {number}",)))
    assert len(spent.facts["notes"]) == 21
    assert sum(spent.facts["notes"].values()) == 103


def test_an_answer_that_is_none_by_now_is_asked_again(tmp_path: Path) -> None:
    blank = chat("")
    with serving() as server:
        ask_all(prompts(1), tmp_path, [table(server.url)])
        (entry,) = journal.entries(tmp_path)
        raw = json.dumps(blank).encode()
        old = journal.entry_of(entry.messages, 0, Raw(entry.key, entry.endpoint, "m", raw, blank, 1024))
        (tmp_path / "journal.jsonl").write_bytes(journal.encode(old, raw))
        kept, _ = ask_all(prompts(1), tmp_path, [table(server.url)])
        again, _ = ask_all(prompts(1), tmp_path, [table(server.url)])
    assert len(server.requests) == 2
    assert len(kept) == 1
    assert again == kept


PLACEHOLDERS = ["secret", "EMPTY!", "import", "password", "sk-no-key-required", "your-api-key-here", "token-abc123",
                "sk-0000000000000000", "this-is-not-a-key-1"]  # fmt: skip
KEYS = [
    "sk-test-4f9a8c77d1e2",
    "sk-proj-x7Qm9Lp2RvT4Zk8WnB3c",
    "0f8fad5bd9cb469fa16570867728950e",
    'k"3/y\\8Zq1-w5T7u9R2',
]


@pytest.mark.parametrize("key", PLACEHOLDERS)
def test_an_answer_is_never_changed_for_a_placeholder(
    tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCK_KEY", key)
    text = f"import {key}s\nprint({key!r})"
    with serving(lambda body: Reply(body=chat(text))) as server:
        kept, _ = ask_all(prompts(1), tmp_path, [table(server.url, api_key_env="MOCK_KEY")])
    assert [completion.text for completion in kept.values()] == [text]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("escaped", [False, True])
def test_a_key_that_a_server_sends_back_stays_out_of_the_journal(
    key: str, escaped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_known", set())
    redaction.Secret(key)
    raw = json.dumps(chat(f"your key is {key}!")).encode()
    if escaped:
        spelled = "".join(f"\\u{ord(letter):04x}" for letter in key)
        raw = raw.replace(json.dumps(key)[1:-1].encode(), spelled.encode())
    parsed = parse_body(raw)
    assert isinstance(parsed, Parsed)
    assert parsed.content.text == "your key is [key]!"
    assert json.loads(parsed.line) == parsed.body


def test_a_key_in_a_long_message_is_masked_before_the_message_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", set())
    redaction.Secret(KEYS[0])
    for before in range(270, 300):
        assert "sk-t" not in error_of(500, b"x" * before + KEYS[0].encode()).detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "text", "type", "refusal", "finish_reason", "usage",
                 "prompt_tokens", "completion_tokens", "error", "code", "reasoning_content", "x"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(body=json_values, choice=json_values, encoding=st.sampled_from(["utf-8", "utf-16", "utf-32-be", "ascii"]))
def test_any_json_is_an_answer_that_can_be_stored_or_a_failure_that_can(
    body: object, choice: object, encoding: str
) -> None:
    for value in (body, {"choices": [choice]}, {"choices": [{"message": choice}], "usage": body}):
        raw = json.dumps(value, ensure_ascii=encoding == "ascii").encode(encoding, "surrogatepass")
        found = parse_body(raw)
        if isinstance(found, Failure):
            found.detail.encode()
        else:
            found.content.text.encode()
            found.content.refusal.encode()
            assert content_of(json.loads(found.line)) == found.content
