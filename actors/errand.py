"""An errand: all that one batch brings to one profile, and what became of it.

The engine fills in the upper half and the profile's actor the lower one; both live on the same lane meanwhile, so no
answer needs a message of its own (1 µs an event).
"""

from bisect import bisect_right
from operator import attrgetter
from typing import Final

from domain.decision import Refusal
from domain.profile import Profile
from domain.record import Record


class Arrival:
    """A message on its way to a profile; ``ticket`` is the engine's, opaque here, to know it again.

    ``number`` orders the events of a profile that wait for its account (0: it does not wait). With a ``fault`` there is
    nothing to work: the event takes its turn only to be refused in its place; the message then is no more than its
    instant.
    """

    __slots__ = ("fault", "message", "number", "ticket")

    def __init__(self, message: Record, ticket: object, number: int = 0, fault: Refusal | None = None) -> None:
        self.message: Final = message
        self.ticket: Final = ticket
        self.number: int = number
        self.fault: Final = fault

    def at(self, instant: int) -> "Arrival":
        """The same message taking effect at another instant."""
        return Arrival(type(self.message)(instant, *self.message.values()[1:]), self.ticket)  # type: ignore[call-arg]


class Refused:
    """A message that changed nothing, why, when that was decided, and ``after`` how many facts of the errand."""

    __slots__ = ("after", "arrival", "at", "refusal")

    def __init__(self, arrival: Arrival, refusal: Refusal, at: int, after: int) -> None:
        self.arrival: Final = arrival
        self.refusal: Final = refusal
        self.at: Final = at
        self.after: Final = after


class Errand:
    """``arrivals`` in order, then every timer before ``until``.

    ``profile`` is a thawed profile for the activation of one that is not active (with what it ``held``); afterwards it
    is the profile as it is now. ``facts`` begin at ``version`` + 1, those that leave at ``published`` + 1, and
    ``withheld`` maps commands to the breakers that hold them back. ``handled`` arrivals were worked when ``failure``
    came up, the next one is the suspect.
    """

    __slots__ = (
        "arrivals",
        "failure",
        "facts",
        "handled",
        "held",
        "newly_held",
        "profile",
        "profile_id",
        "published",
        "refused",
        "released",
        "state",
        "until",
        "version",
        "withheld",
        "wake_at",
        "wake_before",
    )

    def __init__(self, profile_id: str, arrivals: list[Arrival], until: int = 0) -> None:
        self.profile_id: Final = profile_id
        self.arrivals: list[Arrival] = arrivals
        self.until: int = until
        self.profile: Profile | None = None
        self.held: list[Arrival] | None = None
        self.facts: Final[list[Record]] = []
        self.refused: Final[list[Refused]] = []
        self.newly_held: list[Arrival] | None = None
        self.released: list[Arrival] | None = None
        self.version: int = 0
        self.published: int = 0
        self.wake_before: int = 0
        self.wake_at: int = 0
        self.state: tuple[object, ...] | None = None
        self.withheld: dict[str, str] | None = None
        self.handled: int = 0
        self.failure: BaseException | None = None

    def take_in(self, answered: "Errand") -> None:
        """The facts of an answer take their places among these, each behind all of its instant and before."""
        for fact in answered.facts:
            self.facts.insert(bisect_right(self.facts, fact.at, key=_instant), fact)
        answered.facts.clear()


_instant: Final = attrgetter("at")
