"""An embedding of texts by a language model's hidden states, loaded when it is first asked for."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

DEFAULT = "smollm2"
"""The embedded model: what reads texts where no other model is named."""


def encoder(spec: str, cache: Path, device: str = "auto") -> Callable[[Sequence[str]], npt.NDArray[np.float32]]:
    """(texts) -> (texts, hidden) float32 by the model `spec`, as `quality.embedding.hidden_states`.

    spec: HF folder or hub name, or "smollm2". cache: folder for converted weights. device: torch device. Raises what
    `student.load` raises, at the first call.
    """
    embed: list[Callable[[Sequence[str]], npt.NDArray[np.float32]]] = []

    def embedded(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if not embed:
            from pipeline.quality.embedding import hidden_states
            from pipeline.student import load

            reader = load(spec, cache=cache, device=device)
            embed.append(hidden_states(reader.model, reader.tokenizer))
        return embed[0](texts)

    return embedded
