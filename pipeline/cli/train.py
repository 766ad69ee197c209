"""Training alone, for torchrun: python -m pipeline.cli.train TOKENS RECIPE OUT.

TOKENS is a folder of packed tokens (the `tokens` artifact of a run), RECIPE a recipe's name or file.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from pipeline.core.errors import HornbookError, RecipeError
from pipeline.recipe_text import Loaded, load
from pipeline.stages.student.held_out_judge import judge_of
from pipeline.stages.student.objective import NamedLoss
from pipeline.stages.student.soft_loss import SoftLoss
from pipeline.stages.student.soft_targets import SoftTargets
from pipeline.stages.student.stage import train
from pipeline.stages.student.step import seed_of
from pipeline.stages.tokens.shards import TokenStore
from pipeline.store.places import places


def main() -> int:
    """Exit code as the command line's; the summary is printed as JSON by the first process."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.cli.train", description=__doc__)
    parser.add_argument("tokens", type=Path)
    parser.add_argument("recipe")
    parser.add_argument("out", type=Path)
    parser.add_argument("--soft-targets", type=Path, help="folder of the soft-targets artifact, where they are cached")
    parser.add_argument("overrides", nargs="*", help="key=value, as for hornbook run")
    options = parser.parse_intermixed_args()
    try:
        loaded = load(options.recipe, options.overrides)
        summary = train(
            options.tokens,
            loaded.recipe.student,
            loaded.recipe.tokens,
            seed=seed_of(loaded.recipe),
            out=options.out,
            cache=places().models,
            execution=loaded.execution,
            on_event=lambda event: print(json.dumps(event), file=sys.stderr, flush=True),
            loss=_loss(loaded, options.tokens, options.soft_targets),
            judge=judge_of(TokenStore(options.tokens), loaded.recipe, loaded.execution),
        )
    except HornbookError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(asdict(summary), default=str))
    return 0


def _loss(loaded: Loaded, tokens: Path, soft_targets: Path | None) -> NamedLoss | None:
    """The loss that the recipe names. Raises RecipeError where cached soft targets are wanted and not given."""
    table = loaded.recipe.soft_targets
    if not table.teacher:
        return None
    if table.mode == "online":
        from pipeline.models.loading import load as load_model
        from pipeline.stages.student.online import online_loss

        teacher = load_model(table.teacher, cache=places().models, device=loaded.execution.device)
        return online_loss(teacher, table, TokenStore(tokens), loaded.recipe.tokens)
    if soft_targets is None:
        raise RecipeError(
            f"{loaded.source} distils from {table.teacher}, whose soft targets were not given",
            hint='add --soft-targets FOLDER (the soft-targets artifact of a run), or soft_targets.mode="online"',
        )
    return SoftLoss(SoftTargets(soft_targets), table)


if __name__ == "__main__":
    sys.exit(main())
