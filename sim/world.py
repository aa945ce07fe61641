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
from domain.events import TaskOpened
from domain.messages import (
    AccountClosed,
    ClaimClosed,
    ClaimOpened,
    InvoiceAdjusted,
    MeasureCompleted,
    PaymentReceived,
    PolicyPublished,
)
from domain.policy import Policy
from sim import chance as c
from sim.ageing import Ageing
from sim.casework import BALANCE, INVOICE, MESSAGE, PAYMENT, REMINDED, TIMER, WAKE, Action, Casework, is_at_rest
from sim.chance import Chance
from sim.contact_log import ContactLog
from sim.dialler import Dialling
from sim.measures_known import MeasuresKnown
from sim.office import Office
from sim.payers import Payers
from sim.people import People
from sim.portfolio import Portfolio, draw_portfolio
from sim.receivables import Money, Receivables, Rows
from sim.scenario import Scenario
from sim.services import Services
from sim.site import Day, Site
from sim.tally import Key, Months, Tally
from sim.trials import Rehearsal, Trials
from sim.twin import Copies

_TWIN: Final = "twin-"
_OLD_CLAIM_DAYS: Final = 20
_CONTACTS: Final = {"reminder": "contacts_reminder", "notify": "contacts_notify", "call": "contacts_call"}


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
    ) -> None:
        """``watched`` accounts keep what their profiles heard, and what was commanded for them (in ``cases``)."""
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
        self._trials: Final = Trials(policy, self.portfolio.introductions)
        self._known: Final = MeasuresKnown(policy, scenario.minor_units)
        self.tally: Final = Tally(self.months, *_keys(self.portfolio, self._trials), self._known.commands)
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
            codes=self._known.codes,
        )
        self._services: Final = Services(size, self._known.reversed_by)
        self._suspended: Final = np.frombuffer(self._services.suspended, dtype=np.bool_)
        self._people: Final = People(self._site, self._services)
        self._office: Final = Office(self._site, self._services, self._people, Dialling(self._site))
        self.cases: Final = Casework(
            policy,
            f"B{number}-",
            self.portfolio.kind.tolist(),
            self.portfolio.introductions,
            self._known.codes,
            self._office,
            _TWIN if self._copies is not None else "",
        )
        if watched:
            self.cases.watch(set(watched))
        self._site.cases = self.cases
        self._site.catch_up = self.catch_up
        self._payers: Final = Payers(scenario, self.portfolio, self._chance)
        protected = np.array([each.party in policy.contact.parties for each in self.portfolio.introductions])
        self._contacts: Final = ContactLog(policy, protected[self.portfolio.kind])
        self._ageing: Final = Ageing(self.books, self.tally, scenario.buckets)
        self._has_balance: Final = np.array([each.ledger == "balance" for each in scenario.groups])[
            self.portfolio.group
        ]
        self._under_contract: Final = np.ones(size, dtype=np.bool_)
        # At rest: nothing but a new debt can make the domain act, and of a new debt it need not hear before that.
        self._resting: Final = np.frombuffer(self.cases.resting, dtype=np.bool_)
        self._resting[:] = ~self._has_balance
        self._wake: Final = np.frombuffer(self.cases.wakes, dtype=np.int64)
        self._fed: Final = np.zeros(size, dtype=np.int32)
        # Reminders of which the domain has not heard: of the one debt that it has not heard of, and of all, by rule.
        self._steps: Final = np.zeros(size, dtype=np.int8)
        self._untold: Final = np.zeros((len(policy.reminders), size), dtype=np.int16)
        self._reminded: list[tuple[Rows, int, int]] = []
        self._disputed: Final[Money] = np.zeros(size, dtype=np.int64)
        self._answers: Final[dict[int, list[tuple[int, int, int]]]] = {}
        self._old_claims: Final[dict[int, list[tuple[int, ClaimClosed]]]] = {}
        self._names: Final[dict[tuple[int, int], str]] = {}
        self._issued_on: Final = {
            day: np.flatnonzero((self.portfolio.issue_day == day) & (self.portfolio.charge > 0)) for day in range(1, 32)
        }
        self._issues_to_come: Final = _days_of_month_to_come(scenario)
        self._actions: list[Action] = []

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
            self._begin(day, midnight, ends)
            cases.begin(ends, self._actions, day, set(self._office.failing))
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

    def _begin(self, day: int, midnight: int, ends: int) -> None:
        self._actions = []
        self._reminded = []
        office_at = midnight + self.scenario.billed_hour * HOUR
        if day == self.scenario.start and self._copies is not None:
            self._open_copies(self._copies, day, midnight)
        elif day == self.scenario.start:
            self._open_books(day, midnight)
        self._answer_old_claims(day, office_at)
        self._drop_debts(day, office_at)
        self._answer_claims(day, office_at)
        self._bill(day, office_at)
        self._receive_payments(day, midnight, ends)
        due = np.flatnonzero(self._wake < ends)
        awake = due[~self._resting[due]]
        self._act(self._wake[awake], TIMER, awake, WAKE, awake, awake, awake)

    def _act(self, at: Any, rank: int, accounts: Rows, what: int, first: Any, second: Any, third: Any) -> None:
        """Notes an action of each of ``accounts``; the columns are as long, or one number for all."""
        count = len(accounts)
        columns = [
            column.tolist() if isinstance(column, np.ndarray) else [column] * count
            for column in (at, rank, accounts, what, first, second, third)
        ]
        self._actions.extend(zip(*columns, strict=True))

    def _open_books(self, day: int, at: int) -> None:
        """Debts that are there when the experiment begins."""
        rows = np.flatnonzero(self.portfolio.opening)
        due = self.portfolio.opening_due[rows]
        self.books.bill(rows, self.portfolio.opening[rows], due, at)
        self._ageing.billed(rows, self.portfolio.opening[rows], due, is_old=True)
        self._ageing.begin(day)
        in_balance = self._has_balance[rows]
        self._tell_balances(rows[in_balance], at, day)
        self._feed(rows[~in_balance])

    def _open_copies(self, copies: Copies, day: int, at: int) -> None:
        """What production knows of its debts when the twin begins."""
        policy = self.policy
        for account, profile in enumerate(copies.profiles):
            self.cases.profiles[account] = profile
            for place, item in enumerate(profile.ledger.open_items):
                rows, amounts, due = np.array([account]), np.array([item.left]), np.array([item.due], dtype=np.int32)
                self.books.bill(rows, amounts, due, at)
                self._ageing.billed(rows, amounts, due, is_old=True)
                self._names[account, place] = item.item_id
                self._disputed[account] += item.claimed
            self.books.prepaid[account] = profile.ledger.prepaid()
            self._fed[account] = self.books.count[account]
            self._resting[account] = profile.wake_at == NEVER and is_at_rest(profile)
            self._wake[account] = max(profile.wake_at, at)
            for kind, days in (profile.contacts or {}).items():
                self._contacts.remember(account, kind, days, day)
            for sent in list((profile.outstanding or {}).values()):
                # What was on its way has arrived.
                self.cases.post(at + 1, account, MeasureCompleted(at + 1, sent.command.command_id, "done"))
            run = profile.run
            for restriction in (run.restrictions or ()) if run is not None else ():
                if restriction.is_in_force:
                    self._services.switch([(at, account, restriction.measure, True)], at + 1)
            if profile.promise is not None:
                self._people.promises[account] = profile.promise.amount
            for task in (profile.tasks or {}).values():
                plan = run.plan if run is not None else None
                opened = TaskOpened(at, task.task_id, task.measure, task.command_id, task.why, plan, False, task.in_run)
                self._people.ask(account, profile.group, opened)
            for claim_id in profile.ledger.claims or ():
                answer = ClaimClosed(at, claim_id, "rejected")
                self._old_claims.setdefault(day + _OLD_CLAIM_DAYS, []).append((account, answer))
            if not self._resting[account] and profile.policy_version != policy.version:
                self.cases.post(at, account, PolicyPublished(at))
        self._ageing.begin(day)

    def _answer_old_claims(self, day: int, at: int) -> None:
        for account, answer in self._old_claims.pop(day, ()):
            self._disputed[account] = 0
            self.cases.post(at, account, ClaimClosed(at, answer.claim_id, answer.outcome))

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
        resting = self._resting[invoiced]
        self._feed(invoiced[~resting])
        # A second debt beside one of which nothing was told yet is told with it: rehearsals know of one.
        alone = self._fed[invoiced] == self.books.count[invoiced] - 1
        self._feed(invoiced[resting & ~alone])
        deferred = invoiced[resting & alone]
        rehearsals, place = self._rehearsals(deferred)
        self._wake[deferred] = np.array([each.wake_after(0) for each in rehearsals], dtype=np.int64)[place]
        self._open_claims(day, at, rows[~in_balance])

    def _amounts(self, day: int, rows: Rows) -> Money:
        amounts = self.portfolio.charge[rows].astype(np.float64)
        spreads = np.array([each.month_spread for each in self.scenario.groups])[self.portfolio.group[rows]]
        if spreads.any():
            amounts *= np.exp(spreads * self._chance.normals(c.AMOUNT, day)[rows])
        found: Money = np.maximum(1, np.rint(amounts)).astype(np.int64)
        return found

    def _due_days(self, day: int, rows: Rows) -> npt.NDArray[np.int32]:
        by_group = [
            day + each.due_days if each.due_days is not None else self.policy.due_day(each.party, day)
            for each in self.scenario.groups
        ]
        found: npt.NDArray[np.int32] = np.array(by_group, dtype=np.int32)[self.portfolio.group[rows]]
        return found

    def _feed(self, rows: Rows) -> None:
        """The domain hears of the invoices that it has not heard of yet; from now on it hears everything."""
        books = self.books
        self._resting[rows] = False
        self._wake[rows] = NEVER
        self._feed_reminders(rows)
        while len(rows) > 0:
            rows = rows[self._fed[rows] < books.count[rows]]
            items = self._fed[rows]
            self._act(
                books.issued_at[rows, items],
                MESSAGE,
                rows,
                INVOICE,
                items,
                books.billed[rows, items],
                books.due[rows, items],
            )
            self._fed[rows] += 1

    def catch_up(self, account: int) -> None:
        """An account at rest hears at once of the invoices that it has not heard of."""
        todays, self._actions = self._actions, []
        self._feed(np.array([account]))
        for action in sorted(self._actions):
            self.cases.act(action)
        self._actions = todays

    def _feed_reminders(self, rows: Rows) -> None:
        """What the domain has not heard of, it has not reminded of: it is told how often it has, and does it again."""
        reminded = rows[self._steps[rows] > 0]
        if len(reminded) > 0:
            rehearsals, place = self._rehearsals(reminded)
            for number, rehearsal in enumerate(rehearsals):
                of_it = reminded[place == number]
                for step, (instant, rule) in enumerate(rehearsal.reminders):
                    who = of_it[self._steps[of_it] > step]
                    self._untold[rule, who] -= 1
                    self._act(instant, TIMER, who, REMINDED, 0, 0, 0)
            self._steps[reminded] = 0
        for prevention, counts in zip(self.policy.reminders, self._untold, strict=True):
            for account in rows[counts[rows] > 0].tolist():
                self.cases.reminded.setdefault(account, []).extend([prevention.name] * int(counts[account]))
            counts[rows] = 0

    def _rehearsals(self, rows: Rows) -> tuple[list[Rehearsal], Rows]:
        """Of the only debt of each of ``rows`` that the domain has not heard of."""
        items = self._fed[rows]
        return self._trials.of(
            self.books.issued_at[rows, items], self.books.due[rows, items], self.portfolio.kind[rows]
        )

    def _remind(self, ends: int) -> None:
        """Those at rest of whom the domain would do something today: they are reminded, or it hears of them."""
        due = np.flatnonzero(self._wake < ends)
        rows = due[self._resting[due]]
        # Whom a system fails, or somebody watches, is worked step by step.
        apart = self._office.is_failing[rows]
        if self.cases.watched is not None:
            apart |= np.isin(rows, np.array(sorted(self.cases.watched), dtype=np.int64))
        self._feed(rows[apart])
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
                    self._reminded.append((who, rule, instant))
                    self._untold[rule, who] += 1
                    self._steps[who] += 1
                    self._wake[who] = rehearsal.wake_after(step + 1)
            for who in heard:
                self._feed(who)
            rows = rows[self._resting[rows] & (self._wake[rows] < ends)]

    def _tell_balances(self, rows: Rows, at: int, day: int) -> None:
        self._act(at, MESSAGE, rows, BALANCE, self.books.prepaid[rows] - self.books.outstanding[rows], day, 0)
        self._fed[rows] = self.books.count[rows]

    def _receive_payments(self, day: int, midnight: int, ends: int) -> None:
        books, on = self.books, date.fromordinal(day)
        payable = np.maximum(books.outstanding - self._disputed, 0)
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
        unseen = self._resting[rows] & pays_all & (instants <= self._wake[rows])
        self._settle_unseen(rows[unseen], instants[unseen], amounts[unseen], day)
        self._remind(ends)
        later = ~unseen & self._resting[rows] & pays_all & (instants <= self._wake[rows])
        self._settle_unseen(rows[later], instants[later], amounts[later], day)
        unseen |= later
        month = self._site.today.month
        parts = books.pay(rows, amounts)
        self._ageing.paid(day, parts)
        self.tally.add("collected", month, rows, amounts)
        self.tally.daily["collected"][day - self.scenario.start] += amounts.sum()
        self._payers.relieve(rows[books.outstanding[rows] == 0])
        heard = rows[~unseen]
        self._feed(heard[self._resting[heard]])
        self._act(instants[~unseen], MESSAGE, heard, PAYMENT, day, amounts[~unseen], 0)

    def _settle_unseen(self, rows: Rows, instants: Money, amounts: Money, day: int) -> None:
        self._wake[rows] = NEVER
        self._steps[rows] = 0
        if self.cases.watched is not None:
            self._write_down(rows, instants, amounts, day)
        self._fed[rows] = self.books.count[rows]

    def _write_down(self, rows: Rows, instants: Money, amounts: Money, day: int) -> None:
        """What the watched accounts' profiles were not told, because it changes nothing."""
        for account, at, amount in zip(rows.tolist(), instants.tolist(), amounts.tolist(), strict=True):
            if self.cases.watched is not None and account in self.cases.watched:
                for item in range(int(self._fed[account]), int(self.books.count[account])):
                    self.cases.write_down_invoice(
                        account,
                        int(self.books.issued_at[account, item]),
                        item,
                        int(self.books.billed[account, item]),
                        int(self.books.due[account, item]),
                    )
                self.cases.write_down(account, PaymentReceived(at, f"P{day}", amount))

    # What changes debts beside payments.

    def _open_claims(self, day: int, at: int, rows: Rows) -> None:
        disputing = rows[self._payers.claimed(day, rows) & (self._disputed[rows] == 0)]
        self._feed(disputing[self._resting[disputing]])
        for account in disputing.tolist():
            item = int(self.books.count[account]) - 1
            amount = int(self.books.left[account, item])
            if amount == 0:
                continue
            behaviour, _ = self._people.behaviour(account)
            self._disputed[account] = amount
            self._answers.setdefault(day + behaviour.claim_days, []).append((account, item, amount))
            self.cases.post(at + HOUR, account, ClaimOpened(at + HOUR, f"C{item}", self._item(account, item), amount))

    def _answer_claims(self, day: int, at: int) -> None:
        for account, item, amount in self._answers.pop(day, ()):
            behaviour, _ = self._people.behaviour(account)
            self._disputed[account] = 0
            if not self._under_contract[account]:
                continue
            upheld = float(self._chance.uniforms(c.UPHELD, day)[account]) < behaviour.claim_upheld
            if upheld:
                self._credit(day, account, item, amount)
            else:
                self._payers.rejected(account)
            self.cases.post(at, account, ClaimClosed(at, f"C{item}", "upheld" if upheld else "rejected"))

    def _item(self, account: int, item: int) -> str:
        """The item's id in the domain."""
        return self._names.get((account, item)) or f"{_TWIN if self._copies is not None else ''}I{item}"

    def _credit(self, day: int, account: int, item: int, amount: int) -> None:
        taken = min(amount, int(self.books.left[account, item]))
        self._ageing.lowered(int(self.books.due[account, item]), taken)
        self._ageing.paid(day, self.books.credit(account, item, amount))
        self.tally.add_one("credited", self._site.today.month, account, amount)

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
                if amount > 0 and item < self._fed[account]:
                    self.cases.post(at, account, InvoiceAdjusted(at, self._item(account, item), -amount, column))

    # The evening: what the day has brought.

    def _end(self, day: int, ends: int) -> None:
        month, today = self._site.today.month, self._site.today
        contacts = self._note_commands(day, month)
        self._switch_services(day, ends)
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
        self._count_without_service(month)
        if is_last:
            self._ageing.close_month(day, month, self._under_contract)

    def _switch_services(self, day: int, ends: int) -> None:
        """Networks and partners carry out the day's restrictions and reversals, each after its delay."""
        switches = sorted(self.cases.switches)
        delays = np.zeros(len(switches), dtype=np.int64)
        accounts = np.array([account for _, account, _, _ in switches], dtype=np.int64)
        targets = [self._known.targets.get(measure, "network") for _, _, measure, _ in switches]
        for target in sorted(set(targets)):
            rows = np.array([row for row, each in enumerate(targets) if each == target])
            delays[rows] = self._office.delays(day, target, accounts[rows])
        self._services.switch(
            [
                (at + delay, account, measure, is_off)
                for (at, account, measure, is_off), delay in zip(switches, delays.tolist(), strict=True)
            ],
            ends,
        )

    def _count_without_service(self, month: int) -> None:
        ended = np.array(self._services.ended, dtype=np.int64).reshape(-1, 3)
        self._services.ended = []
        self.tally.add("seconds_without_service", month, ended[:, 0], ended[:, 1])
        self.tally.add("seconds_without_service_paid", month, ended[:, 0], ended[:, 2])

    def _note_commands(self, day: int, month: int) -> Rows:
        """Counts the day's commands and lets them move the debtors; returns the accounts that were contacted."""
        tally, today, contacted = self.tally, self._site.today, []
        self._contacts.turn(day)
        sent = np.concatenate([np.array(self.cases.sent, dtype=np.int64).reshape(-1, 4), *self._reminders_sent()])
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
            elif kind == "restore":
                tally.add("restores", month, accounts)
            elif kind not in ("call", "task"):
                self._payers.press(kind, self._delivered(accounts, chosen[:, 1], failures))
            if kind == "restrict":
                self._payers.press(kind, self._delivered(accounts, chosen[:, 1], failures))
        self._note_conversations(day, month, contacted)
        if not contacted:
            return _NOBODY
        tally.daily["contacts"][day - self.scenario.start] += sum(map(len, contacted))
        return np.concatenate(contacted)

    def _reminders_sent(self) -> list[npt.NDArray[np.int64]]:
        """The reminders of which the domain was not asked, as commands: account, code, instant, sending."""
        codes = self._known.codes[""]
        return [
            np.stack(
                [
                    who,
                    np.full_like(who, codes[self.policy.reminders[rule].name]),
                    np.full_like(who, at),
                    np.ones_like(who),
                ],
                axis=1,
            )
            for who, rule, at in self._reminded
        ]

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
            self.tally.add("contacts_task", month, visited)
            self.tally.add("breaches", month, self._contacts.note("call", day, visited))
            contacted.append(visited)
            self._payers.press(
                "task", np.array([account for account, reached in today.visited if reached], dtype=np.int64)
            )

    def _let_go(self, day: int, ends: int, month: int, contacted: Rows) -> None:
        """Who leaves because of what was done to him."""
        extra = np.zeros(len(self._under_contract), dtype=np.int64)
        if len(contacted) > 0:
            who, count = np.unique(contacted, return_counts=True)
            beyond = self._contacts.in_month(who) - self._payers.tolerated()[who]
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


_NOBODY: Final = np.empty(0, dtype=np.int64)


def _days_of_month_to_come(scenario: Scenario) -> npt.NDArray[np.int64]:
    """How often each day of the month comes from each day of the experiment (a row) to its end."""
    counts = np.zeros((scenario.days + 1, 32), dtype=np.int64)
    for place in range(scenario.days - 1, -1, -1):
        counts[place] = counts[place + 1]
        counts[place, date.fromordinal(scenario.start + place).day] += 1
    return counts


def _keys(portfolio: Portfolio, trials: Trials) -> tuple[list[Key], Rows]:
    """The tally's keys, and each account's."""
    keys: dict[Key, int] = {}
    of_kind = [
        keys.setdefault(Key(segment, region, introduction.party or ""), len(keys))
        for segment, region, introduction in zip(
            trials.segments, portfolio.regions, portfolio.introductions, strict=True
        )
    ]
    return list(keys), np.array(of_kind, dtype=np.int64)[portfolio.kind]
