"""What `decide` answers: the facts to fold, or the refusal, and when to look again."""

from typing import Final

from domain.calendar import NEVER
from domain.events import MeasureRequested
from domain.profile import Profile
from domain.record import Record

STALE: Final = "stale"
"""The reason of a refusal that is only counted: a snapshot older than one already seen."""


class Refusal:
    """A business refusal: one of the reasons of `dms.message.rejected.v1` (or `STALE`), and what exactly is wrong."""

    __slots__ = ("detail", "reason")

    def __init__(self, reason: str, detail: str) -> None:
        self.reason: Final[str] = reason
        self.detail: Final[str] = detail

    def __repr__(self) -> str:
        return f"Refusal({self.reason!r}, {self.detail!r})"


class Decision:
    """Facts in the order in which they take effect.

    ``settled``: nothing more follows at this instant and ``wake_at`` says when to look again; else fold the events and
    ask `follow` once more.
    """

    __slots__ = ("events", "refusal", "settled", "wake_at")

    def __init__(
        self,
        events: list[Record],
        refusal: Refusal | None = None,
        settled: bool = False,
        wake_at: int = NEVER,
    ) -> None:
        self.events: Final[list[Record]] = events
        self.refusal: Final[Refusal | None] = refusal
        self.settled: Final[bool] = settled
        self.wake_at: Final[int] = wake_at

    @property
    def commands(self) -> list[MeasureRequested]:
        """The commands among the events."""
        return [event for event in self.events if isinstance(event, MeasureRequested)]


def refused(reason: str, detail: str) -> Decision:
    """A decision that changes nothing."""
    return Decision([], Refusal(reason, detail))


def closed(profile: Profile) -> Decision:
    """Nothing happens to a closed profile any more."""
    return refused("closed_profile", f"profile {profile.profile_id} is closed")


def unknown(what: str, name: str) -> Decision:
    """Nothing of this name is there to refer to."""
    return refused("unknown_reference", f"{what} {name!r} is not known")


def reused(what: str, name: str) -> Decision:
    """A business id came before, in another event."""
    return refused("id_reused", f"{what} {name!r} was used in another event")


def not_allowed(actor: str, what: str) -> Decision:
    """The person has not the role for it."""
    return refused("not_allowed", f"{actor!r} may not {what}")
