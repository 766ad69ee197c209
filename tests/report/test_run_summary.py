"""The summary says what the manifests say, whatever state the run is in."""

import html
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from example_run import Example, build, change_run

from pipeline.core.errors import InputError
from pipeline.report import corpus, write_report
from pipeline.report.card import card
from pipeline.report.html import render
from pipeline.report.scoring import model_scores
from pipeline.report.strength import Strength, strength
from pipeline.report.summary import SCORE_COLUMNS, Summary, status, status_text, summarise
from pipeline.run.reading import open_run
from pipeline.store.store import Store


def test_status_has_the_promised_keys_and_every_stage_balances(example: Example) -> None:
    found = status(example.folder, example.store)
    assert found["run"] == "example"
    assert [stage["name"] for stage in found["stages"]] == [stage.name for stage in example.plan.stages]
    for stage in found["stages"]:
        assert {"name", "key", "state", "in", "kept", "dropped", "seconds"} <= stage.keys()
        assert stage["in"] == stage["kept"] + sum(stage["dropped"].values())


def test_report_json_has_the_promised_keys(summary: Summary) -> None:
    report = json.loads(json.dumps(summary.to_json()))
    assert {"run", "funnel", "scores", "teachers", "seconds"} <= report.keys()
    for score in report["scores"]:
        assert {"benchmark", "model", "problems", "pass@1", "interval"} <= score.keys()
        low, high = score["interval"]
        assert low <= score["pass@1"] <= high
    for teacher in report["teachers"]:
        assert {"name", "kind", "completions", "kept", "tokens", "usd"} <= teacher.keys()


def test_documents_kept_are_shared_out_among_teachers_and_raw_code(example: Example, summary: Summary) -> None:
    assert sum(teacher.kept for teacher in summary.teachers) == len(example.kept)
    by_name = {teacher.name: teacher for teacher in summary.teachers}
    assert by_name["raw code"].kept == sum(1 for document in example.kept if not document.teacher)
    assert "no model in it" in by_name["composer"].what


def test_drops_of_all_teachers_add_up_to_the_drops_of_each_stage(summary: Summary) -> None:
    for line in summary.corpus_lines:
        counted = sum(sum(teacher.dropped.get(line.name, {}).values()) for teacher in summary.teachers)
        assert counted == sum(line.dropped.values()), line.name


def test_each_reason_has_examples_with_its_detail(example: Example, summary: Summary) -> None:
    counts = {(d.stage, d.reason): d for d in summary.drops}
    for stage, dropped in example.drops.items():
        for entry in dropped:
            view = counts[stage, entry.reason]
            assert view.count == sum(1 for other in dropped if other.reason == entry.reason)
            assert len(view.examples) == min(2, view.count)
            assert all(example.detail for example in view.examples)
    duplicate = counts["distinct", "near-duplicate"].examples[0]
    assert duplicate.similarity == 0.83
    assert duplicate.kept_text == example.documents[0].text


def test_unscored_answers_count_as_neither_passed_nor_failed(summary: Summary) -> None:
    after = next(score for score in summary.scores if score.model == "after")
    assert after.overall.scored == after.overall.problems - 1
    assert after.partial
    assert after.overall.value == after.overall.passed / after.overall.scored


def test_diversity_and_cost_are_those_of_the_kept_documents(example: Example, summary: Summary) -> None:
    assert summary.diversity is not None
    assert summary.diversity.documents == len(example.kept)
    assert summary.diversity.topics == len({d.topic for d in example.kept if d.topic})
    assert 1 <= summary.diversity.effective_topics <= summary.diversity.topics
    cost = summary.cost()
    assert cost["usd"] == pytest.approx(sum(answer.usd for answer in example.completions))
    assert cost["usd_per_kept_document"] == pytest.approx(cost["usd"] / cost["kept_documents"], rel=1e-3)


def test_a_run_that_has_made_nothing_yet_still_has_a_report(example: Example, run_copy: Path) -> None:
    stages = [{"name": s.name, "key": "0" * 32, "state": "to-make", "seconds": 0.0} for s in example.plan.stages]
    change_run(run_copy, state="running", stages=stages)
    summary, text = write_report(run_copy, example.store)
    assert summary.scores == ()
    assert summary.diversity is None
    assert "running" in text
    assert "not complete" in (run_copy / "report.html").read_text(encoding="utf-8")
    assert all(stage["in"] == 0 for stage in status(run_copy, example.store)["stages"])


@pytest.mark.parametrize("last", ["documents", "validated", "quality"])
def test_a_run_that_ended_early_counts_what_its_last_stage_kept(example: Example, run_copy: Path, last: str) -> None:
    info = json.loads((run_copy / "run.json").read_text(encoding="utf-8"))
    names = [stage["name"] for stage in info["stages"]]
    for stage in info["stages"][names.index(last) + 1 :]:
        stage |= {"key": "f" * 32, "state": "to-make"}
    change_run(run_copy, state="stopped", stages=info["stages"])
    summary = summarise(run_copy, example.store)
    (line,) = [line for line in summary.funnel if line.name == last]
    raw = next(line.kept for line in summary.funnel if line.name == "raw-code") if last == "documents" else 0
    assert sum(teacher.kept for teacher in summary.teachers if teacher.kind != "source" or not raw) == line.kept > 0


def test_a_run_without_recipe_events_or_stages_still_has_a_report(example: Example, run_copy: Path) -> None:
    (run_copy / "recipe.toml").unlink()
    (run_copy / "events.jsonl").unlink()
    (run_copy / "run.json").write_text("{}", encoding="utf-8")
    summary, _ = write_report(run_copy, example.store)
    assert (summary.run, summary.funnel, summary.curve) == ("copy", (), ())


def test_a_student_that_is_still_learning_shows_its_curve_and_progress(example: Example, run_copy: Path) -> None:
    info = json.loads((run_copy / "run.json").read_text(encoding="utf-8"))
    for stage in info["stages"]:
        if stage["name"] == "student":
            stage |= {"key": "f" * 32, "state": "making"}
    change_run(run_copy, state="running", stages=info["stages"])
    assert [point.loss for point in summarise(run_copy, example.store).curve] == [2.0, 1.0, 2 / 3]
    found = status(run_copy, example.store)
    student = next(stage for stage in found["stages"] if stage["name"] == "student")
    assert student["progress"]["step"] == 3
    assert "3 of 4" in status_text(found)


def test_a_folder_that_is_no_run_is_refused(example: Example, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run\.json"):
        status(tmp_path, example.store)
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="not JSON"):
        status(tmp_path, example.store)


def test_the_card_fits_a_terminal_and_names_what_matters(summary: Summary) -> None:
    text = card(summary)
    lines = text.splitlines()
    assert len(lines) <= 40
    places = ("Corpus  ", "Model", "Report")  # how long a path is, is the machine's affair
    assert max(len(line) for line in lines if not line.startswith(places)) <= 110
    for wanted in ("decontaminated", "McNemar p", "new wordings", "report.html", "hornbook trace example", "unscored"):
        assert wanted in text


def test_a_run_that_ends_at_the_answers_says_nothing_of_kept_documents(summary: Summary) -> None:
    early = tuple(line for line in summary.funnel if line.name in ("seeds", "prompts", "completions"))
    unparsed = replace(summary, funnel=early, teachers=tuple(replace(t, kept=0) for t in summary.teachers))
    teachers = card(unparsed).partition("Teachers\n")[2].partition("\n\n")[0]
    assert "answers" in teachers
    assert "kept" not in teachers
    assert " kept" in card(summary).partition("Teachers\n")[2].partition("\n\n")[0]


def test_scores_are_told_apart_by_what_the_corpus_holds(example: Example, summary: Summary) -> None:
    by_name = {(score.benchmark, score.model): score for score in summary.scores}
    after = by_name["invented", "after"]
    assert [split.tau for split in after.splits] == [0.95, 0.9, 0.85, 0.8]
    passed = {score.task_id: score.passed for score in example.scores if score.model == "after"}
    for split, places in zip(after.splits, [(0,), (0,), (0,), (0, 1)], strict=True):
        similar = [
            passed[task] for task in passed if task.startswith("invented") and int(task.split("/")[1]) % 4 in places
        ]
        scored = [one for one in similar if one is not None]
        assert (split.similar.problems, split.similar.scored) == (len(similar), len(scored))
        assert split.similar.passed == sum(scored)
        assert split.similar.problems + split.others.problems == after.overall.problems
        assert split.similar.passed + split.others.passed == after.overall.passed
    assert f"unlike the corpus, tau 0.8 ({after.splits[-1].others.problems})" in card(summary)
    assert "others, after</th>" in render(summary)
    (entry,) = [e for e in summary.to_json()["scores"] if (e["benchmark"], e["model"]) == ("invented", "after")]
    assert entry["splits"][0]["similar"]["problems"] == after.splits[0].similar.problems


def test_a_corpus_that_holds_nothing_like_the_problems_is_said_to(example: Example, summary: Summary) -> None:
    rows = list(open_run(example.folder, example.store).rows("scores", columns=SCORE_COLUMNS))
    unlike = replace(summary, scores=tuple(model_scores(rows, 0, {}, {"invented": {}})))
    assert {split.similar.problems for score in unlike.scores for split in score.splits} == {0}
    assert "unlike the corpus" not in card(unlike)
    sentence = "No problem has a similar document in the corpus: none with a syntax-tree match rate of 0.8 or more."
    assert sentence in render(unlike)
    uncompared = replace(summary, scores=tuple(model_scores(rows, 0, {})))
    assert sentence not in render(uncompared)
    assert "others, after</th>" not in render(uncompared)


def test_a_store_of_another_filesystem_gives_the_same_report(example: Example, summary: Summary) -> None:
    import fsspec

    remote = Store("memory://report-test/store")
    memory = fsspec.filesystem("memory")
    memory.put(example.store.root, "/report-test/store", recursive=True)
    found = summarise(example.folder, remote)
    assert found.to_json() == summary.to_json()


def test_four_times_the_records_are_four_times_the_work_and_none_of_it_needs_torch(
    tmp_path: Path, example: Example
) -> None:
    """Work is counted in calls of functions, of Python and of C: how fast they are is the machine's affair."""
    small, large = (
        build(tmp_path / str(times), exercises=700 * times, textbooks=25 * times, problems=15 * times)
        for times in (1, 4)
    )
    runs = [(str(one.folder), one.store.root, one.scores[-1].id) for one in (example, small, large)]
    program = (
        "import cProfile, json, pstats, sys; from pathlib import Path; from pipeline.store.store import Store; "
        "from pipeline.report import write_report, browse\n"
        "def calls(work, *given):\n"
        "    profile = cProfile.Profile()\n"
        "    profile.runcall(work, *given)\n"
        "    return pstats.Stats(profile).total_calls\n"
        f"runs = [(Path(folder), Store(root), score) for folder, root, score in {runs!r}]\n"
        "print(json.dumps([[calls(write_report, f, s), calls(browse.trace, f, s, score)] for f, s, score in runs]))\n"
        "assert not {'torch', 'transformers', 'sklearn', 'datasets'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, few, many = json.loads(done.stdout)  # the first imports what the others use
    assert [large <= 4.4 * small for small, large in zip(few, many, strict=True)] == [True, True], (few, many)


def test_passages_that_were_kept_unchecked_are_counted(summary: Summary) -> None:
    class Rows:
        def rows(self, name: str, columns: object) -> list[dict[str, object]]:
            assert name == "validated"
            counts = [("a", 0), ("a", 3), ("", 0), ("a", None), ("b", 0)]
            return [{"teacher": teacher, "executed": executed} for teacher, executed in counts]

    assert corpus.unexecuted(Rows()) == 2
    said = '2 passages were kept of which no code was executed (validated.unexecuted = "drop" drops them)'
    unchecked = replace(summary, unexecuted=2)
    assert said in card(unchecked)
    assert said in html.unescape(render(unchecked))
    assert unchecked.to_json()["unexecuted"] == 2
    assert "executed (" not in card(summary)


def test_what_the_tests_pin_down_is_told_by_who_owns_them(summary: Summary) -> None:
    class Rows:
        def rows(self, name: str, columns: object) -> list[dict[str, object]]:
            assert name == "validated"
            counts = [("teacher", 10, 7), ("seed", 4, 4), ("teacher", 10, 9), ("seed", None, None), ("", None, None)]
            return [{"test_owner": owner, "mutants": made, "killed": killed} for owner, made, killed in counts]

    seed, teacher = strength(Rows())
    assert (seed, teacher) == (Strength("seed", 1, 4, 4), Strength("teacher", 2, 20, 16))
    said = "tests owned by teacher refuse 80% of 20 wrong variants of 2 solutions"
    told = replace(summary, strength=(teacher,))
    assert said in card(told)
    assert said.capitalize() in render(told)
    assert told.to_json()["strength"] == [{"owner": "teacher", "exercises": 2, "mutants": 20, "killed": 16}]
    assert "wrong variants" not in card(summary)


def test_what_is_to_be_known_of_a_teachers_answers_stands_beside_it(summary: Summary) -> None:
    note = "finish_reason 'tool_calls' is not known: the answer was taken for a whole one"
    first, *others = summary.teachers
    asked = replace(first, kind="openai", notes={note: 12}, oldest="2026-11-01", newest="2026-11-28")
    told = replace(summary, teachers=(asked, *others))
    assert told.to_json()["teachers"][0]["notes"] == {note: 12}
    for text in (card(told), render(told).replace("&#39;", "'")):
        assert f"12 answers: {note}" in text
        assert "answers given 2026-11-01 to 2026-11-28" in text
    assert "answers given" not in card(replace(summary, teachers=(replace(asked, kind="composer", notes={}), *others)))
