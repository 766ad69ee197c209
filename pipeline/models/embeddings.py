"""Embeddings of texts: the mean of a language model's last hidden states, as phi-1 takes CodeGen's (2.1).

The value classifier, the sampler of crowded clusters and the comparison with the benchmarks all read through `encoder`.
A text is read once by each model: `remembered` keeps its embedding on disk, by content, for later calls and runs.
On a Ray cluster the nodes read, on their CPUs; the model travels to them, and what is kept stays on this machine.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import InputError
from pipeline.core.events import silent
from pipeline.core.identity import digest
from pipeline.models.travelling import Packed
from pipeline.work.protocol import SERIAL, Executor

DEFAULT = "smollm2"
"""The embedded model: what reads texts where no other model is named."""
MAX_TOKENS = 512
"""Tokens of a document that are read; the rest of a longer one does not count."""
BATCH_TOKENS = 8_192
BLOCK = 64
"""Texts that are embedded at once, on this machine or on a node: sums in another order would round another way."""
FILE = 4_096
KEEP_SECONDS = 30.0
"""Embeddings go to disk in files of `FILE` texts, or of what came in `KEEP_SECONDS`: what a crash costs at most."""

Embedding = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""(texts) -> (texts, hidden) float32."""


def encoder(
    spec: str,
    cache: Path,
    device: str = "auto",
    *,
    max_tokens: int = MAX_TOKENS,
    loading: Callable[[str], None] = silent,
) -> "Encoder":
    """The embedding of the model that `spec` names: "smollm2", a GGUF file, an HF folder or a hub name.

    A causal LM is read without its output layer, which costs a fifth of a small model; an encoder as it is, of an
    encoder-decoder the encoder; all in fp32. cache: folder for converted weights. device: torch device. The model is
    loaded at the first call, which tells `loading` its name, and raises InputError where there is none that can be
    loaded.
    """
    return Encoder(spec, cache, device, max_tokens, loading)


class Encoder:
    """See `encoder`. Pickled, it takes the model along; unpickled, it reads on the CPU, with nothing from a disk."""

    def __init__(
        self, spec: str, cache: Path, device: str, max_tokens: int, loading: Callable[[str], None] | None
    ) -> None:
        self._loading = loading
        self._spec = spec
        self._cache = cache
        self._device = device
        self._max_tokens = max_tokens
        self._embed: Embedding | None = None
        self._packed: Packed | None = None
        self._onednn: bool | None = None

    @property
    def stays(self) -> bool:
        """Whether it reads on this machine only: its GPU is worth more than the nodes' cores."""
        from pipeline.models.loading import pick_device

        return self._packed is None and pick_device(self._device).type != "cpu"

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if self._embed is None:
            from pipeline.models.products import through_onednn

            model, tokenizer, max_tokens = self._packed.opened() if self._packed else self._loaded(self._device)
            if self._through_onednn():
                through_onednn(model)
            self._embed = hidden_states(model, tokenizer, max_tokens=max_tokens)
        return self._embed(texts)

    def _through_onednn(self) -> bool:
        """Measured once for a data folder, and told to the nodes: what is read later rounds as what was read before."""
        from pipeline.models.loading import pick_device

        if self._onednn is None:
            self._onednn = self._chosen() if pick_device(self._device).type == "cpu" else False
        return self._onednn

    def _chosen(self) -> bool:
        import torch

        from pipeline.models.products import available
        from pipeline.models.rates import onednn_wins
        from pipeline.store.disk import disk_errors, write_atomically

        path = self._cache / "embeddings" / "products.txt"
        if path.is_file():
            return path.read_text(encoding="utf-8").strip() == "onednn" and available(torch.empty(0))
        wins = onednn_wins()
        with disk_errors(path):
            write_atomically(path, "onednn\n" if wins else "torch\n")
        return wins

    def _loaded(self, device: str) -> tuple[Any, Any, int]:
        if self._loading is not None:
            self._loading(self._spec)
        return _load(self._spec, self._cache, device, self._max_tokens)

    def __getstate__(self) -> dict[str, Any]:
        packed = self._packed or Packed.of(*self._loaded("cpu"))
        return {**vars(self), "_packed": packed, "_embed": None, "_loading": None, "_onednn": self._through_onednn()}


def _load(spec: str, cache: Path, device: str, max_tokens: int) -> tuple[Any, Any, int]:
    """The model, its tokenizer, and how many tokens of a text it has room for."""
    from transformers import AutoModel

    from pipeline.models.loading import load_tokenizer, pick_device, quiet, source_folder

    source = source_folder(spec, cache)
    try:
        tokenizer = load_tokenizer(source)
        tokenizer.split_special_tokens = True  # text that spells a special token stays text
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
    return model.to(pick_device(device)).float().eval(), tokenizer, min(max_tokens, room)


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


def blockwise(embed: Embedding, executor: Executor = SERIAL) -> Embedding:
    """`embed` in blocks of `BLOCK` texts of similar length, which go to the executor where that is far."""

    def embedded(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if not texts:
            return embed(texts)
        order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), texts[i]))
        cut = (order[start : start + BLOCK] for start in range(0, len(order), BLOCK))
        found: npt.NDArray[np.float32] | None = None
        done = 0
        for vectors in _each(embed, ([texts[i] for i in block] for block in cut), executor):
            if found is None:
                found = np.zeros((len(texts), vectors.shape[1]), dtype=np.float32)
            found[order[done : done + len(vectors)]] = vectors
            done += len(vectors)
        assert found is not None
        return found

    return embedded


def _each(embed: Embedding, blocks: Iterable[Sequence[str]], executor: Executor) -> Iterator[npt.NDArray[np.float32]]:
    """`embed` of each block. Worker processes of this machine would only share the cores that torch uses already."""
    if executor.far and not getattr(embed, "stays", False):
        return executor.map(embed, blocks)
    return SERIAL.map(embed, blocks)


def remembered(
    embed: Embedding,
    identity: Any,
    cache: Path,
    progress: Callable[[int, int], None] = silent,
    executor: Executor = SERIAL,
) -> Embedding:
    """`embed`, with every text's embedding kept below `cache`, by the text's content and the model's identity.

    identity: JSON value of all that changes an embedding (weights, tokens read). progress: told how many of the texts
    are embedded, and of how many, after each `BLOCK` that `embed` was asked for. executor: where texts are read that
    are not known yet; where it is far `embed` has to pickle. Files are written whole or not at all; one that cannot be
    read counts as not there. Deleting the folder costs time and nothing else.

    From the same files, an embedding is the same to the bit for any number of threads and any executor on CPUs of one
    kind; another kind of CPU, or other texts in its block, round a float32 another way.
    """
    folder = cache / "embeddings" / digest(identity)[:32]
    known: dict[bytes, tuple[Path, int]] = {}
    seen: set[Path] = set()
    lock = threading.Lock()

    def look() -> None:
        for path in sorted(folder.glob("*.safetensors")) if folder.is_dir() else ():
            if path not in seen:
                seen.add(path)
                known.update((name, (path, row)) for row, name in enumerate(_names_in(path)))

    def embedded(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if not texts:
            return embed(texts)
        rows = _Rows(texts)
        with lock:
            look()
            wanted: dict[Path, list[tuple[bytes, int]]] = {}
            for name in rows.missing & known.keys():
                path, row = known[name]
                wanted.setdefault(path, []).append((name, row))
            for path, entries in wanted.items():
                vectors = _tensor(path, "vectors")
                if vectors is not None:
                    rows.fill([name for name, _ in entries], vectors[[row for _, row in entries]])
            missing = sorted(rows.missing, key=lambda name: (len(rows.text(name)), name))
            blocks = [missing[start : start + BLOCK] for start in range(0, len(missing), BLOCK)]
            pending: list[npt.NDArray[np.float32]] = []
            done, kept, kept_at = 0, 0, time.monotonic()
            for vectors in _each(embed, ([rows.text(name) for name in block] for block in blocks), executor):
                block = missing[done : done + len(vectors)]
                rows.fill(block, vectors)
                pending.append(vectors)
                done += len(block)
                if done == len(missing) or done - kept >= FILE or time.monotonic() - kept_at >= KEEP_SECONDS:
                    _keep(folder, missing[kept:done], np.concatenate(pending))
                    pending, kept, kept_at = [], done, time.monotonic()
                progress(len(texts) - len(missing) + done, len(texts))
        return rows.found()

    return embedded


class _Rows:
    """Embeddings of texts as they come; those of equal texts at once. missing: names of texts without one."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._places: dict[bytes, list[int]] = {}
        for place, text in enumerate(texts):
            self._places.setdefault(_name(text), []).append(place)
        self._found: npt.NDArray[np.float32] | None = None
        self.missing = set(self._places)

    def text(self, name: bytes) -> str:
        return self._texts[self._places[name][0]]

    def fill(self, names: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """vectors: (names, hidden)."""
        if self._found is None:
            self._found = np.zeros((len(self._texts), vectors.shape[1]), dtype=np.float32)
        for name, vector in zip(names, vectors, strict=True):
            self._found[self._places[name]] = vector
        self.missing.difference_update(names)

    def found(self) -> npt.NDArray[np.float32]:
        """(texts, hidden) float32, once none is missing."""
        assert self._found is not None
        assert not self.missing
        return self._found


def _name(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _keep(folder: Path, names: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
    from safetensors.numpy import save

    from pipeline.store.disk import disk_errors, write_atomically

    ids = np.frombuffer(b"".join(names), dtype=np.uint8).reshape(len(names), 16)
    data = save({"names": ids, "vectors": np.ascontiguousarray(vectors, dtype=np.float32)})
    path = folder / f"{hashlib.blake2b(b''.join(names), digest_size=16).hexdigest()}.safetensors"
    with disk_errors(path):
        write_atomically(path, data)


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
