"""The recipe: what the corpus, the student and the score are. How fast and where is `pipeline.execution`, never here.

A recipe is TOML, one table per stage, checked as a whole: all errors are reported at once, an unknown key with the
nearest known one. Each table is what enters that stage's key, so a field belongs here if and only if it can change
what a stage writes. Paths are relative to the recipe's file (`pipeline.recipe_paths`). The tables of teachers, one for
each kind, are in `pipeline/recipe_teachers.py`.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.core.located import Located
from pipeline.core.names import Name
from pipeline.recipe_base import (
    MOST,
    BenchmarkText,
    Count,
    DomainText,
    Fraction,
    ModelText,
    PathText,
    Positive,
    Seed,
    Table,
)
from pipeline.recipe_evaluation import EvaluationTable
from pipeline.recipe_seeds import SeedsTable, WantTable
from pipeline.recipe_sources import SourcesTable
from pipeline.recipe_teachers import AnyTeacher


class CompletionsTable(Table):
    """How often each prompt is asked. Budgets do not change what is written: they are execution settings."""

    samples_per_prompt: Positive = 1
    """Answers asked for each prompt."""


class ValidatedTable(Table):
    """Limits under which model-written code is run."""

    cpu_seconds: Annotated[float, Field(gt=0.0, le=86_400.0)] = 5.0
    """CPU time of one program; of a mutant, or of a solution that is to agree with others, a fifth, at least 1 s."""
    memory_mb: Positive = 512
    """Address space of one program, MiB."""
    keep: Literal["passed", "failed", "all"] = "passed"
    """Which exercises go on: those whose test passed; for controls of an experiment those whose test did not, or all,
    as the teacher wrote them and without running anything."""
    require_test: bool = True
    """Drop exercises without a test, or whose test compares nothing, as no-test; false keeps them."""
    unexecuted: Literal["keep", "drop"] = "keep"
    """What happens to a teacher's passage of which no code was executed, since it has none that is Python: "keep" says
    so in its record (`executed` is 0) and in the report, "drop" drops it as not-executed."""
    packages: tuple[str, ...] = ()
    """Site-packages that programs may import; empty for the standard library alone."""
    mutants: Count = 0
    """Wrong variants of each exercise's solution that its test is run against, to measure how much it pins down; about
    12 CPU milliseconds each. 0 for none."""
    min_mutants_killed: Fraction = 0.0
    """Smallest share of the mutants that a test must refuse; exercises below it are dropped as weak-test. Some mutants
    mean the same as the solution, so 1.0 asks too much. Needs mutants above 0."""


class AgreementTable(Table):
    """Tests made of what several solutions of one teacher agree on, for teachers with tests = "agreement" (Chen et al.
    2022, CodeT: dual execution agreement)."""

    solutions: Positive = 3
    """Solutions asked for each exercise, from its signature and docstring alone, beside the one that came with it."""
    agree: Annotated[int, Field(ge=2, le=MOST)] = 2
    """Fewest solutions, different as programs, that must return the same on all calls; more than agree on anything
    else."""
    min_calls: Positive = 3
    """Fewest calls whose results are written down as the exercise's test; one that raises counts where the docstring
    names the exception."""
    solver: str = ""
    """Name of the teacher that is asked for the further solutions; "" for the one that wrote the exercise. Another
    model makes other mistakes; one that only solves has exercise_share = 0 and textbook_share = 0."""


class RewordingsTable(Table):
    """Exercises said in other words, each with a program written from these alone (Wu et al. 2024, InverseCoder)."""

    per_exercise: Count = 0
    """Other docstrings asked for each exercise that passed, written from its code without the docstring. One is kept
    where a program written from it alone passes the exercise's test; 0 asks for none."""
    writer: str = ""
    """Name of the teacher that writes them; "" for the one that wrote the exercise."""
    solver: str = ""
    """Name of the teacher that solves them blind; "" for the writer."""
    examples: Fraction = 0.0
    """Share of them that show the exercise's examples below: not to the solver, whose program has to pass them."""


class DistinctTable(Table):
    """Near-duplicate removal (Broder 1997 MinHash; Lee et al. 2022 for its use on corpora)."""

    duplicates: Literal["drop", "keep"] = "drop"
    """"keep" lets every document pass, as a control of an experiment."""
    permutations: Positive = 128
    """MinHash permutations."""
    bands: Positive = 32
    """LSH bands; rows per band = permutations / bands."""
    shingle: Positive = 5
    """Word n-gram of a shingle."""
    similarity: Fraction = 0.7
    """Exact Jaccard at or above which a document is a near-duplicate of the one kept."""
    clones: bool = True
    """Also drop renamed clones (equal normalised AST, constants kept)."""
    max_constant_variants: Count = 0
    """Most documents kept that differ only in their constants; 0 for no cap."""
    max_wordings: Count = 1
    """Most exercises kept of one solution (equal normalised AST) whose docstrings say it in other words; 0 for no cap.
    Their texts must still differ by `similarity`. An index keeps no wordings: of a solution in it no other is kept in a
    later batch. Matters where clones is true."""

    @model_validator(mode="after")
    def _bands_divide(self) -> "DistinctTable":
        if self.permutations % self.bands:
            raise ValueError(
                f"bands = {self.bands} does not divide permutations = {self.permutations}; use a divisor of it"
            )
        return self


class QualityTable(Table):
    """Heuristics, secrets, and the paper's classifier (Gunasekar et al. 2023, 2.1)."""

    min_characters: Count = 40
    """Shorter documents are dropped as too-short."""
    max_repeated_lines: Fraction = 0.5
    """Largest share of repeated lines kept."""
    exclude: PathText = ""
    """Labels of `hornbook view` (a run's labels.jsonl); documents labelled bad are dropped as excluded; "" for none."""
    secrets: Literal["drop", "mask", "off"] = "drop"
    """What happens to documents with keys, tokens or passwords in them; "mask" replaces them by a mark."""
    personal_data: Literal["drop", "mask", "off"] = "off"
    """The same for e-mail addresses, public IP addresses and telephone numbers; "mask" is usual for real code."""
    classifier: bool = False
    """Train and apply the educational-value classifier."""
    valued: Literal["all", "raw-code"] = "all"
    """What the classifier is trained on and applied to: "raw-code" lets what teachers wrote pass, as in the paper."""
    annotate: Positive = 200
    """Documents that the judge annotates when classifier is true."""
    repeats: Count = 20
    """Documents of those annotated that the judge annotates twice, to measure its agreement with itself."""
    judge: str = ""
    """Teacher that annotates, "" for the first. One that shall only judge has exercise_share and textbook_share 0."""
    embedding: ModelText = ""
    """Model whose hidden states the forest reads: an HF folder or hub name (causal LM or encoder), a GGUF file or
    "smollm2"; "" for the pretrained student, or SmolLM2 where the student starts from scratch."""
    embedding_tokens: Positive = 512
    """Tokens of a document that the embedding reads."""
    model: Annotated[str, Located("value-model")] = ""
    """"graded", the shipped value model, trained on files of the standard library that a developer graded; or the
    folder of one that an earlier run saved (`value-model` of its quality artifact): nothing is annotated then. ""
    trains one."""
    keep_quantile: Fraction = 0.5
    """Share of documents kept by predicted value when classifier is true."""
    min_value: Fraction | None = None
    """Smallest predicted value kept, in place of keep_quantile."""
    flatten: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Share of documents kept by taking them evenly from the clusters of their embeddings, so that the most crowded
    ones give up most; 1.0 switches it off."""


class HeldOutTable(Table):
    """Exercises kept back as problems of the benchmark "held-out", where evaluation.benchmarks names it."""

    problems: Positive = 100
    """Most problems: one of each topic before a second of any, no two functions of one name."""
    share: Fraction = 0.2
    """Largest share of the exercises that become problems."""
    keep_back: tuple[PathText, ...] = ()
    """Files of problems that an earlier run has drawn, to be kept back of this corpus too; nothing is drawn then."""


class DecontaminatedTable(Table):
    """Overlap with the benchmarks (Gunasekar et al. 2023, 5)."""

    benchmarks: tuple[BenchmarkText, ...] = ("humaneval",)
    """Names of benchmarks, or paths of JSONL files of problems. Those held out of the corpus always count too."""
    ngram: Positive = 13
    """Words of an n-gram."""
    tree: Annotated[float, Field(ge=0.0, le=1.0)] = 0.95
    """AST match rate at or above which a document is dropped (the paper's tau)."""
    embedding: Fraction = 1.0
    """Cosine at or above which a document is dropped; 1.0 switches it off."""
    encoder: ModelText = ""
    """HF folder or hub name of the model whose hidden states are compared; "" for the student's (init)."""


class TokensTable(Table):
    """Tokenizer and packing."""

    tokenizer: Annotated[ModelText, Field(min_length=1)] = "student"
    """"student" (the pretrained student's own), "train" (a BPE trained on the corpus), or a folder or hub name."""
    vocabulary: Annotated[int, Field(ge=257, le=MOST)] = 4096
    """Vocabulary size where the tokenizer is trained: at least all bytes and an end."""
    sequence_length: Annotated[int, Field(ge=2, le=MOST)] = 256
    """Tokens of a training sequence; a token alone has no next one to learn."""
    loss: Literal["all", "answer"] = "answer"
    """"answer": loss on an exercise's body only; passages always carry loss on all tokens."""
    repeat_corpus: Positive = 1
    """Epochs over the corpus."""
    topics: tuple[str, ...] = ()
    """Topic paths or prefixes of the exercises and textbooks used; empty for all. Real code has none and stays."""
    max_documents: Count = 0
    """Most documents used, drawn at random; 0 for all."""
    mask_documents: bool = True
    """Whether attention stays inside a document."""


class PhaseTable(Table):
    """One phase of training: a schedule over the token stream."""

    name: str = "fine-tune"
    """The phase's name in progress and reports."""
    data: Literal["all", "textbook", "exercise"] = "all"
    """Which documents this phase reads."""
    epochs: Annotated[float, Field(gt=0.0)] = 1.0
    """Passes over the phase's documents; steps, where given, decides instead."""
    steps: Count = 0
    """Optimiser steps; 0 to go by epochs."""
    max_tokens: Count = 0
    """Most tokens read in this phase; 0 for no cap."""
    batch: Positive = 16
    """Sequences per optimiser step."""
    micro_batch: Count = 0
    """Sequences per forward pass; 0 for the whole batch on a GPU, about 1,024 tokens on a CPU. Changes no gradient."""
    lr: Annotated[float, Field(gt=0.0)] = 5e-5
    """Peak learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls after warming up."""
    warmup_steps: Count = 10
    """Steps over which the learning rate rises to its peak."""
    min_lr_ratio: Fraction = 0.0
    """Learning rate at the end, as a share of the peak."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.01
    """AdamW's weight decay."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's decay rates of the two moments."""
    clip: Annotated[float, Field(ge=0.0)] = 1.0
    """Largest gradient norm; 0 for no clipping."""


class StudentTable(Table):
    """The model and its training."""

    init: ModelText = "smollm2"
    """"smollm2" (embedded), "scratch", or a folder or hub name of an HF causal LM."""
    layers: tuple[Count, ...] = ()
    """Layers of `init` that the student keeps, from 0 and rising; empty for all. Every other layer of the teacher is
    how DistilBERT begins (Sanh et al. 2019, 2)."""
    architecture: Literal["phi-1", "phi-1-small", "phi-1-mini", "phi-1-nano"] = "phi-1-nano"
    """Architecture when init = "scratch"."""
    phases: Annotated[tuple[PhaseTable, ...], Field(min_length=1)] = (PhaseTable(),)
    """Phases of training, one after the other."""
    dropout: Fraction = 0.0
    """Attention and residual dropout of a student from scratch."""
    seed: Seed | None = None
    """Root of training's own randomness: first weights, order of the documents, dropout. None for the recipe's seed;
    another one trains anew on the same corpus."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic of the forward pass; "auto" measures this machine, and then two machines may differ."""
    held_out: Fraction = 0.02
    """Share of the documents kept out of training for the held-out loss."""
    frozen_layers: Count = 0
    """First blocks that are not trained, and through which no gradient flows; for fine-tuning Llama, Qwen2 or Phi
    models. With half of the blocks frozen a step takes about two thirds of the time."""
    ema: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Decay of an exponential moving average of the weights, which is then what is scored and exported; 0 for none."""
    base_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the weights from before training in those that are scored and exported (Wortsman et al. 2022, WiSE-FT):
    gives back some of what a small corpus made a trained model forget. 0 for the trained ones alone."""
    keep: Literal["last", "best", "best-pass@1"] = "last"
    """Which weights are exported: those of the last step, or those of the last phase with the least held-out loss, or
    with the most held-out exercises solved (of equals, the one with less loss)."""
    held_out_steps: Count = 0
    """Steps between measurements of the held-out loss, and pass@1; 0 for before and after training only."""
    held_out_problems: Positive = 64
    """Most held-out exercises that are answered at each measurement where keep = "best-pass@1". With 64 the standard
    error is 6 points at a pass@1 of 50%."""
    prompt_gradient: bool = True
    """Whether gradients flow through an exercise's prompt; false reads it as context only, in 0.70 of the time."""

    @model_validator(mode="after")
    def _layers_rise(self) -> "StudentTable":
        if list(self.layers) != sorted(set(self.layers)):
            raise ValueError(f"layers = {list(self.layers)} must rise; name each layer once, e.g. [0, 2, 4]")
        return self

    @model_validator(mode="after")
    def _base_was_trained(self) -> "StudentTable":
        if self.base_share and self.init == "scratch":
            raise ValueError(
                f"base_share = {self.base_share} mixes in the weights of a model that was trained before, and "
                "init = 'scratch' has none; set init to a model, or base_share = 0"
            )
        return self

    @model_validator(mode="after")
    def _best_is_measured(self) -> "StudentTable":
        if self.keep != "last" and not (self.held_out_steps and self.held_out):
            raise ValueError(
                f"keep = {self.keep!r} needs held_out_steps and held_out above 0 to choose by, got "
                f"{self.held_out_steps} and {self.held_out}; set both, or keep = 'last'"
            )
        return self


class SoftTargetsTable(Table):
    """Distillation from a teacher LM's logits (Hinton et al. 2015). `teacher = ""` switches it off."""

    teacher: ModelText = ""
    """HF folder or hub name of the white-box teacher, which has the tokens' tokenizer."""
    mode: Literal["cached", "online"] = "cached"
    """"cached": the teacher reads the corpus once and its top-k logits are kept; "online": it reads every batch."""
    top_k: Positive = 64
    """Logits kept per token where cached; the rest is one tail mass. Online uses the whole vocabulary."""
    temperature: Annotated[float, Field(gt=0.0)] = 2.0
    """Temperature of both distributions in the soft loss."""
    alpha: Fraction = 0.5
    """Weight of the soft loss; 1 - alpha is the weight of the hard labels."""
    divergence: Literal["forward-kl", "reverse-kl", "jensen-shannon"] = "forward-kl"
    """What is minimised between the teacher's distribution and the student's."""
    hidden_weight: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of hidden-state matching (Jiao et al. 2020, TinyBERT): the mean squared difference of the states after
    each block, beside the soft and the hard loss; needs mode = "online". 0 for none."""
    hidden_layers: tuple[Count, ...] = ()
    """The teacher's block, from 0, that each of the student's is matched with; empty for evenly spaced ones."""
    on_policy: Fraction = 0.0
    """Share of exercises whose answer is the student's own sample, scored by the teacher (Agarwal et al. 2024, GKD's
    lambda); needs mode = "online"."""
    max_new_tokens: Positive = 128
    """Longest sample of the student, tokens."""


class Recipe(Table):
    """A whole recipe."""

    walk: Literal["text"] = "text"
    """Which walk the recipe is of: "text" from seeds to a scored student, "images" for one of images."""
    name: Name = "recipe"
    """With what its runs' names begin: a letter or digit, then letters, digits, ".", "_" and "-"."""
    description: str = ""
    """A line about the recipe, for lists."""
    seed: Seed = 0
    """Root of all randomness."""
    domain: DomainText = "python"
    """What the corpus is about: the name of a domain, or a folder (`hornbook domain new`)."""
    seeds: SeedsTable = SeedsTable()
    want: WantTable = WantTable()
    teachers: tuple[AnyTeacher, ...] = ()
    completions: CompletionsTable = CompletionsTable()
    sources: SourcesTable = SourcesTable()
    agreement: AgreementTable = AgreementTable()
    rewordings: RewordingsTable = RewordingsTable()
    validated: ValidatedTable = ValidatedTable()
    distinct: DistinctTable = DistinctTable()
    quality: QualityTable = QualityTable()
    held_out: HeldOutTable = HeldOutTable()
    decontaminated: DecontaminatedTable = DecontaminatedTable()
    tokens: TokensTable = TokensTable()
    soft_targets: SoftTargetsTable = SoftTargetsTable()
    student: StudentTable = StudentTable()
    evaluation: EvaluationTable = EvaluationTable()
