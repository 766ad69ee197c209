import subprocess
import sys
from pathlib import Path

import pytest
from asking import ask_all, execution, prompt, table
from hypothesis import given
from hypothesis import strategies as st
from server import Body, Reply, chat, refuse, serving

from pipeline import teacher
from pipeline.core import money
from pipeline.core.errors import AuthenticationError, HornbookError, MissingKey, RecipeError
from pipeline.core.money import Ledger, Price, price_of, read_prices
from pipeline.core.records import Message
from pipeline.recipe_teachers import ComposerTable, ReplayTable
from pipeline.teacher import redaction
from pipeline.teacher.lines import entries

KEY = "sk-test-4f9a8c77d1e2"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base_url": "ftp://x"}, "base_url should be a URL"),
        ({"base_url": ""}, "base_url should be a URL"),
        ({"base_url": "http://me:secret@x/v1"}, "user name or password"),
        ({"model": ""}, "model should be the model's name"),
        ({"headers": {"Authorization": "Bearer x"}}, "would put a secret into the recipe"),
        ({"mode": "batch", "fallbacks": ({"model": "n"},)}, "takes no fallbacks"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_asked(settings: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        teacher.build(table(**{"url": "http://127.0.0.1:1/v1", **_url(settings)}), execution(), 0)


@pytest.mark.parametrize("place", ["", "/nowhere"])
def test_a_replay_without_a_journal_is_found_before_anything_is_asked(place: str) -> None:
    with pytest.raises(RecipeError, match="replay should name a journal"):
        teacher.build(ReplayTable(name="mock", replay=place), execution(), 0)


def _url(settings: dict[str, object]) -> dict[str, object]:
    settings = dict(settings)
    if "base_url" in settings:
        settings["url"] = settings.pop("base_url")
    return settings


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOCK_KEY", raising=False)
    wanted = table("http://127.0.0.1:1/v1", api_key_env="MOCK_KEY")
    with pytest.raises(MissingKey, match="MOCK_KEY is not set"):
        teacher.build(wanted, execution(), 0)
    assert teacher.identity(wanted, 0)["kind"] == "openai"


def test_a_key_never_travels_unencrypted_to_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCK_KEY", KEY)
    with pytest.raises(RecipeError, match="unencrypted"):
        teacher.build(table("http://api.example.org/v1", api_key_env="MOCK_KEY"), execution(), 0)
    teacher.build(table("http://192.168.1.5/v1", api_key_env="MOCK_KEY"), execution(), 0)


def test_the_identity_holds_what_changes_answers_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCK_KEY", KEY)
    base = table("http://127.0.0.1:1/v1", api_key_env="MOCK_KEY")
    same = [base.model_copy(update={"api_key_env": ""}), base.model_copy(update={"mode": "batch"})]
    other = [
        base.model_copy(update=change) for change in ({"model": "n"}, {"max_tokens": 2}, {"stop": ("a",)}, {"seed": 3})
    ]
    identity = teacher.build(base, execution(), 0).identity()
    assert identity == teacher.build(base, execution(concurrency=99, retries=1), 0).identity()
    assert KEY not in repr(identity)
    assert all(teacher.identity(one, 0) == identity for one in same)
    assert all(teacher.identity(one, 0) != identity for one in other)


@pytest.mark.parametrize("refused", [False, True])
def test_no_artifact_of_a_run_holds_the_key(
    tmp_path: Path, refused: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MOCK_KEY", KEY)

    def answer(body: Body) -> Reply:
        if refused:
            return refuse(401, f"Incorrect API key provided: {KEY}")
        if body["messages"][-1]["content"] == "question 1":
            return refuse(400, f"bad request by {KEY}", "content_filter")
        return Reply(body=chat(f"your key is {KEY}, by the way"))

    said: list[str] = []
    with serving(answer) as server:
        wanted = table(server.url, api_key_env="MOCK_KEY")
        try:
            kept, dropped = ask_all(
                [prompt(n) for n in range(5)], tmp_path, [wanted], on_event=lambda event: said.append(repr(event))
            )
            said += [repr(kept), repr(dropped)]
        except AuthenticationError as error:
            said += [str(error), repr(error)]
        built = teacher.build(wanted, execution(), 0)
        said += [repr(built), str(built.identity())]
    assert all(head["authorization"] == f"Bearer {KEY}" for head in server.heads)
    texts = said + [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(texts)
    assert not [text for text in texts if KEY in text]
    captured = capsys.readouterr()
    assert KEY not in captured.out + captured.err


def test_a_key_cannot_be_pickled() -> None:
    import pickle

    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(redaction.Secret(KEY))


def test_prices_are_dated_and_may_be_overridden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prices = read_prices()
    assert price_of("gpt-4o-mini-2024-07-18", prices) == price_of("openai/gpt-4o-mini", prices) == prices["gpt-4o-mini"]
    assert not price_of("gpt-4o-audio-preview", prices).known
    own = tmp_path / "own.toml"
    own.write_text(
        '[models]\n"gpt-4o-mini" = { prompt = 1, completion = 2 }\n"mine" = { prompt = 0, completion = 0 }\n'
    )
    monkeypatch.setenv(money.OVERRIDE, str(own))
    assert read_prices()["gpt-4o-mini"] == Price(1, 2)
    assert read_prices()["mine"].known
    own.write_text('[models]\n"mine" = { prompt = -1, completion = 0 }\n')
    with pytest.raises(RecipeError, match="mine"):
        read_prices()


def test_a_cap_in_dollars_needs_a_price() -> None:
    with pytest.raises(RecipeError, match="no price is known for 'm'"):
        teacher.build(table("https://api.example.org/v1"), execution(budget_usd=1.0), 0)


@given(
    cap=st.integers(0, 5000),
    requests=st.lists(st.tuples(st.integers(0, 300), st.integers(1, 300), st.floats(0, 1), st.booleans()), max_size=40),
)
def test_a_ledger_never_passes_its_cap(cap: int, requests: list[tuple[int, int, float, bool]]) -> None:
    ledger = Ledger(budget_tokens=cap)
    open_ = []
    for prompt_tokens, most, share, billed in requests:
        reservation = ledger.reserve(prompt_tokens, most, Price())
        if reservation is not None:
            open_.append((reservation, prompt_tokens, int(most * share), billed))
        if len(open_) > 3 or reservation is None:
            while open_:
                done, used, completion, lost = open_.pop()
                ledger.release(done, maybe_billed=lost)
                if not lost:
                    ledger.charge(used, completion, 0.0)
        assert ledger.tokens + ledger.suspected_tokens <= cap


def test_the_composer_answers_without_a_network_and_is_journalled(tmp_path: Path) -> None:
    composer = ComposerTable(name="mock")
    asked = [prompt(n) for n in range(30)]
    kept, dropped = ask_all(asked, tmp_path, [composer])
    again, _ = ask_all(asked, tmp_path, [composer])
    assert len(kept) == 30
    assert not dropped
    assert kept == again
    assert {c.teacher_kind for c in kept.values()} == {"composer"}
    assert len(list(entries(tmp_path))) == 30


def test_prompts_with_equal_messages_keep_their_composed_answers_in_any_order(tmp_path: Path) -> None:
    # Equal messages from seeds that differ: what is composed depends on the prompt, not on how often it is asked.
    composer = ComposerTable(name="mock")
    asked = [prompt(n, "the same words") for n in range(12)]
    first, _ = ask_all(asked, tmp_path / "fresh", [composer])
    assert len({completion.text for completion in first.values()}) > 1
    ask_all(asked[:5], tmp_path / "resumed", [composer])
    again, _ = ask_all(asked[::-1], tmp_path / "resumed", [composer])
    texts = {key: completion.text for key, completion in first.items()}
    assert {key: completion.text for key, completion in again.items()} == texts
    assert len(list(entries(tmp_path / "resumed"))) == 12


def test_a_prompt_for_an_unknown_teacher_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HornbookError, match="asks for the teacher 'nobody'"):
        ask_all([prompt(0, asked="nobody")], tmp_path, [ComposerTable(name="mock")])


def test_a_judge_asks_about_any_record(tmp_path: Path) -> None:
    from pipeline.core.records import Passage

    documents = [Passage(text=f"text {n}") for n in range(6)]
    with serving() as server:
        judge = teacher.build(table(server.url), execution(), 0)
        asked = [(document, (Message("user", "Grade " + document.text),)) for document in documents]
        results = dict(teacher.ask(asked, judge, journal=tmp_path, execution=execution()))
        assert {document.text: answer.text for document, answer in results.items()} == {  # type: ignore[union-attr, attr-defined]
            f"text {n}": f"answer to Grade text {n}" for n in range(6)
        }
        assert len(dict(teacher.ask(asked, judge, journal=tmp_path, execution=execution()))) == 6
    assert len(server.requests) == 6


def test_an_endpoint_can_be_evaluated_over_plain_completions(tmp_path: Path) -> None:
    from pipeline.core.records import Passage

    def answer(body: Body) -> Reply:
        return Reply(body={"choices": [{"index": 0, "text": body["prompt"] + "!", "finish_reason": "length"}]})

    problem = Passage(text="def f():")
    with serving(answer) as server:
        asked = teacher.evaluation_teacher(server.url, "m", execution=execution(), api="completions", max_tokens=9)
        ((record, result),) = teacher.ask(
            [(problem, (Message("user", problem.text),))], asked, journal=tmp_path, execution=execution()
        )
    assert record == problem
    assert isinstance(result, teacher.Answer)
    assert (result.text, result.finish_reason) == ("def f():!", "length")
    assert server.paths == ["/v1/completions"]
    assert server.requests == [{"model": "m", "prompt": "def f():", "max_tokens": 9, "temperature": 0.0}]


def test_importing_the_teacher_imports_nothing_heavy() -> None:
    code = (
        "import sys, pipeline.teacher; print(sorted({'torch', 'aiohttp', 'openai', 'transformers'} & set(sys.modules)))"
    )
    root = str(Path(__file__).resolve().parents[2])
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True).stdout
    assert out.strip() == "[]"
