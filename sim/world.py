"""The laboratory's world: one branch of an operator, its debtors and those who work them, day by day under SimPy.

One event a day for the whole branch: what is alike for all accounts (billing, who pays, ageing) is a few operations on
arrays, and the domain is asked only about those for whom it could decide something. Inside a day, actions happen in
order of their instants; between them SimPy's events of people and lines take their turn.
"""

from collections.abc import Collection, Generator
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from simpy import Environment, Event

from domain.calendar import HOUR, NEVER, SECOND
from domain.messages import AccountClosed, InvoiceAdjusted
from domain.policy import Policy
from sim import chance as c
from sim.ageing import Ageing
from sim.agenda import Agenda
from sim.casework import BALANCE, PAYMENT, Casework
from sim.chance import Chance
from sim.contact_log import ContactLog
from sim.dialler import Dialling
from sim.disputes import Disputes
from sim.measures_known import MeasuresKnown
from sim.office import Office
from sim.payers import Payers
from sim.people import People
from sim.portfolio import Portfolio, draw_portfolio
from sim.receivables import Money, Receivables, Rows
from sim.scenario import Scenario
from sim.sendings import Sendings
from sim.services import Services
from sim.site import Day, Site
from sim.tally import Key, Months, Tally
from sim.trials import Trials, segments
from sim.twin import Copies
from sim.twin_opening import open_copies
from sim.untold import Untold

_TWIN: Final = "twin-"


class Branch:
    """One branch in one replication under one policy. `run` simulates it and returns the tally."""

    def __init__(
        self,
        scenario: Scenario,
        policy: Policy,
        seed: int,
        replication: int,
        number: int,
        watched: Collection[int] = (),
        drawn_by: Policy | None = None,
    ) -> None:
        """``watched`` accounts keep what their profiles heard, and what was commanded for them (in ``cases``).

        The tally's segments are ``drawn_by`` this policy; None is ``policy`` itself.
        """
        size = scenario.size(number)
        start_at = policy.zone.midnight(scenario.start)
        self.scenario: Final = scenario
        self.policy: Final = policy
        self._chance: Final = Chance(seed, replication, number, size)
        self._copies: Final = Copies(scenario, number) if scenario.twin is not None else None
        self.portfolio: Final = draw_portfolio(scenario, policy.currency, start_at, self._chance, size, self._copies)
        self.months: Final = Months(scenario.start, scenario.days)
        old_items = self._copies.items_max if self._copies is not None else 1
        self.books: Final = Receivables(size, old_items + len(self.months.lengths))
        trials = Trials(policy, self.portfolio.introductions)
        known = MeasuresKnown(policy, scenario.minor_units)
        self.tally: Final = Tally(self.months, *_keys(self.portfolio, drawn_by or policy), known.commands)
        self._env: Final = Environment(start_at)
        self._site: Final = Site(
            env=self._env,
            scenario=scenario,
            policy=policy,
            portfolio=self.portfolio,
            books=self.books,
            tally=self.tally,
            chance=self._chance,
            share=size / scenario.branch_accounts,
            codes=known.codes,
        )
        self._services: Final = Services(size, known.reversed_by)
        self._suspended: Final = np.frombuffer(self._services.suspended, dtype=np.bool_)
        self._people: Final = People(self._site, self._services)
        self._office: Final = Office(self._site, self._services, self._people, Dialling(self._site))
        prefix = _TWIN if self._copies is not None else ""
        kinds, introductions = self.portfolio.kind.tolist(), self.portfolio.introductions
        self.cases: Final = Casework(policy, f"B{number}-", kinds, introductions, known.codes, self._office, prefix)
        if watched:
            self.cases.watch(set(watched))
        self._site.cases = self.cases
        self._payers: Final = Payers(scenario, self.portfolio, self._chance)
        protected = np.array([each.party in policy.contact.parties for each in self.portfolio.introductions])
        self._contacts: Final = ContactLog(policy, protected[self.portfolio.kind])
        self._ageing: Final = Ageing(self.books, self.tally, scenario.buckets)
        self._has_balance: Final = np.array([each.ledger == "balance" for each in scenario.groups])[
            self.portfolio.group
        ]
        self._under_contract: Final = np.ones(size, dtype=np.bool_)
        self._agenda: Final = Agenda()
        self._untold: Final = Untold(self._site, self._agenda, trials, self._has_balance)
        self._site.catch_up = self._untold.catch_up
        self._disputes: Final = Disputes(self._site, self._untold, self._ageing, self._payers, self._people, prefix)
        self._sendings: Final = Sendings(self._site, known, self._contacts, self._payers, self._office, self._services)
        self._issued_on: Final = {
            day: np.flatnonzero((self.portfolio.issue_day == day) & (self.portfolio.charge > 0)) for day in range(1, 32)
        }
        self._issues_to_come: Final = _days_of_month_to_come(scenario)

    def run(self) -> Tally:
        """Simulates the branch to its horizon."""
        self._env.run(until=self._env.process(self._days()))
        return self.tally

    def _days(self) -> Generator[Event, Any, None]:
        scenario, env, cases, zone = self.scenario, self._env, self.cases, self.policy.zone
        for day in range(scenario.start, scenario.start + scenario.days):
            midnight, ends = zone.midnight(day), zone.midnight(day + 1)
            self._site.today = Day(number=day, month=int(self.months.of[day - scenario.start]))
            self._office.begin(day)
            awake = self._begin(day, midnight, ends)
            cases.begin(midnight, ends, day, self._agenda.actions, awake.tolist(), set(self._office.failing))
            while True:
                upcoming = env.peek()
                cases.pauses_at = NEVER if upcoming == float("inf") else int(upcoming)
                if cases.work():
                    break
                yield env.timeout(cases.pauses_at - env.now)
            self._end(day, ends)
            yield env.timeout(ends - env.now)
        self._people.count_waiting(len(self.months.lengths) - 1)

    # The morning: what is known of the day beforehand.

    def _begin(self, day: int, midnight: int, ends: int) -> Rows:
        """Notes the day's actions, and returns whom the domain wants to be woken for."""
        self._agenda.begin()
        self._untold.begin()
        office_at = midnight + self.scenario.billed_hour * HOUR
        if day == self.scenario.start and self._copies is not None:
            self._open_copies(self._copies, day, midnight)
        elif day == self.scenario.start:
            self._open_books(day, midnight)
        self._drop_debts(day, office_at)
        self._disputes.answer(day, office_at, self._under_contract)
        self._bill(day, office_at)
        self._receive_payments(day, midnight, ends)
        return self._untold.awake(ends)

    def _open_books(self, day: int, at: int) -> None:
        """Debts that are there when the experiment begins."""
        rows = np.flatnonzero(self.portfolio.opening)
        due = self.portfolio.opening_due[rows]
        self.books.bill(rows, self.portfolio.opening[rows], due, at)
        self._ageing.billed(rows, self.portfolio.opening[rows], due, is_old=True)
        self._ageing.begin(day)
        in_balance = self._has_balance[rows]
        self._tell_balances(rows[in_balance], at, day)
        self._untold.tell(rows[~in_balance])

    def _open_copies(self, copies: Copies, day: int, at: int) -> None:
        """What production knows of its debts when the twin begins."""
        ended = open_copies(
            copies,
            day,
            at,
            site=self._site,
            untold=self._untold,
            disputes=self._disputes,
            ageing=self._ageing,
            contacts=self._contacts,
            people=self._people,
            services=self._services,
        )
        for account in ended:
            self._end_contract(account, at)
        self._ageing.begin(day)

    def _bill(self, day: int, at: int) -> None:
        on = date.fromordinal(day)
        rows = self._issued_on[on.day]
        rows = rows[self._under_contract[rows]]
        if len(rows) == 0:
            return
        amounts = self._amounts(day, rows)
        due = self._due_days(day, rows)
        month = self._site.today.month
        used = self.books.bill(rows, amounts, due, at)
        self._ageing.billed(rows, amounts, due)
        self._ageing.paid(day, used)
        self.tally.add("billed", month, rows, amounts)
        self.tally.daily["billed"][day - self.scenario.start] += amounts.sum()
        in_balance = self._has_balance[rows]
        self._tell_balances(rows[in_balance], at, day)
        invoiced = rows[~in_balance]
        self._untold.billed(invoiced)
        self._disputes.open(day, at, invoiced)

    def _amounts(self, day: int, rows: Rows) -> Money:
        amounts = self.portfolio.charge[rows].astype(np.float64)
        spreads = np.array([each.month_spread for each in self.scenario.groups])[self.portfolio.group[rows]]
        if spreads.any():
            amounts *= np.exp(spreads * self._chance.normals(c.AMOUNT, day, rows))
        found: Money = np.maximum(1, np.rint(amounts)).astype(np.int64)
        return found

    def _due_days(self, day: int, rows: Rows) -> npt.NDArray[np.int32]:
        by_group = [
            day + each.due_days if each.due_days is not None else self.policy.due_day(each.party, day)
            for each in self.scenario.groups
        ]
        found: npt.NDArray[np.int32] = np.array(by_group, dtype=np.int32)[self.portfolio.group[rows]]
        return found

    def _tell_balances(self, rows: Rows, at: int, day: int) -> None:
        self._agenda.note(at, rows, BALANCE, self.books.prepaid[rows] - self.books.outstanding[rows], day, 0)
        self._untold.told[rows] = self.books.count[rows]

    def _receive_payments(self, day: int, midnight: int, ends: int) -> None:
        books, untold, on = self.books, self._untold, date.fromordinal(day)
        payable = np.maximum(books.outstanding - self._disputes.disputed, 0)
        drawn = self._payers.draw(day, on.weekday(), on.day, payable, books.oldest)
        rows, moments = drawn.accounts, drawn.moments
        amounts = np.ceil(drawn.shares * payable[rows]).astype(np.int64)
        if drawn.whole.any():
            whole = rows[drawn.whole]
            amounts[drawn.whole] = np.minimum(books.whole_items(whole, amounts[drawn.whole]), payable[whole])
        kept = sorted(set(self._site.promised.pop(day, ())) - set(rows.tolist()))
        if kept:
            also = np.array([each for each in kept if payable[each] > 0], dtype=np.int64)
            rows = np.concatenate([rows, also])
            moments = np.concatenate([moments, np.full(len(also), 0.25)])
            amounts = np.concatenate([amounts, payable[also]])
        first, last = self.scenario.paid_hours
        instants = midnight + first * HOUR + (moments * (last - first) * 3600).astype(np.int64) * SECOND
        # Who owes nothing after it, and paid before the domain would have acted, leaves no trace there.
        pays_all = amounts == books.outstanding[rows]
        unseen = untold.resting[rows] & pays_all & (instants <= untold.wake[rows])
        untold.settle(rows[unseen], instants[unseen], amounts[unseen], day)
        untold.remind(ends, self._office.is_failing)
        later = ~unseen & untold.resting[rows] & pays_all & (instants <= untold.wake[rows])
        untold.settle(rows[later], instants[later], amounts[later], day)
        unseen |= later
        month = self._site.today.month
        parts = books.pay(rows, amounts)
        self._ageing.paid(day, parts)
        self.tally.add("collected", month, rows, amounts)
        self.tally.daily["collected"][day - self.scenario.start] += amounts.sum()
        self._payers.relieve(rows[books.outstanding[rows] == 0])
        heard = rows[~unseen]
        untold.tell(heard[untold.resting[heard]])
        self._agenda.note(instants[~unseen], heard, PAYMENT, day, amounts[~unseen], 0)

    def _drop_debts(self, day: int, at: int) -> None:
        for account, column in self._site.leaving_books.pop(day, ()):
            self._ageing.dropped(account)
            left = self.books.left[account].tolist()
            owed = self.books.drop(account)
            self.tally.add_one(column, self._site.today.month, account, owed)
            if self._has_balance[account]:
                self._tell_balances(np.array([account]), at, day)
                continue
            for item, amount in enumerate(left):
                if amount > 0 and item < self._untold.told[account]:
                    self.cases.post(
                        at, account, InvoiceAdjusted(at, self._disputes.item(account, item), -amount, column)
                    )

    # The evening: what the day has brought.

    def _end(self, day: int, ends: int) -> None:
        month, today = self._site.today.month, self._site.today
        contacts = self._sendings.note(day, self._untold.reminders)
        self._sendings.carry_out(day, ends)
        for account in today.terminated:
            self._end_contract(account, ends)
        self._let_go(day, ends, month, contacts)
        self._payers.sleep()
        place = day - self.scenario.start
        self.tally.daily["outstanding"][place] = self.books.outstanding.sum()
        self.tally.daily["overdue"][place] = self._ageing.overdue_total(day)
        self.tally.daily["suspended"][place] = self._suspended.sum()
        is_last = place + 1 == len(self.months.of) or self.months.of[place + 1] != month
        if is_last:
            self._services.count_until(ends)
            self._sendings.close_month(month)
            self._ageing.close_month(day, month, self._under_contract)

    def _let_go(self, day: int, ends: int, month: int, contacted: Rows) -> None:
        """Who leaves because of what was done to him."""
        extra = np.zeros(len(self._under_contract), dtype=np.int64)
        if len(contacted) > 0:
            who, count = np.unique(contacted, return_counts=True)
            beyond = self._contacts.in_month(who) - self._payers.tolerated(who)
            extra[who] = np.clip(beyond, 0, count)
        leaving = self._payers.leaving(day, self._suspended, extra)
        leaving = leaving[self._under_contract[leaving]]
        self.tally.add("churned", month, leaving)
        self.tally.add("lost_charges", month, leaving, self._charges_after(day, leaving))
        for account in leaving.tolist():
            self._end_contract(account, ends)
            self.cases.post(ends, account, AccountClosed(ends, "the customer has left"))

    def _end_contract(self, account: int, at: int) -> None:
        self._under_contract[account] = False
        self._services.contract_ended(account, at)

    def _charges_after(self, day: int, rows: Rows) -> Money:
        """What the accounts would have been billed from the day after ``day`` to the horizon."""
        counts = self._issues_to_come[day + 1 - self.scenario.start]
        found: Money = self.portfolio.charge[rows] * counts[self.portfolio.issue_day[rows]]
        return found


def _days_of_month_to_come(scenario: Scenario) -> npt.NDArray[np.int64]:
    """How often each day of the month comes from each day of the experiment (a row) to its end."""
    counts = np.zeros((scenario.days + 1, 32), dtype=np.int64)
    for place in range(scenario.days - 1, -1, -1):
        counts[place] = counts[place + 1]
        counts[place, date.fromordinal(scenario.start + place).day] += 1
    return counts


def _keys(portfolio: Portfolio, policy: Policy) -> tuple[list[Key], Rows]:
    """The tally's keys, and each account's."""
    keys: dict[Key, int] = {}
    of_kind = [
        keys.setdefault(Key(segment, region, introduction.party or ""), len(keys))
        for segment, region, introduction in zip(
            segments(policy, portfolio.introductions), portfolio.regions, portfolio.introductions, strict=True
        )
    ]
    return list(keys), np.array(of_kind, dtype=np.int64)[portfolio.kind]
