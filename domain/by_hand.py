"""What people do by hand: the messages of managers and heads, each with who did it."""

from typing import Final

from domain.record import Record


class ContactMade(Record):
    """A contact by hand. ``direction`` out counts under the caps on the local day ``on`` (a fact's)."""

    __slots__ = ("kind", "direction", "actor", "outcome", "note", "on")
    __match_args__ = ("at", "kind", "direction", "actor", "outcome", "note", "on")

    def __init__(self, at: int, kind: str, direction: str, actor: str, outcome: str, note: str, on: int = 0) -> None:
        self.at = at
        self.kind: Final = kind
        self.direction: Final = direction
        self.actor: Final = actor
        self.outcome: Final = outcome
        self.note: Final = note
        self.on: Final = on


class RestrictionLifted(Record):
    """A manager gives a service back."""

    __slots__ = ("measure", "actor", "note")
    __match_args__ = ("at", "measure", "actor", "note")

    def __init__(self, at: int, measure: str, actor: str, note: str) -> None:
        self.at = at
        self.measure: Final = measure
        self.actor: Final = actor
        self.note: Final = note


class TaskDone(Record):
    """A manager closes a task."""

    __slots__ = ("task_id", "actor", "outcome", "note")
    __match_args__ = ("at", "task_id", "actor", "outcome", "note")

    def __init__(self, at: int, task_id: str, actor: str, outcome: str, note: str) -> None:
        self.at = at
        self.task_id: Final = task_id
        self.actor: Final = actor
        self.outcome: Final = outcome
        self.note: Final = note


class MeasureOrdered(Record):
    """A manager applies a measure by hand. A fact knows the ``plan`` it was found in and whether it awaits approval."""

    __slots__ = ("measure", "actor", "note", "plan", "awaits_approval")
    __match_args__ = ("at", "measure", "actor", "note", "plan", "awaits_approval")

    def __init__(
        self,
        at: int,
        measure: str,
        actor: str,
        note: str,
        plan: str = "",
        awaits_approval: bool = False,
    ) -> None:
        self.at = at
        self.measure: Final = measure
        self.actor: Final = actor
        self.note: Final = note
        self.plan: Final = plan
        self.awaits_approval: Final = awaits_approval


class MeasureApproved(Record):
    """A head's yes to a measure that needs approval."""

    __slots__ = ("command_id", "actor", "note")
    __match_args__ = ("at", "command_id", "actor", "note")

    def __init__(self, at: int, command_id: str, actor: str, note: str) -> None:
        self.at = at
        self.command_id: Final = command_id
        self.actor: Final = actor
        self.note: Final = note


class MeasureRejected(Record):
    """A head's no: the measure counts as skipped."""

    __slots__ = ("command_id", "actor", "note")
    __match_args__ = ("at", "command_id", "actor", "note")

    def __init__(self, at: int, command_id: str, actor: str, note: str) -> None:
        self.at = at
        self.command_id: Final = command_id
        self.actor: Final = actor
        self.note: Final = note


class PlanAssigned(Record):
    """A manager replaces this debtor's plan; None gives the choice back to the rules."""

    __slots__ = ("plan", "actor", "note")
    __match_args__ = ("at", "plan", "actor", "note")

    def __init__(self, at: int, plan: str | None, actor: str, note: str) -> None:
        self.at = at
        self.plan: Final = plan
        self.actor: Final = actor
        self.note: Final = note


class PlanAmended(Record):
    """A manager changes this debtor's run: per measure whether it is skipped, and its day (None: as it was)."""

    __slots__ = ("changes", "actor", "note")
    __match_args__ = ("at", "changes", "actor", "note")

    def __init__(
        self,
        at: int,
        changes: tuple[tuple[str, bool | None, int | None], ...],
        actor: str,
        note: str,
    ) -> None:
        self.at = at
        self.changes: Final = changes
        self.actor: Final = actor
        self.note: Final = note


class ManagerAssigned(Record):
    """A head chooses the personal manager; None for nobody."""

    __slots__ = ("manager", "actor", "note")
    __match_args__ = ("at", "manager", "actor", "note")

    def __init__(self, at: int, manager: str | None, actor: str, note: str) -> None:
        self.at = at
        self.manager: Final = manager
        self.actor: Final = actor
        self.note: Final = note


class GroupAssigned(Record):
    """A group of managers by hand; None gives the choice back to the rules."""

    __slots__ = ("group", "actor", "note")
    __match_args__ = ("at", "group", "actor", "note")

    def __init__(self, at: int, group: str | None, actor: str, note: str) -> None:
        self.at = at
        self.group: Final = group
        self.actor: Final = actor
        self.note: Final = note
