"""Packs the answers to the recipe `record`, blind solutions too, into data/recorded/MODEL, two files a
model.

Those of a domain other than Python (`domain=sql`) go into data/recorded/MODEL-DOMAIN, so that one recording grows and
runs that replay another keep their keys.

--unpack: the other way. The store gets what is recorded as journals of earlier runs, under the keys of any engine, and
`record` asks on from there.
"""

import dataclasses
import json
import sys
from pathlib import Path

from pipeline.core.identity import digest
from pipeline.core.plan import KEY_LENGTH
from pipeline.core.records import Exercise, Prompt
from pipeline.domains.loading import load as load_domain
from pipeline.execution import Execution
from pipeline.models.named import named
from pipeline.recipe import Recipe
from pipeline.recipe_teachers import LocalTable
from pipeline.recipe_text import load
from pipeline.stages.completions.facts import WRITING
from pipeline.stages.prompts import stage as prompting
from pipeline.stages.solutions.stage import seed_of
from pipeline.store.places import places
from pipeline.teacher import build
from pipeline.teacher.kinds.local import LocalTeacher
from pipeline.teacher.protocol import messages_digest
from pipeline.teacher.recorded import pack, unpack

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Arguments: --unpack or not, and the overrides that are given to `hornbook run record`."""
    arguments = sys.argv[1:]
    out = arguments[:1] == ["--unpack"]
    store = Path(str(places().data)) / "store"
    recipe = load("record", arguments[1:] if out else arguments).recipe
    answering: dict[str, list[LocalTable]] = {}
    for table in recipe.teachers:
        model = named(table.weights)
        if not isinstance(table, LocalTable) or model is None:
            sys.exit(
                f"recipe record: teacher {table.name!r} should be a local, named model, "
                f"got {table.kind} {table.answers_with!r}"
            )
        answering.setdefault(model.name, []).append(table)
    for model_name, tables in answering.items():
        model = named(model_name)
        assert model is not None
        variants = {variant for table in tables for variant in _variants(table, recipe)}
        python = recipe.domain == "python"
        name = model.name if python else f"{model.name}-{Path(recipe.domain).name}"
        folder = ROOT / "data" / "recorded" / name
        if out:
            # Work in progress of the stages that ask: `earlier_journals` finds it there.
            for stage in WRITING:
                unpack(folder, variants, store / stage / f"{digest(name)[:KEY_LENGTH]}.partial" / "journal.jsonl")
            continue
        about = {
            "model": model.title,
            "licence": model.licence,
            "sha256": model.sha256,
            "seed": recipe.seed,
            "sampling": {
                table.name: {"temperature": table.temperature, "top_p": table.top_p, "max_tokens": table.max_tokens}
                for table in tables
            },
            "templates": prompting.digest(load_domain(recipe.domain)),
        }
        asked = None if python else _asked(recipe)
        told = pack([store / stage for stage in WRITING], variants, folder, about, asked)
        print(json.dumps(told, indent=1))


def _variants(table: LocalTable, recipe: Recipe) -> set[str]:
    """Of a teacher by any engine: whichever answered, on this machine or another, it was the same model."""
    teacher = build(table, Execution(), recipe.seed)
    assert isinstance(teacher, LocalTeacher)
    return {dataclasses.replace(teacher, engine=engine).variant for engine in ("transformers", "llama.cpp")}


def _asked(recipe: Recipe) -> set[str]:
    """Digests of what a domain's recipe asks: its prompts, and those that ask for the solutions of any exercise that is
    in the store, which of another domain's exercises nobody was asked."""
    domain, store = load_domain(recipe.domain), places().store
    folders = (Path(str(places().data)) / "store" / "documents").glob("*/manifest.json")
    documents = (record for found in folders for record in store.kept("documents", found.parent.name))
    exercises = (record for record in documents if isinstance(record, Exercise))
    solving = (seed_of(exercise, number) for number, exercise in enumerate(exercises))
    prompts = [*prompting.rendered(recipe), *(outcome.record for outcome in prompting.Render(domain)(solving))]
    return {messages_digest(prompt.messages) for prompt in prompts if isinstance(prompt, Prompt)}


if __name__ == "__main__":
    main()
