"""What desks are told and what they tell: whose desk a fact concerns, and who got which work."""

from typing import Final

from domain.events import ManagerChanged, PersonalManagerDue, SegmentChanged, TaskClosed, TaskOpened
from domain.messages import AccountClosed, GroupAssigned, ManagerAssigned
from domain.policy import Policy
from domain.record import Record
from domain.roster import LoadReported

TOLD: Final = frozenset(
    {
        AccountClosed,
        GroupAssigned,
        ManagerAssigned,
        ManagerChanged,
        PersonalManagerDue,
        SegmentChanged,
        TaskClosed,
        TaskOpened,
    }
)
"""The facts of a profile that a desk must learn."""


class TaskTaken(Record):
    """By hand: ``actor`` takes a task, or as a head gives it to ``manager``."""

    __slots__ = ("actor", "manager", "task_id")
    __match_args__ = ("at", "task_id", "manager", "actor")

    def __init__(self, at: int, task_id: str, manager: str, actor: str) -> None:
        self.at = at
        self.task_id: Final = task_id
        self.manager: Final = manager
        self.actor: Final = actor


class WorkAssigned(Record):
    """Who got a task, or (``task_id`` None) a profile as its personal manager; ``manager`` None: nobody yet.

    ``how`` is rule, hand or escalated; ``reason`` says in words why this one.
    """

    __slots__ = ("how", "manager", "profile_id", "reason", "task_id")
    __match_args__ = ("at", "profile_id", "task_id", "manager", "how", "reason")

    def __init__(
        self, at: int, profile_id: str, task_id: str | None, manager: str | None, how: str, reason: str
    ) -> None:
        self.at = at
        self.profile_id: Final = profile_id
        self.task_id: Final = task_id
        self.manager: Final = manager
        self.how: Final = how
        self.reason: Final = reason


class Standing:
    """What a profile brings to another desk: its personal manager, its group by hand, its open tasks.

    A task is ``(task_id, why, role, opened_at)``.
    """

    __slots__ = ("group", "manager", "tasks")

    def __init__(
        self, manager: str | None = None, group: str | None = None, tasks: tuple[tuple[str, str, str, int], ...] = ()
    ) -> None:
        self.manager: Final[str | None] = manager
        self.group: Final[str | None] = group
        self.tasks: Final[tuple[tuple[str, str, str, int], ...]] = tasks

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.manager, self.group, self.tasks)


def desks_for(fact: Record, service_segment: str | None, policy: Policy) -> tuple[str, ...]:
    """The service segments whose desks must learn ``fact`` of a profile in ``service_segment``; mostly none.

    A load concerns all desks but the one that reports it.
    """
    if isinstance(fact, SegmentChanged):
        both = (fact.previous_service_segment, fact.service_segment)
        return tuple([name for name in dict.fromkeys(both) if name is not None])
    if type(fact) in TOLD or isinstance(fact, TaskTaken):
        return (service_segment,) if service_segment is not None else ()
    if isinstance(fact, LoadReported):
        return tuple([each.name for each in policy.service_segments if each.name != fact.service_segment])
    return ()


def role_for(why: str, plan: str | None, measure: str, policy: Policy) -> str:
    """The role that a task asks for: approvals that of their measure."""
    if why != "approval":
        return "specialist"
    plan_now = policy.plans.get(plan) if plan is not None else None
    step = plan_now.step(measure) if plan_now is not None else None
    approval = plan_now.measures[step - 1].approval if plan_now is not None and step is not None else None
    return approval or "head"
