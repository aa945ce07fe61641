"""Timers: when to look at which profile again. In memory only the near horizon; the store keeps them all."""

from heapq import heapify, heappop, heappush
from typing import Final

from domain.calendar import NEVER


class Timers:
    """The earliest wake-ups first. Setting a profile's timer replaces the one before."""

    def __init__(self) -> None:
        self._due: Final[dict[str, int]] = {}
        # Replaced timers stay in the heap until they come up, or until they outnumber the others.
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._due)

    def set(self, profile_id: str, wake_at: int) -> None:
        """The profile wakes at ``wake_at``; `NEVER` clears its timer."""
        if wake_at >= NEVER:
            self._due.pop(profile_id, None)
            return
        if self._due.get(profile_id) == wake_at:
            return
        self._due[profile_id] = wake_at
        heappush(self._heap, (wake_at, profile_id))
        if len(self._heap) > 2 * len(self._due) + 1_000:
            self._heap = [(instant, each) for each, instant in self._due.items()]
            heapify(self._heap)

    def clear(self) -> None:
        """Forgets all of them."""
        self._due.clear()
        self._heap.clear()

    def pop_before(self, instant: int, limit: int) -> list[str]:
        """Profiles with timers before ``instant``, earliest first, at most ``limit``; their timers are cleared."""
        profiles: list[str] = []
        while self._heap and self._heap[0][0] < instant and len(profiles) < limit:
            wake_at, profile_id = heappop(self._heap)
            if self._due.get(profile_id) == wake_at:
                del self._due[profile_id]
                profiles.append(profile_id)
        return profiles

    def next_at(self) -> int:
        """The earliest timer, or `NEVER`."""
        while self._heap:
            wake_at, profile_id = self._heap[0]
            if self._due.get(profile_id) == wake_at:
                return wake_at
            heappop(self._heap)
        return NEVER
