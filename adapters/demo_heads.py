"""The demo's heads: two people who look at what a breaker holds back, and let it go after a while."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from domain.calendar import HOUR
from engine.ballot import VoteRefused
from sim.scene import STAFF

_THINK_US: Final = HOUR


class Breakers(Protocol):
    """The node, as far as its breakers go."""

    def blown(self) -> list[str]:
        """The breakers that hold commands back."""

    def vote(self, breaker: str, actor: str, let_go: bool) -> None:
        """A head's voice on what a breaker holds. Raises `VoteRefused`."""


class Heads:
    """In a small portfolio a breaker trips over a handful of debts, all of them real: so the heads always agree."""

    def __init__(self, breakers: Breakers, announce: Callable[[int, str, str], None]) -> None:
        """``announce`` is told the instant, the breaker, and what happens to it."""
        self._breakers: Final = breakers
        self._announce: Final = announce
        self._asked_at: dict[str, int] = {}

    def look(self, at: int) -> None:
        """Sees what is held back at ``at``, between two steps; votes where there was time to think."""
        blown = self._breakers.blown()
        self._asked_at = {breaker: asked for breaker, asked in self._asked_at.items() if breaker in blown}
        for breaker in blown:
            if breaker not in self._asked_at:
                self._asked_at[breaker] = at
                self._announce(at, breaker, "a breaker trips, its commands wait for two heads")
            elif at >= self._asked_at[breaker] + _THINK_US:
                del self._asked_at[breaker]
                self._decide(at, breaker)

    def _decide(self, at: int, breaker: str) -> None:
        first, second = STAFF["head"][:2]
        # Somebody else may have decided meanwhile, by HTTP.
        with suppress(VoteRefused):
            self._breakers.vote(breaker, first, True)
            self._breakers.vote(breaker, second, True)
            self._announce(at, breaker, f"{first} and {second} let the commands go")
