"""Training alone, for torchrun: python -m pipeline.training TOKENS RECIPE OUT.

TOKENS is a folder of packed tokens (the `tokens` artifact of a run), RECIPE a recipe's name or file.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from pipeline.errors import HornbookError
from pipeline.loading import load
from pipeline.places import places
from pipeline.training.loop import train


def main() -> int:
    """Exit code as the command line's; the summary is printed as JSON by the first process."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.training", description=__doc__)
    parser.add_argument("tokens", type=Path)
    parser.add_argument("recipe")
    parser.add_argument("out", type=Path)
    parser.add_argument("overrides", nargs="*", help="key=value, as for hornbook run")
    options = parser.parse_args()
    try:
        loaded = load(options.recipe, options.overrides)
        summary = train(
            options.tokens,
            loaded.recipe.student,
            loaded.recipe.tokens,
            seed=loaded.recipe.seed,
            out=options.out,
            cache=places().models,
            execution=loaded.execution,
            on_event=lambda event: print(json.dumps(event), file=sys.stderr, flush=True),
        )
    except HornbookError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(asdict(summary), default=str))
    return 0


if __name__ == "__main__":
    sys.exit(main())
