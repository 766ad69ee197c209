"""Validated in the walk."""

from typing import Any

from pipeline.core.records import Exercise, Passage
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.solutions.step import wanted as agreed_on
from pipeline.stages.validated.facts import ValidatedFacts
from pipeline.store.manifest import Manifest


def _settings(recipe: Recipe) -> dict[str, Any]:
    """Without the keys of mutants and of agreement where they are not used: recipes that do not know them keep their
    keys."""
    unused = () if recipe.validated.mutants else ("mutants", "min_mutants_killed")
    used = {"validated": recipe.validated.keyed("keep", *unused)}
    return used | ({"agreement": recipe.agreement} if agreed_on(recipe) else {})


def _make(making: Making) -> Manifest:
    """Run tests and examples in the sandbox, on this machine's cores or, block by block, on the nodes of a cluster."""
    from pipeline.checkers.protocol import Means
    from pipeline.domains.loading import load
    from pipeline.sandbox import Sandbox
    from pipeline.stages.validated.ruling import Rule
    from pipeline.stages.validated.stage import Validate, ValidateBlocks, limits_of

    table, agreement, execution = making.recipe.validated, making.recipe.agreement, making.execution
    domain = load(making.recipe.domain)
    if domain.language != "python":
        means = Means(execution.worker_count(), execution.sandbox)
        return making.through(Rule(domain, table, means, agreement))
    table = table.model_copy(update={"packages": (*table.packages, *domain.packages)})
    on_ray = execution.engine == "ray"
    workers = 1 if on_ray else execution.worker_count()
    with Sandbox(limits_of(table), workers=workers, mode=execution.sandbox, packages=table.packages) as sandbox:
        # On a cluster the sandbox of this machine only says what every node's must be: one without its layers refuses.
        function = (
            ValidateBlocks(table, execution.sandbox, agreement) if on_ray else Validate(table, sandbox, agreement)
        )
        facts = ValidatedFacts(sandbox.manifest())
        return making.through(function, alone=on_ray, facts=lambda: facts)


def _reads(recipe: Recipe) -> Any:
    """What a domain's checker depends on; nothing for Python with the standard library alone."""
    from pipeline.core.identity import digest
    from pipeline.domains.items import judging
    from pipeline.domains.loading import load

    domain = load(recipe.domain)
    return digest(judging(domain)) if domain.language != "python" or domain.packages else None


STEP = TextStep(
    name="validated",
    version=5,
    caption="tests and examples executed in the sandbox",
    make=_make,
    inputs=("documents", "solutions", "raw-code"),
    unread=lambda recipe: ("documents",) if agreed_on(recipe) else (),
    settings=_settings,
    reads=_reads,
    kept=(Passage, Exercise),
    dropped=(Passage, Exercise),
    reasons={
        "syntax-error": "the code is no Python of the version that runs it",
        "timeout": "it used up its CPU time, or waited too long",
        "test-failed": "a test, an example or the domain's check came out otherwise than it says",
        "no-test": "no comparison ran that depends on what the function returns",
        "crash": "the program ended before its test did: by memory, output, an exit, or something forbidden",
        "uncomparable": "the verdict would rest on a comparison that the program's own types define",
        "weak-test": "its test accepts too many wrong variants of the solution, see validated.min_mutants_killed",
        "no-agreement": "too few solutions (in Python: different programs) return the same, where that makes the test",
        "passed": "its test passed, where validated.keep is failed",
        "bad-check": "outside Python: the check is malformed or contradicts itself, so that nothing is known",
        "not-executed": "a teacher's passage of which no code could be run, where validated.unexecuted is drop",
    },
    corpus=True,
)
