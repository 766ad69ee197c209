"""What a function's docstring says that calls return: examples at a prompt, and `f(3) returns 9` in its prose.

Models write such values by guess. `without_values` leaves the calls and takes the values out, for whoever shall solve
the exercise without being misled; `with_values` puts in what the calls do return.
"""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pipeline.core.syntax import literal_of, parse, written
from pipeline.languages.python.functions import docstring_of
from pipeline.languages.python.source import function_named, names_in, only_statement

_LONGEST_LINE = 500
_SAYS = re.compile(
    r"\)*`?,?\s*(?:(?:should |will |would |must )?(?:returns?|gives?|yields?|equals?|outputs?|evaluates to|is|be)\b"
    r"|-->?|->|=>|===?|==?|→|⇒|➞|:|#)\s*(?:returns?\b|prints?\b)?:?\s*`?"
)


class ShownExample(NamedTuple):
    """An example at a prompt. start: its first line; stop, end: the lines after its source and after its output."""

    source: str
    start: int
    stop: int
    end: int


class SaidCall(NamedTuple):
    """A call in a line of prose, and what is said to come of it. text: the call. stop: where it ends in the line.

    value: the literal that follows, "" for none; begin, end: where it stands.
    """

    text: str
    stop: int
    value: str = ""
    begin: int = 0
    end: int = 0


def lines_of(prompt: str, entry_point: str) -> list[str]:
    """The lines of the docstring of `entry_point`; none where it has none, or `prompt` is not Python."""
    found = _docstring(prompt, entry_point)
    return str(ast.literal_eval(found.value)).split("\n") if found is not None else []


def examples_in(lines: Sequence[str]) -> list[ShownExample]:
    """The `>>>` examples in the lines of a docstring, in order."""
    found = []
    at = 0
    while at < len(lines):
        start = at
        at += 1
        if not lines[start].lstrip().startswith(">>>"):
            continue
        while at < len(lines) and lines[at].lstrip().startswith("..."):
            at += 1
        stop = at
        while at < len(lines) and lines[at].strip() and not lines[at].lstrip().startswith((">>>", "```", "~~~")):
            at += 1
        source = "".join(line.lstrip()[4:] + "\n" for line in lines[start:stop])
        found.append(ShownExample(source, start, stop, at))
    return found


def calls_in(line: str, entry_point: str) -> list[SaidCall]:
    """The calls of `entry_point` in a line of prose, in order."""
    if line.lstrip().startswith((">>>", "...")) or len(line) > _LONGEST_LINE:
        return []
    return list(_calls_in(line, entry_point))


def without_values(prompt: str, entry_point: str) -> str:
    """`prompt` with a docstring that shows its calls and not what they return."""

    def edit(lines: list[str]) -> list[str]:
        examples = examples_in(lines)
        gone = {number for example in examples for number in range(example.stop, example.end)}
        gone |= {n for example in _said_before(examples, entry_point) for n in range(example.start, example.end)}
        left = [line for number, line in enumerate(lines) if number not in gone or number == len(lines) - 1]
        if gone and len(lines) - 1 in gone:
            left[-1] = lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())]
        return [line[: next((call.stop for call in calls_in(line, entry_point) if call.value), None)] for line in left]

    return _edited(prompt, entry_point, edit)


def with_values(
    prompt: str,
    entry_point: str,
    shown: Sequence[str | None],
    returned: Callable[[str], str | None],
    same: Callable[[str, str], bool],
) -> str:
    """`prompt` with a docstring that says what its calls return.

    shown: what each example shows, in order, as its output is written; returned: the literal that a call in prose
    gives. Where either is None, the example or the line of prose is left out, unless the example shows a traceback.
    same: whether what is said, the first, is right, and stays as it is.
    """

    def edit(lines: list[str]) -> list[str]:
        edited: dict[int, list[str]] = {}
        examples = examples_in(lines)
        for example, output in zip(examples, shown, strict=True):
            said = "\n".join(line.strip() for line in lines[example.stop : example.end])
            places = range(example.start, example.end)
            if output is None:
                if not said.startswith("Traceback"):
                    edited |= {number: [] for number in places}
            elif not same(said, output):
                indent = lines[example.start][: len(lines[example.start]) - len(lines[example.start].lstrip())]
                edited |= {number: [] for number in range(example.stop, example.end)}
                written = [indent + (line or "<BLANKLINE>") for line in output.rstrip("\n").split("\n") if output]
                edited[example.stop - 1] = [lines[example.stop - 1], *written]
        for example in _said_before(examples, entry_point):
            edited |= {number: [] for number in range(example.start, example.end)}
        at_prompt = {n for example in examples for n in range(example.start, example.end)}
        for number, line in enumerate(lines):
            for call in calls_in(line, entry_point) if number not in at_prompt else ():
                value = returned(call.text) if call.value else None
                if call.value and value is None:
                    edited[number] = []
                    break
                if value is not None and not same(call.value, value):
                    edited[number] = [line[: call.begin] + value]
                    break
        last = lines[-1]
        left = [new for number, line in enumerate(lines) for new in edited.get(number, [line])]
        return left if edited.get(len(lines) - 1) is None else [*left, last[: len(last) - len(last.lstrip())]]

    return _edited(prompt, entry_point, edit)


def _said_before(examples: Sequence[ShownExample], entry_point: str) -> list[ShownExample]:
    """The examples that are a call of the function alone, one that has been shown: small models repeat themselves.

    A call that reads what an earlier line made may give something else each time.
    """
    met: set[str] = set()
    found = []
    for example in examples:
        call = _call(example.source, entry_point)
        if call is not None and not names_in([call]) - {entry_point}:
            text = written(call)
            found += [example] * (text in met)
            met |= {text} - {""}
    return found


def _call(source: str, entry_point: str) -> ast.Call | None:
    """The call, where the source is one call of `entry_point` and nothing else."""
    node = only_statement(source)
    call = node.value if isinstance(node, ast.Expr) else None
    named = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == entry_point
    return call if isinstance(call, ast.Call) and named else None


def _calls_in(line: str, entry_point: str) -> Iterator[SaidCall]:
    for match in re.finditer(rf"(?<![\w.]){re.escape(entry_point)}\(", line):
        for stop in (at + 1 for at in range(match.end(), len(line)) if line[at] == ")"):
            call = _call(line[match.start() : stop], entry_point)
            text = written(call) if call is not None else ""
            if text:
                yield _with_value(line, text, stop)
                break


def _with_value(line: str, text: str, stop: int) -> SaidCall:
    says = _SAYS.match(line, stop)
    if says is None:
        return SaidCall(text, stop)
    begin = says.end()
    for end in range(len(line), begin, -1):
        value = line[begin:end]
        if value.endswith((".", ",", " ")) and end != begin + 1:
            continue
        try:
            read = literal_of(value)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        if not isinstance(read, tuple) or value.startswith("("):
            return SaidCall(text, stop, value, begin, end)
    return SaidCall(text, stop)


def _docstring(prompt: str, entry_point: str) -> ast.Expr | None:
    function = function_named(parse(prompt), entry_point)
    return docstring_of(function) if function else None


def _edited(prompt: str, entry_point: str, edit: Callable[[list[str]], list[str]]) -> str:
    """`prompt` with the lines of its docstring edited; as it is where no Python would come of that."""
    found = _docstring(prompt, entry_point)
    lines = lines_of(prompt, entry_point)
    after = edit(lines) if lines else lines
    if found is None or after == lines:
        return prompt
    text = "\n".join(after).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    text = text[:-1] + '\\"' if text.endswith('"') else text
    rows = prompt.split("\n")
    before = rows[found.lineno - 1].encode()[: found.col_offset].decode()
    rest = rows[(found.end_lineno or 0) - 1].encode()[found.end_col_offset :].decode()
    made = "\n".join([*rows[: found.lineno - 1], f'{before}"""{text}"""{rest}', *rows[found.end_lineno or 0 :]])
    return made if lines_of(made, entry_point) == after else prompt
