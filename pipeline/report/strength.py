"""What the tests of a corpus pin down, as mutants showed."""

from typing import NamedTuple

from pipeline.run.reading import RunView


class Strength(NamedTuple):
    """What the tests of one owner pin down. exercises: kept, of which mutants were made. killed: of all mutants."""

    owner: str
    exercises: int
    mutants: int
    killed: int

    def to_text(self) -> str:
        """For a person."""
        share = f"{self.killed / self.mutants:.0%}" if self.mutants else "none"
        tests = f"tests owned by {self.owner}"
        return f"{tests} refuse {share} of {self.mutants:,} wrong variants of {self.exercises:,} solutions"


def strength(run: RunView) -> tuple[Strength, ...]:
    """By owner of the tests, how many mutants of the exercises that `validated` kept their tests killed; empty where
    none were made."""
    rows = run.rows("validated", columns=["type", "test_owner", "mutants", "killed"])
    measured = [row for row in rows if row.get("mutants") is not None]
    owners = sorted({row["test_owner"] for row in measured})
    by_owner = {owner: [row for row in measured if row["test_owner"] == owner] for owner in owners}
    return tuple(
        Strength(owner, len(these), sum(row["mutants"] for row in these), sum(row["killed"] for row in these))
        for owner, these in by_owner.items()
    )
