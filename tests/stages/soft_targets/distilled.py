"""Tiny exercises and passages, and the tokenizer that they share."""

from pipeline.core.records import Document, Exercise, Passage
from pipeline.recipe import PhaseTable, StudentTable, TokensTable
from pipeline.stages.tokens.tokenizers import train_bpe

PASSAGES: list[Document] = [Passage(text=f"def f{n}(x):\n    return x + {n}\n" * (1 + n % 3)) for n in range(30)]
EXERCISES: list[Document] = [
    Exercise(
        prompt=f"def g{n}(x):\n", solution=f"    return x - {n}\n", entry_point=f"g{n}", test="", test_owner="seed"
    )
    for n in range(12)
]
TOKENS = TokensTable(sequence_length=24)
STUDENT = StudentTable(init="scratch", phases=(PhaseTable(batch=4, lr=5e-3, warmup_steps=1),), held_out=0.1)
TOKENIZER = train_bpe([document.text for document in PASSAGES], 300)
