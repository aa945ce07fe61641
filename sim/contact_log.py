"""The contact log of one branch: how often each debtor was contacted, and whether the policy's rules were kept.

An inspector's second opinion: it knows the rules of contact from the policy and the contacts from what was sent, and
nothing of how the domain decided.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from domain.policy import Policy
from domain.timing import contact_hours
from sim.receivables import Rows

_DAYS: Final = 30
_KINDS: Final = ("notify", "call")


class ContactLog:
    """Contacts of the last 30 days, by kind and account. ``protected``: whom the policy's rules of contact protect."""

    def __init__(self, policy: Policy, protected: npt.NDArray[np.bool_]) -> None:
        self._policy: Final = policy
        self._protected: Final = protected
        self._counts: Final = {kind: np.zeros((len(protected), _DAYS), dtype=np.int8) for kind in _KINDS}
        self._seen: dict[str, int] = dict.fromkeys(_KINDS, 0)

    def remember(self, account: int, kind: str, days: Iterable[int], today: int) -> None:
        """Contacts of the last 30 days before ``today``, of which others know."""
        for day in days:
            if kind in self._counts and today - _DAYS < day < today:
                self._counts[kind][account, day % _DAYS] += 1
                self._seen[kind] = today

    def turn(self, day: int) -> None:
        """A new day begins; what was 30 days ago is forgotten."""
        for kind in _KINDS:
            if self._seen[kind] > day - _DAYS:
                self._counts[kind][:, day % _DAYS] = 0

    def note(self, kind: str, day: int, accounts: Rows) -> Rows:
        """Contacts of ``day``; returns those of the accounts with which a cap was exceeded."""
        counts = self._counts[kind]
        np.add.at(counts[:, day % _DAYS], accounts, 1)
        self._seen[kind] = day
        who = np.unique(accounts[self._protected[accounts]])
        if len(who) == 0:
            return who
        rows = counts[who]
        today = rows[:, day % _DAYS]
        week = rows[:, (day - np.arange(7)) % _DAYS].sum(axis=1)
        month = rows.sum(axis=1)
        over = np.zeros(len(who), dtype=np.bool_)
        for cap in self._policy.contact.caps:
            if cap.kind == kind:
                for limit, count in ((cap.per_day, today), (cap.per_week, week), (cap.per_month, month)):
                    if limit is not None:
                        over |= count > limit
        return who[over]

    def at_wrong_hours(self, day: int, accounts: Rows, instants: npt.NDArray[np.int64]) -> Rows:
        """Those of the contacts of ``day`` that reached protected debtors outside of the contact hours."""
        opens, closes = contact_hours(self._policy, day)
        return accounts[self._protected[accounts] & ((instants < opens) | (instants >= closes))]

    def in_month(self, accounts: Rows) -> npt.NDArray[np.int64]:
        """How many contacts of all kinds each of the accounts had in the last 30 days."""
        total = np.zeros(len(accounts), dtype=np.int64)
        for counts in self._counts.values():
            total += counts[accounts].sum(axis=1)
        return total
