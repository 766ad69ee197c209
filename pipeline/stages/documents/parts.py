"""Exercises of languages other than Python: the parts of an answer, and what the domain makes of them.

The solution is found by the language, task and check by the tags of their fences (`[answer]` of domain.toml). The
prompt and the check are then rendered by the domain's own two templates (`[exercise]`).
"""

import json
from collections.abc import Mapping
from typing import Any

from pipeline import checkers
from pipeline.core.errors import RecipeError
from pipeline.core.identity import canonical_json
from pipeline.core.records import Completion, Exercise
from pipeline.core.template import environment
from pipeline.domains.domain import Domain, Part
from pipeline.domains.items import ended
from pipeline.languages.base import Language, Missing
from pipeline.languages.fences import Block, code_blocks
from pipeline.languages.finding import named
from pipeline.languages.normalise import read_answer
from pipeline.languages.python.exercise import Reject
from pipeline.stages.prompts.stage import variables

_TASK = "\x00"
"""Stands for the task where the part of the prompt before it is measured."""


def exercise_of(completion: Completion, domain: Domain) -> Exercise:
    """The exercise of an answer. Raises Reject with a reason of the stage."""
    language = named(domain.language)
    task = completion.seed.task
    given = 0
    if task is not None:
        prompt, test = task.prompt, task.test
        solution = _solution(completion.text, language)
    else:
        assert domain.answer is not None
        said, block, solution = _parts(completion.text, domain.answer, language)
        values = {**variables(completion.seed), "task": said, "solution": solution.rstrip("\n"), "check": block}
        prompt = ended(_rendered(domain, "prompt", values).lstrip("\n"))
        test = _check(domain, values)
        given = _before_task(domain, values)
    flaw = language.flaw(solution)
    if flaw:
        raise Reject("unparsable", f"no {language.name}: {flaw}")
    return Exercise(
        prompt=prompt,
        solution=ended(solution),
        entry_point="",
        test=test,
        test_owner="teacher" if task is None else "seed",
        topic=completion.seed.topic,
        audience=completion.seed.audience,
        teacher=completion.teacher,
        completion_id=completion.id,
        given=given,
    )


def _solution(answer: str, language: Language) -> str:
    found = language.solution(answer)
    if isinstance(found, Missing):
        raise Reject(found.reason, found.detail)
    return found.text


def _parts(answer: str, part: Part, language: Language) -> tuple[str, str, str]:
    """Task, check and solution as they stand in an answer. Of equal tags the task's block comes first, the check's
    last. A task at the end of the answer needs no closing fence, which models leave out after prose."""
    text = read_answer(answer).text
    blocks = code_blocks(text)
    for block in blocks:
        if not block.closed and not _is_whole_prose(block, part):
            raise Reject("unclosed-fence", f"the fence opened on line {block.line} is not closed")
    left = list(blocks)
    task = _taken(left, part.task) if part.task else None
    said = task.code if task else "" if part.task else _prose(text, blocks)
    check = _taken(left, part.check, last=True) if part.check else None
    own = next((block for block in left if block.tag == part.solution and block.code.strip()), None)
    solution = own.code if own else _solution(answer, language)
    if not said.strip():
        tags = ", ".join(block.tag or "no tag" for block in blocks) or "none"
        wanted = f"a block tagged '{part.task}'" if part.task else "prose before the first block"
        raise Reject("no-task", f"{wanted} is wanted, the blocks are {tags}")
    return said.strip(), check.code.strip() if check else "", solution


def _is_whole_prose(block: Block, part: Part) -> bool:
    """Whether a block that is not closed is the task, and its last sentence ends: so the answer was not cut."""
    return block.tag == part.task != part.solution and block.code.rstrip().endswith((".", "?", "!"))


def _taken(left: list[Block], tag: str, last: bool = False) -> Block | None:
    """The first or last block of a tag, which is then none of those left."""
    found = [block for block in left if block.tag == tag]
    if not found:
        return None
    left.remove(found[-1 if last else 0])
    return found[-1 if last else 0]


def _prose(text: str, blocks: list[Block]) -> str:
    lines = text.split("\n")
    return "\n".join(lines[: blocks[0].line - 1] if blocks else lines)


def _rendered(domain: Domain, key: str, values: Mapping[str, Any]) -> str:
    assert domain.shape is not None
    try:
        return environment().from_string(getattr(domain.shape, key)).render(values)
    except Exception as error:
        raise RecipeError(
            f"{domain.folder}/domain.toml: 'exercise.{key}' cannot be rendered: {type(error).__name__}: {error}",
            hint="`hornbook domain check` renders it with real seeds",
        ) from None


def _check(domain: Domain, values: Mapping[str, Any]) -> str:
    """JSON text of the check: rendered, or the teacher's own block."""
    assert domain.shape is not None
    text = _rendered(domain, "check", values) if domain.shape.check else str(values["check"])
    try:
        check = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Reject("no-check", f"no JSON in {len(text)} characters: {error}") from None
    if not isinstance(check, dict):
        raise Reject("no-check", f"a JSON object is wanted, got {text!r:.80}")
    faults = checkers.named(domain.checker).faults(check)
    if faults:
        raise Reject("no-check", "; ".join(faults)[:300])
    return canonical_json(check)


def _before_task(domain: Domain, values: Mapping[str, Any]) -> int:
    """Characters of the prompt before the task, which the domain gives."""
    return max(0, _rendered(domain, "prompt", {**values, "task": _TASK}).lstrip("\n").find(_TASK))
