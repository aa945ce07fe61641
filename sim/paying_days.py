"""The days on which people pay: factors of the rate by day of the week and of the month."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from sim.behaviour import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The factors of the rate by day of the week and of the month, as a behaviour has them."""

    weekdays: tuple[float, ...] = (1.0,) * 7
    month_days: tuple[float, ...] = (1.0,) * 31

    @property
    def is_neutral(self) -> bool:
        """Every day is alike."""
        return set(self.weekdays) | set(self.month_days) == {1.0}

    def factors(self, first: int, last: int) -> Floats:
        """The factor of every day from the ordinal ``first`` to ``last``."""
        days = [date.fromordinal(day) for day in range(first, last + 1)]
        return np.array([self.weekdays[day.weekday()] * self.month_days[day.day - 1] for day in days])
