"""Under which licences a run's texts and weights may be passed on, and what stands in the way.

What is known comes from the recipe, from the table of named models and from the licences that `raw-code` found in
files. Of an endpoint's model nothing is known: whoever passes its answers on says under which terms they may be.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import HornbookError, UsageError
from pipeline.models.named import known as named_models
from pipeline.recipe import Recipe
from pipeline.recipe_teachers import LocalTable, ReplayTable
from pipeline.run.reading import RunView
from pipeline.teacher.recorded import ABOUT, replayed

SMOLLM2 = "Apache-2.0"
"""Of SmolLM2-135M-Instruct, as its card on the hub says."""

UNKNOWN = ""
_NO_MODEL = "no model"

_FORBIDDEN = re.compile(r"(^|[-_])(nc|nd|noncommercial|proprietary|mnpl|mrl)([-_.]|$)|^llama-?2$", re.IGNORECASE)
"""Licences that forbid passing a work or its changes on, or training other models on what a model wrote: Creative
Commons' NC and ND, Mistral's non-production and research licences, and Llama 2's (its section 1.b.v)."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One thing that a corpus or a model was made from.

    what: "teacher NAME", "real code", "first weights". licence: as SPDX writes it where that can be told, "" where it
    is not known, "no model" where a program wrote it. documents: how many of its texts are passed on, 0 for weights.
    says: who says so.
    """

    what: str
    model: str
    licence: str
    documents: int = 0
    says: str = ""

    @property
    def conflict(self) -> str:
        """Why it may not be passed on, as far as is known; "" where it may."""
        much = f"{self.documents:,} texts of " if self.documents else ""
        if self.licence == UNKNOWN:
            return f"{much}{self.what}{f' ({self.model})' if self.model else ''}: the licence is not known"
        if _FORBIDDEN.search(self.licence):
            return f"{much}{self.what}: {self.licence} forbids it"
        return ""


Texts = Counter[tuple[str, str]]
"""Texts by teacher and, of real code, licence."""


def counted(rows: Iterable[Mapping[str, str]]) -> Texts:
    """The texts of `rows` ("teacher", "licence")."""
    return Counter(
        (teacher, "" if teacher else row.get("licence") or "") for row in rows for teacher in [row.get("teacher") or ""]
    )


def of_corpus(run: RunView, texts: Texts, said: Mapping[str, str]) -> list[Origin]:
    """What the texts came from; said: licence by teacher, from the user."""
    recipe = run.loaded.recipe if run.loaded else None
    found = []
    for (teacher, licence), count in sorted(texts.items()):
        if teacher:
            model, licence, says = _of_teacher(recipe, teacher, said)
            found.append(Origin(f"teacher {teacher}", model, licence, count, says))
        else:
            found.append(Origin("real code", "", licence, count, "its files" if licence else ""))
    return found


def of_model(run: RunView, said: Mapping[str, str]) -> list[Origin]:
    """What the student's weights began from, and whose distributions it learnt."""
    recipe = run.loaded.recipe if run.loaded else None
    if recipe is None:
        return []
    found = []
    if recipe.student.init != "scratch":
        licence, says = _of_weights(recipe.student.init, said)
        found.append(Origin("first weights", recipe.student.init, licence, says=says))
    if recipe.soft_targets.teacher:
        licence, says = _of_weights(recipe.soft_targets.teacher, said)
        found.append(Origin("soft targets", recipe.soft_targets.teacher, licence, says=says))
    return found


def parsed(options: Iterable[str]) -> dict[str, str]:
    """`NAME=LICENCE` of the command line, by the teacher's or model's name; of a LICENCE alone the name is "", and the
    exported work is meant. Raises UsageError for what is neither."""
    found: dict[str, str] = {}
    for option in options:
        name, _, licence = option.rpartition("=")
        if not licence.strip() or (name in found) or ("=" in option and not name):
            raise UsageError(
                f"--licence {option!r:.80}", hint="write NAME=LICENCE once for each teacher or model, e.g. gpt=MIT"
            )
        found[name] = licence.strip()
    return found


def _of_teacher(recipe: Recipe | None, name: str, said: Mapping[str, str]) -> tuple[str, str, str]:
    """Model, licence, and who says so."""
    table = next((one for one in recipe.teachers if one.name == name), None) if recipe else None
    model = table.answers_with if table is not None else ""
    if name in said:
        return model, said[name], "who exported it"
    if table is not None and table.kind == "composer":
        return "", _NO_MODEL, "the recipe"
    if isinstance(table, LocalTable):
        return model, *_of_weights(table.weights, said)
    if isinstance(table, ReplayTable):
        return _of_recording(table.replay)
    return model, *(_of_weights(model, said) if model else (UNKNOWN, ""))


def _of_recording(replay: str) -> tuple[str, str, str]:
    """Model, licence, and who says so, of recorded answers."""
    try:
        about = json.loads((replayed(replay) / ABOUT).read_text(encoding="utf-8"))
        return str(about["model"]), str(about["licence"]), "its recording"
    except (OSError, ValueError, KeyError, TypeError, HornbookError):
        return "", UNKNOWN, ""


def _of_weights(spec: str, said: Mapping[str, str]) -> tuple[str, str]:
    """Licence of a model by its name or folder, and who says so."""
    if spec in said:
        return said[spec], "who exported it"
    if spec == "smollm2":
        return SMOLLM2, "its card"
    if spec in named_models():
        return named_models()[spec].licence, "models.toml"
    card = Path(spec, "README.md")
    if card.is_file():
        from huggingface_hub import metadata_load

        try:
            licence = (metadata_load(card) or {}).get("license")
        except ValueError:
            licence = None
        if isinstance(licence, str):
            return licence, "its card"
    return UNKNOWN, ""
