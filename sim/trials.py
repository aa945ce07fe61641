"""Trials: what the domain would do with an account nobody has worked yet, asked once for all accounts alike."""

from typing import Final

import numpy as np

from domain.messages import AccountUpdated, InvoiceIssued
from domain.policy import Policy
from domain.profile import Profile
from domain.work import work
from sim.portfolio import Codes
from sim.receivables import Days, Money


class Trials:
    """Asks the domain itself, with profiles that are thrown away: no rule is written twice."""

    def __init__(self, policy: Policy, introductions: list[AccountUpdated]) -> None:
        self._policy: Final = policy
        self._introductions: Final = introductions
        self._wakes: Final[dict[tuple[str, int, int], int]] = {}
        self._day = 0
        # The instant of a reminder or of the midnight after a due date is the same for all of a party and ledger.
        self._alike: Final = np.array([_number(each) for each in introductions], dtype=np.int64)
        self.segments: Final = [self._introduced(each).policy_segment or "" for each in introductions]
        """The policy segment of each introduction."""

    def wakes(self, at: int, day: int, due: Days, kinds: Codes) -> Money:
        """When a profile at rest would first act on an invoice issued at ``at``, for each due day and kind."""
        alike = self._alike[kinds]
        pairs, place = np.unique(due.astype(np.int64) * 4 + alike, return_inverse=True)
        found = []
        for pair in pairs.tolist():
            due_day, number = divmod(pair, 4)
            kind = int(np.flatnonzero(self._alike == number)[0])
            profile = self._introduced(self._introductions[kind])
            work(profile, InvoiceIssued(at, "I", 1, day, due_day), self._policy, [])
            found.append(profile.wake_at if profile.run is None else at)
        wakes: Money = np.array(found, dtype=np.int64)[place]
        return wakes

    def _introduced(self, introduction: AccountUpdated) -> Profile:
        profile = Profile("trial")
        work(profile, introduction, self._policy, [])
        return profile


def _number(introduction: AccountUpdated) -> int:
    return (introduction.party == "person") * 2 + (introduction.ledger == "invoices")
