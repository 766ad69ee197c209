"""Tokens per second of greedy generation: ours beside transformers' `generate`, same model, prompts and precision.

    python scripts/bench/sampling.py [--json] [--model smollm2] [--new-tokens 64] [--rounds 2]

Both make exactly `--new-tokens` tokens per prompt (no stop rule), so the work is equal; each is measured in turn,
`--rounds` times, and the best round counts. What they wrote is compared: in fp32 greedy answers should be equal.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# As the `hornbook` command does; it counts for both, which share a process.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from transformers import GenerationConfig

from pipeline.models.generation import generate
from pipeline.models.loading import LoadedModel, load
from pipeline.store.places import places

TASKS = ("sum of", "largest of", "number of even", "product of", "mean of", "smallest of", "count of odd", "range of")


def prompts(count: int) -> list[str]:
    """Function stubs of different lengths."""
    return [
        f"def task_{n}(values):\n"
        + f'    """Return the {TASKS[n % len(TASKS)]} the values'
        + " in the list" * (n % 7)
        + '.\n    """'
        for n in range(count)
    ]


def ours(loaded: LoadedModel, texts: list[str], new_tokens: int) -> list[str]:
    """Greedy continuations by `pipeline.models.generate`."""
    answers = sorted(generate(loaded, texts, max_new_tokens=new_tokens, batch=len(texts)), key=lambda a: a.index)
    return [answer.raw for answer in answers]


def transformers_generate(loaded: LoadedModel, texts: list[str], new_tokens: int) -> list[str]:
    """Greedy continuations by transformers, left-padded, as its documentation shows."""
    inputs = loaded.tokenizer(texts, return_tensors="pt", padding=True)
    # No end of text, as with `_Endless`: an id past the vocabulary. min_new_tokens would forbid the token that ends a
    # text, and other text would follow.
    never = int(loaded.model.get_output_embeddings().weight.shape[0])
    settings = GenerationConfig(
        max_new_tokens=new_tokens, do_sample=False, pad_token_id=loaded.tokenizer.pad_token_id, eos_token_id=never
    )
    with torch.inference_mode():
        ids = loaded.model.generate(**inputs, generation_config=settings)
    return list(loaded.tokenizer.batch_decode(ids[:, inputs["input_ids"].shape[1] :]))


def measure(run: Callable[[], list[str]], tokens: int, rounds: int) -> tuple[float, list[str]]:
    """(tokens per second of the best round, what was written)."""
    best, written = 0.0, []
    for _ in range(rounds):
        start = time.perf_counter()
        written = run()
        best = max(best, tokens / (time.perf_counter() - start))
    return best, written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    loaded = load(options.model, cache=places().models)
    # A prompt ends where tokenizer and configs say; without this the row would leave early and the work would differ.
    loaded.model.generation_config.eos_token_id = loaded.model.config.eos_token_id = None
    endless = LoadedModel(loaded.model, _Endless(loaded.tokenizer), loaded.identity)
    result: dict[str, Any] = {"model": options.model, "threads": torch.get_num_threads(), "batch": {}}
    for size in (1, 32):
        texts = prompts(size)
        tokens = size * options.new_tokens
        mine, first = measure(lambda: ours(endless, texts, options.new_tokens), tokens, options.rounds)  # noqa: B023
        theirs, second = measure(
            lambda: transformers_generate(loaded, texts, options.new_tokens),  # noqa: B023
            tokens,
            options.rounds,
        )
        equal = sum(a == b for a, b in zip(first, second, strict=True))
        result["batch"][str(size)] = {
            "hornbook": {"tokens_per_second": round(mine, 1)},
            "transformers": {"tokens_per_second": round(theirs, 1)},
            "equal_answers": f"{equal}/{size}",
        }
    if options.json:
        print(json.dumps(result))
        return
    for size, row in result["batch"].items():
        mine, theirs = row["hornbook"]["tokens_per_second"], row["transformers"]["tokens_per_second"]
        print(
            f"batch {size:>2}: hornbook {mine:7.1f} tokens/s, transformers {theirs:7.1f}, {mine / theirs:.2f}x, "
            f"equal answers {row['equal_answers']}"
        )


class _Endless:
    """A tokenizer without an end: no token stops a row."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.all_special_ids: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


if __name__ == "__main__":
    main()
