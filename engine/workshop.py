"""The workshop: where errands meet the actors that work them. Activation, routing, retries, quarantine.

One lane, one supervisor for each policy segment. Used by the engine's thread alone.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from queue import SimpleQueue
from typing import Final

from actors.errand import Arrival, Errand
from actors.lane import LaneRef
from actors.profile import Crew
from actors.segment import TRIES_MAX, Batch, BlowFuse, Dismiss, ResetFuse, SegmentSupervisor
from domain.shards import shard_of
from domain.snapshot import thaw
from engine.envelope import Envelope
from engine.lanes import ThreadLane
from engine.ports import HeldEvent, QuarantinedEvent, Store
from engine.tally import Tally

ReadHeld = Callable[[HeldEvent], Arrival | None]
"""An event that was stored, as it came in; None where it can no longer be read."""


class EngineFault(Exception):
    """The engine cannot go on: a profile failed where nothing can be put aside."""


class Workshop:
    """Has actors work errands; a profile that fails again and again is put aside, with the message it fails on."""

    def __init__(
        self,
        store: Store,
        read_held: ReadHeld,
        settle: Callable[[], None],
        crew: Crew,
        lane: ThreadLane,
        tally: Tally,
    ) -> None:
        """``settle`` returns when all that was decided before is stored."""
        self._store: Final = store
        self._settle: Final = settle
        self._read_held: Final = read_held
        self._crew: Final = crew
        self._lane: Final = lane
        self._tally: Final = tally
        self._supervisors: Final[dict[str | None, LaneRef[SegmentSupervisor]]] = {}
        self._segment_of: Final[dict[str, str | None]] = {}
        self._quarantined: Final[set[str]] = set()
        self._set_aside: list[tuple[str, str]] = []
        self._replies: Final[SimpleQueue[Batch]] = SimpleQueue()

    @property
    def active(self) -> int:
        """Profiles held in memory."""
        return len(self._segment_of)

    def supervise(self) -> None:
        """Starts the supervisors of segments that have none yet."""
        for name in (None, *(segment.name for segment in self._crew.policy.segments)):
            if name not in self._supervisors:
                self._supervisors[name] = SegmentSupervisor.start(name, self._crew, self._supervisors, lane=self._lane)

    def blow(self, breaker: str) -> None:
        """The store holds commands behind this breaker from before."""
        self._tell(BlowFuse(breaker))

    def reset(self, breaker: str) -> None:
        """People have decided what becomes of what the breaker held."""
        self._tell(ResetFuse(breaker))

    @property
    def quarantined(self) -> int:
        """How many profiles are known to be in quarantine."""
        return len(self._quarantined)

    def is_quarantined(self, profile_id: str) -> bool:
        """Whether it is known to be in quarantine; one that is not active may be, all the same."""
        return profile_id in self._quarantined

    def take_set_aside(self) -> list[tuple[str, str]]:
        """The profiles that were put into quarantine since this was last asked, each with the reason."""
        taken, self._set_aside = self._set_aside, []
        return taken

    def dismiss(self, shards: Collection[int] | None = None) -> None:
        """Forgets the profiles of some shards (None: of all): what is held of them may differ from what is stored."""
        total = self._store.shards
        gone = [each for each in self._segment_of if shards is None or shard_of(each, total) in shards]
        self._tell(Dismiss(tuple(gone)))
        for profile_id in gone:
            del self._segment_of[profile_id]
        self._quarantined.difference_update(
            [each for each in self._quarantined if shards is None or shard_of(each, total) in shards]
        )

    def run(self, errands: Iterable[Errand], quarantined: list[QuarantinedEvent]) -> list[Errand]:
        """Has the errands worked, and returns those that were.

        What fails again and again, or comes for a profile that has, is appended to ``quarantined`` in order. Raises
        `EngineFault` where the profiles live in memory alone, since then there is nothing to begin again from.
        """
        some = self._admitted(errands, quarantined)
        if self._activate(some):
            some = self._admitted(some, quarantined)
        self._work(some)
        worked: list[Errand] = []
        for errand in some:
            if errand.failure is None:
                worked.append(errand)
            else:
                worked.extend(self._retry(errand, quarantined))
        return worked

    def readmit(self, profile_id: str, events: Sequence[QuarantinedEvent]) -> Errand | None:
        """Works what waits in quarantine, in order and at the instants of its arrival; None if it fails again."""
        self._settle()
        self._let_go(profile_id)
        held = [HeldEvent(each.profile_id, each.number, each.accepted_at, each.body) for each in events]
        errand = self._alone(profile_id, [arrival for arrival in map(self._read_held, held) if arrival is not None], 0)
        if errand.failure is None:
            self._quarantined.discard(profile_id)
            return errand
        self._quarantined.add(profile_id)
        return None

    def _tell(self, message: BlowFuse | ResetFuse | Dismiss) -> None:
        for supervisor in self._supervisors.values():
            supervisor.tell(message)

    def _let_go(self, profile_id: str) -> None:
        if profile_id in self._segment_of:
            self._tell(Dismiss((profile_id,)))
            del self._segment_of[profile_id]

    def _admitted(self, errands: Iterable[Errand], aside: list[QuarantinedEvent]) -> list[Errand]:
        """What comes for a profile in quarantine waits there, in order."""
        quarantined = self._quarantined
        if not quarantined:
            return list(errands)
        admitted: list[Errand] = []
        for errand in errands:
            if errand.profile_id in quarantined:
                aside.extend(self._put_aside(errand.arrivals, "waits behind a quarantined event"))
            else:
                admitted.append(errand)
        return admitted

    def _activate(self, errands: Iterable[Errand]) -> bool:
        """Loads the profiles that are not in memory, with one query. Whether one of them is in quarantine."""
        unknown = [errand for errand in errands if errand.profile_id not in self._segment_of]
        if not unknown:
            return False
        quarantined = len(self._quarantined)
        loaded = self._store.load([errand.profile_id for errand in unknown])
        for errand in unknown:
            found = loaded.get(errand.profile_id)
            if found is not None:
                if found.state is not None:
                    errand.profile = thaw(errand.profile_id, found.state)
                    errand.profile.version = found.version
                errand.held = [arrival for arrival in map(self._read_held, found.held) if arrival is not None]
                if found.is_quarantined:
                    self._quarantined.add(errand.profile_id)
            segment = errand.profile.policy_segment if errand.profile is not None else None
            self._segment_of[errand.profile_id] = segment if segment in self._supervisors else None
        return len(self._quarantined) > quarantined

    def _work(self, errands: Iterable[Errand]) -> None:
        by_segment: dict[str | None, list[Errand]] = {}
        for errand in errands:
            by_segment.setdefault(self._segment_of[errand.profile_id], []).append(errand)
        for segment, some in by_segment.items():
            self._supervisors[segment].tell(Batch(some, self._replies.put))
        for _ in by_segment:
            batch = self._replies.get()
            for profile_id, segment in batch.moved:
                self._segment_of[profile_id] = segment
            for profile_id in batch.passivated:
                self._segment_of.pop(profile_id, None)
            for errand in batch.errands:
                if errand.failure is not None:
                    self._segment_of.pop(errand.profile_id, None)

    def _retry(self, errand: Errand, quarantined: list[QuarantinedEvent]) -> list[Errand]:
        """The same errand from the stored state, a few times; then without the event that fails and those behind it."""
        self._tally.failures += 1
        if not self._crew.freezes:
            raise EngineFault(
                f"profile {errand.profile_id} could not be worked: {errand.failure!r}"
            ) from errand.failure
        self._settle()
        for _ in range(TRIES_MAX - 1):
            again = self._alone(errand.profile_id, errand.arrivals, errand.until)
            if again.failure is None:
                return [again]
            errand = again
        reason = f"{type(errand.failure).__name__}: {errand.failure}"
        quarantined.extend(self._put_aside(errand.arrivals[errand.handled :], reason))
        self._quarantined.add(errand.profile_id)
        self._set_aside.append((errand.profile_id, reason))
        before = self._alone(errand.profile_id, errand.arrivals[: errand.handled], 0)
        if before.failure is None:
            return [before]
        quarantined.extend(self._put_aside(before.arrivals, reason))
        return []

    def _alone(self, profile_id: str, arrivals: list[Arrival], until: int) -> Errand:
        errand = Errand(profile_id, arrivals, until)
        self._activate([errand])
        self._work([errand])
        return errand

    def _put_aside(self, arrivals: Sequence[Arrival], reason: str) -> list[QuarantinedEvent]:
        events = []
        for arrival in arrivals:
            envelope = arrival.ticket
            if isinstance(envelope, Envelope) and envelope.subject is not None:
                self._tally.count(envelope.counted_type, "quarantined")
                at = arrival.message.at
                events.append(QuarantinedEvent(envelope.subject, at, at, envelope.body, reason))
        return events
