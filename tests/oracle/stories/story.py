"""What a story is made of, and how an outgoing event is told in one line.

Times such as `03-02 10:00` are of the year 2024 in UTC, the zone of most stories. The one debtor is `A`. Events are
numbered as they stand: the first has the id `e1`.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

COMMANDS = ("dms.measure.requested.v1",)
RUNS = ("dms.run.opened.v1", "dms.run.closed.v1")
TASKS = ("dms.task.opened.v1", "dms.task.closed.v1")
REJECTIONS = ("dms.message.rejected.v1",)

POLICY = """
[policy]
name = "story"
version = 1
timezone = "{zone}"
currency = "EUR"
{calendar}
{extra}
[[segment]]
name = "all"
plan = "p"

{plans}
"""

HOURS = """
[contact]
hours = { workday = "08:00-20:00", dayoff = "10:00-18:00" }
parties = ["person"]
"""


@dataclass(frozen=True)
class Event:
    time: str
    type: str
    data: dict[str, Any]
    id: str | None = None
    subject: str = "A"
    sequence: str | None = None


@dataclass(frozen=True)
class Story:
    """`expected` are lines as `told` tells them, of the types in `watch`, in order of time."""

    name: str
    sentence: str
    plans: str
    events: tuple[Event, ...]
    until: str
    expected: tuple[str, ...]
    extra: str = ""
    zone: str = "UTC"
    calendar: str = ""
    confirm: bool = True
    watch: tuple[str, ...] = COMMANDS

    @property
    def policy(self) -> str:
        """The whole policy as TOML."""
        calendar = f'calendar = "{self.calendar}"' if self.calendar else ""
        return POLICY.format(zone=self.zone, calendar=calendar, extra=self.extra, plans=self.plans)

    @property
    def lines(self) -> list[str]:
        """The incoming events as JSON lines."""
        lines = []
        for number, event in enumerate(self.events, start=1):
            raw = {
                "specversion": "1.0",
                "id": event.id or f"e{number}",
                "source": "story",
                "type": f"dms.{event.type}.v1",
                "subject": event.subject,
                "time": instant(event.time),
                "data": event.data,
            }
            if event.sequence is not None:
                raw["sequence"] = event.sequence
            lines.append(json.dumps(raw))
        return lines

    @property
    def until_instant(self) -> str:
        return instant(self.until)


def instant(short: str) -> str:
    """`03-02 10:00` is 2024-03-02T10:00:00Z; `03-02 10:00:01.5` has seconds; anything longer stands for itself."""
    if len(short) > 20 or short[4:5] == "-":
        return short
    day, clock = short.split(" ")
    return f"2024-{day}T{clock if clock.count(':') == 2 else clock + ':00'}Z"


def measure(name: str, kind: str, day: int, rest: str = "", plan: str = "p") -> str:
    """A measure of a plan as TOML; more of its keys, one a line, in `rest`."""
    return f'[[plans.{plan}.measure]]\nname = "{name}"\nkind = "{kind}"\nday = {day}\n{rest}\n'


BLOCK = measure("block", "restrict", 1, 'reverse = "unblock"')


def account(time: str = "02-26 12:00", **more: Any) -> Event:
    data = {"projection": "account", "party": "person", "currency": "EUR"} | more
    return Event(time, "account.updated", data)


def invoice(
    time: str = "02-26 12:00", amount: int = 100, due: str | None = "2024-03-01", name: str = "I1", issued: str = ""
) -> Event:
    data: dict[str, Any] = {"invoice_id": name, "amount": amount, "issued_on": issued or instant(time)[:10]}
    if due is not None:
        data["due_on"] = due
    return Event(time, "invoice.issued", data)


def payment(time: str, amount: int = 100, name: str = "P1") -> Event:
    return Event(time, "payment.received", {"payment_id": name, "amount": amount})


def balance(time: str, amount: int, sequence: int) -> Event:
    return Event(time, "balance.changed", {"balance": amount}, sequence=str(sequence))


def by_hand(time: str, type_: str, **data: Any) -> Event:
    return Event(time, type_, {**data, "actor": "petrov", "note": "by hand"})


def told(outgoing: dict[str, Any]) -> str:
    """One outgoing event in one line: when, what, of what."""
    data, type_ = outgoing["data"], outgoing["type"]
    what: str = type_.removeprefix("dms.").removesuffix(".v1")
    match type_:
        case "dms.measure.requested.v1":
            what = f"{data['command_id']} {data['reason']}"
        case "dms.run.opened.v1":
            what = f"run {data['run_id']} opened"
        case "dms.run.closed.v1":
            what = f"run {data['run_id']} {data['outcome']}"
        case "dms.task.opened.v1" | "dms.task.closed.v1":
            what = f"task {what.removeprefix('task.')} {data['command_id']} {data['why']}"
        case "dms.message.rejected.v1":
            what = f"rejected {data['id']} {data['reason']}"
        case "dms.promise.kept.v1" | "dms.promise.broken.v1":
            what = f"promise {data['promise_id']} {what.removeprefix('promise.')}"
        case "dms.instalments.broken.v1" | "dms.instalments.completed.v1":
            what = f"instalments {data['schedule_id']} {what.removeprefix('instalments.')}"
        case "dms.ledger.mismatch.v1":
            what = f"mismatch {data['ledger']} {data['reported']}"
        case "dms.segment.changed.v1":
            what = f"segment {data['previous_policy_segment']} -> {data['policy_segment']}"
    return f"{_short(outgoing['time'])} {what}"


def _short(time: str) -> str:
    """An instant in UTC, as stories write it."""
    moment = datetime.fromisoformat(time).astimezone(UTC)
    seconds = "" if (moment.second, moment.microsecond) == (0, 0) else moment.strftime(":%S")
    return moment.strftime("%m-%d %H:%M") + seconds
