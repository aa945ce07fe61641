"""What follows: the facts that `decide` derives beside the accepted messages, each with the instant ``at``.

Many leave the engine as events (`PUBLISHED`), the others stay in the journal. `evolve` folds both kinds.
"""

from typing import Final

from domain.command_events import CommandFailed as CommandFailed
from domain.command_events import CommandHeld as CommandHeld
from domain.command_events import CommandReleased as CommandReleased
from domain.command_events import CommandWithdrawn as CommandWithdrawn
from domain.command_events import MeasureRequested as MeasureRequested
from domain.command_events import ServiceRestoreOverdue as ServiceRestoreOverdue
from domain.record import Record


class SegmentChanged(Record):
    """The rules put the profile into other segments: ``plan`` is the segment's, ``personal`` asks for a manager."""

    __slots__ = (
        "policy_segment",
        "service_segment",
        "previous_policy_segment",
        "previous_service_segment",
        "plan",
        "group",
        "personal",
    )
    __match_args__ = (
        "at",
        "policy_segment",
        "service_segment",
        "previous_policy_segment",
        "previous_service_segment",
        "plan",
        "group",
        "personal",
    )

    def __init__(
        self,
        at: int,
        policy_segment: str | None,
        service_segment: str | None,
        previous_policy_segment: str | None,
        previous_service_segment: str | None,
        plan: str | None,
        group: str | None,
        personal: bool,
    ) -> None:
        self.at = at
        self.policy_segment: Final = policy_segment
        self.service_segment: Final = service_segment
        self.previous_policy_segment: Final = previous_policy_segment
        self.previous_service_segment: Final = previous_service_segment
        self.plan: Final = plan
        self.group: Final = group
        self.personal: Final = personal


class PersonalManagerDue(Record):
    """Within the same service segment the profile has become one of those that have a manager of their own."""

    __slots__ = ("service_segment",)
    __match_args__ = ("at", "service_segment")

    def __init__(self, at: int, service_segment: str) -> None:
        self.at = at
        self.service_segment: Final = service_segment


class ManagerChanged(Record):
    """Who serves the profile; ``how`` is rule or hand."""

    __slots__ = ("manager", "group", "how")
    __match_args__ = ("at", "manager", "group", "how")

    def __init__(self, at: int, manager: str | None, group: str | None, how: str) -> None:
        self.at = at
        self.manager: Final = manager
        self.group: Final = group
        self.how: Final = how


class PolicyAdopted(Record):
    """The profile goes on under another version; ``plan`` is the one its segment has there."""

    __slots__ = ("version", "plan")
    __match_args__ = ("at", "version", "plan")

    def __init__(self, at: int, version: int, plan: str | None) -> None:
        self.at = at
        self.version: Final = version
        self.plan: Final = plan


class RunOpened(Record):
    """A run begins; after a switch it takes over what the run before had done."""

    __slots__ = ("number", "run_id", "plan", "plan_version", "dpd", "overdue")
    __match_args__ = ("at", "number", "run_id", "plan", "plan_version", "dpd", "overdue")

    def __init__(
        self,
        at: int,
        number: int,
        run_id: str,
        plan: str,
        plan_version: int,
        dpd: int,
        overdue: int,
    ) -> None:
        self.at = at
        self.number: Final = number
        self.run_id: Final = run_id
        self.plan: Final = plan
        self.plan_version: Final = plan_version
        self.dpd: Final = dpd
        self.overdue: Final = overdue


class RunClosed(Record):
    """A run ends; ``outcome`` is cured, closed, switched, terminated, written_off or placed."""

    __slots__ = ("run_id", "plan", "outcome")
    __match_args__ = ("at", "run_id", "plan", "outcome")

    def __init__(self, at: int, run_id: str, plan: str, outcome: str) -> None:
        self.at = at
        self.run_id: Final = run_id
        self.plan: Final = plan
        self.outcome: Final = outcome


class OverdueCleared(Record):
    """Overdue has been low enough once after a terminal measure: a new run may open."""

    __slots__ = ()
    __match_args__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at


class MeasureSkipped(Record):
    """A measure of the run is passed over: its condition was false, or a head said no.

    With ``step`` 0 it is one that waited by itself, ordered or approved; ``plan`` and ``in_run`` then say which.
    """

    __slots__ = ("measure", "step", "why", "plan", "in_run")
    __match_args__ = ("at", "measure", "step", "why", "plan", "in_run")

    def __init__(self, at: int, measure: str, step: int, why: str, plan: str = "", in_run: bool = True) -> None:
        self.at = at
        self.measure: Final = measure
        self.step: Final = step
        self.why: Final = why
        self.plan: Final = plan
        self.in_run: Final = in_run


class AttributeIgnored(Record):
    """An attribute that the policy does not declare was left out."""

    __slots__ = ("name",)
    __match_args__ = ("at", "name")

    def __init__(self, at: int, name: str) -> None:
        self.at = at
        self.name: Final = name


class ConditionReported(Record):
    """A rule could not be evaluated and counted as false."""

    __slots__ = ("expression", "error")
    __match_args__ = ("at", "expression", "error")

    def __init__(self, at: int, expression: str, error: str) -> None:
        self.at = at
        self.expression: Final = expression
        self.error: Final = error


class TaskOpened(Record):
    """Work for a person; ``why`` is approval, measure or failed. ``in_run``: it is moot when the run ends."""

    __slots__ = ("task_id", "measure", "command_id", "why", "plan", "ordered", "in_run")
    __match_args__ = ("at", "task_id", "measure", "command_id", "why", "plan", "ordered", "in_run")

    def __init__(
        self,
        at: int,
        task_id: str,
        measure: str,
        command_id: str,
        why: str,
        plan: str | None,
        ordered: bool,
        in_run: bool = True,
    ) -> None:
        self.at = at
        self.task_id: Final = task_id
        self.measure: Final = measure
        self.command_id: Final = command_id
        self.why: Final = why
        self.plan: Final = plan
        self.ordered: Final = ordered
        self.in_run: Final = in_run


class TaskClosed(Record):
    """The work is done or moot: by whom (None: the engine) and how."""

    __slots__ = ("task_id", "measure", "command_id", "why", "actor", "outcome")
    __match_args__ = ("at", "task_id", "measure", "command_id", "why", "actor", "outcome")

    def __init__(
        self,
        at: int,
        task_id: str,
        measure: str,
        command_id: str,
        why: str,
        actor: str | None,
        outcome: str,
    ) -> None:
        self.at = at
        self.task_id: Final = task_id
        self.measure: Final = measure
        self.command_id: Final = command_id
        self.why: Final = why
        self.actor: Final = actor
        self.outcome: Final = outcome


class PromiseKept(Record):
    """Payments reached the promised amount."""

    __slots__ = ("promise_id",)
    __match_args__ = ("at", "promise_id")

    def __init__(self, at: int, promise_id: str) -> None:
        self.at = at
        self.promise_id: Final = promise_id


class PromiseBroken(Record):
    """The day of the promise has passed without the amount."""

    __slots__ = ("promise_id",)
    __match_args__ = ("at", "promise_id")

    def __init__(self, at: int, promise_id: str) -> None:
        self.at = at
        self.promise_id: Final = promise_id


class InstalmentMet(Record):
    """By the day of part ``part`` (from 1) enough was paid."""

    __slots__ = ("schedule_id", "part")
    __match_args__ = ("at", "schedule_id", "part")

    def __init__(self, at: int, schedule_id: str, part: int) -> None:
        self.at = at
        self.schedule_id: Final = schedule_id
        self.part: Final = part


class InstalmentsBroken(Record):
    """By the day of a part less was paid than was due so far."""

    __slots__ = ("schedule_id",)
    __match_args__ = ("at", "schedule_id")

    def __init__(self, at: int, schedule_id: str) -> None:
        self.at = at
        self.schedule_id: Final = schedule_id


class InstalmentsCompleted(Record):
    """All parts are paid."""

    __slots__ = ("schedule_id",)
    __match_args__ = ("at", "schedule_id")

    def __init__(self, at: int, schedule_id: str) -> None:
        self.at = at
        self.schedule_id: Final = schedule_id


class LedgerMismatch(Record):
    """Billing's balance differs from ours; both in minor units."""

    __slots__ = ("ledger", "reported")
    __match_args__ = ("at", "ledger", "reported")

    def __init__(self, at: int, ledger: int, reported: int) -> None:
        self.at = at
        self.ledger: Final = ledger
        self.reported: Final = reported


class WarningRaised(Record):
    """The balance crossed a threshold downwards; the warning goes at the next contact hours."""

    __slots__ = ("rule",)
    __match_args__ = ("at", "rule")

    def __init__(self, at: int, rule: str) -> None:
        self.at = at
        self.rule: Final = rule


class WarningRearmed(Record):
    """The balance is high enough for the warning to be given again."""

    __slots__ = ("rule",)
    __match_args__ = ("at", "rule")

    def __init__(self, at: int, rule: str) -> None:
        self.at = at
        self.rule: Final = rule


class ReminderDue(Record):
    """An item's reminder has come due outside the contact hours: it waits for their opening."""

    __slots__ = ("item", "rule")
    __match_args__ = ("at", "rule", "item")

    def __init__(self, at: int, rule: str, item: str) -> None:
        self.at = at
        self.rule: Final = rule
        self.item: Final = item


class PreventionSettled(Record):
    """A warning (``item`` None) or an item's reminder is over: it was ``sent``, or dropped as no longer true."""

    __slots__ = ("item", "rule", "sent")
    __match_args__ = ("at", "rule", "item", "sent")

    def __init__(self, at: int, rule: str, item: str | None, sent: bool) -> None:
        self.at = at
        self.rule: Final = rule
        self.item: Final = item
        self.sent: Final = sent


PUBLISHED: Final = frozenset(
    {
        SegmentChanged,
        ManagerChanged,
        RunOpened,
        RunClosed,
        MeasureRequested,
        TaskOpened,
        TaskClosed,
        PromiseKept,
        PromiseBroken,
        InstalmentsBroken,
        InstalmentsCompleted,
        LedgerMismatch,
        ServiceRestoreOverdue,
    }
)
"""Events that leave the engine."""
