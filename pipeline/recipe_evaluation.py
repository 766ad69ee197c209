"""The table of a recipe that says what the student is asked, and how."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.recipe_base import MOST, BenchmarkText, Count, Positive, Table


class EvaluationTable(Table):
    """What the student is asked."""

    benchmarks: tuple[BenchmarkText, ...] = ("humaneval",)
    """Names of benchmarks, or paths of JSONL files of problems; [] for none. "held-out": exercises of the run's own
    corpus (see `held_out`)."""
    before: bool = True
    """Score the untrained student too (skipped for init = "scratch", and where student.layers leaves some out)."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Arithmetic in which it answers. "auto" is fp32 on a CPU, where an answer depends neither on the batch nor on the
    machine, and bf16 on a GPU; a CPU with bf16 of its own answers in half of the time in "bf16"."""
    limit: Count = 0
    """First n problems of each benchmark; 0 for all. A limited score is labelled partial."""
    samples: Positive = 1
    """Answers per problem; more than one needs a temperature."""
    temperature: Annotated[float, Field(ge=0.0)] = 0.0
    """Sampling temperature; 0 for the likeliest answer."""
    max_new_tokens: Positive = 192
    """Longest answer, tokens."""
    prompt_form: Literal["stripped", "raw", "chat", "evalplus"] = "stripped"
    """"stripped" removes the prompt's trailing newline, which tokenisers merge with the indent; "chat" asks through
    the model's chat template, "evalplus" as EvalPlus does, which begins the answer for the model."""
    cpu_seconds: Annotated[float, Field(gt=0.0, le=86_400.0)] = 10.0
    """CPU time of one scored program."""
    memory_mb: Annotated[int, Field(ge=64, le=MOST)] = 512
    """Memory of one scored program, MiB."""
    packages: tuple[str, ...] = ()
    """Installed packages that scored programs may import, with what they require; empty for the standard library."""
    likelihood: bool = False
    """Measure how likely the student finds the reference solutions, too, before and after: bits per byte, which a
    small student or corpus moves long before it solves another problem."""
    likelihood_of: tuple[BenchmarkText, ...] = ()
    """With likelihood = true: benchmarks of which that is measured; [] for those of `benchmarks`. With benchmarks = []
    nothing else is, and no answer is written."""
    splits: bool = True
    """Find the closest document of the corpus to each problem, and report similar and other problems apart."""

    @property
    def measured(self) -> tuple[str, ...]:
        """Benchmarks of whose reference solutions the likelihood is measured."""
        return (self.likelihood_of or self.benchmarks) if self.likelihood else ()

    @property
    def named(self) -> tuple[str, ...]:
        """All benchmarks that the student meets."""
        return tuple(dict.fromkeys((*self.benchmarks, *self.measured)))
