"""Random lives of a debtor for property tests: a policy, what happens to whom it is applied, and everything told of it.

A life is drawn as a number, from which its policy is made, and as bytes, four for each step. Steps are read against the
debtor as it is then: "reverse a payment" means one of its payments, or now and then one that never was. Time moves
forward between the steps, often exactly to a deadline or a midnight, and timers fire on the way. Drawing bytes rather
than choices takes 2 ms for a life where it took 45, and shrinks as well.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st

from domain import messages as m
from domain.calendar import DAY, HOUR, MINUTE, NEVER, SECOND, BusinessCalendar, Zone
from domain.decision import Refusal
from domain.policy import (
    Attribute,
    Cap,
    Manager,
    Measure,
    Plan,
    Policy,
    Prevention,
    Segment,
    ServiceSegment,
    Terms,
)
from domain.profile import Profile
from domain.record import Record
from domain.work import work
from tests.domain.world import attribute, clock, contact, measure, overdue_of

ZONES: Final = [Zone("Europe/Moscow"), Zone("Europe/Berlin"), Zone("America/New_York")]
AMOUNTS: Final = (1, 99, 100, 101, 250, 400, 1_000)
PEOPLE: Final = {
    who: Manager(id=who, name=who, role=role)
    for who, role in (("anna", "specialist"), ("hanna", "head"), ("adam", "administrator"))
}


# Policies.


def random_measure(chance: random.Random, name: str, day: int) -> Measure:
    """A measure of that name and day."""
    kind = chance.choice(["restrict", "restrict", "restrict", "call", "notify", "legal", "task", "terminate"])
    times = ["10:00", "12:00", "15:30"] if kind in ("call", "notify") else ["10:00", "10:00", "00:00", "17:30", "02:30"]
    more: dict[str, Any] = {}
    if kind == "restrict":
        more["reverse"] = chance.choice([f"un{name}", "restore"])
    if chance.random() < 0.2:
        more["approval"] = chance.choice(["head", "administrator"])
    if chance.random() < 0.2:
        more["when"] = overdue_of(300)
    if chance.random() < 0.4:
        more["confirm_within"] = chance.choice([10 * MINUTE, 6 * HOUR, DAY])
        more["retries"] = chance.randrange(3)
    return measure(name, kind, day, chance.choice(times), business_days=chance.random() < 0.2, **more)


def random_plan(chance: random.Random, name: str) -> Plan:
    """A plan of one to six measures; the names of all plans are the same few, so that they meet."""
    days = sorted(chance.choices([0, 1, 1, 2, 3, 5, 8, 15, 31], k=chance.randint(1, 6)))
    listed = [random_measure(chance, f"m{number}", day) for number, day in enumerate(days, start=1)]
    return Plan(name=name, measures=tuple(listed), min_gap_days=chance.choice([1, 1, 1, 0, 2]))


def random_policy(chance: random.Random) -> Policy:
    """A whole policy over the plans p and q; who has the tariff b is worked by q."""
    caps = [
        Cap(kind=kind, per_day=1, per_week=chance.choice([1, 2]), per_month=chance.choice([2, 3]))
        for kind in ("call", "notify")
    ]
    hours = chance.choice([("", ""), ("09:00-18:00", "12:00-16:00"), ("09:00-16:00", "09:00-16:00")])
    text = measure("text", "notify", at=chance.choice(["10:00", "22:00"]))
    preventions = (
        Prevention(name="due-soon", measure=text, days_before_due=chance.randrange(4)),
        Prevention(name="low", measure=text, balance_below=100, rearm_at=chance.choice([100, 300])),
    )
    min_overdue = chance.choice([1, 100, 300])
    return Policy(
        name="random",
        version=1,
        zone=chance.choice(ZONES),
        calendar=BusinessCalendar(),
        currency="RUB",
        plans={name: random_plan(chance, name) for name in ("p", "q")},
        segments=(Segment(name="b", plan="q", when=attribute("tariff", "b")), Segment(name="a", plan="p")),
        service_segments=(ServiceSegment(name="b", group="b", when=attribute("tariff", "b")),),
        attributes={"tariff": Attribute(name="tariff", type="enum", values=("a", "b"), default="a")},
        preventions=preventions if chance.random() < 0.5 else (),
        terms={"organisation": Terms(days_after=5), "person": Terms(day_of_month=5)},
        min_overdue=min_overdue,
        max_overdue=chance.choice([0, 0, min_overdue - 1]),
        restore_within=chance.choice([None, 4 * HOUR]),
        contact=contact(*hours, caps=caps, parties=chance.choice(["person", "person organisation"])),
        managers=chance.choice([None, PEOPLE]),
    )


# Steps.


class Step(NamedTuple):
    """``kind`` of what happens after ``hop``; ``a`` and ``b`` choose among what there is."""

    hop: str
    kind: str
    a: int
    b: int


_WEIGHTS: Final = {
    "invoice": 8,
    "pay": 7,
    "reverse": 3,
    "net": 1,
    "adjust": 3,
    "claim": 2,
    "settle": 2,
    "balance": 8,
    "hold": 2,
    "lift-hold": 1,
    "promise": 3,
    "instalments": 2,
    "cancel": 1,
    "contact": 2,
    "lift": 2,
    "done": 1,
    "confirm": 4,
    "fail": 4,
    "hold-command": 1,
    "release": 1,
    "withdraw": 1,
    "order": 4,
    "approve": 4,
    "reject": 1,
    "assign": 2,
    "amend": 2,
    "account": 2,
    "publish": 1,
    "manager": 1,
    "nothing": 12,
    "close": 1,
}
# Bytes shrink towards zero: towards nothing that happens, at once.
_KINDS: Final = ["nothing", *(kind for kind, weight in _WEIGHTS.items() for _ in range(weight))]
_HOPS: Final = [
    *("none", "none", "second", "hour", "hour", "day", "day", "day", "week", "month"),
    *("deadline", "deadline", "deadline", "deadline", "just after a deadline", "midnight", "midnight", "opening"),
    *("away for hours", "away for days"),
]


def steps_of(drawn: bytes) -> list[Step]:
    """Four bytes each."""
    return [
        Step(_HOPS[hop % len(_HOPS)], _KINDS[kind % len(_KINDS)], a % 8, b % 8)
        for hop, kind, a, b in zip(drawn[::4], drawn[1::4], drawn[2::4], drawn[3::4], strict=False)
    ]


# Lives.


@dataclass
class Told:
    """One message and what came of it."""

    message: Record
    policy: Policy
    facts: list[Record]
    refusal: Refusal | None


Work = Callable[[Profile, Record, Policy, list[Record]], Refusal | None]


@dataclass
class Life:
    """A debtor that lives through steps. ``work`` may be another one that watches."""

    versions: list[Policy]
    party: str
    ledger: str
    work: Work = work
    profile: Profile = field(default_factory=lambda: Profile("A"))
    told: list[Told] = field(default_factory=list)
    numbers: int = 0

    def __post_init__(self) -> None:
        self.policy = self.versions[0]
        self.now = self.policy.zone.instant(739_651, 12 * 3600)  # 2026-02-08, a Sunday; clocks change in March
        self.tell(m.AccountUpdated, "account", self.party, "RUB", self.ledger, None, {})
        if self.ledger == "balance":
            self.tell(m.BalanceChanged, 200, 1, "billing")
        else:
            self.tell(m.InvoiceIssued, "I0", 400, self.today, self.today + 1)

    @property
    def facts(self) -> list[Record]:
        return [fact for told in self.told for fact in told.facts]

    @property
    def today(self) -> int:
        return self.policy.zone.day(self.now)

    def send(self, message: Record) -> Told:
        facts: list[Record] = []
        told = Told(message, self.policy, facts, self.work(self.profile, message, self.policy, facts))
        self.told.append(told)
        return told

    def tell(self, make: Callable[..., Record], *values: object) -> None:
        self.send(make(self.now, *values))

    def until(self, instant: int) -> None:
        """Timers before ``instant`` fire, each at its own."""
        while self.profile.wake_at < instant:
            self.send(m.Wake(self.profile.wake_at))
        self.now = instant

    def live(self, steps: list[Step]) -> "Life":
        """Goes through the steps, then through two months in which nothing comes."""
        for step in steps:
            if step.hop.startswith("away"):
                self._be_away(step)
            else:
                self.until(self._after(step.hop))
                self._happen(step.kind, step.a, step.b)
        self.until(self.now + 60 * DAY)
        return self

    def _be_away(self, step: Step) -> None:
        """The engine is off: what waits is taken first, then what came due meanwhile fires under the rules of now."""
        self.now += (1 + step.a) * (5 * HOUR if step.hop == "away for hours" else 37 * HOUR)
        if self.profile.wake_at < self.now:
            self.tell(m.Lapse)
        self._happen(step.kind, step.a, step.b)
        self.tell(m.Wake)

    def _after(self, hop: str) -> int:
        zone, now = self.policy.zone, self.now
        wake_at = self.profile.wake_at
        match hop:
            case "none":
                return now
            case "second":
                return now + SECOND
            case "hour":
                return now + HOUR
            case "day":
                return now + DAY
            case "week":
                return now + 7 * DAY
            case "month":
                return now + 31 * DAY
            case "deadline":
                return max(now, wake_at) if wake_at < NEVER else now
            case "just after a deadline":
                return max(now, wake_at) + 1 if wake_at < NEVER else now
            case "opening":
                return zone.instant(zone.day(now) + 1, clock("09:00"))
            case _:
                return zone.midnight(zone.day(now) + 1)

    def _new(self, prefix: str) -> str:
        self.numbers += 1
        return f"{prefix}{self.numbers}"

    def _happen(self, kind: str, a: int, b: int) -> None:
        if kind in _MONEY:
            self._money(kind, a, b)
        elif kind in _AGREEMENTS:
            self._agreement(kind, a, b)
        elif kind == "publish":
            self.policy = replace(self.versions[a % len(self.versions)], version=self.policy.version + 1)
            self.policy.zone = self.versions[0].zone  # a debtor does not move
            self.tell(m.PolicyPublished)
        elif kind == "close":
            if a >= 6:
                self.tell(m.AccountClosed, "left")
        elif kind != "nothing":
            self._by_hand(kind, a, b)

    def _money(self, kind: str, a: int, b: int) -> None:
        ledger, amount = self.profile.ledger, AMOUNTS[a % len(AMOUNTS)]
        match kind:
            case "invoice":
                due = None if b == 7 else self.today + (-40, -3, -1, 0, 1, 3, 20)[b]
                self.tell(m.InvoiceIssued, self._new("I"), amount, self.today, due)
            case "pay":
                self.tell(m.PaymentReceived, self._new("P"), amount)
            case "net":
                self.tell(m.NettingAgreed, self._new("N"), amount, "act")
            case "reverse":
                self.tell(m.PaymentReversed, _one(list(ledger.payments), a), "bounced")
            case "adjust":
                delta = AMOUNTS[b % len(AMOUNTS)] * (1 if b == 0 else -1)
                self.tell(m.InvoiceAdjusted, _one(list(ledger.items), a), delta, "note")
            case "claim":
                self.tell(m.ClaimOpened, self._new("C"), _one(list(ledger.items), b), amount)
            case "settle":
                claims = list(ledger.claims or {})
                self.tell(m.ClaimClosed, _one(claims, a), ("upheld", "rejected")[b % 2])
            case _:
                balance = (-1_000, -400, -1, 0, 99, 100, 299, 300)[a]
                self.tell(m.BalanceChanged, balance, len(self.told) - 3 * (b == 7), "billing")

    def _agreement(self, kind: str, a: int, b: int) -> None:
        today = self.today
        match kind:
            case "hold":
                self.tell(m.HoldPlaced, f"H{a % 2}", today + (-1, 0, 1, 2, 3, 5, 10, 20)[b], "flood")
            case "lift-hold":
                self.tell(m.HoldLifted, f"H{a % 2}")
            case "promise":
                pay_by = today + (-1, 0, 1, 2, 3, 5, 10, 20)[b]
                self.tell(m.PromiseMade, self._new("PR"), AMOUNTS[a % len(AMOUNTS)], pay_by)
            case "instalments":
                parts = tuple((today + b * part - 1, AMOUNTS[(a + part) % len(AMOUNTS)]) for part in range(1 + a % 3))
                self.tell(m.InstalmentsAgreed, self._new("S"), parts)
            case _:
                schedule = self.profile.schedule
                self.tell(m.InstalmentsCancelled, schedule.schedule_id if schedule is not None and a else "S0")

    def _by_hand(self, kind: str, a: int, b: int) -> None:
        profile = self.profile
        actor = ("anna", "hanna", "adam", "adam")[b % 4]
        tasks = profile.tasks or {}
        match kind:
            case "contact":
                self.tell(m.ContactMade, ("call", "notify")[a % 2], ("out", "in")[b % 2], actor, "", "")
            case "lift":
                self.tell(m.RestrictionLifted, _one(self._restricted(), a), actor, "")
            case "done":
                self.tell(m.TaskDone, _one(list(tasks), a), actor, "done", "")
            case "confirm":
                self.tell(m.MeasureCompleted, _one(list(profile.outstanding or {}), a), "")
            case "fail":
                self.tell(m.MeasureFailed, _one(list(profile.outstanding or {}), a), "no such port")
            case "hold-command":
                self.tell(m.HoldCommand, _one(list(profile.outstanding or {}), a), "restrictions")
            case "release":
                self.tell(m.ReleaseCommand, _one(list(profile.outstanding or {}), a))
            case "withdraw":
                self.tell(m.WithdrawCommands, (_one(list(profile.outstanding or {}), a), "never"), "decided")
            case "order":
                self.tell(m.MeasureOrdered, f"m{1 + a % 5}", actor, "")
            case "approve" | "reject":
                waiting = [task.command_id for task in tasks.values() if task.why == "approval"]
                self.tell(m.MeasureApproved if kind == "approve" else m.MeasureRejected, _one(waiting, a), actor, "")
            case "assign":
                self.tell(m.PlanAssigned, ("p", "q", None, "x")[a % 4], actor, "")
            case "amend":
                change = (f"m{1 + a % 5}", (None, True, False)[b % 3], (None, 0, 2, 10)[b % 4])
                self.tell(m.PlanAmended, (change,), actor, "")
            case "account":
                self.tell(m.AccountUpdated, None, None, None, None, None, {"tariff": ("a", "b", None, "c")[a % 4]})
            case _:
                self.tell(m.ManagerAssigned, ("anna", None)[a % 2], actor, "")

    def _restricted(self) -> list[str]:
        run = self.profile.run
        restrictions = [*((run.restrictions if run is not None else None) or ()), *(self.profile.loose or ())]
        return [restriction.measure for restriction in restrictions]


_MONEY: Final = {"invoice", "pay", "net", "reverse", "adjust", "claim", "settle", "balance"}
_AGREEMENTS: Final = {"hold", "lift-hold", "promise", "instalments", "cancel"}


def _one(names: list[str], choice: int) -> str:
    """One of the names; for the last choice, or where there are none, one that never was."""
    return names[choice % len(names)] if names and choice < 7 else "never"


def begun(seed: int, ledger: str = "") -> Life:
    """The debtor of that number, who has just begun: owes an invoice from tomorrow on, or has a balance of 200."""
    chance = random.Random(seed)
    versions = [random_policy(chance), random_policy(chance)]
    party = chance.choice(["person", "person", "organisation"])
    return Life(versions, party, ledger or chance.choice(["invoices", "invoices", "balance"]))


SEEDS: Final = st.integers(0, 2**32 - 1)
STEPS: Final = st.binary(min_size=4 * 15, max_size=4 * 60).map(steps_of)
