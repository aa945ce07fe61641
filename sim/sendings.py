"""Sendings: what a day's commands have brought, as one sees it in the evening.

They are counted, networks and partners carry them out, and those whom they have reached are moved by them.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from sim.contact_log import ContactLog
from sim.measures_known import MeasuresKnown
from sim.office import Office
from sim.payers import Payers
from sim.receivables import Rows
from sim.services import Services
from sim.site import Site
from sim.untold import Reminder

_CONTACTS: Final = {"reminder": "contacts_reminder", "notify": "contacts_notify", "call": "contacts_call"}
_NOBODY: Final = np.empty(0, dtype=np.int64)


class Sendings:
    """The commands of one branch, day by day."""

    def __init__(
        self,
        site: Site,
        known: MeasuresKnown,
        contacts: ContactLog,
        payers: Payers,
        office: Office,
        services: Services,
    ) -> None:
        self._site: Final = site
        self._known: Final = known
        self._contacts: Final = contacts
        self._payers: Final = payers
        self._office: Final = office
        self._services: Final = services

    def note(self, day: int, reminders: list[Reminder]) -> Rows:
        """Counts the day's commands, and ``reminders`` of which the domain was not asked, and lets them move the
        debtors; returns the accounts that were contacted, as often as they were."""
        tally, today, contacted = self._site.tally, self._site.today, []
        month = today.month
        self._contacts.turn(day)
        asked = np.array(self._site.cases.sent, dtype=np.int64).reshape(-1, 4)
        sent = np.concatenate([asked, *[self._command_of(reminder) for reminder in reminders]])
        tally.add_commands(month, sent[:, 0], sent[:, 1])
        failures = np.array(today.failures, dtype=np.int64).reshape(-1, 2)
        tally.add_commands(month, failures[:, 0], failures[:, 1], failed=True)
        kinds = self._known.kinds[sent[:, 1]]
        for number in np.unique(kinds).tolist():
            kind = self._known.kind_names[number]
            chosen = sent[kinds == number]
            accounts = chosen[:, 0]
            if kind in _CONTACTS:
                tally.add(_CONTACTS[kind], month, accounts)
                tally.add("breaches", month, self._contacts.at_wrong_hours(day, accounts, chosen[:, 2]))
                contacted.append(accounts)
            if kind in ("notify", "call"):
                first = accounts[chosen[:, 3] == 1]
                tally.add("breaches", month, self._contacts.note(kind, day, first))
            if kind == "restrict":
                tally.add("restrictions", month, accounts[chosen[:, 3] == 1])
            if kind == "restore":
                tally.add("restores", month, accounts)
            elif kind not in ("call", "task"):
                self._payers.press(kind, self._delivered(accounts, chosen[:, 1], failures))
        self._note_conversations(day, month, contacted)
        if not contacted:
            return _NOBODY
        tally.daily["contacts"][day - self._site.scenario.start] += sum(map(len, contacted))
        return np.concatenate(contacted)

    def carry_out(self, day: int, ends: int) -> None:
        """Networks and partners carry out the day's restrictions and reversals, each after its delay."""
        switches = sorted(self._site.cases.switches)
        delays = np.zeros(len(switches), dtype=np.int64)
        accounts = np.array([account for _, account, _, _ in switches], dtype=np.int64)
        targets = [self._known.targets.get(measure, "network") for _, _, measure, _ in switches]
        for target in sorted(set(targets)):
            rows = np.array([row for row, each in enumerate(targets) if each == target])
            delays[rows] = self._office.delays(day, target, accounts[rows])
        self._services.switch(switches, delays.tolist(), ends)

    def count_without_service(self, month: int) -> None:
        """Counts the times without a service that have ended."""
        ended = np.array(self._services.ended, dtype=np.int64).reshape(-1, 3)
        self._services.ended = []
        self._site.tally.add("seconds_without_service", month, ended[:, 0], ended[:, 1])
        self._site.tally.add("seconds_without_service_paid", month, ended[:, 0], ended[:, 2])

    def _command_of(self, reminder: Reminder) -> npt.NDArray[np.int64]:
        """As the casework writes commands: account, code, instant, sending."""
        who, rule, at = reminder
        rows = np.empty((len(who), 4), dtype=np.int64)
        rows[:, 0] = who
        rows[:, 1:] = self._known.codes[""][self._site.policy.reminders[rule].name], at, 1
        return rows

    def _delivered(self, accounts: Rows, codes: Rows, failures: npt.NDArray[np.int64]) -> Rows:
        """The accounts whose commands did not fail."""
        if len(failures) == 0:
            return accounts
        width = len(self._known.commands)
        return accounts[~np.isin(accounts * width + codes, failures[:, 0] * width + failures[:, 1])]

    def _note_conversations(self, day: int, month: int, contacted: list[Rows]) -> None:
        """What the dialler and people have reached."""
        today = self._site.today
        if today.rung:
            self._payers.press(
                "call", np.array([account for account, reached in today.rung if reached], dtype=np.int64)
            )
        if today.visited:
            visited = np.array([account for account, _ in today.visited], dtype=np.int64)
            self._site.tally.add("contacts_task", month, visited)
            self._site.tally.add("breaches", month, self._contacts.note("call", day, visited))
            contacted.append(visited)
            self._payers.press(
                "task", np.array([account for account, reached in today.visited if reached], dtype=np.int64)
            )
