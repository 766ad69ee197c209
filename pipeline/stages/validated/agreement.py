"""Tests made of agreement: what several solutions of one exercise return alike (Chen et al. 2022, CodeT, 2.2).

A teacher that writes solutions well may predict values badly. So of the test and the docstring that came with an
exercise only the calls are taken, with some at the edges of their arguments' types. The teacher's own solution and its
blind ones (`Exercise.attempts`) make them all in the sandbox, those that enough others agree with twice; solutions that
return the same everywhere are one vote each as far as they differ as programs. Departs from CodeT: a test there is a
teacher's guess and is ranked with the solutions that pass it, here no guessed value counts.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pipeline.core.records import Exercise
from pipeline.core.stage import Dropped, Kept
from pipeline.languages.python.calls import edge_calls, literal, read_literal, sameness, shown_calls
from pipeline.languages.python.normal_form import normal_form
from pipeline.languages.python.said import examples_in, lines_of, with_values
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

    asked: solutions there should be, the teacher's own included. calls: expressions whose values are compared, and may
    go into the test; edges: more of them, made up. sessions: the examples of the docstring, in order, which may build
    on each other, each source ending in a newline. results: of each candidate. again: by number of the candidate, those
    of a second run.
    """

    exercise: Exercise
    candidates: list[Candidate]
    asked: int
    calls: tuple[str, ...]
    sessions: tuple[str, ...]
    edges: tuple[str, ...]
    results: list[list[Result]] = field(default_factory=list)
    again: dict[int, list[Result]] = field(default_factory=dict)

    @property
    def items(self) -> tuple[str, ...]:
        """What is run, in order: where a program ends at an edge, what the teacher showed has been seen."""
        return (*self.calls, *self.sessions, *self.edges)

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
    calls = shown_calls(exercise.prompt, exercise.test, exercise.entry_point)
    lines = lines_of(exercise.prompt, exercise.entry_point)
    return Ballot(
        exercise,
        list(distinct.values()),
        table.solutions + 1,
        calls,
        tuple(example.source for example in examples_in(lines)),
        edge_calls(calls, exercise.entry_point),
    )


def agreed(
    exercises: Iterable[Exercise], table: AgreementTable, sandbox: Sandbox
) -> Iterator[Kept[Exercise] | Dropped]:
    """One outcome for each exercise, in order: with the test that was agreed on, or dropped as no-agreement.

    Raises SandboxUnavailable where a program could not be run.
    """
    ballots = [ballot_of(exercise, table) for exercise in exercises]
    waiting = [ballot for ballot in ballots if len(ballot.candidates) >= table.agree and ballot.calls]
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
    written = f"{count} of {ballot.asked} solutions differ as programs"
    shown = len(ballot.calls) + len(ballot.edges)
    if shown < table.min_calls:  # such an exercise was not solved blind
        said = f"{shown} calls of {exercise.entry_point} shown, {table.min_calls} wanted"
        return Dropped(exercise, "no-agreement", said)
    if count < table.agree:
        return Dropped(exercise, "no-agreement", f"{written}, {table.agree} must agree")
    groups = ballot.groups(1)
    sizes = [*map(len, groups), 0]
    varying = sum(_keys(results) != _keys(ballot.results[number]) for number, results in ballot.again.items())
    tied = sizes[0] >= table.agree and sizes[1] == sizes[0]
    if sizes[0] < table.agree or tied:
        votes = f"{sizes[0]} of {count} agree" + (f", and {sizes[1]} on something else" if tied else "")
        parts = [f"{votes}, {table.agree} wanted: {_difference(ballot)}"]
        parts += [f"{varying} differ from run to run"] if varying else []
        return Dropped(exercise, "no-agreement", "; ".join([*parts, written]))
    return _with_test(ballot, groups[0], table)


def _with_test(ballot: Ballot, winners: Sequence[int], table: AgreementTable) -> Kept[Exercise] | Dropped:
    """The exercise with the first winner's body, and the test that the winners agree on."""
    exercise, lead = ballot.exercise, winners[0]
    runs = [dict(zip(ballot.items, ballot.results[number], strict=True)) for number in winners]
    sessions = ballot.results[lead][len(ballot.calls) : len(ballot.calls) + len(ballot.sessions)]
    asserts: dict[str, str] = {}
    for call in (*ballot.calls, *ballot.edges):
        texts = [run[call].text for run in runs if run[call].kind == "value"]
        line = _assert(call, texts) if len(texts) == len(runs) else None
        if line is not None:
            asserts[call] = line
    found = runs[0]
    values = {found[call].key for call in asserts}
    if len(asserts) < table.min_calls:
        said = (
            f"{len(winners)} of {len(ballot.candidates)} agree, but only on {len(asserts)} calls that return a literal"
        )
        return Dropped(exercise, "no-agreement", f"{said}, {table.min_calls} wanted")
    if len(values) < 2:
        (text,) = {found[call].text for call in list(asserts)[:1]}
        return Dropped(exercise, "no-agreement", f"all {len(asserts)} calls return {text[:60]}, 2 results wanted")
    prompt = with_values(
        exercise.prompt,
        exercise.entry_point,
        [result.text if result.kind in ("value", "shown") else None for result in sessions],
        lambda call: found[call].text if call in found and found[call].kind == "value" else None,
        _says_the_same,
    )
    return Kept(
        replace(
            exercise,
            prompt=prompt,
            solution=ballot.candidates[lead].body,
            test="".join(asserts.values()),
            test_owner="agreement",
            attempts=None,
        )
    )


def _assert(call: str, texts: Sequence[str]) -> str | None:
    """The assert that a call returns what solutions returned; None where they differ by rounding inside a result."""
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
