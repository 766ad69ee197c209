"""transformers' Trainer as the peer of a benchmark, its overhead of logging and saving switched off."""

import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any


def hf_trainer(
    model: Any, rows: Sequence[Any], batch: int, each: int, compile: bool = False
) -> Callable[[float], float]:
    """A function that trains for some seconds and returns units per second.

    batch: rows of a step. each: units of a row, e.g. tokens. compile: with its torch_compile.
    """
    from transformers import Trainer, TrainerCallback, TrainingArguments

    class Until(TrainerCallback):
        seconds = 0.0
        start = 0.0
        steps = 0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            Until.start, Until.steps = time.perf_counter(), 0

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            Until.steps += 1
            if time.perf_counter() - Until.start > Until.seconds:
                control.should_training_stop = True

    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=batch,
        max_steps=10**6,
        learning_rate=1e-4,
        lr_scheduler_type="constant",
        optim="adamw_torch_fused",
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        torch_compile=compile,
        disable_tqdm=True,
    )

    def run(seconds: float) -> float:
        Until.seconds = seconds
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[Until()]).train()
        return Until.steps * batch * each / (time.perf_counter() - Until.start)

    return run
