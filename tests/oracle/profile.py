"""The state of one debt profile, and what can be read from it at an instant."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from .instants import Instant
from .ledger import BalanceLedger, InvoiceLedger, Item, Money, oldest_first
from .policy import Cap, Measure, Plan, Policy, Prevention


@dataclass(eq=False)
class Payment:
    """A payment or a netting."""

    amount: int
    number: int  # of the event
    money: Money | None  # what it paid in the ledger `invoices`
    reversed: bool = False


@dataclass(eq=False)
class Claim:
    invoice_id: str
    amount: int
    open: bool = True


@dataclass(eq=False)
class Promise:
    promise_id: str
    amount: int
    pay_by: date
    made_at: Instant
    number: int


@dataclass(eq=False)
class Schedule:
    schedule_id: str
    parts: list[tuple[date, int]]
    agreed_at: Instant
    number: int

    @property
    def total(self) -> int:
        return sum(amount for _, amount in self.parts)


@dataclass(eq=False)
class Run:
    number: int
    plan: Plan
    opened_at: Instant
    fired: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    last_fired_on: date | None = None  # inherited from the run it was switched from
    greatest_day: int | None = None  # likewise
    amended_skips: set[str] = field(default_factory=set)
    amended_days: dict[str, int] = field(default_factory=dict)
    restrictions: list["Restriction"] = field(default_factory=list)
    outcome: str | None = None
    is_cleared: bool = False  # overdue has been at most max_overdue, at its end or since
    successor: "Run | None" = None

    def is_done_with(self, measure: Measure) -> bool:
        name = measure.name
        return name in self.fired or name in self.skipped or name in self.amended_skips

    def day_of(self, measure: Measure) -> int:
        return self.amended_days.get(measure.name, measure.day)

    def has_in_its_plan(self, measure: Measure) -> bool:
        return measure in self.plan.measures


@dataclass(eq=False)
class Command:
    command_id: str
    measure: Measure | None  # none for reversals
    data: dict[str, Any]
    run: Run | None
    confirm_within: Fraction | None
    retries_left: int
    last_sent: Instant
    confirmed: bool = False
    reported_failed: bool = False  # of the last attempt
    given_up: bool = False
    is_to_be_repeated: bool = False  # a contact that waits for the contact hours to be sent again
    restriction: "Restriction | None" = None
    restore_due: Instant | None = None  # of a reversal: confirmed by then, or reported


@dataclass(eq=False)
class Restriction:
    """A restriction that was requested, once or several times, and is reversed once."""

    measure: Measure
    commands: list[Command]
    lifted: bool = False

    @property
    def is_to_be_reversed(self) -> bool:
        """Requested, not yet lifted, and not reported failed (one whose outcome is unknown is)."""
        reported_failed = all(command.reported_failed for command in self.commands)
        return not self.lifted and not reported_failed and self.measure.reverse is not None


@dataclass(eq=False)
class Task:
    task_id: str
    measure: str
    command_id: str
    why: str
    run: Run | None


@dataclass(eq=False)
class Waiting:
    """A measure that waits for its approval, or (ordered or approved) for contact rules and the end of a hold."""

    measure: Measure
    run: Run | None
    reason: str  # `plan` or `ordered`
    command_id: str | None = None  # given when its approval was asked for
    for_approval: bool = False


class Profile:
    """One profile. Methods here only read, or say something to the world; what happens stands in other files."""

    def __init__(self, subject: str, policy: Policy, confirm: bool) -> None:
        self.subject = subject
        self.policy = policy
        self.confirm = confirm
        self.out: list[tuple[Instant, dict[str, Any]]] = []

        self.known = False
        self.closed = False
        self.party = ""
        self.projection = ""
        self.ledger_kind = "invoices"
        self.own_attributes: dict[str, Any] = {}
        self.segment: str | None = None
        self.service_segment: str | None = None
        self.assigned_plan: str | None = None
        self.manager: str | None = None
        self.group: str | None = None

        self.invoices = InvoiceLedger()
        self.account = BalanceLedger()
        self.sequences: dict[str, int] = {}
        self.payments: dict[str, Payment] = {}
        self.claims: dict[str, Claim] = {}
        self.holds: dict[str, date] = {}
        self.promise: Promise | None = None
        self.promise_ids: set[str] = set()
        self.broken_promises = 0
        self.schedule: Schedule | None = None
        self.schedule_ids: set[str] = set()

        self.runs: list[Run] = []
        self.run: Run | None = None
        self.no_new_run = False  # after terminate, write_off or place
        self.commands: dict[str, Command] = {}
        self.command_ids: list[str] = []  # all that were ever given
        self.loose_restrictions: list[Restriction] = []  # ordered without a run
        self.tasks: dict[str, Task] = {}  # open ones
        self.waiting: list[Waiting] = []
        self.contacts: list[tuple[date, str]] = []
        self.disarmed: set[Prevention] = set()
        self.prevention_done: set[tuple[Prevention, Item]] = set()
        self.prevention_waiting: list[tuple[Prevention, Item | None]] = []

    # What is said.

    def publish(self, type_: str, now: Instant, **data: Any) -> None:
        self.out.append((now, {"type": type_, "data": data}))

    # What is owed.

    @property
    def items(self) -> list[Item]:
        return self.invoices.items if self.ledger_kind == "invoices" else self.account.items

    @property
    def balance(self) -> int | None:
        return self.invoices.balance if self.ledger_kind == "invoices" else self.account.balance

    @property
    def debt(self) -> int:
        return sum(item.left for item in self.items)

    def paid_since(self, number: int) -> int:
        """Payments and nettings since an event, less those reversed."""
        return sum(p.amount for p in self.payments.values() if p.number > number and not p.reversed)

    def collectible(self) -> list[tuple[Item, int]]:
        """What is left of each item, less its open claims, less what a kept instalment schedule covers."""
        covered = 0
        if self.schedule is not None:
            covered = max(0, self.schedule.total - self.paid_since(self.schedule.number))
        result = []
        for item in oldest_first(self.items):
            claimed = sum(c.amount for c in self.claims.values() if c.open and c.invoice_id == item.item_id)
            amount = max(0, item.left - claimed)
            by_schedule = min(amount, covered)
            covered -= by_schedule
            result.append((item, amount - by_schedule))
        return result

    def overdue_items(self, now: Instant) -> list[tuple[Item, int]]:
        """Overdue items of which something is collectible, the oldest first."""
        today = self.policy.zone.date_of(now)
        return [(item, amount) for item, amount in self.collectible() if amount > 0 and today > item.due]

    def overdue(self, now: Instant) -> int:
        return sum(amount for _, amount in self.overdue_items(now))

    def oldest_due(self, now: Instant) -> date | None:
        items = self.overdue_items(now)
        return items[0][0].due if items else None

    def days_past_due(self, now: Instant) -> int:
        oldest = self.oldest_due(now)
        return 0 if oldest is None else (self.policy.zone.date_of(now) - oldest).days

    # Who it is.

    @property
    def attributes(self) -> dict[str, Any]:
        """Its own attributes, and the defaults of those it has not."""
        defaults = {n: a.default for n, a in self.policy.attributes.items() if a.default is not None}
        return defaults | self.own_attributes

    @property
    def plan(self) -> Plan:
        """The plan that works it: chosen by a manager, or by its segment."""
        if self.assigned_plan is not None:
            return self.policy.plans[self.assigned_plan]
        segment = next(segment for segment in self.policy.segments if segment.name == self.segment)
        return self.policy.plans[segment.plan]

    @property
    def group_by_rule(self) -> str | None:
        """The group of managers of its service segment."""
        return next((s.group for s in self.policy.service_segments if s.name == self.service_segment), None)

    def names_for_segments(self) -> dict[str, Any]:
        return {
            "party": self.party,
            "projection": self.projection,
            "ledger": self.ledger_kind,
            "currency": self.policy.currency,
            "attributes": self.attributes,
        }

    def names_for_measures(self, now: Instant) -> dict[str, Any]:
        return self.names_for_segments() | {
            "balance": self.balance,
            "debt": self.debt,
            "overdue": self.overdue(now),
            "days_past_due": self.days_past_due(now),
            "open_items": sum(1 for item in self.items if item.is_open),
            "broken_promises": self.broken_promises,
            "segment": self.segment,
        }

    # When something may happen.

    def hold_end(self) -> Instant | None:
        """The end of the last of its moratoria and its promise."""
        ends = [self.policy.zone.end_of(until) for until in self.holds.values()]
        if self.promise is not None:
            ends.append(self.policy.zone.end_of(self.promise.pay_by))
        return max(ends, default=None)

    def is_protected(self, measure: Measure) -> bool:
        return measure.is_contact and self.party in self.policy.protected_parties

    def cap_is_reached(self, kind: str, day: date) -> bool:
        """Whether one more contact of this kind on this local day would exceed a cap."""
        return any(_exceeds(cap, self.contacts, day) for cap in self.policy.caps if cap.kind == kind)

    def open_restrictions(self) -> Iterator[Restriction]:
        """Those that can be given back, the first first: of the run, then those ordered without a run."""
        of_run = self.run.restrictions if self.run is not None else []
        for restriction in [*of_run, *self.loose_restrictions]:
            if restriction.is_to_be_reversed:
                yield restriction


def _exceeds(cap: Cap, contacts: list[tuple[date, str]], day: date) -> bool:
    for days, limit in ((1, cap.per_day), (7, cap.per_week), (30, cap.per_month)):
        if limit is not None:
            made = sum(1 for on, kind in contacts if kind == cap.kind and 0 <= (day - on).days < days)
            if made + 1 > limit:
                return True
    return False
