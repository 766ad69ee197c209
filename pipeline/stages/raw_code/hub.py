"""Rows of a dataset on the hub, streamed: nothing is kept on disk but what the run takes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.core.errors import InputError
from pipeline.files.rows import MissingField, Row, with_text
from pipeline.recipe_sources import SourcesTable


def streamed(table: SourcesTable) -> Iterator[Row]:
    """The rows of `table`'s dataset, of its `data_dir`, `split` and `revision`, in their order.

    Raises InputError where it cannot be opened or read on, which says in a line what a gated set needs, and
    MissingField where it lacks the text column.
    """
    import datasets

    try:
        rows: Any = datasets.load_dataset(
            table.path,
            data_dir=table.data_dir or None,
            split=table.split,
            revision=table.revision or None,
            streaming=True,
        )
        for number, columns in enumerate(rows):
            row = with_text(dict(columns), table.column, f"{table.path}#{number}")
            if row is None:
                raise MissingField(table.path, table.column, columns)
            yield row
    except (OSError, ValueError) as error:
        raise refused(table, error) from error


def refused(table: SourcesTable, error: Exception) -> InputError:
    """Why the hub gives nothing, and what to do."""
    said = " ".join(str(error).split())
    if re.search(r"gated|authenticat|\b40[13]\b", said.lower()):
        place = f"https://huggingface.co/datasets/{table.path}"
        return InputError(
            f"dataset {table.path!r} is gated or private: it needs the token of an account that has accepted its terms",
            hint=f"accept them at {place}, then set HF_TOKEN to a token made at https://huggingface.co/settings/tokens",
        )
    asked = ", ".join(
        f"{name} = {getattr(table, name)!r}" for name in ("data_dir", "split", "revision") if getattr(table, name)
    )
    return InputError(
        f"dataset {table.path!r} ({asked}) cannot be read: {said:.300}", hint="give a folder, or a name on the hub"
    )


LANGUAGE_COLUMNS = ("language", "lang", "programming_language")


def speaks(columns: Mapping[str, Any], languages: frozenset[str]) -> bool:
    """Whether a row is in one of `languages`, which are in small letters; any row where they are empty."""
    said = next((columns[name] for name in LANGUAGE_COLUMNS if columns.get(name)), "")
    return not languages or str(said).lower() in languages
