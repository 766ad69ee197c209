"""In the sandbox: calls the folder's `check`, and tells what it said."""

import contextlib
import io
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


def tell(check: Callable[[Any], Any], given: str) -> None:
    """Print what `check` says of an item, as JSON: `passed`, and `expected` and `found` where it says them.

    What it prints itself is lost. An exception of an item that it cannot read finds the item wrong: most answers that a
    check stumbles over are no answers.
    """
    item = SimpleNamespace(**json.loads(given))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            said = _read(check(item))
        except AssertionError as error:
            said = {"passed": False, "reason": "wrong", "found": str(error) or "an assertion of check.py did not hold"}
        except MemoryError:
            said = {"passed": False, "reason": "too-large", "found": "it used up its memory"}
        except (Exception, SystemExit) as error:
            said = {"passed": False, "reason": "error", "found": f"{type(error).__name__}: {error}"}
    print(json.dumps(said))


def _read(value: Any) -> dict[str, Any]:
    if value is None or value is True or value == "":
        return {"passed": True}
    if isinstance(value, str):
        return {"passed": False, "reason": "wrong", "found": value}
    if value is False:
        return {"passed": False, "reason": "wrong", "found": "check.py refuses it"}
    if (
        isinstance(value, dict)
        and isinstance(value.get("passed"), bool)
        and set(value) <= {"passed", "expected", "found"}
    ):
        words = {key: str(value[key]) for key in ("expected", "found") if key in value}
        return {"passed": value["passed"], "reason": "wrong", **words}
    return {"fault": f"check returned {value!r:.100}, neither None, true, false, text, nor passed, expected and found"}
