"""Where endpoints are, keys and headers: what HTTP cannot carry is named before the first request."""

import asyncio
import sys
from pathlib import Path

import pytest
from asking import ask_all, execution, prompt, table
from batch_server import BatchApi
from hypothesis import given
from hypothesis import strategies as st
from server import Reply, serving

from pipeline import teacher
from pipeline.core.errors import MissingKey, RecipeError, UsageError
from pipeline.teacher.address import checked_headers, checked_url, joined, uncarried, without_query
from pipeline.teacher.kinds.openai import EndpointTeacher
from pipeline.teacher.transport import Session, Wire


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:8000/v1", "write http://localhost:8000/v1"),
        ("api.example.org/v1", "should be a URL such as"),
        ("//api.example.org/v1", "should be a URL such as"),
        ("ftp://x/v1", "should be a URL such as"),
        ("http:///v1", "should be a URL such as"),
        ("http://[::1/v1", "should be a URL such as"),
        ("http://x:port/v1", "should be a URL such as"),
        ("http://x:70000/v1", "should be a URL such as"),
        ("http://x:0/v1", "port 0"),
        ("http://x..y/v1", "should be a URL such as"),
        ("http://" + "a" * 64 + "/v1", "should be a URL such as"),
        (" http://x/v1", "a blank at character 1 of 12"),
        ("http://x/v1 ", "a blank at character 12 of 12"),
        ("http://x/v 1", "a blank at character 11"),
        ("http://x/v1\n", "a line break at character 12"),
        ("http://x/v1\r\nx-injected: 1", "a line break at character 12"),
        ("http://x/v1\x00", "U+0000"),
        ("http://x/v1…", "U+2026 (HORIZONTAL ELLIPSIS) at character 12"),
        ("http://例え.jp/v1", "U+4F8B"),
        ("http://x/v1#top", "a fragment"),
        ("http://x/v1#", "a fragment"),
        ("http://me:pass-word@x/v1", "user name or password"),
        ("http://me@x/v1", "user name or password"),
        ("ftp://me:pass-word@x/v1", "user name or password"),
        ("me:pass-word@x/v1", "user name or password"),
        ("pass-word@x:8000/v1", "user name or password"),
        ("http:/me:pass-word@x/v1", "user name or password"),
        ("http:///me:pass-word@x/v1", "user name or password"),
        (" http://me:pass-word@x/v1", "user name or password"),
        ("http://me:pass-word@[::1/v1", "user name or password"),
        ("http://me:pass-word/more@x/v1", "should be a URL such as"),
        ("http://me:pass-word#more@x/v1", "should be a URL such as"),
        ("https://x/v1?api-key=pass-word", "a secret in its query (api-key=...)"),
        ("https://x/v1?a=b&token=pass-word", "a secret in its query (token=...)"),
        ("http://x/v1/chat/completions", "write 'http://x/v1'"),
        ("http://x/v1/completions/?a=b", "write 'http://x/v1?a=b'"),
    ],
)
def test_a_url_that_no_request_can_go_to(url: str, words: str) -> None:
    for wanted in (table(url), table("http://127.0.0.1:1/v1", fallbacks=({"base_url": url},))):
        with pytest.raises(RecipeError) as caught:
            teacher.build(wanted, execution(), 0)
        assert words in str(caught.value)
        assert "base_url" in str(caught.value)
        assert "pass-word" not in str(caught.value)
        assert caught.value.exit_code == 2
    with pytest.raises(RecipeError, match="the endpoint to evaluate: base_url"):
        teacher.evaluation_teacher(url, "m", execution=execution())


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://x:1/v1", "/v1/chat/completions"),
        ("http://x:1/v1/", "/v1/chat/completions"),
        ("http://x:1", "/chat/completions"),
        ("http://x:1/", "/chat/completions"),
        ("http://x:1/v1?", "/v1/chat/completions"),
        ("http://x:1/openai/d?api-version=2024-10-21", "/openai/d/chat/completions?api-version=2024-10-21"),
        ("http://x:1/v1/?a=b%20c&d=/e", "/v1/chat/completions?a=b%20c&d=/e"),
        ("http://x:1?a=b", "/chat/completions?a=b"),
        ("HTTP://x:1/a%2Fb", "/a%2Fb/chat/completions"),
    ],
)  # fmt: skip
def test_the_path_is_joined_before_the_query(url: str, path: str) -> None:
    assert joined(checked_url(url, "base_url"), "/chat/completions").lower().removeprefix("http://x:1") == path.lower()


QUERY = "api-version=2024-10-21&d=%2Fe"


@pytest.mark.parametrize("made", [Wire, Session])
def test_both_transports_keep_the_query(made: type) -> None:
    async def ask(url: str) -> None:
        client = made(url, {}, 5.0) if made is Wire else made(url, {}, 5.0, 4)
        try:
            await client.post("/chat/completions", b"{}")
        finally:
            await client.close()

    with serving(lambda body: Reply(body={})) as server:
        asyncio.run(ask(checked_url(f"{server.url}/?{QUERY}", "base_url")))
    assert server.paths == [f"/v1/chat/completions?{QUERY}"]


def test_a_batch_keeps_the_query(tmp_path: Path) -> None:
    asked: list[str] = []
    api = BatchApi(polls=0)

    def route(method: str, path: str, raw: bytes) -> Reply:
        asked.append(path)
        return api(method, path.partition("?")[0], raw)

    with serving() as server:
        server.route = route
        kept, _ = ask_all([prompt(0)], tmp_path, [table(f"{server.url}?{QUERY}", mode="batch")])
    assert len(kept) == 1
    assert [path.partition("?")[2] for path in asked] == [QUERY] * len(asked)
    assert without_query("http://x/v1?a=") == ("http://x/v1", {"a": ""})


BAD_KEYS = [
    ("sk-abc…xyz", "U+2026 (HORIZONTAL ELLIPSIS) at character 7 of 10"),
    ("密钥", "U+5BC6"),
    ("sk-abc\nx-injected: 1", "a line break at character 7"),
    ("sk-abc\r\nx-injected: 1", "a line break at character 7"),
    ("sk abc", "a blank at character 3"),
    ("sk-\x7f", "U+007F (a control character)"),
    ("Bearer sk-abc", "a blank"),
    ("sk-\udcff", "U+DCFF"),
]


@pytest.mark.skipif(sys.getfilesystemencoding() != "utf-8", reason="no variable holds these keys in this locale")
@pytest.mark.parametrize(("key", "words"), BAD_KEYS)
@pytest.mark.parametrize("mode", ["online", "batch", "fallback", "evaluate"])
def test_a_key_that_no_header_can_carry_is_named_by_its_variable_and_never_shown(
    key: str, words: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCK_KEY", key)
    url = "http://127.0.0.1:1/v1"
    own = {"api_key_env": "MOCK_KEY"}

    def made() -> None:
        if mode == "evaluate":
            teacher.evaluation_teacher(url, "m", execution=execution(), api_key_env="MOCK_KEY")
        elif mode == "fallback":
            teacher.build(table(url, fallbacks=({"model": "n", **own},)), execution(), 0)
        else:
            teacher.build(table(url, mode=mode, **own), execution(), 0)

    with pytest.raises(UsageError) as caught:
        made()
    assert f"the key in the environment variable MOCK_KEY holds {words}" in str(caught.value)
    assert key not in str(caught.value)
    assert caught.value.exit_code == 2


def test_blanks_around_a_key_are_not_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCK_KEY", " sk-abcdef\r\n")
    built = teacher.build(table("http://127.0.0.1:1/v1", api_key_env="MOCK_KEY"), execution(), 0)
    assert isinstance(built, EndpointTeacher)
    assert built.endpoints[0].headers({})["authorization"] == "Bearer sk-abcdef"


@pytest.mark.parametrize("written", ["sk-proj-x7Qm9Lp2RvT4", "AIzaSyD4x7Qm9Lp2RvT4Zk8WnB3c", "two words", "A=B"])
def test_a_key_in_the_place_of_its_variables_name_is_not_shown(written: str) -> None:
    with pytest.raises(UsageError, match="api_key_env should be the name of an environment variable") as caught:
        teacher.build(table("http://127.0.0.1:1/v1", api_key_env=written), execution(), 0)
    assert written not in str(caught.value)


def test_an_ordinary_name_that_is_not_set_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_KEY_2024_B7", raising=False)
    with pytest.raises(MissingKey, match="OPENAI_KEY_2024_B7 is not set"):
        teacher.build(table("http://127.0.0.1:1/v1", api_key_env="OPENAI_KEY_2024_B7"), execution(), 0)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("x-a", "b\r\nx-injected: 1", "headers.x-a holds a line break at character 2"),
        ("x-a", "b\nc", "headers.x-a holds a line break"),
        ("x-a", "b…", "headers.x-a holds U+2026"),
        ("x-a", "チーム", "headers.x-a holds U+30C1"),
        ("x-a", "é", "headers.x-a holds U+00E9"),
        ("x-a", "b\x00", "headers.x-a holds U+0000"),
        ("x a", "b", "headers has the name 'x a'"),
        ("x-a: b\r\nx-injected", "1", "headers has the name"),
        ("x-é", "b", "headers has the name"),
        ("", "b", "headers has the name ''"),
        ("x:", "b", "headers has the name 'x:'"),
        ("Content-Length", "5", "headers.Content-Length is written by hornbook itself"),
        ("transfer-encoding", "chunked", "is written by hornbook itself"),
        ("Host", "x", "is written by hornbook itself"),
        ("Authorization", "Bearer x", "would put a secret into the recipe"),
        ("X-Goog-Api-Key", "x", "would put a secret into the recipe"),
        ("Ocp-Apim-Subscription-Key", "x", "would put a secret into the recipe"),
    ],
)
def test_a_header_that_http_cannot_carry_is_named(name: str, value: str, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        teacher.build(table("http://127.0.0.1:1/v1", headers={name: value}), execution(), 0)
    assert words in str(caught.value)
    assert caught.value.exit_code == 2


def test_headers_are_sent_once_whatever_their_capitals(tmp_path: Path) -> None:
    with serving() as server:
        ask_all([prompt(0)], tmp_path, [table(server.url, headers={"X-Team": " a b ", "User-Agent": "me"})])
    assert (server.heads[0]["x-team"], server.heads[0]["user-agent"]) == ("a b", "me")
    with pytest.raises(RecipeError, match="headers has x-team twice"):
        checked_headers({"X-Team": "a", "x-team": "b"}, "teacher")


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=8), max_size=3), st.text(max_size=12))
def test_what_passes_has_one_line_for_each_header(headers: dict[str, str], tail: str) -> None:
    try:
        checked = checked_headers(headers, "teacher")
        url = checked_url(f"http://127.0.0.1:1/v1{tail}", "base_url")
    except RecipeError:
        return
    head = Wire(url, checked, 1.0)._head("/chat/completions").decode("ascii")
    assert head.count("\r\n") == 3 + len(checked)
    assert head.count("\n") == head.count("\r") == head.count("\r\n")
    assert len(head.split("\r\n")[0].split(" ")) == 3
    assert not uncarried(url)


def test_a_stream_is_refused_in_the_recipe() -> None:
    with pytest.raises(RecipeError, match=r"extra_body\.stream is set, but answers are read whole\n  leave it out"):
        teacher.build(table("http://127.0.0.1:1/v1", extra_body={"stream": True}), execution(), 0)


def test_a_key_in_the_query_of_a_redirection_is_not_repeated(tmp_path: Path) -> None:
    from pipeline.core.errors import TeacherError

    answer = Reply(307, {}, {"location": "https://new.example.org/v1/chat/completions?sig=abc"})
    with serving(lambda body: answer) as server, pytest.raises(TeacherError) as caught:
        ask_all([prompt(n) for n in range(50)], tmp_path, [table(server.url)])
    assert "base_url should be 'https://new.example.org/v1'" in str(caught.value)
    assert "abc" not in str(caught.value)
    assert len(server.requests) <= 8
