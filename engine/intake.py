"""The intake: from bodies to arrivals. Each event once, each with its instant, grouped by profile."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from actors.errand import Arrival
from domain.decision import Refusal
from domain.messages import Wake
from domain.shards import shard_of
from engine.codec import Decode
from engine.envelope import Envelope, Unreadable
from engine.letters import Letter, Unseal
from engine.ports import Delivery, HeldEvent, Store
from engine.tally import Tally


@dataclass(slots=True)
class Intake:
    """What a round of deliveries holds: ``arrivals`` of each profile in their order.

    What is ``rejected`` here names no profile that could do it. ``taken_at`` is when the bodies came to the door, in
    seconds of `time.perf_counter`.
    """

    arrivals: dict[str, list[Arrival]] = field(default_factory=dict)
    inbox: list[tuple[str, str, int]] = field(default_factory=list)
    rejected: list[tuple[Envelope, Refusal, int]] = field(default_factory=list)
    duplicates: list[Envelope] = field(default_factory=list)
    unreadable: list[tuple[int, Unreadable]] = field(default_factory=list)
    """With the tag of the delivery."""
    letters: list[tuple[Letter, int]] = field(default_factory=list)
    misdirected: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Events of another shard than the one whose queue they came from: the tag, the right shard, the body."""
    tags: list[int] = field(default_factory=list)
    last_at: int = 0
    taken_at: float = field(default_factory=perf_counter)


class Door:
    """Takes deliveries in. ``stamp`` gives each event its instant (from the time it carries, in a replay)."""

    def __init__(
        self, decode: Decode, unseal: Unseal, store: Store, stamp: Callable[[int | None], int], tally: Tally
    ) -> None:
        self._decode: Final = decode
        self._unseal: Final = unseal
        self._shards: Final = store.shards
        self._store: Final = store
        self._stamp: Final = stamp
        self._tally: Final = tally
        # Taken in, not committed yet: the store does not know these ids.
        self._in_flight: Final[set[tuple[str, str]]] = set()

    def take(self, deliveries: Sequence[Delivery]) -> Intake:
        """Reads the bodies, drops duplicates, stamps what is new. A duplicate also of an event that was rejected."""
        intake = Intake()
        envelopes: list[Envelope] = []
        for delivery in deliveries:
            intake.tags.append(delivery.tag)
            for event in self._decode(delivery.body):
                if isinstance(event, Envelope):
                    if delivery.shard is not None and not self._is_for(event, delivery, intake):
                        continue
                    envelopes.append(event)
                else:
                    self._tally.events["", "unreadable"] += 1
                    intake.unreadable.append((delivery.tag, event))
        keys = [envelope.key() for envelope in envelopes]
        seen = self._store.seen(keys)
        in_flight = self._in_flight
        stamp, inbox, arrivals = self._stamp, intake.inbox, intake.arrivals
        at = 0
        for envelope, key in zip(envelopes, keys, strict=True):
            if key in seen or key in in_flight:
                self._tally.count(envelope.counted_type, "duplicate")
                intake.duplicates.append(envelope)
                continue
            in_flight.add(key)
            at = stamp(envelope.time)
            inbox.append((key[0], key[1], at))
            fault = envelope.fault
            subject = envelope.subject
            if fault is None:
                arrival = Arrival(envelope.message(at), envelope)
            else:
                letter = self._unseal(envelope) if fault.reason == "unknown_type" else None
                if letter is not None:
                    intake.letters.append((letter, at))
                    continue
                arrival = Arrival(Wake(at), envelope, fault=fault)
            if subject is None:
                assert fault is not None, "an envelope without a fault has a subject"
                intake.rejected.append((envelope, fault, at))
                continue
            waiting = arrivals.get(subject)
            if waiting is None:
                arrivals[subject] = [arrival]
            else:
                waiting.append(arrival)
        intake.last_at = at
        return intake

    def _is_for(self, envelope: Envelope, delivery: Delivery, intake: Intake) -> bool:
        """Whether an event belongs to the shard whose queue it came from; else it goes on to its own."""
        right = shard_of(envelope.subject or "", self._shards)
        if right == delivery.shard:
            return True
        self._tally.count(envelope.counted_type, "forwarded")
        intake.misdirected.append((delivery.tag, right, envelope.body))
        return False

    def arrived_before(self, held: HeldEvent) -> Arrival | None:
        """An event that was taken in earlier and stored, as it was then: what had a fault waits its turn to be refused.
        None where it can no longer be read."""
        at = held.accepted_at
        for event in self._decode(held.body):
            if isinstance(event, Envelope):
                message = event.message(at) if event.fault is None else Wake(at)
                return Arrival(message, event, held.number, event.fault)
        return None

    def committed(self, inbox: Iterable[tuple[str, str, int]]) -> None:
        """The store knows these from now on."""
        self._in_flight.difference_update((source, event_id) for source, event_id, _ in inbox)

    def forget(self) -> None:
        """Nothing is in flight any more: what was not committed will be delivered again."""
        self._in_flight.clear()
