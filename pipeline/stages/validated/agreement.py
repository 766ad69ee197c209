"""Tests made of agreement: what several solutions of one exercise return alike (Chen et al. 2022, CodeT, 2.2).

A teacher that writes solutions well may predict values badly. So of the test and the docstring that came with an
exercise only the calls are taken, with some at the edges of their arguments' types. The teacher's own solution and its
blind ones (`Exercise.attempts`) make them all in the sandbox, those that enough others agree with twice; solutions that
return the same everywhere are one vote each as far as they differ as programs. Departs from CodeT: a test there is a
teacher's guess and is ranked with the solutions that pass it, here no guessed value counts.
"""

import ast
import builtins
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pipeline.core.records import Exercise
from pipeline.core.stage import Dropped, Kept
from pipeline.core.syntax import written
from pipeline.languages.python.calls import Shown, literal, read_literal, sameness, shown
from pipeline.languages.python.normal_form import normal_form
from pipeline.languages.python.said import examples_in, lines_of, with_values
from pipeline.languages.python.source import only_statement
from pipeline.recipe import AgreementTable
from pipeline.sandbox import Example, Output, Program, Sandbox, Verdict, reached
from pipeline.sandbox.show import same_output

_OTHER_DRAWS = "\nimport random as _draws\n_draws.seed(1)\ndel _draws\n"
"""After a program's own code: what it draws is another than in the run before."""
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
_TOLERANCE = 1e-9
"""Relative and, below 1, absolute difference that a test allows a floating point result."""


class Result(NamedTuple):
    """What one call, or one example, gave in one run.

    kind: "value", a literal; "shown", other output; "raised"; "unwritten", an object that shows its address; "ended",
    the program had ended. key: by which two results are the same; text: the literal or the output, what was raised, or
    why the program had ended.
    """

    kind: str
    key: Any = None
    text: str = ""

    @property
    def told(self) -> str:
        """For a person."""
        return self.text.strip()[:60] or self.kind


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program that solves an exercise; own: whether it came with the exercise."""

    body: str
    own: bool


@dataclass(slots=True)
class Ballot:
    """An exercise while its candidates are run. Of candidates that are one program only the first is run.

    asked: solutions there should be, the teacher's own included. shown: expressions whose values are compared, and may
    go into the test. sessions: the examples of the docstring, in order, which may build on each other, each source
    ending in a newline. results: of each candidate. again: by number of the candidate, those of a second run.
    """

    exercise: Exercise
    candidates: list[Candidate]
    asked: int
    shown: Shown
    sessions: tuple[str, ...]
    results: list[list[Result]] = field(default_factory=list)
    again: dict[int, list[Result]] = field(default_factory=dict)

    @property
    def items(self) -> tuple[str, ...]:
        """What is run, in order: where a program ends at an edge, what the teacher showed has been seen."""
        return (*self.shown.calls, *self.sessions, *self.shown.edges)

    def program(self, number: int, *, again: bool = False) -> Program:
        """The run of a candidate, the first or a second one."""
        source = self.exercise.prompt + self.candidates[number].body + (_OTHER_DRAWS if again else "")
        name = f"{self.exercise.id}/{number}/{int(again)}"
        examples = tuple(Example(item) for item in self.items)
        return Program(name, source, self.exercise.entry_point, examples=examples, observe=True)

    def seen(self, verdict: Verdict) -> list[Result]:
        """What a run of `program` showed."""
        found = [_result(output, item) for output, item in zip(verdict.observed, self.items, strict=False)]
        return found + [Result("ended", text=verdict.detail)] * (len(self.items) - len(found))

    def groups(self, fewest: int) -> list[list[int]]:
        """Numbers of the candidates that return the same everywhere, somewhere a value, in both runs where there was a
        second; largest group first, those with fewer than `fewest` left out."""
        found: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for number, results in enumerate(self.results):
            same = self.again.get(number, results)
            if _keys(same) == _keys(results) and any(result.kind == "value" for result in results):
                found[_keys(results)].append(number)
        return sorted((group for group in found.values() if len(group) >= fewest), key=len, reverse=True)


def _keys(results: Iterable[Result]) -> tuple[Any, ...]:
    return tuple(result[:2] for result in results)


def ballot_of(exercise: Exercise, table: AgreementTable) -> Ballot:
    """What is to be run for an exercise that has attempts."""
    distinct: dict[bytes, Candidate] = {}
    for body, own in [(exercise.solution, True), *((body, False) for body in exercise.attempts or ())]:
        text = exercise.prompt + body
        distinct.setdefault(normal_form(text) or text.encode("utf-8", "surrogatepass"), Candidate(body, own))
    lines = lines_of(exercise.prompt, exercise.entry_point)
    return Ballot(
        exercise,
        list(distinct.values()),
        table.solutions + 1,
        shown(exercise.prompt, exercise.test, exercise.entry_point),
        tuple(example.source for example in examples_in(lines)),
    )


def agreed(
    exercises: Iterable[Exercise], table: AgreementTable, sandbox: Sandbox
) -> Iterator[Kept[Exercise] | Dropped]:
    """One outcome for each exercise, in order: with the test that was agreed on, or dropped as no-agreement.

    Raises SandboxUnavailable where a program could not be run.
    """
    ballots = [ballot_of(exercise, table) for exercise in exercises]
    waiting = [ballot for ballot in ballots if len(ballot.candidates) >= table.agree and ballot.shown.total]
    for ballot, _, results in _run(sandbox, [(one, n) for one in waiting for n in range(len(one.candidates))]):
        ballot.results.append(results)
    # Who can win no vote any more is not run again: of what runs on to its limit that is most.
    agreeing = [(one, n) for one in waiting for group in one.groups(table.agree) for n in group]
    for ballot, number, results in _run(sandbox, agreeing, again=True):
        ballot.again[number] = results
    for ballot in ballots:
        yield outcome_of_ballot(ballot, table)


def _run(
    sandbox: Sandbox, asked: Sequence[tuple[Ballot, int]], *, again: bool = False
) -> Iterator[tuple[Ballot, int, list[Result]]]:
    """Candidates by ballot and number, in their order, each with what its run showed."""
    verdicts = sandbox.run(ballot.program(number, again=again) for ballot, number in asked)
    for (ballot, number), verdict in zip(asked, verdicts, strict=True):
        told = f"run a solution of exercise {ballot.exercise.id}"
        yield ballot, number, ballot.seen(reached(verdict, told))


def outcome_of_ballot(ballot: Ballot, table: AgreementTable) -> Kept[Exercise] | Dropped:
    """What the results mean for the exercise."""
    exercise, count = ballot.exercise, len(ballot.candidates)
    differing = f"{count} of {ballot.asked} solutions differ as programs"
    if ballot.shown.total < table.min_calls:  # such an exercise was not solved blind
        said = f"{ballot.shown.total} calls of {exercise.entry_point} shown, {table.min_calls} wanted"
        return Dropped(exercise, "no-agreement", said)
    if count < table.agree:
        return Dropped(exercise, "no-agreement", f"{differing}, {table.agree} must agree")
    groups = ballot.groups(1)
    sizes = [*map(len, groups), 0]
    varying = sum(_keys(results) != _keys(ballot.results[number]) for number, results in ballot.again.items())
    tied = sizes[0] >= table.agree and sizes[1] == sizes[0]
    if sizes[0] < table.agree or tied:
        votes = f"{sizes[0]} of {count} agree" + (f", and {sizes[1]} on something else" if tied else "")
        parts = [f"{votes}, {table.agree} wanted: {_difference(ballot)}"]
        parts += [f"{varying} differ from run to run"] if varying else []
        return Dropped(exercise, "no-agreement", "; ".join([*parts, differing]))
    return _with_test(ballot, groups[0], table)


def _with_test(ballot: Ballot, winners: Sequence[int], table: AgreementTable) -> Kept[Exercise] | Dropped:
    """The exercise with the first winner's body, and the test that the winners agree on."""
    exercise, calls = ballot.exercise, ballot.shown.calls
    runs = [ballot.results[number] for number in winners]
    columns = list(zip(*runs, strict=True))
    stop = len(calls) + len(ballot.sessions)
    found = dict(zip((*calls, *ballot.shown.edges), [*columns[: len(calls)], *columns[stop:]], strict=True))
    lines: list[tuple[str, Result | None]] = [
        (line, results[0])
        for call, results in found.items()
        if (line := _assert(call, results) or _raises(call, results, exercise.prompt))
    ]
    lines += _steps(ballot, columns[len(calls) : stop])
    returned = [result for _, result in lines if result is not None]
    if len(returned) < table.min_calls:
        said = (
            f"{len(winners)} of {len(ballot.candidates)} agree, but only on {len(returned)} calls that return a literal"
        )
        return Dropped(exercise, "no-agreement", f"{said}, {table.min_calls} wanted")
    if len({result[:2] for result in returned}) < 2:
        said = f"all {len(returned)} calls return {returned[0].text[:60]}"
        return Dropped(exercise, "no-agreement", f"{said}, 2 results wanted")
    prompt = with_values(
        exercise.prompt,
        exercise.entry_point,
        [result.text if result.kind in ("value", "shown") else None for result in runs[0][len(calls) : stop]],
        lambda call: found[call][0].text if call in found and found[call][0].kind == "value" else None,
        _says_the_same,
    )
    return Kept(
        replace(
            exercise,
            prompt=prompt,
            solution=ballot.candidates[winners[0]].body,
            test="".join(line for line, _ in lines),
            test_owner="agreement",
            attempts=None,
        )
    )


def _steps(ballot: Ballot, columns: Sequence[Sequence[Result]]) -> list[tuple[str, Result | None]]:
    """The docstring's session as lines of a test: what its steps return is asserted, and what leads there is done.

    A line that compares has the first winner's result, unless it shows a name that holds what it held before: what
    changes nothing is no result. What raises an exception is left out.
    """
    lines: list[tuple[str, Result | None]] = []
    held: dict[str, Any] = {}
    whole = 0
    for source, results in zip(ballot.sessions, columns, strict=True):
        only = only_statement(source)
        line = text = None
        if isinstance(only, ast.Expr):
            if source not in ballot.shown.steps:
                continue
            text = written(only)
            simple = isinstance(only.value, ast.Name | ast.Call | ast.Attribute | ast.Subscript)
            line = _assert(text if simple else f"({text})", results) if text else None
        if all(result.kind in ("value", "shown") for result in results):
            changed = line is not None and held.get(str(text)) != results[0].key
            lines.append((line or source, results[0] if changed else None))
            whole = len(lines) if line else whole
            held |= {text: results[0].key} if text else _assigned(only)
    return lines[:whole]


def _assigned(statement: ast.stmt | None) -> dict[str, Any]:
    """The names to which a statement gives a literal, with the key of its result."""
    if not isinstance(statement, ast.Assign):
        return {}
    try:
        key = sameness(read_literal(written(statement.value)))
    except ValueError:
        return {}
    return {written(target): key for target in statement.targets}


def _raises(call: str, results: Sequence[Result], prompt: str) -> str | None:
    """The lines that want an exception of a call; None where solutions raised different ones, or one that is not
    spoken of: what fails for want of a value is no part of the task."""
    names = {result.text.partition(":")[0] if result.kind == "raised" else "" for result in results}
    name = names.pop()
    kind = getattr(builtins, name, None) if not names and name in prompt else None
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        return None
    return f"try:\n    {call}\nexcept {name}:\n    pass\nelse:\n    raise AssertionError({f'{call} raises {name}'!r})\n"


def _assert(call: str, results: Sequence[Result]) -> str | None:
    """The assert that a call returns what solutions returned; None where one returned no literal, or they differ by
    rounding inside a result."""
    if any(result.kind != "value" for result in results):
        return None
    texts = [result.text for result in results]
    value = read_literal(texts[0])
    if value is None:
        return f"assert {call} is None\n"
    if isinstance(value, float):
        return f"assert abs({call} - {value!r}) <= {max(1.0, abs(value)) * _TOLERANCE:.0e}\n"
    return f"assert {call} == {texts[0]}\n" if all(read_literal(text) == value for text in texts) else None


def _says_the_same(said: str, found: str) -> bool:
    if same_output(said + "\n", found.rstrip("\n") + "\n", raised=False):
        return True
    try:
        return bool(sameness(read_literal(said)) == sameness(read_literal(found)))
    except ValueError:
        return False


def _result(output: Output, item: str) -> Result:
    """A call's result by its literal, or by what is shown where that is none. Of None a prompt shows nothing."""
    if output.raised:
        return Result("raised", text=output.raised)
    if _ADDRESS.search(output.text):
        return Result("unwritten")
    if not output.text.strip():
        return Result("shown") if item.endswith("\n") else Result("value", sameness(None), "None")
    try:
        value = read_literal(output.text)
    except ValueError:
        return Result("shown", output.text, output.text)
    text = literal(value)
    return Result("shown", output.text, output.text) if text is None else Result("value", sameness(value), text)


def _difference(ballot: Ballot) -> str:
    """The first call on which the candidates differ most, with how many gave what."""
    columns = [[results[place] for results in ballot.results] for place in range(len(ballot.items))]
    votes = [Counter(result[:2] for result in column) for column in columns]
    place = max(range(len(votes)), key=lambda at: len(votes[at]))
    item, first = ballot.items[place], {result[:2]: result.told for result in reversed(columns[place])}
    told = ", ".join(f"{first[same]} ({count})" for same, count in votes[place].most_common(4))
    return f"{item.strip()[:120]} gives {told}"
