"""report.html: one file that opens anywhere, without scripts and without anything to fetch.

What is on the page is in `page.html` and how it looks in `page.css`; here are only the words and numbers that they
need. Everything that a model wrote is escaped by the template engine, and code is coloured by Pygments, which escapes
what it is given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer, SqlLexer, TextLexer

from pipeline import walk
from pipeline.core.money import dollars
from pipeline.report import plots, samples, scoring
from pipeline.report.card import compact, duration, unexecuted_text
from pipeline.report.corpus import Diversity, text_of
from pipeline.report.summary import StageLine, Summary
from pipeline.run import wanting
from pipeline.stages.likelihoods.results import Change, Surprise, difference_text
from pipeline.stages.quality.facts import QualityFacts
from pipeline.stages.scores.estimates import Estimate

MOST_LINES = 60
MOST_CHARACTERS = 4_000
"""A longer text on the page is cut after this much, and says by how much."""

LEXERS = {"python": PythonLexer, "sql": SqlLexer}
"""Of the languages that are coloured."""

BENCHMARKS = {"humaneval": "HumanEval", "humaneval+": "HumanEval+", "mbpp": "MBPP", "mbpp+": "MBPP+"}
"""How the benchmarks write themselves."""

CHANGES = {
    "gained": "learned: failed before, passes after",
    "lost": "lost: passed before, fails after",
    "solved": "solved",
    "failed": "not solved",
    "unscored": "could not be scored",
}


class _Facts(dict[str, Any]):
    """Facts of a stage, in which what the stage did not say is None; any other unknown name on the page is an error."""

    def __missing__(self, key: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a score chart: the same problems, before and after. Either may be missing."""

    name: str
    problems: int
    before: Estimate | None
    after: Estimate | None


@dataclass(frozen=True, slots=True)
class Board:
    """One benchmark: its chart's rows (the whole first, then groups) and what may be said of it; neither models nor
    rows where no answer was asked for.

    likelihoods, change: of its reference solutions, where they were measured.
    """

    name: str
    models: tuple[scoring.ModelScore, ...]
    rows: tuple[Row, ...]
    comparison: scoring.Comparison | None
    likelihoods: tuple[Surprise, ...] = ()
    change: Change | None = None

    @property
    def first(self) -> scoring.ModelScore:
        """The score shown first: before, where there is one."""
        return self.models[0]

    @property
    def last(self) -> scoring.ModelScore:
        """The score that the headline is about."""
        return self.models[-1]


def render(summary: Summary) -> str:
    """The whole page."""
    return template("page.html").render(
        s=summary,
        student=summary.student,
        tokens=summary.tokens,
        provenance=_Facts(summary.provenance),
        sampling=summary.sampling,
        benchmarks=[_Facts(benchmark) for benchmark in summary.benchmarks],
        css=css(),
        boards=boards(summary),
        lede=lede(summary),
        chart=plots.loss_chart(summary.curve),
        chart_width=plots.WIDTH,
        chart_height=plots.HEIGHT,
        widest=max((max(line.entered, line.kept) for line in summary.corpus_lines), default=1) or 1,
        drops_by_stage=_drops_by_stage(summary),
        samples_by_benchmark=_by_benchmark(summary.samples),
        unreached=[line.name for line in summary.funnel if not line.counted and not line.seconds],
        last_counted=next((line.name for line in reversed(summary.corpus_lines) if line.counted), "STAGE"),
        slowest=max((line.seconds for line in summary.funnel), default=0.0) or 1.0,
        wanted=[wanting.to_text(one) for one in summary.want],
        scarce=wanting.scarce(summary.want[-1]) if summary.want else "",
        unexecuted=unexecuted_text(summary.unexecuted) if summary.unexecuted else "",
        stages={step.name: step.caption for step in walk.WALK},
        changes=CHANGES,
        difference_text=difference_text,
        corpus_text=corpus_text,
        format_p=scoring.format_p,
        value=summary.value.facts if summary.value else QualityFacts(),
        **_value_charts(summary),
    )


def _value_charts(summary: Summary) -> dict[str, Any]:
    """What is drawn of the classifier: its ROC curve, the judge's grades, the predicted values; empty without one."""
    facts = summary.value.facts if summary.value else None
    if facts is None or facts.classifier is None:
        return {"roc": "", "grade_bars": (), "value_bars": (), "auc_interval": None}
    return {
        "roc": plots.roc_path(facts.classifier.roc),
        "grade_bars": plots.grade_bars(facts.classifier.grades, facts.classifier.threshold),
        "value_bars": plots.value_bars(facts.values or (), facts.limit or 0.0),
        "auc_interval": facts.classifier.auc_interval(),
    }


def boards(summary: Summary) -> list[Board]:
    """One board a benchmark, in the order of the scores; then those of which the likelihood alone was measured."""
    found = []
    for name in dict.fromkeys(score.benchmark for score in summary.scores):
        models = tuple(score for score in summary.scores if score.benchmark == name)
        before = next((score for score in models if score.model == "before"), None)
        after = next((score for score in models if score.model != "before"), None)
        whole = (after or models[0]).overall
        rows = [
            Row("all problems", whole.problems, before.overall if before else None, after.overall if after else None)
        ]
        for group, part in (after or models[0]).groups.items():
            either = [score.groups.get(group) if score else None for score in (before, after)]
            rows.append(Row(group, part.problems, *either))
        comparison = next((c for c in summary.comparisons if c.benchmark == name), None)
        found.append(Board(name, models, tuple(rows), comparison, *_likely(summary, name)))
    return found + [Board(name, (), (), None, *_likely(summary, name)) for name in summary.measured_alone]


def _likely(summary: Summary, name: str) -> tuple[tuple[Surprise, ...], Change | None]:
    """What the reference solutions of a benchmark cost, and by how much that changed."""
    change = next((one for one in summary.likelihood_comparisons if one.benchmark == name), None)
    return tuple(one for one in summary.likelihoods if one.benchmark == name), change


def lede(summary: Summary) -> list[str]:
    """What the run did, in one or two sentences of plain words."""
    sentences = []
    writers = [teacher for teacher in summary.teachers if teacher.completions]
    final = summary.line("decontaminated")
    if writers:
        answers = sum(teacher.completions for teacher in writers)
        asked = " and ".join(f"{teacher.name} ({teacher.completions:,})" for teacher in writers)
        sentences.append(f"{answers:,} answers came from {asked}.")
    if final and final.counted:
        packed = f" ({compact(summary.tokens.tokens)} tokens)" if summary.tokens.tokens else ""
        sentences.append(f"After cleaning, {final.kept:,} documents{packed} were left to learn from.")
    student = summary.student
    if student.parameters:
        steps = f" in {student.steps:,} steps" if student.steps else ""
        sentences.append(f"A student of {compact(student.parameters)} parameters read them{steps}.")
    if summary.state != "done" and not summary.stopped:
        sentences.append(f"The run is not complete: its state is “{summary.state}”.")
    return sentences


def corpus_text(found: Diversity) -> str:
    """What the corpus is made of, and how varied it is; of what its domain has not, nothing."""
    parts = [f"{found.exercises:,} exercises and {found.passages:,} passages"]
    if found.topics:
        parts.append(f"{found.topics:,} topics, as varied as {found.effective_topics or 0:,.0f} equally frequent ones")
    if found.audiences:
        parts.append(f"{found.audiences:,} audiences")
    if found.function_names:
        parts.append(f"{found.function_names:,} function names")
    if found.distinct_4grams is not None:
        parts.append(f"{percent(found.distinct_4grams)} of its word 4-grams are distinct")
    if found.compression is not None:
        parts.append(f"zlib makes the text {found.compression:.1f} times smaller")
    of = f" (the last two on {found.sampled:,} documents drawn by id)" if found.sampled < found.documents else ""
    return "; ".join(parts) + of


def _drops_by_stage(summary: Summary) -> list[tuple[StageLine, list[Any]]]:
    lines = {line.name: line for line in summary.funnel}
    return [
        (lines[name], [drop for drop in summary.drops if drop.stage == name])
        for name in walk.corpus()
        if any(drop.stage == name for drop in summary.drops)
    ]


def _by_benchmark(shown: Sequence[samples.Shown]) -> list[tuple[str, list[samples.Shown]]]:
    names = dict.fromkeys(entry.benchmark for entry in shown)
    return [(name, [entry for entry in shown if entry.benchmark == name]) for name in names]


def visible(text: str) -> str:
    """`text` with control characters as their pictures (U+2400 and on), so that a page never hides one."""
    return "".join(
        chr(0x2400 + ord(c)) if c < " " and c not in "\n\t" else "\ufffd" if "\ud800" <= c <= "\udfff" else c
        for c in text
    )


def shortened(text: str) -> str:
    """`text` cut to what a page can bear, with a last line that says what was cut."""
    lines = text.strip("\n").splitlines()
    kept = "\n".join(lines[:MOST_LINES])
    if len(kept) > MOST_CHARACTERS:
        return f"{kept[:MOST_CHARACTERS]}\n… {len(text) - MOST_CHARACTERS:,} more characters"
    return kept + (f"\n… {len(lines) - MOST_LINES:,} more lines" if len(lines) > MOST_LINES else "")


def code(text: str, language: str = "python") -> Markup:
    """Text of a language, coloured where it is Python or SQL. One that is not of its language is shown all the same."""
    lexer = LEXERS.get(language, TextLexer)(stripnl=False)
    coloured = highlight(visible(shortened(text)), lexer, HtmlFormatter(nowrap=True))
    return Markup(coloured.rstrip("\n"))


def prose(text: str) -> str:
    """Markdown or a chat, as it is."""
    return visible(shortened(text))


def ticks(text: str) -> Markup:
    """A message with what stands between backticks set as code."""
    parts = visible(text).split("`")
    if len(parts) % 2 == 0:
        return Markup("{}").format(visible(text))
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else p for i, p in enumerate(parts))


def percent(value: float | None) -> str:
    """ "55.0%", or a dash where nothing was scored."""
    return "–" if value is None else f"{value:.1%}"


def interval(rate: Estimate) -> str:
    """ "42.0 – 67.0"."""
    return "" if rate.interval is None else f"{rate.interval.low * 100:.1f} – {rate.interval.high * 100:.1f}"


def _plain(value: Any) -> str:
    """A fact for a person: numbers with separators, tables as "key value" pairs."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(entry)}" for key, entry in value.items())
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _resource(name: str) -> str:
    return (resources.files("pipeline.report") / name).read_text(encoding="utf-8")


def css() -> Markup:
    """How all pages look."""
    return Markup(_resource("page.css"))


@cache
def template(name: str) -> Template:
    """A page of this folder, with all filters that pages use; text is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "code": code,
        "prose": prose,
        "visible": visible,
        "percent": percent,
        "interval": interval,
        "duration": duration,
        "dollars": dollars,
        "compact": compact,
        "plain": _plain,
        "p": scoring.format_p,
        "benchmark": lambda name: BENCHMARKS.get(name, name),
        "text_of": text_of,
        "ticks": ticks,
    }
    return environment.from_string(_resource(name))
