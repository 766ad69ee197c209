"""Tokenizers of the kinds in use, trained on a few lines: byte-level, and SentencePiece's in its two forms."""

from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

LINES = [
    "def add(a, b):\n    return a + b\n",
    "for i in range(10):\n    print(i)\n",
    'def f(x):\n    """Double x."""\n    return 2 * x\n',
] * 8
KINDS = ("byte-level", "byte-level with a space", "llama-2", "metaspace", "metaspace first")


def made(kind: str, *, bos: bool = False, extra: tuple[str, ...] = ()) -> Any:
    """bos: whether the tokenizer puts its BOS before a text. extra: further special tokens."""
    specials = ["<unk>", "<s>", "</s>", *extra]
    if kind.startswith("byte-level"):
        prefix = kind != "byte-level"
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
        tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), *([decoders.Strip(" ", 1, 0)] if prefix else [])])
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
        alphabet, specials = [], [*specials, *(f"<0x{byte:02X}>" for byte in range(256))]
        fused = [decoders.ByteFallback(), decoders.Fuse()]
        if kind == "llama-2":
            tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
            tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), *fused, decoders.Strip(" ", 1, 0)])
        else:
            scheme = "first" if kind == "metaspace first" else "always"
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", scheme, split=False)
            tokenizer.decoder = decoders.Sequence([decoders.Metaspace("▁", scheme, split=False), *fused])
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=specials, initial_alphabet=alphabet, show_progress=False, min_frequency=2
    )
    lines = LINES if kind.startswith("byte-level") else [part for line in LINES for part in line.split("\n")]
    tokenizer.train_from_iterator(lines, trainer)
    if not kind.startswith("byte-level"):
        tokenizer = _bytes_are_no_specials(tokenizer, specials[: 3 + len(extra)])
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
        )
    make: Any = PreTrainedTokenizerFast
    return make(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )


def _bytes_are_no_specials(tokenizer: Tokenizer, specials: list[str]) -> Tokenizer:
    """The tokenizer with bytes as plain entries, which they are not where the trainer was given them as specials."""
    import json

    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] in specials]
    return Tokenizer.from_str(json.dumps(state))
