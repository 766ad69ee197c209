"""From the recipe's `[[teachers]]` tables to teachers. What can be wrong is found here, before a question is asked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from pipeline.core.errors import RecipeError
from pipeline.core.money import Price, read_prices, require_price
from pipeline.execution import Execution
from pipeline.models.fetching import Tell, to_stderr
from pipeline.recipe import TeacherTable
from pipeline.teacher.address import checked_headers, checked_url
from pipeline.teacher.kinds.openai import Endpoint, EndpointTeacher, priced
from pipeline.teacher.protocol import Teacher
from pipeline.teacher.redaction import from_environment
from pipeline.teacher.wire import Api, Sampling

_FALLBACK_KEYS = frozenset({"base_url", "model", "api_key_env", "weight"})


def build(
    table: TeacherTable,
    execution: Execution,
    seed: int,
    cache: Path = Path("data/models"),
    tell: Tell = to_stderr,
) -> Teacher:
    """The teacher of a recipe table. seed: the recipe's; cache: folder for models; tell: hears of a model's download.

    Raises RecipeError, MissingKey or MissingExtra; nothing is asked, loaded or downloaded here.
    """
    return _build(table, execution, seed, cache, tell, with_keys=True)


def identity(table: TeacherTable, seed: int) -> dict[str, object]:
    """What changes the answers of `table`'s teacher, for keys; needs no API key."""
    return keyed(table, seed).identity()


def keyed(table: TeacherTable, seed: int) -> Teacher:
    """The teacher of `table`, to tell by `keys` which answers are its; needs no API key and asks nothing."""
    return _build(table, Execution(), seed, Path("data/models"), to_stderr, with_keys=False)


def _build(
    table: TeacherTable, execution: Execution, seed: int, cache: Path, tell: Tell, *, with_keys: bool
) -> Teacher:
    if table.kind == "openai":
        return _endpoints(table, execution, with_keys=with_keys)
    if table.kind == "local":
        return _local(table, execution, seed, cache, tell)
    if table.kind == "composer":
        from pipeline.teacher.composer import Composer
        from pipeline.teacher.kinds.inprocess import ComposerTeacher

        drawn = seed if table.seed is None else table.seed
        repertoire = table.model or "full"
        if repertoire not in ("full", "basic"):
            raise RecipeError(
                f"teacher {table.name!r}: model = {table.model!r}", hint='a composer takes "full" or "basic"'
            )
        return ComposerTeacher(
            table.name, Composer(table.name, drawn, "basic" if repertoire == "basic" else "full"), table.max_tokens
        )
    return _replay(table)


def sampling_of(table: TeacherTable, api: Api = "chat") -> Sampling:
    """The sampling settings of a table."""
    return Sampling(
        temperature=table.temperature,
        top_p=table.top_p,
        max_tokens=table.max_tokens,
        stop=table.stop,
        seed=table.seed,
        extra_body=tuple(sorted(table.extra_body.items())),
        api=api,
    )


def _endpoints(
    table: TeacherTable, execution: Execution, *, with_keys: bool, api: Api = "chat", where: str = ""
) -> EndpointTeacher:
    where = where or f"teacher {table.name!r}"
    headers = checked_headers(table.headers, where)
    if table.extra_body.get("stream"):
        raise RecipeError(f"{where}: extra_body.stream is set, but answers are read whole", hint="leave it out")
    prices = read_prices()
    first: dict[str, object] = {
        "base_url": table.base_url,
        "model": table.model,
        "api_key_env": table.api_key_env,
        "weight": table.weight,
    }
    endpoints = [_endpoint(first, where, prices, with_keys=with_keys)]
    for number, fallback in enumerate(table.fallbacks):
        unknown = sorted(set(fallback) - _FALLBACK_KEYS)
        if unknown:
            raise RecipeError(
                f"{where}: unknown key {unknown[0]!r} in fallbacks[{number}]; known: {sorted(_FALLBACK_KEYS)}"
            )
        merged = {**first, "weight": 1.0, **fallback}
        endpoints.append(_endpoint(merged, f"{where}, fallbacks[{number}]", prices, with_keys=with_keys))
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


def _endpoint(given: Mapping[str, object], where: str, prices: Mapping[str, Price], *, with_keys: bool) -> Endpoint:
    base_url = checked_url(str(given["base_url"]), f"{where}: base_url")
    model, weight = given["model"], given["weight"]
    if not isinstance(model, str) or not model:
        raise RecipeError(f"{where}: model should be the model's name at {base_url}, got {model!r}")
    if not isinstance(weight, int | float) or weight <= 0:
        raise RecipeError(f"{where}: weight should be a number above 0, got {weight!r}")
    variable = str(given["api_key_env"] or "")
    key = from_environment(variable, where) if with_keys else None
    if key is not None and urlsplit(base_url).scheme == "http" and not _is_near(base_url):
        raise RecipeError(
            f"{where}: the key in {variable} would travel unencrypted to {base_url}",
            hint="use https, or leave api_key_env empty",
        )
    return Endpoint(base_url, model, key, float(weight), priced(model, base_url, prices))


def _is_near(base_url: str) -> bool:
    """Whether a host is this machine or in a private network, by its name alone."""
    host = urlsplit(base_url).hostname or ""
    private = ("10.", "192.168.", *(f"172.{n}." for n in range(16, 32)), "127.", "fd", "fe80")
    return (
        host.startswith(private)
        or host in ("localhost", "::1")
        or "." not in host
        or host.endswith((".local", ".internal"))
    )


def _local(table: TeacherTable, execution: Execution, seed: int, cache: Path, tell: Tell) -> Teacher:
    from pipeline.models.loading import model_identity
    from pipeline.models.named import known
    from pipeline.models.specs import file_of
    from pipeline.teacher.kinds.local import LocalTeacher, choose_engine

    model = table.model or "smollm2"
    if table.engine == "llama.cpp" and file_of(model) is None:
        raise RecipeError(
            f'teacher {table.name!r}: engine = "llama.cpp" reads GGUF files, got model = {model!r}',
            hint=f'name a .gguf file, "smollm2" or {" or ".join(known())}, or set engine = "transformers"',
        )
    return LocalTeacher(
        name=table.name,
        model=model,
        weights=model_identity(model),
        sampling=sampling_of(table),
        execution=execution,
        cache=cache,
        tell=tell,
        seed=seed if table.seed is None else table.seed,
        engine=choose_engine(model, execution.device) if table.engine == "auto" else table.engine,
    )


def _replay(table: TeacherTable) -> Teacher:
    from pipeline.teacher.kinds.inprocess import ReplayTeacher
    from pipeline.teacher.recorded import journals, replayed

    place = replayed(table.replay)
    if not table.replay or not place.exists() or not journals(place):
        raise RecipeError(
            f"teacher {table.name!r}: replay should name a journal or a folder with journals, got {table.replay!r}",
            hint="journals are the journal*.jsonl files of an earlier run's completions; recorded:NAME names a shipped "
            "recording",
        )
    return ReplayTeacher(table.name, place, table.max_tokens)


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
    table = TeacherTable(
        name="endpoint",
        kind="openai",
        base_url=base_url,
        model=model,
        api_key_env=api_key_env,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        stop=stop,
        seed=seed,
        extra_body=cast("dict[str, object]", dict(extra_body or {})),
    )
    return _endpoints(table, execution, with_keys=True, api=api, where="the endpoint to evaluate")
