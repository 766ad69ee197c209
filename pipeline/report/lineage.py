"""Parents and children of a run's records: the look-ups that `trace` is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pipeline import walk
from pipeline.core.records import Problem
from pipeline.report.card import compact
from pipeline.report.corpus import text_of
from pipeline.report.nearest import nearest
from pipeline.report.steps import Step, chain
from pipeline.report.summary import benchmark_problems
from pipeline.run.reading import RunView, StageView
from pipeline.stages.student.facts import StudentFacts
from pipeline.stages.tokens.facts import TokensFacts
from pipeline.store.parquet import readable

NEAREST = 3
"""Training documents shown for a score."""

"""The stages that a document passes on its way to the tokens."""


_NOTED = ("score", "image", "guess")
"""Records of which the note says all."""


@dataclass(frozen=True)
class Lineage:
    """Look-ups in one run; tables that are asked for more than once are kept."""

    run: RunView

    @cached_property
    def _problems(self) -> dict[str, Problem]:
        return {problem.id: problem for entries in benchmark_problems(self.run).values() for problem in entries}

    def problem(self, problem_id: str) -> Problem | None:
        """The benchmark problem of that id, None where its data is not at hand."""
        return self._problems.get(problem_id)

    def step(self, kind: str, row: Mapping[str, Any], stage: StageView | None) -> Step:
        """A record as a step of its own."""
        what = "document" if kind in ("passage", "exercise") else kind
        name, key = (stage.name, stage.key) if stage else ("", "")
        return Step(what, row["id"], name, key, _note(kind, row), text_of(row) if kind not in _NOTED else "")

    def dropped_step(self, stage: StageView, row: Mapping[str, Any]) -> Step:
        """Why a stage dropped a record."""
        facts = {"reason": row["reason"], "detail": row["detail"], "similarity": row.get("similarity")}
        near = f"; kept instead: {row['kept_id']}" if row.get("kept_id") else ""
        note = f"{row['reason']}: {row['detail']}{near}"
        return Step("dropped", row["id"], stage.name, stage.key, note, facts=facts | {"kept_id": row.get("kept_id")})

    def behind_score(self, row: Mapping[str, Any]) -> tuple[Step, ...]:
        """Sample -> checkpoint -> tokens -> documents -> ... of a score."""
        stage, found = self._one_of(self._sampling_stages(), "id", row["sample_id"])
        if found is None:
            return (_remark(f"sample {row['sample_id']} is not in this run's store"),)
        return (replace(self.step("sample", found, stage), next=self.behind_sample(found)),)

    def behind_sample(self, row: Mapping[str, Any]) -> tuple[Step, ...]:
        """Problem, and checkpoint -> tokens -> documents, of a sample."""
        problem = self.problem(row["problem_id"])
        asked = Step("problem", row["problem_id"], note=f"{row['benchmark']} {row['task_id']}",
                     text=problem.prompt if problem else "")  # fmt: skip
        answered = (problem.prompt if problem else "") + str(row.get("completion") or "")
        return (asked, self._behind_weights(row, answered))

    def _behind_weights(self, row: Mapping[str, Any], answered: str) -> Step:
        student = self.run.stage("student")
        if row["model"] == "before" or student is None or student.manifest is None:
            initial = self.run.loaded.recipe.student.init if self.run.loaded else ""
            note = f"pretrained weights {initial!r}, not trained by this run" if initial else "not trained by this run"
            return Step("weights", row["checkpoint"], note=note)
        facts = student.shown_facts
        checkpoint = Step("checkpoint", student.key, student.name, student.key, _student_note(self.run), facts=facts)
        tokens = self.run.stage("tokens")
        if tokens is None or tokens.manifest is None:
            return checkpoint
        packed = Step("tokens", tokens.key, tokens.name, tokens.key, _tokens_note(self.run), facts=tokens.shown_facts,
                      next=(self._nearest(answered),))  # fmt: skip
        return chain([checkpoint, packed])

    def _nearest(self, answered: str) -> Step:
        trained = [span["document_id"] for span in self._spans.values() if not span.get("held_out")]
        near, compared = nearest(self.run, answered, trained, NEAREST)
        stage = self.run.stage("decontaminated")
        steps = []
        for entry in near:
            document = self.step(entry.row["type"], entry.row, stage)
            note = f"overlap {entry.similarity:.2f}; {document.note}"
            facts = {"overlap": round(entry.similarity, 4)}
            document = replace(document, note=note, facts=facts, next=self.behind_document(entry.row))
            span = self.span_step(entry.row["id"], text_of(entry.row))
            steps.append(chain([span, document]) if span else document)
        return Step(
            "remark",
            note=f"all {len(trained):,} documents shaped these weights; of {compared:,} compared, "
            f"the {len(steps)} that share most word pairs with the answer (an illustration, not a cause):",
            next=tuple(steps),
        )

    @cached_property
    def _spans(self) -> dict[str, dict[str, Any]]:
        return {row["document_id"]: row for row in self.run.rows("tokens", "spans")}

    def span_step(self, document_id: str, text: str) -> Step | None:
        """Where a document lies among the tokens, and whether they decode to its text; None where it was not packed."""
        row, stage = self._spans.get(document_id), self.run.stage("tokens")
        if row is None or stage is None:
            return None
        decoded = _decoded(self.run, stage, row)
        matches = None if decoded is None else decoded == text
        note = f"shard {row['shard']}, tokens {row['start']:,} to {row['stop']:,}, loss from {row['loss_start']:,}"
        if row.get("held_out"):
            note += ", held out for the held-out loss"
        if matches is not None:
            note += "; decodes to the document's text" if matches else "; DECODES TO ANOTHER TEXT"
        facts = {name: row[name] for name in ("shard", "start", "loss_start", "stop")}
        facts |= {"held_out": bool(row.get("held_out")), "decodes_to_text": matches}
        shown = decoded if decoded is not None and not matches else ""
        return Step("span", row["id"], stage.name, stage.key, note, shown, facts)

    def behind_span(self, row: Mapping[str, Any]) -> tuple[Step, ...]:
        """Document -> completion -> prompt -> seed of a token span."""
        stage = self.run.stage("decontaminated")
        rows = self.run.where("decontaminated", "part", "id", {row["document_id"]})
        if not rows:
            return (_remark(f"document {row['document_id']} is not in this run's store"),)
        return (replace(self.step(rows[0]["type"], rows[0], stage), next=self.behind_document(rows[0])),)

    def behind_document(self, row: Mapping[str, Any]) -> tuple[Step, ...]:
        """Completion -> prompt -> seed of a document, or the file that real code is from."""
        if not row.get("completion_id"):
            licence = f", licence {row['licence']}" if row.get("licence") else ", licence unknown"
            return (Step("origin", note=f"{row.get('origin') or 'unknown'}{licence}; real code, no teacher wrote it"),)
        stage, found = self._one_of(["completions"], "id", row["completion_id"])
        if found is None:
            return (_remark(f"completion {row['completion_id']} is not in this run's store"),)
        answer = replace(self.step("completion", found, stage), next=self.behind_completion(found))
        return (*self._reworded(row), *self._solved(row), answer)

    def _reworded(self, row: Mapping[str, Any]) -> tuple[Step, ...]:
        """That a document is an answer's exercise in other words, where it is."""
        stage = self.run.stage("rewordings")
        if not row.get("wording"):
            return ()
        note = f"other words for the answer's exercise, number {row['wording']}; solved from these alone"
        return (Step("remark", row["id"], "rewordings", stage.key if stage else "", note),)

    def _solved(self, row: Mapping[str, Any]) -> tuple[Step, ...]:
        """Which of several solutions a document has whose test was agreed on; none for any other."""
        stage, found = self._one_of(["solutions"], "completion_id", row["completion_id"])
        if found is None or row.get("test_owner") != "agreement":
            return ()
        attempts = found["attempts"] or []
        place = [found["solution"], *attempts].index(row["solution"]) if row["solution"] in attempts else 0
        which = f"blind solution {place} of {len(attempts)}" if place else "the solution that came with it"
        note = f"{which} is kept, the test is what it and others agree on"
        return (Step("remark", found["id"], "solutions", stage.key if stage else "", note),)

    def behind_completion(self, row: Mapping[str, Any]) -> tuple[Step, ...]:
        """Prompt -> seed of a completion."""
        stage, found = self._one_of(["prompts"], "id", row["prompt_id"])
        if found is None:
            return self.behind_prompt(row)
        return (replace(self.step("prompt", found, stage), next=self.behind_prompt(found)),)

    def behind_prompt(self, row: Mapping[str, Any]) -> tuple[Step, ...]:
        """The seed of a prompt."""
        seed = {**row["seed"], "type": "seed"}
        return (self.step("seed", seed, self.run.stage("seeds")),)

    def ahead_of_seed(self, row: Mapping[str, Any]) -> tuple[Step, ...]:
        """Prompts of a seed and all that came of them."""
        dropped = self._dropped("prompts", row["id"])
        prompts = self.run.where("prompts", "part", "seed.id", {row["id"]})
        stage = self.run.stage("prompts")
        steps = [replace(self.step("prompt", p, stage), text="", next=self.ahead_of_prompt(p)) for p in prompts]
        return (*dropped, *steps) or (_remark("no prompt was made of it yet"),)

    def ahead_of_prompt(self, row: Mapping[str, Any]) -> tuple[Step, ...]:
        """Answers to a prompt and all that came of them, or why there is none."""
        dropped = self._dropped("completions", row["id"])
        answers = self.run.where("completions", "part", "prompt_id", {row["id"]})
        stage = self.run.stage("completions")
        steps = [replace(self.step("completion", c, stage), next=self.ahead_of_completion(c)) for c in answers]
        return (*dropped, *steps) or (_remark("no answer came of it yet"),)

    def ahead_of_completion(self, row: Mapping[str, Any]) -> tuple[Step, ...]:
        """The document of an answer and where it went, or why it is none."""
        dropped = self._dropped("documents", row["id"])
        documents = self.run.where("documents", "part", "completion_id", {row["id"]})
        stage = self.run.stage("documents")
        steps = []
        for document in documents:
            step = replace(self.step(document["type"], document, stage), text="")
            steps.append(replace(step, next=self.ahead_of_document(document, stage)))
        return (*dropped, *steps) or (_remark("no document was made of it yet"),)

    def ahead_of_document(self, row: Mapping[str, Any], since: StageView | None) -> tuple[Step, ...]:
        """Each cleaning stage after `since` that kept the document, then its span; or the stage that dropped it."""
        names = [name for name in walk.cleaning() if (s := self.run.stage(name)) and s.manifest]
        if since is not None and since.name in names:
            names = names[names.index(since.name) + 1 :]
        steps: list[Step] = []
        current = row
        for name in names:
            dropped = self._dropped(name, current["id"]) or self._dropped(
                name, current.get("completion_id"), "completion_id"
            )
            if dropped:
                return (chain([*steps, dropped[0]]),)
            kept = self._successor(name, current)
            if kept is None:
                steps.append(_remark(f"stage {name} neither kept nor dropped it: its artifact is of another corpus"))
                return (chain(steps),)
            stage = self.run.stage(name)
            note = "unchanged" if kept["id"] == current["id"] else "its text was changed here"
            steps.append(Step("kept", kept["id"], name, stage.key if stage else "", note))
            current = kept
        steps.append(self._tokens_end(current))
        return (chain(steps),)

    def _tokens_end(self, document: Mapping[str, Any]) -> Step:
        tokens = self.run.stage("tokens")
        if tokens is None or tokens.manifest is None:
            gone = tokens is not None and tokens.state == "removed"
            return _remark("tokens are no longer in the store" if gone else "tokens are not made yet")
        span = self.span_step(document["id"], text_of(document))
        if span is None:
            return _remark("not packed: the recipe's tokens.max_documents did not draw it")
        student = self.run.stage("student")
        if student is None or student.manifest is None or span.facts["held_out"]:
            return span
        read = Step("checkpoint", student.key, student.name, student.key, _student_note(self.run))
        return chain([span, read])

    def scores_of(self, row: Mapping[str, Any]) -> tuple[Step, ...]:
        """The scores of a sample."""
        stage = self.run.stage("scores")
        rows = self.run.where("scores", "part", "sample_id", {row["id"]})
        return tuple(self.step("score", found, stage) for found in rows)

    def _successor(self, name: str, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The document as stage `name` kept it: the same record, or one of the same parent with a changed text."""
        same = self.run.where(name, "part", "id", {row["id"]})
        if not same and row.get("completion_id"):
            same = self.run.where(name, "part", "completion_id", {row["completion_id"]})
        return same[0] if same else None

    def _dropped(self, name: str, value: str | None, column: str = "id") -> tuple[Step, ...]:
        stage = self.run.stage(name)
        rows = self.run.where(name, "dropped", column, {value}) if value else []
        return tuple(self.dropped_step(stage, row) for row in rows) if stage else ()

    def _sampling_stages(self) -> list[str]:
        return [stage.name for stage in self.run.stages if stage.name.startswith("samples")]

    def _one_of(
        self, names: Sequence[str], column: str, value: str
    ) -> tuple[StageView | None, Mapping[str, Any] | None]:
        for name in names:
            rows = self.run.where(name, "part", column, {value})
            if rows:
                return self.run.stage(name), rows[0]
        return None, None


def artifact_step(run: RunView, stage: StageView) -> Step:
    """An artifact and all that it was made from."""
    manifest = stage.manifest
    inputs = manifest.inputs if manifest else {}
    behind = tuple(artifact_step(run, view) for view in run.stages if inputs.get(view.name) == view.key)
    note = f"{stage.state}" + (f", {manifest.kept:,} of {manifest.entered:,} records kept" if manifest else "")
    return Step("artifact", stage.key, stage.name, stage.key, note, facts=stage.shown_facts, next=behind)


def _remark(note: str) -> Step:
    return Step("remark", note=note)


def _note(kind: str, row: Mapping[str, Any]) -> str:
    """One line on a record."""
    match kind:
        case "score":
            state = {True: "passed", False: "failed", None: "unscored"}[row["passed"]]
            detail = f": {row['detail']}" if row.get("detail") else ""
            return f"{row['model']} on {row['benchmark']} {row['task_id']}: {state} ({row['verdict']}{detail})"
        case "sample":
            return f"{row['model']}, {row.get('tokens') or 0} tokens, ended by {row['finish_reason']}"
        case "completion":
            tokens = f"{row['completion_tokens']:,} tokens, " if row["completion_tokens"] else ""
            spent = f"{tokens}ended by {row['finish_reason']}"
            return f"teacher {row['teacher']} ({row['teacher_kind']}, {row['model']}), {spent}"
        case "prompt":
            return f"template {row['template']} {row['template_digest'][:12]}"
        case "seed":
            return f"{row['kind']} number {row['number']}: {row['topic']}, {row['audience']}, {row['form']}"
        case "span":
            return f"shard {row['shard']}, tokens {row['start']:,} to {row['stop']:,}, loss from {row['loss_start']:,}"
        case "image" | "guess":
            return text_of(row)
        case _:
            about = (row.get("teacher"), row.get("topic"), row.get("audience"), row.get("origin"))
            unrun = "nothing of it was executed" if row.get("executed") == 0 and row.get("teacher") else ""
            return ", ".join([kind, *(str(part) for part in (*about, unrun) if part)])


def _student_note(run: RunView) -> str:
    facts = run.facts("student", StudentFacts)
    parts = [f"{compact(facts.parameters)} parameters"] if facts.parameters else []
    parts += [f"{count:,} {name}" for count, name in ((facts.steps, "steps"), (facts.tokens, "tokens")) if count]
    return ", ".join([*parts, *filter(None, [facts.held_out_text()])])


def _tokens_note(run: RunView) -> str:
    facts = run.facts("tokens", TokensFacts)
    counts = ((facts.documents, "documents"), (facts.tokens, "tokens"), (facts.loss_tokens, "that carry loss"))
    return ", ".join(f"{count:,} {words}" for count, words in counts if count is not None)


def _decoded(run: RunView, stage: StageView, row: Mapping[str, Any]) -> str | None:
    """Text of a span's tokens without what begins and ends a document; None where shards or tokenizer cannot be read
    here."""
    if not run.store.is_local:
        return None
    from pathlib import Path

    from tokenizers import Tokenizer

    from pipeline.core.records import Span
    from pipeline.stages.tokens.shards import TokenStore

    tokens = TokenStore(Path(run.store.folder(stage.name, stage.key)))
    vocabulary = tokens.tokenizer_folder / "tokenizer.json"
    if not vocabulary.is_file():
        return None
    places = {name: int(row[name]) for name in ("shard", "start", "loss_start", "stop")}
    ids = tokens.tokens(Span(document_id=row["document_id"], **places)).tolist()
    begin = tokens.manifest.get("begin", [])
    if ids[: len(begin)] == begin:
        ids = ids[len(begin) :]
    if ids and ids[-1] == tokens.manifest["eos"]:
        ids.pop()
    with readable(str(vocabulary), str(tokens.folder)):
        return str(Tokenizer.from_file(str(vocabulary)).decode(ids, skip_special_tokens=False))
