"""Embeddings of documents: the mean of a language model's last hidden states, as phi-1 takes CodeGen's (2.1)."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_TOKENS = 512
"""Tokens of a document that are read; the rest of a longer one does not count."""
BATCH_TOKENS = 8_192


def hidden_states(
    model: Any, tokenizer: Any, *, max_tokens: int = MAX_TOKENS
) -> Callable[[Sequence[str]], npt.NDArray[np.float32]]:
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
                states = model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[-1]
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
