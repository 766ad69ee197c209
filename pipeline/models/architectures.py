"""The students' shapes, and what they cost. No torch here: `hornbook plan` reads this module.

phi-1 and phi-1-small are Gunasekar et al. 2023, 2.3, with the vocabulary of 51,200 that the released phi-1 has
(CodeGen's 50,295 entries, padded). phi-1-mini and phi-1-nano keep the block (parallel attention and MLP, partial
rotary embedding) at sizes for a CPU; they depart from phi-1 in tying input and output embeddings, which at that
size would be most of the parameters.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.models.accelerators import A100, accelerator
from pipeline.models.sizes import Size, required_size
from pipeline.recipe import PhaseTable, StudentTable, TokensTable

PHI_VOCABULARY = 51_200


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder's shape. vocabulary: 0 for that of the tokenizer. tied: whether input and output embeddings are one."""

    layers: int
    hidden: int
    inner: int
    heads: int
    rotary: int
    vocabulary: int = 0
    tied: bool = False

    def parameters(self, vocabulary: int) -> int:
        """Exact number of parameters of the `PhiForCausalLM` of this shape."""
        vocabulary = self.vocabulary or vocabulary
        attention = 4 * self.hidden * (self.hidden + 1)
        mlp = self.hidden * self.inner + self.inner + self.inner * self.hidden + self.hidden
        norm = 2 * self.hidden
        embeddings = vocabulary * self.hidden * (1 if self.tied else 2) + vocabulary
        return self.layers * (attention + mlp + norm) + norm + embeddings


SHAPES = {
    "phi-1": Shape(24, 2048, 8192, 32, 32, PHI_VOCABULARY),
    "phi-1-small": Shape(20, 1024, 4096, 16, 32, PHI_VOCABULARY),
    "phi-1-mini": Shape(8, 320, 1280, 5, 32, tied=True),
    "phi-1-nano": Shape(4, 128, 512, 2, 32, tied=True),
}


def phi_config(shape: Shape, *, vocabulary: int, positions: int, dropout: float, end: int) -> Any:
    """The transformers `PhiConfig` of `shape`; `end` is the id of the end-of-text token."""
    from transformers import PhiConfig

    if shape.vocabulary and vocabulary > shape.vocabulary:
        raise ValueError(f"a tokenizer of {vocabulary} entries does not fit the architecture's {shape.vocabulary}")
    make: Any = PhiConfig
    return make(
        vocab_size=shape.vocabulary or vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        hidden_act="gelu_new",
        max_position_embeddings=positions,
        partial_rotary_factor=shape.rotary / (shape.hidden // shape.heads),
        attention_dropout=dropout,
        resid_pdrop=dropout,
        embd_pdrop=0.0,
        tie_word_embeddings=shape.tied,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=None,
    )


def build(architecture: str, *, vocabulary: int, positions: int, dropout: float, end: int) -> Any:
    """A `PhiForCausalLM` with random weights, from torch's global generator."""
    from transformers import PhiForCausalLM

    shape = SHAPES[architecture]
    return PhiForCausalLM(phi_config(shape, vocabulary=vocabulary, positions=positions, dropout=dropout, end=end))


@dataclass(frozen=True, slots=True)
class PhaseCost:
    """What a phase of training would take. flops: floating point operations. rows, micro_rows: of a step and, where the
    recipe says so (else 0), of a forward pass."""

    name: str
    tokens: int
    flops: float
    rows: int
    micro_rows: int


@dataclass(frozen=True, slots=True)
class StudentCost:
    """What training would take. layers, hidden, vocabulary: the model's shape; vocabulary is 0 where it is not said."""

    parameters: int
    layers: int
    hidden: int
    vocabulary: int
    length: int
    phases: tuple[PhaseCost, ...]

    @property
    def training_tokens(self) -> int:
        """Tokens that all phases read."""
        return sum(phase.tokens for phase in self.phases)

    @property
    def flops(self) -> float:
        """Floating point operations of all phases."""
        return sum(phase.flops for phase in self.phases)

    @property
    def mfu(self) -> float:
        """Share of an A100's peak that `gpu_hours` takes training to reach."""
        return accelerator(A100).mfu

    @property
    def gpu_hours(self) -> float:
        """Hours of one A100."""
        return self.flops / (accelerator(A100).flops * self.mfu) / 3600

    @property
    def memory_bytes(self) -> int:
        """Of one device holding everything: fp32 weights, gradients and AdamW moments, and the activations of a
        micro-batch."""
        return 16 * self.parameters + max(
            self.activation_bytes(phase.micro_rows or phase.rows) for phase in self.phases
        )

    def activation_bytes(self, rows: int) -> int:
        """What the blocks keep of a forward pass of `rows` rows for the backward pass, without the squares of attention
        (Korthikanti et al. 2022, eq. 2)."""
        return 34 * self.layers * self.hidden * rows * self.length


def describe(
    student: StudentTable, tokens: TokensTable, corpus_tokens: int, models: Path = Path("data/models")
) -> StudentCost:
    """The cost of the recipe's student over a corpus of `corpus_tokens` tokens (those of all documents).

    models: the folder of fetched models. Raises InputError where a pretrained student is not here or cannot be read.

    FLOPs are 6 per parameter and token (Kaplan et al. 2020, 2.1; forward 2, backward 4; input embeddings not counted)
    and 6 * layers * hidden * sequence length per token for causal attention.
    """
    size, embedding = _shape(student, tokens, models)
    per_token = 6 * (size.parameters - embedding) + 6 * size.layers * size.hidden * tokens.sequence_length
    counted = [(phase, phase_tokens(phase, tokens, corpus_tokens)) for phase in student.phases]
    return StudentCost(
        parameters=size.parameters,
        layers=size.layers,
        hidden=size.hidden,
        vocabulary=size.vocabulary,
        length=tokens.sequence_length,
        phases=tuple(
            PhaseCost(phase.name, read, float(per_token) * read, phase.batch, phase.micro_batch)
            for phase, read in counted
        ),
    )


def phase_tokens(phase: PhaseTable, tokens: TokensTable, corpus_tokens: int) -> int:
    """Tokens that a phase reads at most (its documents are taken to be the whole corpus)."""
    read = phase.steps * phase.batch * tokens.sequence_length
    if not read:
        read = round(phase.epochs * tokens.repeat_corpus * corpus_tokens)
    return min(read, phase.max_tokens) if phase.max_tokens else read


def _shape(student: StudentTable, tokens: TokensTable, models: Path) -> tuple[Size, int]:
    """The student's size, and its parameters that are used as input embedding only."""
    if student.init == "scratch":
        shape = SHAPES[student.architecture]
        vocabulary = shape.vocabulary or tokens.vocabulary
        embedding = 0 if shape.tied else vocabulary * shape.hidden
        return Size(shape.parameters(tokens.vocabulary), shape.layers, shape.hidden, vocabulary), embedding
    return required_size("student.init", student.init, models, student.layers), 0


def positions_of(config: Any) -> int | None:
    """Most tokens that a model of this configuration (an object, or config.json as a dict) reads at once; None where
    it sets no limit."""
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx"):
        value = config.get(name) if isinstance(config, dict) else getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    text = config.get("text_config") if isinstance(config, dict) else getattr(config, "text_config", None)
    return positions_of(text) if text else None
