"""What the domain's tests are told in: a policy written down in code, a debtor, time that passes, and what came of it.

Most stories play in Moscow in March 2026, whose 2nd is a Monday: `at("03-06 10:00")` is the Friday. The debtor is ``A``
and owes one invoice, due on the 2nd, so that day 1 of a plan is Tuesday the 3rd.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from domain import events as e
from domain import messages as m
from domain.calendar import BusinessCalendar, Zone
from domain.policy import (
    DEFAULT_TARGETS,
    Cap,
    Condition,
    ConditionFailed,
    ContactHours,
    ContactRules,
    Measure,
    Plan,
    Policy,
    Segment,
    Terms,
)
from domain.profile import Profile
from domain.record import Record
from domain.snapshot import freeze
from domain.work import work

MOSCOW: Final = Zone("Europe/Moscow")
ACCEPTED: Final = "accepted"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


# Instants and days.


def at(text: str, zone: str = "Europe/Moscow") -> int:
    """The instant that clocks of ``zone`` show as ``2026-03-06 10:00``; ``03-06 10:00`` and ``03-06`` do as well."""
    moment = datetime.fromisoformat(_with_year(text)).replace(tzinfo=ZoneInfo(zone))
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def on(text: str) -> int:
    """The day ``2026-03-06``, or ``03-06``."""
    return date.fromisoformat(_with_year(text)).toordinal()


def shown(instant: int, zone: str = "Europe/Moscow") -> str:
    """An instant as stories show it: ``03-06 10:00``, with seconds where there are any."""
    local = (_EPOCH + timedelta(microseconds=instant)).astimezone(ZoneInfo(zone))
    if local.second or local.microsecond:
        return f"{local:%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".")
    return f"{local:%m-%d %H:%M}"


def clock(text: str) -> int:
    """A time of day ``10:00`` in seconds."""
    hours, minutes = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60


def _with_year(text: str) -> str:
    return text if text[4:5] == "-" else f"2026-{text}"


# Rules.


class Rule:
    """A condition that is a function of the facts."""

    def __init__(self, source: str, truth: Callable[[Mapping[str, Any]], bool]) -> None:
        self.source = source
        self._truth = truth

    def holds(self, facts: Mapping[str, object]) -> bool:
        return self._truth(facts)


class Broken:
    """A condition that cannot be evaluated."""

    source = "1 / 0"

    def holds(self, facts: Mapping[str, object]) -> bool:
        raise ConditionFailed("division by zero")


def overdue_of(amount: int) -> Condition:
    """Whether at least ``amount`` is overdue."""
    return Rule(f"overdue >= {amount}", lambda facts: facts["overdue"] >= amount)


def attribute(name: str, value: object) -> Condition:
    """Whether the profile has this attribute."""
    return Rule(f"attributes.{name} == {value!r}", lambda facts: facts["attributes"].get(name) == value)


# Policies.


def measure(name: str, kind: str, day: int = 1, at: str = "10:00", **more: Any) -> Measure:
    """A measure of any kind, with the kind's own target."""
    return Measure(name=name, kind=kind, target=DEFAULT_TARGETS[kind], day=day, at=clock(at), **more)


def block(day: int = 1, at: str = "10:00", name: str = "block", **more: Any) -> Measure:
    """Takes a service away; ``unblock`` gives it back."""
    return measure(name, "restrict", day, at, **{"reverse": f"un{name}", **more})


def ring(day: int = 1, at: str = "10:00", name: str = "ring", **more: Any) -> Measure:
    """An automatic call: a contact."""
    return measure(name, "call", day, at, **more)


def remind(day: int = 1, at: str = "10:00", name: str = "remind", **more: Any) -> Measure:
    """A text message: a contact."""
    return measure(name, "notify", day, at, **more)


def file(day: int = 1, at: str = "10:00", name: str = "file", **more: Any) -> Measure:
    """A packet of documents for the lawyers: neither a contact nor a restriction."""
    return measure(name, "legal", day, at, **more)


def terminate(day: int = 1, at: str = "10:00", name: str = "terminate", **more: Any) -> Measure:
    """Ends the contract, and the run with it."""
    return measure(name, "terminate", day, at, **more)


def plan(name: str, *measures: Measure, gap: int = 1) -> Plan:
    """A plan of these measures."""
    return Plan(name=name, measures=measures, min_gap_days=gap)


def contact(workday: str = "", dayoff: str = "", caps: Sequence[Cap] = (), parties: str = "person") -> ContactRules:
    """Contact hours such as ``08:00-22:00`` (empty: at any time), and caps."""
    return ContactRules(
        workday=_hours(workday), dayoff=_hours(dayoff), caps=tuple(caps), parties=frozenset(parties.split())
    )


def _hours(text: str) -> ContactHours | None:
    if not text:
        return None
    opens, closes = text.split("-")
    return ContactHours(opens=clock(opens), closes=clock(closes))


def policy(*measures: Measure, gap: int = 1, plans: Sequence[Plan] = (), zone: Zone = MOSCOW, **more: Any) -> Policy:
    """A policy with one plan of these measures for everyone; further ``plans`` are there to be chosen."""
    everyone = plan("plan", *measures, gap=gap)
    fields: dict[str, Any] = {
        "name": "test",
        "version": 1,
        "zone": zone,
        "calendar": BusinessCalendar(),
        "currency": "RUB",
        "plans": {each.name: each for each in (everyone, *plans)},
        "segments": (Segment(name="everyone", plan="plan"),),
        "terms": {"organisation": Terms(days_after=5), "person": Terms(day_of_month=5)},
    }
    return Policy(**{**fields, **more})


# Stories.


class Story:
    """A debtor under a policy. ``now`` stands still while messages come; `until` lets time pass and timers fire."""

    def __init__(
        self,
        policy: Policy,
        party: str = "person",
        ledger: str = "invoices",
        since: str = "03-01 12:00",
        attributes: Mapping[str, m.AttributeValue] | None = None,
        confirms: bool = False,
    ) -> None:
        self.policy = policy
        self.profile = Profile("A")
        self.now = at(since, policy.zone.name)
        self.facts: list[Record] = []
        self.confirms = confirms
        self._ids = 0
        assert self.tell(m.AccountUpdated, "account", party, "RUB", ledger, None, dict(attributes or {})) == ACCEPTED

    def tell(self, make: Callable[..., Record], *values: object) -> str:
        """Sends a message at this instant: ``accepted``, or the reason of its refusal, which changes nothing."""
        before = freeze(self.profile), list(self.facts)
        refusal = work(self.profile, make(self.now, *values), self.policy, self.facts, self.confirms)
        if refusal is None:
            return ACCEPTED
        assert (freeze(self.profile), self.facts) == before
        return refusal.reason

    def until(self, when: str) -> Self:
        """Time passes: what is due before ``when`` happens, each thing at its instant."""
        return self.until_instant(at(when, self.policy.zone.name))

    def until_instant(self, instant: int) -> Self:
        assert instant >= self.now, "time does not go back"
        while self.profile.wake_at < instant:
            wake_at = self.profile.wake_at
            assert work(self.profile, m.Wake(wake_at), self.policy, self.facts, self.confirms) is None
            assert self.profile.wake_at > wake_at, "a profile that has woken sleeps again"
        self.now = instant
        return self

    def under(self, policy: Policy) -> Self:
        """Another policy holds from now on; the profile hears of it with its next message or timer."""
        self.policy = policy
        return self

    # What is told most often.

    def owes(self, amount: int = 1000, due: str | None = "03-02", invoice: str = "I1", issued: str = "02-20") -> Self:
        assert self.tell(m.InvoiceIssued, invoice, amount, on(issued), on(due) if due else None) == ACCEPTED
        return self

    def pays(self, amount: int = 1000, payment: str = "") -> Self:
        assert self.tell(m.PaymentReceived, payment or self._new_id("P"), amount) == ACCEPTED
        return self

    def has(self, balance: int, sequence: int = 0, source: str = "billing") -> Self:
        """A snapshot of the balance; numbered in their order where no sequence is given."""
        number = sequence or int(self._new_id(""))
        assert self.tell(m.BalanceChanged, balance, number, source) == ACCEPTED
        return self

    def order(self, name: str, actor: str = "anna") -> str:
        return self.tell(m.MeasureOrdered, name, actor, "by hand")

    def approve(self, command_id: str, actor: str = "hanna") -> str:
        return self.tell(m.MeasureApproved, command_id, actor, "yes")

    def reject(self, command_id: str, actor: str = "hanna") -> str:
        return self.tell(m.MeasureRejected, command_id, actor, "no")

    def lift(self, name: str, actor: str = "anna") -> str:
        return self.tell(m.RestrictionLifted, name, actor, "by hand")

    def confirm(self, command_id: str) -> str:
        return self.tell(m.MeasureCompleted, command_id, "")

    def fail(self, command_id: str) -> str:
        return self.tell(m.MeasureFailed, command_id, "no such port")

    def amend(self, name: str, skip: bool | None = None, day: int | None = None) -> str:
        return self.tell(m.PlanAmended, ((name, skip, day),), "anna", "by hand")

    def _new_id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}{self._ids}"

    # What came of it.

    def told(self, *kinds: type[Record]) -> list[str]:
        """The events of these kinds, one line each."""
        zone = self.policy.zone.name
        return [f"{shown(fact.at, zone)} {line(fact)}" for fact in self.facts if isinstance(fact, kinds)]

    @property
    def commands(self) -> list[str]:
        """All that was commanded: when and what."""
        return self.told(e.MeasureRequested)

    @property
    def runs(self) -> list[str]:
        """Runs that opened and closed, and what was commanded."""
        return self.told(e.RunOpened, e.RunClosed, e.MeasureRequested)

    @property
    def tasks(self) -> list[str]:
        """Tasks that opened and closed."""
        return self.told(e.TaskOpened, e.TaskClosed)

    @property
    def sent(self) -> list[e.MeasureRequested]:
        """The commands themselves."""
        return [fact for fact in self.facts if isinstance(fact, e.MeasureRequested)]

    def names(self) -> list[str]:
        """The ids of all commands, as they left."""
        return [command.command_id for command in self.sent]


def line(fact: Record) -> str:
    """What an event says, in a few words."""
    match fact:
        case e.MeasureRequested():
            reason = "" if fact.reason == "plan" else f" ({fact.reason})"
            return fact.measure + reason + (f" (attempt {fact.attempt})" if fact.attempt > 1 else "")
        case e.RunOpened():
            return f"run {fact.number} opens" + ("" if fact.plan == "plan" else f" under {fact.plan}")
        case e.RunClosed():
            return f"run {fact.run_id.partition('/')[2]} {fact.outcome}"
        case e.MeasureSkipped():
            return f"{fact.measure} skipped: {fact.why}"
        case e.TaskOpened():
            return f"{fact.why} task {fact.task_id} opens"
        case e.TaskClosed():
            return f"{fact.why} task {fact.task_id} {fact.outcome}"
        case e.PromiseKept() | e.PromiseBroken():
            return f"{fact.promise_id} {'kept' if isinstance(fact, e.PromiseKept) else 'broken'}"
        case e.InstalmentsBroken() | e.InstalmentsCompleted():
            return f"{fact.schedule_id} {'broken' if isinstance(fact, e.InstalmentsBroken) else 'completed'}"
        case e.SegmentChanged():
            return f"{fact.previous_policy_segment} -> {fact.policy_segment}"
        case e.LedgerMismatch():
            return f"ours {fact.ledger}, theirs {fact.reported}"
        case e.CommandFailed():
            return f"{fact.command_id} failed{'' if fact.reported else '?'}"
        case e.ServiceRestoreOverdue():
            return f"{fact.measure} is overdue"
        case _:
            return type(fact).__name__
