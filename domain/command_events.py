"""What became of a command, from its leaving to its end: facts of the journal like those of `events`."""

from collections.abc import Mapping
from typing import Final

from domain.record import Record


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
