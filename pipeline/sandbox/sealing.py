"""The judge's side of a test that shares the program's process: what was withheld, and how comparisons come out."""

from typing import Any

from pipeline.sandbox import checks, codec
from pipeline.sandbox.due import due
from pipeline.sandbox.reduce import SIGNS, constant
from pipeline.sandbox.remote import decode_values
from pipeline.sandbox.show import shown


class Sealing:
    """Decides the comparisons of one run. Raises SyntaxError where the test does not parse.

    broken: how the first that did not hold came out, "" for none. mutating: the test runs against sentinels now, and
    what does not hold is no fault of the program. unsure: it was no value, and so could not be compared. missing:
    places of comparisons that are due and have not held yet.
    """

    def __init__(self, test: str) -> None:
        self.sealed = checks.sealed(test, constant, due)
        self.missing = set(self.sealed.due)
        self.broken = ""
        self.mutating = False
        self.unsure = False

    def holds(self, sign: str, place: int, withheld: str, left: Any, right: Any, held: Any) -> bool:
        """Whether a comparison holds; left, right: what the process sent of both sides, in the encoding.

        held: how it came out there, None where a side was withheld; it counts where a side has no encoding, and for
        identity, which does not travel. Raises Malformed for what no test sends.
        """
        text = self.sealed.texts[place]
        known = place in self.sealed.constants
        if (withheld in ("left", "right")) is not known or (sign and sign not in SIGNS) or type(place) is not int:
            raise codec.Malformed("a comparison that the test does not make")
        sides = [decode_values(left), decode_values(right)]
        if known:
            sides[withheld == "right"] = self.sealed.constants[place]
        if not known and sign in ("is", "is not"):
            outcome = held is True
        else:
            try:
                outcome = bool(SIGNS[sign](*sides)) if sign else bool(sides[0])
            except codec.OpaqueUsed as error:
                outcome = not error.wrong and (sign == "!=" if known else held is True)
                self.unsure = self.unsure or (known and not self.mutating and not self.broken and not error.wrong)
            except Exception:
                outcome = False
        if outcome and not self.mutating:
            self.missing.discard(place)
        if not outcome and not self.mutating:
            self.broken = self.broken or _described(text, sign, *sides)
        return outcome

    @property
    def left_out(self) -> str:
        """The text of a comparison that is due and has not held, "" for none."""
        return self.sealed.texts[min(self.missing)] if self.missing else ""


def _described(text: str, sign: str, left: Any, right: Any) -> str:
    if not sign:
        return f"assert {text}: got {shown(left)}"
    wanted = shown(right) if sign == "==" else f"{sign} {shown(right)}"
    return f"assert {text}: expected {wanted}, got {shown(left)}"
