"""What stages say in their manifests: plain JSON on disk, a dataclass for who reads it."""

import json

import pytest

from pipeline.core.facts import Facts
from pipeline.stages.completions.facts import CompletionsFacts
from pipeline.stages.decontaminated.facts import DecontaminatedFacts
from pipeline.stages.quality.evaluating import CalibrationBin, ClassifierReport
from pipeline.stages.quality.facts import QualityFacts
from pipeline.stages.samples.facts import SamplesFacts
from pipeline.stages.scores.facts import ScoresFacts
from pipeline.stages.soft_targets.facts import SoftTargetsFacts
from pipeline.stages.student.facts import StudentFacts
from pipeline.stages.tokens.facts import TokensFacts
from pipeline.stages.validated.facts import ValidatedFacts

REPORT = ClassifierReport(
    annotated=40,
    unusable={"no-grade": 1},
    grades={"2": 20, "8": 20},
    threshold=6.0,
    positive_share=0.5,
    folds=5,
    auc=0.9,
    brier=0.1,
    brier_base=0.25,
    roc=((0.0, 0.0), (1.0, 1.0)),
    calibration=(CalibrationBin(0.0, 0.2, 3, 0.1, 0.0),),
    repeats=None,
)
SAID = [
    CompletionsFacts(teachers=[{"name": "composer", "completions": 3}]),
    DecontaminatedFacts(closest={"humaneval": {"digest": "d", "matches": {"HumanEval/0": [0.9, "id"]}}}),
    QualityFacts(classifier=REPORT, limit=0.4, values=[1, 2], judge={"name": "judge"}),
    SamplesFacts("stripped", "smollm2", 90, 12.5),
    ScoresFacts(benchmarks=[{"name": "b", "digest": "d", "problems": 3}], sandbox={"mode": "strong"}),
    ScoresFacts(benchmarks=[], sandbox={}, closest={"b": {"T/0": [0.9, "id"]}}),
    SoftTargetsFacts(rows=3, top_k=8, temperature=1.0, covered=0.99, bytes=12, teacher={"name": "t"}),
    StudentFacts(parameters=3, held_out_loss=0.4, curve=[{"step": 1, "loss": 2.0, "lr": 0.1}]),
    TokensFacts(documents=3, held_out_documents=1, tokens=90, loss_tokens=60, vocabulary=320),
    ValidatedFacts(sandbox={"mode": "strong"}),
]


@pytest.mark.parametrize("said", SAID, ids=lambda said: type(said).__name__)
def test_facts_come_back_from_a_manifest_as_they_were(said: Facts) -> None:
    assert said
    assert type(said).from_json(json.loads(json.dumps(said.to_json()))) == said


def test_facts_are_written_as_they_will_be_read() -> None:
    said = ScoresFacts(benchmarks=(), sandbox={}, closest={"b": {"T/0": (0.9, "id")}})
    assert said.to_json() == json.loads(json.dumps(said.to_json()))


@pytest.mark.parametrize("kind", list(dict.fromkeys(type(said) for said in SAID)), ids=lambda kind: kind.__name__)
def test_what_an_older_manifest_lacks_is_none_and_what_a_newer_one_adds_is_left_out(kind: type[Facts]) -> None:
    assert not kind.from_json({})
    assert kind.from_json({"of a later version": 1}) == kind()


def test_scores_that_were_not_to_be_split_say_nothing_of_the_corpus() -> None:
    assert SAID[4].to_json().keys() == {"benchmarks", "sandbox"}


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (StudentFacts(), ("", "")),
        (StudentFacts(held_out_loss=0.3634), ("held-out loss 0.363", "")),
        (StudentFacts(held_out_loss=0.3, held_out_by_kind={"exercises": {"loss": 0.3}}), ("held-out loss 0.300", "")),
        (
            StudentFacts(held_out_loss=0.4, held_out_by_kind={"exercises": {"loss": 0.3}, "passages": {"loss": 1.9}}),
            ("held-out loss 0.400", "held-out exercises 0.300, passages 1.900"),
        ),
    ],
)
def test_the_held_out_loss_is_told_by_kind_where_there_are_two(said: StudentFacts, text: tuple[str, str]) -> None:
    assert (said.held_out_text(), said.kinds_text()) == text
