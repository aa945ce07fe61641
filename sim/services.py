"""Services of one branch: who is without one, since when, and for how long nothing was owed meanwhile."""

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Final

import numpy as np
import numpy.typing as npt

from domain.calendar import SECOND
from sim.tally import Tally


class Services:
    """Switched off and on by network and partners at instants (microseconds) after the commands."""

    def __init__(self, accounts: int, tally: Tally, reversed_by: Mapping[str, str]) -> None:
        """``reversed_by`` names for each reversal the restriction that it lifts."""
        self.suspended: Final[npt.NDArray[np.bool_]] = np.zeros(accounts, dtype=np.bool_)
        self._tally: Final = tally
        self._reversed_by: Final = reversed_by
        self._off: Final[dict[int, set[str]]] = {}
        self._since: Final[dict[int, int]] = {}
        self._cleared: Final[dict[int, int]] = {}
        self._switches: Final[list[tuple[int, int, int, str]]] = []
        self._last: Final[dict[int, int]] = {}

    def after(self, account: int, at: int) -> int:
        """The instant from ``at`` on at which the account's next switch may happen: after the one before."""
        found = max(at, self._last.get(account, 0) + SECOND)
        self._last[account] = found
        return found

    def switch(self, account: int, at: int, measure: str, is_off: bool) -> None:
        """At ``at``, what ``measure`` takes away is taken away or given back."""
        heappush(self._switches, (at, account, 0 if is_off else 1, measure))

    def restored_by_hand(self, account: int, at: int, reversal: str) -> None:
        """What the ``reversal`` did not give back, somebody gives back at ``at``."""
        measure = self._reversed_by.get(reversal)
        if measure is not None:
            self.switch(account, at, measure, False)

    def contract_ended(self, account: int, at: int, month: int) -> None:
        """There is no service any more that could be missed."""
        self._off.pop(account, None)
        self._end(account, at, month)

    def owes_nothing(self, account: int, at: int) -> None:
        """From now on the account is without service for nothing."""
        self._cleared[account] = at

    def owes_again(self, account: int) -> None:
        """A new run has begun."""
        self._cleared.pop(account, None)

    def until(self, instant: int, month: int) -> None:
        """What happens before ``instant``, which lies in ``month``, happens."""
        while self._switches and self._switches[0][0] < instant:
            at, account, given_back, measure = heappop(self._switches)
            off = self._off.setdefault(account, set())
            if given_back:
                off.discard(measure)
                if not off:
                    del self._off[account]
                    self._end(account, at, month)
                continue
            off.add(measure)
            if account not in self._since:
                self._since[account] = at
                self.suspended[account] = True

    def close_month(self, instant: int, month: int) -> None:
        """Counts what has lasted until ``instant``, the month's end, and goes on from there."""
        for account in list(self._since):
            self._count(account, instant, month)
            self._since[account] = instant

    def _end(self, account: int, at: int, month: int) -> None:
        if account in self._since:
            self._count(account, at, month)
            del self._since[account]
            self.suspended[account] = False

    def _count(self, account: int, at: int, month: int) -> None:
        since = self._since[account]
        self._tally.add_one("seconds_without_service", month, account, max(0, at - since) // SECOND)
        cleared = self._cleared.get(account)
        if cleared is not None:
            seconds = max(0, at - max(since, cleared)) // SECOND
            self._tally.add_one("seconds_without_service_paid", month, account, seconds)
