"""The report card: what a run came to, in plain text that fits a terminal."""

from pathlib import Path

from pipeline.core.money import dollars
from pipeline.report.scoring import Comparison, ModelScore, format_p
from pipeline.report.summary import StageLine, Summary
from pipeline.run.wanting import to_text
from pipeline.stages.likelihoods.results import difference_text

REASONS = 3
"""Most reasons named on one line of the funnel; the rest is summed."""


def card(summary: Summary) -> str:
    """Funnel, scores with intervals and p, teachers, time, and where the whole report lies; at most about 35 lines."""
    parts = (_head, _funnel, _value, _teachers, _student, _scores, _foot)
    blocks = [part(summary) for part in parts]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def duration(seconds: float) -> str:
    """ "3.2 s", "4 min 05 s" or "2 h 03 min"."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def compact(number: float) -> str:
    """ "812", "34.1k", "1.35M" or "2.40B"."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:,.0f}"


def reasons_text(line: StageLine) -> str:
    """ "timeout 12, test-failed 3, and 4 more": what a stage dropped, most frequent first."""
    ordered = sorted(line.dropped.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{reason} {count:,}" for reason, count in ordered[:REASONS]]
    rest = sum(count for _, count in ordered[REASONS:])
    return ", ".join([*named, *([f"and {rest:,} more"] if rest else [])])


def score_text(score: ModelScore) -> str:
    """ "55.0% [42.0, 67.0]", with what it is of."""
    value, ends = score.overall.value, score.overall.interval
    if value is None or ends is None:
        return f"unscored ({score.overall.problems:,} problems)"
    return f"{value:6.1%} [{ends.low * 100:.1f}, {ends.high * 100:.1f}]"


def _head(summary: Summary) -> list[str]:
    state = "" if summary.state == "done" else f"  ({summary.state})"
    lines = [f"{summary.run}{state}  {duration(summary.seconds)}"]
    if summary.stopped:
        lines.append(f"  stopped in {summary.stopped['stage'] or 'no stage'}: {summary.stopped['message']}")
    return lines


def _funnel(summary: Summary) -> list[str]:
    lines = []
    for line in summary.corpus_lines:
        if line.counted:
            reasons = reasons_text(line)
            dropped = f"  dropped {sum(line.dropped.values()):,}: {reasons}" if reasons else ""
            lines.append(f"  {line.name:<15}{line.kept:>8,}{dropped}")
    lines += [f"  {to_text(one)}" for one in summary.want[-1:]]
    lines += [f"  {one.to_text()}" for one in summary.strength]
    if summary.unexecuted:
        lines.append(f"  ! {unexecuted_text(summary.unexecuted)}")
    return ["Corpus", *lines] if lines else []


def unexecuted_text(count: int) -> str:
    """What is said of passages that were kept unchecked."""
    what = "1 passage was kept of which" if count == 1 else f"{count:,} passages were kept of which"
    return f'{what} no code was executed (validated.unexecuted = "drop" drops them)'


def _value(summary: Summary) -> list[str]:
    facts = summary.value.facts if summary.value else None
    if facts is None or facts.classifier is None:
        return []
    report = facts.classifier
    low, high = report.auc_interval()
    source = f"the model in {facts.reused}" if facts.reused else f"{report.annotated:,} graded documents"
    lines = [
        f"  from {source}: area under the ROC {report.auc:.2f} [{low:.2f}, {high:.2f}], kept from {facts.limit:.2f}"
    ]
    return ["Educational value", *lines, *(f"  ! {warning}" for warning in facts.warnings or ())]


def _teachers(summary: Summary) -> list[str]:
    lines = []
    for teacher in summary.teachers:
        asked = f"{teacher.completions:>6,} answers" if teacher.kind != "source" else f"{'':>6}        "
        solved = f"  {teacher.solutions:,} solutions" if teacher.solutions else ""
        worded = f"  {teacher.rewordings:,} of other words" if teacher.rewordings else ""
        judged = f"  {teacher.annotations:,} as judge" if teacher.annotations else ""
        paid = f"  {compact(teacher.tokens)} tokens, {dollars(teacher.usd)}" if teacher.tokens or teacher.usd else ""
        what = teacher.model or teacher.kind if teacher.has_model else "no model in it"
        kept = f"{teacher.kept:>7,} kept" if summary.parsed else ""
        lines.append(f"  {teacher.name:<15}{asked}{kept}{solved}{worded}{judged}{paid}  ({what})")
        lines += [f"  {'':<15}{remark}" for remark in teacher.remarks]
        if teacher.told_earlier:
            cost = f", which paid {dollars(teacher.earlier_usd)} for them" if teacher.earlier_usd else ""
            answers = teacher.completions + teacher.solutions + teacher.rewordings + teacher.annotations
            which = "all" if teacher.earlier >= answers else f"{teacher.earlier:,}"
            lines.append(f"  {'':<15}{which} of them reused from earlier runs{cost}")
    return ["Teachers", *lines] if lines else []


def _student(summary: Summary) -> list[str]:
    facts = summary.student
    parts = []
    if facts.parameters:
        parts.append(f"{compact(facts.parameters)} parameters")
    if read := facts.tokens or summary.tokens.tokens:
        parts.append(f"{compact(read)} training tokens")
    if facts.steps:
        parts.append(f"{facts.steps:,} steps")
    if held_out := facts.held_out_text():
        parts.append(held_out)
    if facts.seconds:
        parts.append(duration(facts.seconds))
    kinds = [f"  {told}" for told in [facts.kinds_text()] if told]
    return ["Student", f"  {', '.join(parts)}", *kinds] if parts else []


def _scores(summary: Summary) -> list[str]:
    lines = []
    for benchmark in dict.fromkeys(score.benchmark for score in summary.scores):
        models = [score for score in summary.scores if score.benchmark == benchmark]
        first = models[0].overall
        whole = models[0].total
        size = f"{first.problems:,}" if whole in (None, first.problems) else f"{first.problems:,} of {whole:,}: partial"
        lines.append(f"  {benchmark} ({size})")
        lines += [f"    {score.model:<26}{_solved(score)}" for score in models]
        lines += _groups(models)
        lines += _unlike(models)
        lines += [f"    {_claim(c)}" for c in summary.comparisons if c.benchmark == benchmark]
        lines += _surprise(summary, benchmark)
    title = "Scores, pass@1 with 95% intervals" if lines else "Scores"
    for benchmark, problems in summary.measured_alone.items():
        lines += [f"  {benchmark} ({problems:,})", *_surprise(summary, benchmark)]
    return [title, *lines] if lines else []


def _solved(score: ModelScore) -> str:
    overall = score.overall
    unscored = overall.problems - overall.scored
    note = f"  {unscored:,} unscored" if unscored and overall.scored else ""
    solved = f"{overall.passed:>6.4g} solved  " if overall.scored else ""
    return f"{solved}{score_text(score)}{note}"


def _groups(models: list[ModelScore]) -> list[str]:
    """One line a group, each model's rate after the other's: "new wordings   0.0% -> 60.0%"."""
    lines = []
    for name, group in models[0].groups.items():
        rates = [model.groups[name].value if name in model.groups else None for model in models]
        texts = ["unscored" if value is None else f"{value:.1%}" for value in rates]
        lines.append(f"      {name + ' (' + format(group.problems, ',') + ')':<26}{' -> '.join(texts)}")
    return lines


def _unlike(models: list[ModelScore]) -> list[str]:
    """The rates on problems that the corpus has nothing like, at the least tau at which it has something like any."""
    places = [place for place, split in enumerate(models[0].splits) if split.similar.problems]
    if not places:
        return []
    splits = [model.splits[places[-1]] for model in models if model.splits]
    texts = ["unscored" if s.others.value is None else f"{s.others.value:.1%}" for s in splits]
    name = f"unlike the corpus, tau {splits[0].tau} ({splits[0].others.problems:,})"
    return [f"      {name:<38}{' -> '.join(texts)}"]


def _claim(comparison: Comparison) -> str:
    test = comparison.test
    change = f"+{test.gained} -{test.lost}" if comparison.difference is None else comparison.changes()
    claim = "no claim" if comparison.claim == "none" else f"a {comparison.claim}"
    return f"{change}, {comparison.test_name()}: {claim}"


def _surprise(summary: Summary, benchmark: str) -> list[str]:
    """How much the reference solutions surprise the models, where that was measured."""
    measured = [one for one in summary.likelihoods if one.benchmark == benchmark]
    if not measured:
        return []
    lines = [f"    reference solutions: {' -> '.join(f'{one.value:.3f}' for one in measured)} bits per byte"]
    for change in summary.likelihood_comparisons:
        if change.benchmark == benchmark:
            claim = "no claim" if change.claim == "none" else change.claim
            text = difference_text(change.difference.value, change.difference.interval)
            lines.append(f"    {text}, paired bootstrap p {format_p(change.difference.p)}: {claim}")
    return lines


def _foot(summary: Summary) -> list[str]:
    lines = []
    if summary.usd or summary.earlier_usd:
        each = summary.cost()["usd_per_kept_document"]
        lines.append(f"Cost    {dollars(summary.usd)}" + (f", {dollars(each)} a kept document" if each else ""))
    slowest = sorted(summary.funnel, key=lambda line: -line.seconds)[:3]
    times = ", ".join(f"{line.name} {duration(line.seconds)}" for line in slowest if line.seconds >= 0.05)
    if times:
        lines.append(f"Time    {times}")
    lines += [f"Corpus  {summary.corpus_at}"] if summary.corpus_at else []
    lines += [f"Model   {summary.model_at}"] if summary.model_at else []
    lines.append(f"Report  {Path(summary.folder) / 'report.html'}")
    score = next((answer for shown in summary.samples for answer in shown.answers if answer.model == "after"), None)
    if score:
        lines.append(f"Trace   hornbook trace {summary.run} {score.score_id[:12]}")
    return lines
