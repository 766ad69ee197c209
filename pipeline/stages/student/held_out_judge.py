"""pass@1 of a student in training, on the exercises of its own corpus that were held out of it.

By it a checkpoint is chosen. Never by a benchmark, whose score would then be that of the best guess: the held-out
exercises are drawn from the corpus, and are what nobody reports.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.benchmarks.problems import ProblemSet, data_digest
from pipeline.core.errors import RecipeError
from pipeline.core.identity import digest
from pipeline.core.records import Problem
from pipeline.execution import Execution
from pipeline.models.loading import LoadedModel
from pipeline.recipe import Recipe, ValidatedTable
from pipeline.recipe_evaluation import EvaluationTable
from pipeline.sandbox import Sandbox
from pipeline.stages.samples.stage import sample
from pipeline.stages.scores.stage import score
from pipeline.stages.student.selection import Solved
from pipeline.stages.tokens.shards import TokenStore
from pipeline.stages.tokens.text import split_prompt
from pipeline.stages.validated.stage import limits_of
from pipeline.store import jsonl

ROOM = 2.0
"""An answer may be this many times as long, in tokens, as the longest solution of the exercises."""

ANSWERS, SCORES = "answers.jsonl", "scores.jsonl"
"""Journals: each answer, and what each model's answers came to."""


class HeldOutExercises:
    """Greedy answers to exercises, run against the exercises' tests under the limits of validation.

    A `pipeline.stages.student.selection.Judge`. Raises SandboxUnavailable at once where programs cannot be run here.
    """

    def __init__(self, problems: Sequence[Problem], limits: ValidatedTable, execution: Execution) -> None:
        self.set = ProblemSet("held-out exercises", data_digest(problems), "the corpus", tuple(problems))
        self.limits = limits
        self.execution = execution
        with self._sandbox():
            pass

    def __call__(self, model: LoadedModel, weights: str, journal: Path) -> Solved:
        """How many the model solves. What the folder `journal` has under `weights` is read, not made again."""
        table = EvaluationTable(benchmarks=(self.set.name,), max_new_tokens=self._longest(model))
        key = digest([weights, self.set.digest, table.max_new_tokens, self.limits.model_dump()])
        found = _scores(journal / SCORES).get(key)
        if found is not None:
            return found
        samples = sample(
            [self.set],
            model,
            table,
            model_name="student",
            checkpoint=weights,
            seed=0,
            execution=self.execution,
            journal=journal / ANSWERS,
        )
        with self._sandbox() as sandbox:
            verdicts = [one.passed for one in score(samples, self.set.problems, sandbox)]
        scored = [passed for passed in verdicts if passed is not None]
        jsonl.append(journal / SCORES, {"key": key, "solved": sum(scored), "scored": len(scored)})
        return Solved(sum(scored), len(scored))

    def _sandbox(self) -> Sandbox:
        workers, mode = self.execution.worker_count(), self.execution.sandbox
        return Sandbox(limits_of(self.limits), workers=workers, mode=mode, packages=self.limits.packages)

    def _longest(self, model: LoadedModel) -> int:
        """Most tokens of an answer."""
        answers = [split_prompt(problem.prompt, problem.canonical_solution).answer for problem in self.set.problems]
        lengths = [len(ids) for ids in model.tokenizer(answers, add_special_tokens=False)["input_ids"]]
        return round(ROOM * max(lengths))


def _scores(path: Path) -> Mapping[str, Solved]:
    """The journal's scores by key."""
    return {row["key"]: Solved(row["solved"], row["scored"]) for row in jsonl.rows(path)}


def judge_of(store: TokenStore, recipe: Recipe, execution: Execution) -> HeldOutExercises | None:
    """The judge of a recipe that keeps the best by pass@1, None for others.

    Raises RecipeError where no held-out exercise has a test.
    """
    if recipe.student.keep != "best-pass@1":
        return None
    problems = store.problems[: recipe.student.held_out_problems]
    if not problems:
        held_out = int(store.spans.held_out.sum())
        raise RecipeError(
            f"recipe: student.keep = 'best-pass@1' needs held-out exercises with tests, but none of the {held_out} "
            f"held-out documents (student.held_out = {recipe.student.held_out}) is one",
            hint="raise student.held_out, make more exercises, or choose by loss: student.keep = 'best'",
        )
    return HeldOutExercises(problems, recipe.validated, execution)
