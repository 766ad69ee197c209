"""Embeddings of texts: the mean of a language model's last hidden states, as phi-1 takes CodeGen's (2.1).

The value classifier, the sampler of crowded clusters and the comparison with the benchmarks all read through `encoder`.
A text is read once by each model: `remembered` keeps its embedding on disk, by content, for later calls and runs.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError
from pipeline.identity import digest

DEFAULT = "smollm2"
"""The embedded model: what reads texts where no other model is named."""
MAX_TOKENS = 512
"""Tokens of a document that are read; the rest of a longer one does not count."""
BATCH_TOKENS = 8_192
BLOCK = 64
"""Texts that are embedded between two reports of progress."""
FILE = 4_096
KEEP_SECONDS = 30.0
"""Embeddings go to disk in files of `FILE` texts, or of what came in `KEEP_SECONDS`: what a crash costs at most."""

Embedding = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""(texts) -> (texts, hidden) float32."""


def encoder(spec: str, cache: Path, device: str = "auto", *, max_tokens: int = MAX_TOKENS) -> Embedding:
    """The embedding of the model that `spec` names: "smollm2", a GGUF file, an HF folder or a hub name.

    A causal LM is read without its output layer, which costs a fifth of a small model; an encoder as it is, of an
    encoder-decoder the encoder; all in fp32. cache: folder for converted weights. device: torch device. The model is
    loaded at the first call, which raises InputError where there is none that can be loaded.
    """
    loaded: list[Embedding] = []

    def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if not loaded:
            loaded.append(_load(spec, cache, device, max_tokens))
        return loaded[0](texts)

    return embed


def _load(spec: str, cache: Path, device: str, max_tokens: int) -> Embedding:
    from transformers import AutoModel

    from pipeline.student.loading import load_tokenizer, pick_device, quiet, source_folder

    source = source_folder(spec, cache)
    try:
        tokenizer = load_tokenizer(source)
        with quiet():
            model: Any = AutoModel.from_pretrained(source, local_files_only=Path(source).is_dir())
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"the embedding model {spec!r} could not be loaded: {error}",
            hint="name a folder with config.json, weights and tokenizer.json that transformers' AutoModel reads",
        ) from error
    if getattr(model.config, "is_encoder_decoder", False):
        model = model.get_encoder()
    room = getattr(model.config, "max_position_embeddings", None) or max_tokens
    return hidden_states(model.to(pick_device(device)).float().eval(), tokenizer, max_tokens=min(max_tokens, room))


def hidden_states(model: Any, tokenizer: Any, *, max_tokens: int = MAX_TOKENS) -> Embedding:
    """An `Embedding` from any transformers model (causal LM or encoder) and its tokenizer.

    Returns (texts, hidden) float32: the last layer's states, averaged over a text's tokens. An empty text is a zero
    row. Texts of similar length share a batch; a text's embedding does not depend on its batch, rounding apart.
    """
    import torch

    def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        encoded = [tokenizer(text, truncation=True, max_length=max_tokens)["input_ids"] for text in texts]
        order = sorted((i for i in range(len(texts)) if encoded[i]), key=lambda i: -len(encoded[i]))
        rows: dict[int, npt.NDArray[np.float32]] = {}
        device = next(model.parameters()).device
        at = 0
        with torch.inference_mode():
            while at < len(order):
                longest = len(encoded[order[at]])
                batch = order[at : at + max(1, BATCH_TOKENS // longest)]
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
        found = np.zeros((len(texts), width), dtype=np.float32)
        for i, row_of in rows.items():
            found[i] = row_of
        return found

    return embed


def _last_states(model: Any, ids: Any, mask: Any) -> Any:
    """(batch, time, hidden) states of the last layer: an encoder gives them, a model with a head on request."""
    out = model(input_ids=ids, attention_mask=mask)
    found = getattr(out, "last_hidden_state", None)
    if found is not None:
        return found
    return model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[-1]


def remembered(
    embed: Embedding, identity: Any, cache: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> Embedding:
    """`embed`, with every text's embedding kept below `cache`, by the text's content and the model's identity.

    identity: JSON value of all that changes an embedding (weights, tokens read). progress: told how many of the texts
    are embedded, and of how many, after each `BLOCK` that `embed` was asked for. Files are written whole or not at
    all; one that cannot be read counts as not there. Deleting the folder costs time and nothing else.
    """
    folder = cache / "embeddings" / digest(identity)[:32]
    known: dict[bytes, tuple[Path, int]] = {}
    seen: set[Path] = set()
    lock = threading.Lock()

    def found(names: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
            if path not in seen:
                seen.add(path)
                known.update((name, (path, row)) for row, name in enumerate(_names_in(path)))
        wanted: dict[Path, list[tuple[bytes, int]]] = {}
        for name in set(names) & known.keys():
            path, row = known[name]
            wanted.setdefault(path, []).append((name, row))
        rows: dict[bytes, npt.NDArray[np.float32]] = {}
        for path, entries in wanted.items():
            vectors = _tensor(path, "vectors")
            if vectors is not None:
                rows.update((name, vectors[row]) for name, row in entries)
        return rows

    def embedded(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        names = [_name(text) for text in texts]
        with lock:
            rows = found(names)
            by_name = {name: text for name, text in zip(names, texts, strict=True) if name not in rows}
            missing = sorted(by_name, key=lambda name: (len(by_name[name]), name))
            pending: list[npt.NDArray[np.float32]] = []
            kept, kept_at = 0, time.monotonic()
            for start in range(0, len(missing), BLOCK):
                block = missing[start : start + BLOCK]
                pending.append(embed([by_name[name] for name in block]))
                rows.update(zip(block, pending[-1], strict=True))
                done = start + len(block)
                if done == len(missing) or done - kept >= FILE or time.monotonic() - kept_at >= KEEP_SECONDS:
                    _keep(folder, missing[kept:done], np.concatenate(pending))
                    pending, kept, kept_at = [], done, time.monotonic()
                progress(len(texts) - len(missing) + done, len(texts))
        if not texts:
            return embed(texts)
        return np.stack([rows[name] for name in names])

    return embedded


def _name(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _keep(folder: Path, names: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
    from safetensors.numpy import save

    from pipeline.store import disk_errors, write_atomically

    ids = np.frombuffer(b"".join(names), dtype=np.uint8).reshape(len(names), 16)
    data = save({"names": ids, "vectors": np.ascontiguousarray(vectors, dtype=np.float32)})
    path = folder / f"{hashlib.blake2b(b''.join(names), digest_size=16).hexdigest()}.safetensors"
    with disk_errors(path):
        write_atomically(path, lambda file: file.write(data))


def _names_in(path: Path) -> list[bytes]:
    names = _tensor(path, "names")
    return [] if names is None or names.ndim != 2 else [row.tobytes() for row in names]


def _tensor(path: Path, name: str) -> npt.NDArray[Any] | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            tensor: npt.NDArray[Any] = file.get_tensor(name)
            return tensor
    except (SafetensorError, OSError):
        return None
