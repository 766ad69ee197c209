"""What a run has to say for itself: a typed summary from manifests, its HTML and plain-text forms, and the browser.

Reads only manifests, Parquet columns and the run's own files; `write_report` alone writes. Nothing here imports torch.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.store.store import Store

if TYPE_CHECKING:
    from pipeline.report.images import ImageSummary
    from pipeline.report.summary import Summary


def write_report(run_folder: Path, store: Store) -> tuple["Summary | ImageSummary", str]:
    """Write report.json and report.html into the run's folder; returns the summary and its plain-text card."""
    import json

    from pipeline.recipe_images import ImageRecipe
    from pipeline.run.reading import open_run
    from pipeline.store.disk import disk_errors, write_atomically

    run = open_run(run_folder, store)
    if run.loaded and isinstance(run.loaded.recipe, ImageRecipe):
        from pipeline.report.images import image_card, render_images, summarise_images

        images = summarise_images(run)
        summary: Summary | ImageSummary = images
        text, page = image_card(images), render_images(images)
    else:
        from pipeline.report.card import card
        from pipeline.report.html import render
        from pipeline.report.summary import summarise

        summary = whole = summarise(run_folder, store)
        text, page = card(whole), render(whole)
    as_json = json.dumps(summary.to_json(), indent=1, ensure_ascii=False).encode("utf-8", "replace")
    as_html = page.encode("utf-8", "replace")
    for path, data in ((run_folder / "report.json", as_json), (run_folder / "report.html", as_html)):
        with disk_errors(path):
            write_atomically(path, data)
    return summary, text
