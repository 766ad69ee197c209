"""Training alone, for torchrun: python -m pipeline.cli.train TOKENS RECIPE OUT.

TOKENS is a folder of packed tokens (the `tokens` artifact of a run), RECIPE a recipe's name or file. `hornbook adopt`
puts what lies in OUT afterwards into a run.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from pipeline.core.errors import HornbookError
from pipeline.core.events import Event
from pipeline.recipe_text import load
from pipeline.sandbox.kernel import die_with_parent
from pipeline.stages.student import job as jobs
from pipeline.stages.student import launch
from pipeline.stages.student.job import Job
from pipeline.store.places import places
from pipeline.training.world import leave, own_gpu, rank


def main() -> int:
    """Exit code as the command line's; the summary is printed as JSON by the first process."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.cli.train", description=__doc__)
    parser.add_argument("tokens", type=Path, nargs="?")
    parser.add_argument("recipe", nargs="?")
    parser.add_argument("out", type=Path, nargs="?")
    parser.add_argument("--soft-targets", type=Path, help="folder of the soft-targets artifact, where they are cached")
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)  # in place of all others: of a run that starts us
    parser.add_argument("overrides", nargs="*", help="key=value, as for hornbook run")
    options = parser.parse_intermixed_args()
    if options.job is None and options.out is None:
        parser.error("TOKENS, RECIPE and OUT are needed")
    try:
        if options.job:
            die_with_parent()
        own_gpu()
        job = jobs.read(options.job) if options.job else _job(options)
        summary = job.trained(launch.report(job.out) if options.job else _print)
        leave()
    except Exception as error:
        if options.job:
            launch.confess(options.job.parent, error)
        if not isinstance(error, HornbookError):
            raise
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if rank() == 0:
        print(json.dumps(asdict(summary), default=str))
    return 0


def _job(options: argparse.Namespace) -> Job:
    loaded = load(options.recipe, options.overrides)
    return Job(
        recipe=loaded.recipe,
        execution=loaded.execution,
        tokens=options.tokens,
        out=options.out,
        models=places().models,
        soft_targets=options.soft_targets,
    )


def _print(event: Event) -> None:
    print(json.dumps(event), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
