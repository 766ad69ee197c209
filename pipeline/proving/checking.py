"""`hornbook domain check`: what a folder claims, executed.

Templates are rendered with real seeds, axes tried in every combination, gold items and reference solutions have to pass
the domain's checker, wrong twins must fail it, and no problem may be an example or a task.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from pipeline import checkers
from pipeline.checkers.protocol import Item, Means, Ruling
from pipeline.core.errors import HornbookError, InputError
from pipeline.core.money import Price, dollars, price_of, read_prices, token_estimate
from pipeline.core.records import DocumentKind, Prompt
from pipeline.core.stage import Kept
from pipeline.core.template import load as load_template
from pipeline.core.words import split
from pipeline.domains.domain import Axis, Domain, Given
from pipeline.domains.items import item_of, terms_of
from pipeline.recipe_seeds import SeedsTable
from pipeline.recipe_teachers import ReplayTable
from pipeline.run.requests import ANSWER_TOKENS
from pipeline.stages.prompts.stage import Render, with_task
from pipeline.stages.seeds.sampling import draw

SEEDS = 500
"""Most seeds of a kind that are rendered; a topic, a value and a word that come later are not seen."""
STATES = 100_000
"""Most combinations of a topic's restricted axes that are tried."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Prompts of one template. tokens: mean of a prompt, by its length. answer: of a typical answer."""

    template: str
    prompts: int
    tokens: float
    answer: int

    def usd(self, price: Price) -> float:
        """Dollars of 1,000 answers."""
        return price.usd(round(1000 * self.tokens), 1000 * self.answer)


@dataclass(frozen=True, slots=True)
class Checked:
    """What `domain check` found. counts: of what the folder holds. cpu_ms: mean of one check. faults: one line each."""

    domain: str
    folder: str
    counts: Mapping[str, int]
    axes: Mapping[str, int]
    rendered: tuple[Rendered, ...]
    checks: int
    cpu_ms: float
    faults: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """`usd_per_1000`: of answers to each template, by model of the price list."""
        prices = read_prices()
        told = [
            {**asdict(one), "usd_per_1000": {model: one.usd(price) for model, price in sorted(prices.items())}}
            for one in self.rendered
        ]
        return {**asdict(self), "rendered": told, "passed": not self.faults}

    def to_text(self, teacher: str = "") -> str:
        axes = ", ".join(f"{name} {size}" for name, size in self.axes.items())
        lines = [
            f"domain {self.domain} ({self.folder})",
            "  " + ", ".join(f"{count:,} {name}" for name, count in self.counts.items()),
            f"  axes: {axes or 'none'}",
            f"  {self.checks} checks executed, {self.cpu_ms:.0f} CPU ms each",
        ]
        for one in self.rendered:
            lines.append(
                f"  {one.template}: {one.prompts:,} prompts of ~{one.tokens:,.0f} tokens; "
                f"1,000 answers of ~{one.answer} tokens cost {_costs(one, teacher)}"
            )
        lines += [f"  - {fault}" for fault in self.faults]
        count = len(self.faults)
        lines.append("all of it holds" if not count else f"{count} fault{'s' if count != 1 else ''}")
        return "\n".join(lines)


def _costs(one: Rendered, teacher: str) -> str:
    prices = read_prices()
    if teacher:
        price = price_of(teacher, prices)
        return f"{dollars(one.usd(price))} ({teacher})" if price.known else f"an unknown price ({teacher})"
    each = sorted((one.usd(price), model) for model, price in prices.items())
    return f"{dollars(each[0][0])} ({each[0][1]}) to {dollars(each[-1][0])} ({each[-1][1]})"


def check(domain: Domain, means: Means) -> Checked:
    """Execute what the folder claims. Raises SandboxUnavailable where nothing can be executed."""
    faults = list(_incomplete(domain))
    rendered = tuple(_renders(domain, faults))
    faults += _shared(domain)
    spent, found = _judged(domain, means)
    faults += found
    counts = {
        "topics": len(domain.topics),
        "names": sum(map(len, domain.names.values())),
        "words": len(domain.words),
        "examples": len(domain.examples),
        "wrong twins": sum(len(gold.wrong) for gold in domain.examples),
        "problems": len(domain.problems),
        "tasks": len(domain.tasks),
    }
    return Checked(
        domain=domain.name,
        folder=str(domain.folder),
        counts={name: count for name, count in counts.items() if count},
        axes={axis.name: len(axis.values) for axis in domain.axes},
        rendered=rendered,
        checks=len(spent),
        cpu_ms=round(1000 * sum(spent) / max(1, len(spent)), 1),
        faults=tuple(faults),
    )


def _renders(domain: Domain, faults: list[str]) -> Iterator[Rendered]:
    teacher = ReplayTable(name="check")
    for kind, key in (("textbook", "passage"), ("exercise", "exercise"), ("exercise", "calls")):
        render = Render(domain, frozenset({teacher.name} if key == "calls" else ()))
        if key not in domain.templates:
            continue
        prompts: list[Prompt] = []
        try:
            for words in (2, 0):
                count = min(SEEDS, 2 * len(domain.topics))
                table = SeedsTable.model_validate({f"{kind}s": count, "words": words})
                prompts += [o.record for o in render(draw(domain, table, [teacher], 0)) if isinstance(o, Kept)]
        except HornbookError as error:
            faults.append(error.message)
        if prompts:
            yield _measured(domain.templates[key], prompts, ANSWER_TOKENS[kind])
    if "complete" in domain.templates:
        try:
            yield _measured(domain.templates["complete"], [with_task(domain)], ANSWER_TOKENS["exercise"] // 2)
        except HornbookError as error:
            faults.append(error.message)
    for key in ("value", "reword"):
        if key in domain.templates:
            template = load_template(domain.template(key), domain.variables)
            try:
                template.messages(**template.sample)
            except InputError as error:
                faults.append(error.message)


def _measured(template: str, prompts: Sequence[Prompt], answer: int) -> Rendered:
    tokens = sum(token_estimate(prompt.messages) for prompt in prompts) / len(prompts)
    return Rendered(template, len(prompts), round(tokens, 1), answer)


def _incomplete(domain: Domain) -> Iterator[str]:
    """Combinations of a topic and values that leave an axis without one: the first of each axis and kind."""
    named = {other for axis in domain.axes for value in axis.values for other in value.only}
    axes = [axis for axis in domain.axes if axis.name in named or any(value.only for value in axis.values)]
    kinds: tuple[DocumentKind, ...] = ("textbook", "exercise")
    told: set[tuple[str, DocumentKind]] = set()
    for kind in kinds:
        for topic in domain.topics:
            for axis, chosen in islice(_stuck(axes, kind, topic, {}), STATES):
                if (axis, kind) not in told:
                    told.add((axis, kind))
                    met = ", ".join([f"topic '{topic}'", *(f"{other} '{key}'" for other, key in chosen.items())])
                    yield f"{domain.folder / 'axes.toml'}: axis '{axis}' has no value for {met} ({kind})"


def _stuck(
    axes: Sequence[Axis], kind: DocumentKind, topic: str, chosen: dict[str, str]
) -> Iterator[tuple[str, dict[str, str]]]:
    if not axes:
        return
    axis, rest = axes[0], axes[1:]
    values = axis.of(kind)
    suiting = [key for key, value in values.items() if value.suits(topic, chosen)]
    if values and not suiting:
        yield axis.name, dict(chosen)
    for key in suiting or ([] if values else [""]):
        yield from _stuck(rest, kind, topic, {**chosen, axis.name: key} if key else chosen)


def _shared(domain: Domain) -> Iterator[str]:
    """Problems whose prompt is that of an example or a task, by its words."""
    seen = {_words(problem): problem for problem in domain.problems}
    for given in (*(gold.item for gold in domain.examples), *domain.tasks):
        problem = seen.get(_words(given))
        if problem is not None:
            yield f"{given.place}: asks what problem '{problem.id}' asks ({problem.place}); keep them apart"


def _words(given: Given) -> str:
    return " ".join(split(given.prompt, fold=True))


def _judged(domain: Domain, means: Means) -> tuple[list[float], list[str]]:
    """CPU seconds of each check, and what came out otherwise than the folder says."""
    right = [
        *(gold.item for gold in domain.examples),
        *domain.problems,
        *(task for task in domain.tasks if task.solution),
    ]
    items = [item_of(given, given.solution, domain) for given in right]
    wrong = [(twin, item_of(gold.item, twin.solution, domain)) for gold in domain.examples for twin in gold.wrong]
    rulings = _rulings(domain, [*items, *(item for _, item in wrong)], means)
    faults = []
    for given, ruling in zip(right, rulings, strict=False):
        if not ruling.passed:
            faults.append(f"{given.place}: the solution does not pass: {_said(ruling)}")
    for (twin, _), ruling in zip(wrong, rulings[len(items) :], strict=True):
        if ruling.passed:
            faults.append(f"{twin.place} ({twin.why}): the check lets it pass; make the check see the difference")
        elif ruling.passed is None:
            faults.append(f"{twin.place} ({twin.why}): nothing is known of it: {_said(ruling)}")
    return [ruling.cpu_seconds for ruling in rulings], faults


def _rulings(domain: Domain, items: Sequence[Item], means: Means) -> list[Ruling]:
    with checkers.named(domain.checker).make(terms_of(domain), means) as checker:
        return list(checker.rule(items))


def _said(ruling: Ruling) -> str:
    return f"{ruling.reason}: {ruling.detail}" if ruling.reason else ruling.detail
