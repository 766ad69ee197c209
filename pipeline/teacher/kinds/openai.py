"""OpenAI-compatible endpoints as one teacher: what is asked, where, and what its answers are stored under."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.core.errors import RecipeError
from pipeline.core.money import Price, read_prices, require_price
from pipeline.execution import Execution, ServersTable
from pipeline.recipe_teachers import OpenAITable
from pipeline.teacher.address import checked_headers, checked_url
from pipeline.teacher.endpoint import Endpoint, Service, priced
from pipeline.teacher.kind import Kind, Setup, sampling_of
from pipeline.teacher.protocol import Desk, Lane, Question, answer_key
from pipeline.teacher.redaction import from_environment
from pipeline.teacher.servers import Servers, guarded
from pipeline.teacher.wire import Api


@dataclass(frozen=True, slots=True)
class EndpointTeacher(Service):
    """A model behind one or several endpoints."""

    mode: str = "online"
    kind: str = "openai"
    journalled: bool = True

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


def _build(table: OpenAITable, setup: Setup) -> EndpointTeacher:
    return _teacher(table, setup.execution, f"teacher {table.name!r}", with_keys=setup.with_keys)


def _teacher(
    table: OpenAITable, execution: Execution, where: str, *, with_keys: bool, api: Api = "chat"
) -> EndpointTeacher:
    headers = checked_headers(table.headers, where)
    if table.extra_body.get("stream"):
        raise RecipeError(f"{where}: extra_body.stream is set, but answers are read whole", hint="leave it out")
    prices = read_prices()
    servers = _servers(table.name, execution)
    endpoints = [
        _endpoint(
            one,
            where if not number else f"{where}, fallbacks[{number - 1}]",
            prices,
            with_keys=with_keys,
            servers=None if number else servers,
        )
        for number, one in enumerate(_places(table))
    ]
    for endpoint in endpoints:
        require_price(endpoint.model, endpoint.base_url, endpoint.price, execution.budget_usd)
    if table.mode == "batch" and len(endpoints) > 1:
        raise RecipeError(f'{where}: mode = "batch" takes no fallbacks: a batch lives at one endpoint')
    return EndpointTeacher(
        name=table.name,
        endpoints=tuple(endpoints),
        sampling=sampling_of(table, api),
        execution=execution,
        headers=tuple(sorted(headers.items())),
        mode=table.mode,
    )


def _places(table: OpenAITable) -> list[OpenAITable]:
    """The table as it is at each of its endpoints: what a fallback leaves out is the teacher's, but for the weight."""
    changes = [fallback.model_dump(exclude_none=True) for fallback in table.fallbacks]
    return [table, *(table.model_copy(update=change) for change in changes)]


def _servers(teacher: str, execution: Execution) -> Servers | None:
    """The servers that the execution settings name for a teacher; the first of its endpoints is theirs."""
    return next((_one(number, one) for number, one in enumerate(execution.servers) if one.teacher == teacher), None)


def _one(number: int, table: ServersTable) -> Servers:
    return Servers(f"execution.servers.{number}", table.urls, Path(table.file) if table.file else None)


def with_listed(execution: Execution) -> Execution:
    """The settings with the servers that their files name now, which are then not read again: what is measured stays
    comparable. A file that names none stays one to be looked at."""
    servers = [(table, _one(number, table).listed()) for number, table in enumerate(execution.servers)]
    listed = [table.model_copy(update={"urls": urls, "file": ""}) if urls else table for table, urls in servers]
    return execution.model_copy(update={"servers": tuple(listed)})


def _endpoint(
    table: OpenAITable, where: str, prices: Mapping[str, Price], *, with_keys: bool, servers: Servers | None
) -> Endpoint:
    base_url = checked_url(table.base_url, f"{where}: base_url")
    if not table.model:
        raise RecipeError(f"{where}: model should be the model's name at {base_url}, got {table.model!r}")
    key = from_environment(table.api_key_env, where) if with_keys else None
    if servers is not None:
        servers = replace(servers, keyed=key is not None)
        servers.listed()
    else:
        guarded(base_url, f"{where}: base_url", keyed=key is not None)
    return Endpoint(base_url, table.model, key, table.weight, priced(table.model, base_url, prices), servers)


def _usd(table: OpenAITable, prompt_tokens: int, completion_tokens: int) -> float | None:
    price = priced(table.model, table.base_url, read_prices())
    return price.usd(prompt_tokens, completion_tokens, batch=table.mode == "batch") if price.known else None


KIND = Kind(
    table=OpenAITable,
    what="a language model behind an OpenAI-compatible endpoint",
    build=_build,
    keyed="messages",
    usd=_usd,
    dated=True,
)


def evaluation_teacher(
    base_url: str,
    model: str,
    *,
    execution: Execution,
    api: Api = "chat",
    api_key_env: str = "",
    temperature: float = 0.0,
    top_p: float = 1.0,
    max_tokens: int = 512,
    stop: tuple[str, ...] = (),
    seed: int | None = None,
    extra_body: Mapping[str, Any] | None = None,
) -> EndpointTeacher:
    """An endpoint to be evaluated, over chat or plain completions.

    Raises RecipeError, MissingKey, or UsageError for a key that no header can carry; nothing is asked here.
    """
    table = OpenAITable(
        name="endpoint",
        base_url=base_url,
        model=model,
        api_key_env=api_key_env,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        stop=stop,
        seed=seed,
        extra_body=dict(extra_body or {}),
    )
    return _teacher(table, execution, "the endpoint to evaluate", with_keys=True, api=api)
