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
    30 ns a batch. Nothing here may raise; `decided` is called by the engine's thread, `published` by the committer's.
    """

    __slots__ = ()

    @property
    def follows(self) -> bool:
        """Whether anybody wants to know, at this moment."""
        return False

    def decided(self, intake: "Intake", worked: Sequence[Errand]) -> None:
        """A batch is decided and about to be committed; if the commit fails, all of it is decided again."""

    def published(self, events: Sequence[OutgoingEvent]) -> None:
        """These have left, and the broker has confirmed them."""
