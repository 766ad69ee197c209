"""Several teachers under one cap, at simulated prices: the dear one running dry never holds the cheap ones up."""

import json
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from asking import ask_all, prompt, table
from batch_server import BatchApi
from hypothesis import given, settings
from hypothesis import strategies as st
from server import chat, serving

from pipeline.core.errors import BudgetReached
from pipeline.core.money import Price
from pipeline.teacher import sites
from pipeline.teacher.kinds import openai
from pipeline.teacher.response import Response
from pipeline.teacher.sites import TEMPLATE_TOKENS


@dataclass
class Endpoints:
    """Every endpoint there is: each answers with as many tokens as its model's name says. asked: bodies, by model."""

    asked: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def transport(self, *_: object) -> "Endpoints":
        return self

    async def post(self, path: str, body: bytes) -> Response:
        read = json.loads(body)
        model = read["model"]
        self.asked.setdefault(model, []).append({"size": len(body), **read})
        self.counts[read["messages"][-1]["content"]] += 1
        answer = chat("text", prompt_tokens=len(body) // 4, completion_tokens=int(model.rpartition("-")[2]))
        return Response(200, {}, json.dumps(answer).encode())

    async def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True)
class Priced:
    """A teacher: dollars per million completion tokens, longest answer, how long answers are, a fallback's price."""

    price: int
    most: int
    said: int
    fallback: int

    def settings(self, number: int) -> dict[str, Any]:
        other = [{"base_url": f"http://b{number}/v1", "model": f"b{number}-{self.said}"}] if self.fallback else []
        model = f"a{number}-{self.said}"
        return {"name": f"t{number}", "model": model, "max_tokens": self.most, "fallbacks": tuple(other)}

    def prices(self, number: int) -> dict[str, Price]:
        return {
            f"{letter}{number}-{self.said}": Price(price / 4, price)
            for letter, price in (("a", self.price), ("b", self.fallback))
        }


teachers = st.builds(
    lambda price, most, share, fallback: Priced(price, most, max(1, int(most * share)), fallback),
    st.sampled_from([1, 10, 100, 1000]),
    st.integers(10, 400),
    st.floats(0, 1),
    st.sampled_from([0, 0, 1, 50]),
)


@settings(max_examples=25)
@given(
    priced=st.lists(teachers, min_size=1, max_size=3),
    asked=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 900)), min_size=1, max_size=60),
    cents=st.integers(0, 12),
)
def test_all_that_the_budget_allows_is_asked_and_nothing_twice(
    priced: list[Priced], asked: list[tuple[int, int]], cents: int
) -> None:
    cap = cents / 100
    prices = {name: price for number, one in enumerate(priced) for name, price in one.prices(number).items()}
    tables = [table(f"http://a{n}/v1", **one.settings(n)) for n, one in enumerate(priced)]
    questions = {f"q{n} ".ljust(size, "x"): t % len(priced) for n, (t, size) in enumerate(asked)}
    prompts = [prompt(n, text, asked=f"t{t}") for n, (text, t) in enumerate(questions.items())]
    endpoints = Endpoints()

    def spent() -> float:
        return sum(
            prices[model].usd(body["size"] // 4, int(model.rpartition("-")[2]))
            for model, bodies in endpoints.asked.items()
            for body in bodies
        )

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(sites, "transport", endpoints.transport)
        patch.setattr(openai, "read_prices", lambda: prices)
        for _ in range(2):
            before, said = endpoints.counts.total(), ""
            try:
                ask_all(prompts, Path(folder), tables, {"budget_usd": cap})
            except BudgetReached as error:
                said = str(error)
            left = Counter(t for text, t in questions.items() if not endpoints.counts[text])
            assert bool(said) == bool(left)
            assert ", ".join(f"t{t} {n}" for t, n in sorted(left.items())) in said
            assert spent() <= cap + 1e-9
        # The second call could pay for nothing that the first could not.
        assert endpoints.counts.total() == before
        room = cap - spent()
        for text, t in questions.items():
            if not endpoints.counts[text]:
                for letter in "ab" if priced[t].fallback else "a":
                    # A body has a hundred characters beside its messages, and at least these.
                    size = len(text) + TEMPLATE_TOKENS + 60
                    worst = prices[f"{letter}{t}-{priced[t].said}"].usd(size + 200, priced[t].most)
                    assert worst > room, (text[:10], worst, room)
        kept, dropped = ask_all(prompts, Path(folder), tables, {"budget_usd": 1e6})
    assert len(kept) == len(questions)
    assert not dropped
    assert set(endpoints.counts.values()) == {1}


def test_the_cheap_teacher_goes_on_where_the_dear_one_no_longer_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoints = Endpoints()
    monkeypatch.setattr(sites, "transport", endpoints.transport)
    monkeypatch.setattr(openai, "read_prices", lambda: {"dear-50": Price(0, 1000), "cheap-50": Price(0, 1)})
    tables = [
        table("http://dear/v1", name="dear", model="dear-50", max_tokens=100),
        table("http://cheap/v1", name="cheap", model="cheap-50", max_tokens=100),
    ]
    asked = [prompt(n, asked="dear" if n % 2 else "cheap") for n in range(400)]
    with pytest.raises(BudgetReached) as raised:
        ask_all(asked, tmp_path, tables, {"budget_usd": 0.55})
    # $0.05 an answer, $0.10 at worst: the ninth and tenth fit, and then there is no room for another worst case.
    assert len(endpoints.asked["dear-50"]) in (9, 10)
    assert len(endpoints.asked["cheap-50"]) == 200
    assert f"not asked: dear {200 - len(endpoints.asked['dear-50'])}" in str(raised.value)


def test_a_batch_beside_an_online_teacher_is_sent_though_the_latter_is_too_dear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "read_prices", lambda: {"dear": Price(0, 1000), "cheap": Price(0, 1)})
    with serving() as server:
        server.route = api = BatchApi()
        tables = [
            table(server.url, name="dear", model="dear", max_tokens=100),
            table(server.url, name="cheap", model="cheap", max_tokens=100, mode="batch"),
        ]
        asked = [prompt(n, asked="dear" if n % 2 else "cheap") for n in range(40)]
        with pytest.raises(BudgetReached, match="not asked: dear 20"):
            ask_all(asked, tmp_path, tables, {"budget_usd": 0.05})
    assert len(api.sent) == 20
