"""What a teacher's answers cost, and what is to be known of them."""

from typing import Any

from pipeline.teacher.protocol import Answer

MOST_NOTES = 20
OTHER_NOTES = "further endings that are not known"


class Spent:
    """What a teacher's answers cost, cut ones included, and what is to be known of them, for a manifest.

    facts: is filled; its "completions" are the whole answers, "tokens" those of all, "usd" what was paid for those that
    were asked for here, "earlier" and "earlier_usd" the number of all others and what they cost when they were given.
    "notes": how many answers there is the same to be said of. "oldest", "newest": when the first and the last of them
    were given, seconds since the epoch; None where no answer says.
    """

    def __init__(self, name: str, kind: str, facts: dict[str, Any] | None = None) -> None:
        self.facts = {} if facts is None else facts
        self.facts |= {"name": name, "kind": kind, "model": "", "completions": 0, "tokens": 0, "usd": 0.0}
        self.facts |= {"earlier": 0, "earlier_usd": 0.0, "notes": {}, "oldest": None, "newest": None}

    def add(self, answer: Answer) -> None:
        """Count one answer at the price of when it was given."""
        facts = self.facts
        facts["model"] = facts["model"] or answer.model
        facts["completions"] += answer.finish_reason != "length"
        facts["tokens"] += answer.prompt_tokens + answer.completion_tokens
        facts["earlier"] += answer.earlier
        paid = "earlier_usd" if answer.earlier else "usd"
        facts[paid] = round(facts[paid] + answer.usd, 8)
        notes = facts["notes"]
        for note in answer.notes:
            # A server may put something new into each answer.
            known = note if note in notes or len(notes) < MOST_NOTES else OTHER_NOTES
            notes[known] = notes.get(known, 0) + 1
        if answer.at:
            facts["oldest"] = min(facts["oldest"] or answer.at, answer.at)
            facts["newest"] = max(facts["newest"] or answer.at, answer.at)
