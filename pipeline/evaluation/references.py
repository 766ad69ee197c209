"""Published scores (`data/references.toml`), and whether a score that was made here says the same.

A published figure comes from a protocol: the form of the prompt, how often and how hot a model is asked, the harness.
Most complaints that a score cannot be reproduced are about one of these, so a comparison names each that differs and
only then says what the difference may mean.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.core.errors import HornbookError, UsageError
from pipeline.core.resources import MEND, shipped_table
from pipeline.stages.scores.results import Result

TOLERANCE = 3.0
"""Points of pass@1 within which a score counts as reproduced: what quantising to 4 bits and another harness's way of
reading an answer have been seen to move."""

Verdict = Literal["reproduced", "within the interval", "differs", "not comparable"]
"""reproduced: within `TOLERANCE` of the published figure. within the interval: further away, but the 95% interval of
the score holds it. differs: neither. not comparable: the benchmark was not run whole."""


class Reference(BaseModel):
    """A model's published scores, pass@1 in percent by benchmark, and the protocol that they were measured by.

    bits: of the weights that were measured, 0 where they are those that anybody has. models: names under which the
    model can be had here. remarks: by benchmark, what its problems were where they are not those that go by its name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    models: tuple[str, ...] = ()
    prompt_form: Literal["stripped", "raw", "chat", "evalplus"]
    temperature: float = 0.0
    samples: int = Field(default=1, ge=1)
    bits: int = 0
    harness: str
    source: str
    read: date
    scores: Mapping[str, float]
    remarks: Mapping[str, str] = {}

    def score(self, benchmark: str) -> float:
        """The published pass@1 in percent. Raises UsageError where none is known for the benchmark."""
        if benchmark not in self.scores:
            raise UsageError(
                f"--reference {self.name}: no published score on {benchmark!r} is known",
                hint=f"it has {', '.join(self.scores)}",
            )
        return self.scores[benchmark]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A score made here beside the published one. difference: points, ours less theirs. unlike: what of the protocol
    is not as it was there, a sentence each."""

    reference: Reference
    published: float
    score: float
    interval: tuple[float, float]
    verdict: Verdict
    unlike: tuple[str, ...]

    @property
    def difference(self) -> float:
        """Points of pass@1, ours less theirs."""
        return self.score - self.published

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; scores as shares of 1, as everywhere in it."""
        return {
            "name": self.reference.name,
            "source": self.reference.source,
            "read": self.reference.read.isoformat(),
            "harness": self.reference.harness,
            "pass@1": self.published / 100,
            "difference": round(self.difference / 100, 6),
            "verdict": self.verdict,
            "unlike": list(self.unlike),
        }

    def to_text(self) -> str:
        """For a person."""
        lines = [
            f"{self.verdict}: {self.reference.title} is published with {self.published:.1f}%, here {self.score:.1f}% "
            f"({self.difference:+.1f})",
            f"  {self.reference.source}; {self.reference.harness}; read {self.reference.read}",
        ]
        return "\n".join([*lines, *(f"  unlike there: {one}" for one in self.unlike)])


@cache
def known() -> dict[str, Reference]:
    """The references by name, in the order of the file. Raises HornbookError where it cannot be read."""
    try:
        return {name: Reference(name=name, **table) for name, table in shipped_table("references.toml").items()}
    except (ValidationError, TypeError) as error:
        raise HornbookError(f"references.toml: {error}", hint=MEND) from error


def reference(name: str) -> Reference:
    """The reference of that name, or that of the only model here of that name. Raises UsageError for any other."""
    every = known()
    by_model = {model: one for one in every.values() for model in one.models}
    found = every.get(name) or by_model.get(name)
    if found is None:
        near = difflib.get_close_matches(name, [*every, *by_model], n=1)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"--reference {name!r} is not known", hint=f"{guess}known are {', '.join(every)}")
    return found


def compared(one: Reference, result: Result, *, temperature: float, samples: int, quantised: int = 0) -> Comparison:
    """A result beside the published score of its benchmark.

    temperature, samples: as the model was asked here. quantised: bits of the weights that were run, 0 for not known.
    Raises UsageError where nothing is published on the benchmark.
    """
    published = one.score(result.benchmark)
    score = 100 * (result.estimate.value or 0.0)
    low, high = (100 * bound for bound in result.estimate.interval or (0.0, 1.0))
    unlike = [one.remarks[result.benchmark]] if result.benchmark in one.remarks else []
    for what, theirs, ours in (
        ("prompt form", one.prompt_form, result.prompt_form),
        ("temperature", f"{one.temperature:g}", f"{temperature:g}"),
        ("samples a problem", str(one.samples), str(samples)),
    ):
        if theirs != ours:
            unlike.append(f"{what} {ours}, there {theirs}")
    if one.bits and quantised and quantised != one.bits:
        unlike.append(f"weights of {quantised} bits, there {one.bits}")
    verdict: Verdict = "differs"
    if result.partial or result.unscored:
        verdict = "not comparable"
        unlike.append(result.partial or f"{len(result.unscored)} problems could not be scored")
    elif abs(score - published) <= TOLERANCE:
        verdict = "reproduced"
    elif low <= published <= high:
        verdict = "within the interval"
    return Comparison(one, published, score, (low, high), verdict, tuple(unlike))


def quantised_bits(file: str) -> int:
    """Bits of the weights of a GGUF file by its name ("...-q4_k_m.gguf": 4); 0 where the name does not say."""
    found = re.search(r"[._-]q(\d)_", file.lower()) if file.lower().endswith(".gguf") else None
    return int(found.group(1)) if found else 0
