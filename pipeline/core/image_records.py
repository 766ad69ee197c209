"""The record types of the walk over images: what is learned from, and what is guessed of it."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pipeline.core.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Image(Record):
    """An image at the size of the recipe.

    source: the file below the folder that was given, or the place in an array or data set ("train/17"). label: its
    class, "" where it has none. pixels: SHA-256 of the bytes that are learned from, "" where it could not be read.
    width, height: of the image as it came. row: its place among the artifact's pixels, -1 where it has none.
    """

    type: ClassVar[str] = "image"
    found: ClassVar[frozenset[str]] = frozenset({"row"})
    source: str
    split: Literal["train", "test"]
    label: str = ""
    pixels: str = ""
    width: int = 0
    height: int = 0
    row: int = field(default=-1, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess(Record):
    """A test image's class as read off features. features: whose ("student", "pixels"). method: "k-nn" or "linear"."""

    type: ClassVar[str] = "guess"
    image_id: str
    features: str
    method: Literal["k-nn", "linear"]
    guessed: str
    label: str

    @property
    def right(self) -> bool:
        """Whether it is the image's class."""
        return self.guessed == self.label


IMAGE_RECORDS: dict[str, type[Record]] = {cls.type: cls for cls in (Image, Guess)}
