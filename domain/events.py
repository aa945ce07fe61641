"""What follows: the facts that `decide` derives beside the accepted messages, each with the instant ``at``.

Many leave the engine as events (`PUBLISHED`), the others stay in the journal. `evolve` folds both kinds.
"""

from collections.abc import Mapping
from typing import Final

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


class MeasureRequested(Record):
    """A command leaves.

    ``step`` is its position in the plan from 1 (0: none), ``attempt`` counts sendings, ``on`` is the local day, ``day``
    the plan's. ``counts``: it is the run's own progress; ``contact``: it counts under the caps; ``bound``: why now
    (`timing.BOUND_WORDS`). ``restores`` names the restriction that a reversal lifts.
    """

    __slots__ = (
        "command_id",
        "measure",
        "kind",
        "target",
        "channel",
        "template",
        "params",
        "plan",
        "plan_version",
        "run_id",
        "step",
        "dpd",
        "overdue",
        "reason",
        "on",
        "day",
        "counts",
        "contact",
        "reverse",
        "restores",
        "confirm_by",
        "confirm_within",
        "retries",
        "attempt",
        "bound",
    )
    __match_args__ = (
        "at",
        "command_id",
        "measure",
        "kind",
        "target",
        "channel",
        "template",
        "params",
        "plan",
        "plan_version",
        "run_id",
        "step",
        "dpd",
        "overdue",
        "reason",
        "on",
        "day",
        "counts",
        "contact",
        "reverse",
        "restores",
        "confirm_by",
        "confirm_within",
        "retries",
        "attempt",
        "bound",
    )

    def __init__(
        self,
        at: int,
        command_id: str,
        measure: str,
        kind: str,
        target: str,
        channel: str | None,
        template: str | None,
        params: Mapping[str, object],
        plan: str | None,
        plan_version: int,
        run_id: str | None,
        step: int,
        dpd: int,
        overdue: int,
        reason: str,
        on: int,
        day: int,
        counts: bool,
        contact: bool,
        reverse: str | None,
        restores: str | None,
        confirm_by: int,
        confirm_within: int,
        retries: int,
        attempt: int,
        bound: int,
    ) -> None:
        self.at = at
        self.command_id: Final = command_id
        self.measure: Final = measure
        self.kind: Final = kind
        self.target: Final = target
        self.channel: Final = channel
        self.template: Final = template
        self.params: Final = params
        self.plan: Final = plan
        self.plan_version: Final = plan_version
        self.run_id: Final = run_id
        self.step: Final = step
        self.dpd: Final = dpd
        self.overdue: Final = overdue
        self.reason: Final = reason
        self.on: Final = on
        self.day: Final = day
        self.counts: Final = counts
        self.contact: Final = contact
        self.reverse: Final = reverse
        self.restores: Final = restores
        self.confirm_by: Final = confirm_by
        self.confirm_within: Final = confirm_within
        self.retries: Final = retries
        self.attempt: Final = attempt
        self.bound: Final = bound


class MeasureSkipped(Record):
    """A measure of the run is passed over: its condition was false, or a head said no."""

    __slots__ = ("measure", "step", "why")
    __match_args__ = ("at", "measure", "step", "why")

    def __init__(self, at: int, measure: str, step: int, why: str) -> None:
        self.at = at
        self.measure: Final = measure
        self.step: Final = step
        self.why: Final = why


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


class CommandFailed(Record):
    """A command is given up after its last attempt; ``reported``: the executing system said so (else it is unknown)."""

    __slots__ = ("command_id", "reported")
    __match_args__ = ("at", "command_id", "reported")

    def __init__(self, at: int, command_id: str, reported: bool) -> None:
        self.at = at
        self.command_id: Final = command_id
        self.reported: Final = reported


class CommandHeld(Record):
    """A breaker holds a command back: it has not left, and its deadline does not run."""

    __slots__ = ("breaker", "command_id")
    __match_args__ = ("at", "command_id", "breaker")

    def __init__(self, at: int, command_id: str, breaker: str) -> None:
        self.at = at
        self.command_id: Final = command_id
        self.breaker: Final = breaker


class CommandReleased(Record):
    """A command that was held back leaves now: its deadline, if it has one, counts from here."""

    __slots__ = ("command_id",)
    __match_args__ = ("at", "command_id")

    def __init__(self, at: int, command_id: str) -> None:
        self.at = at
        self.command_id: Final = command_id


class CommandWithdrawn(Record):
    """A command never left: its run was over (``why`` cured, closed or switched), or people ``decided`` so."""

    __slots__ = ("command_id", "why")
    __match_args__ = ("at", "command_id", "why")

    def __init__(self, at: int, command_id: str, why: str) -> None:
        self.at = at
        self.command_id: Final = command_id
        self.why: Final = why


class ServiceRestoreOverdue(Record):
    """A service was not confirmed given back in time after the cure."""

    __slots__ = ("command_id", "measure", "target", "run_id", "requested_at")
    __match_args__ = ("at", "command_id", "measure", "target", "run_id", "requested_at")

    def __init__(
        self,
        at: int,
        command_id: str,
        measure: str,
        target: str,
        run_id: str | None,
        requested_at: int,
    ) -> None:
        self.at = at
        self.command_id: Final = command_id
        self.measure: Final = measure
        self.target: Final = target
        self.run_id: Final = run_id
        self.requested_at: Final = requested_at


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
