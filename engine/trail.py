"""The trail: for who wants to follow one event to the commands it came to. The engine leaves it, others read it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from actors.errand import Errand
from engine.ports import OutgoingEvent

if TYPE_CHECKING:  # the intake's own modules leave the trail
    from engine.intake import Intake


class Trail:
    """Follows nothing. What follows something derives from it.

    The engine asks `follows` once a batch and calls the rest only where it is true, so a trail that nobody wants costs
    30 ns a batch; `set_aside` is called always. Nothing here may raise; `published` is called by the committer's
    thread, all else by the engine's.
    """

    __slots__ = ()

    @property
    def follows(self) -> bool:
        """Whether anybody wants to know, at this moment."""
        return False

    def decided(self, intake: "Intake", worked: Sequence[Errand]) -> None:
        """A batch is decided and about to be committed; if the commit fails, all of it is decided again."""

    def set_aside(self, profile_id: str, reason: str) -> None:
        """The profile could not be worked: with its event, if there is one, it is in quarantine."""

    def published(self, events: Sequence[OutgoingEvent]) -> None:
        """These have left, and the broker has confirmed them."""
