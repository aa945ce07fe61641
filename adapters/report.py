"""The laboratory's report: one HTML file that needs nothing else, for whoever must decide whether to publish a policy.

    from adapters.report import About, outcome_of, written

    written(Path("report.html"), outcome, About(title="a telecom operator", start=date(2026, 1, 1)), language="en")

The same outcome gives the same bytes.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from adapters.report_chapters import chapters
from adapters.report_charts import colour_of, dash_of
from adapters.report_figures import KEY_FIGURES, Change, Comparison
from adapters.report_reading import Reading, isolated, shortened
from adapters.report_words import MONEY, TEMPLATES, Words, chosen_language
from sim.comparison import Interval
from sim.experiment import Experiment, Outcome
from sim.results import Results

_BADGES: Final = {
    "better": "badge_more", "worse": "badge_less", "unsure": "badge_unsure", "same": "badge_same",
    "single_mark": "badge_single", "missing": "badge_missing", "differs": "differs",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an outcome is the outcome of, as far as its tables do not say it. What is not known is left out."""

    title: str
    start: date
    accounts: int | None = None
    replications: int | None = None
    seed: int | None = None
    file: str = ""
    source: str = ""
    currency: str = ""
    minor_units: int = 100
    buckets: tuple[int, int, int] = (30, 60, 90)

    @staticmethod
    def of(experiment: Experiment, file: str = "") -> "About":
        """An experiment, and the name of the file that it came from."""
        scenario = experiment.scenario
        return About(
            title=scenario.name,
            start=date.fromordinal(scenario.start),
            accounts=scenario.accounts,
            replications=experiment.replications,
            seed=experiment.seed,
            file=file,
            source=scenario.source,
            currency=next(iter(experiment.policies.values())).currency,
            minor_units=scenario.minor_units,
            buckets=scenario.buckets,
        )


def outcome_of(results: Results) -> Outcome:
    """The outcome whose tables were kept: the policies in the order of the rows, the first being the base."""
    return Outcome(
        results=results,
        policies=tuple(results.months["policy"].unique(maintain_order=True)),
        replications=results.months["replication"].n_unique(),
    )


def written(path: Path, outcome: Outcome, about: About, language: str | None = None) -> None:
    """Writes the report whole or not at all: a reader of ``path`` never sees a half. Raises OSError."""
    page = html(outcome, about, language).encode()
    target = Path(os.path.realpath(path))  # a link stays a link
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    try:
        draft.write_bytes(page)
        os.replace(draft, target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def html(outcome: Outcome, about: About, language: str | None = None) -> str:
    """The report as a page. ``language``: en or ru; None is the locale's. Raises ValueError for another one."""
    words = Words(language=chosen_language(language), currency=about.currency, minor_units=about.minor_units)
    reading = Reading.of(outcome, words, about.start.toordinal(), about.buckets)
    judged = not reading.figures.is_empty()
    comparisons = [reading.compared(figure) for figure in KEY_FIGURES] if judged else []
    return _template().render(
        t=words.text,
        css=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        language=words.language,
        title=about.title[:1].upper() + about.title[1:],
        facts=list(_facts(reading, about)),
        notices=list(_notices(reading, about)),
        policies=[
            {
                "name": policy,
                "short": shortened(policy),
                "letter": letter,
                "colour": colour_of(index),
                "dash": " ".join(map(str, dash_of(index))),
            }
            for index, (policy, letter) in enumerate(zip(outcome.policies, reading.letters, strict=True))
        ],
        heads=[reading.called(policy) for policy in outcome.policies],
        verdicts=list(_verdicts(reading, comparisons)) if judged else [],
        figures=[_figure_row(reading, comparison) for comparison in comparisons],
        chapters=chapters(reading) if judged else (),
        source=about.source,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html.jinja")


def _facts(reading: Reading, about: About) -> Iterator[tuple[str, str]]:
    """What was compared: a name and a value each."""
    words, results = reading.words, reading.outcome.results
    if about.accounts is not None:
        yield words.text("portfolio"), words.counted("accounts", about.accounts)
    days = words.counted("days", sum(results.month_days))
    horizon = words.text("horizon_text", days=days, start=words.day(reading.start))
    if results.warm_up:
        horizon += f"; {words.text('warm_up', months=words.counted('months', results.warm_up))}"
    yield words.text("horizon"), horizon
    done = words.number(reading.outcome.replications, 0)
    if about.replications is not None and about.replications != reading.outcome.replications:
        done = words.text("replications_of", done=done, asked=words.number(about.replications, 0))
    yield words.text("replications"), done
    if about.seed is not None:
        yield words.text("seed"), str(about.seed)
    if about.currency:
        yield words.text("currency"), about.currency
    if about.file:
        yield words.text("file"), isolated(about.file)


def _notices(reading: Reading, about: About) -> Iterator[tuple[str, str]]:
    """What must be known before anything is believed: a title and a text each."""
    words, outcome = reading.words, reading.outcome
    if outcome.interrupted:
        done = words.counted("replications", outcome.replications)
        asked = "?" if about.replications is None else words.number(about.replications, 0)
        yield words.text("interrupted_title"), words.text("interrupted", done=done, asked=asked)
    if outcome.replications == 1:
        yield words.text("single_title"), words.text("single")
    if reading.figures.is_empty():
        yield words.text("empty_title"), words.text("empty")


def _verdicts(reading: Reading, comparisons: list[Comparison]) -> Iterator[dict[str, Any]]:
    """A verdict for each policy but the first; with one policy alone, what it does."""
    words, net = reading.words, comparisons[0]
    base, *others = reading.policies
    if not others:
        yield {"badge": "", "kind": "alone", "sentence": _value(words, base, net.means[0]), "lists": []}
    for place, (policy, change) in enumerate(zip(others, net.changes, strict=True)):
        mean = net.means[0]
        share = change.difference / abs(mean.mean) if mean is not None and mean.mean else float("nan")
        yield {
            "place": place + 1,
            "kind": change.judgement,
            "badge": words.text(_BADGES[change.judgement]),
            "amount": reading.plain_change(change, MONEY),
            "interval": reading.interval(change.low, change.high, MONEY) if change.has_interval else "",
            "share": ""
            if isnan(share)
            else words.text("of_base", share=words.percent(share, signed=True), base=shortened(base)),
            "sentence": _sentence(words, base, policy, change),
            "lists": [
                (words.text(f"list_{kind}"), kind, changes)
                for kind in ("better", "worse", "differs")
                if (changes := list(_proven(reading, comparisons[1:], place, kind)))
            ],
        }


def _proven(reading: Reading, comparisons: list[Comparison], place: int, kind: str) -> Iterator[str]:
    for comparison in comparisons:
        change = comparison.changes[place]
        if change.judgement == kind:
            name = reading.words.text(f"figures.{comparison.figure.name}")
            yield f"{name}\u00a0{reading.plain_change(change, comparison.figure.unit)}"


def _sentence(words: Words, base: str, other: str, change: Change) -> str:
    """The verdict on net value in one sentence, with its interval."""
    names = {"base": shortened(base), "other": shortened(other)}
    match change.judgement:
        case "missing":
            return words.text("verdict_missing", **names)
        case "same":
            return words.text("verdict_same", **names)
        case "single_mark":
            return words.text("verdict_single", amount=words.money(change.difference, signed=True), **names)
        case "unsure":
            ends = {"low": words.money(change.low, signed=True), "high": words.money(change.high, signed=True)}
            return words.text("verdict_unsure", amount=words.money(change.difference, signed=True), **ends, **names)
        case "better" | "worse" | "differs":
            low, high = sorted((abs(change.low), abs(change.high)))
            key = "verdict_more" if change.difference > 0 else "verdict_less"
            amount = words.money(abs(change.difference))
            return words.text(key, amount=amount, low=words.money(low), high=words.money(high), **names)


def _value(words: Words, base: str, mean: Interval | None) -> str:
    """What one policy alone brings."""
    if mean is None:
        return words.text("missing")
    if isnan(mean.half_width):
        return words.text("verdict_value_single", base=shortened(base), amount=words.money(mean.mean))
    low, high = words.money(mean.low), words.money(mean.high)
    return words.text("verdict_value", base=shortened(base), amount=words.money(mean.mean), low=low, high=high)


def _figure_row(reading: Reading, comparison: Comparison) -> dict[str, Any]:
    """A row of the key figures."""
    words, figure = reading.words, comparison.figure
    mean = comparison.means[0]
    unit = words.symbol if figure.unit == MONEY else ""
    run = reading.outcome.replications
    return {
        "name": words.text(f"figures.{figure.name}"),
        "unit": unit,
        "of": words.text("replications_shared", done=words.number(comparison.replications, 0), all=words.number(run, 0))
        if comparison.replications < run
        else "",
        "base": words.shown(figure.unit, mean.mean if mean is not None else None),
        "base_interval": ""
        if mean is None or isnan(mean.half_width)
        else f"{words.shown(figure.unit, mean.low)} … {words.shown(figure.unit, mean.high)}",
        "changes": [
            {
                "kind": change.judgement,
                "mark": words.text(change.judgement),
                "is_proven": change.is_proven,
                "value": words.shown(figure.unit, change.difference, signed=True),
                "interval": words.range(figure.unit, change.low, change.high) if change.has_interval else "",
            }
            for change in comparison.changes
        ],
    }
