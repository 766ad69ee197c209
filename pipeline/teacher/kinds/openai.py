"""OpenAI-compatible endpoints as one teacher: what is asked, where, and what its answers are stored under."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pipeline.core.identity import digest
from pipeline.core.money import UNKNOWN, Price, price_of
from pipeline.execution import Execution
from pipeline.teacher.protocol import Desk, Lane, Question, answer_key
from pipeline.teacher.redaction import Secret
from pipeline.teacher.wire import Sampling


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place that answers. weight: its share of the requests among the teacher's endpoints, relative."""

    base_url: str
    model: str
    key: Secret | None = None
    weight: float = 1.0
    price: Price = UNKNOWN

    def headers(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Headers of every request; the only place where the key is revealed."""
        headers = {"content-type": "application/json", "user-agent": "hornbook", **extra}
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key.reveal()}"
        return headers


@dataclass(frozen=True, slots=True)
class EndpointTeacher:
    """A model behind one or several endpoints.

    headers: extra request headers. Endpoints may name different models; an answer is stored under the one that gave it.
    variants: for each endpoint, the digest of everything but messages and number that changes its answers.
    """

    name: str
    endpoints: tuple[Endpoint, ...]
    sampling: Sampling
    execution: Execution
    headers: tuple[tuple[str, str], ...] = ()
    mode: str = "online"
    kind: str = "openai"
    journalled: bool = True
    variants: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        shared = [dict(self.headers), self.sampling.identity()]
        object.__setattr__(self, "variants", tuple(digest([e.base_url, e.model, *shared]) for e in self.endpoints))

    @property
    def max_tokens(self) -> int:
        return self.sampling.max_tokens

    def identity(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "name": self.name,
            "endpoints": [[e.base_url, e.model, e.weight] for e in self.endpoints],
            "headers": dict(self.headers),
            "max_tokens": self.max_tokens,
            **self.sampling.identity(),
        }

    def keys(self, messages: str, number: int, question: Question | None = None) -> tuple[str, ...]:
        return tuple(answer_key(variant, messages, number) for variant in self.variants)

    def lane(self, desk: Desk) -> Lane:
        if self.mode == "batch":
            from pipeline.teacher.batch import BatchLane

            return BatchLane(self, desk)
        from pipeline.teacher.online import OnlineLane

        return OnlineLane(self, desk)


def priced(model: str, base_url: str, prices: Mapping[str, Price]) -> Price:
    """Price of a model at an endpoint; a server on this machine is free unless its model is listed."""
    price = price_of(model, prices)
    if not price.known and urlsplit(base_url).hostname in ("localhost", "127.0.0.1", "::1"):
        return Price()
    return price
