"""What can be said of a run's documents: who wrote what was kept, why the rest was dropped, how varied it is."""

import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline import walk
from pipeline.report.drawn import smallest_ids
from pipeline.report.servers import ServerView, servers
from pipeline.run.journalled import ASKING, by_teacher
from pipeline.run.reading import RunView
from pipeline.stages.completions.facts import CompletionsFacts
from pipeline.stages.quality.facts import QualityFacts
from pipeline.teacher.ages import day
from pipeline.teacher.building import KINDS

SAMPLED_DOCUMENTS = 2_000
"""Documents that the measures of diversity read at most: those with the smallest ids, which is a random draw."""

EXAMPLES_PER_REASON = 2

RAW_CODE = "raw code"
"""The name under which documents without a teacher are counted."""

SOURCE = "source"
"""The kind under which they are."""


@dataclass(frozen=True, slots=True)
class TeacherView:
    """One teacher of the run, or the raw code beside them.

    completions, solutions, rewordings, annotations: whole answers, as a writer, as one who solves exercises again, who
    says them in other words or solves them from these, and as the judge of the value classifier; of a stage that is not
    finished, those in its journal. tokens: of all its answers,
    prompts included. usd: what this run paid. earlier: how many of its answers were given to earlier runs or are
    replayed; earlier_usd: what those cost then. kept: documents that reached the student's corpus. dropped: by stage
    and reason, of the records that came from this teacher. notes: what is to be known of its answers, and of how many.
    oldest, newest: days on which answers were given ("2026-11-28", UTC), "" where they do not say. servers: how each
    did, where it has several.
    """

    name: str
    kind: str
    model: str = ""
    completions: int = 0
    solutions: int = 0
    rewordings: int = 0
    annotations: int = 0
    tokens: int = 0
    usd: float = 0.0
    earlier: int = 0
    earlier_usd: float = 0.0
    kept: int = 0
    dropped: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    oldest: str = ""
    newest: str = ""
    servers: tuple[ServerView, ...] = ()

    @property
    def remarks(self) -> list[str]:
        """For a reader: the age of a model's answers, since the model behind a name may change, and the notes."""
        said = [f"{count:,} answers: {note}" for note, count in self.notes.items()]
        if self.oldest and self.kind in KINDS and KINDS[self.kind].dated:
            days = self.oldest if self.oldest == self.newest else f"{self.oldest} to {self.newest}"
            said.insert(0, f"answers given {days}")
        return said

    @property
    def what(self) -> str:
        """What this teacher is, in words."""
        if self.kind == SOURCE:
            return "real code, written by people"
        return KINDS[self.kind].what if self.kind in KINDS else self.kind

    @property
    def has_model(self) -> bool:
        """Whether a language model wrote its answers, so that it is worth telling which one, and of reusing them."""
        return self.kind not in KINDS or KINDS[self.kind].has_model

    @property
    def told_earlier(self) -> int:
        """Answers of a model that are reused from earlier runs."""
        return self.earlier if self.has_model else 0

    def to_json(self) -> dict[str, Any]:
        """One entry of the report's `teachers`."""
        return {
            "name": self.name,
            "kind": self.kind,
            "what": self.what,
            "model": self.model,
            "completions": self.completions,
            "solutions": self.solutions,
            "rewordings": self.rewordings,
            "annotations": self.annotations,
            "kept": self.kept,
            "tokens": self.tokens,
            "usd": self.usd,
            "reused": self.earlier,
            "reused_usd": self.earlier_usd,
            "dropped": {stage: dict(reasons) for stage, reasons in self.dropped.items()},
            "notes": dict(self.notes),
            "oldest": self.oldest or None,
            "newest": self.newest or None,
            "servers": [server.to_json() for server in self.servers],
        }


@dataclass(frozen=True, slots=True)
class DropExample:
    """One dropped record. text: what a person looks at to judge the drop. kept_id, kept_text: for duplicates."""

    id: str
    type: str
    detail: str
    text: str
    kept_id: str = ""
    kept_text: str = ""
    similarity: float | None = None
    teacher: str = ""

    def to_json(self) -> dict[str, Any]:
        """One entry of a drop's `examples`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class DropView:
    """All records that one stage dropped for one reason, with examples chosen by id."""

    stage: str
    reason: str
    count: int
    examples: tuple[DropExample, ...]

    def to_json(self) -> dict[str, Any]:
        """One entry of the report's `drops`."""
        examples = [example.to_json() for example in self.examples]
        return {"stage": self.stage, "reason": self.reason, "count": self.count, "examples": examples}


@dataclass(frozen=True, slots=True)
class Diversity:
    """How varied the kept corpus is. The paper names the lack of such a measure (Gunasekar et al. 2023, section 6).

    topics, audiences, function_names: distinct values. effective_topics: exp of the entropy of the topics, the number
    of equally frequent topics that would be as varied. distinct_4grams: distinct word 4-grams over all of them, in
    [0, 1]. compression: size over zlib-compressed size; higher is more repetitive. The last two are of
    `sampled` documents.
    """

    documents: int
    exercises: int
    passages: int
    topics: int
    effective_topics: float
    audiences: int
    function_names: int
    sampled: int
    distinct_4grams: float | None
    compression: float | None

    def to_json(self) -> dict[str, Any]:
        """The report's `diversity`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def text_of(row: Mapping[str, Any]) -> str:
    """What a person reads of a record's row: document, answer, question, or the seed's topic."""
    kind = row.get("type")
    if kind == "exercise":
        return f"{row.get('prompt') or ''}{row.get('solution') or ''}"
    if kind in ("passage", "completion"):
        return str(row.get("text") or "")
    if kind == "prompt":
        return "\n\n".join(f"[{m['role']}]\n{m['content']}" for m in row.get("messages") or ())
    if kind == "problem":
        return f"{row.get('prompt') or ''}{row.get('canonical_solution') or ''}"
    if kind == "sample":
        return str(row.get("completion") or "")
    if kind == "seed":
        named = [row.get("title"), row.get("function_name"), *(row.get("words") or ())]
        task = row.get("task")
        return " · ".join(str(part) for part in named if part) + (f"\n{task['prompt']}" if task else "")
    if kind == "score":
        return str(row.get("detail") or "")
    if kind == "image":
        size = f", {row['width']} x {row['height']} pixels" if row.get("width") else ""
        return f"{row['source']} ({row['split']}): {row.get('label') or 'no label'}{size}"
    if kind == "guess":
        return f"{row['method']} of {row['features']}: {row['guessed']}, is {row['label']}"
    return ""


def teacher_of(row: Mapping[str, Any]) -> str:
    """Name of the teacher that a row came from, "" for real code."""
    seed = row.get("seed") or {}
    return str(row.get("teacher") or seed.get("teacher") or "")


def drops(run: RunView) -> list[DropView]:
    """Every stage and reason with its count and a few examples, in the order of the walk, most frequent first."""
    found = []
    for name in walk.corpus():
        stage = run.stage(name)
        if stage is None or stage.manifest is None or not stage.manifest.dropped:
            continue
        examples: dict[str, list[DropExample]] = defaultdict(list)
        rows = smallest_ids(run, name, EXAMPLES_PER_REASON, "dropped", by="reason")
        keepers = {row["kept_id"] for row in rows if row.get("kept_id")}
        kept_texts = {row["id"]: text_of(row) for row in run.where(name, "part", "id", keepers)}
        for row in rows:
            example = DropExample(
                id=row["id"],
                type=row["type"],
                detail=row["detail"],
                text=text_of(row),
                kept_id=row.get("kept_id") or "",
                kept_text=kept_texts.get(row.get("kept_id") or "", ""),
                similarity=row.get("similarity"),
                teacher=teacher_of(row),
            )
            examples[row["reason"]].append(example)
        for reason, count in sorted(stage.manifest.dropped.items(), key=lambda item: (-item[1], item[0])):
            found.append(DropView(name, reason, count, tuple(examples[reason])))
    return found


def teachers(run: RunView) -> list[TeacherView]:
    """The recipe's teachers in its order, then raw code where there is any."""
    asked = {stage: _asked(run, stage) for stage in ASKING}
    kinds = {t.name: (t.kind, t.answers_with) for t in run.loaded.recipe.teachers} if run.loaded else {}
    kept = Counter(teacher_of(row) for row in run.rows(_last_corpus(run), columns=["teacher"]))
    dropped = _dropped_by_teacher(run)
    serving = servers(run.events("servers"))
    found = []
    named = (name for facts in asked.values() for name in facts)
    for name in dict.fromkeys([*kinds, *named, *sorted((kept.keys() | dropped.keys()) - {""})]):
        facts = {stage: one.get(name, {}) for stage, one in asked.items()}
        wrote, judged = facts["completions"], facts["quality"]
        kind, model = kinds.get(name, ("", ""))

        def total(key: str, facts: Mapping[str, Mapping[str, Any]] = facts) -> Any:
            return sum(fact.get(key) or 0 for fact in facts.values())

        found.append(
            TeacherView(
                name=name,
                kind=str(wrote.get("kind") or kind or judged.get("kind") or ""),
                model=str(wrote.get("model") or judged.get("model") or model),
                completions=int(wrote.get("completions") or 0),
                solutions=int(facts["solutions"].get("completions") or 0),
                rewordings=int(facts["rewordings"].get("completions") or 0),
                annotations=int(judged.get("completions") or 0),
                tokens=int(total("tokens")),
                usd=float(total("usd")),
                earlier=int(total("earlier")),
                earlier_usd=float(total("earlier_usd")),
                kept=kept[name],
                dropped=dropped.get(name, {}),
                notes=sum((Counter(fact.get("notes") or {}) for fact in facts.values()), Counter()),
                oldest=day(min((fact["oldest"] for fact in facts.values() if fact.get("oldest")), default=0)),
                newest=day(max((fact["newest"] for fact in facts.values() if fact.get("newest")), default=0)),
                servers=serving.get(name, ()),
            )
        )
    raw = run.stage("raw-code")
    if raw is not None and raw.manifest is not None:
        source = run.loaded.recipe.sources.kind if run.loaded else ""
        found.append(TeacherView(RAW_CODE, SOURCE, source, kept=kept[""], dropped=dropped.get("", {})))
    return found


def _last_corpus(run: RunView) -> str:
    """The last stage of documents that the run has made: what is kept so far where it ended there."""
    made = [name for name in walk.corpus() if (stage := run.stage(name)) and stage.manifest is not None]
    return made[-1] if made and made[-1] in walk.documents() else "decontaminated"


def _asked(run: RunView, name: str) -> dict[str, Mapping[str, Any]]:
    """What each teacher answered in a stage, and who paid for it, as `pipeline.teacher.Spent` counts."""
    stage = run.stage(name)
    if stage is None:
        return {}
    if stage.manifest is None:
        return {
            teacher: {"completions": one.whole, "tokens": one.tokens, "usd": round(one.usd, 8)}
            for teacher, one in by_teacher(stage, run).items()
        }
    if name != "quality":
        told = CompletionsFacts.from_json(stage.facts).teachers or ()
    else:
        told = [judge] if (judge := QualityFacts.from_json(stage.facts).judge) else []
    found = {fact["name"]: fact for fact in told if fact.get("name")}
    if stage.state != "reused":
        return found
    # Another run asked and paid for all of it.
    return {
        teacher: {**fact, "usd": 0.0, "earlier": fact.get("completions"),
                  "earlier_usd": float(fact.get("usd") or 0.0) + float(fact.get("earlier_usd") or 0.0)}
        for teacher, fact in found.items()
    }  # fmt: skip


def _dropped_by_teacher(run: RunView) -> dict[str, dict[str, dict[str, int]]]:
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for name in walk.corpus():
        for row in run.rows(name, "dropped", columns=["teacher", "seed.teacher", "reason"]):
            counts[teacher_of(row)][name][row["reason"]] += 1
    return {
        teacher: {stage: dict(reasons.most_common()) for stage, reasons in stages.items()}
        for teacher, stages in counts.items()
    }


def unexecuted(run: RunView) -> int:
    """A teacher's passages that the stage `validated` kept though none of their code was executed."""
    rows = run.rows("validated", columns=["teacher", "executed"])
    return sum(bool(row.get("teacher")) and row.get("executed") == 0 for row in rows)


def diversity(run: RunView) -> Diversity | None:
    """Measures of the kept corpus, None before it is there."""
    kinds, topics, audiences = Counter[str](), Counter[str](), set[str]()
    names: set[str] = set()
    for row in run.rows("decontaminated", columns=["type", "topic", "audience", "entry_point"]):
        kinds[row["type"]] += 1
        topics[row.get("topic") or ""] += 1
        audiences.add(row.get("audience") or "")
        names.add(row.get("entry_point") or "")
    if not kinds:
        return None
    del topics[""]
    texts = _sampled_texts(run)
    return Diversity(
        documents=kinds.total(),
        exercises=kinds["exercise"],
        passages=kinds["passage"],
        topics=len(topics),
        effective_topics=round(math.exp(entropy(topics)), 1) if topics else 0.0,
        audiences=len(audiences - {""}),
        function_names=len(names - {""}),
        sampled=len(texts),
        distinct_4grams=ngram_share(texts, 4),
        compression=_compression(texts),
    )


def _sampled_texts(run: RunView) -> list[str]:
    columns = ["id", "type", "text", "prompt", "solution"]
    return [text_of(row) for row in smallest_ids(run, "decontaminated", SAMPLED_DOCUMENTS, columns=columns)]


def entropy(counts: Mapping[str, int]) -> float:
    """Shannon entropy of the counts in nats."""
    total = sum(counts.values())
    return -sum(n / total * math.log(n / total) for n in counts.values())


def ngram_share(texts: Iterable[str], size: int) -> float | None:
    """Distinct word n-grams over all of them; None where no text has `size` words."""
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        words = text.split()
        grams = list(zip(*(words[start:] for start in range(size)), strict=False))
        total += len(grams)
        seen.update(grams)
    return round(len(seen) / total, 4) if total else None


def _compression(texts: Sequence[str]) -> float | None:
    data = "\n".join(texts).encode("utf-8", "replace")
    return round(len(data) / len(zlib.compress(data, 6)), 3) if data else None
