"""The checker `python-check`: what a folder's check.py says, whatever it does."""

import pytest

from pipeline import checkers
from pipeline.checkers.protocol import Item, Means, Terms
from pipeline.core.errors import RecipeError

CHECK = """
import sys
def check(item):
    print("noise"); print("noise", file=sys.stderr)
    what = item.solution
    if what == "loop":
        while True: pass
    if what == "memory":
        return "x" * (1 << 40)
    if what == "exit":
        sys.exit(0)
    if what == "odd":
        return 3
    if what == "assert":
        assert what == "right", "it is not right"
    if what == "no":
        return False
    wanted, found = item.check["value"], float(what)
    if wanted != found:
        return {"passed": False, "expected": wanted, "found": found}
"""


def ruled(program: str, *solutions: str):
    kind = checkers.named("python-check")
    items = [Item(str(number), "", solution, {"value": 2}) for number, solution in enumerate(solutions)]
    return list(kind.make(Terms(cpu_seconds=0.5, program=program), Means()).rule(items))


def test_what_check_says_is_the_ruling() -> None:
    rulings = ruled(CHECK, "2", "3", "two", "assert", "no", "odd", "loop", "memory", "exit", "2.0")
    assert [(r.state, r.reason, r.detail) for r in rulings] == [
        ("right", "", ""),
        ("wrong", "wrong", "expected 2, got 3.0"),
        ("wrong", "error", "ValueError: could not convert string to float: 'two'"),
        ("wrong", "wrong", "it is not right"),
        ("wrong", "wrong", "check.py refuses it"),
        ("unscored", "bad-check", "check returned 3, neither None, true, false, text, nor passed, expected and found"),
        ("wrong", "timeout", "the program used more than 0.5 CPU s"),
        ("wrong", "too-large", "it used up its memory"),
        ("wrong", "error", "SystemExit: 0"),
        ("right", "", ""),
    ]


def test_a_check_that_cannot_load_says_nothing_of_the_answer() -> None:
    (ruling,) = ruled("import no_such_package\ndef check(item): pass\n", "2")
    assert (ruling.state, ruling.reason) == ("unscored", "bad-check")
    assert (
        ruling.detail
        == "check.py: loading the program: ModuleNotFoundError: No module named 'no_such_package' (line 1)"
    )


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("def chek(item): pass\n", "check.py defines no function 'check'; its functions are chek"),
        ("x = a" + ".a" * 50_000 + "\n", "check.py is no Python: it is nested too deeply"),
        ("x = " + "-" * 100_000 + "1\n", "check.py is no Python: it is nested too deeply"),
        ("def check(:\n", "check.py is no Python: invalid syntax (<unknown>, line 1)"),
    ],
)
def test_a_program_that_is_no_check_is_refused_before_anything_runs(program: str, message: str) -> None:
    with pytest.raises(RecipeError) as raised:
        ruled(program, "2")
    assert raised.value.message == message
    assert raised.value.hint.startswith("check.py defines `def check(item)`")
