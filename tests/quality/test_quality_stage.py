import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import HornbookError
from pipeline.quality import Quality, heuristics, secrets
from pipeline.quality.classifier import GOOD, ValueModel, dividing_value, fit, sampled
from pipeline.quality.diversity import distinct_ngrams, evenness, flattened, measure, vendi_score
from pipeline.quality.judge import annotator, grade, questions
from pipeline.recipe import QualityTable
from pipeline.records import Completion, Document, Exercise, Passage, Prompt
from pipeline.stage import Dropped, Kept, Tally, checked

GOOD_TEXT = (
    'def mean(values):\n    """Arithmetic mean, 0 for none."""\n    return sum(values) / len(values) if values else 0\n'
)


def outcome(text: str, **settings: object) -> Kept[Document] | Dropped:
    tally = Tally()
    (one,) = checked(Quality(QualityTable(**settings)), [Passage(text=text)], tally)  # type: ignore[arg-type]
    return one


def reason(text: str, **settings: object) -> str:
    one = outcome(text, **settings)
    return one.reason if isinstance(one, Dropped) else ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD_TEXT, ""),
        ("x = 1\n", "too-short"),
        ("", "too-short"),
        ("print('same line again')\n" * 9 + "x = 2\n", "repeated"),
        ("the same words over and over " * 200, "repeated"),
        ("# ---- ==== ++++ **** //// ---- ==== ++++\n!!!! $$$$ %%%%", "low-value"),
        (f"DATA = '{''.join(random.Random(0).choices('abcdefghijklmnop', k=3_000))}'\n", "low-value"),
        ("Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do.", "low-value"),
        ("  }\n" * 30 + GOOD_TEXT, ""),
        ("漢字かな交じり文は空白を使わないが、" * 3 + "読む価値がある文章である。それは長い文でも同じことである。", ""),
    ],
)
def test_each_heuristic_has_its_reason(text: str, expected: str) -> None:
    assert reason(text) == expected


def test_details_show_both_numbers() -> None:
    for text in ("x", "print('same line again')\n" * 9, "!!!! ???? ---- ++++ ==== //// **** .... ,,,,"):
        one = outcome(text)
        assert isinstance(one, Dropped)
        assert sum(any(c.isdigit() for c in part) for part in one.detail.replace(">", "<").split("<")) == 2


def test_blank_and_bracket_lines_are_no_repeats() -> None:
    assert heuristics.repeated_line_fraction("a\n\n\n\n)\n)\n)\nb\n") == 0.0
    assert heuristics.repeated_line_fraction("a\na\na\na\n") == 0.5
    assert heuristics.repeated_line_fraction("a\nb\na\nc\na\nd\n") == 0.0
    assert heuristics.repeated_line_fraction("") == 0.0


def fake(prefix: str, length: int, alphabet: str = "QRSTUVWXYZGHJKLMNP") -> str:
    """A string in the form of a key that is nobody's, put together here so that no scanner takes it for one."""
    return prefix + "".join(random.Random(7).choices(alphabet, k=length))


SECRETS = {
    "AWS access key": fake("AK" + "IA", 16),
    "GitHub token": fake("gh" + "p_", 36),
    "Slack token": "xo" + "xb-4821093847-" + fake("", 20),
    "Hugging Face token": fake("h" + "f_", 34),
    "Google API key": fake("AI" + "za", 35),
    "JSON web token": fake("ey" + "J", 20) + "." + fake("ey" + "J", 20) + "." + fake("", 30),
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + fake("", 90) + "\n-----END RSA PRIVATE KEY-----",
    "password in a URL": "postgres://" + "admin:hunter22@db.somewhere.io/x",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_keys_are_found_and_never_shown(kind: str) -> None:
    text = f"{GOOD_TEXT}KEY = '{SECRETS[kind]}'\n"
    one = outcome(text)
    assert isinstance(one, Dropped)
    assert (one.reason, one.detail.split(" at ")[0]) == ("secret", kind)
    assert SECRETS[kind][5:] not in one.detail
    assert reason(text, secrets="off") == ""
    masked = outcome(text, secrets="mask")
    assert isinstance(masked, Kept)
    assert SECRETS[kind][8:] not in masked.record.text
    assert masked.record.text.startswith(GOOD_TEXT)
    assert masked.record.id != Passage(text=text).id


@pytest.mark.parametrize(
    "harmless",
    [
        "getUserAccountSettingsFromLocalStorage",
        "AKIAIOSFODNN7EXAMPLE",
        "d41d8cd98f00b204e9800998ecf8427e",
        "https://user:password@example.com/",
        "postgres://{user}:{password}@{host}/db",
        "sk-your-key-here",
        "-----BEGIN " + "PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "password = 'secret'",
        "hf_hub_download",
    ],
)
def test_camel_case_hashes_and_placeholders_are_no_secrets(harmless: str) -> None:
    assert reason(f"{GOOD_TEXT}# {harmless}\n") == ""


def test_personal_data_is_a_setting_of_its_own() -> None:
    text = GOOD_TEXT + "# written by jane.doe@somewhere.org, served from 93.184.216.34 and 10.0.0.1, version 1.2.3.4\n"
    assert reason(text) == ""
    assert reason(text, personal_data="drop") == "secret"
    masked = outcome(text, personal_data="mask")
    assert isinstance(masked, Kept)
    assert "<EMAIL>, served from <IP> and 10.0.0.1, version 1.2.3.4" in masked.record.text
    assert not list(secrets.personal("user@example.com root@localhost git@github.com a@b no-reply@somewhere.org"))


def test_masking_an_exercise_keeps_its_parts() -> None:
    exercise = Exercise(
        prompt='def f():\n    """Ask jane.doe@somewhere.org about this one, please."""\n',
        solution="    return 'joe@elsewhere.net'\n",
        entry_point="f",
        test="assert f()",
        test_owner="seed",
    )
    (one,) = Quality(QualityTable(personal_data="mask"))([exercise])
    assert isinstance(one, Kept)
    assert isinstance(one.record, Exercise)
    assert one.record.solution == "    return '<EMAIL>'\n"
    assert "<EMAIL>" in one.record.prompt
    assert one.record.test == exercise.test


def corpus(count: int) -> list[Document]:
    """Half of the documents have a docstring; the judge below likes those."""
    return [
        Passage(
            text=f"def f{i}(x):\n"
            + ('    """Explains."""\n' if i % 2 else "")
            + f"    return [x] * {i} + list(range({i}))\n"
        )
        for i in range(count)
    ]


def judge(documents: Sequence[Document]) -> list[float | None]:
    return [None if "f7(" in d.text else 8.0 if "Explains" in d.text else 2.0 for d in documents]


def embed(texts: Sequence[str]) -> np.ndarray:
    return np.array([[len(t), t.count('"'), t.count("x")] for t in texts], dtype=np.float32)


def test_the_classifier_learns_the_judge_and_drops_the_lower_part() -> None:
    table = QualityTable(classifier=True, annotate=60, keep_quantile=0.5)
    documents = corpus(200)
    tally = Tally()
    outcomes = list(checked(Quality(table, judge, embed), documents, tally))
    assert tally.dropped == Counter({"low-value": 100})
    kept = [o.record for o in outcomes if isinstance(o, Kept)]
    assert all("Explains" in d.text for d in kept)  # type: ignore[union-attr]
    reordered = list(Quality(table, judge, embed)(documents[::-1]))
    assert {o.record.id for o in reordered if isinstance(o, Kept)} == {d.id for d in kept}


def test_the_classifiers_report_and_reuse(tmp_path: Path) -> None:
    model = fit(corpus(120), judge, embed, sample=80, seed=3, repeats=10)
    report = model.report
    assert report.auc > 0.95
    assert report.threshold == GOOD
    assert report.agreement == 1.0
    assert sum(b.count for b in report.calibration) == report.annotated
    assert report.roc[0] == (0.0, 0.0)
    assert report.roc[-1] == (1.0, 1.0)
    model.save(tmp_path)
    again = ValueModel.load(tmp_path)
    vectors = embed([d.text for d in corpus(10)])
    assert (again.values(vectors) == model.values(vectors)).all()
    assert again.report == report
    with pytest.raises(HornbookError, match="2 features"):
        again.values(vectors[:, :2])


def test_a_judge_without_opinion_is_an_error_and_not_a_filter() -> None:
    with pytest.raises(HornbookError, match="nothing to learn"):
        fit(corpus(60), lambda ds: [3.0] * len(ds), embed, sample=40)
    with pytest.raises(HornbookError, match="0 of 40 annotations are usable"):
        fit(corpus(60), lambda ds: [None] * len(ds), embed, sample=40)
    with pytest.raises(HornbookError, match="needs a judge"):
        list(Quality(QualityTable(classifier=True))(corpus(60)))


def test_the_sample_depends_on_ids_and_seed_only() -> None:
    documents = corpus(50)
    assert sampled(documents, 10, 1) == sampled(documents[::-1], 10, 1)
    assert sampled(documents, 10, 1) != sampled(documents, 10, 2)
    assert dividing_value(np.array([1.0, 1.0, 1.0, 1.0, 2.0, 3.0])) == 2.0


def test_grades_are_read_from_their_own_line() -> None:
    assert grade("It teaches loops.\nGrade: 7") == 7
    assert grade("**Grade: 8/10**\n") == 8
    assert grade("grade: 3.5") == 3.5
    assert grade("Grade: 11") is grade("I would give it a Grade: 9 perhaps") is grade("") is None


def test_the_annotator_asks_the_teacher_and_survives_its_silence() -> None:
    documents = corpus(4)
    asked: list[Prompt] = []

    def complete(prompts):  # type: ignore[no-untyped-def]
        for prompt in reversed(list(prompts)):
            asked.append(prompt)
            if prompt.seed.number == 2:
                yield Dropped(prompt, "failed", "timeout")
            else:
                yield Kept(
                    Completion(
                        prompt_id=prompt.id,
                        seed=prompt.seed,
                        teacher="t",
                        teacher_kind="openai",
                        model="m",
                        text=f"Fine.\nGrade: {prompt.seed.number}",
                        finish_reason="stop",
                    )
                )

    assert annotator(complete, "t")(documents) == [0.0, 1.0, None, 3.0]
    assert all(p.seed.teacher == "t" and len(p.messages) == 2 for p in asked)
    assert documents[0].text in questions(documents, "t")[0].messages[1].content


def test_diversity_measures_have_the_stated_ends() -> None:
    same, different = np.ones((5, 8)), np.eye(8)[:5]
    assert vendi_score(same) == pytest.approx(1.0)
    assert vendi_score(different) == pytest.approx(5.0)
    assert vendi_score(np.repeat(np.eye(3), 40, axis=0)) == pytest.approx(3.0)
    assert evenness(Counter(a=5, b=5)) == pytest.approx(1.0)
    assert evenness(Counter(a=1000, b=1)) < 0.02
    assert distinct_ngrams(["one two three four five six"] * 4) == 0.25
    assert distinct_ngrams([]) == 1.0
    found = measure([Passage(text="one two three four five", topic=t) for t in ("a", "b")], np.eye(2))
    assert (found.topics, found.vendi) == (2, pytest.approx(2.0))


def test_flattening_takes_most_from_the_crowded_cluster() -> None:
    documents = corpus(60)
    embeddings = np.zeros((60, 3))
    embeddings[:50, 0], embeddings[50:55, 1], embeddings[55:, 2] = 1, 1, 1
    taken = flattened(documents, embeddings, 15, clusters=3)
    places = [documents.index(d) for d in taken]
    assert Counter(0 if p < 50 else 1 if p < 55 else 2 for p in places) == {0: 5, 1: 5, 2: 5}
    assert flattened(documents, embeddings, 100) == documents


def test_hidden_states_do_not_depend_on_the_batch() -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from pipeline.quality.embedding import hidden_states

    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=300, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    model = transformers.LlamaForCausalLM(config).eval()

    def tokenizer(text: str, truncation: bool, max_length: int) -> dict[str, list[int]]:
        return {"input_ids": list(text.encode())[:max_length]}

    embed_texts = hidden_states(model, tokenizer, max_tokens=32)
    together = embed_texts(["short", "a longer text than the other", "", "x" * 100])
    assert together.shape == (4, 16)
    assert np.allclose(together[0], embed_texts(["short"])[0], atol=1e-5)
    assert not together[2].any()
    assert embed_texts([]).shape == (0, 16)
