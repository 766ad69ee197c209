"""A transformers model that travels: to nodes with no disk in common with this machine, once for all its processes."""

import io
import pickle
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import HornbookError


@dataclass(frozen=True, slots=True)
class Packed:
    """A model as bytes without its tensors, and these as arrays, which Ray lays in a node's shared memory as they are.

    versions: of the packages whose code the bytes name.
    """

    module: bytes
    tensors: list[npt.NDArray[np.uint8]]
    tokenizer: bytes
    max_tokens: int
    versions: dict[str, str]

    @classmethod
    def of(cls, model: Any, tokenizer: Any, max_tokens: int) -> "Packed":
        """model: on the CPU. Its tensors are not copied here."""
        tensors: list[npt.NDArray[np.uint8]] = []
        module = _without_tensors(model, tensors)
        return cls(module, tensors, pickle.dumps(tokenizer), max_tokens, _versions())

    def opened(self) -> tuple[Any, Any, int]:
        """The model, over the arrays themselves, its tokenizer and tokens.

        Raises HornbookError where this process has other packages, which might read another way, or cannot load it.
        """
        hint = "install the same torch, transformers and tokenizers on each node as on the machine that runs hornbook"
        here = _versions()
        differ = [
            f"{name} {here[name]}, wanted {wanted}" for name, wanted in self.versions.items() if here[name] != wanted
        ]
        if differ:
            raise HornbookError(f"a node cannot read with the embedding model: it has {'; '.join(differ)}", hint=hint)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The given NumPy array is not writable")
                model = pickle.loads(self.module, buffers=self.tensors)
            return model, pickle.loads(self.tokenizer), self.max_tokens
        except Exception as error:
            raise HornbookError(
                f"a node cannot load the embedding model: {type(error).__name__}: {error}", hint=hint
            ) from error


def _without_tensors(model: Any, tensors: list[npt.NDArray[np.uint8]]) -> bytes:
    import torch

    class Pickler(pickle.Pickler):
        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, torch.nn.Parameter):
                return _parameter, (value.detach().contiguous().numpy(),)
            if isinstance(value, torch.Tensor):
                return torch.from_numpy, (value.contiguous().numpy(),)
            return NotImplemented

    file = io.BytesIO()
    Pickler(
        file,
        protocol=5,
        buffer_callback=lambda buffer: tensors.append(np.frombuffer(buffer.raw(), dtype=np.uint8)),
    ).dump(model)
    return file.getvalue()


def _parameter(array: npt.NDArray[Any]) -> Any:
    import torch

    return torch.nn.Parameter(torch.from_numpy(array), requires_grad=False)


def _versions() -> dict[str, str]:
    """Without what tells builds for one GPU from those for another."""
    from importlib.metadata import version

    return {name: version(name).partition("+")[0] for name in ("torch", "transformers", "tokenizers")}
