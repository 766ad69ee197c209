"""Lists and records are shown without pandas, which is slow to import and large."""

import subprocess
import sys
from pathlib import Path

from example_run import Example

LOOKING = """
import sys
from pathlib import Path
from pipeline.store.places import Places
from pipeline.store.store import Store
from pipeline.view.pages import Viewer
from pipeline.view.records import Query

data, record = sys.argv[1:]
viewer = Viewer(Places(Path(data), Store(data + "/store")))
viewer.run("example")
shown = viewer.records("example", "documents", "kept", Query())
said = viewer.records("example", "documents", "kept", Query("RETURN", (("topic", "lists"), ("teacher", "composer"))))
asked = viewer.records("example", "prompts", "kept", Query("beginner"))
passed = viewer.records("example", "scores", "kept", Query("", (("passed", "true"),)))
none = viewer.records("example", "documents", "kept", Query("", (("verdict", "x"),), frozenset(["a"])))
viewer.facets("example", "documents", "kept")
assert viewer.record("example", record)["row"]["id"] == record
assert "pandas" not in sys.modules
print(*(one["matched"] for one in (shown, said, asked, passed, none)))
"""


def test_nothing_on_the_way_to_a_list_or_a_record_imports_pandas(data: Path, example: Example) -> None:
    command = [sys.executable, "-c", LOOKING, str(data), example.kept[0].id]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    documents = example.documents
    said = [
        one for one in documents
        if one.topic.startswith("lists/") and one.teacher == "composer" and "return" in one.text.lower()
    ]  # fmt: skip
    asked = [one for one in example.prompts if "beginner" in one.messages[1].content]
    passed = [one for one in example.scores if one.passed]
    assert done.stdout.split() == [str(len(one)) for one in (documents, said, asked, passed, [])]
    assert said
    assert asked
    assert passed
