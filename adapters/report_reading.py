"""Reading an outcome: its figures, the policies' short names, and differences in words."""

from dataclasses import dataclass, field
from datetime import date
from math import isnan
from typing import Final

import polars as pl

from adapters.report_charts import Artist
from adapters.report_figures import Change, Comparison, KeyFigure, compared, figures_of
from adapters.report_words import MONEY, Words
from sim.experiment import Outcome

NAME_MAX: Final = 48
"""Letters of a policy's name where it is one of many words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An outcome being read: ``start`` is its first day, ``buckets`` the bounds of the classes of age."""

    outcome: Outcome
    words: Words
    start: int
    buckets: tuple[int, int, int]
    figures: pl.DataFrame
    letters: tuple[str, ...]
    artist: Artist = field(repr=False)

    @staticmethod
    def of(outcome: Outcome, words: Words, start: int, buckets: tuple[int, int, int]) -> "Reading":
        """Begins to read."""
        letters = tuple(words.letter(index) for index in range(len(outcome.policies)))
        return Reading(
            outcome=outcome,
            words=words,
            start=start,
            buckets=buckets,
            figures=figures_of(outcome),
            letters=letters,
            artist=Artist(words=words, letters=letters),
        )

    @property
    def policies(self) -> tuple[str, ...]:
        """Their names."""
        return self.outcome.policies

    def letter(self, policy: str) -> str:
        """The short name of a policy."""
        return self.letters[self.policies.index(policy)]

    def called(self, policy: str) -> str:
        """A policy in a table's head: its letter and name."""
        if len(self.policies) == 1:
            return shortened(policy)
        return f"{self.letter(policy)}\u00a0· {shortened(policy)}"

    def compared(self, figure: KeyFigure) -> Comparison:
        """A figure of the whole horizon."""
        return compared(self.figures, figure, self.policies)

    def at(self, day: int) -> str:
        """A day of the experiment, for a chart."""
        return date.fromordinal(self.start + day).isoformat()

    def change(self, change: Change, unit: str) -> str:
        """A difference with its interval."""
        said = self.plain_change(change, unit)
        return f"{said} ({self.interval(change.low, change.high, unit)})" if change.has_interval else said

    def plain_change(self, change: Change, unit: str) -> str:
        """A difference alone."""
        if isnan(change.difference):
            return self.words.text("missing")
        return self.plain(change.difference, unit, signed=True)

    def interval(self, low: float, high: float, unit: str) -> str:
        """From where to where."""
        if unit == MONEY:
            return f"{self.words.money(low, signed=True)} … {self.words.money(high, signed=True)}"
        return self.words.range(unit, low, high)

    def findings(self, figure: KeyFigure) -> tuple[str, ...]:
        """What each policy changes in a figure, in a line."""
        words, found = self.words, self.compared(figure)
        name = words.text(f"figures.{figure.name}")
        name = name[0].upper() + name[1:]
        if len(self.policies) == 1:
            mean = found.means[0]
            value = words.text("missing") if mean is None else self.plain(mean.mean, figure.unit)
            return (words.text("finding_alone", name=name, value=value),)
        return tuple(
            words.text(
                "finding_single" if change.judgement == "single_mark" else "finding",
                name=name,
                other=letter,
                base=self.letters[0],
                change=self.change(change, figure.unit),
            )
            for letter, change in zip(self.letters[1:], found.changes, strict=True)
        )

    def plain(self, value: float, unit: str, signed: bool = False) -> str:
        """A value with its currency."""
        return self.words.money(value, signed) if unit == MONEY else self.words.shown(unit, value, signed)


def isolated(name: str) -> str:
    """A name of somebody else's, which keeps its direction of writing to itself."""
    return f"\u2068{name}\u2069"


def shortened(name: str) -> str:
    """The same of a name that stands in a sentence or a table's head: the page's own head has it in full."""
    return isolated(name if len(name) <= NAME_MAX else f"{name[: NAME_MAX - 1].rstrip()}…")
