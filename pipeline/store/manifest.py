"""What a finished artifact says of itself. Imports nothing heavy: whoever declares a stage speaks of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FORMAT = 1
"""Version of the layout and of the manifest. A store with a higher one is refused, not guessed at."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a finished artifact says of itself.

    inputs: key of each artifact it was made from, by stage. entered, kept, dropped: record counts that obey
    entered = kept + sum(dropped). files: name to size in bytes. facts: what the stage wants the report to know. run,
    finished: name of the run that made it, and when in UTC; "" in stores of before they were written down.
    """

    stage: str
    key: str
    version: int
    inputs: Mapping[str, str]
    settings: Mapping[str, Any]
    entered: int
    kept: int
    dropped: Mapping[str, int]
    seconds: float
    cpu_seconds: float
    files: Mapping[str, int]
    facts: Mapping[str, Any] = field(default_factory=dict)
    made_by: str = ""
    run: str = ""
    finished: str = ""
    format: int = FORMAT


def cpu_seconds() -> float:
    """CPU seconds of this process and its finished children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
