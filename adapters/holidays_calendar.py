"""Countries' days off out of the `holidays` library: public holidays, weekends and the days that were moved."""

from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from holidays import HolidayBase

_LAST_DAY: Final = date.max.toordinal()


class UnknownCountry(Exception):
    """No calendar of that name; the text lists nothing, `countries` does."""


def countries() -> frozenset[str]:
    """The ISO 3166 alpha-2 codes of the countries that have a calendar."""
    from holidays import list_supported_countries

    return frozenset(code for code in list_supported_countries(include_aliases=False) if len(code) == 2)


class CountryDaysOff:
    """The days off of one country, found year by year as they are asked for.

    Implements `domain.calendar.DaysOff`. In years that the library does not know, days off are Saturdays and Sundays.
    The library takes 100 ms to import and is imported with the first calendar.
    """

    def __init__(self, country: str) -> None:
        """``country`` is an ISO 3166 alpha-2 code such as ``RU``; raises `UnknownCountry`."""
        if country not in countries():
            raise UnknownCountry(country)
        from holidays import country_holidays

        self.country: Final = country
        self._holidays: Final[HolidayBase] = country_holidays(country)
        self._years: Final = range(self._holidays.start_year, self._holidays.end_year + 1)

    def is_day_off(self, day: int) -> bool:
        """Whether nobody works on ``day`` (an ordinal), which may lie beyond the end of `date`: holds last for ever."""
        on = date.fromordinal(day) if 0 < day <= _LAST_DAY else None
        if on is None or on.year not in self._years:
            return (day + 6) % 7 >= 5  # ordinal 1 was a Monday
        return not self._holidays.is_working_day(on)

    def __str__(self) -> str:
        return self.country

    def __reduce__(self) -> tuple[type["CountryDaysOff"], tuple[str]]:
        return CountryDaysOff, (self.country,)
