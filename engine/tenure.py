"""Tenure: which shards this engine works. Coordination says which it should, the store's leases which it may."""

from typing import Final

from domain.calendar import SECOND
from engine.ports import Clock, Coordination, Store

_LOOK_US: Final = SECOND // 2
_RENEW_US: Final = 2 * SECOND


class Alone:
    """Coordination of an engine that nobody shares a store with."""

    def __init__(self, shards: int) -> None:
        self._all: Final = frozenset(range(shards))

    def wanted(self) -> frozenset[int]:
        """All of them."""
        return self._all

    def close(self) -> None:
        """Nobody waits for what is left."""


class Tenure:
    """Keeps the leases, and sees what has to change. Used by the engine's thread alone."""

    def __init__(self, store: Store, coordination: Coordination, clock: Clock) -> None:
        self.owned: frozenset[int] = frozenset()
        """The shards that are worked now; the engine follows `look`."""
        self._store: Final = store
        self._coordination: Final = coordination
        self._clock: Final = clock
        self._looked_at = self._renewed_at = -_RENEW_US

    def is_due(self) -> bool:
        """Whether it is time to look."""
        return self._clock.elapsed() - self._looked_at >= _LOOK_US

    def look(self) -> tuple[frozenset[int], frozenset[int]]:
        """What this engine must stop to work at once, since others have it, and what it should give up in good order.

        Renews the leases of the rest.
        """
        now = self._looked_at = self._clock.elapsed()
        lost: frozenset[int] = frozenset()
        if now - self._renewed_at >= _RENEW_US:
            held = self._store.renew()
            lost = self.owned - held
            # Claimed by us, but the answer was lost: we do not work them, and others could not.
            self._store.hand_over(held - self.owned)
            self._renewed_at = now
        wanted = self._coordination.wanted()
        surplus = self.owned - wanted - lost if wanted is not None else frozenset()
        return lost, surplus

    def doubt(self) -> None:
        """Something went wrong: the next look asks the store what is ours."""
        self._looked_at = self._renewed_at = -_RENEW_US

    def take_over(self) -> frozenset[int]:
        """Claims what falls to this engine; what it got. The others' leases, or their giving up, may take a while."""
        wanted = self._coordination.wanted()
        if wanted is None or wanted <= self.owned:
            return frozenset()
        gained = self._store.claim(wanted - self.owned)
        self.owned |= gained
        return gained

    def leave(self, shards: frozenset[int]) -> None:
        """These are not ours any more; what we still hold of them others may claim at once."""
        self.owned -= shards
        self._store.hand_over(shards)

    def end(self) -> None:
        """Leaves everything, and the others know at once."""
        self.leave(self.owned)
        self._coordination.close()
