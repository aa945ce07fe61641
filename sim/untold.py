"""The untold: debts of which the domain has not heard, since it could not have done more than remind of them.

An account is *at rest* while nothing but a new debt can make the domain act. Of that debt it hears when it could do
something else than remind: trials have said when that is. Who pays before leaves no trace in the domain, and costs
nothing.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from domain.calendar import NEVER
from domain.messages import PaymentReceived
from sim.agenda import Agenda
from sim.casework import INVOICE, REMINDED
from sim.receivables import Money, Rows
from sim.site import Site
from sim.trials import Rehearsal, Trials


class Reminder(NamedTuple):
    """A reminder of which the domain was not asked: to ``accounts``, by the ``rule`` (its number), at an instant."""

    accounts: Rows
    rule: int
    at: int


class Untold:
    """Who is at rest, and what the domain has not been told of the others' debts.

    ``resting`` and ``wake`` (the instant of the next that could be done) are shared with the casework; ``told`` counts
    for each account the items of which the domain has heard.
    """

    def __init__(self, site: Site, agenda: Agenda, trials: Trials, has_balance: npt.NDArray[np.bool_]) -> None:
        size = len(site.portfolio)
        self.resting: Final = np.frombuffer(site.cases.resting, dtype=np.bool_)
        self.resting[:] = ~has_balance
        self.wake: Final = np.frombuffer(site.cases.wakes, dtype=np.int64)
        self.told: Final = np.zeros(size, dtype=np.int32)
        self.reminders: list[Reminder] = []
        """Today's."""
        self._site: Final = site
        self._agenda: Final = agenda
        self._trials: Final = trials
        # Reminders of which the domain has not heard: of the one debt that it has not heard of, and of all, by rule.
        self._steps: Final = np.zeros(size, dtype=np.int8)
        self._counts: Final = np.zeros((len(site.policy.reminders), size), dtype=np.int16)

    def begin(self) -> None:
        """A new day."""
        self.reminders = []

    def awake(self, ends: int) -> Rows:
        """The accounts not at rest that the domain wants to be woken for before ``ends``."""
        due = np.flatnonzero(self.wake < ends)
        found: Rows = due[~self.resting[due]]
        return found

    def billed(self, rows: Rows) -> None:
        """The accounts have got an invoice: those at rest hear of it when it is time, the others now."""
        resting = self.resting[rows]
        self.tell(rows[~resting])
        # A second debt beside one of which nothing was told yet is told with it: rehearsals know of one.
        alone = self.told[rows] == self._site.books.count[rows] - 1
        self.tell(rows[resting & ~alone])
        deferred = rows[resting & alone]
        rehearsals, place = self._rehearsals(deferred)
        self.wake[deferred] = np.array([each.wake_after(0) for each in rehearsals], dtype=np.int64)[place]

    def tell(self, rows: Rows) -> None:
        """The domain hears of the invoices that it has not heard of yet; from now on it hears everything."""
        if len(rows) == 0:
            return
        books, told = self._site.books, self.told
        # What a trial said of those at rest counts no more. The others' next look is the domain's, and may be today's.
        self.wake[rows[self.resting[rows]]] = NEVER
        self.resting[rows] = False
        self._tell_reminders(rows)
        while len(rows) > 0:
            rows = rows[told[rows] < books.count[rows]]
            items = told[rows]
            self._agenda.note(
                books.issued_at(rows, items),
                rows,
                INVOICE,
                items,
                books.billed[rows, items],
                books.due[rows, items],
            )
            told[rows] += 1

    def catch_up(self, account: int) -> None:
        """An account at rest hears at once of the invoices that it has not heard of."""
        todays, self._agenda.actions = self._agenda.actions, []
        self.tell(np.array([account]))
        for action in sorted(self._agenda.actions):
            self._site.cases.act(*action)
        self._agenda.actions = todays

    def settle(self, rows: Rows, instants: Money, amounts: Money, day: int) -> None:
        """The accounts, at rest, have paid all: there is nothing any more to be told."""
        self.wake[rows] = NEVER
        self._steps[rows] = 0
        if self._site.cases.watched is not None:
            self._write_down(rows, instants, amounts, day)
        self.told[rows] = self._site.books.count[rows]

    def remind(self, ends: int, is_failing: npt.NDArray[np.bool_]) -> None:
        """Those at rest of whom the domain would do something today: they are reminded, or it hears of them.

        Whom a system fails today (``is_failing``), or somebody watches, is worked step by step.
        """
        due = np.flatnonzero(self.wake < ends)
        rows = due[self.resting[due]]
        apart = is_failing[rows]
        if self._site.cases.watched is not None:
            apart |= np.isin(rows, np.array(sorted(self._site.cases.watched), dtype=np.int64))
        self.tell(rows[apart])
        rows = rows[~apart]
        while len(rows) > 0:
            rehearsals, place = self._rehearsals(rows)
            heard = []
            for number, rehearsal in enumerate(rehearsals):
                of_it = rows[place == number]
                steps = self._steps[of_it]
                for step in np.unique(steps).tolist():
                    who = of_it[steps == step]
                    if step >= len(rehearsal.reminders):
                        heard.append(who)
                        continue
                    instant, rule = rehearsal.reminders[step]
                    self.reminders.append(Reminder(who, rule, instant))
                    self._counts[rule, who] += 1
                    self._steps[who] += 1
                    self.wake[who] = rehearsal.wake_after(step + 1)
            for who in heard:
                self.tell(who)
            rows = rows[self.resting[rows] & (self.wake[rows] < ends)]

    def _tell_reminders(self, rows: Rows) -> None:
        """What the domain has not heard of, it has not reminded of: it is told how often it has, and does it again."""
        reminded = rows[self._steps[rows] > 0]
        if len(reminded) > 0:
            rehearsals, place = self._rehearsals(reminded)
            for number, rehearsal in enumerate(rehearsals):
                of_it = reminded[place == number]
                for step, (instant, rule) in enumerate(rehearsal.reminders):
                    who = of_it[self._steps[of_it] > step]
                    self._counts[rule, who] -= 1
                    self._agenda.note(instant, who, REMINDED, 0, 0, 0)
            self._steps[reminded] = 0
        for prevention, counts in zip(self._site.policy.reminders, self._counts, strict=True):
            for account in rows[counts[rows] > 0].tolist():
                names = [prevention.name] * int(counts[account])
                self._site.cases.reminded.setdefault(account, []).extend(names)
            counts[rows] = 0

    def _rehearsals(self, rows: Rows) -> tuple[list[Rehearsal], Rows]:
        """Of the only debt of each of ``rows`` that the domain has not heard of."""
        items, books = self.told[rows], self._site.books
        return self._trials.of(books.issued_at(rows, items), books.due[rows, items], self._site.portfolio.kind[rows])

    def _write_down(self, rows: Rows, instants: Money, amounts: Money, day: int) -> None:
        """What the watched accounts' profiles were not told, because it changes nothing."""
        cases, books = self._site.cases, self._site.books
        for account, at, amount in zip(rows.tolist(), instants.tolist(), amounts.tolist(), strict=True):
            if cases.watched is not None and account in cases.watched:
                items = np.arange(self.told[account], books.count[account])
                issued_at = books.issued_at(np.full_like(items, account), items)
                for item, issued in zip(items.tolist(), issued_at.tolist(), strict=True):
                    amount_billed, due = int(books.billed[account, item]), int(books.due[account, item])
                    cases.write_down_invoice(account, issued, item, amount_billed, due)
                cases.write_down(account, PaymentReceived(at, f"P{day}", amount))
