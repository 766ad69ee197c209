"""The checker `python` says what the stage `validated` says."""

from pipeline import checkers
from pipeline.checkers.protocol import Item, Means, Terms

TERMS = Terms(cpu_seconds=1.0)
ADD = 'def add(a, b):\n    """Sum.\n\n    >>> add(1, 2)\n    3\n    """\n    return a + b\n'
CHECK = {"entry_point": "add", "test": "assert add(2, 3) == 5\n"}


def ruled(*items: Item):
    return list(checkers.named("python").make(TERMS, Means()).rule(items))


def test_rulings_come_in_order_with_a_reason_and_both_values() -> None:
    items = [
        Item("right", "", ADD, CHECK),
        Item("malformed", "", ADD, {"tests": ""}),
        Item("wrong", "", ADD.replace("a + b", "a - b"), CHECK),
        Item("example", "", ADD.replace("    3\n", "    4\n"), CHECK),
        Item("no example", "", ADD.replace("    3\n", "    4\n"), CHECK | {"examples": False}),
        Item("syntax", "", "def add(:\n", CHECK),
        Item("loop", "", "def add(a, b):\n    while True: pass\n", CHECK),
        Item("empty test", "", ADD, CHECK | {"test": "assert True\n"}),
    ]
    rulings = ruled(*items)
    assert [r.id for r in rulings] == [i.id for i in items]
    assert [(r.state, r.reason) for r in rulings] == [
        ("right", ""),
        ("unscored", "bad-check"),
        ("wrong", "test-failed"),
        ("wrong", "test-failed"),
        ("right", ""),
        ("wrong", "syntax-error"),
        ("wrong", "timeout"),
        ("wrong", "no-test"),
    ]
    assert rulings[1].detail == (
        "unknown key 'tests'; did you mean 'test'?; 'entry_point' is missing: the function that is tested"
    )
    assert rulings[2].detail == "assert add(2, 3) == 5: expected 5, got -1"
    assert {r.reason for r in rulings} - {""} <= set(checkers.named("python").reasons)
