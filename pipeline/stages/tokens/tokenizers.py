"""Which tokenizer a recipe means: the pretrained student's, one trained on the corpus, or a folder or hub name."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from pipeline.core.errors import EmptyCorpus, RecipeError
from pipeline.core.records import Document
from pipeline.models.loading import load_tokenizer, source_folder
from pipeline.recipe import StudentTable, TokensTable

END = "<|endoftext|>"
"""Between documents, and the only special token of a trained tokenizer (Gunasekar et al. 2023, 2.3)."""

SMALLEST = 256 + 1
"""Bytes and the end-of-text token: less cannot spell every text."""


def tokenizer_for(table: TokensTable, student: StudentTable, documents: Iterable[Document], cache: Path) -> Any:
    """The fast tokenizer that `table` names; `documents` are read only where one is trained."""
    if table.tokenizer == "train":
        return train_bpe((document.text for document in documents), table.vocabulary)
    if table.tokenizer != "student":
        return load_tokenizer(source_folder(table.tokenizer, cache))
    if student.init == "scratch":
        raise RecipeError(
            'recipe: tokens.tokenizer = "student" needs a pretrained student, but student.init = "scratch"',
            hint='set tokens.tokenizer = "train", or a folder or hub name ("Salesforce/codegen-350M-mono")',
        )
    return load_tokenizer(source_folder(student.init, cache))


def train_bpe(texts: Iterable[str], vocabulary: int) -> Any:
    """A byte-level BPE of at most `vocabulary` entries, learned from `texts`.

    Runs of spaces that are frequent in the corpus become tokens. Every text decodes to itself: the alphabet is all
    256 bytes, nothing is normalised. Ties between merges are broken by the trainer in a fixed order, so equal corpora
    give equal tokenizers. Raises EmptyCorpus for no text.
    """
    if vocabulary < SMALLEST:
        raise RecipeError(
            f"recipe: 'tokens.vocabulary' should be at least {SMALLEST} (256 bytes and {END}), got {vocabulary}"
        )
    seen = False

    def watched() -> Iterable[str]:
        nonlocal seen
        for text in texts:
            seen = True
            yield text

    tokenizer = byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        min_frequency=2,
    )
    tokenizer.train_from_iterator(watched(), trainer)
    if not seen:
        raise EmptyCorpus(
            "there is no document to train a tokenizer on", hint="look at what the cleaning stages dropped"
        )
    return as_transformers(tokenizer)


def byte_level(model: models.BPE) -> Tokenizer:
    """A tokenizer over bytes, to which no space is added: every text decodes to itself."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def as_transformers(tokenizer: Tokenizer) -> Any:
    """The fast tokenizer of transformers around `tokenizer`, `END` its only special token, padded on the left."""
    make: Any = PreTrainedTokenizerFast
    return make(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        unk_token=END,
        pad_token=END,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
