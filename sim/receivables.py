"""Receivables: what the accounts of one branch owe, item by item, as billing keeps it.

A matrix with a row for each account and a column for each of its items in order of arrival, so that a day's payments of
ten thousand accounts are a handful of operations. It follows the ledger's rule (`domain.ledger`): payments pay the
oldest due date first, and what is too much is a prepayment.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Money = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
Days = npt.NDArray[np.int32]

NO_DUE: Final = 2**31 - 1
"""The due day where there is no item: later than every day."""


class Parts(NamedTuple):
    """What was paid of which items: ``accounts``, their ``items`` (columns), the ``due`` days and the ``amounts``."""

    accounts: Rows
    items: Rows
    due: Days
    amounts: Money


class Receivables:
    """The items of ``accounts`` accounts, at most ``items_max`` each. Amounts are in minor units, days are ordinals.

    ``outstanding`` is what each owes, ``oldest`` the due day of its first unpaid item, ``count`` how many items it had.
    """

    def __init__(self, accounts: int, items_max: int) -> None:
        self.left: Final[Money] = np.zeros((accounts, items_max), dtype=np.int64)
        self.billed: Final[Money] = np.zeros((accounts, items_max), dtype=np.int64)
        self.due: Final[Days] = np.full((accounts, items_max), NO_DUE, dtype=np.int32)
        # Accounts are billed together: an item's instant is one of a few hundred, and its number takes a quarter.
        self._instants: Final[list[int]] = []
        self._issued: Final = np.zeros((accounts, items_max), dtype=np.int16)
        self.outstanding: Final[Money] = np.zeros(accounts, dtype=np.int64)
        self.oldest: Final[Days] = np.full(accounts, NO_DUE, dtype=np.int32)
        self.count: Final[npt.NDArray[np.int32]] = np.zeros(accounts, dtype=np.int32)
        self.prepaid: Final[Money] = np.zeros(accounts, dtype=np.int64)

    def bill(self, rows: Rows, amounts: Money, due: Days, at: int) -> Parts:
        """New items of the accounts ``rows`` (each at most once); returns what their prepayments paid of them."""
        items = self.count[rows]
        self.count[rows] += 1
        self.left[rows, items] = amounts
        self.billed[rows, items] = amounts
        self.due[rows, items] = due
        if not self._instants or self._instants[-1] != at:
            self._instants.append(at)
        self._issued[rows, items] = len(self._instants) - 1
        self.outstanding[rows] += amounts
        self.oldest[rows] = np.minimum(self.oldest[rows], due)
        ahead = rows[self.prepaid[rows] > 0]
        if len(ahead) == 0:
            return _NOTHING
        used = np.minimum(self.prepaid[ahead], self.outstanding[ahead])
        self.prepaid[ahead] -= used
        return self.pay(ahead, used)

    def issued_at(self, rows: Rows, items: npt.NDArray[np.integer]) -> Money:
        """The instants at which the items of ``rows`` came."""
        found: Money = np.array(self._instants, dtype=np.int64)[self._issued[rows, items]]
        return found

    def pay(self, rows: Rows, amounts: Money) -> Parts:
        """Payments of the accounts ``rows`` (each at most once); what exceeds their debt waits for the next item."""
        if len(rows) == 0:
            return _NOTHING
        owed = self.outstanding[rows]
        is_all = amounts >= owed
        if is_all.all():
            return self._clear(rows, amounts - owed)
        if is_all.any():
            cleared = self._clear(rows[is_all], (amounts - owed)[is_all])
            parts = self._pay_part(rows[~is_all], amounts[~is_all])
            return joined([cleared, parts])
        return self._pay_part(rows, amounts)

    def _clear(self, rows: Rows, over: Money) -> Parts:
        """All that the accounts owe is paid, and so much ``over``: most payments are of this kind, and quick."""
        left = self.left[rows]
        line, items = np.nonzero(left)
        accounts = rows[line]
        self.left[rows] = 0
        self.outstanding[rows] = 0
        self.oldest[rows] = NO_DUE
        self.prepaid[rows] += over
        return Parts(accounts, items, self.due[accounts, items], left[line, items])

    def _pay_part(self, rows: Rows, amounts: Money) -> Parts:
        """Payments that leave something owing."""
        left = self.left[rows]
        # Columns stand in order of arrival; an older due date that arrived later is paid first.
        order = self._order(rows)
        if order is not None:
            left = np.take_along_axis(left, order, axis=1)
        paid_before = np.cumsum(left, axis=1) - left
        parts = np.clip(amounts[:, None] - paid_before, 0, left)
        if order is not None:
            unsorted = np.empty_like(parts)
            np.put_along_axis(unsorted, order, parts, axis=1)
            parts = unsorted
        self.left[rows] -= parts
        self.outstanding[rows] -= amounts
        self._find_oldest(rows)
        line, items = np.nonzero(parts)
        accounts = rows[line]
        return Parts(accounts, items, self.due[accounts, items], parts[line, items])

    def whole_items(self, rows: Rows, amounts: Money) -> Money:
        """What ``amounts`` of ``rows`` come to when each pays items as a whole only, oldest first, and at least one."""
        left = self.left[rows]
        order = self._order(rows)
        if order is not None:
            left = np.take_along_axis(left, order, axis=1)
        paid = np.cumsum(left, axis=1)
        oldest = np.take_along_axis(paid, (paid > 0).argmax(axis=1)[:, None], axis=1)[:, 0]
        covered: Money = np.where(paid <= amounts[:, None], paid, 0).max(axis=1)
        return np.maximum(covered, oldest)

    def credit(self, row: int, item: int, amount: int) -> Parts:
        """Takes ``amount`` off an item; what it does not owe any more pays the others, which is returned."""
        taken = min(amount, int(self.left[row, item]))
        self.left[row, item] -= taken
        self.outstanding[row] -= taken
        rows = np.array([row])
        self._find_oldest(rows)
        return self.pay(rows, np.array([amount - taken])) if amount > taken else _NOTHING

    def drop(self, row: int) -> int:
        """All that an account owes leaves the books; returns how much it was."""
        owed = int(self.outstanding[row])
        self.left[row] = 0
        self.outstanding[row] = 0
        self.oldest[row] = NO_DUE
        return owed

    def _order(self, rows: Rows) -> npt.NDArray[np.int64] | None:
        due = self.due[rows]
        if not (due[:, 1:] < due[:, :-1]).any():
            return None
        return np.argsort(due, axis=1, kind="stable")

    def _find_oldest(self, rows: Rows) -> None:
        self.oldest[rows] = np.where(self.left[rows] > 0, self.due[rows], NO_DUE).min(axis=1)


def joined(parts: Sequence[Parts]) -> Parts:
    """Parts one after the other."""
    return Parts(
        np.concatenate([each.accounts for each in parts]),
        np.concatenate([each.items for each in parts]),
        np.concatenate([each.due for each in parts]),
        np.concatenate([each.amounts for each in parts]),
    )


_NOTHING: Final = Parts(
    np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
)
