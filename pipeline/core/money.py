"""What answers cost: prices, the estimate before a run, and hard caps that count what is in flight.

Prices are US dollars per million tokens in `data/prices.toml`, each table dated. `HORNBOOK_PRICES` names a file of
the same form whose models win over the shipped ones.
"""

import math
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.core import environment
from pipeline.core.errors import BudgetReached, RecipeError
from pipeline.core.records import Message
from pipeline.core.resources import shipped

OVERRIDE = environment.PRICES
CHARACTERS_PER_TOKEN = 4.0
"""Rule of thumb for English and Python in estimates (OpenAI's help pages give the same); never used for a cap."""
MESSAGE_TOKENS = 4
"""Tokens that chat templates put around one message."""


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens. batch: factor of the Batch API. known: False where no list has the model."""

    prompt: float = 0.0
    completion: float = 0.0
    batch: float = 1.0
    known: bool = True

    def usd(self, prompt_tokens: int, completion_tokens: int, *, batch: bool = False) -> float:
        """Dollars of one answer, rounded to a billionth so that sums print well."""
        cost = (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6
        return round(cost * (self.batch if batch else 1.0), 9)


UNKNOWN = Price(known=False)
"""The price of a model that is on no list."""


def read_prices() -> dict[str, Price]:
    """Prices by model name: the shipped list, then the file named by HORNBOOK_PRICES over it."""
    prices = _read(shipped("prices.toml"))
    override = os.environ.get(OVERRIDE, "")
    if override:
        prices.update(_read(Path(override)))
    return prices


def _read(path: Path) -> dict[str, Price]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"price list {path}: {error}", hint="see data/prices.toml for the form") from None
    prices = {}
    for model, table in tables.get("models", {}).items():
        try:
            price = Price(float(table["prompt"]), float(table["completion"]), float(table.get("batch", 1.0)))
        except (KeyError, TypeError, ValueError):
            price = Price(-1)
        if min(price.prompt, price.completion, price.batch) < 0:
            raise RecipeError(
                f"price list {path}: models.{model!r} should have prompt and completion, dollars per million tokens, "
                f"both at least 0, got {table}"
            )
        prices[model] = price
    return prices


def price_of(model: str, prices: Mapping[str, Price]) -> Price:
    """Price of a model: its own entry, or that of its name without vendor and date ("openai/gpt-4o-2024-08-06").

    Only dates and "latest" are taken off: "gpt-4o-audio" is another model than "gpt-4o" and has another price.
    """
    for name in (model, model.rpartition("/")[2]):
        while name:
            if name in prices:
                return prices[name]
            name, _, last = name.rpartition("-")
            if not last.isdigit() and last != "latest":
                break
    return UNKNOWN


def token_estimate(messages: Iterable[Message]) -> int:
    """Tokens of a prompt by its length, characters / 4, with no tokenizer."""
    return sum(MESSAGE_TOKENS + math.ceil(len(message.content) / CHARACTERS_PER_TOKEN) for message in messages)


@dataclass(frozen=True, slots=True)
class Reservation:
    """The most that one request in flight can cost."""

    tokens: int
    usd: float


class Ledger:
    """Spend of one run under its caps.

    A request starts only if what is spent, what is reserved for requests in flight and its own worst case stay within
    the caps, so no cap is ever passed. May be shared by the stages of a run.
    """

    def __init__(self, budget_usd: float | None = None, budget_tokens: int | None = None) -> None:
        self.budget_usd = budget_usd
        self.budget_tokens = budget_tokens
        self.usd = 0.0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.suspected_usd = 0.0
        self.suspected_tokens = 0
        self._reserved_usd = 0.0
        self._reserved_tokens = 0

    @property
    def tokens(self) -> int:
        """Tokens of all answers, prompts included."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def capped(self) -> bool:
        """Whether there is any cap."""
        return self.budget_usd is not None or self.budget_tokens is not None

    def reserve(self, prompt_tokens: int, max_tokens: int, price: Price, *, batch: bool = False) -> Reservation | None:
        """Set the worst case of a request aside; None if that could pass a cap (now, or for good: `beyond`)."""
        worst = Reservation(prompt_tokens + max_tokens, price.usd(prompt_tokens, max_tokens, batch=batch))
        if not self._fits(worst.tokens + self._reserved_tokens, worst.usd + self._reserved_usd):
            return None
        self._reserved_tokens += worst.tokens
        self._reserved_usd += worst.usd
        return worst

    def beyond(self, prompt_tokens: int, max_tokens: int, price: Price, *, batch: bool = False) -> bool:
        """Whether a request can never be started under the caps, whatever those in flight turn out to cost."""
        return self.capped and not self._fits(
            prompt_tokens + max_tokens, price.usd(prompt_tokens, max_tokens, batch=batch)
        )

    def _fits(self, tokens: int, usd: float) -> bool:
        """Whether so much beside what is spent stays within the caps."""
        tokens += self.tokens + self.suspected_tokens
        usd += self.usd + self.suspected_usd
        return (self.budget_tokens is None or tokens <= self.budget_tokens) and (
            self.budget_usd is None or usd <= self.budget_usd * (1 + 1e-12)
        )

    def release(self, reservation: Reservation, *, maybe_billed: bool = False) -> None:
        """End a request without an answer. maybe_billed: it may have been served, so its worst case stays counted."""
        self._reserved_tokens -= reservation.tokens
        # With nothing in flight, nothing is reserved: not even what rounding has left.
        self._reserved_usd = self._reserved_usd - reservation.usd if self._reserved_tokens else 0.0
        if maybe_billed:
            self.suspected_tokens += reservation.tokens
            self.suspected_usd += reservation.usd

    def charge(self, prompt_tokens: int, completion_tokens: int, usd: float) -> None:
        """Count an answer."""
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        self.usd += usd

    def reached(self, unasked: Mapping[str, int]) -> BudgetReached:
        """The error of a run whose next request would not fit. unasked: questions seen that do not, by teacher."""
        caps = []
        if self.budget_usd is not None:
            caps.append(f"${self.usd + self.suspected_usd:.4f} of budget_usd = {self.budget_usd:g}")
        if self.budget_tokens is not None:
            caps.append(f"{self.tokens + self.suspected_tokens} of budget_tokens = {self.budget_tokens}")
        others = ", ".join(f"{name} {count:,}" for name, count in sorted(unasked.items()))
        return BudgetReached(
            f"the budget is reached: spent {', '.join(caps)}, and the next request might pass it (not asked: {others})",
            hint="raise execution.budget_usd or execution.budget_tokens and run again: what was paid for is kept",
        )


def require_price(model: str, base_url: str, price: Price, budget_usd: float | None) -> None:
    """Raises RecipeError if a cap in dollars is set for a model without a price: such a cap could not hold."""
    if budget_usd is not None and not price.known:
        raise RecipeError(
            f"execution.budget_usd = {budget_usd:g} cannot be kept: no price is known for {model!r} at {base_url}",
            hint=f"write its price (0 for a server of your own) as in data/prices.toml and set {OVERRIDE} to that file",
        )


def hours_text(hours: float, what: str) -> str:
    """ "1,234 GPU h", "3.4 CPU h", "12 CPU min" below an hour, "40 CPU s" below two minutes."""
    seconds = hours * 3600
    if hours >= 1:
        return f"{hours:,.0f} {what} h" if hours >= 100 else f"{hours:,.1f} {what} h"
    if seconds >= 120:
        return f"{seconds / 60:.0f} {what} min"
    return f"{seconds:.0f} {what} s" if seconds >= 1 or not hours else f"under 1 {what} s"


def dollars(usd: float) -> str:
    """ "$12.50"; below ten cents with two significant digits, "$0.000042"."""
    if usd == 0 or usd >= 0.1:
        return f"${usd:,.2f}"
    return f"${usd:.{1 - math.floor(math.log10(usd))}f}"
