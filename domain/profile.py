"""The debt profile: everything the engine knows of one debt, changed by `evolve` and by nothing else.

Slotted and hand-written, since a million of them live at once: a collection that most profiles never need is None
until its first use.
"""

from typing import Final

from domain.calendar import NEVER
from domain.events import MeasureRequested
from domain.ledger import Ledger
from domain.messages import AttributeValue

NO_DAY: Final = -1
"""Before every day: nothing has fired yet."""


RESERVED: Final = "?"
"""Before a name among those a run has issued: its id is kept for an approval, and nothing has left under it yet."""


class Promise:
    """A promise to pay that is neither kept nor broken yet; ``paid`` counts what came since it was made."""

    __slots__ = ("amount", "breaks_at", "holds_until", "paid", "promise_id", "since")

    def __init__(
        self, promise_id: str, amount: int, holds_until: int, breaks_at: int, since: int, paid: int = 0
    ) -> None:
        self.promise_id: Final[str] = promise_id
        self.amount: Final[int] = amount
        self.holds_until: Final[int] = holds_until
        self.breaks_at: Final[int] = breaks_at
        self.since: Final[int] = since
        self.paid: int = paid


class Schedule:
    """An instalment schedule that is kept so far. ``met`` parts (from the first) have been checked and found paid."""

    __slots__ = ("checked_from", "met", "paid", "parts", "schedule_id", "since", "total")

    def __init__(
        self,
        schedule_id: str,
        parts: tuple[tuple[int, int], ...],
        checked_from: int,
        since: int,
        paid: int = 0,
        met: int = 0,
    ) -> None:
        self.schedule_id: Final[str] = schedule_id
        self.parts: Final[tuple[tuple[int, int], ...]] = parts
        self.checked_from: Final[int] = checked_from
        self.since: Final[int] = since
        self.total: Final[int] = sum([amount for _, amount in parts])
        self.paid: int = paid
        self.met: int = met

    def covers(self) -> int:
        """What the schedule takes out of collection, over all items."""
        rest = self.total - self.paid
        return rest if rest > 0 else 0

    def due_by_part(self, part: int) -> int:
        """The sum of the parts due no later than the ``part``-th (from 0)."""
        pay_by = self.parts[part][0]
        return sum([amount for day, amount in self.parts if day <= pay_by])


class Restriction:
    """A service taken away by ``command_ids``; it is in force until ``lifted``.

    ``failed_ids`` are those that were reported failed for good, and may be confirmed after all.
    """

    __slots__ = ("command_ids", "failed_ids", "lifted", "measure", "reverse", "target")

    def __init__(
        self,
        measure: str,
        command_ids: tuple[str, ...],
        target: str,
        reverse: str | None,
        lifted: bool = False,
        failed_ids: tuple[str, ...] = (),
    ) -> None:
        self.measure: Final[str] = measure
        self.command_ids: tuple[str, ...] = command_ids
        self.target: Final[str] = target
        self.reverse: Final[str | None] = reverse
        self.lifted: bool = lifted
        self.failed_ids: tuple[str, ...] = failed_ids

    @property
    def is_in_force(self) -> bool:
        """Whether there is something to give back; where no outcome is known, there may be."""
        return not self.lifted and len(self.command_ids) > 0


class Pending:
    """A measure that waits: for a head's decision, or (``granted``) for contact hours, caps or the end of a hold.

    ``in_run``: it belongs to the run there was when it began to wait, and ends with it. ``since``: when it was granted.
    """

    __slots__ = ("command_id", "granted", "in_run", "measure", "ordered", "plan", "since")

    def __init__(
        self, measure: str, plan: str, command_id: str, ordered: bool, granted: bool, in_run: bool, since: int = 0
    ) -> None:
        self.measure: Final[str] = measure
        self.plan: Final[str] = plan
        self.command_id: Final[str] = command_id
        self.ordered: Final[bool] = ordered
        self.granted: bool = granted
        self.in_run: Final[bool] = in_run
        self.since: int = since


class Task:
    """Open work for a person; ``in_run``: it is moot when the run ends."""

    __slots__ = ("command_id", "in_run", "measure", "opened_at", "task_id", "why")

    def __init__(self, task_id: str, measure: str, command_id: str, why: str, opened_at: int, in_run: bool) -> None:
        self.task_id: Final[str] = task_id
        self.measure: Final[str] = measure
        self.command_id: Final[str] = command_id
        self.why: Final[str] = why
        self.opened_at: Final[int] = opened_at
        self.in_run: Final[bool] = in_run


class Sent:
    """A command without an outcome yet.

    At ``deadline`` it is sent again or given up; for a reversal, reported as not restored in time. ``reported``: the
    executing system said that it failed. ``settled``: it is not sent again whatever is reported (given up, or its run
    has ended). ``cured_in``: a failed restriction, and the run that was cured without giving it
    back; confirmed after all, it is. ``cured_under``: that run's plan, where it is not the command's own.
    """

    __slots__ = ("command", "cured_in", "cured_under", "deadline", "reported", "settled")

    def __init__(
        self,
        command: MeasureRequested,
        deadline: int,
        reported: bool = False,
        settled: bool = False,
        cured_in: str | None = None,
        cured_under: str | None = None,
    ) -> None:
        self.command: Final[MeasureRequested] = command
        self.deadline: int = deadline
        self.reported: bool = reported
        self.settled: bool = settled
        self.cured_in: str | None = cured_in
        self.cured_under: str | None = cured_under


class Run:
    """One application of a plan. ``cursor`` measures from the plan's first have fired or been skipped.

    ``floor_day``: measures up to that day of their plan count as done (fired under another plan or version);
    ``version_floor`` the same of a run that was amended, by the days that the amendments give. ``fired_day`` is the
    greatest `day` that has fired, ``last_fired_on`` the local day from which the gap counts.
    """

    __slots__ = (
        "amendments",
        "closed",
        "cursor",
        "fired",
        "fired_day",
        "floor_day",
        "issued",
        "last_fired_on",
        "number",
        "opened_at",
        "plan",
        "plan_version",
        "restrictions",
        "run_id",
        "skipped",
        "version_floor",
    )

    def __init__(self, number: int, run_id: str, plan: str, plan_version: int, opened_at: int) -> None:
        self.number: Final[int] = number
        self.run_id: Final[str] = run_id
        self.plan: Final[str] = plan
        self.plan_version: int = plan_version
        self.opened_at: Final[int] = opened_at
        self.cursor: int = 0
        # Tuples, since most stay empty or short for life: 40 bytes less each than a list.
        self.fired: tuple[str, ...] = ()
        self.skipped: tuple[str, ...] = ()
        self.issued: tuple[str, ...] = ()
        self.fired_day: int = NO_DAY
        self.floor_day: int = NO_DAY
        self.version_floor: int = NO_DAY
        self.last_fired_on: int = NO_DAY
        self.restrictions: list[Restriction] | None = None
        self.amendments: dict[str, tuple[bool | None, int | None]] | None = None
        self.closed: bool = False


class Profile:
    """One debt. A profile whose ``projection`` is empty is not known yet: only an account event can begin it."""

    __slots__ = (
        "attributes",
        "balance",
        "blocked",
        "broken_promises",
        "closed",
        "contacts",
        "currency",
        "customer_id",
        "declined",
        "disarmed",
        "group",
        "hand_group",
        "hand_plan",
        "holds",
        "ids",
        "ledger",
        "ledger_kind",
        "loose",
        "manager",
        "outside",
        "outstanding",
        "party",
        "past_runs",
        "pending",
        "policy_segment",
        "policy_version",
        "profile_id",
        "projection",
        "promise",
        "published",
        "reminders",
        "rule_plan",
        "run",
        "runs",
        "schedule",
        "sequences",
        "service_segment",
        "tasks",
        "version",
        "wake_at",
        "warnings",
    )

    def __init__(self, profile_id: str) -> None:
        self.profile_id: Final[str] = profile_id
        self.projection: str = ""
        self.party: str = ""
        self.currency: str = ""
        self.ledger_kind: str = "invoices"
        self.customer_id: str | None = None
        self.attributes: dict[str, AttributeValue] | None = None
        self.closed: bool = False
        self.ledger: Ledger = Ledger()
        self.balance: int | None = None
        # Highest sequence seen of each source of snapshots.
        self.sequences: dict[str, int] | None = None
        # Business ids that must not come twice and are kept nowhere else: promises and schedules.
        self.ids: set[str] | None = None
        self.policy_version: int = 0
        self.policy_segment: str | None = None
        self.service_segment: str | None = None
        self.rule_plan: str | None = None
        self.hand_plan: str | None = None
        self.group: str | None = None
        self.hand_group: bool = False
        self.manager: str | None = None
        # A head wants nobody: no rule chooses one while the profile stays in its service segment.
        self.declined: bool = False
        self.run: Run | None = None
        self.runs: int = 0
        # The names issued by each closed run, so that a late outcome of one of its commands is known.
        self.past_runs: list[tuple[str, ...]] | None = None
        # Restrictions in force without a run: nothing lifts them but a person.
        self.loose: list[Restriction] | None = None
        # After a terminal measure no run opens until overdue has once been low enough.
        self.blocked: bool = False
        self.holds: dict[str, int] | None = None
        self.promise: Promise | None = None
        self.broken_promises: int = 0
        self.schedule: Schedule | None = None
        # Local days of outgoing contacts of the last 30 days, by kind.
        self.contacts: dict[str, tuple[int, ...]] | None = None
        # Balance warnings: those not to be raised before rearming, and the instants at which waiting ones were raised.
        self.disarmed: list[str] | None = None
        self.warnings: dict[str, int] | None = None
        # Reminders that wait for contact hours: rule and item.
        self.reminders: list[tuple[str, str]] | None = None
        self.pending: list[Pending] | None = None
        self.tasks: dict[str, Task] | None = None
        self.outstanding: dict[str, Sent] | None = None
        # How often a name was issued outside of runs (command ids with n = 0).
        self.outside: dict[str, int] | None = None
        self.wake_at: int = NEVER
        self.published: int = 0
        self.version: int = 0

    def liftable(self, measure: str) -> Restriction | None:
        """What lifting ``measure`` by hand gives back: of the run first, else of what was restricted without one."""
        in_run = self.run.restrictions if self.run is not None else None
        for restrictions in (in_run, self.loose):
            for restriction in restrictions or ():
                if restriction.measure == measure and restriction.is_in_force and restriction.reverse is not None:
                    return restriction
        return None

    def count_outside(self, name: str) -> None:
        """The name has been used for the id of a command outside of runs once more."""
        if self.outside is None:
            self.outside = {}
        self.outside[name] = self.outside.get(name, 0) + 1

    def reserve_outside(self, command_id: str) -> None:
        """The command awaits a head's approval, and has not left."""
        assert self.outside is not None
        self.outside[RESERVED + command_id] = 1

    def send_reserved(self, command_id: str) -> None:
        """It leaves."""
        assert self.outside is not None
        self.outside.pop(RESERVED + command_id, None)

    def add_pending(self, pending: Pending) -> None:
        """A measure begins to wait."""
        if self.pending is None:
            self.pending = []
        self.pending.append(pending)

    def drop_pending(self, command_id: str) -> None:
        """What waited under this id waits no longer."""
        if self.pending is not None:
            self.pending = [each for each in self.pending if each.command_id != command_id] or None

    @property
    def is_known(self) -> bool:
        """Whether an account event has created the profile."""
        return self.projection != ""

    def account_balance(self) -> int:
        """What the customer has (above zero) or owes (below): the snapshot, or prepayments less items."""
        if self.ledger_kind == "balance":
            return self.balance if self.balance is not None else 0
        return self.ledger.prepaid() - self.ledger.debt()
