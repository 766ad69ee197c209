"""Packs the answers to the recipe `record`, blind solutions too, into data/recorded/NAME, two files a teacher.

Those of a domain other than Python (`domain=sql`) go into data/recorded/NAME-DOMAIN, so that one recording grows and
runs that replay another keep their keys.

--unpack: the other way. The store gets what is recorded as journals of earlier runs, and `record` asks on from there.
"""

import dataclasses
import json
import shutil
import sys
from pathlib import Path

from pipeline.core.contents import file_digest
from pipeline.core.plan import KEY_LENGTH
from pipeline.domains.loading import load as load_domain
from pipeline.execution import Execution
from pipeline.models.named import named
from pipeline.recipe_teachers import LocalTable
from pipeline.recipe_text import load
from pipeline.stages.prompts import stage as prompting
from pipeline.store.places import places
from pipeline.teacher import build
from pipeline.teacher.kinds.local import LocalTeacher
from pipeline.teacher.protocol import messages_digest
from pipeline.teacher.recorded import JOURNAL, pack, unpacked

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Arguments: the overrides that were given to `hornbook run record`, or --unpack."""
    store = Path(str(places().data)) / "store"
    if sys.argv[1:2] == ["--unpack"]:
        unpack(store)
        return
    recipe = load("record", sys.argv[1:]).recipe
    for table in recipe.teachers:
        model = named(table.weights)
        if not isinstance(table, LocalTable) or model is None:
            sys.exit(
                f"recipe record: teacher {table.name!r} should be a local, named model, "
                f"got {table.kind} {table.answers_with!r}"
            )
        teacher = build(table, Execution(), recipe.seed)
        assert isinstance(teacher, LocalTeacher)
        # Whichever engine answered, on this machine or another, it was the same model.
        variants = {dataclasses.replace(teacher, engine=engine).variant for engine in ("transformers", "llama.cpp")}
        about = {
            "model": model.title,
            "licence": model.licence,
            "sha256": model.sha256,
            "seed": recipe.seed,
            "sampling": {"temperature": table.temperature, "top_p": table.top_p, "max_tokens": table.max_tokens},
            "templates": prompting.digest(load_domain(recipe.domain)),
        }
        python = recipe.domain == "python"
        folder = ROOT / "data" / "recorded" / (table.name if python else f"{table.name}-{Path(recipe.domain).name}")
        # Solutions answer prompts that are made of answers; outside Python there are none.
        asked = None if python else {messages_digest(prompt.messages) for prompt in prompting.rendered(recipe)}
        told = pack([store / "completions", store / "solutions"], variants, folder, about, asked)
        print(json.dumps(told, indent=1))


def unpack(store: Path) -> None:
    """Each recording as work in progress of the two stages that ask: `earlier_journals` finds it there."""
    for recording in sorted((ROOT / "data" / "recorded").glob(f"*/{JOURNAL}")):
        with unpacked(recording.parent) as (plain,):
            for stage in ("completions", "solutions"):
                folder = store / stage / f"{file_digest(recording)[:KEY_LENGTH]}.partial"
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(plain, folder / "journal.jsonl")


if __name__ == "__main__":
    main()
