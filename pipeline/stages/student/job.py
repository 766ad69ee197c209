"""One training as a whole: what it reads, what it writes, how. In a file, it can travel to other processes."""

from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.core.errors import InputError, RecipeError
from pipeline.core.events import OnEvent, silent
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.stages.student import finished
from pipeline.stages.student.held_out_judge import judge_of
from pipeline.stages.student.objective import NamedLoss
from pipeline.stages.student.stage import VERSION, train
from pipeline.stages.student.step import seed_of
from pipeline.stages.student.summary import TrainingSummary
from pipeline.stages.tokens.shards import TokenStore
from pipeline.store.disk import write_atomically

FILE = "job.json"


class Job(BaseModel):
    """The training of a recipe's student.

    tokens: folder of packed tokens. soft_targets: folder of the artifact, where the recipe caches them. out: where the
    result and work in progress lie. models: folder of fetched and converted models.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Recipe
    execution: Execution
    tokens: Path
    out: Path
    models: Path
    soft_targets: Path | None = None

    def write(self) -> Path:
        """Put the job into its own folder; the file."""
        path = self.out / FILE
        write_atomically(path, self.model_dump_json(indent=1).encode())
        return path

    def trained(self, on_event: OnEvent = silent, loading: Callable[[str], None] = silent) -> TrainingSummary:
        """Train in this process, or with those that torchrun has started beside it. Raises what `train` raises."""
        recipe = self.recipe
        return train(
            self.tokens,
            recipe.student,
            recipe.tokens,
            seed=seed_of(recipe),
            out=self.out,
            cache=self.models,
            execution=self.execution,
            on_event=on_event,
            loss=self.loss(loading),
            judge=judge_of(TokenStore(self.tokens), recipe, self.execution),
        )

    def settings(self) -> finished.Settings:
        """What decides the result, as a finished training says it."""
        recipe = self.recipe
        return finished.settings_of(
            VERSION, TokenStore(self.tokens), recipe.student, recipe.tokens, seed_of(recipe), self.loss()
        )

    def loss(self, loading: Callable[[str], None] = silent) -> NamedLoss | None:
        """The loss with soft targets where the recipe has them, None for hard labels alone.

        loading: told of a teacher before it is loaded. Raises RecipeError where cached soft targets are wanted and
        there is no folder.
        """
        table = self.recipe.soft_targets
        if not table.teacher:
            return None
        if table.mode == "cached":
            from pipeline.stages.student.soft_loss import SoftLoss
            from pipeline.stages.student.soft_targets import SoftTargets

            if self.soft_targets is None:
                raise RecipeError(
                    f"{self.recipe.name} distils from {table.teacher}, whose soft targets were not given",
                    hint="add --soft-targets FOLDER (the soft-targets artifact of a run), or "
                    'soft_targets.mode="online"',
                )
            return SoftLoss(SoftTargets(self.soft_targets), table)
        from pipeline.models.loading import load
        from pipeline.stages.student.online import online_loss

        loading(table.teacher)
        teacher = load(table.teacher, cache=self.models, device=self.execution.device)
        return online_loss(teacher, table, TokenStore(self.tokens), self.recipe.tokens)


def read(path: Path) -> Job:
    """The job of a file. Raises InputError where it cannot be read."""
    try:
        return Job.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{path} is no job of training: {error}", hint="the run that trains writes it anew") from error
