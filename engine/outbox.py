"""The outbox in memory: what is committed and has not left yet, in the order in which it was decided.

Between its decision and its leaving a command can lose its reason. `unsent` is the last look: which commands of a run
that has just ended have surely never left. One that may have left (publishing was tried, or an engine before us may
have done so) is never withdrawn: it is sent again, and its reversal after it.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from contextlib import suppress
from itertools import islice
from typing import Final

from engine.ports import Broker, NothingLeft, OutgoingEvent, Store
from engine.tally import Tally
from engine.trail import Trail

_AT_ONCE: Final = 5_000
_AGAIN: Final = 1_000
"""Of what could not leave, so many are tried with every batch: none of them may be able to yet."""
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
        # Of what waits, those that may have left already: the order is kept, so they stand before all others.
        self._tried = 0
        # Before what waits, by profile: what could not leave (it may have all the same), and what came after it.
        self._left_over: Final[dict[str, list[OutgoingEvent]]] = {}
        self._left = 0

    def __len__(self) -> int:
        return len(self._waiting) + self._left

    def oldest_at(self) -> int | None:
        """When the first of what waits was decided; None where nothing waits. May be called from any thread."""
        first = [events[0].at for events in list(self._left_over.values())]
        with suppress(IndexError):
            first.append(self._waiting[0].at)
        return min(first, default=None)

    @property
    def withheld(self) -> int:
        """How many events breakers hold back."""
        return len(self._withheld)

    def recover(self) -> None:
        """Takes up what an engine before us committed and did not send, or did without noting it."""
        self._left_over.clear()
        self._left = 0
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
        """Publishes what waits; returns how many left. What is not confirmed is left over: it has another go with the
        next call, and nobody but the later events of its profile waits for it.

        Raises what the broker raises; then all of it is still there.
        """
        sent = self._try_again() if self._left_over else 0
        left_over = self._left_over
        while self._waiting:
            some = list(islice(self._waiting, _AT_ONCE))
            events = [event for event in some if _owner(event) not in left_over] if left_over else some
            tried, self._tried = self._tried, max(self._tried, len(some))
            try:
                confirmed = self._publish(events) if events else frozenset()
            except NothingLeft:
                self._tried = tried
                raise
            if len(confirmed) < len(some):
                for event in some:
                    if event.event_id not in confirmed:
                        left_over.setdefault(_owner(event), []).append(event)
                        self._left += 1
            for _ in some:
                self._waiting.popleft()
            self._tried -= len(some)
            sent += len(confirmed)
        return sent

    def _try_again(self) -> int:
        """Publishes what was left over, a portion at a time, for as long as some of it leaves; whose portion did not
        comes last the next time. Returns how many left."""
        sent, left_over = 0, self._left_over
        around = len(left_over)
        while around:
            events: list[OutgoingEvent] = []
            owners: list[str] = []
            for owner in islice(left_over, around):
                owners.append(owner)
                events += left_over[owner][:_AGAIN]
                if len(events) >= _AGAIN:
                    break
            around -= len(owners)
            confirmed = self._publish(events)
            for owner in owners:
                rest = [event for event in left_over.pop(owner) if event.event_id not in confirmed]
                if rest:
                    left_over[owner] = rest
            self._left -= len(confirmed)
            sent += len(confirmed)
            if not confirmed:
                break
        return sent

    def _publish(self, events: Sequence[OutgoingEvent]) -> Set[str]:
        """Returns the ids of those that have left, and that is noted."""
        try:
            confirmed = set(self._broker.publish(events))
        except Exception:
            self._tally.publish_failures += 1
            raise
        self._store.mark_sent([event.event_id for event in events if event.event_id in confirmed])
        if self._trail.follows:
            self._trail.published([event for event in events if event.event_id in confirmed])
        if len(confirmed) < len(events):
            self._tally.publish_failures += 1
        return confirmed


def _owner(event: OutgoingEvent) -> str:
    """Whose events must leave in order: what belongs to nobody waits for nothing."""
    return event.profile_id or event.event_id
