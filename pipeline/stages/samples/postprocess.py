"""Prompt forms and post-processing, named and versioned: what is done before a model is asked, and to its answer.

A result says which were used, and also what the untouched text scores where that differs: post-processing must not
decide a score in silence.
"""

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import dedent, indent
from typing import Literal

from pipeline.core.records import Problem
from pipeline.core.syntax import parse
from pipeline.languages.base import Missing
from pipeline.languages.finding import named
from pipeline.languages.normalise import normalised
from pipeline.languages.python.answer import Code, code_of
from pipeline.languages.python.assembly import program_of
from pipeline.languages.python.source import FunctionNode
from pipeline.languages.python.stopping import PROGRAM_ENDS, code_stop, program_stop
from pipeline.languages.python.task import bare_body, gives_a_result

PromptForm = Literal["stripped", "raw", "chat", "evalplus"]
CHATS = ("chat", "evalplus")
"""The forms that ask through the model's chat template."""
PostRule = Literal["auto", "none"]

FORM_NOTES: Mapping[str, str] = {
    "stripped": "newlines at the prompt's end are not asked: tokenisers merge them with the indent that follows",
    "raw": "the prompt as it is, newline at its end included",
    "chat": "an instruction in the model's chat template",
    "evalplus": "EvalPlus' instruction in the model's chat template, its answer begun up to the code",
}
"""What each prompt form does, as results print it."""

FORM_LABELS: Mapping[str, str] = {"stripped": "stripped/1", "raw": "raw/1", "chat": "chat/2", "evalplus": "evalplus/1"}
"""Name and version of each prompt form. chat/2 does not speak of a function to be completed where there is none."""

STOP_STRINGS = ("\nassert ", "\nif ", "\nprint(", "\n```")
"""Sent to endpoints, which take at most four (after Chen et al. 2021, 2.2, without "\\n#", "\\ndef " and "\\nclass ":
a body may have comments at column 0, and be followed by the helpers that it needs). Each starts a line at column 0,
where `BODY` cuts anyway: they save tokens, and change a score only where a string of the answer has such a line."""

EVALPLUS_ASKS = (
    "Please provide a self-contained Python script that solves the following problem in a markdown code block:"
)
EVALPLUS_BEGINS = (
    "Below is a Python script with a self-contained function that solves the problem and passes corresponding tests:\n"
    "```python\n"
)
"""What EvalPlus 0.3.1 asks of chat models, and the beginning of an answer that it writes for them (Liu et al. 2023)."""
EVALPLUS_STOPS = ("\n```\n", "\nif __name__", "\ndef main(", "\nprint(")
"""Where it ends an answer, beside the model's own end."""

PROGRAM_STOPS = tuple(f"\n{beginning}" for beginning in PROGRAM_ENDS)
"""What `PROGRAM` cuts before, as strings. Endpoints are sent the first four."""


@dataclass(frozen=True, slots=True)
class PostProcessing:
    """How an answer becomes a completion.

    label: name and version, as results print it. apply: from a problem and the text as generated to what is scored.
    whole: whether that is a whole program rather than a continuation of the prompt.
    """

    label: str
    apply: Callable[[Problem, str], str]
    whole: bool = False


def cut_body(problem: Problem, text: str) -> str:
    """The text up to the end of the function's body, by the same rule that ends the student's generation."""
    place = code_stop(text, problem.prompt)
    return text if place is None else text[:place] + "\n"


def cut_program(problem: Problem, text: str) -> str:
    """The text up to where definitions are followed by tests, prints or prose."""
    place = program_stop(text)
    return text if place is None else text[:place] + "\n"


def function_from_chat(problem: Problem, text: str) -> str:
    """A chat model's answer as a completion of the prompt.

    Reasoning and chat markers are left out. Of the Python in the answer, in whatever fences or in none, is taken what
    the entry point and the tests need, as one module (`assembly`); it follows the prompt, whose imports and helpers it
    may use and whose unfinished function it replaces. An answer that does not define the function is its body, or
    where the prompt opens none, all of its code.
    """
    text = normalised(text)
    pieces = code_of(text)
    method = _method_of(problem.prompt, pieces, text)
    if method is not None:
        return method
    program = program_of(pieces, problem.entry_point, problem.test) or _broken(pieces, problem.entry_point)
    if program is not None:
        end = _end_of(problem.prompt)
        return f"{end}\n\n{program}" if end or _opens(problem) else program
    if not _opens(problem):
        return "\n\n".join(piece.text for piece in pieces) if pieces else text
    body = bare_body(problem.prompt, problem.entry_point, pieces)
    if body is not None:
        return body
    return cut_body(problem, pieces[0].text if pieces else text)


def begun_in_a_fence(problem: Problem, text: str) -> str:
    """A chat answer that was begun with an open fence, as a completion of the prompt."""
    return function_from_chat(problem, f"```python\n{text}\n```\n")


def _method_of(prompt: str, pieces: list[Code], text: str) -> str | None:
    """What follows a prompt that ends in a method of a class, where the answer is that method, or its body, alone."""
    end = _end_of(prompt)
    owner = _last_class(prompt + end + "\n")
    if owner is None or program_of(pieces, owner.name, "") is not None:
        return None
    method = owner.body[-1]
    assert isinstance(method, FunctionNode)
    program = program_of(pieces, method.name, "")
    if program is not None:
        return f"{end}\n{indent(program, ' ' * method.col_offset)}"
    for code in [piece.text for piece in pieces] or [text]:
        for body in (code.rstrip(), indent(dedent(code), " " * method.body[0].col_offset).rstrip()):
            found = _last_class(prompt + body + "\n")
            if found is not None and gives_a_result(found.body[-1]):
                return body + "\n"
    return None


def _last_class(program: str) -> ast.ClassDef | None:
    """The class that a program ends with, where that ends with a method."""
    tree = parse(program)
    last = tree.body[-1] if tree and tree.body else None
    return last if isinstance(last, ast.ClassDef) and isinstance(last.body[-1], FunctionNode) else None


def _broken(pieces: list[Code], entry_point: str) -> str | None:
    """The first piece that would define the function if it were Python: its verdict is then the syntax error."""
    definition = re.compile(rf"^[ \t]*(async +)?def +{re.escape(entry_point)}\b", re.MULTILINE)
    return next((piece.text for piece in pieces if piece.units is None and definition.search(piece.text)), None)


def _end_of(prompt: str) -> str:
    """What makes a module of a prompt that ends within a function: "" where it is one.

    A prompt whose docstring is the whole body is a valid function; one that ends with the signature, a comment or a
    begun body needs `pass`, indented as what comes next would be.
    """
    lines = [line for line in prompt.split("\n") if line.strip()]
    last = lines[-1] if lines else ""
    margin = last[: len(last) - len(last.lstrip())]
    start = "" if prompt.endswith("\n") else "\n"
    ends = (start + margin + more + "pass\n" for more in ("", "    ", "  ", "\t"))
    return next((end for end in ("", *ends) if parse(prompt + end + "\n") is not None), "")


def _opens(problem: Problem) -> bool:
    """Whether the prompt opens the function to be written; MBPP's is a docstring, and opens none."""
    return re.search(rf"def +{re.escape(problem.entry_point)}\b", problem.prompt) is not None


def until_done(problem: Problem, text: str) -> str:
    """The text up to "[DONE]", where the few-shot prompt of MBPP ends an answer (Austin et al. 2021, 3.1)."""
    return text.partition("[DONE]")[0]


BODY = PostProcessing("code-stop/2", cut_body)
PROGRAM = PostProcessing("program-stop/2", cut_program)
CHAT = PostProcessing("answer-module/1", function_from_chat)
BEGUN = PostProcessing("begun-answer/1", begun_in_a_fence)
DONE = PostProcessing("until-done/1", until_done, whole=True)


def of_language(name: str, chat: bool) -> PostProcessing:
    """For answers in a language other than Python: up to where it says that they end, or out of a chat answer."""
    language = named(name)

    def cut(problem: Problem, text: str) -> str:
        place = language.stop(problem.prompt)(text)
        return (text if place is None else text[:place]).rstrip() + "\n"

    def found(problem: Problem, text: str) -> str:
        solution = language.solution(text)
        return normalised(text) if isinstance(solution, Missing) else solution.text

    return PostProcessing(f"{name}-answer/1", found) if chat else PostProcessing(f"{name}-stop/1", cut)


def chosen(
    form: PromptForm, whole: bool, rule: PostRule = "auto", opened: bool = True, language: str = "python"
) -> PostProcessing:
    """The post-processing that fits a prompt form and a benchmark whose answers are whole programs or not.

    rule: "none" scores the text as generated. opened: whether the prompts open the function to be written.
    """
    if rule == "none":
        return PostProcessing("none", lambda problem, text: text, whole=whole)
    if whole:
        return DONE
    if language != "python":
        return of_language(language, form in CHATS)
    if form == "evalplus":
        return BEGUN
    if form == "chat":
        return CHAT
    return BODY if opened else PROGRAM


def asked(problem: Problem, form: PromptForm, whole: bool = False, language: str = "python") -> str:
    """The text that a model sees.

    "stripped": without the newlines at its end, which tokenisers merge with the indent that follows: a prompt that
    ends in one is a context that the model has never seen. "raw": as it is. "chat": an instruction; "evalplus":
    EvalPlus' one, which is for Python. Few-shot prompts (`whole`) are texts of their own and stay as they are, in chat
    form too.
    """
    if form == "stripped" and not whole:
        return problem.prompt.rstrip("\n")
    if form in CHATS and not whole and language != "python":
        return f"{problem.prompt.rstrip()}\n\nAnswer with one fenced block tagged {language}, and no other text."
    if form == "evalplus" and not whole:
        return f"{EVALPLUS_ASKS}\n```\n{problem.prompt.strip()}\n```\n"
    if form == "chat" and not whole:
        task = "Complete the following Python function." if _opens(problem) else "Write the Python function described."
        return f"{task} Answer with the whole function in one code block.\n\n```python\n{problem.prompt.rstrip()}\n```"
    return problem.prompt


def joined(problem: Problem, form: PromptForm, whole: bool, text: str) -> str:
    """The generated text as a continuation of the whole prompt, newlines included.

    After a stripped prompt a model writes the newline itself. It is taken off, since the prompt brings its own: the
    program is then, character by character, what the model has seen and written. An answer that goes on without a
    newline is put on a line of its own, and may so be read more kindly than it was written.
    """
    if form == "stripped" and not whole:
        missing = problem.prompt[len(problem.prompt.rstrip("\n")) :]
        return text.removeprefix(missing)
    return text
