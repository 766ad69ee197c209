"""The sentences of a docstring: one fact, said in many ways.

A family brings clauses (`does`, `result`, `cond`) and whole sentences (`says`). The frames below put the clauses into
commands, descriptions, questions, requests and specifications; `docstring.py` lays the sentences out.
"""

import re
from random import Random
from typing import NamedTuple

from pipeline.teacher.composer.fragments import Family, fill
from pipeline.teacher.composer.naming import noun

DOES = (
    "{D}.",
    "{D}.",
    "{D}.",
    "{D3}.",
    "{D3}.",
    "{D} and return the result.",
    "Write a function that {d3}.",
    "Write a function to {d}.",
    "Implement a function that {d3}.",
    "Define a function which {d3} and returns the outcome.",
    "Given {args}, {d}.",
    "Given {args}, {d}.",
    "For {args}, {d}.",
    "You are given {args}. {D}.",
    "You are given {args}. Your task is to {d}.",
    "Your task is to {d}.",
    "Your job is to {d}.",
    "This function {d3}.",
    "The function should {d}.",
    "The function takes {args} and {d3}.",
    "Takes {args} and {d3}.",
    "Create a function that takes {args} and {d3}.",
    "Helper that {d3}.",
    "The goal is to {d}.",
    "Complete the function so that it {d3}.",
    "We have {args} and want to {d}.",
    "Can you {d}?",
    "Please {d}.",
    "Let's {d}.",
    "How would you {d}?",
    "You receive {args}; {d}.",
    "Task: {d}.",
    "In this exercise you have to {d}.",
    "A small utility to {d}.",
)
RESULT = (
    "Return {r}.",
    "Return {r}.",
    "Return {r}.",
    "Returns {r}.",
    "Returns {r}.",
    "Compute {r}.",
    "Compute and return {r}.",
    "Calculate {r}.",
    "Find {r}.",
    "Find and return {r}.",
    "Get {r}.",
    "Work out {r}.",
    "Determine {r}.",
    "{R}.",
    "Given {args}, return {r}.",
    "Given {args}, return {r}.",
    "Given {args}, find {r}.",
    "Given {args}, the function returns {r}.",
    "For a given {plain}, return {r}.",
    "You are given {args}. Return {r}.",
    "You are given {args}. Your task is to return {r}.",
    "You are given {args} and need to find {r}.",
    "Write a function that returns {r}.",
    "Write a function that takes {args} and returns {r}.",
    "Write a function to find {r}.",
    "Implement a function that computes {r}.",
    "Create a function that takes {args} and returns {r}.",
    "This function computes {r}.",
    "The function takes {args} and returns {r}.",
    "Takes {args}, returns {r}.",
    "It receives {args} and must return {r}.",
    "Your function should return {r}.",
    "Should return {r}.",
    "Please return {r}.",
    "The result is {r}.",
    "The answer is {r}.",
    "What is {r}? Return it.",
    "We are interested in {r}.",
    "Input: {args}. Output: {r}.",
    "Produce {r}.",
    "Figure out {r}.",
)
ASKED = (
    "Return {r}.",
    "Return {r}.",
    "Returns {r}.",
    "Find out {r}.",
    "Find out and return {r}.",
    "Work out {r}.",
    "Determine {r}.",
    "Given {args}, return {r}.",
    "Given {args}, find out {r}.",
    "For {args}, tell {r}.",
    "You are given {args}. Return {r}.",
    "You are given {args}. Your task is to find out {r}.",
    "Write a function that returns {r}.",
    "Write a function that takes {args} and returns {r}.",
    "Implement a function that tells {r}.",
    "This function returns {r}.",
    "Tell {r}.",
    "We would like to know {r}.",
    "Your function should return {r}.",
    "Say {r}.",
)
COND = (
    "Return True if {c}, and False otherwise.",
    "Return True if {c}, False otherwise.",
    "Return True if {c}, else False.",
    "Returns True if {c}, False otherwise.",
    "Return whether {c}.",
    "Check whether {c}.",
    "Check if {c}.",
    "Checks if {c}.",
    "Tell whether {c}.",
    "Test whether {c}.",
    "Determine whether {c}.",
    "Decide if {c}.",
    "Find out whether {c}.",
    "True if {c}.",
    "True exactly when {c}.",
    "Is it true that {c}?",
    "Given {args}, return True if {c}.",
    "Given {args}, check whether {c}.",
    "Given {args}, decide if {c} and return a boolean.",
    "You are given {args}. Return True if {c}, otherwise return False.",
    "Write a function that checks whether {c}.",
    "Write a function that takes {args} and returns True if {c}, False otherwise.",
    "Your task is to check if {c}.",
    "The function returns True when {c} and False when not.",
    "Report whether {c}.",
    "Answer the question: is it so that {c}?",
    "The result is True only if {c}.",
    "Verify that {c}.",
)
"""Frames; ASKED is for results that begin with "how" or "whether". {d}: imperative clause, {d3}: the same in the third
person, {r}: noun phrase, {c}: condition, {args}: the arguments introduced ("a string `s` and an integer `n`"), {plain}:
the only argument without its article; capitals start a sentence."""


class Wording(NamedTuple):
    """What a docstring says. lead: says what is returned. rest: further sentences, possibly none. types_told: whether
    the lead introduced the arguments with their types."""

    lead: str
    rest: tuple[str, ...]
    types_told: bool


def third_person(verb: str) -> str:
    """ "count" -> "counts", "carry" -> "carries", "match" -> "matches", "be" -> "is"."""
    irregular = {"be": "is", "do": "does", "have": "has", "go": "goes"}
    if verb in irregular:
        return irregular[verb]
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ies"
    return verb + ("es" if re.search(r"(s|x|z|ch|sh)$", verb) else "s")


def conjugate(clause: str) -> str:
    """An imperative clause in the third person. Verbs after the first are marked: "keep the evens and ^add them up"."""
    first, _, rest = clause.partition(" ")
    marked = re.sub(r"\^(\w+)", lambda match: third_person(match[1]), rest)
    return f"{third_person(first)} {marked}".rstrip()


def imperative(clause: str) -> str:
    """The clause as a command: without the marks of its verbs."""
    return clause.replace("^", "")


def capital(sentence: str, names: set[str]) -> str:
    """The sentence with a capital, unless it starts with the name of an argument or with code."""
    first = re.match(r"[A-Za-z_]\w*", sentence)
    if not first or first[0] in names:
        return sentence
    return sentence[0].upper() + sentence[1:]


def mentions(random: Random, names: dict[str, str]) -> dict[str, str]:
    """How each argument is mentioned in the text, one style for the whole docstring: xs, `xs` or 'xs'."""
    form = random.choice(("{}", "{}", "{}", "`{}`", "`{}`", "`{}`", "'{}'"))
    return {canonical: form.format(name) for canonical, name in names.items()}


def introduction(random: Random, family: Family, said: dict[str, str]) -> str:
    """The arguments with what they are: "a list of integers `xs` and an integer `k`"."""
    args = family.arguments
    kinds = {arg.type for arg in args}
    if len(args) in _COUNTS and len(kinds) == 1 and args[0].type in _PLURALS:
        names = [said[arg.name] for arg in args]
        return f"{_COUNTS[len(args)]} {_PLURALS[args[0].type]} {', '.join(names[:-1])} and {names[-1]}"
    parts = [f"{noun(random, arg)} {said[arg.name]}" for arg in args]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


_COUNTS = {2: "two", 3: "three"}
_PLURALS = {"int": "integers", "str": "strings", "list[int]": "lists of integers", "list[str]": "lists of strings"}


def _lead(random: Random, family: Family, slots: dict[str, str | int]) -> tuple[str, str]:
    """A frame and the clause that goes into it, the clause filled."""
    kinds = [(DOES, family.does, 4), (RESULT, family.result, 4), (COND, family.cond, 5), (("{s}",), family.says, 4)]
    usable = [(frames, clauses, weight) for frames, clauses, weight in kinds if clauses]
    frames, clauses, _ = random.choices(usable, [weight for *_, weight in usable])[0]
    clause = fill(random.choice(clauses), slots)
    if frames is RESULT and clause.startswith(("how ", "whether ")):
        frames = ASKED
    return random.choice(frames), clause


def word_it(random: Random, family: Family, names: dict[str, str], choice: dict[str, str | int]) -> Wording:
    """The sentences of one docstring for a family under one choice; arguments are called as in `names`."""
    said = mentions(random, names)
    slots: dict[str, str | int] = {**choice, **said}
    frame, clause = _lead(random, family, slots)
    while "{plain}" in frame and len(family.arguments) != 1:
        frame, clause = _lead(random, family, slots)
    args = introduction(random, family, said) if "{args}" in frame else ""
    plain = (
        f"{noun(random, family.arguments[0]).split(' ', 1)[1]} {said[family.arguments[0].name]}"
        if "{plain}" in frame
        else ""
    )
    known = set(names.values())
    lead = frame.format(
        d=imperative(clause),
        D=capital(imperative(clause), known),
        d3=conjugate(clause),
        D3=capital(conjugate(clause), known),
        r=clause,
        R=capital(clause, known),
        c=clause,
        s=capital(imperative(clause), known),
        args=args,
        plain=plain,
    )
    lead = capital(lead, known)
    rest = [fill(random.choice(family.must), slots)] if family.must else []
    if family.edge and random.random() < 0.45:
        rest.append(fill(random.choice(family.edge), slots))
    return Wording(lead, tuple(capital(sentence, known) for sentence in rest), bool(args or plain))
