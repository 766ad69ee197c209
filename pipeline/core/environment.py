"""The environment variables that Hornbook reads and sets, in one place: `hornbook doctor` and the README list these."""

import os
from dataclasses import dataclass

DATA = "HORNBOOK_DATA"
BENCHMARKS = "HORNBOOK_BENCHMARKS"
PRICES = "HORNBOOK_PRICES"
DEBUG = "HORNBOOK_DEBUG"
SANDBOX_DEBUG = "HORNBOOK_SANDBOX_DEBUG"

DATA_RULE = f"--data, else {DATA}, else data/ of the checkout, or for an installed wheel data/ below the current folder"
"""Where the data folder is. A checkout has one place for what was paid for, wherever its command is called from; a
wheel has no place of its own, so it writes where the user stands."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable. of_others: whether it is another program's, which Hornbook reads or sets."""

    name: str
    meaning: str
    of_others: bool = False


VARIABLES = (
    Variable(DATA, "the data folder, or fsspec URL of the store; beside a URL in --data, the folder of what is local"),
    Variable(
        BENCHMARKS, "a folder of benchmark files (HumanEval.jsonl.gz, mbpp.jsonl, ...) that are used before others"
    ),
    Variable(PRICES, "a TOML file of models' prices, over those of data/prices.toml"),
    Variable(DEBUG, "1 shows the traceback of an internal error on stderr"),
    Variable(SANDBOX_DEBUG, "1 shows what sandbox workers write to stderr"),
    Variable("HF_ENDPOINT", "address of the hub that is asked, and that `export --push` sends to", True),
    Variable("GOMP_SPINCOUNT", "set to 1000 where neither it nor OMP_WAIT_POLICY is set: waiting threads sleep", True),
    Variable("OMP_WAIT_POLICY", "where set, GOMP_SPINCOUNT is left alone", True),
    Variable("HF_HOME", "where the hub's cache is; also HF_HUB_CACHE, HF_DATASETS_CACHE and XDG_CACHE_HOME", True),
    Variable("HF_HUB_OFFLINE", "1 fetches nothing from the hub; doctor sets it for itself", True),
    Variable("WANDB_MODE", "mode of the wandb tracker; offline where not set", True),
    Variable("RAY_USAGE_STATS_ENABLED", "set to 0 where not set: a cluster that Hornbook starts reports nothing", True),
)
"""A recipe's api_key_env names further ones, which hold keys; their values are never shown."""


def listed() -> list[dict[str, str | None]]:
    """Each variable with its meaning and its value, None where it is not set."""
    values = {name: without_secrets(value) for name, value in os.environ.items()}
    return [{"name": one.name, "value": values.get(one.name), "meaning": one.meaning} for one in VARIABLES]


def without_secrets(text: str) -> str:
    """`text`, where it is a URL, without the user and password that it may hold; other text as it is."""
    scheme, separator, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
