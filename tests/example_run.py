"""A run on disk to report on: real records, a real store and real tokens; what a model would have said is made up here.

The numbers mean nothing. Every kind of thing that a report shows is in it: two teachers and raw code, every cleaning
stage with drops, a loss curve, a benchmark with groups, gained, lost, solved, failed and unscored problems.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.identity import rng
from pipeline.core.plan import Plan
from pipeline.core.records import Completion, Exercise, Message, Passage, Problem, Prompt, Record, Sample, Score, Seed
from pipeline.core.stage import Dropped, Kept, Tally
from pipeline.recipe_text import Loaded, dump, load
from pipeline.store.store import Store, Writer
from pipeline.walk import plan

RECIPE = """
name = "example"
description = "Composed exercises and a few answers of a small language model; a student fine-tuned on what passed."
seed = 7

[seeds]
exercises = {exercises}
textbooks = {textbooks}

[[teachers]]
name = "composer"
kind = "composer"
exercise_share = 0.8

[[teachers]]
name = "smollm2"
kind = "local"
model = "smollm2"
tests = "seed"
exercise_share = 0.2
textbook_share = 0.0

[sources]
kind = "stdlib"

[tokens]
tokenizer = "train"
vocabulary = 400

[student]
init = "smollm2"
held_out = 0.05

[evaluation]
benchmarks = [{benchmarks}]

[decontaminated]
benchmarks = []
"""

TOPICS = ("lists/mapping", "lists/filtering", "strings/cases", "numbers/sums", "dictionaries/counting")
AUDIENCES = ("a beginner", "a data analyst", "a student of mathematics")
GROUPS = ("new parameters", "new compositions", "new wordings")

FAMILIES = (
    ("add_{n}_to_each", "values: list[int]", "list[int]", "Return a new list in which each value is larger by {n}.",
     "    return [value + {n} for value in values]\n", "[1, 2]", "[{a}, {b}]"),
    ("keep_above_{n}", "values: list[int]", "list[int]", "Keep the values that are greater than {n}, in their order.",
     "    kept = []\n    for value in values:\n        if value > {n}:\n            kept += [value]\n    return kept\n",
     "[0, 1000]", "[1000]"),
    ("repeat_{n}_times", "text: str", "str", "Return `text` written {n} times, one after the other, with no space.",
     "    return text * {n}\n", "''", "''"),
    ("sum_of_multiples_of_{n}", "limit: int", "int", "Add up all multiples of {n} that are smaller than `limit`.",
     "    total = 0\n    for number in range({n}, limit, {n}):\n        total += number\n    return total\n", "1", "0"),
)  # fmt: skip


@dataclass(frozen=True)
class Example:
    """The run, and one record of each kind that a test may want to follow."""

    folder: Path
    store: Store
    plan: Plan
    loaded: Loaded
    seeds: tuple[Seed, ...]
    prompts: tuple[Prompt, ...]
    completions: tuple[Completion, ...]
    documents: tuple[Exercise | Passage, ...]
    kept: tuple[Exercise | Passage, ...]
    drops: dict[str, list[Dropped]]
    problems: tuple[Problem, ...]
    samples: tuple[Sample, ...]
    scores: tuple[Score, ...]


def exercise_text(number: int) -> tuple[str, str, str, str]:
    """Prompt, solution, entry point and test of the n-th exercise."""
    name, parameter, returns, words, body, given, wanted = FAMILIES[number % len(FAMILIES)]
    n = number // len(FAMILIES) + 2
    entry_point = name.format(n=n)
    prompt = f'def {entry_point}({parameter}) -> {returns}:\n    """{words.format(n=n)}"""\n'
    test = f"assert {entry_point}({given}) == {wanted.format(a=n + 1, b=n + 2)}\n"
    return prompt, body.format(n=n), entry_point, test


class _Artifacts:
    """Writes artifacts under the keys of a plan."""

    def __init__(self, store: Store, planned: Plan) -> None:
        self.store, self.plan = store, planned

    def write(
        self,
        name: str,
        kept: Iterable[Record],
        dropped: Sequence[Dropped] = (),
        facts: dict[str, Any] | None = None,
        kept_types: Sequence[type[Record]] = (),
        dropped_types: Sequence[type[Record]] = (),
        folder: Path | None = None,
    ) -> None:
        stage = self.plan[name]
        writer = Writer(self.store, name, stage.key, kept_types, dropped_types)
        tally = Tally()
        outcomes: list[Kept[Any] | Dropped] = [*map(Kept, kept), *dropped]
        for outcome in outcomes:
            tally.entered += 1
            if isinstance(outcome, Dropped):
                tally.dropped[outcome.reason] += 1
            else:
                tally.kept += 1
            if folder is None:
                writer.write(outcome)
        if folder is not None:
            for entry in sorted(folder.iterdir()):
                writer.add(entry)
        writer.finish(
            tally,
            version=stage.version,
            inputs=stage.inputs,
            settings=stage.settings,
            facts=facts or {},
            made_by="hornbook test",
            seconds=rng(7, "seconds", name).uniform(0.2, 90),
            cpu_seconds=rng(7, "cpu seconds", name).uniform(0.1, 90),
        )


def build(
    root: Path,
    *,
    exercises: int = 48,
    textbooks: int = 6,
    problems: int = 24,
    humaneval: bool = False,
    name: str = "example",
) -> Example:
    """Write the run below `root` and return what is in it."""
    root.mkdir(parents=True, exist_ok=True)
    benchmark = root / "invented.jsonl"
    benchmark.write_text("".join(json.dumps(_problem_row(n)) + "\n" for n in range(problems)), encoding="utf-8")
    names = f'"{benchmark}"' + (', "humaneval"' if humaneval else "")
    folder, store = root / "runs" / name, Store(str(root / "store"))
    folder.mkdir(parents=True)
    source = folder / "recipe.toml"
    source.write_text(RECIPE.format(exercises=exercises, textbooks=textbooks, benchmarks=names), encoding="utf-8")
    loaded = load(str(source))
    source.write_text(dump(loaded.recipe, loaded.execution), encoding="utf-8")
    planned = plan(loaded.recipe, {})
    made = _corpus(_Artifacts(store, planned), exercises, textbooks)
    asked, samples, scores = _scores(_Artifacts(store, planned), loaded)
    _student(_Artifacts(store, planned), loaded, made["kept"], root)
    _run_files(folder, planned, name)
    return Example(folder, store, planned, loaded, problems=asked, samples=samples, scores=scores, **made)


def _corpus(artifacts: _Artifacts, exercises: int, textbooks: int) -> dict[str, Any]:
    seeds, prompts = [], []
    for number in range(exercises + textbooks):
        kind: Any = "exercise" if number < exercises else "textbook"
        teacher = "smollm2" if kind == "exercise" and number % 5 == 4 else "composer"
        topic = TOPICS[number % len(TOPICS)]
        seed = Seed(
            kind=kind,
            number=number,
            topic=topic,
            title=topic.split("/")[1],
            audience=AUDIENCES[number % 3],
            form="function with a docstring" if kind == "exercise" else "short chapter",
            teacher=teacher,
            function_name=exercise_text(number)[2] if kind == "exercise" else "",
            words=("river", "count"),
        )
        asked = f"Write a {seed.form} on {seed.title} for {seed.audience}."
        messages = (Message("system", "You write Python teaching material."), Message("user", asked))
        seeds.append(seed)
        prompts.append(Prompt(seed=seed, messages=messages, template="exercise/write.md", template_digest="5f" * 32))
    artifacts.write("seeds", seeds, kept_types=(Seed,))
    artifacts.write("prompts", prompts, kept_types=(Prompt,), dropped_types=(Seed,))
    drops: dict[str, list[Dropped]] = {}
    answers, unanswered = [], []
    for prompt in prompts:
        number, local = prompt.seed.number, prompt.seed.teacher == "smollm2"
        if local and number % 25 == 4:
            unanswered.append(Dropped(prompt, "truncated", "256 tokens written, max_tokens = 256"))
        else:
            answers.append(_completion(prompt, local))
    drops["completions"] = unanswered
    teachers = [
        _usage("composer", "composer", "", answers),
        _usage("smollm2", "local", "SmolLM2-135M-Instruct", answers),
    ]
    artifacts.write("completions", answers, unanswered, {"teachers": teachers}, (Completion,), (Prompt,))
    documents, unparsed = _documents(answers)
    drops["documents"] = unparsed
    artifacts.write("documents", documents, unparsed, None, (Passage, Exercise), (Completion,))
    raw = [
        Passage(text=f'"""Module {n}."""\n\n\ndef {word}(x):\n    return x\n', origin=f"{word}.py", licence="PSF-2.0")
        for n, word in enumerate(("bisect", "heapq", "textwrap", "statistics"))
    ]
    too_long = Passage(text="x = 1\n" * 40, origin="turtle.py", licence="PSF-2.0")
    drops["raw-code"] = [Dropped(too_long, "too-long", "147,021 > 100,000 characters")]
    artifacts.write("raw-code", raw, drops["raw-code"], None, (Passage,), (Passage,))
    current: list[Any] = [*documents, *raw]
    for name, rule in (
        ("validated", _validated), ("distinct", _distinct), ("quality", _quality), ("decontaminated", _decontaminated),
    ):  # fmt: skip
        drops[name] = [dropped for place, document in enumerate(current) if (dropped := rule(place, document, current))]
        gone = {dropped.record.id for dropped in drops[name]}
        current = [document for document in current if document.id not in gone]
        artifacts.write(name, current, drops[name], None, (Passage, Exercise), (Passage, Exercise))
    return {"seeds": tuple(seeds), "prompts": tuple(prompts), "completions": tuple(answers),
            "documents": tuple(documents), "kept": tuple(current), "drops": drops}  # fmt: skip


def _completion(prompt: Prompt, local: bool) -> Completion:
    number = prompt.seed.number
    if prompt.seed.kind == "textbook":
        text = f"# {prompt.seed.title.title()}\n\nA river of values is read once; we count them as they pass.\n\n" * 2
        text += f"```python\ntotal = sum(range({number}))\n```\n"
    else:
        head, body, _, test = exercise_text(number)
        text = f"```python\n{head}{body}\n{test}```\n"
    if local and number % 10 == 4:
        text = "Sure! Here is a function that does it: <script>alert('not code')</script> & nothing more."
    if local and number % 15 == 9:
        text = text.removesuffix("```\n")
    model = "SmolLM2-135M-Instruct" if local else "composer-1"
    return Completion(prompt_id=prompt.id, seed=prompt.seed, teacher=prompt.seed.teacher, model=model, text=text,
                      teacher_kind="local" if local else "composer", finish_reason="stop", prompt_tokens=40,
                      completion_tokens=len(text) // 3, usd=0.0002 if local else 0.0)  # fmt: skip


def _usage(name: str, kind: str, model: str, answers: Iterable[Completion]) -> dict[str, Any]:
    own = [answer for answer in answers if answer.teacher == name]
    tokens = sum(answer.prompt_tokens + answer.completion_tokens for answer in own)
    usd = round(sum(answer.usd for answer in own), 6)
    return {"name": name, "kind": kind, "model": model, "completions": len(own), "tokens": tokens, "usd": usd}


def _documents(answers: Iterable[Completion]) -> tuple[list[Exercise | Passage], list[Dropped]]:
    documents: list[Exercise | Passage] = []
    dropped = []
    for answer in answers:
        common: Any = {"topic": answer.seed.topic, "audience": answer.seed.audience, "teacher": answer.teacher,
                       "completion_id": answer.id}  # fmt: skip
        if "```" not in answer.text:
            dropped.append(Dropped(answer, "no-code", "0 fenced blocks in 93 characters"))
        elif answer.text.count("```") % 2:
            dropped.append(Dropped(answer, "unclosed-fence", "fence of line 1 is never closed"))
        elif answer.seed.kind == "textbook":
            documents.append(Passage(text=answer.text, **common))
        else:
            prompt, solution, entry_point, test = exercise_text(answer.seed.number)
            owner: Any = "seed" if answer.teacher == "smollm2" else "teacher"
            documents.append(
                Exercise(
                    prompt=prompt, solution=solution, entry_point=entry_point, test=test, test_owner=owner, **common
                )
            )
    return documents, dropped


def _validated(place: int, document: Any, _: Sequence[Any]) -> Dropped | None:
    if place % 13 == 5 and isinstance(document, Exercise):
        return Dropped(document, "test-failed", f"assert {document.entry_point}([1, 2]) == [4, 5]: got [3, 4]")
    if place % 29 == 11 and isinstance(document, Exercise):
        return Dropped(document, "timeout", "5.0 s of CPU > 5.0 s")
    return None


def _distinct(place: int, document: Any, everything: Sequence[Any]) -> Dropped | None:
    if place % 17 == 3:
        return Dropped(document, "near-duplicate", "0.83 >= 0.70", everything[0].id, 0.83)
    return None


def _quality(place: int, document: Any, _: Sequence[Any]) -> Dropped | None:
    return Dropped(document, "too-short", "31 < 40 characters") if place % 41 == 6 else None


def _decontaminated(place: int, document: Any, _: Sequence[Any]) -> Dropped | None:
    return Dropped(document, "tree-overlap", "1.00 >= 0.95 with invented/3") if place % 37 == 9 else None


def _student(artifacts: _Artifacts, loaded: Loaded, documents: Sequence[Exercise | Passage], root: Path) -> None:
    from pipeline.stages.tokens.stage import pack

    scratch = root / "tokens-scratch"
    packed = pack(documents, table=loaded.recipe.tokens, student=loaded.recipe.student, seed=7, out=scratch, cache=root)
    facts: dict[str, Any] = {
        "documents": packed.documents,
        "held_out_documents": packed.held_out_documents,
        "tokens": packed.tokens,
        "loss_tokens": packed.loss_tokens,
    }
    artifacts.write("tokens", documents, facts=facts, folder=scratch)
    noise = rng(7, "curve")
    curve = []
    for step in range(1, 151):
        lr = 5e-5 * min(1, step / 10) * (1 - step / 160)
        curve.append({"step": step, "loss": 1.9 * 0.985**step + 0.32 + noise.gauss(0, 0.03), "lr": lr})
    weights = root / "weights-scratch"
    (weights / "model").mkdir(parents=True)
    (weights / "model" / "config.json").write_text("{}", encoding="utf-8")
    facts = {"parameters": 134_515_008, "steps": 150, "tokens": packed.tokens, "loss": curve[-1]["loss"],
             "held_out_loss": 0.3641, "held_out_by_kind": {"exercises": {"documents": 9, "loss": 0.3121},
             "passages": {"documents": 2, "loss": 1.5}}, "seconds": 285.2, "curve": curve}  # fmt: skip
    artifacts.write("student", [], facts=facts, folder=weights)


def _problem_row(number: int) -> dict[str, str]:
    prompt, solution, entry_point, test = exercise_text(number + 400)
    return {"task_id": f"invented/{number}", "prompt": prompt, "entry_point": entry_point, "test": test,
            "canonical_solution": solution, "group": GROUPS[number % 3]}  # fmt: skip


def _scores(artifacts: _Artifacts, loaded: Loaded) -> tuple[tuple[Problem, ...], tuple[Sample, ...], tuple[Score, ...]]:
    from pipeline.benchmarks.problems import load as load_problems

    sets = [load_problems(entry) for entry in loaded.recipe.evaluation.benchmarks]
    problems = tuple(problem for entry in sets for problem in entry.problems)
    samples: dict[str, list[Sample]] = {"before": [], "after": []}
    scores = []
    for model, key in (("before", artifacts.plan["samples-before"].key), ("after", artifacts.plan["student"].key)):
        for problem in problems:
            sample, score = _answer(problem, model, key)
            samples[model].append(sample)
            scores.append(score)
        facts = {"tokens_per_second": 117.3, "prompt_form": "stripped"}
        artifacts.write(f"samples-{model}", samples[model], facts=facts, kept_types=(Sample,))
    benchmarks = [{"name": s.name, "digest": s.digest, "problems": len(s.problems)} for s in sets]
    # Of the invented problems one in four has a near copy in the corpus and one in four something like it.
    rates = {f"invented/{n}": [rate, "0" * 24] for n in range(999) if (rate := (0.97, 0.83, 0.0, 0.0)[n % 4])}
    facts = {"benchmarks": benchmarks, "closest": {"invented": rates, "humaneval": {}}}
    artifacts.write("scores", scores, facts=facts, kept_types=(Score,))
    return problems, (*samples["before"], *samples["after"]), tuple(scores)


def _answer(problem: Problem, model: str, key: str) -> tuple[Sample, Score]:
    draw = rng(7, problem.task_id)
    rates = {"invented": (0.05, 0.75), "humaneval": (0.05, 0.067)}[problem.benchmark]
    passed: bool | None = draw.random() < rates[0]
    if model == "after":
        passed = draw.random() < rates[1]
    number = int(problem.task_id.rpartition("/")[2])
    if problem.benchmark == "invented" and number == 5 and model == "after":
        passed = None
    body = problem.canonical_solution if passed else "    # TODO: <b>write</b> this & that\n    return None\n"
    verdict, detail = ("pass", "") if passed else ("fail", f"check failed: {problem.entry_point}(...) returned None")
    if passed is None:
        verdict, detail = "infrastructure", "the sandbox could not start: no space left on device"
    common: Any = {
        "problem_id": problem.id,
        "benchmark": problem.benchmark,
        "task_id": problem.task_id,
        "model": model,
    }
    sample = Sample(checkpoint=key, raw=body + "\nprint(1)", completion=body, tokens=len(body) // 3, **common)
    score = Score(sample_id=sample.id, group=problem.group, passed=passed, verdict=verdict, detail=detail, **common)
    return sample, score


def _run_files(folder: Path, planned: Plan, name: str) -> None:
    stages = [
        {"name": stage.name, "key": stage.key, "state": "reused" if stage.name == "samples-before" else "made",
         "seconds": round(rng(7, "seconds", stage.name).uniform(0.2, 90), 3)}
        for stage in planned.stages
    ]  # fmt: skip
    info = {
        "run": name,
        "recipe": "example",
        "state": "done",
        "started": "2026-02-03T09:10:11.000+00:00",
        "finished": "2026-02-03T09:22:43.500+00:00",
        "seconds": 752.5,
        "hornbook": "0.1.0",
        "commit": "0123456789ab",
        "python": "3.11.9",
        "torch": "2.13.0",
        "machine": {"system": "Linux-6.1-x86_64", "cores": 2},
        "stages": stages,
    }
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    train = {"event": "train", "stage": "student", "steps": 4}
    events = [
        {"time": 1.0, "event": "stage-started", "stage": "student"},
        *({"time": 2.0 + step, **train, "step": step, "loss": 2.0 / step} for step in (1, 2, 3)),
    ]
    text = "".join(json.dumps(event) + "\n" for event in events) + '{"time": 9, "event": "tra'
    (folder / "events.jsonl").write_text(text, encoding="utf-8")


def change_run(folder: Path, **info: Any) -> None:
    """Set keys of run.json."""
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | info), encoding="utf-8")
