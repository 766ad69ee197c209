"""The paper's filter whole (2.1): the standard library, a judge at an endpoint, an encoder's embedding, a forest."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import judge_server
import pyarrow.parquet as pq
import pytest
from judge_server import JudgeServer

from pipeline.cli.main import main

RECIPE = (
    judge_server.RECIPE
    + """
[validated]
require_test = false

[quality]
classifier = true
annotate = 90
repeats = 20
embedding = "{encoder}"
embedding_tokens = 64

[student]
init = "scratch"

[tokens]
tokenizer = "train"

[decontaminated]
benchmarks = ["composed"]

[execution]
concurrency = 4
workers = 1
"""
)
FAULTS = {"rate-limit": 0.15, "no-grade": 0.08, "cut": 0.03, "waver": 0.4}


@dataclass(frozen=True)
class Shop:
    """A judge at work, a recipe that asks it, and a data folder with the corpus up to `distinct`."""

    server: JudgeServer
    recipe: Path
    data: Path

    def run(self, capsys, *overrides, until="quality", verb="run", name="", recipe=None):
        """Exit code, report.json's value, standard error."""
        words = [verb, recipe or self.recipe, *overrides, "--data", self.data, "--json"]
        words += ["--until", until] if verb == "run" else []
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in [*words, *(["--name", name] if name else [])]])
        captured = capsys.readouterr()
        return stop.value.code, json.loads(captured.out) if stop.value.code == 0 else None, captured.err

    def recipe_for(self, server, folder):
        """The recipe with another judge at another place."""
        text = self.recipe.read_text(encoding="utf-8").replace(self.server.url, server.url)
        path = folder / "other.toml"
        path.write_text(text, encoding="utf-8")
        return path

    def artifact(self, run):
        """Folder of a run's quality artifact."""
        stages = json.loads((self.data / "runs" / run / "run.json").read_text())["stages"]
        (key,) = [stage["key"] for stage in stages if stage["name"] == "quality"]
        return self.data / "store" / "quality" / key

    def partial(self, run):
        """Folder of what a run has of the quality artifact before it is whole."""
        return self.artifact(run).with_suffix(".partial")


@pytest.fixture(scope="module")
def shop(tmp_path_factory, tiny_bert):
    folder = tmp_path_factory.mktemp("valued")
    with JudgeServer(FAULTS) as server:
        recipe = folder / "valued.toml"
        recipe.write_text(RECIPE.format(url=server.url, encoder=tiny_bert), encoding="utf-8")
        with pytest.raises(SystemExit) as stop:
            main(["run", str(recipe), "--data", str(folder / "data"), "--until", "distinct", "--name", "corpus"])
        assert stop.value.code == 0
        yield Shop(server, recipe, folder / "data")


@pytest.fixture(scope="module")
def valued(shop):
    """The corpus filtered once; (shop, answers served)."""
    with pytest.raises(SystemExit) as stop:
        main(["run", str(shop.recipe), "--data", str(shop.data), "--until", "quality", "--name", "first"])
    assert stop.value.code == 0
    return shop, shop.server.served


def lines(folder):
    return sum(len(path.read_text().splitlines()) for path in folder.glob("journal*.jsonl"))


def test_the_judge_is_asked_once_for_each_document_and_everything_is_in_the_report(valued):
    shop, served = valued
    report = json.loads((shop.data / "runs" / "first" / "report.json").read_text())
    value, classifier = report["value"], report["value"]["classifier"]
    assert served == 90 + 20
    assert shop.server.limited > 0
    assert sorted(shop.server.asked.values())[-1] >= 2
    assert classifier["annotated"] + sum(classifier["unusable"].values()) == 90
    assert set(classifier["unusable"]) == {"no-grade", "truncated"}
    assert classifier["repeats"]["pairs"] > 10
    assert classifier["repeats"]["equal"] < 1
    assert len(value["best"]) == len(value["worst"]) == 10
    assert value["best"][0]["value"] > value["worst"][0]["value"]
    (judge,) = [t for t in report["teachers"] if t["name"] == "judge"]
    assert judge["annotations"] == value["judge"]["completions"] == 110 - cut(shop.artifact("first")) < 110
    assert judge["tokens"] == 440 * 110  # an answer that was cut is paid for
    (funnel,) = [stage for stage in report["funnel"] if stage["name"] == "quality"]
    assert funnel["in"] == funnel["kept"] + sum(funnel["dropped"].values())
    assert abs(funnel["kept"] - funnel["dropped"]["low-value"]) <= 1
    assert sorted(path.name for path in shop.artifact("first").iterdir()) == [
        "README.md",
        "dropped-00000.parquet",
        "journal.jsonl",
        "manifest.json",
        "part-00000.parquet",
        "value-model",
        "values.parquet",
    ]
    assert not shop.partial("first").exists()
    page = (shop.data / "runs" / "first" / "report.html").read_text(encoding="utf-8")
    for text in (
        "Educational value",
        "as judge",
        "area under the ROC",
        "Cohen",
        "valuable found",
        "others let through",
    ):
        assert text in page


def cut(folder):
    """Answers in the journal that ran into max_tokens."""
    return sum(path.read_text().count('"finish": "length"') for path in folder.glob("journal*.jsonl"))


def test_a_second_call_makes_nothing_and_another_threshold_asks_and_embeds_nothing(valued, capsys):
    shop, served = valued
    code, _, err = shop.run(capsys, name="first")
    assert code == 0
    assert "nothing to make" in err
    embedded = sorted((shop.data / "models" / "embeddings").rglob("*.safetensors"))
    assert embedded
    code, report, err = shop.run(capsys, "quality.keep_quantile=0.25", name="stricter")
    assert code == 0, err
    (funnel,) = [stage for stage in report["funnel"] if stage["name"] == "quality"]
    assert funnel["kept"] == pytest.approx(0.25 * (funnel["kept"] + funnel["dropped"]["low-value"]), abs=1)
    code, report, err = shop.run(capsys, "quality.min_value=0.4", name="by-value")
    assert code == 0, err
    assert report["value"]["limit"] == 0.4
    assert shop.server.served == served
    assert sorted((shop.data / "models" / "embeddings").rglob("*.safetensors")) == embedded


def test_the_plan_counts_the_judge(valued, capsys):
    shop, _ = valued
    _, planned, _ = shop.run(capsys, "quality.annotate=80", verb="plan")
    assert planned["teacher"]["judge"]["requests"] == planned["teacher"]["requests"] == 100
    assert planned["teacher"]["judge"]["to_make"]
    assert planned["teacher"]["tokens"] > 100 * 800
    _, planned, _ = shop.run(capsys, verb="plan")
    assert not planned["teacher"]["judge"]["to_make"]


def test_a_value_model_serves_other_runs(valued, capsys, tmp_path):
    shop, served = valued
    model = Path(shutil.copytree(shop.artifact("first") / "value-model", tmp_path / "model"))
    code, report, err = shop.run(capsys, f"quality.model={model}", name="reusing")
    assert code == 0, err
    assert shop.server.served == served
    assert report["value"]["reused"] == str(model)
    assert report["value"]["classifier"]["auc"] > 0
    values = pq.read_table(shop.artifact("reusing") / "values.parquet")["value"].to_pylist()
    assert len(values) > 90
    assert "was reused" in (shop.data / "runs" / "reusing" / "report.html").read_text(encoding="utf-8")
    code, _, err = shop.run(capsys, f"quality.model={model}", "quality.embedding_tokens=32")
    assert code == 2
    assert "was trained on the embedding folder (digest " in err
    assert "tokens 64), this run has folder (digest " in err
    assert "set quality.embedding and quality.embedding_tokens" in err


@pytest.mark.parametrize("damage", ["cut", "newer", "no-report", "nowhere"])
def test_a_value_model_that_cannot_be_used_is_refused_before_anything_is_made(valued, capsys, tmp_path, damage):
    from safetensors.numpy import load_file, save_file

    shop, _ = valued
    model = Path(shutil.copytree(shop.artifact("first") / "value-model", tmp_path / "model"))
    forest = model / "forest.safetensors"
    said = {
        "cut": "forest.safetensors is not a value model",
        "newer": "its format is 'hornbook-forest-9', wanted 'hornbook-forest-1'",
        "no-report": "report.json is not a value model's report",
        "nowhere": "no forest.safetensors there",
    }
    if damage == "cut":
        forest.write_bytes(forest.read_bytes()[:-100])
    elif damage == "newer":
        save_file(load_file(forest), forest, metadata={"format": "hornbook-forest-9", "features": "32", "about": "{}"})
    elif damage == "no-report":
        (model / "report.json").unlink()
    else:
        model = tmp_path / "nowhere"
    code, _, err = shop.run(capsys, f"quality.model={model}", name=f"refused-{damage}")
    assert code == 2
    assert said[damage] in err
    assert not (shop.data / "runs" / f"refused-{damage}").exists()


def test_a_budget_reached_by_the_judge_is_resumable_and_nothing_is_paid_twice(shop, capsys, tmp_path):
    with JudgeServer() as server:
        recipe = shop.recipe_for(server, tmp_path)
        ask = ("seed=4", "execution.budget_tokens=20000")
        code, _, err = shop.run(capsys, *ask, recipe=recipe, name="poor")
        assert code == 3, err
        assert "budget_tokens" in err
        paid = server.served
        assert 20 <= paid <= 20_000 // 440
        state = json.loads((shop.data / "runs" / "poor" / "run.json").read_text())
        assert (state["state"], state["stopped"]["stage"]) == ("budget", "quality")
        page = (shop.data / "runs" / "poor" / "report.html").read_text(encoding="utf-8")
        assert "The run stopped in stage quality (budget)" in page
        assert "stopped here" in page
        code, _, err = shop.run(capsys, "seed=4", "execution.budget_tokens=2000000", recipe=recipe, name="poor")
        assert code == 0, err
        assert server.served == 110
        assert lines(shop.artifact("poor")) == 110


def test_a_budget_in_dollars_holds_while_the_judge_annotates_and_what_was_cut_is_paid_for(
    shop, capsys, tmp_path, monkeypatch
):
    prices = tmp_path / "prices.toml"
    prices.write_text("[models.mock]\nprompt = 10.0\ncompletion = 100.0\n", encoding="utf-8")
    monkeypatch.setenv("HORNBOOK_PRICES", str(prices))
    each = (400 * 10 + 40 * 100) / 1e6
    with JudgeServer({"cut": 0.2, "rate-limit": 0.1}) as server:
        recipe = shop.recipe_for(server, tmp_path)
        ask = ("seed=7", "teachers.judge.max_tokens=100")
        budgets = [0.3, 0.3, 0.6]
        for budget, least in zip(budgets, [20, 20, 50], strict=True):
            code, _, err = shop.run(capsys, *ask, f"execution.budget_usd={budget}", recipe=recipe, name="dollars")
            assert code == 3, err
            assert f"of budget_usd = {budget:g}" in err
            assert "what was paid for is kept" in err
            assert least <= server.served <= budget / each
            assert lines(shop.partial("dollars")) == server.served
        code, _, err = shop.run(capsys, *ask, "execution.budget_usd=1.5", recipe=recipe, name="dollars")
        assert code == 0, err
        assert server.served == 110
        assert lines(shop.artifact("dollars")) == 110
        assert cut(shop.artifact("dollars")) > 5
        stages = json.loads((shop.data / "runs" / "dollars" / "run.json").read_text())["stages"]
        (spent,) = [stage["spent"] for stage in stages if stage["name"] == "quality"]
        assert spent == [400 * 110, 40 * 110, pytest.approx(110 * each)]
        report = json.loads((shop.data / "runs" / "dollars" / "report.json").read_text())
        (judge,) = [teacher for teacher in report["teachers"] if teacher["name"] == "judge"]
        assert judge["usd"] == pytest.approx(110 * each)
        assert judge["tokens"] == 440 * 110
        assert judge["annotations"] == 110 - cut(shop.artifact("dollars"))


def test_interrupted_and_killed_while_annotating_it_goes_on_where_it_was(shop, capsys, tmp_path):
    with JudgeServer({"waver": 0.5}, delay=0.05) as server:
        recipe = shop.recipe_for(server, tmp_path)
        command = [
            sys.executable,
            "-m",
            "pipeline.cli.main",
            "run",
            recipe,
            "seed=5",
            "--until",
            "quality",
            "--name",
            "cut",
        ]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

        def stopped_at(answers, how):
            """What a call said that was sent a signal when it had so many answers, and no more could come."""
            server.let(answers)
            process = subprocess.Popen(
                [*map(str, command), "--data", str(shop.data)], env=environment, stderr=subprocess.PIPE, text=True
            )
            deadline = time.monotonic() + 600
            while server.served < answers and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(how)
            if how == signal.SIGINT:
                server.let(sys.maxsize)  # what is in flight is waited for
            _, err = process.communicate(timeout=600)
            return process.returncode, err

        code, err = stopped_at(20, signal.SIGINT)
        assert code == 130, err
        assert "nothing that was answered is asked again" in err
        assert f"`hornbook report cut --data {shop.data}` writes the report of what there is" in err
        assert lines(shop.partial("cut")) == server.served
        code, _ = stopped_at(50, signal.SIGKILL)
        assert code == -signal.SIGKILL
        server.let(sys.maxsize)
        code, _, err = shop.run(capsys, "seed=5", recipe=recipe, name="cut")
        assert code == 0, err
        assert 110 <= server.served <= 110 + 4  # what was in flight at the kill is asked again
        assert lines(shop.artifact("cut")) == 110
        assert not shop.partial("cut").exists()


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ({"faults": {"no-grade": 1.0}}, "none of the judge's first 50 answers is usable (no-grade 50)"),
        ({"constant": 7}, "the judge gave all 90 documents the value 7: there is nothing to learn"),
    ],
)
def test_a_useless_judge_is_said_to_be_one(shop, capsys, tmp_path, judge, said):
    with JudgeServer(**judge) as server:
        code, _, err = shop.run(capsys, "seed=6", recipe=shop.recipe_for(server, tmp_path), name=f"useless-{len(said)}")
    assert code == 1
    assert said in err
    assert "quality.judge" in err
    assert server.served <= (50 + 64 if "no-grade" in said else 110)
    page = (shop.data / "runs" / f"useless-{len(said)}" / "report.html").read_text(encoding="utf-8")
    assert said.replace("'", "&#39;") in page
