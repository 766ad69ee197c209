"""The text of an answer in one form: what is read of a teacher's or a chat model's answer is read of this."""

from pipeline.languages.fences import opening_fence
from pipeline.languages.reasoning import Answer, answer_of


def normalised(text: str) -> str:
    """`text` with `\\n` line endings, without reasoning, chat markers or a `markdown` fence around it all."""
    return read_answer(text).text


def read_answer(text: str) -> Answer:
    """As `normalised`, with whether the text ends inside its reasoning."""
    answer = answer_of(text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff"))
    return answer._replace(text=_unwrapped(answer.text))


def _unwrapped(text: str) -> str:
    lines = text.strip().split("\n")
    opening = opening_fence(lines[0])
    if opening and opening.tag in {"markdown", "md"} and len(lines) > 1 and opening.closed_by(lines[-1]):
        return "\n".join(lines[1:-1])
    return text
