"""Trials: what the domain would do with an account that owes one new debt, asked once for all accounts alike.

The domain itself is asked, with profiles that are thrown away: no rule is written twice. Who pays before it would act,
or when it would have done no more than remind, need not be told to it at all.
"""

from typing import Final, NamedTuple

import numpy as np

from domain.calendar import SECOND
from domain.command_events import MeasureRequested
from domain.events import PreventionSettled
from domain.messages import AccountUpdated, InvoiceIssued, Wake
from domain.policy import Policy
from domain.profile import Profile
from domain.record import Record
from domain.work import work
from sim.portfolio import Codes
from sim.receivables import Days, Money


class Rehearsal(NamedTuple):
    """What comes of a debt at rest: ``reminders``, each with its instant and the number of its rule among the policy's,
    and the instant ``then`` from which on only the domain itself can say more."""

    reminders: tuple[tuple[int, int], ...]
    then: int

    def wake_after(self, reminded: int) -> int:
        """When something comes of it next, after so many reminders."""
        return self.reminders[reminded][0] if reminded < len(self.reminders) else self.then


class Trials:
    """Rehearsals of invoices, by what they depend on."""

    def __init__(self, policy: Policy, introductions: list[AccountUpdated]) -> None:
        self._policy: Final = policy
        self._introductions: Final = introductions
        self._rules: Final = {rule.name: number for number, rule in enumerate(policy.reminders)}
        # A condition may look at anything of an account: then no two are alike.
        self._reminds_all: Final = all(rule.measure.when is None for rule in policy.reminders)
        self._known: Final[dict[int, Rehearsal]] = {}
        # Instants of reminders and due dates are the same for all of a party.
        self._alike: Final = np.array([each.party == "person" for each in introductions], dtype=np.int64)

    def of(self, at: Money, due: Days, kinds: Codes) -> tuple[list[Rehearsal], Money]:
        """The rehearsals of invoices issued at ``at``, due on ``due``, and each account's place among them."""
        # One number of the three: invoices are issued at full seconds, and a day has 22 bits.
        keys = (at // SECOND << 23) | (due.astype(np.int64) << 1) | self._alike[kinds]
        different, place = np.unique(keys, return_inverse=True)
        return [self._rehearsal(key) for key in different.tolist()], place

    def _rehearsal(self, key: int) -> Rehearsal:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._rehearsed((key >> 23) * SECOND, key >> 1 & 0x3FFFFF, key & 1)
        return known

    def _rehearsed(self, at: int, due: int, alike: int) -> Rehearsal:
        policy = self._policy
        profile = _introduced(policy, self._introductions[int(np.flatnonzero(self._alike == alike)[0])])
        facts: list[Record] = []
        work(profile, InvoiceIssued(at, "I", 1, policy.zone.day(at), due), policy, facts, confirms=True)
        if len(facts) > 1:
            return Rehearsal((), at)
        reminders: list[tuple[int, int]] = []
        while self._reminds_all:
            instant = profile.wake_at
            facts = []
            work(profile, Wake(instant), policy, facts, confirms=True)
            sent = [fact for fact in facts if isinstance(fact, MeasureRequested)]
            settled = [fact for fact in facts if isinstance(fact, PreventionSettled)]
            # The command, its confirmation, and that it was sent.
            if len(sent) != 1 or len(settled) != 1 or len(facts) != 3 or not settled[0].sent:
                return Rehearsal(tuple(reminders), instant)
            reminders.append((instant, self._rules[sent[0].measure]))
        return Rehearsal((), profile.wake_at)


def segments(policy: Policy, introductions: list[AccountUpdated]) -> list[str]:
    """The policy segment of each introduction as ``policy`` draws it; empty where it draws none."""
    return [_introduced(policy, each).policy_segment or "" for each in introductions]


def _introduced(policy: Policy, introduction: AccountUpdated) -> Profile:
    profile = Profile("trial")
    work(profile, introduction, policy, [])
    return profile
