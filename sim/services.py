"""Services of one branch: who is without one, since when, and for how long nothing was owed meanwhile."""

from collections.abc import Mapping
from typing import Final

from domain.calendar import SECOND

Switch = tuple[int, int, str, bool]
"""When it takes effect, of which account, by which restriction, and whether that takes the service away."""


class Services:
    """Switched off and on by network and partners. ``suspended`` (1: without a service) is shared with whoever looks at
    all accounts at once; ``ended`` gathers for each account the seconds without, and of them those while nothing was
    owed."""

    def __init__(self, accounts: int, reversed_by: Mapping[str, str]) -> None:
        """``reversed_by`` names for each reversal the restriction that it lifts."""
        self.suspended: Final[bytearray] = bytearray(accounts)
        self.ended: list[tuple[int, int, int]] = []
        self._reversed_by: Final = reversed_by
        self._off: Final[dict[int, set[str]]] = {}
        self._since: Final[dict[int, int]] = {}
        self._cleared: Final[dict[int, int]] = {}
        self._coming: list[Switch] = []
        self._last: Final[dict[int, int]] = {}

    def switch(self, switches: list[Switch], delays: list[int], until: int) -> None:
        """Does what was ordered, each after its delay, as far as it takes effect before ``until``; the rest later."""
        last = self._last
        coming = self._coming
        for place, (at, account, measure, is_off) in enumerate(switches):
            # One after the other: a service that is given back at once must not be taken away after that.
            before = last.get(account, 0)
            effective = at + delays[place]
            if effective <= before:
                effective = before + SECOND
            last[account] = effective
            coming.append((effective, account, measure, is_off))
        coming.sort()
        done = 0
        for effective, account, measure, is_off in coming:
            if effective >= until:
                break
            done += 1
            if is_off:
                self._take(account, effective, measure)
            else:
                self._give_back(account, effective, measure)
        self._coming = coming[done:]

    def restored_by_hand(self, account: int, at: int, reversal: str) -> None:
        """What the ``reversal`` did not give back, somebody gives back at ``at``."""
        measure = self._reversed_by.get(reversal)
        if measure is not None:
            self._coming.append((at, account, measure, False))

    def contract_ended(self, account: int, at: int) -> None:
        """There is no service any more that could be missed."""
        self._off.pop(account, None)
        self._end(account, at)

    def owes_nothing(self, account: int, at: int) -> None:
        """Since ``at`` nothing is overdue: whoever is without a service now should have it back."""
        self._cleared[account] = at

    def count_until(self, at: int) -> None:
        """Counts what has lasted until ``at``, and goes on from there."""
        for account, since in self._since.items():
            self._count(account, since, at)
            self._since[account] = at

    def _take(self, account: int, at: int, measure: str) -> None:
        off = self._off.get(account)
        if off is None:
            self._off[account] = {measure}
            self._since[account] = at
            self.suspended[account] = 1
        else:
            off.add(measure)

    def _give_back(self, account: int, at: int, measure: str) -> None:
        off = self._off.get(account)
        if off is None:
            return
        off.discard(measure)
        if not off:
            del self._off[account]
            self._end(account, at)

    def _end(self, account: int, at: int) -> None:
        since = self._since.pop(account, None)
        if since is not None:
            self._count(account, since, at)
            self.suspended[account] = 0

    def _count(self, account: int, since: int, at: int) -> None:
        cleared = self._cleared.get(account, at)
        # What was cleared before the service was taken was another debt.
        paid = at - cleared if cleared > since else 0
        self.ended.append((account, max(0, at - since) // SECOND, max(0, paid) // SECOND))
