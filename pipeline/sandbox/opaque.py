"""Objects of types that have no encoding: the mark that is sent for one, and what stands for it where it arrives."""

import sys
from typing import Any


class Opaque:
    """Stands for an object of a type that has no encoding; what is not known of it raises `OpaqueUsed`.

    facts: what the program's process found out of itself, see `opaque`. They are data: whoever found them did not know
    what they would be compared with.
    """

    __slots__ = ("facts", "kind")

    def __init__(self, kind: str, facts: dict[str, Any] | None = None) -> None:
        self.kind = kind
        self.facts = facts or {}

    def __repr__(self) -> str:
        return f"<{self.kind} object>"

    def _refuse(self, *_: Any) -> Any:
        raise OpaqueUsed(f"an object of type {self.kind}", self.facts.get("anything") is True)

    def _fact(self, name: str, kind: type) -> Any:
        value = self.facts.get(name)
        return value if type(value) is kind else self._refuse()

    def __eq__(self, other: object) -> Any:
        return True if self is other else self._unequal(other, False)

    def __ne__(self, other: object) -> Any:
        return False if self is other else self._unequal(other, True)

    def _unequal(self, other: object, answer: bool) -> Any:
        """To None where its class is not one of the program; to anything else where that compares by identity, but for
        another such object: they may be one."""
        if self.facts.get("identity") is True and not isinstance(other, Opaque):
            return NotImplemented
        return answer if other is None and self.facts.get("library") is True else self._refuse()

    def __hash__(self) -> int:
        if self.facts.get("identity") is not True:
            self._refuse()
        return id(self)

    def __bool__(self) -> bool:
        return bool(self._fact("truth", bool))

    def __len__(self) -> int:
        return int(self._fact("length", int))

    def __str__(self) -> str:
        return str(self._fact("text", str))

    __lt__ = __le__ = __gt__ = __ge__ = __iter__ = __contains__ = __add__ = __radd__ = __sub__ = __rsub__ = _refuse
    __abs__ = __getitem__ = __float__ = __int__ = __round__ = _refuse


class OpaqueItems(Opaque):
    """Stands for an iterator, of which the items were sent."""

    __slots__ = ("items",)

    def __init__(self, kind: str, items: list[Any]) -> None:
        super().__init__(kind, {"identity": True, "truth": True})
        self.items = items

    def __iter__(self) -> Any:
        return iter(self.items)

    def __contains__(self, item: object) -> bool:
        return item in self.items

    def __len__(self) -> int:
        return len(self.items)


class OpaqueUsed(Exception):
    """An assertion looked into an object that has no encoding; wrong: which equals anything, and so is no answer."""

    def __init__(self, what: str, wrong: bool) -> None:
        super().__init__(what)
        self.wrong = wrong


def equals_anything(value: Any) -> bool:
    """Whether an object says that it equals a fresh object, which nothing does that was made to be compared."""
    try:
        return bool(value == object())
    except Exception:
        return False


def opaque(value: Any, asked: str = "") -> Any:
    """The mark of an object that has no encoding, with what can be known of it without its class's own methods.

    identity: its type compares by identity. anything: see `equals_anything`. library: its type is one of the standard
    library's. truth: `bool` of it, left out where a class of the program decides that.
    asked: "length" or "text", to have what `len` or `str` gives along with it.
    """
    kind = type(value)
    facts: dict[str, Any] = {}
    if getattr(kind, "__eq__", None) is object.__eq__:
        facts["identity"] = True
    elif equals_anything(value):
        facts["anything"] = True
    try:
        if kind.__module__.split(".")[0] in sys.stdlib_module_names:
            facts["library"] = True
            facts["truth"] = bool(value)
        elif not hasattr(kind, "__bool__") and not hasattr(kind, "__len__"):
            facts["truth"] = True
        if asked == "length":
            facts["length"] = len(value)
        elif asked == "text":
            facts["text"] = str.__str__(str(value))
    except Exception:  # nothing is known then, and whoever asks is told so
        pass
    return {"h": ["", kind.__qualname__[:80], facts]}
