import pickle
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import HornbookError, InputError
from pipeline.core.records import Completion, Document, Passage, Prompt
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.recipe import QualityTable
from pipeline.stages.quality import classifier
from pipeline.stages.quality.classifier import FILE, GOOD, ValueModel, dividing_value, fit, sampled
from pipeline.stages.quality.evaluating import agreement, hanley_mcneil
from pipeline.stages.quality.forest import Forest
from pipeline.stages.quality.judge import Annotation, annotator, questions
from pipeline.stages.quality.stage import Quality
from pipeline.stages.quality.valuing import Valuation


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is learnt here is plain: a tenth of the trees tell it, too."""
    monkeypatch.setattr(classifier, "TREES", 20)


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


def judge(documents: Sequence[Document]) -> list[Annotation]:
    return [
        Annotation(None, "no-grade") if "f7(" in d.text else Annotation(8.0 if "Explains" in d.text else 2.0)
        for d in documents
    ]


def embed(texts: Sequence[str]) -> np.ndarray:
    return np.array([[len(t), t.count('"'), t.count("x")] for t in texts], dtype=np.float32)


def graded(*values: float | None) -> list[Annotation]:
    return [Annotation(v, "" if v is not None else "truncated") for v in values]


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


def test_a_threshold_by_value_keeps_what_reaches_it() -> None:
    found: list[Valuation] = []
    table = QualityTable(classifier=True, annotate=60, min_value=0.9)
    outcomes = list(Quality(table, judge, embed, found=found.append)(corpus(200)))
    values = found[0].values
    for one in outcomes:
        assert (values[one.record.id] >= 0.9) == isinstance(one, Kept)
    assert found[0].limit == 0.9
    best = found[0].facts().best or ()
    assert best[0]["value"] >= best[9]["value"] > 0.9
    assert sum(found[0].facts().values or ()) == 200


def test_an_annotated_document_is_valued_by_a_forest_that_did_not_see_it() -> None:
    found: list[Valuation] = []
    documents = corpus(100)
    noise = {d.id: Annotation(float(i * 7919 % 11)) for i, d in enumerate(documents)}
    table = QualityTable(classifier=True, annotate=100, repeats=0)
    list(Quality(table, lambda ds: [noise[d.id] for d in ds], embed, found=found.append)(documents))
    model, values = found[0].model, found[0].values
    assert model is not None
    assert values == dict(model.held_out)
    ordered = sorted(documents, key=lambda d: d.id)
    seen = model.values(embed([d.text for d in ordered]))
    assert not np.allclose(seen, [values[d.id] for d in ordered])
    assert model.report.auc < 0.7


def test_the_report_counts_what_could_not_be_used_and_the_judges_agreement() -> None:
    calls: list[int] = []

    def wavering(documents: Sequence[Document]) -> list[Annotation]:
        calls.append(len(documents))
        found, seen = [], set[str]()
        for document, answer in zip(documents, judge(documents), strict=True):
            again = document.id in seen
            found.append(Annotation(9.0) if again and answer.value == 8 else answer)
            seen.add(document.id)
        return found

    model = fit(corpus(120), wavering, embed, sample=120, seed=3, repeats=20)
    report = model.report
    assert calls == [140]
    assert (report.annotated, dict(report.unusable)) == (119, {"no-grade": 1})
    assert dict(report.grades) == {"2": 60, "8": 59}
    assert report.auc > 0.95
    assert report.brier < report.brier_base
    assert report.threshold == GOOD
    assert report.repeats is not None
    assert report.repeats.pairs in (19, 20)
    assert report.repeats.kappa == 1.0
    assert 0 < report.repeats.equal < 1
    assert sum(b.count for b in report.calibration) == report.annotated
    assert report.roc[0] == (0.0, 0.0)
    assert report.roc[-1] == (1.0, 1.0)


def test_agreement_is_cohens_kappa() -> None:
    same = agreement([(8, 8), (2, 3), (9, 1), (None, 4), (1, 9)], GOOD)
    assert same is not None
    assert (same.pairs, same.equal, same.same_side) == (4, 0.25, 0.5)
    assert same.kappa == 0.0
    one_sided = agreement([(8, 9), (7, 7)], GOOD)
    assert one_sided is not None
    assert one_sided.kappa is None
    assert agreement([(None, 3)], GOOD) is None


def test_a_saved_model_gives_the_same_values_and_runs_no_code(tmp_path: Path) -> None:
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(150, 6)).astype(np.float32), rng.random(150) < 0.5
    fitted = RandomForestClassifier(20, min_samples_leaf=2, class_weight="balanced", random_state=1).fit(x, y)
    forest = Forest.of(fitted)
    more = rng.normal(size=(60, 6)).astype(np.float32)
    assert np.allclose(forest.probabilities(more), fitted.predict_proba(more)[:, 1], atol=1e-12)
    assert forest.probabilities(more[:0]).shape == (0,)

    model = fit(corpus(120), judge, embed, sample=80, repeats=10, about={"embedding": {"name": "toy"}})
    model.save(tmp_path)
    again = ValueModel.load(tmp_path)
    vectors = embed([d.text for d in corpus(10)])
    assert (again.values(vectors) == model.values(vectors)).all()
    assert again.report == model.report
    assert again.about == {"embedding": {"name": "toy"}}
    with pytest.raises(HornbookError, match=r"2 features, the value model was trained on 3"):
        again.values(vectors[:, :2])


@pytest.mark.parametrize("damage", ["empty", "pickle", "cut", "loop"])
def test_a_damaged_model_is_an_error_that_names_the_file(tmp_path: Path, damage: str) -> None:
    fit(corpus(120), judge, embed, sample=80).save(tmp_path)
    file = tmp_path / FILE
    if damage == "empty":
        file.write_bytes(b"")
    elif damage == "pickle":
        file.write_bytes(b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00.")
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-40])
    else:
        forest, about = Forest.load(file)
        forest.left[0] = 0
        forest.save(file, about)
    with pytest.raises(InputError, match=r"forest\.safetensors is not a value model"):
        ValueModel.load(tmp_path)


def test_a_model_that_is_not_there_or_reads_another_embedding_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"quality\.model = .*: no forest\.safetensors there"):
        ValueModel.load(tmp_path / "nowhere")
    fit(corpus(120), judge, embed, sample=80, about={"embedding": {"digest": "a"}}).save(tmp_path)
    table = QualityTable(classifier=True, model=str(tmp_path))
    with pytest.raises(
        HornbookError, match=r"trained on the embedding model \(digest a\), this run has model \(digest b\)"
    ):
        list(Quality(table, embed=embed, about={"embedding": {"digest": "b"}})(corpus(60)))
    kept = Quality(table, embed=embed, about={"embedding": {"digest": "a"}})(corpus(60))
    assert Counter(type(o) for o in kept) == {Kept: 30, Dropped: 30}


def test_a_judge_without_opinion_is_an_error_and_not_a_filter() -> None:
    with pytest.raises(HornbookError, match="gave all 40 documents the value 3: there is nothing to learn"):
        fit(corpus(60), lambda ds: graded(*[3.0] * len(ds)), embed, sample=40)
    with pytest.raises(HornbookError, match=r"0 of 40 annotations are usable, 20 are needed \(truncated 40\)"):
        fit(corpus(60), lambda ds: graded(*[None] * len(ds)), embed, sample=40)
    with pytest.raises(HornbookError, match=r"10 of 10 annotations are usable, 20 are needed\n  make a larger corpus"):
        fit(corpus(10), lambda ds: graded(*[3.0] * len(ds)), embed, sample=40)
    with pytest.raises(HornbookError, match=r"raise quality\.annotate from 12"):
        fit(corpus(60), lambda ds: graded(*[3.0] * len(ds)), embed, sample=12)
    with pytest.raises(HornbookError, match="put 2 documents at or above 7 and 38 below: 5 on either side are needed"):
        fit(corpus(60), lambda ds: graded(*[7.0] * 2, *[3.0] * (len(ds) - 2)), embed, sample=40)
    with pytest.raises(HornbookError, match="needs a judge"):
        list(Quality(QualityTable(classifier=True), embed=embed)(corpus(60)))
    with pytest.raises(HornbookError, match="need an embedding"):
        list(Quality(QualityTable(classifier=True))(corpus(60)))


def test_the_sample_depends_on_ids_and_seed_only() -> None:
    documents = corpus(50)
    assert sampled(documents, 10, 1) == sampled(documents[::-1], 10, 1)
    assert sampled(documents, 10, 1) != sampled(documents, 10, 2)
    assert dividing_value(np.array([1.0, 1.0, 1.0, 1.0, 2.0, 3.0])) == 2.0


def answering(text):  # type: ignore[no-untyped-def]
    """A completions stage that answers with `text(place)`, and says how many it answered."""
    served: list[str] = []

    def complete(prompts):  # type: ignore[no-untyped-def]
        for place, prompt in enumerate(prompts):
            served.append(text(place))
            yield Kept(
                Completion(
                    prompt_id=prompt.id,
                    seed=prompt.seed,
                    teacher="t",
                    teacher_kind="openai",
                    model="m",
                    text=served[-1],
                    finish_reason="stop",
                )
            )

    return complete, served


def test_a_judge_of_no_use_is_stopped_before_all_of_it_is_paid_for() -> None:
    complete, served = answering(lambda _: "What a\nlovely text!")
    with pytest.raises(HornbookError, match=r"none of the judge's first 50 answers is usable \(no-grade 50\)") as error:
        annotator(complete, "t")(corpus(400))
    assert "was not asked for the other 350; for one it said 'What a lovely text!'" in error.value.message
    assert len(served) == 50
    complete, served = answering(lambda _: "Grade: 7")
    with pytest.raises(HornbookError, match=r"gave its first 200 documents the same grade, 7; .* the other 200"):
        annotator(complete, "t")(corpus(400))
    assert len(served) == 200
    complete, served = answering(lambda place: f"Grade: {3 + (place == 199)}")
    assert len(annotator(complete, "t")(corpus(400))) == len(served) == 400
    complete, served = answering(lambda _: "Lovely!")
    with pytest.raises(HornbookError, match=r"0 of 40 annotations are usable.*; for one it said 'Lovely!'"):
        fit(corpus(60), annotator(complete, "t"), embed, sample=40)


def test_what_makes_the_values_doubtful_is_said() -> None:
    rng = np.random.default_rng(1)

    def guessing(documents: Sequence[Document]) -> list[Annotation]:
        return [
            Annotation(float(rng.integers(0, 11))) if rng.random() < 0.7 else Annotation(None, "no-grade")
            for _ in documents
        ]

    report = fit(corpus(150), guessing, embed, sample=150, repeats=60).report
    text = "\n".join(report.warnings())
    assert (
        f"Only {report.annotated} of the judge's 150 answers hold a grade (no-grade {150 - report.annotated})" in text
    )
    assert "The judge hardly agrees with itself: Cohen's kappa" in text
    assert "The forest does not tell valuable documents from others: area under the ROC" in text
    assert "where 0.5 is chance" in text
    good = fit(corpus(120), judge, embed, sample=120, repeats=20).report
    assert good.warnings() == []
    one_sided = replace(good, repeats=agreement([(8, 9), (7, 7)], GOOD))
    assert one_sided.warnings() == [
        "Of all 2 documents graded twice, both grades are on one side of 5: the judge's agreement with itself could "
        "not be measured. Raise quality.repeats."
    ]


def test_the_interval_of_an_area_is_hanley_and_mcneils() -> None:
    low, high = hanley_mcneil(0.8, 50, 50)
    # (0.16 + 49 (0.8 / 1.2 - 0.64) + 49 (1.28 / 1.8 - 0.64)) / 2500 = 0.00198044, whose root times 1.96 is 0.0872.
    assert (round(low, 4), round(high, 4)) == (0.7128, 0.8872)
    assert hanley_mcneil(0.9, 0, 10) == (0.0, 1.0)
    assert hanley_mcneil(1.0, 30, 30) == (1.0, 1.0)


def test_values_are_as_high_as_valuable_documents_are_frequent() -> None:
    rng = np.random.default_rng(3)
    documents = corpus(600)
    vectors = {d.text: rng.normal(size=4).astype(np.float32) for d in documents}
    rare = {d.id: float(9 if vectors[d.text][0] + rng.normal() > 1.2 else 1) for d in documents}
    model = fit(
        documents,
        lambda ds: graded(*[rare[d.id] for d in ds]),
        lambda ts: np.stack([vectors[t] for t in ts]),
        sample=600,
    )
    predicted = np.array(list(model.held_out.values()))
    assert 0.15 < model.report.positive_share < 0.25
    assert abs(predicted.mean() - model.report.positive_share) < 0.02
    assert model.report.brier < model.report.brier_base


def test_the_annotator_asks_the_teacher_and_tells_silence_from_nonsense() -> None:
    documents = corpus(4)
    asked: list[Prompt] = []
    texts = {documents[0].id: "Fine.\nGrade: 0", documents[1].id: "Lovely!", documents[3].id: "Grade: {}"}

    def complete(prompts):  # type: ignore[no-untyped-def]
        """Answers come in reverse, and the second sample of the last document differs."""
        counted = list(enumerate(prompts))
        for place, prompt in reversed(counted):
            asked.append(prompt)
            if prompt.seed.title == documents[2].id:
                yield Dropped(prompt, "failed", "timeout")
                continue
            number = 1 if place == 4 else 0
            yield Kept(
                Completion(
                    prompt_id=prompt.id,
                    seed=prompt.seed,
                    teacher="t",
                    teacher_kind="openai",
                    model="m",
                    text=texts[prompt.seed.title].format(3 + number),
                    finish_reason="stop",
                    number=number,
                )
            )

    found = annotator(complete, "t")([*documents, documents[3]])
    assert [(a.value, a.problem) for a in found] == [
        (0.0, ""),
        (None, "no-grade"),
        (None, "failed"),
        (3.0, ""),
        (4.0, ""),
    ]
    assert all(p.seed.teacher == "t" and len(p.messages) == 2 for p in asked)
    assert documents[0].text in questions(documents, "t")[0].messages[1].content
    assert questions(documents, "t")[2].id == questions(documents[2:], "t")[0].id


class Nodes:
    """As a cluster: what goes there and what comes back is pickled."""

    parallel = True
    far = True
    cpu_seconds = 0.0
    blocks = 0

    def map(self, work, blocks):  # type: ignore[no-untyped-def]
        there = pickle.loads(pickle.dumps(work))
        for block in blocks:
            self.blocks += 1
            yield pickle.loads(pickle.dumps(there(pickle.loads(pickle.dumps(block)))))


def test_the_forest_gives_the_same_values_on_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.stages.quality.valuing.VALUED", 64)
    table = QualityTable(classifier=True, annotate=60, keep_quantile=0.5, flatten=0.8)
    where, told = Nodes(), []
    near = list(Quality(table, judge, embed, found=told.append)(corpus(200)))
    far = list(Quality(table, judge, embed, found=told.append, executor=where)(corpus(200)))
    assert far == near
    assert told[0].values == told[1].values
    assert told[0].facts() == told[1].facts()
    assert where.blocks == 4
