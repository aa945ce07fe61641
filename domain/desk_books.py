"""The entries in a desk's books: open tasks, and the profiles of which there is something to remember."""

from typing import Final, TypeAlias


class DeskTask:
    """An open task. ``queued_at``: since when it waits here; ``escalated``: why heads got it, empty if they did not."""

    __slots__ = ("escalated", "manager", "opened_at", "profile_id", "queued_at", "role", "task_id", "why")

    def __init__(
        self,
        task_id: str,
        profile_id: str,
        why: str,
        role: str,
        opened_at: int,
        queued_at: int,
        manager: str | None = None,
        escalated: str = "",
    ) -> None:
        self.task_id: Final[str] = task_id
        self.profile_id: Final[str] = profile_id
        self.why: Final[str] = why
        self.role: Final[str] = role
        self.opened_at: Final[int] = opened_at
        self.queued_at: int = queued_at
        self.manager: str | None = manager
        self.escalated: str = escalated

    def values(self) -> tuple[str, str, str, str, int, int, str | None, str]:
        """The fields in order."""
        return (
            self.task_id,
            self.profile_id,
            self.why,
            self.role,
            self.opened_at,
            self.queued_at,
            self.manager,
            self.escalated,
        )


class Served:
    """A profile with something to remember: a personal manager or the wish for one, a group by hand, open tasks.

    ``declined``: a head took the manager away by hand, so no rule gives it another while it stays at this desk.
    """

    __slots__ = ("declined", "group", "manager", "personal", "tasks")

    def __init__(
        self, manager: str | None = None, group: str | None = None, personal: bool = False, declined: bool = False
    ) -> None:
        self.manager: str | None = manager
        self.group: str | None = group
        self.personal: bool = personal
        self.declined: bool = declined
        self.tasks: Final[dict[str, None]] = {}


Frozen: TypeAlias = tuple[
    int,
    str,
    tuple[tuple[str, str | None, str | None, bool, bool], ...],
    tuple[tuple[str, bool], ...],
    tuple[tuple[str, str, str, str, int, int, str | None, str], ...],
    tuple[str, ...],
    tuple[tuple[str, str], ...],
]
"""A desk as nested tuples of plain values."""
