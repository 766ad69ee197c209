"""A language model in this process as a teacher: the embedded SmolLM2, any Hugging Face folder, any GGUF file."""

from dataclasses import dataclass

from pipeline.core.errors import RecipeError
from pipeline.recipe_teachers import LocalTable
from pipeline.teacher.kind import Kind, Setup, sampling_of
from pipeline.teacher.local_model import LocalModel, choose_engine
from pipeline.teacher.protocol import Desk, Lane, Question, answer_key
from pipeline.teacher.threaded import ThreadLane


@dataclass(frozen=True, slots=True)
class LocalTeacher(LocalModel):
    """A local model behind the teacher's interface."""

    kind: str = "local"
    journalled: bool = True

    def identity(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "name": self.name,
            "engine": self.engine,
            "weights": self.weights,
            "max_tokens": self.max_tokens,
            **self.sampling.identity(),
            "seed": self.seed,
        }

    def keys(self, messages: str, number: int, question: Question | None = None) -> tuple[str, ...]:
        return (answer_key(self.variant, messages, number),)

    def lane(self, desk: Desk) -> Lane:
        if self.engine == "llama.cpp":
            from pipeline.teacher.llamacpp import LlamaWorker

            return ThreadLane(LlamaWorker(self), desk)
        from pipeline.teacher.generating import GenerateWorker

        return ThreadLane(GenerateWorker(self), desk)


def _build(table: LocalTable, setup: Setup) -> LocalTeacher:
    from pipeline.models.identities import model_identity
    from pipeline.models.named import known
    from pipeline.models.specs import file_of

    model = table.weights
    if table.engine == "llama.cpp" and file_of(model) is None:
        raise RecipeError(
            f'teacher {table.name!r}: engine = "llama.cpp" reads GGUF files, got model = {model!r}',
            hint=f'name a .gguf file, "smollm2" or {" or ".join(known())}, or set engine = "transformers"',
        )
    return LocalTeacher(
        name=table.name,
        model=model,
        weights=model_identity(model),
        sampling=sampling_of(table),
        execution=setup.execution,
        cache=setup.models,
        tell=setup.tell,
        seed=setup.seed if table.seed is None else table.seed,
        engine=choose_engine(model, setup.execution.device) if table.engine == "auto" else table.engine,
    )


KIND = Kind(table=LocalTable, what="a language model run in process", build=_build, keyed="messages")
