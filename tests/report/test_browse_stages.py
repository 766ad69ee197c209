"""`show` prints real records of a stage, and says what there is where the request fits nothing."""

from pathlib import Path

import pytest
from example_run import Example

from pipeline.core.errors import InputError
from pipeline.report.browse import resolve, show, show_text


def test_kept_records_are_drawn_by_id_and_complete(example: Example) -> None:
    records = show(example.folder, example.store, "decontaminated", n=4)
    assert [record["id"] for record in records] == sorted(document.id for document in example.kept)[:4]
    by_id = {document.id: document for document in example.kept}
    assert all(record["text"] == by_id[record["id"]].text for record in records)


def test_more_than_there_are_gives_all(example: Example) -> None:
    assert len(show(example.folder, example.store, "decontaminated", n=10_000)) == len(example.kept)


def test_dropped_records_have_reason_detail_and_test(example: Example) -> None:
    records = show(example.folder, example.store, "validated", dropped="test-failed", n=2)
    assert {record["reason"] for record in records} == {"test-failed"}
    text = show_text(records)
    assert "dropped: test-failed: assert" in text
    assert "# the test" in text


def test_all_reasons_at_once(example: Example) -> None:
    records = show(example.folder, example.store, "documents", dropped="all", n=1000)
    assert {record["reason"] for record in records} == {"no-code", "unclosed-fence"}
    assert len(records) == len(example.drops["documents"])


@pytest.mark.parametrize("stage", ["seeds", "prompts", "completions", "raw-code", "tokens", "student", "samples-after"])
def test_every_stage_can_be_shown(example: Example, stage: str) -> None:
    records = show(example.folder, example.store, stage, n=2)
    assert records
    assert show_text(records)


def test_scores_are_shown_with_the_code_they_judge(example: Example) -> None:
    records = show(example.folder, example.store, "scores", n=50)
    samples = {sample.id: sample for sample in example.samples}
    for record in records:
        assert record["record"]["completion"] == samples[record["record"]["sample_id"]].completion
    assert "unscored: infrastructure" in show_text(records)


def test_a_reason_that_does_not_occur_lists_those_that_do(example: Example) -> None:
    with pytest.raises(InputError, match="'crash'") as error:
        show(example.folder, example.store, "validated", dropped="crash")
    assert "test-failed (" in error.value.hint


def test_an_unknown_stage_lists_the_stages(example: Example) -> None:
    with pytest.raises(InputError, match="no stage 'qualty'") as error:
        show(example.folder, example.store, "qualty")
    assert "quality" in error.value.hint


def test_runs_are_found_by_name_and_by_latest(example: Example) -> None:
    runs = example.folder.parent
    assert resolve(runs, "example") == resolve(runs, "LATEST") == resolve(runs, "latest") == example.folder


def test_latest_is_the_run_that_started_last(tmp_path: Path) -> None:
    for name, started in (("b", "2026-01-02"), ("a", "2026-01-03"), ("c", "2026-01-01")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(f'{{"started": "{started}"}}', encoding="utf-8")
    assert resolve(tmp_path, "LATEST").name == "a"


def test_an_unknown_run_lists_the_runs_there_are(example: Example, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run 'exampel'") as error:
        resolve(example.folder.parent, "exampel")
    assert "did you mean 'example'?" in error.value.hint
    with pytest.raises(InputError, match="there is no run"):
        resolve(tmp_path, "LATEST")
