"""Textbook passages: prose about a technique around functions that show it, with results that were computed.

The form of the passage decides what comes in which order; the reader decides the bridge to what is known already.
"""

from random import Random

from pipeline.core.records import Seed
from pipeline.teacher.composer.exercise import Piece, write
from pipeline.teacher.composer.families import Entry, any_entry, entries, match
from pipeline.teacher.composer.phrasing import capital, imperative
from pipeline.teacher.composer.readers import bridge
from pipeline.teacher.composer.steps import chain_family, draw_chain
from pipeline.teacher.composer.techniques import ALIASES, Technique, technique
from pipeline.teacher.composer.tracing import loop_rounds, table

COMPOSITION_SHARE = 0.25
"""Share of passages whose first function is a chain of steps."""


def passage_answer(random: Random, seed: Seed) -> str:
    """A passage for the seed: Markdown with short blocks of Python that run in order."""
    if random.random() < COMPOSITION_SHARE:
        first = write(random, chain_family(random, draw_chain(random, reserved=False)), {}, words=seed.words)
        skill = "pipeline"
    else:
        entry = match(random, f"{seed.topic} {seed.title}", "")
        first = write(random, entry.family, entry.choice, words=seed.words)
        skill = random.choice(entry.family.skills)
    second = _relative(random, seed, first, skill)
    text = _Text(random, seed, technique(skill), first, second)
    return text.passage()


def _relative(random: Random, seed: Seed, first: Piece, skill: str) -> Piece:
    """Another function that uses the technique, under another name."""
    if skill == "pipeline":
        while True:
            other = write(random, chain_family(random, draw_chain(random, reserved=False)), {}, words=seed.words)
            if other.entry_point != first.entry_point:
                return other
    base = ALIASES.get(skill, skill)
    related = [e for e in entries() if any(ALIASES.get(s, s) == base for s in e.family.skills)]
    names: dict[str, list[Entry]] = {}
    for entry in related:
        if entry.family.name != first.family.name:
            names.setdefault(entry.family.name, []).append(entry)
    while True:
        entry = random.choice(names[random.choice(list(names))]) if names else any_entry(random)
        piece = write(random, entry.family, entry.choice, words=seed.words)
        if piece.entry_point != first.entry_point:
            return piece


class _Text:
    """One passage in the making."""

    def __init__(self, random: Random, seed: Seed, what: Technique, first: Piece, second: Piece) -> None:
        self.random, self.seed, self.what, self.first, self.second = random, seed, what, first, second
        self.shown: set[str] = set()

    def say(self, *sentences: str) -> str:
        return self.random.choice(sentences)

    def passage(self) -> str:
        form = self.seed.form
        if "mistake" in form:
            parts = self.mistake_clinic()
        elif "two solutions" in form:
            parts = self.two_solutions()
        elif "dialogue" in form or "questions" in form:
            parts = self.questions(dialogue="dialogue" in form)
        elif "reading" in form:
            parts = self.reading()
        elif "experiment" in form:
            parts = self.experiment()
        else:
            parts = self.explanation()
        return "\n\n".join(part for part in parts if part) + "\n"

    def heading(self) -> str:
        name = f"`{self.first.entry_point}`"
        return "# " + self.say(
            self.what.title, f"{self.what.title}: {name}", f"{name}: {self.what.title[0].lower()}{self.what.title[1:]}"
        )

    def problem(self, piece: Piece) -> str:
        """The task in words; code names are marked as code elsewhere in the sentence."""
        return capital(imperative(piece.lead), set())

    def code(self, piece: Piece) -> str:
        self.shown.add(piece.entry_point)
        return f"```python\n{piece.prompt}{piece.body}```"

    def results(self, piece: Piece, most: int = 3) -> str:
        """A block of calls with their results, in one of three manners."""
        cases = [case for case in piece.cases if len(case.call) + len(case.result) < 88] or list(piece.cases[:1])
        picked = self.random.sample(cases, min(most, len(cases)))
        manner = self.random.choice(("prompt", "assert", "print"))
        if manner == "assert":
            lines = [f"assert {c.call} {'is' if c.result == 'None' else '=='} {c.result}" for c in picked]
        elif manner == "print" and not any(c.result[0] in "'\"" for c in picked):
            lines = [f"print({c.call})  # {c.result}" for c in picked]
        else:
            lines = [
                line
                for c in picked
                for line in ((f">>> {c.call}", c.result) if c.result != "None" else (f">>> {c.call}",))
            ]
        return "```python\n" + "\n".join(lines) + "\n```"

    def worked(self, piece: Piece) -> str:
        """A table of the loop's rounds for one call, or a sentence about a call where there is no loop to watch."""
        entry = piece.entry_point
        for case in sorted(piece.cases, key=lambda c: abs(len(c.call) - len(entry) - 16)):
            rows = loop_rounds(piece.prompt + piece.body, entry, case.call[len(entry) + 1 : -1])
            if len(rows) >= 2 and (shown := table(rows)):
                opening = self.say(
                    f"Follow `{case.call}` round by round. After each round of the loop the variables hold:",
                    f"For `{case.call}` the loop leaves these values behind, one line per round:",
                    f"Here is the loop at work on `{case.call}`:",
                )
                return f"{opening}\n\n{shown}\n\nThe result is `{case.result}`."
        case = self.random.choice([c for c in piece.cases if len(c.call) < 80] or list(piece.cases))
        return self.say(
            f"Take `{case.call}`. Work it out on paper before you read on: the result is `{case.result}`.",
            f"By hand, `{case.call}` gives `{case.result}`; the code has to agree.",
        )

    def edges(self) -> str:
        family = self.first.family
        case = self.first.cases[0]
        closing = self.say(
            f"Then try `{case.call}`: it gives `{case.result}`.",
            f"Whatever else you test, test `{case.call}`, which is `{case.result}`.",
            f"For this function, `{case.call}` is worth a test of its own; the result is `{case.result}`.",
        )
        marked = ("## The case that is missed\n\n", "## At the edge\n\n", "")
        return f"{self.say(*marked)}{self.what.edge} {closing}" if family.edges else self.what.edge

    def mistake(self) -> str:
        marked = self.say("## A common mistake\n\n", "## What goes wrong\n\n", "")
        return f"{marked}{self.what.mistake}\n\n```python\n{self.what.code}\n```"

    def elsewhere(self) -> str:
        opening = self.say(
            f"The same idea solves another task. {self.problem(self.second)}",
            f"A second example. {self.problem(self.second)}",
            f"It also works here. {self.problem(self.second)}",
        )
        remark = self.say(
            f"What `{self.first.entry_point}` and `{self.second.entry_point}` share is the shape, not the subject.",
            "Compare the two functions line by line and mark what had to change.",
            "Only the details differ from the first function.",
        )
        return f"{opening}\n\n{self.code(self.second)}\n\n{remark}\n\n{self.results(self.second, 2)}"

    def practice(self) -> str:
        """A closing task; it uses the words that the seed asks for."""
        words = ", ".join(f"'{word}'" for word in self.seed.words)
        entry = self.first.entry_point
        task = self.say(
            f"write three more asserts for `{entry}`, one of them for the smallest input that is allowed",
            f"rewrite `{entry}` without looking at the code above, then compare",
            f"predict the result of `{entry}` for an input of your own before you run it",
        )
        hint = f" Use {words} as your data where texts are needed." if words else ""
        return f"**To try:** {task}.{hint}"

    def idea(self) -> str:
        return self.random.choice(self.what.ideas)

    def explanation(self) -> list[str]:
        start = [self.problem(self.first), bridge(self.random, self.seed.audience)]
        parts = [self.heading(), " ".join(start), self.idea(), self.code(self.first), self.results(self.first)]
        if self.random.random() < 0.5 or "worked" in self.seed.form:
            parts.insert(3, self.worked(self.first)) if self.random.random() < 0.4 else parts.append(
                self.worked(self.first)
            )
        tail = [self.mistake(), self.edges()]
        self.random.shuffle(tail)
        return [*parts, *tail, self.elsewhere(), self.practice()]

    def mistake_clinic(self) -> list[str]:
        after = self.say(
            "The output is the symptom. To find the cause, ask what each line may rely on.",
            "Nothing here raises an error that would warn you; only a look at the result does.",
            "Read the comment against what you would expect, and the cause is half found.",
        )
        last = self.first.cases[-1]
        wanted = f"`{last.call}` must be `{last.result}`"
        return [
            f"# A mistake: {self.what.title[0].lower()}{self.what.title[1:]}",
            f"{self.what.mistake}\n\n```python\n{self.what.code}\n```",
            f"{after} {bridge(self.random, self.seed.audience)}",
            self.idea(),
            f"Now with care. {self.problem(self.first)}\n\n{self.code(self.first)}",
            f"The assert that would have caught a slip: {wanted}.\n\n{self.results(self.first)}",
            self.edges(),
            self.elsewhere(),
        ]

    def two_solutions(self) -> list[str]:
        family, choice = self.first.family, self.first.choice
        bodies = list(range(len(family.bodies)))
        other = write(
            self.random, family, choice, name=f"{self.first.entry_point}_again", body_number=self.random.choice(bodies)
        )
        shorter = "first" if self.first.body.count("\n") < other.body.count("\n") else "second"
        verdict = self.say(
            f"The {shorter} version has fewer lines. That makes it quicker to read, not quicker to run.",
            f"Both pass over the data; the {shorter} one says so more briefly. In the other one each step can be "
            f"inspected.",
        )
        return [
            self.heading(),
            f"{self.problem(self.first)} Two ways lead there.",
            self.code(self.first),
            self.results(self.first),
            self.idea(),
            self.code(other),
            self.results(other),
            verdict + " " + bridge(self.random, self.seed.audience),
            self.worked(other),
            self.edges(),
            self.mistake(),
            self.practice(),
        ]

    def questions(self, *, dialogue: bool) -> list[str]:
        ask, answer = ("**Learner:** ", "**Tutor:** ") if dialogue else ("**Q.** ", "**A.** ")
        what = self.what.title[0].lower() + self.what.title[1:]
        case = self.first.cases[0]
        return [
            self.heading(),
            f"{ask}The task says: {self.problem(self.first)} Where do I begin?",
            f"{answer}{self.idea()} {bridge(self.random, self.seed.audience)}",
            f"{ask}How does that look in code?",
            f"{answer}Like this.\n\n{self.code(self.first)}\n\n{self.results(self.first)}",
            f"{ask}Can you show me the steps?",
            f"{answer}{self.worked(self.first)}",
            f"{ask}What do people get wrong about {what}?",
            f"{answer}{self.what.mistake}\n\n```python\n{self.what.code}\n```",
            f"{ask}And what about `{case.call}`?",
            f"{answer}It gives `{case.result}`. {self.what.edge}",
            self.elsewhere(),
        ]

    def reading(self) -> list[str]:
        case = self.random.choice(self.first.cases)
        return [
            self.heading(),
            "Read this function before you read about it. What does it return, and for which input is it most at risk?",
            self.code(self.first),
            f"{self.idea()} {bridge(self.random, self.seed.audience)}",
            self.worked(self.first),
            f"A question to test your reading: what is `{case.call}`? It is `{case.result}`.",
            self.results(self.first),
            self.edges(),
            self.mistake(),
            self.elsewhere(),
        ]

    def experiment(self) -> list[str]:
        guess = self.random.choice(self.first.cases)
        return [
            self.heading(),
            f"{self.problem(self.first)} Before any code: what should `{guess.call}` give? Write your guess down.",
            self.code(self.first),
            f"The answer is `{guess.result}`. Some further observations:\n\n{self.results(self.first)}",
            self.worked(self.first),
            f"What explains them? {self.idea()} {bridge(self.random, self.seed.audience)}",
            self.mistake(),
            self.edges(),
            self.elsewhere(),
            self.practice(),
        ]
