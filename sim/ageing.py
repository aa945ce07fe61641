"""Ageing: how old what is owed is, and what became of it, month by month."""

from typing import Final

import numpy as np
import numpy.typing as npt

from sim.receivables import NO_DUE, Money, Parts, Receivables, Rows, joined
from sim.results import ENDS, STATES
from sim.tally import Tally

_OLDEST: Final = 4_000
"""Days before the start that a due date may lie."""


class Ageing:
    """Follows the books of one branch into its tally. ``buckets`` are the last days past due of all but the oldest."""

    def __init__(self, books: Receivables, tally: Tally, buckets: tuple[int, int, int]) -> None:
        self._books: Final = books
        self._tally: Final = tally
        self._bounds: Final = np.array(buckets)
        accounts = len(books.outstanding)
        self._state: npt.NDArray[np.int64] = np.zeros(accounts, dtype=np.int64)
        self._overdue: Money = np.zeros(accounts, dtype=np.int64)
        self._dropped: Final[npt.NDArray[np.bool_]] = np.zeros(accounts, dtype=np.bool_)
        self._start: Final = tally.months.start
        self._end: Final = tally.months.end
        # What is left by due day, so that a day's total of overdue money is one sum.
        self._left_by_due: Final = np.zeros(_OLDEST + self._end - self._start + _OLDEST, dtype=np.int64)
        # What items were paid on which day, until the month ends.
        self._paid: list[tuple[int, Parts]] = []

    def begin(self, day: int) -> None:
        """The books as they are found."""
        self._state = self._states(day)
        self._overdue = self._overdue_of(day)
        self._open_month(0)

    def billed(self, accounts: Rows, amounts: Money, due: npt.NDArray[np.int32], is_old: bool = False) -> None:
        """New items; of those that are old only the age counts."""
        np.add.at(self._left_by_due, self._place(due), amounts)
        if is_old:
            return
        tally = self._tally
        tally.add_by_due("matured", due, accounts, amounts)
        for days in (30, 60, 90):
            seen = np.flatnonzero(due + days < self._end)
            tally.add_by_due(f"matured_{days}", due[seen], accounts[seen], amounts[seen])

    def paid(self, day: int, parts: Parts) -> None:
        """Cash that paid items."""
        if len(parts.due) > 0:
            np.subtract.at(self._left_by_due, self._place(parts.due), parts.amounts)
            self._paid.append((day, parts))

    def _count_paid(self) -> None:
        """A month's payments at once: counting each day's by itself was a twentieth of the whole simulation."""
        if not self._paid:
            return
        day = np.repeat([day for day, _ in self._paid], [len(parts.due) for _, parts in self._paid])
        accounts, _, due, amounts = joined([parts for _, parts in self._paid])
        self._paid = []
        for days in (30, 60, 90):
            counted = np.flatnonzero((day - due <= days) & (due + days < self._end))
            self._tally.add_by_due(f"collected_{days}", due[counted], accounts[counted], amounts[counted])

    def lowered(self, due: int, amount: int) -> None:
        """An item became less without cash."""
        self._left_by_due[self._place(np.array([due]))] -= amount

    def dropped(self, account: int) -> None:
        """All of the account's debt has left the books, or is about to."""
        books = self._books
        owing = books.left[account] > 0
        np.subtract.at(self._left_by_due, self._place(books.due[account, owing]), books.left[account, owing])
        self._dropped[account] = True

    def overdue_total(self, day: int) -> int:
        """What of all is overdue on ``day``."""
        return int(self._left_by_due[: max(0, day - self._start + _OLDEST)].sum())

    def close_month(self, day: int, month: int, counted: npt.NDArray[np.bool_]) -> None:
        """The evening of ``day`` ends ``month``; ``counted`` are the accounts under contract."""
        books, tally = self._books, self._tally
        self._count_paid()
        states = self._states(day)
        tally.add("debtors", month, np.flatnonzero(counted | (books.outstanding > 0)))
        owing = np.flatnonzero(books.outstanding)
        tally.add("outstanding", month, owing, books.outstanding[owing])
        by_account = np.zeros_like(self._overdue)
        # An item of each at a time: all at once would take more memory than the books themselves.
        for item in range(books.left.shape[1]):
            late = owing[(books.left[owing, item] > 0) & (books.due[owing, item] < day)]
            left = books.left[late, item]
            by_account[late] += left
            bucket_of = 1 + np.searchsorted(self._bounds, day - books.due[late, item])
            for bucket in range(1, len(STATES)):
                there = np.flatnonzero(bucket_of == bucket)
                tally.add(f"overdue_{bucket}", month, late[there], left[there])
        tally.add("overdue", month, owing, by_account[owing])
        tally.add("not_due", month, owing, books.outstanding[owing] - by_account[owing])
        self._count_moves(month, states, by_account)
        self._state, self._overdue = states, by_account
        self._dropped[:] = False
        self._open_month(month + 1)

    def _count_moves(self, month: int, states: npt.NDArray[np.int64], overdue: Money) -> None:
        tally = self._tally
        ends = np.where(self._dropped, len(STATES), states)
        amounts = np.where(self._state > 0, self._overdue, overdue)
        moves = self._state * len(ENDS) + ends
        for move in np.unique(moves).tolist():
            start, end = divmod(move, len(ENDS))
            accounts = np.flatnonzero(moves == move)
            name = f"{STATES[start]}_{ENDS[end]}"
            tally.add(f"accounts_{name}", month, accounts)
            tally.add(f"amount_{name}", month, accounts, amounts[accounts])
        late = self._state > 0
        tally.add("overdue_accounts", month, np.flatnonzero(late))
        tally.add("cured_accounts", month, np.flatnonzero(late & (ends == 0)))

    def _open_month(self, month: int) -> None:
        if month < len(self._tally.months.lengths):
            owing = np.flatnonzero(self._books.outstanding)
            self._tally.add("opening", month, owing, self._books.outstanding[owing])

    def _states(self, day: int) -> npt.NDArray[np.int64]:
        oldest = self._books.oldest.astype(np.int64)
        late = (oldest != NO_DUE) & (oldest < day)
        found: npt.NDArray[np.int64] = np.where(late, 1 + np.searchsorted(self._bounds, day - oldest), 0)
        return found

    def _overdue_of(self, day: int) -> Money:
        found: Money = np.where(self._books.due < day, self._books.left, 0).sum(axis=1)
        return found

    def _place(self, due: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        places: npt.NDArray[np.int64] = np.clip(
            due.astype(np.int64) - self._start + _OLDEST, 0, len(self._left_by_due) - 1
        )
        return places
