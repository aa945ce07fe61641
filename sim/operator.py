"""A synthetic operator: the customers, billing, networks and managers around the engine, from one seed.

It publishes and receives CloudEvents and knows nothing else of the engine. Its books are its own: what it has billed
and collected is billing's view, by which the engine can be judged.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from heapq import heappop, heappush
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.calendar import DAY, HOUR, MINUTE, SECOND, BusinessCalendar, Zone, month_day
from engine.ports import OutgoingEvent

BATCH_MAX: Final = 100
HORIZON_DAYS: Final = 30
"""Days after the due date over which paying with measures is compared with paying without."""

PROMPT, FORGETFUL, SHORT, DISPUTING, GONE = range(5)
_SHARES: Final = (0.66, 0.22, 0.08, 0.015, 0.025)
# The chance to pay on a day, by temper: before the due date, then from 1, 4, 15 and 46 days past it.
_HAZARD: Final = np.array(
    [
        [0.140, 0.30, 0.20, 0.08, 0.040],
        [0.050, 0.06, 0.05, 0.03, 0.015],
        [0.030, 0.04, 0.03, 0.02, 0.012],
        [0.020, 0.02, 0.02, 0.03, 0.020],
        [0.004, 0.002, 0.002, 0.001, 0.001],
    ]
)
_PHASES: Final = (1, 4, 15, 46)
# How much a measure moves them, and how often they pay all of it.
_RESPONSE: Final = np.array([1.0, 1.0, 0.5, 0.2, 0.05])
_PAYS_ALL: Final = np.array([0.98, 0.93, 0.45, 0.8, 0.5])
_LIFT: Final = {"notify": 1.5, "call": 3.0, "restrict": 9.0, "task": 4.0, "legal": 6.0}
_LIFT_MAX: Final = 14.0
_LIFT_FADES: Final = 0.75
# How fast an executing system answers (seconds), and how often it fails, or does its work and does not answer.
_ANSWERS: Final = {
    "messaging": (4, 90, 0.003, 0.0),
    "network": (15, 420, 0.012, 0.006),
    "partners": (900, 12_000, 0.01, 0.0),
    "crm": (1, 5, 0.0, 0.0),
    "legal": (1_800, 20_000, 0.0, 0.0),
    "billing": (30, 600, 0.0, 0.0),
}
_REGIONS: Final = (["MSK", "SPB", "EKB", "KZN", "NSK", "MUR", "KGD"], [0.34, 0.2, 0.14, 0.12, 0.1, 0.05, 0.05])
STAFF: Final = {"head": ("lebedeva", "guseva", "belov"), "specialist": ("karelin", "moroz", "frolov", "sokolova")}


class _Event(msgspec.Struct, omit_defaults=True):
    id: str
    source: str
    type: str
    subject: str
    time: str
    data: dict[str, Any]
    sequence: str | None = None
    specversion: str = "1.0"


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Account:
    """An account as billing knows it. ``balance`` below zero: the customer owes; ``invoices``: (due day, id, amount).

    ``off`` are the services that the networks have switched off, ``ordered`` those that they were told to.
    """

    id: str
    party: str
    ledger: str
    region: str
    revenue_class: str
    charge: int
    cycle: int
    temper: int
    balance: int = 0
    due: int = 0
    sequence: int = 0
    invoices: deque[tuple[int, str, int]] = field(default_factory=lambda: deque(maxlen=12))
    last_payment: tuple[str, int] | None = None
    claim: str | None = None
    agreed_until: int = 0
    ordered: dict[str, str] = field(default_factory=dict)
    off: set[str] = field(default_factory=set)
    busy_until: dict[str, int] = field(default_factory=dict)
    manager: str | None = None
    has_contract: bool = True
    is_closed: bool = False

    def overdue(self, today: int) -> int:
        """What is past due on local ``today``: payments pay the oldest first, so what is left is the newest."""
        if self.ledger == "balance":
            return -self.balance if self.balance < 0 and self.due < today else 0
        return max(0, -self.balance - sum([amount for due, _, amount in self.invoices if due >= today]))


@dataclass(slots=True)
class Episode:
    """One time of being overdue: the days on which it began, was paid, and would have been paid without measures."""

    account: int
    began: int
    paid: int = 0
    alone: int = 0


@dataclass(slots=True)
class Books:
    """What billing has booked since the start, in minor units, and what it has seen of the engine's work."""

    opening: int = 0
    billed: int = 0
    collected: int = 0
    reversed: int = 0
    credited: int = 0
    netted: int = 0
    payments: int = 0
    published: int = 0
    duplicates: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    episodes: list[Episode] = field(default_factory=list)

    def outstanding(self) -> int:
        """What customers must owe by now, less their prepayments."""
        return self.opening + self.billed + self.reversed - self.collected - self.credited - self.netted

    def days_unpaid(self, today: int) -> tuple[int, float, float]:
        """Episodes of which `HORIZON_DAYS` are seen: how many; days unpaid within them, with measures and without.

        The same customers with the same chance on the same days, so the difference is the measures' (in this model).
        """
        seen = [each for each in self.episodes if each.began <= today - HORIZON_DAYS]
        paid = [min(HORIZON_DAYS, each.paid - each.began if each.paid else HORIZON_DAYS) for each in seen]
        alone = [min(HORIZON_DAYS, each.alone - each.began if each.alone else HORIZON_DAYS) for each in seen]
        count = max(1, len(seen))
        return len(seen), sum(paid) / count, sum(alone) / count


class SyntheticOperator:
    """Everybody outside of the engine. One seed and the same answers of the engine make the same world."""

    def __init__(
        self, accounts: int = 3_000, seed: int = 1, start: date = date(2026, 6, 1), timezone: str = "Europe/Moscow"
    ) -> None:
        """Begins at local midnight of ``start``, with a portfolio in which some owe already."""
        people, self._days, self._moments = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
        self.zone: Final = Zone(timezone)
        self.books: Final = Books()
        self.start: Final = self.zone.midnight(start.toordinal())
        self.today = start.toordinal()
        self._calendar: Final = BusinessCalendar()
        self._agenda: Final[list[tuple[int, int, Callable[..., None], tuple[Any, ...]]]] = []
        self._answers: Final[list[int]] = []
        self._out: list[bytes] = []
        self._moved: Final[set[int]] = set()
        self._ids: Final[Counter[str]] = Counter()
        self._tasks: Final[set[str]] = set()
        self._restores: Final[set[str]] = set()
        self.accounts: Final = _population(people, accounts)
        self._index: Final = {account.id: i for i, account in enumerate(self.accounts)}
        self._temper: Final = np.array([account.temper for account in self.accounts])
        self._lift: NDArray[np.float64] = np.zeros(accounts)
        self._overdue: Final = [0] * accounts
        self._episode: Final[list[Episode | None]] = [None] * accounts
        self._unpaid_alone: list[Episode] = []
        self._at(self.start, self._open_books)
        self._at(self.start + 5 * MINUTE, self._begin_day)

    @property
    def overdue(self) -> int:
        """What is overdue now, by billing's books."""
        return sum(self._overdue)

    @property
    def accounts_overdue(self) -> int:
        """How many accounts owe something that is past due, by billing's books."""
        return sum([amount > 0 for amount in self._overdue])

    def restricted(self) -> list[Account]:
        """Customers under contract without a service because networks were told so and not told otherwise."""
        return [account for account in self.accounts if account.ordered and account.has_contract]

    def events_until(self, instant: int) -> list[bytes]:
        """What is published up to and including ``instant``: CloudEvents bodies, batches of up to 100 events."""
        self._moved.clear()
        while self._agenda and self._agenda[0][0] <= instant:
            at, _, happen, details = heappop(self._agenda)
            happen(at, *details)
        while self._answers and self._answers[0] <= instant:
            heappop(self._answers)
        events, self._out = self._out, []
        batches = [events[n : n + BATCH_MAX] for n in range(0, len(events), BATCH_MAX)]
        return [batch[0] if len(batch) == 1 else b"[" + b",".join(batch) + b"]" for batch in batches]

    def answers_at(self) -> int | None:
        """When the first answer of an executing system that is on its way will be published."""
        return self._answers[0] if self._answers else None

    def receive(self, events: Sequence[OutgoingEvent]) -> None:
        """What the engine has sent, to whom it may concern."""
        for outgoing in events:
            event = _decode(outgoing.body)
            i = self._index.get(event.get("subject", ""), -1)
            data = event["data"]
            if event["type"] == "dms.message.rejected.v1":
                self.books.rejected[data["reason"]] += 1
            elif i >= 0:
                self._receive(i, event["type"], data, outgoing.at)

    def _receive(self, i: int, name: str, data: dict[str, Any], at: int) -> None:
        match name:
            case "dms.measure.requested.v1":
                self._execute(i, data, at)
            case "dms.task.opened.v1":
                self._tasks.add(data["task_id"])
                self._take_task(i, data, at)
            case "dms.task.closed.v1":
                self._tasks.discard(data["task_id"])
            case "dms.manager.changed.v1":
                self.accounts[i].manager = data["manager"]
            case "dms.service.restore_overdue.v1":
                self._at(self._office(at, 15), self._see_to, i, data)

    # The agenda, and what leaves.

    def _at(self, instant: int, happen: Callable[..., None], *details: Any) -> None:
        """Has ``happen(instant, *details)`` called when its time has come."""
        self._ids[""] += 1
        heappush(self._agenda, (instant, self._ids[""], happen, details))

    def _chance(self, probability: float) -> bool:
        return bool(self._moments.random() < probability)

    def _between(self, low: float, high: float) -> float:
        return float(low + (high - low) * self._moments.random())

    def _office(self, at: int, minutes: float) -> int:
        """The instant so many minutes later, or the next morning on which people work."""
        at += int(minutes * MINUTE)
        day = self.zone.day(at)
        clock = self.zone.time_of_day(at)
        if clock >= 18 * 3600 or not self._calendar.is_business_day(day):
            day += 1
            while not self._calendar.is_business_day(day):
                day += 1
        elif clock >= 9 * 3600 + 1800:
            return at
        return self.zone.instant(day, 9 * 3600 + 1800) + int(self._between(0, 3) * HOUR)

    def _new_id(self, prefix: str) -> str:
        self._ids[prefix] += 1
        return f"{prefix}-{self._ids[prefix]}"

    def _emit(self, at: int, i: int, source: str, name: str, data: dict[str, Any], sequence: int | None = None) -> None:
        account = self.accounts[i]
        if account.is_closed:
            return
        self._moved.add(i)
        event_id = self._new_id(source)
        digits = None if sequence is None else str(sequence)
        event = _encode(_Event(event_id, source, f"dms.{name}.v1", account.id, _rfc3339(at), data, digits))
        self._publish(at, event)
        if self._chance(0.004):
            self.books.duplicates += 1
            self._at(at + int(self._between(1, 90) * MINUTE), self._publish, event)

    def _publish(self, _: int, event: bytes) -> None:
        self.books.published += 1
        self._out.append(event)

    # Billing.

    def _open_books(self, at: int) -> None:
        for i, account in enumerate(self.accounts):
            attributes = {
                "region": account.region,
                "revenue_class": account.revenue_class,
                "has_phone": account.cycle % 5 > 0,
                "partner_services": account.cycle % 7 == 0,
            }
            data = {"projection": "account", "party": account.party, "currency": "RUB", "ledger": account.ledger}
            self._emit(at, i, "billing", "account.updated", data | {"attributes": attributes})
        for i, account in enumerate(self.accounts):
            days_ago = (date.fromordinal(self.today).day - account.cycle - 1) % 30 + 1
            if account.ledger == "balance":
                self._snapshot(at, i, int(account.charge * self._between(0.3, 1.6)))
            elif self._days.random() < (1 - _HAZARD[account.temper, 0]) ** days_ago and days_ago < 20:
                self._invoice(at, i, self.today - days_ago)
            elif account.temper != PROMPT and self._days.random() < 0.06:
                self._invoice(at, i, self.today - int(self._days.integers(25, 100)))
        self.books.opening, self.books.billed = self.books.billed, 0

    def _invoice(self, at: int, i: int, issued: int) -> None:
        account = self.accounts[i]
        amount = int(account.charge * self._between(0.85, 1.25)) // 100 * 100
        due = issued + (20 if account.party == "person" else 5)
        invoice_id = f"INV-{account.id[4:]}-{date.fromordinal(issued):%y%m%d}"
        data: dict[str, Any] = {"invoice_id": invoice_id, "amount": amount, "issued_on": _iso(issued)}
        # Organisations pay by the terms of their contract, which the policy knows.
        if account.party == "person":
            data["due_on"] = _iso(due)
        self._emit(at, i, "billing", "invoice.issued", data)
        account.invoices.append((due, invoice_id, amount))
        self.books.billed += amount
        self._move(i, -amount)

    def _snapshot(self, at: int, i: int, balance: int | None = None) -> None:
        account = self.accounts[i]
        if balance is not None:
            self.books.billed += account.balance - balance
            self._move(i, balance - account.balance)
        account.sequence += 2
        self._emit(at, i, "billing", "balance.changed", {"balance": account.balance}, account.sequence)
        if self._chance(0.005):  # an older one comes late
            self._emit(at, i, "billing", "balance.changed", {"balance": account.balance + 100}, account.sequence - 1)

    def _bill(self, at: int) -> None:
        day_of_month = date.fromordinal(self.today).day
        for i, account in enumerate(self.accounts):
            if account.cycle != day_of_month or not account.has_contract:
                continue
            if account.ledger == "balance":
                self._snapshot(at, i, account.balance - int(account.charge * self._between(0.9, 1.1)) // 100 * 100)
                continue
            self._invoice(at, i, self.today)
            if self._chance(0.006):
                self._at(at + int(self._between(6, 40) * HOUR), self._credit, i)
            self._at(at + 2 * HOUR, self._snapshot, i)

    def _credit(self, at: int, i: int) -> None:
        account = self.accounts[i]
        due, invoice_id, amount = account.invoices[-1]
        delta = amount // 500 * 100
        if delta > 0 and account.claim is None:
            account.invoices[-1] = due, invoice_id, amount - delta
            data = {"invoice_id": invoice_id, "delta": -delta, "reason": "charged for a service that was not given"}
            self._emit(at, i, "billing", "invoice.adjusted", data)
            self.books.credited += delta
            account.last_payment = None
            self._move(i, delta)

    def _move(self, i: int, amount: int) -> None:
        account = self.accounts[i]
        if account.balance >= 0 > account.balance + amount:
            account.due = month_day(self.today, 5)
        account.balance += amount
        self._look(i)

    def _look(self, i: int) -> None:
        overdue = self._overdue[i] = self.accounts[i].overdue(self.today)
        episode = self._episode[i]
        if overdue > 0 and episode is None:
            episode = self._episode[i] = Episode(i, self.today)
            self.books.episodes.append(episode)
            self._unpaid_alone.append(episode)
        elif overdue == 0 and episode is not None:
            episode.paid = self.today
            self._episode[i] = None

    # Customers.

    def _begin_day(self, at: int) -> None:
        self.today = self.zone.day(at)
        for i in range(len(self.accounts)):
            self._look(i)
        count = len(self.accounts)
        luck, all_of_it, hour, mood = self._days.random((4, count))
        # A message is forgotten in days; who has no service remembers it every day.
        self._lift = np.maximum(self._lift * _LIFT_FADES, [4.0 * bool(account.off) for account in self.accounts])
        base = _HAZARD[self._temper, np.searchsorted(_PHASES, [self._days_past_due(i) for i in range(count)], "right")]
        lifted = 1 - (1 - base) ** (1 + self._lift * _RESPONSE[self._temper])
        self._live_alone(luck, all_of_it)
        for i in np.flatnonzero(luck < lifted).tolist():
            share = 1.0 if all_of_it[i] < _PAYS_ALL[self._temper[i]] else 0.25 + 0.5 * float(mood[i])
            self._at(self._o_clock(8 + 14 * float(hour[i])), self._pay, i, share)
        for i, overdue in enumerate(self._overdue):
            if overdue > 0:
                self._something_else(i, overdue, float(mood[i]), self._o_clock(9 + 11 * float(hour[i])))
        for i in self._days.integers(0, count, self._days.poisson(count / 2_500)).tolist():
            self._at(self._o_clock(12), self._change_class, i)
        self._at(self._o_clock(4), self._bill)
        self._at(self.zone.midnight(self.today + 1) + 5 * MINUTE, self._begin_day)

    def _o_clock(self, hours: float) -> int:
        return self.zone.instant(self.today, int(hours * 3600))

    def _days_past_due(self, i: int) -> int:
        episode = self._episode[i]
        return 0 if episode is None else self.today - episode.began + 1

    def _live_alone(self, luck: NDArray[np.float64], all_of_it: NDArray[np.float64]) -> None:
        """The same luck without any measure: when would they have paid?"""
        left = []
        for episode in self._unpaid_alone:
            i = episode.account
            temper = self.accounts[i].temper
            phase = np.searchsorted(_PHASES, self.today - episode.began + 1, "right")
            if luck[i] < _HAZARD[temper, phase] and all_of_it[i] < _PAYS_ALL[temper]:
                episode.alone = self.today
            elif self.today - episode.began <= HORIZON_DAYS:
                left.append(episode)
        self._unpaid_alone = left

    def _pay(self, at: int, i: int, share: float) -> None:
        account = self.accounts[i]
        owes = -account.balance
        if account.ledger == "balance" and account.temper == PROMPT:
            owes = max(owes, account.charge - account.balance if account.balance < account.charge // 3 else 0)
        if owes <= 0 or account.is_closed:
            return
        amount = owes if share >= 1 else max(1_000, int((self._overdue[i] or owes) * share) // 1_000 * 1_000)
        if share >= 1 and self._chance(0.15):
            amount = -(-amount // 10_000) * 10_000  # a round sum, the rest in advance
        self._receive_money(at, i, amount)

    def _receive_money(self, at: int, i: int, amount: int) -> None:
        account = self.accounts[i]
        payment_id = self._new_id("PAY")
        self._emit(at, i, "payments", "payment.received", {"payment_id": payment_id, "amount": amount})
        self.books.payments += 1
        self.books.collected += amount
        account.last_payment = payment_id, amount
        self._move(i, amount)
        if account.ledger == "balance":
            self._at(at + 2 * MINUTE, self._snapshot, i)
        if self._chance(0.004):
            self._at(at + int(self._between(20, 60) * HOUR), self._bounce, i, payment_id)

    def _bounce(self, at: int, i: int, payment_id: str) -> None:
        """The bank takes a payment back, if it was the last thing to happen to the debt."""
        account = self.accounts[i]
        if account.last_payment is not None and account.last_payment[0] == payment_id and not account.is_closed:
            amount = account.last_payment[1]
            data = {"payment_id": payment_id, "reason": "returned by the bank"}
            self._emit(at, i, "payments", "payment.reversed", data)
            self.books.reversed += amount
            account.last_payment = None
            self._move(i, -amount)

    def _something_else(self, i: int, overdue: int, mood: float, at: int) -> None:
        """What a debtor may do beside paying, and what people do with the debt by hand."""
        account = self.accounts[i]
        late = self._days_past_due(i)
        if account.agreed_until >= self.today or not account.has_contract:
            return
        happen: Callable[[int, int], None] | None = None
        if account.temper == DISPUTING and account.claim is None and account.invoices and mood < 0.4:
            happen = self._dispute
        elif account.party == "organisation" and mood > 0.985:
            happen = self._net
        elif late > 8 and (account.party == "organisation" or account.temper == SHORT) and 0.5 < mood < 0.53:
            happen = self._agree_instalments
        elif account.ordered and mood < 0.07:
            happen = self._call_in
        elif 0.3 < mood < 0.305:
            happen = self._call_out
        elif mood > 0.996:
            happen = self._hold
        if happen is not None:
            self._at(at, self._unless_paid, happen, i)

    def _unless_paid(self, at: int, happen: Callable[[int, int], None], i: int) -> None:
        if self._overdue[i] > 0:
            happen(at, i)

    def _dispute(self, at: int, i: int) -> None:
        account = self.accounts[i]
        overdue = [each for each in account.invoices if each[0] < self.today]
        if account.claim is not None or not overdue:
            return
        account.claim = self._new_id("CLM")
        account.last_payment = None
        _, invoice_id, billed = overdue[-1]
        amount = max(100, int(min(billed, self._overdue[i]) * self._between(0.3, 1.0)) // 100 * 100)
        claim = {"claim_id": account.claim}
        self._emit(at, i, "crm", "claim.opened", claim | {"invoice_id": invoice_id, "amount": amount})
        self._at(self._office(at, 1440 * self._between(8, 20)), self._settle, i, amount)

    def _settle(self, at: int, i: int, amount: int) -> None:
        account = self.accounts[i]
        is_upheld = self._chance(0.4)
        claim = {"claim_id": account.claim, "outcome": "upheld" if is_upheld else "rejected"}
        account.last_payment = None
        if account.is_closed:
            return
        self._emit(at, i, "crm", "claim.closed", claim)
        if is_upheld:
            self.books.credited += amount
            self._move(i, amount)

    def _net(self, at: int, i: int) -> None:
        amount = max(100, int(self._overdue[i] * self._between(0.3, 1.0)) // 100 * 100)
        document = self._new_id("ACT")
        data = {"netting_id": f"NET-{document}", "amount": amount, "document": document}
        self._emit(at, i, "erp", "netting.agreed", data)
        self.books.netted += amount
        self.accounts[i].last_payment = None
        self._move(i, amount)
        if self.accounts[i].ledger == "balance":
            self._snapshot(at, i)

    def _agree_instalments(self, at: int, i: int) -> None:
        account = self.accounts[i]
        part = -(-self._overdue[i] // 3)
        days = [self.today + 10, self.today + 20, self.today + 30]
        parts = [{"pay_by": _iso(day), "amount": part} for day in days]
        self._emit(at, i, "crm", "instalments.agreed", {"schedule_id": self._new_id("SCH"), "parts": parts})
        account.agreed_until = days[-1]
        for day in days:
            if self._chance(0.85):
                self._at(self.zone.instant(day, 15 * 3600), self._pay_part, i, part)

    def _pay_part(self, at: int, i: int, part: int) -> None:
        if self.accounts[i].balance <= -part and not self.accounts[i].is_closed:
            self._receive_money(at, i, part)

    def _hold(self, at: int, i: int) -> None:
        hold = {"hold_id": self._new_id("HLD")}
        until = self.today + int(self._between(14, 30))
        self._emit(at, i, "crm", "hold.placed", hold | {"until": _iso(until), "reason": "in hospital"})
        self.accounts[i].agreed_until = until
        if self._chance(0.3):
            self._at(at + 7 * DAY, self._emit, i, "crm", "hold.lifted", hold)

    def _change_class(self, at: int, i: int) -> None:
        account = self.accounts[i]
        account.revenue_class = {"A": "B", "B": "A", "C": "B"}[account.revenue_class]
        self._emit(at, i, "crm", "account.updated", {"attributes": {"revenue_class": account.revenue_class}})

    # Managers.

    def _actor(self, role: str, i: int) -> str:
        if role == "specialist" and self.accounts[i].manager is not None:
            return self.accounts[i].manager or ""
        return STAFF[role][int(self._moments.integers(len(STAFF[role])))]

    def _call_in(self, at: int, i: int) -> None:
        if i in self._moved:  # the engine's answer is not known yet
            return
        account = self.accounts[i]
        actor = self._actor("specialist", i)
        said = {"outcome": "promises to pay", "note": "asks for the service back"}
        self._emit(at, i, "crm", "contact.made", {"kind": "call", "direction": "in", "actor": actor} | said)
        self._promise(at, i)
        if account.ordered and self._chance(0.4):
            measure = list(account.ordered.values())[-1]
            lifted = {"measure": measure, "actor": actor, "note": "until the promised day"}
            self._emit(at, i, "crm", "restriction.lifted", lifted)

    def _call_out(self, at: int, i: int) -> None:
        actor = self._actor("specialist", i)
        said = {"outcome": "reached", "note": "called while on the account for another reason"}
        self._emit(at, i, "crm", "contact.made", {"kind": "call", "direction": "out", "actor": actor} | said)
        self._lift[i] = min(_LIFT_MAX, self._lift[i] + _LIFT["call"])

    def _promise(self, at: int, i: int) -> None:
        pay_by = self.today + int(self._between(3, 8))
        data = {"promise_id": self._new_id("PRM"), "amount": self._overdue[i], "pay_by": _iso(pay_by)}
        self._emit(at, i, "crm", "promise.made", data)
        self.accounts[i].agreed_until = pay_by
        if self._chance(0.65):
            paid_at = self.zone.instant(pay_by - int(self._between(0, 2)), 18 * 3600)
            self._at(max(at + HOUR, paid_at), self._pay, i, 1.0)

    def _take_task(self, i: int, task: dict[str, Any], at: int) -> None:
        match task["why"]:
            case "approval":
                self._at(self._office(at, self._between(60, 1200)), self._decide, i, task)
            case "measure":
                self._at(self._office(at, self._between(30, 900)), self._call, i, task)
            case "failed":
                self._at(self._office(at, self._between(15, 120)), self._see_to, i, task)

    def _decide(self, at: int, i: int, task: dict[str, Any]) -> None:
        if i in self._moved:
            self._at(at + HOUR, self._decide, i, task)
        elif task["task_id"] in self._tasks and self._overdue[i] > 0:
            answer, note = ("rejected", "let us talk first") if self._chance(0.2) else ("approved", "two months unpaid")
            data = {"command_id": task["command_id"], "actor": self._actor("head", i), "note": note}
            self._emit(at, i, "crm", f"measure.{answer}", data)

    def _call(self, at: int, i: int, task: dict[str, Any]) -> None:
        if i in self._moved:
            self._at(at + HOUR, self._call, i, task)
        elif task["task_id"] in self._tasks and self._overdue[i] > 0:
            actor = self._actor("specialist", i)
            promises = self._chance(0.5)
            said = {"actor": actor, "outcome": "promises to pay" if promises else "no answer", "note": "called"}
            self._emit(at, i, "crm", "contact.made", {"kind": "call", "direction": "out"} | said)
            self._emit(at, i, "crm", "task.done", {"task_id": task["task_id"]} | said)
            self._lift[i] = min(_LIFT_MAX, self._lift[i] + _LIFT["task"])
            if promises:
                self._promise(at, i)

    def _see_to(self, at: int, i: int, task: dict[str, Any]) -> None:
        """Somebody does by hand what a system did not, and closes the task if there is one."""
        actor = self._actor("specialist", i)
        if task["measure"] in self._restores:
            self._answer(at, i, "restore", task["measure"], task["command_id"], 1.0)
        if task.get("task_id") in self._tasks:
            data = {"task_id": task["task_id"], "actor": actor, "outcome": "seen to", "note": "done by hand"}
            self._emit(at, i, "crm", "task.done", data)

    # The systems that execute commands.

    def _execute(self, i: int, command: dict[str, Any], at: int) -> None:
        account = self.accounts[i]
        kind, measure, target = command["kind"], command["measure"], command["target"]
        if kind == "restrict":
            account.ordered[_service(measure)] = measure
        elif kind == "restore":
            self._restores.add(measure)
            account.ordered.pop(_service(measure), None)
        fastest, slowest, fails, keeps_silent = _ANSWERS[target]
        # One after the other: a service that is given back at once must not be taken away after that.
        answer_at = max(at + int(self._between(fastest, slowest) * SECOND), account.busy_until.get(target, 0) + SECOND)
        account.busy_until[target] = answer_at
        luck = float(self._moments.random()) - fails
        if 0 <= luck < keeps_silent:
            luck = float("nan")
        heappush(self._answers, answer_at)
        self._at(answer_at, self._answer, i, kind, measure, command["command_id"], luck)

    def _answer(self, at: int, i: int, kind: str, measure: str, command_id: str, luck: float) -> None:
        """``luck`` below zero: it failed; not a number: done, and nobody is told."""
        account = self.accounts[i]
        service = _service(measure)
        if luck < 0:
            if kind == "restrict":
                account.ordered.pop(service, None)
            self._emit(at, i, "systems", "measure.failed", {"command_id": command_id, "detail": "equipment is busy"})
            return
        if kind == "restrict":
            account.off.add(service)
            if self._chance(0.3 * _RESPONSE[account.temper]):
                self._at(at + int(self._between(0.5, 9) * HOUR), self._pay, i, 1.0)
        elif kind == "restore":
            account.off.discard(service)
        elif kind == "terminate":
            account.has_contract = False
            self._at(at + 20 * DAY, self._close, i)
        self._lift[i] = min(_LIFT_MAX, self._lift[i] + _LIFT.get(kind, 0.0))
        if luck >= 0:
            self._emit(at, i, "systems", "measure.completed", {"command_id": command_id, "detail": "done"})

    def _close(self, at: int, i: int) -> None:
        self._emit(at, i, "billing", "account.closed", {"reason": "the contract was terminated"})
        self.accounts[i].is_closed = True


def _population(rng: np.random.Generator, count: int) -> list[Account]:
    temper = rng.choice(len(_SHARES), count, p=_SHARES)
    kind = rng.choice(3, count, p=[0.77, 0.15, 0.08])
    region = rng.choice(_REGIONS[0], count, p=_REGIONS[1])
    revenue_class = rng.choice(["A", "B", "C"], count, p=[0.12, 0.28, 0.6])
    charge = rng.lognormal(np.where(kind == 2, 9.0, 6.5), 0.45) * 100
    cycle = rng.integers(1, 29, count)
    return [
        Account(
            id=f"ACC-{1001 + i}",
            party="organisation" if kind[i] == 2 else "person",
            ledger="balance" if kind[i] == 1 else "invoices",
            region=str(region[i]),
            revenue_class=str(revenue_class[i]) if kind[i] == 2 else "C",
            charge=int(charge[i]) // 100 * 100,
            cycle=int(cycle[i]),
            temper=int(temper[i]),
        )
        for i in range(count)
    ]


def _service(measure: str) -> str:
    """``block-internet`` and ``unblock-internet`` are about the same thing."""
    return measure.partition("-")[2]


def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()


def _rfc3339(at: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).isoformat(timespec="milliseconds")
