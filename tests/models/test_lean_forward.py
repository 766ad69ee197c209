"""The lean forward computes what transformers computes."""

import torch

from pipeline.models.engines import LeanEngine, TransformersEngine
from pipeline.models.lean import Lean, causal, packed
from pipeline.models.loading import LoadedModel


def test_lean_logits_equal_transformers_logits(tiny: LoadedModel) -> None:
    if not Lean.knows(tiny.model):
        return
    ids = torch.randint(0, tiny.model.config.vocab_size, (3, 17))
    for lean in (Lean(tiny.model), Lean(tiny.model, packed)):
        with torch.no_grad():
            hidden = lean.hidden(ids, lean.rotary(torch.arange(17)[None]), causal())
            torch.testing.assert_close(lean.lm_head(hidden), tiny.model(ids).logits, rtol=1e-5, atol=1e-5)


def test_cached_steps_equal_one_pass_over_everything(tiny: LoadedModel) -> None:
    vocabulary = tiny.model.config.vocab_size
    prompts = [torch.randint(0, vocabulary, (n,)).tolist() for n in (9, 4, 1)]
    tokens = torch.randint(0, vocabulary, (5, 3)).tolist()
    engine = (LeanEngine if Lean.knows(tiny.model) else TransformersEngine)(tiny.model, 3, 32)
    logits = [engine.admit(prompts), *(engine.step(step) for step in tokens)]
    for row, prompt in enumerate(prompts):
        whole = torch.tensor([prompt + [step[row] for step in tokens]])
        with torch.no_grad():
            want = tiny.model(whole).logits[0, len(prompt) - 1 :]
        torch.testing.assert_close(torch.stack([entry[row] for entry in logits]), want, rtol=1e-4, atol=1e-4)


def test_rows_that_leave_do_not_disturb_those_that_stay(tiny: LoadedModel) -> None:
    prompts = [[1, 2, 3], [4, 5], [6, 7, 8, 9]]
    kind = LeanEngine if Lean.knows(tiny.model) else TransformersEngine
    engine, alone = kind(tiny.model, 3, 32), kind(tiny.model, 1, 32)
    engine.admit(prompts)
    alone.admit(prompts[2:])
    engine.keep([2])
    torch.testing.assert_close(engine.step([5]), alone.step([5]), rtol=1e-4, atol=1e-4)
    if engine.joins:
        joined = engine.admit([[1, 2]])
        torch.testing.assert_close(joined, kind(tiny.model, 1, 32).admit([[1, 2]]), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(engine.step([7, 8])[:1], alone.step([7]), rtol=1e-4, atol=1e-4)
