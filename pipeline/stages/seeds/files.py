"""Seeds that are not drawn but given: files with one seed a line, beside a recipe."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.core.errors import HornbookError, InputError
from pipeline.core.identity import digest
from pipeline.core.records import Seed
from pipeline.recipe import Recipe
from pipeline.store import jsonl


def seeds_in(recipe: Recipe) -> Iterator[Seed]:
    """The seeds of `seeds.more`, file by file. Raises InputError with file and line for what is none, or is of a
    teacher that the recipe has not."""
    teachers = {one.name for one in recipe.teachers}
    for file in recipe.seeds.more:
        for seed, place in read(Path(file)):
            if seed.teacher not in teachers:
                raise InputError(
                    f"{place}: asks for the teacher {seed.teacher!r}; the recipe has {', '.join(sorted(teachers))}",
                    hint="add the teacher to the recipe, or write the seeds anew",
                )
            yield seed


def read(file: Path) -> Iterator[tuple[Seed, str]]:
    """Each seed of a file with its place. Raises InputError."""
    from pipeline.store.rows import from_row

    for number, row in jsonl.objects(file):
        place = f"{file} line {number}"
        try:
            seed = from_row(row)
        except (HornbookError, KeyError, TypeError) as error:
            raise InputError(
                f"{place}: is no seed: {error}", hint="write the file anew with `hornbook improve`"
            ) from None
        if not isinstance(seed, Seed):
            raise InputError(f"{place}: holds a {seed.type}, wanted a seed")
        yield seed, place


def write(file: Path, seeds: Iterable[Seed]) -> None:
    """Write seeds so that `read` gives them again."""
    from pipeline.store.rows import to_row

    jsonl.write(file, map(to_row, seeds))


def file_digest(file: Path) -> str:
    """Digest of the seeds in a file: of their ids, in order. Raises InputError."""
    return digest([seed.id for seed, _ in read(file)])
