"""What a run will ask and cost, before it is run: characters / 4 for tokens, the price list, and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.recipe import TeacherTable
from pipeline.records import Prompt
from pipeline.teacher.endpoint import priced
from pipeline.teacher.money import read_prices, token_estimate


@dataclass(frozen=True, slots=True)
class Load:
    """What one teacher is asked. prompt_tokens: over all requests; completion_tokens: 0 for `max_tokens` each."""

    requests: int
    prompt_tokens: int
    completion_tokens: int = 0


def estimate(
    asked: Iterable[Prompt] | Mapping[str, Load], tables: Iterable[TeacherTable], samples_per_prompt: int = 1
) -> dict[str, float]:
    """{"requests", "tokens", "usd"} of the prompts, or of the loads by teacher's name, over all teachers.

    An upper estimate: every answer is taken to be `max_tokens` long. Prompt tokens are characters / 4, no tokenizer
    is loaded. Local teachers, composer and replays cost nothing; neither do models without a price.
    """
    by_name = {table.name: table for table in tables}
    loads = dict(asked) if isinstance(asked, Mapping) else _loads(asked)
    prices = read_prices()
    requests, tokens, usd = 0, 0, 0.0
    for name, load in loads.items():
        table = by_name[name]
        count = load.requests * samples_per_prompt
        prompt = load.prompt_tokens * samples_per_prompt
        completion = load.completion_tokens * samples_per_prompt or count * table.max_tokens
        requests += count
        tokens += prompt + completion
        if table.kind == "openai":
            price = priced(table.model, table.base_url, prices)
            usd += price.usd(prompt, completion, batch=table.mode == "batch")
    return {"requests": requests, "tokens": tokens, "usd": round(usd, 6)}


def _loads(prompts: Iterable[Prompt]) -> dict[str, Load]:
    counts: dict[str, tuple[int, int]] = {}
    for prompt in prompts:
        requests, tokens = counts.get(prompt.seed.teacher, (0, 0))
        counts[prompt.seed.teacher] = (requests + 1, tokens + token_estimate(prompt.messages))
    return {name: Load(requests, tokens) for name, (requests, tokens) in counts.items()}
