"""Embeddings of documents: the mean of a language model's last hidden states, as phi-1 takes CodeGen's (2.1)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError

MAX_TOKENS = 512
"""Tokens of a document that are read; the rest of a longer one does not count."""
BATCH_TOKENS = 8_192

Embedding = Callable[[Sequence[str]], npt.NDArray[np.float32]]


def encoder(spec: str, *, cache: Path, device: str = "auto", max_tokens: int = MAX_TOKENS) -> Embedding:
    """The embedding of the model that `spec` names: "smollm2", a GGUF file, an HF folder or a hub name.

    A causal LM is read without its output layer, which costs a fifth of a small model; an encoder as it is, of an
    encoder-decoder the encoder. Raises InputError where no such model can be loaded.
    """
    from transformers import AutoModel

    from pipeline.student.loading import load_tokenizer, pick_device, source_folder

    source = source_folder(spec, cache)
    try:
        tokenizer = load_tokenizer(source)
        model: Any = AutoModel.from_pretrained(source, local_files_only=Path(source).is_dir())
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"quality.embedding = {spec!r} could not be loaded: {error}",
            hint="name a folder with config.json, weights and tokenizer.json that transformers' AutoModel reads",
        ) from error
    if getattr(model.config, "is_encoder_decoder", False):
        model = model.get_encoder()
    room = getattr(model.config, "max_position_embeddings", None) or max_tokens
    return hidden_states(model.to(pick_device(device)).float().eval(), tokenizer, max_tokens=min(max_tokens, room))


def hidden_states(model: Any, tokenizer: Any, *, max_tokens: int = MAX_TOKENS) -> Embedding:
    """An `Embed` from any transformers model (causal LM or encoder) and its tokenizer.

    Returns (texts, hidden) float32: the last layer's states, averaged over a text's tokens. An empty text is a zero
    row. Texts of similar length share a batch; a text's embedding does not depend on its batch, rounding apart.
    """
    import torch

    def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        encoded = [tokenizer(text, truncation=True, max_length=max_tokens)["input_ids"] for text in texts]
        order = sorted(range(len(texts)), key=lambda i: -len(encoded[i]))
        rows: dict[int, npt.NDArray[np.float32]] = {}
        device = next(model.parameters()).device
        at = 0
        with torch.inference_mode():
            while at < len(order):
                longest = len(encoded[order[at]])
                if not longest:
                    break
                batch = order[at : at + max(1, BATCH_TOKENS // longest)]
                batch = [i for i in batch if encoded[i]]
                at += len(batch)
                ids = torch.zeros((len(batch), longest), dtype=torch.long, device=device)
                mask = torch.zeros_like(ids)
                for row, i in enumerate(batch):
                    ids[row, : len(encoded[i])] = torch.tensor(encoded[i], device=device)
                    mask[row, : len(encoded[i])] = 1
                states = _last_states(model, ids, mask)
                weights = mask.unsqueeze(-1).to(states.dtype)
                means = (states * weights).sum(1) / weights.sum(1)
                for row, i in enumerate(batch):
                    rows[i] = means[row].float().cpu().numpy()
        width = len(next(iter(rows.values()))) if rows else int(model.config.hidden_size)
        return (
            np.stack([rows.get(i, np.zeros(width, dtype=np.float32)) for i in range(len(texts))])
            if texts
            else (np.zeros((0, width), dtype=np.float32))
        )

    return embed


def _last_states(model: Any, ids: Any, mask: Any) -> Any:
    """(batch, time, hidden) states of the last layer: an encoder gives them, a model with a head on request."""
    out = model(input_ids=ids, attention_mask=mask)
    found = getattr(out, "last_hidden_state", None)
    if found is not None:
        return found
    return model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[-1]
