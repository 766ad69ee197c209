"""Opens what the user named as a model: weights on disk, the embedded model, or an endpoint's URL."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.identity import digest
from pipeline.execution import Execution
from pipeline.stages.samples.models import LocalModel, Opened

if TYPE_CHECKING:
    from pipeline.models.loading import Dtype

_HOST_AND_PORT = re.compile(
    r"(?:[^/@]*@)?(?:(?:[\w.-]+|\[[0-9A-Fa-f:.%]+\]):\d+|localhost|\[[0-9A-Fa-f:.%]+\])(?:/.*)?"
)


def is_endpoint(model: str) -> bool:
    """Whether `model` is meant as the URL of an endpoint; one without its http:// ("localhost:8000/v1") is, too."""
    return "://" in model or model.lower().startswith(("http:", "https:")) or bool(_HOST_AND_PORT.fullmatch(model))


def open_model(
    model: str,
    *,
    execution: Execution,
    cache: Path,
    endpoint_model: str = "",
    api_key_env: str = "",
    precision: "Dtype" = "auto",
) -> Opened:
    """The model ready to answer. Raises InputError where nothing is found, MissingKey where a key is not set.

    precision: of a model that is loaded here, as `evaluation.precision`.
    """
    if is_endpoint(model):
        from pipeline.stages.samples.endpoint import EndpointModel

        return EndpointModel(model, endpoint_model, api_key_env, execution)
    import torch

    from pipeline.models.loading import load, pick_dtype

    torch.set_num_threads(execution.thread_count())
    loaded = load(model, cache=cache, device=execution.device, dtype=precision)
    # Answers in another arithmetic than the device's own are others, and never serve for it.
    chosen = pick_dtype(precision, loaded.device)
    own = chosen == pick_dtype("auto", loaded.device)
    return LocalModel(loaded, digest(loaded.identity if own else [loaded.identity, chosen]), execution)
