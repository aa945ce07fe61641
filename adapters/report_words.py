"""The report's words: a catalogue for each language, and numbers, money, dates and plurals as it has them."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from math import floor, isnan, log10
from pathlib import Path
from typing import Any, Final

from babel import Locale, default_locale
from babel.dates import format_date, get_day_names, get_month_names
from babel.numbers import (
    format_compact_currency,
    format_currency,
    format_decimal,
    format_percent,
    get_currency_symbol,
    get_decimal_symbol,
    get_group_symbol,
)

LANGUAGES: Final = ("en", "ru")
MONEY: Final = "money"
COUNT: Final = "count"
SHARE: Final = "share"
TEMPLATES: Final = Path(__file__).parent / "templates"
_POWERS: Final = (("trillion", 10**12), ("billion", 10**9), ("million", 10**6), ("thousand", 10**3))
_DIGITS_MAX: Final = 6
_LETTERS: Final = {"en": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ru": "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЭЮЯ"}


def chosen_language(asked: str | None) -> str:
    """The language that was asked for, else the locale's, else English. Raises ValueError for an unknown one."""
    if asked is None:
        own = (default_locale("LC_MESSAGES") or "en")[:2]
        return own if own in LANGUAGES else "en"
    if asked not in LANGUAGES:
        raise ValueError(f"there is no language {asked!r}: one of {', '.join(LANGUAGES)}")
    return asked


@cache
def catalogue(language: str) -> dict[str, Any]:
    """The texts of a language."""
    return tomllib.loads((TEMPLATES / f"report.{language}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How a language says things. Money comes in minor units, ``minor_units`` of which are one of ``currency``."""

    language: str
    currency: str
    minor_units: int

    def text(self, key: str, **values: str) -> str:
        """A text of the catalogue; a key with a dot is one of a table's."""
        found: Any = catalogue(self.language)
        for part in key.split("."):
            found = found[part]
        return str(found).format(**values) if values else str(found)

    def named(self, table: str, name: str) -> str:
        """A name of the product's in words; another one stays as it is."""
        return str(catalogue(self.language)[table].get(name, name))

    def counted(self, what: str, number: int) -> str:
        """A number of things: 1 day, 2 days."""
        forms = catalogue(self.language)["count"][what]
        form = forms.get(Locale(self.language).plural_form(number), forms["other"])
        return str(form.format(n=self.number(number, 0)))

    def letter(self, index: int) -> str:
        """The short name by which charts call a policy."""
        letters = _LETTERS[self.language]
        return letters[index] if index < len(letters) else str(index + 1)

    @property
    def symbol(self) -> str:
        """The currency's."""
        return get_currency_symbol(self.currency, locale=self.language) if self.currency else ""

    def shown(self, unit: str, value: float | None, signed: bool = False) -> str:
        """A value of a unit for a table, where the unit stands beside the figure's name."""
        if value is None or isnan(value):
            return self.text("nothing")
        if unit == SHARE:
            # Two shares differ in points, not in per cent.
            points = f"{self.number(value * 100, 2, signed)}\u00a0{self.text('points')}"
            return points if signed else self.percent(value)
        if unit == MONEY:
            return self.number(value / self.minor_units, 0 if abs(value) >= 1_000 * self.minor_units else 2, signed)
        size = abs(value)
        return self.number(value, 0 if size >= 1_000 else 1 if size >= 10 else 2 if size >= 0.1 else 3, signed)

    def percent(self, value: float, signed: bool = False) -> str:
        """A share."""
        pattern = "#,##0.00\u00a0%" if self.language == "ru" else "#,##0.00%"
        return self._signed(format_percent(value, format=pattern, locale=self.language), value, signed, 4)

    def range(self, unit: str, low: float, high: float) -> str:
        """From one difference to another; points are said once."""
        if unit == SHARE:
            return f"{self.number(low * 100, 2, signed=True)} … {self.shown(SHARE, high, signed=True)}"
        return f"{self.shown(unit, low, signed=True)} … {self.shown(unit, high, signed=True)}"

    def number(self, value: float, digits: int, signed: bool = False) -> str:
        """A number with so many decimals; a whole one without them."""
        if value == round(value):
            digits = 0
        elif round(value, digits) == 0 and abs(value) >= 10**-_DIGITS_MAX:
            # What is proven to differ must not look like nothing.
            digits = -floor(log10(abs(value)))
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return self._signed(format_decimal(value, format=pattern, locale=self.language), value, signed, digits)

    def money(self, value: float, signed: bool = False) -> str:
        """An amount to be read aloud: three digits and the currency."""
        amount = value / self.minor_units
        size = floor(log10(abs(amount))) if amount else 0
        if size < 3:
            digits = 0 if amount == round(amount) else 2
            pattern = (
                Locale(self.language)
                .currency_formats["standard"]
                .pattern.replace("0.00", "0" + ".00"[: digits + 1 if digits else 0])
            )
            said = format_currency(amount, self.currency, format=pattern, locale=self.language, currency_digits=False)
        else:
            digits = 2 - size % 3
            said = format_compact_currency(amount, self.currency, locale=self.language, fraction_digits=digits)
        symbol = self.symbol
        if symbol[-1:].isalpha() and f"{symbol}\u00a0" not in said and not said.endswith(symbol):
            said = said.replace(symbol, f"{symbol}\u00a0")
        return self._signed(said, amount, signed, 2)

    def scaled(self, largest: float) -> tuple[float, str]:
        """For an axis of money as far as ``largest``: what to divide by, and the unit's name."""
        amount = largest / self.minor_units
        for name, power in _POWERS:
            if amount >= 2 * power:
                return float(power * self.minor_units), f"{self.text(name)}\u00a0{self.symbol}"
        return float(self.minor_units), self.symbol

    def day(self, day: int) -> str:
        """A day in full."""
        return format_date(date.fromordinal(day), "long", locale=self.language).replace("\u202f", "\u00a0")

    def month(self, first: date) -> str:
        """A month of a year."""
        month = get_month_names("abbreviated", "stand-alone", self.language)[first.month]
        return f"{month.rstrip('.')} {first.year}"

    def number_format(self) -> dict[str, Any]:
        """For the charts' axes (d3-format)."""
        return {
            "decimal": get_decimal_symbol(self.language),
            "thousands": get_group_symbol(self.language),
            "grouping": [3],
            "currency": ["", ""],
            "minus": "\u2212",
        }

    def time_format(self) -> dict[str, Any]:
        """For the charts' axes (d3-time-format)."""
        months = [get_month_names(width, "stand-alone", self.language) for width in ("wide", "abbreviated")]
        days = [get_day_names(width, "stand-alone", self.language) for width in ("wide", "abbreviated")]
        sunday_first = [6, 0, 1, 2, 3, 4, 5]
        return {
            "dateTime": "%x %X", "date": "%d.%m.%Y", "time": "%H:%M:%S", "periods": ["AM", "PM"],
            "months": [months[0][number] for number in range(1, 13)],
            "shortMonths": [months[1][number].rstrip(".") for number in range(1, 13)],
            "days": [days[0][number] for number in sunday_first],
            "shortDays": [days[1][number] for number in sunday_first],
        }  # fmt: skip

    def _signed(self, said: str, value: float, signed: bool, digits: int) -> str:
        """With a real minus, a plus where differences are meant, and no sign on what is nothing once rounded."""
        said = said.replace("-", "\u2212")
        if round(value, digits) == 0:
            return said.replace("\u2212", "")
        return f"+{said}" if signed and value > 0 else said
