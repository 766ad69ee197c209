"""What the lanes of an endpoint teacher ask: which places, with which sampling, under which keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pipeline.core.identity import digest
from pipeline.core.money import UNKNOWN, Price, price_of
from pipeline.execution import Execution
from pipeline.teacher.redaction import Secret
from pipeline.teacher.servers import Servers
from pipeline.teacher.wire import Sampling


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place that answers. weight: its share of the requests among the teacher's endpoints, relative.

    servers: those that are asked in the place of `base_url`, under which their answers are stored; None for none.
    """

    base_url: str
    model: str
    key: Secret | None = None
    weight: float = 1.0
    price: Price = UNKNOWN
    servers: Servers | None = None

    def headers(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Headers of every request; the only place where the key is revealed."""
        headers = {"content-type": "application/json", "user-agent": "hornbook", **extra}
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key.reveal()}"
        return headers


@dataclass(frozen=True, slots=True)
class Service:
    """One or several endpoints behind the name of one teacher.

    headers: extra request headers. Endpoints may name different models; an answer is stored under the one that gave it.
    variants: for each endpoint, the digest of everything but messages and number that changes its answers.
    """

    name: str
    endpoints: tuple[Endpoint, ...]
    sampling: Sampling
    execution: Execution
    headers: tuple[tuple[str, str], ...] = ()
    variants: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        shared = [dict(self.headers), self.sampling.identity()]
        object.__setattr__(self, "variants", tuple(digest([e.base_url, e.model, *shared]) for e in self.endpoints))

    @property
    def max_tokens(self) -> int:
        return self.sampling.max_tokens


def priced(model: str, base_url: str, prices: Mapping[str, Price]) -> Price:
    """Price of a model at an endpoint; a server on this machine is free unless its model is listed."""
    price = price_of(model, prices)
    if not price.known and urlsplit(base_url).hostname in ("localhost", "127.0.0.1", "::1"):
        return Price()
    return price
