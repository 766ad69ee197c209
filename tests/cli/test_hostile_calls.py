"""Hostile names, paths and URLs in every place of the command line: nothing outside the data folder, no traceback."""

import json
import os
import shutil

import pytest
from hostile import FOLDERS, TEXTS, NothingRuns, check, place
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.recipe_settings import tables


@pytest.fixture
def somewhere(tmp_path, monkeypatch):
    found = place(tmp_path)
    monkeypatch.chdir(found.here)
    for name in [name for name in os.environ if name.startswith(("HORNBOOK_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HORNBOOK_DATA", str(found.data))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return found


CALLS = [
    ["run", "good.toml", "--until", "seeds", "--name", "{}"],
    ["run", "good.toml", "--until", "seeds", "name={}"],
    ["run", "good.toml", "--until", "seeds", "teachers.0.name={}"],
    ["run", "good.toml", "--until", "{}"],
    ["run", "good.toml", "--until", "seeds", "--fresh", "{}"],
    ["run", "good.toml", "--until", "seeds", "--sandbox", "{}"],
    ["run", "{}", "--until", "seeds", "seeds.exercises=1"],
    ["plan", "{}", "seeds.exercises=1"],
    ["plan", "good.toml", "{}"],
    ["plan", "good.toml", "domain={}"],
    ["plan", "good.toml", "student.init={}"],
    ["plan", "good.toml", "tokens.tokenizer={}"],
    ["plan", "good.toml", "teachers.0.kind=replay", "teachers.0.replay={}"],
    ["plan", "good.toml", "teachers.0.kind=local", "teachers.0.model={}"],
    ["plan", "good.toml", "teachers.0.kind=openai", "teachers.0.model=m", "teachers.0.base_url={}"],
    ["plan", "good.toml", 'evaluation.benchmarks=["{}"]'],
    ["plan", "good.toml", "execution.device={}"],
    ["plan", "good.toml", "--name", "{}"],
    ["status", "{}"],
    ["show", "{}", "seeds"],
    ["show", "LATEST", "{}"],
    ["show", "LATEST", "seeds", "--dropped", "{}"],
    ["trace", "LATEST", "{}"],
    ["trace", "{}", "x"],
    ["diff", "{}", "LATEST"],
    ["diff", "LATEST", "{}"],
    ["report", "{}"],
    ["runs", "rm", "--yes", "--", "{}"],
    ["models", "rm", "{}"],
    ["recipes", "copy", "{}", "copied.toml"],
    ["domain", "check", "{}"],
    ["domain", "new", "copied", "--from", "{}"],
    ["prompts", "preview", "{}"],
    ["prompts", "preview", "good.toml", "--kind", "{}"],
    ["settings", "{}"],
    ["clean", "{}", "--to", "out"],
    ["clean", "rows.jsonl", "--report-only", "--benchmark", "{}"],
    ["clean", "rows.jsonl", "--report-only", "--field", "{}"],
    ["clean", "rows.jsonl", "--report-only", "{}"],
    ["{}"],
    ["run", "{}", "--help"],
]


EVALUATE = ["evaluate", "model", "--benchmark", "composed", "--limit", "1", "--max-new-tokens", "2"]
SCORE = ["score", "samples.jsonl", "--benchmark", "composed"]
SCORING = [
    ["score", "{}", "--benchmark", "composed"],
    ["score", "rows.jsonl", "--benchmark", "{}"],
    [*SCORE, "-k", "{}"],
    [*SCORE, "--packages", "{}"],
    [*SCORE, "--sandbox", "{}"],
    [*SCORE, "--cpu-seconds", "{}"],
    [*SCORE, "{}"],
    ["evaluate", "{}", "--benchmark", "composed", "--limit", "1"],
    ["evaluate", "model", "--benchmark", "{}", "--limit", "1", "--max-new-tokens", "2"],
    *(
        [*EVALUATE, option, "{}"]
        for option in (
            "-k",
            "--limit",
            "--temperature",
            "--prompt-form",
            "--stop",
            "--post-processing",
            "--reference",
            "--corpus",
            "--teacher",
            "--teacher-form",
            "--judge",
            "--device",
            "--threads",
            "--seed",
        )
    ),
    [*EVALUATE, "--judge", "http://127.0.0.1:1/v1", "--judge-model", "m", "--judge-key-env", "{}"],
    [
        "evaluate",
        "http://127.0.0.1:1/v1",
        "--benchmark",
        "composed",
        "--limit",
        "1",
        "--model",
        "m",
        "--api-key-env",
        "{}",
    ],
    [*EVALUATE, "{}"],
]
"""Calls that score; no program is run."""


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    """A folder with a model that answers at once, in nonsense."""
    from models_made import folder

    return folder("gpt2", tmp_path_factory.mktemp("models"))


@pytest.fixture
def scoring(somewhere, tiny_model, monkeypatch):
    """A place with the model in it, where no program is run."""
    shutil.copytree(tiny_model, somewhere.here / "model")
    monkeypatch.setattr("pipeline.sandbox.Sandbox", NothingRuns)
    return somewhere


def hostile(words, texts, somewhere):
    check(["run", "good.toml", "--until", "seeds", "--name", "a-run"])
    before = somewhere.outside()
    for text in texts:
        text = text.format(mark=somewhere.mark) if "{mark}" in text else text
        arguments = [word.replace("{}", text) for word in words]
        if arguments[0] == "run" and text in ("", "tiny", "phi-1", "completions") and "name" not in words[-1]:
            continue  # a recipe that is shipped, an option that is as if it were not given, a stage: nothing hostile
        check(arguments if "--" in arguments else [*arguments, "--json"])
        (somewhere.here / "copied.toml").unlink(missing_ok=True)
    assert somewhere.outside() == before
    assert somewhere.strays() == []


@pytest.mark.parametrize(("number", "words"), list(enumerate(CALLS)))
def test_a_hostile_word_writes_nothing_outside_the_data_folder(number, words, somewhere):
    """A sixth of the words in each place, another one in the next."""
    hostile(words, TEXTS[number % 6 :: 6], somewhere)


@pytest.mark.parametrize(("number", "words"), list(enumerate(SCORING)))
def test_a_hostile_word_to_a_verb_that_scores_writes_nothing_outside_the_data_folder(number, words, scoring):
    """A sixth of the words in each place, another one in the next."""
    hostile(words, TEXTS[number % 6 :: 6], scoring)


@pytest.mark.slow
@pytest.mark.parametrize("words", [*CALLS, *SCORING], ids=" ".join)
def test_every_hostile_word_writes_nothing_outside_the_data_folder(words, scoring):
    hostile(words, TEXTS, scoring)


@pytest.mark.parametrize(
    "words",
    [
        ["run", "good.toml", "--until", "seeds", "--data"],
        ["plan", "good.toml", "--data"],
        ["status", "--data"],
        ["report", "--data"],
        ["runs", "--data"],
        ["store", "gc", "--data"],
        ["models", "ls", "--data"],
        ["clean", "rows.jsonl", "--to"],
        ["clean", "rows.jsonl", "--report-only", "--index"],
        ["recipes", "copy", "tiny"],
    ],
    ids=" ".join,
)
def test_a_place_that_can_be_none_is_one_line(words, somewhere):
    before = somewhere.outside()
    for folder in FOLDERS:
        if words[-1] != "--data" and ("://" in folder or folder in ("data", "~nobody-of-that-name")):
            continue  # a relative path like any other
        ended = check([*words, folder, "--json"])
        if folder.startswith(("/proc", "/sys", "/dev", "file", "nosuch", "s3")) and "run" in words:
            assert ended.code in (1, 2)
            message = json.loads(ended.out)["error"]["message"]
            assert "\n" not in message
    assert somewhere.outside() == before


@pytest.mark.parametrize("file", ["file/x", "folder", "fifo", "/proc/x", "/sys/x", "x" * 5000, "x" * 250, ".", ""])
def test_a_file_for_samples_that_can_be_none_is_said_before_a_model_is_loaded(file, scoring, monkeypatch):
    monkeypatch.setattr("pipeline.stages.samples.opening.open_model", None)
    before = scoring.outside()
    ended = check([*EVALUATE, "--save", file, "--json"])
    assert ended.code == 2
    assert json.loads(ended.out)["error"]["kind"] in ("InputError", "UsageError")
    assert scoring.outside() == before


def test_a_link_in_the_data_folder_does_not_lead_a_run_out(somewhere):
    (somewhere.root / "elsewhere").mkdir()
    (somewhere.data / "runs").mkdir(parents=True)
    (somewhere.data / "runs" / "mine").symlink_to(somewhere.root / "elsewhere")
    before = somewhere.outside()
    ended = check(["run", "good.toml", "--until", "seeds", "--name", "mine", "--json"])
    assert ended.code == 1
    assert "is a link to" in json.loads(ended.out)["error"]["message"]
    assert somewhere.outside() == before


KEYS = [setting.key.replace(".N", ".0") for table in tables() for setting in table.settings]
NUMBERS = st.sampled_from(["0", "1", "3", "-1", "1.5", "true", "nan", "1e400", "[]", "[1]", "{}", "{a=1}", '""', "x"])
"""Small ones: a large corpus would be made."""
# An argument is text that the system's encoding has: no null, and of surrogates only those that stand for a byte.
WORDS = st.one_of(
    st.sampled_from([text for text in TEXTS if "{mark}" not in text]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
    NUMBERS,
)
OVERRIDES = st.one_of(
    st.tuples(st.sampled_from(KEYS), NUMBERS).map("=".join),
    st.tuples(st.sampled_from([key for key in KEYS if not key.startswith("seeds.")]), WORDS).map("=".join),
    WORDS,
)
RECIPES = st.one_of(
    st.sampled_from(["good.toml", "names.toml", "broken.toml", "deep.toml", "latin.toml", "huge.toml", "numbers.toml"]),
    WORDS.filter(lambda word: word not in ("tiny", "phi-1")),
)
RUNS = st.one_of(st.just("LATEST"), st.just("a-run"), WORDS)
VALUED = st.sampled_from(["-n", "--kind", "--dropped", "--until", "--name", "--benchmark", "-k"])
FLAGS = st.sampled_from(["--json", "--json", "--json", "--help", "--yes", "--version", "--report-only", "--nope"])
OPTIONS = st.lists(
    st.one_of(
        FLAGS.map(lambda flag: [flag]),
        st.sampled_from(FOLDERS).map(lambda folder: ["--data", folder]),
        st.tuples(VALUED, WORDS).map(list),
    ),
    max_size=3,
).map(lambda options: [word for option in options for word in option])
SCORING_OPTIONS = st.lists(
    st.tuples(st.sampled_from([words[-2] for words in SCORING if words[-2].startswith("-")]), WORDS), max_size=2
).map(lambda options: [word for option in options for word in option])
CALL = st.one_of(
    st.tuples(st.just(SCORE[:1] + SCORE[2:]), st.just("samples.jsonl") | WORDS, SCORING_OPTIONS),
    st.tuples(st.just(EVALUATE[:1] + EVALUATE[2:]), st.just("model") | WORDS, SCORING_OPTIONS),
    st.tuples(st.just(["plan"]), RECIPES, st.lists(OVERRIDES, max_size=3)),
    st.tuples(st.just(["run", "--until", "seeds"]), RECIPES, st.lists(OVERRIDES, max_size=3)),
    st.tuples(st.sampled_from([["status"], ["report"], ["runs", "rm"]]), RUNS, st.just([])),
    st.tuples(st.sampled_from([["show"], ["trace"], ["diff"]]), RUNS, st.lists(WORDS, max_size=2)),
    st.tuples(st.sampled_from([["settings"], ["domain", "check"], ["models", "rm"]]), WORDS, st.just([])),
    st.tuples(st.just(["prompts", "preview"]), RECIPES, st.lists(OVERRIDES, max_size=2)),
    st.tuples(st.just(["clean", "--to", "out", "--workers", "1"]), WORDS, st.lists(OVERRIDES, max_size=2)),
    st.tuples(st.sampled_from([["runs"], ["store", "gc"], ["recipes"], ["models"]]), st.just("ls"), st.just([])),
    st.tuples(st.just([]), WORDS, st.lists(WORDS, max_size=4)),
)


def once(parts, options):
    verb, word, words = parts
    arguments = [*verb, word, *words, *options]
    if any(word.startswith("--inst") for word in arguments):
        return  # --install-completion writes where the shell looks for it
    if arguments[:1] == ["run"]:
        arguments = [*arguments, "--until", "seeds"]  # the last one counts
    check(arguments)


def fuzzed(somewhere, examples):
    """Calls of all verbs; none leaves anything outside the data folder."""
    check(["run", "good.toml", "--until", "seeds", "--name", "a-run"])
    before = somewhere.outside()
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

    @settings(max_examples=examples, suppress_health_check=checks, database=None)
    @given(CALL, OPTIONS)
    def calls(parts, options):
        once(parts, options)

    calls()
    assert somewhere.outside() == before


def test_a_few_hundred_calls_of_any_kind_end_in_order(scoring):
    fuzzed(scoring, 300)


@pytest.mark.slow
def test_thousands_of_calls_of_any_kind_end_in_order(scoring):
    fuzzed(scoring, 5500)
