"""Python as a `Language`: what the modules beside this one know, by the names that all languages share."""

from pipeline.languages.base import Found, Missing, Stop
from pipeline.languages.fences import Block
from pipeline.languages.normalise import normalised
from pipeline.languages.python.answer import code_of
from pipeline.languages.python.bare import bare
from pipeline.languages.python.exercise import nothing_found
from pipeline.languages.python.normal_form import normal_form
from pipeline.languages.python.shape import node_kinds
from pipeline.languages.python.source import parse_indented
from pipeline.languages.python.stopping import AnswerEnd


class Python:
    """Modules and functions."""

    name = "python"
    tags = frozenset({"python", "py", "python3"})
    stop_strings = ("\nassert ", "\nif ", "\nprint(", "\n```")
    min_alphanumeric = 0.15

    def holds(self, block: Block) -> bool:
        return block.is_python

    def solution(self, answer: str) -> Found | Missing:
        """All pieces of Python of the answer as one module. An exercise, which is one function with what it needs, is
        cut by `exercise.py`."""
        pieces = code_of(normalised(answer))
        if not pieces:
            return Missing("no-code", "0 Python blocks and no line that starts a definition")
        if not all(piece.closed for piece in pieces):
            at = [piece.closed for piece in pieces].index(False) + 1
            return Missing("unclosed-fence", f"block {at} of {len(pieces)} is not closed")
        if all(piece.units is None for piece in pieces):
            return Missing("unparsable", nothing_found(pieces).detail)
        return Found("\n\n".join(piece.text.strip("\n") for piece in pieces if piece.units is not None) + "\n")

    def flaw(self, text: str) -> str:
        return "" if parse_indented(text) is not None else "it is no Python"

    def normal_form(self, text: str, *, constants: bool = True) -> bytes:
        return normal_form(text, constants=constants)

    def shape(self, text: str) -> tuple[str, ...]:
        tree = parse_indented(text)
        return tuple(node_kinds(tree)) if tree is not None else ()

    def bare(self, text: str) -> list[tuple[int, int]]:
        return bare(text)

    def stop(self, prompt: str) -> Stop:
        """The body of the function that the prompt opens, with the helpers that it needs."""
        return AnswerEnd("body").after(prompt)
