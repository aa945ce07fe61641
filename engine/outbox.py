"""The outbox in memory: what is committed and has not left yet, in the order in which it was decided.

Between its decision and its leaving a command can lose its reason. `unsent` is the last look: which commands of a run
that has just ended have surely never left. One that may have left (publishing was tried, or an engine before us may
have done so) is never withdrawn: it is sent again, and its reversal after it.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Final

from engine.ports import Broker, NothingLeft, OutgoingEvent, Store
from engine.tally import Tally
from engine.trail import Trail

_AT_ONCE: Final = 5_000
_RECOVERED_MAX: Final = 1_000_000

CommandOf = Callable[[OutgoingEvent], tuple[str, str | None] | None]
"""The command id and the run id (None: outside of runs) of an event that is a command; None for any other."""


class Outbox:
    """Publishes committed events in order. The store remembers what is still to go, so a crash sends it again."""

    def __init__(self, store: Store, broker: Broker, command_of: CommandOf, tally: Tally, trail: Trail) -> None:
        self._store: Final = store
        self._broker: Final = broker
        self._command_of: Final = command_of
        self._tally: Final = tally
        self._trail: Final = trail
        self._waiting: Final[deque[OutgoingEvent]] = deque()
        self._withheld: Final[dict[str, OutgoingEvent]] = {}
        # Those that may have left already: the order of events is kept, so they stand before all others.
        self._tried = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def oldest_at(self) -> int | None:
        """When the first of what waits was decided; None where nothing waits. May be called from any thread."""
        try:
            return self._waiting[0].at
        except IndexError:
            return None

    @property
    def withheld(self) -> int:
        """How many events breakers hold back."""
        return len(self._withheld)

    def recover(self) -> None:
        """Takes up what an engine before us committed and did not send, or did without noting it."""
        self._waiting.clear()
        self._waiting.extend(self._store.pending(_RECOVERED_MAX))
        self._tried = len(self._waiting)
        self._withheld.clear()
        self._withheld.update((event.event_id, event) for event in self._store.withheld())

    def add(self, events: Iterable[OutgoingEvent]) -> None:
        """These are committed."""
        for event in events:
            if event.state == "pending":
                self._waiting.append(event)
            else:
                self._withheld[event.event_id] = event

    def held_by(self, breaker: str) -> list[tuple[str, OutgoingEvent]]:
        """What a breaker holds back, in the order in which it was decided, each with its command's id."""
        held = [event for event in self._withheld.values() if event.breaker == breaker]
        commands = [(self._command_of(event), event) for event in held]
        return [(command[0], event) for command, event in commands if command is not None]

    def let_go(self, event_ids: Iterable[str]) -> None:
        """These wait to leave from now on, and that is committed."""
        for event_id in event_ids:
            event = self._withheld.pop(event_id, None)
            if event is not None:
                self._waiting.append(event)

    def unsent(self, profile_ids: Collection[str]) -> dict[tuple[str, str], list[tuple[str, OutgoingEvent]]]:
        """The events of these profiles' runs that have surely not left, by ``(profile, run)``, each with the id of its
        command."""
        found: dict[tuple[str, str], list[tuple[str, OutgoingEvent]]] = {}
        for event in (*islice(self._waiting, self._tried, None), *self._withheld.values()):
            if event.profile_id in profile_ids:
                command = self._command_of(event)
                if command is not None and command[1] is not None:
                    found.setdefault((event.profile_id, command[1]), []).append((command[0], event))
        return found

    def drop(self, withdrawn: Iterable[str]) -> None:
        """These will never leave, and that is committed."""
        event_ids = set(withdrawn)
        if not event_ids:
            return
        kept = [event for event in self._waiting if event.event_id not in event_ids]
        self._tried -= sum(1 for event in islice(self._waiting, self._tried) if event.event_id in event_ids)
        self._waiting.clear()
        self._waiting.extend(kept)
        for event_id in event_ids:
            self._withheld.pop(event_id, None)

    def pump(self) -> int:
        """Publishes what waits; returns how many left. What is not confirmed stays first, so that order is kept.

        Raises what the broker raises; then all of it is still there.
        """
        sent = 0
        while self._waiting:
            events = list(islice(self._waiting, _AT_ONCE))
            tried, self._tried = self._tried, max(self._tried, len(events))
            try:
                confirmed = set(self._broker.publish(events))
            except Exception as failure:
                self._tally.publish_failures += 1
                if isinstance(failure, NothingLeft):
                    self._tried = tried
                raise
            self._store.mark_sent([event.event_id for event in events if event.event_id in confirmed])
            if self._trail.follows:
                self._trail.published([event for event in events if event.event_id in confirmed])
            left_over = [event for event in events if event.event_id not in confirmed]
            for _ in events:
                self._waiting.popleft()
            self._waiting.extendleft(reversed(left_over))
            self._tried += len(left_over) - len(events)
            sent += len(events) - len(left_over)
            if left_over:
                self._tally.publish_failures += 1
                break
        return sent
