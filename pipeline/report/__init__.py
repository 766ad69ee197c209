"""What a run has to say for itself: a typed summary from manifests, its HTML and plain-text forms, and the browser.

Reads only manifests, Parquet columns and the run's own files; `write_report` alone writes. Nothing here imports torch.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.store.store import Store

if TYPE_CHECKING:
    from pipeline.report.summary import Summary


def write_report(run_folder: Path, store: Store) -> tuple["Summary", str]:
    """Write report.json and report.html into the run's folder; returns the summary and its plain-text card."""
    import json

    from pipeline.report.card import card
    from pipeline.report.html import render
    from pipeline.report.summary import summarise
    from pipeline.store.disk import disk_errors, write_atomically

    summary = summarise(run_folder, store)
    as_json = json.dumps(summary.to_json(), indent=1, ensure_ascii=False).encode("utf-8", "replace")
    as_html = render(summary).encode("utf-8", "replace")
    for path, data in ((run_folder / "report.json", as_json), (run_folder / "report.html", as_html)):
        with disk_errors(path):
            write_atomically(path, data)
    return summary, card(summary)
