"""What is decided over the whole corpus: predicted educational value, and who gives way in crowded clusters."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import HornbookError, InputError
from pipeline.core.records import Document
from pipeline.core.resources import shipped
from pipeline.core.stage import Dropped, Kept
from pipeline.recipe import QualityTable
from pipeline.stages.quality.diversity import Crowding, flattened, standardised, vendi_score
from pipeline.stages.quality.facts import QualityFacts
from pipeline.stages.quality.judge import Annotation
from pipeline.work.protocol import Executor

if TYPE_CHECKING:
    from pipeline.stages.quality.classifier import ValueModel

Array = npt.NDArray[Any]

GRADED = "graded"
"""The value model that is shipped, in quality.model."""
EXTREMES = 10
"""Documents of highest and of lowest value that are named, as the issue of a classifier is seen by looking."""
VENDI_SAMPLE = 500
"""Documents on which the Vendi score of the embedding is taken, before and after: those with the smallest ids."""
VALUED = 512
"""Documents that the forest values at once: about 1 MB of embeddings to send."""


@dataclass(frozen=True, slots=True)
class Valuation:
    """What the classifier and the sampler did.

    model: None where no classifier ran; reused: where it came from, "" for trained here. values: of each document by
    id. limit: smallest value kept, None without a classifier. vendi_before, vendi_after: Vendi score of the embedding,
    both on `vendi_sample` documents. clusters: None where nothing was flattened; with, documents and largest cluster.
    """

    model: "ValueModel | None"
    reused: str
    values: Mapping[str, float]
    limit: float | None
    vendi_sample: int
    vendi_before: float | None
    vendi_after: float | None
    clusters: Mapping[str, int] | None

    def warnings(self) -> list[str]:
        """What makes the values doubtful; empty where nothing does."""
        return self.model.report.warnings() if self.model else []

    def facts(self) -> QualityFacts:
        """The valuation for a manifest, without the values of all documents but the ten best and ten worst."""
        order = sorted(self.values, key=lambda i: (self.values[i], i))
        return QualityFacts(
            classifier=self.model.report if self.model else None,
            about=dict(self.model.about) if self.model else None,
            reused=self.reused,
            warnings=self.warnings(),
            limit=self.limit,
            valued=len(order),
            values=histogram(list(self.values.values())) if order else [],
            best=[{"id": i, "value": round(self.values[i], 4)} for i in order[::-1][:EXTREMES]],
            worst=[{"id": i, "value": round(self.values[i], 4)} for i in order[:EXTREMES]],
            diversity={
                "sampled": self.vendi_sample,
                "vendi_before": self.vendi_before,
                "vendi_after": self.vendi_after,
            },
            clusters=dict(self.clusters) if self.clusters else None,
        )


@dataclass(frozen=True, slots=True)
class Selection:
    """What decides over the whole corpus.

    embed: (texts) -> (texts, features). annotate: a judge, needed to train a classifier. seed: root of the choice of
    the annotated sample. about: what `embed` and `annotate` are, for the saved model. executor: where the forest values
    the documents, which changes nothing in the result. found: told what was done, after the last drop.
    """

    table: QualityTable
    embed: Callable[[Sequence[str]], Array]
    annotate: Callable[[Sequence[Document]], Sequence[Annotation]] | None
    seed: int
    about: Mapping[str, Any]
    executor: Executor
    found: "Callable[[Valuation], None]"

    def __call__(self, documents: Sequence[Document]) -> Iterator[Kept[Document] | Dropped]:
        """Value every document, drop those below the limit as low-value, then thin crowded clusters as repeated.

        Documents that the judge annotated get the value that a forest gives which did not see them, so no document
        gains from having been annotated. Each document is embedded once, after the judge is done: a budget that ends
        the judge ends the stage before the long part, and the two models need not be in memory at once.
        """
        everything = _Once(lambda: self.embed([document.text for document in documents]))
        model, values, limit, passed = None, None, None, list(range(len(documents)))
        if self.table.classifier:
            model = self._model(documents, everything)
            values = self._values(model, documents, everything())
            limit = _limit(values, self.table)
            passed = [place for place in passed if values[place] >= limit]
            for place in map(int, np.flatnonzero(values < limit)):
                yield Dropped(documents[place], "low-value", f"predicted value {values[place]:.3f} < {limit:.3f}")
        centred = standardised(everything())
        kept, clusters = passed, None
        if self.table.flatten < 1 and passed:
            inside = [documents[place] for place in passed]
            count = max(1, round(self.table.flatten * len(passed)))
            standing = flattened(inside, centred[passed], count, seed=self.seed)
            kept = [place for place, where in zip(passed, standing, strict=True) if where.taken]
            clusters = _clusters(standing)
            yield from _repeated(inside, standing)
        sample = min(VENDI_SAMPLE, len(kept))
        self.found(
            Valuation(
                model=model,
                reused=self.table.model,
                values={} if values is None else {d.id: float(v) for d, v in zip(documents, values, strict=True)},
                limit=limit,
                vendi_sample=sample,
                vendi_before=round(vendi_score(centred[:sample]), 2) if sample else None,
                vendi_after=round(vendi_score(centred[kept[:sample]]), 2) if sample else None,
                clusters=clusters,
            )
        )
        for place in kept:
            yield Kept(documents[place])

    def _model(self, documents: Sequence[Document], everything: "_Once") -> "ValueModel":
        from pipeline.stages.quality.classifier import fit

        table = self.table
        if table.model:
            return reused(table.model, self.about.get("embedding"))
        if self.annotate is None:
            raise HornbookError(
                "quality.classifier = true needs a judge",
                hint="name a teacher in quality.judge or a saved value model in quality.model",
            )
        places = {document.text: place for place, document in enumerate(documents)}
        return fit(
            documents,
            self.annotate,
            lambda texts: everything()[[places[text] for text in texts]],
            sample=table.annotate,
            seed=self.seed,
            repeats=table.repeats,
            about=self.about,
        )

    def _values(self, model: "ValueModel", documents: Sequence[Document], embeddings: Array) -> Array:
        """(documents,) float64: what the forest gives, of annotated documents what one gave that did not see them."""
        cut = (embeddings[start : start + VALUED] for start in range(0, len(embeddings), VALUED))
        values = np.concatenate(list(self.executor.map(model.values, cut)))
        places = {document.id: place for place, document in enumerate(documents)}
        for record_id, value in model.held_out.items():
            values[places[record_id]] = value
        return values


def _clusters(standing: Sequence[Crowding]) -> dict[str, int]:
    return {
        "clusters": len({where.cluster for where in standing}),
        "documents": len(standing),
        "largest_before": max(where.size for where in standing),
        "largest_after": max(where.level for where in standing),
    }


def _repeated(documents: Sequence[Document], standing: Sequence[Crowding]) -> Iterator[Dropped]:
    for document, where in zip(documents, standing, strict=True):
        if not where.taken:
            detail = f"place {where.place} > {where.level} kept of the {where.size} in cluster {where.cluster}"
            yield Dropped(document, "repeated", detail)


def folder_of(model: str) -> Path:
    """The folder that quality.model names."""
    return shipped("value-model") if model == GRADED else Path(model).expanduser()


def reused(folder: str, embedding: Any) -> "ValueModel":
    """The saved value model of quality.model. embedding: what this run reads with, None where that is not known.

    Raises InputError where there is none, or it was trained on another embedding.
    """
    from pipeline.stages.quality.classifier import ValueModel

    model = ValueModel.load(folder_of(folder))
    trained = model.about.get("embedding")
    if trained is not None and embedding is not None and trained != embedding:
        raise InputError(
            f"quality.model = {folder!r} was trained on the embedding {_named(trained)}, this run has "
            f"{_named(embedding)}",
            hint="set quality.embedding and quality.embedding_tokens to what it was trained with, "
            "or leave quality.model empty to train again",
        )
    return model


def _named(embedding: Mapping[str, Any]) -> str:
    """ "SmolLM2.gguf (digest b179c9523d0e, tokens 512)"."""
    name = embedding.get("name") or embedding.get("kind") or "model"
    told = [f"digest {str(embedding['digest'])[:12]}"] if "digest" in embedding else []
    told += [f"tokens {embedding['tokens']}"] if "tokens" in embedding else []
    return f"{name} ({', '.join(told)})" if told else str(name)


class _Once:
    """The result of a function that is called when it is first asked for."""

    def __init__(self, function: Callable[[], Array]) -> None:
        self._function = function
        self._result: Array | None = None

    def __call__(self) -> Array:
        if self._result is None:
            self._result = self._function()
        return self._result


def _limit(values: Array, table: QualityTable) -> float:
    """The smallest value kept: `min_value`, else the quantile that keeps `keep_quantile` of the documents."""
    if table.min_value is not None:
        return table.min_value
    return float(np.quantile(values, 1 - table.keep_quantile)) if table.keep_quantile else float("inf")


def histogram(values: Sequence[float], bins: int = 20) -> list[int]:
    """How many of the values lie in each of `bins` equal parts of [0, 1]; 1.0 counts to the last."""
    counts, _ = np.histogram(np.asarray(values), bins=bins, range=(0.0, 1.0))
    return [int(count) for count in counts]
