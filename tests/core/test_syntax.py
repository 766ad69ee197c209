import ast
import gc
import threading
import time
import warnings

import pytest

from pipeline.core.syntax import NO_PYTHON, expression_of, literal_of, parse, rows_of, tree_of

WIDE = "\n".join(f"x{n} = [{n}, ({n}, {{{n}: 'a'}})]" for n in range(60))
DEEP = f"x = {'[' * 60}1{']' * 60}"


def test_threads_that_parse_at_once_do_not_disturb_each_other() -> None:
    """CPython 3.11 raises SystemError of about one in forty of these where nothing keeps them apart."""
    found: list[object] = []

    def parses(source: str) -> None:
        for _ in range(15):
            try:
                found.append(ast.dump(tree_of(source)) == wanted[source])
                found.append(literal_of(source[4:]) is not None if source is DEEP else True)
            except SystemError as error:
                found.append(error)

    def elsewhere(phase: str, info: dict[str, int]) -> None:
        time.sleep(0.0002)

    wanted = {source: ast.dump(ast.parse(source)) for source in (WIDE, DEEP)}
    threads = [threading.Thread(target=parses, args=(source,)) for source in (WIDE, DEEP) * 2]
    thresholds = gc.get_threshold()
    gc.callbacks.append(elsewhere)
    gc.set_threshold(50)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.callbacks.remove(elsewhere)
        gc.set_threshold(*thresholds)
    assert found == [True] * (4 * 15 * 2)


@pytest.mark.parametrize("source", ["def", "x = \0", "(" * 10**5, "'\ud800'", "  x = 1", "x = 1_"])
def test_what_is_no_python(source: str) -> None:
    assert parse(source) is None
    with pytest.raises(NO_PYTHON):
        tree_of(source)


def test_nothing_is_warned_of_and_what_is_warned_of_stays_as_it_was() -> None:
    before = list(warnings.filters)
    source = r"'\d'"
    assert parse(source) is not None
    assert ast.unparse(expression_of(source)) == r"'\\d'"
    assert literal_of(source) == r"\d"
    assert warnings.filters == before


def test_rows_are_counted_as_python_counts_them() -> None:
    source = "x = 1\x0c\ny = '\u2028\x1c'\r\nz = 3\rlast = 4"
    assert "".join(rows_of(source)) == source
    assert [node.lineno for node in tree_of(source).body] == [1, 2, 3, 4]
    assert len(rows_of(source)) == 4
