"""Every record of a run can be walked back to its seed and forward to its tokens or its drop."""

from pathlib import Path

import pytest
from example_run import Example, change_run

from pipeline.core.errors import InputError
from pipeline.core.records import Exercise
from pipeline.report.browse import trace, trace_text
from pipeline.report.nearest import overlap, token_pairs
from pipeline.report.steps import Step, Trace, chain


def whats(steps: tuple[Step, ...]) -> list[str]:
    return [step.what for root in steps for step in root.walk()]


def find(steps: tuple[Step, ...], what: str) -> list[Step]:
    return [step for root in steps for step in root.walk() if step.what == what]


def walked(example: Example, identifier: str) -> Trace:
    found = trace(example.folder, example.store, identifier)
    assert trace_text(found)
    assert found.to_json()["identifier"] == identifier
    return found


def test_a_score_walks_back_to_seeds(example: Example) -> None:
    score = next(s for s in example.scores if s.model == "after" and s.passed)
    found = walked(example, score.id)
    assert whats(found.back)[:4] == ["sample", "problem", "checkpoint", "tokens"]
    (checkpoint,) = find(found.back, "checkpoint")
    assert checkpoint.key == example.plan["student"].key
    spans = find(found.back, "span")
    assert len(spans) == 3
    for span in spans:
        assert whats((span,)) == ["span", "document", "completion", "prompt", "seed"] or whats((span,))[-1] == "origin"
        assert span.facts["decodes_to_text"] is True
    overlaps = [step.facts["overlap"] for step in find(found.back, "document")]
    assert overlaps == sorted(overlaps, reverse=True)
    assert overlaps[0] > 0.3


def test_a_score_of_the_untrained_student_ends_at_its_weights(example: Example) -> None:
    score = next(s for s in example.scores if s.model == "before")
    found = walked(example, score.id)
    assert whats(found.back) == ["sample", "problem", "weights"]


def test_a_task_id_shows_both_models(example: Example) -> None:
    found = walked(example, "invented/3")
    assert found.here.text == next(p for p in example.problems if p.task_id == "invented/3").prompt
    assert [step.note.split()[0] for step in found.back] == ["before", "after"]
    assert walked(example, found.here.id).here == found.here


def test_a_sample_walks_back_to_weights_and_forward_to_its_score(example: Example) -> None:
    sample = next(s for s in example.samples if s.model == "after")
    found = walked(example, sample.id)
    (score,) = found.forward
    assert score.id == next(s.id for s in example.scores if s.sample_id == sample.id)


def test_a_kept_document_walks_forward_to_its_tokens_and_back_to_its_seed(example: Example) -> None:
    for document in example.kept[:6]:
        found = walked(example, document.id)
        assert whats(found.back) == ["completion", "prompt", "seed"]
        assert whats(found.forward)[:5] == ["kept", "kept", "kept", "kept", "span"]
        (span,) = find(found.forward, "span")
        assert span.facts["decodes_to_text"] is True
        assert span.facts["start"] <= span.facts["loss_start"] < span.facts["stop"]


def test_every_dropped_record_says_where_and_why(example: Example) -> None:
    for stage, dropped in example.drops.items():
        for entry in dropped[:3]:
            found = walked(example, entry.record.id)
            (end,) = find(found.forward, "dropped")
            assert (end.stage, end.facts["reason"], end.facts["detail"]) == (stage, entry.reason, entry.detail)
            if entry.kept_id:
                assert entry.kept_id in end.note


def test_a_seed_a_prompt_and_a_completion_reach_the_same_document(example: Example) -> None:
    document = example.kept[0]
    completion = next(c for c in example.completions if c.id == document.completion_id)
    for identifier in (completion.id, completion.prompt_id, completion.seed.id):
        found = walked(example, identifier)
        assert document.id in [step.id for step in find(found.forward, "document")]
        assert len(find(found.forward, "span")) == 1


def test_real_code_walks_back_to_its_file(example: Example) -> None:
    document = next(d for d in example.kept if not d.teacher)
    (origin,) = walked(example, document.id).back
    assert origin.what == "origin"
    assert "PSF-2.0" in origin.note


def test_a_span_and_an_artifact_key_can_be_traced(example: Example) -> None:
    (span,) = find(walked(example, example.kept[1].id).forward, "span")
    assert whats(walked(example, span.id).back)[0] == "document"
    found = walked(example, example.plan["student"].key)
    assert [step.stage for step in found.here.walk()][:3] == ["student", "tokens", "decontaminated"]


def test_the_start_of_an_id_is_enough_where_it_is_unique(example: Example) -> None:
    document = example.kept[0]
    assert walked(example, document.id[:12]).here.id == document.id


def test_an_ambiguous_start_lists_what_it_could_be(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.report.tracing.SHORTEST_PREFIX", 1)
    first = example.kept[0].id[0]
    with pytest.raises(InputError, match=f"'{first}' is the start of") as error:
        trace(example.folder, example.store, first)
    assert "give more of it" in error.value.hint


def test_an_unknown_id_says_what_is_wanted_and_what_is_near(example: Example) -> None:
    document = example.kept[0]
    with pytest.raises(InputError, match="no record") as error:
        trace(example.folder, example.store, document.id[:-2] + "zz")
    assert document.id in error.value.hint
    with pytest.raises(InputError) as error:
        trace(example.folder, example.store, "invented/99")
    assert "invented/9" in error.value.hint
    with pytest.raises(InputError, match="no record ''"):
        trace(example.folder, example.store, "")


def test_a_run_cut_short_is_walked_as_far_as_it_goes(example: Example, run_copy: Path) -> None:
    stages = [
        {"name": s.name, "key": "0" * 32, "state": "to-make"}
        if s.name in ("tokens", "student")
        else {"name": s.name, "key": s.key, "state": "made"}
        for s in example.plan.stages
    ]
    change_run(run_copy, stages=stages)
    found = trace(run_copy, example.store, example.kept[0].id)
    assert find(found.forward, "remark")[-1].note == "tokens are not made yet"


def test_overlap_is_a_similarity() -> None:
    one, two = token_pairs("return a + b"), token_pairs("return  a+b")
    assert overlap(one, two) == 1.0
    assert overlap(one, token_pairs("x")) == 0.0
    assert overlap(frozenset(), frozenset()) == 0.0


def test_a_chain_keeps_its_end(example: Example) -> None:
    end = Step("c", next=(Step("d"),))
    assert [s.what for s in chain([Step("a"), Step("b"), end]).walk()] == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="at least one"):
        chain([])
    assert isinstance(example.kept[0], Exercise)


def test_a_text_is_not_printed_twice_in_a_row() -> None:
    answer = Step("completion", text="Here it is:\ndef f(x):\n    return x\n")
    text = trace_text(Trace("r", "i", Step("document", text="def f(x):\n    return x\n"), back=(answer,)))
    assert text.count("return x") == 1
    assert "the text above" in text


def test_a_short_text_does_not_hide_a_long_one_that_contains_it() -> None:
    long = Step("document", text="def f(x):\n    y = x + 1\n    return y\n")
    assert "y = x + 1" in trace_text(Trace("r", "i", Step("sample", text="return"), back=(long,)))
