"""How evenly a corpus covers the axes that it was asked by."""

import json
from pathlib import Path

from pipeline.domains.loading import load as load_domain
from pipeline.recipe_text import load
from pipeline.report import write_report
from pipeline.run.run import run
from pipeline.store.places import places


def test_each_axis_is_told_with_what_there_is_and_what_is_kept(tmp_path: Path) -> None:
    at = places(str(tmp_path))
    settings = ["seeds.exercises=9", "seeds.textbooks=2", 'seeds.topics=["strings"]', "execution.workers=1"]
    outcome = run(load("tiny", settings), at, until="decontaminated")
    summary, _ = write_report(outcome.folder, at.store)
    told = {axis["name"]: axis for axis in json.loads((outcome.folder / "report.json").read_text())["axes"]}
    domain = load_domain("python")
    assert next(iter(told)) == "topic"
    assert set(told) == {"topic", *(axis.name for axis in domain.axes)}
    assert told["topic"]["values"] == len(domain.topics)
    documents = summary.kept_from_teachers
    for axis in told.values():
        least, kept, asked = axis["least"]
        assert least
        assert 0 <= kept <= asked
        assert 1 <= axis["effective"] <= axis["kept"] <= min(documents, axis["values"])
    assert "How evenly the corpus covers its axes" in (outcome.folder / "report.html").read_text()
