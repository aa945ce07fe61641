"""The tally: sums by month and kind of account while a branch is simulated, and the rows that they become."""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from sim.receivables import Rows
from sim.results import COLUMNS, DAYS, MEASURES, MONTHS

Sums = npt.NDArray[np.int64]
_DAY_COLUMNS: Final = ("billed", "collected", "outstanding", "overdue", "contacts", "suspended")


class Key(NamedTuple):
    """What a row is about, beside policy, replication and month."""

    segment: str
    region: str
    party: str


class Command(NamedTuple):
    """A measure as the tally knows it; ``cost`` is in minor units."""

    measure: str
    kind: str
    cost: int


class Months:
    """The calendar months of an experiment: ``lengths`` in days, and which one a day belongs to."""

    def __init__(self, start: int, days: int) -> None:
        self.start: Final = start
        self.end: Final = start + days
        first = date.fromordinal(start)
        numbers = []
        for day in range(start, self.end):
            on = date.fromordinal(day)
            numbers.append((on.year - first.year) * 12 + on.month - first.month)
        self.of: Final = np.array(numbers, dtype=np.int64)
        """The month of each day, counted from the start."""
        self.lengths: Final = tuple(np.bincount(self.of).tolist())

    def of_days(self, days: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """The month of each of ``days``; -1 outside of the experiment."""
        inside = (days >= self.start) & (days < self.end)
        found: npt.NDArray[np.int64] = np.where(inside, self.of[np.clip(days - self.start, 0, len(self.of) - 1)], -1)
        return found


class Tally:
    """Sums of one branch under one policy. ``key_of`` is each account's row in ``keys``."""

    def __init__(self, months: Months, keys: Sequence[Key], key_of: Rows, commands: Sequence[Command]) -> None:
        self.months: Final = months
        self.keys: Final = keys
        self.commands: Final = commands
        self._key_of: Final = key_of
        self._count: Final = len(months.lengths)
        shape = (self._count, len(keys))
        self.sums: Final[dict[str, Sums]] = {column: np.zeros(shape, dtype=np.int64) for column in COLUMNS}
        self.requested: Final = np.zeros((*shape, len(commands)), dtype=np.int64)
        self.failed: Final = np.zeros((*shape, len(commands)), dtype=np.int64)
        self.daily: Final[dict[str, Sums]] = {
            column: np.zeros(len(months.of), dtype=np.int64) for column in _DAY_COLUMNS
        }

    def add(self, column: str, month: int, accounts: Rows, amounts: npt.NDArray[np.integer] | None = None) -> None:
        """Adds an amount (None: 1) of each of ``accounts``."""
        if len(accounts) == 0:
            return
        keys = self._key_of[accounts]
        added = np.bincount(keys, weights=amounts, minlength=len(self.keys))
        self.sums[column][month] += added.astype(np.int64)

    def add_one(self, column: str, month: int, account: int, amount: int = 1) -> None:
        """Adds an amount of one account."""
        self.sums[column][month, self._key_of[account]] += amount

    def add_by_due(self, column: str, due: npt.NDArray[np.integer], accounts: Rows, amounts: Sums) -> None:
        """Adds amounts to the months of their due dates; those outside of the experiment are left out."""
        month = self.months.of_days(due)
        inside = np.flatnonzero(month >= 0)
        width = len(self.keys)
        places = month[inside] * width + self._key_of[accounts[inside]]
        added = np.bincount(places, weights=amounts[inside], minlength=self._count * width)
        self.sums[column] += added.astype(np.int64).reshape(self._count, width)

    def add_commands(self, month: int, accounts: Rows, codes: Rows, failed: bool = False) -> None:
        """Counts commands, each with its account and code."""
        width = len(self.commands)
        added = np.bincount(self._key_of[accounts] * width + codes, minlength=len(self.keys) * width)
        (self.failed if failed else self.requested)[month] += added.reshape(len(self.keys), width)

    def frames(self, policy: str, replication: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """The rows for `Results`: months, measures (those that were asked for), days."""
        costs = np.array([command.cost for command in self.commands], dtype=np.int64)
        self.sums["cost"][:] = (self.requested * costs).sum(axis=2)
        months = np.repeat(np.arange(self._count), len(self.keys))
        which = np.tile(np.arange(len(self.keys)), self._count)
        frame = pl.DataFrame(
            self._heads(policy, replication, months, which)
            | {column: self.sums[column].reshape(-1) for column in COLUMNS},
            schema=MONTHS,
        )
        month, key, code = np.nonzero(self.requested)
        measures = pl.DataFrame(
            self._heads(policy, replication, month, key)
            | {
                "measure": [self.commands[each].measure for each in code.tolist()],
                "kind": [self.commands[each].kind for each in code.tolist()],
                "requested": self.requested[month, key, code],
                "failed": self.failed[month, key, code],
                "cost": self.requested[month, key, code] * costs[code],
            },
            schema=MEASURES,
        )
        days = pl.DataFrame(
            {
                "policy": [policy] * len(self.months.of),
                "replication": np.full(len(self.months.of), replication, dtype=np.int32),
                "day": np.arange(len(self.months.of), dtype=np.int32),
            }
            | self.daily,
            schema=DAYS,
        )
        return frame, measures, days

    def _heads(self, policy: str, replication: int, months: Rows, which: Rows) -> dict[str, object]:
        return {
            "policy": [policy] * len(months),
            "replication": np.full(len(months), replication, dtype=np.int32),
            "month": months.astype(np.int32),
            "segment": [self.keys[each].segment for each in which],
            "region": [self.keys[each].region for each in which],
            "party": [self.keys[each].party for each in which],
        }
