"""The cards: valid by the hub's own classes, and saying what manifests say."""

import json
from dataclasses import replace

import pytest
from huggingface_hub import DatasetCard, ModelCard

from pipeline.core.errors import UsageError
from pipeline.export import licences
from pipeline.export.cards import cell, hub_licences
from pipeline.export.export import Wish, export
from pipeline.export.licences import Origin, counted, of_corpus, of_model, parsed
from pipeline.recipe_text import load
from pipeline.run.reading import open_run
from pipeline.store.places import Places


@pytest.fixture(scope="session")
def folder(example, tmp_path_factory):
    to = tmp_path_factory.mktemp("cards") / "out"
    export(example.folder, Places(example.folder.parents[1], example.store), to, Wish())
    return to


def test_the_front_matter_is_what_the_hub_reads(folder, example):
    data = DatasetCard.load(folder / "README.md").data.to_dict()
    assert data["size_categories"] == "n<1K"
    assert [config["config_name"] for config in data["configs"]] == ["kept", "dropped"]
    assert data["configs"][0]["default"] is True
    model = ModelCard.load(folder / "model" / "README.md").data
    assert (model.library_name, model.pipeline_tag, model.license) == ("transformers", "text-generation", "apache-2.0")
    results = {(one.dataset_name, one.metric_type): one.metric_value for one in model.eval_results or ()}
    whole = [score for score in _report(example).scores if score.model == "after" and not score.partial]
    assert results == {(one.benchmark, "pass@1"): round(one.overall.value, 4) for one in whole}


def _report(example):
    from pipeline.report.summary import summarise

    return summarise(example.folder, example.store)


def test_the_corpus_card_says_what_manifests_say(folder, example):
    text = (folder / "README.md").read_text()
    for stage in ("completions", "documents", "validated", "distinct", "quality", "decontaminated"):
        manifest = example.store.manifest(stage, example.plan[stage].key)
        reasons = sorted(manifest.dropped.items(), key=lambda item: (-item[1], item[0]))
        dropped = ", ".join(f"{reason} {count}" for reason, count in reasons)
        assert f"| {stage} | {manifest.entered} | {manifest.kept} | {dropped} |" in text
    assert "| exercise/write.md | `5f5f5f5f5f5f` |" in text
    assert "| real code | - | " in text
    assert "| PSF-2.0 | its files |" in text
    assert "Apache-2.0 | its card |" in text
    assert "none needed: no model in it" in text
    assert "The recipe names no benchmark, so none was compared with." in text
    assert "Credentials were searched for; what holds some was dropped." in text
    assert "hornbook run recipe.toml --until decontaminated" in text


def test_what_records_have_not_been_through_is_not_claimed_of_them(example, tmp_path):
    places = Places(example.folder.parents[1], example.store)
    export(example.folder, places, tmp_path / "out", Wish(stage="documents", only="corpus"))
    text = (tmp_path / "out" / "README.md").read_text()
    assert "These records were not compared with any benchmark." in text
    assert "These records were searched neither for credentials nor for personal data." in text
    assert "How code was checked" not in text
    assert "| distinct |" not in text
    assert "a test passes" not in text


def test_the_model_card_says_scores_with_intervals_and_protocol(folder, example):
    text = (folder / "model" / "README.md").read_text()
    for score in _report(example).scores:
        low, high = score.overall.interval
        rate = f"{100 * score.overall.value:.1f}% [{100 * low:.1f}, {100 * high:.1f}]"
        assert f"| {score.model} | {rate} |" in text
    assert "Protocol: samples of each problem: 1, greedy" in text
    assert "134,515,008" in text
    for comparison in _report(example).comparisons:
        assert comparison.sentence() in text


def test_hostile_words_of_a_recipe_stay_words(example, tmp_path):
    assert cell("a | <script>\nalert(1)</script> & b") == "a \\| &lt;script> alert(1)&lt;/script> &amp; b"
    run = tmp_path / "runs" / "shown"
    run.mkdir(parents=True)
    for file in example.folder.iterdir():
        (run / file.name).write_bytes(file.read_bytes())
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace("Composed exercises", "<script>alert(1)</script>\\n---\\n"))
    export(run, Places(tmp_path, example.store), tmp_path / "out", Wish())
    for card in ("README.md", "model/README.md"):
        assert "<script>" not in (tmp_path / "out" / card).read_text()
        assert DatasetCard.load(tmp_path / "out" / card).data.tags[0] == "hornbook"


def with_recipe(example, *overrides):
    """The example's run as if it had been made by another recipe."""
    run = open_run(example.folder, example.store)
    object.__setattr__(run, "loaded", load(str(example.folder / "recipe.toml"), overrides))
    return run


ROWS = [{"teacher": "smollm2", "licence": ""}] * 2 + [{"teacher": "", "licence": "MIT"}, {"teacher": "", "licence": ""}]


def test_licences_are_those_of_teachers_and_files(example):
    found = {(one.what, one.licence): one for one in of_corpus(with_recipe(example), counted(ROWS), {})}
    assert found["teacher smollm2", "Apache-2.0"].documents == 2
    assert found["real code", "MIT"].conflict == ""
    assert found["real code", ""].conflict == "1 texts of real code: the licence is not known"


@pytest.mark.parametrize(
    ("licence", "conflict"),
    [
        ("CC-BY-NC-4.0", True),
        ("CC-BY-ND-4.0", True),
        ("MNPL-0.1", True),
        ("LicenseRef-Proprietary", True),
        ("llama2", True),
        ("GPL-3.0-only", False),
        ("MIT", False),
        ("NCSA", False),
        ("llama3.2", False),
    ],
)
def test_what_a_licence_forbids_is_a_conflict(licence, conflict):
    assert bool(Origin("teacher big", "big-1", licence, 3).conflict) == conflict


def test_of_an_endpoints_model_nothing_is_known_until_it_is_said(example, tmp_path):
    table = 'teachers=[{name="smollm2",kind="openai",base_url="http://127.0.0.1:9/v1",model="big-1"}]'
    run = with_recipe(example, table)
    (unknown,) = of_corpus(run, counted(ROWS[:2]), {})
    assert unknown.conflict == "2 texts of teacher smollm2 (big-1): the licence is not known"
    for name in ("smollm2", "big-1"):
        (said,) = of_corpus(run, counted(ROWS[:2]), parsed([f"{name}=MIT"]))
        assert (said.licence, said.conflict, said.says) == ("MIT", "", "who exported it")


def test_a_recordings_licence_is_its_own(example):
    run = with_recipe(example, 'teachers=[{name="smollm2",kind="replay",replay="recorded:qwen2.5-coder-1.5b"}]')
    (found,) = of_corpus(run, counted(ROWS[:2]), {})
    assert (found.licence, found.says) == ("Apache-2.0", "its recording")


def test_weights_have_the_licence_of_their_card(example, tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    (found,) = of_model(with_recipe(example, f'student.init="{tmp_path}"', "tokens.tokenizer=train"), {})
    assert "forbids it" in found.conflict
    assert [one.licence for one in of_model(with_recipe(example), {})] == [licences.SMOLLM2]
    assert of_model(with_recipe(example, "student.init=scratch"), {}) == []


@pytest.mark.parametrize("option", ["gpt=", "=MIT", "", "  "])
def test_what_is_no_licence_is_told(option):
    with pytest.raises(UsageError, match="--licence"):
        parsed([option])


def test_the_hubs_key_of_a_licence():
    mit, apache = Origin("a", "", "MIT"), Origin("b", "", "Apache-2.0")
    assert hub_licences("", [mit, mit]) == {"license": "mit"}
    assert hub_licences("", [mit, apache]) == {"license": ["apache-2.0", "mit"]}
    assert hub_licences("", [mit, Origin("c", "", "PSF-2.0")]) == {
        "license": "other",
        "license_name": "mit-and-psf-2.0",
    }
    assert hub_licences("", [mit, Origin("c", "", "")]) == {}
    assert hub_licences("CC-BY-4.0", [mit, Origin("c", "", "")]) == {"license": "cc-by-4.0"}
    assert hub_licences("", [Origin("program", "", "no model")]) == {}
    assert replace(mit, licence="no model").conflict == ""


def test_the_command(example, tmp_path, capsys):
    from pipeline.cli.main import main

    data = str(example.folder.parents[1])
    with pytest.raises(SystemExit) as stop:
        main(["export", "LATEST", "--to", str(tmp_path / "out"), "--data", data, "--json"])
    assert stop.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["run"], told["stage"], told["unchanged"]) == ("shown", "decontaminated", False)
    assert told["conflicts"] == {}
    with pytest.raises(SystemExit):
        main(["export", "LATEST", "--to", str(tmp_path / "out"), "--data", data])
    out = capsys.readouterr().out
    assert f'datasets.load_dataset("{tmp_path}/out")' in out
