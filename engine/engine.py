"""The engine: deliveries and timers in, worked by the actors, committed once, acknowledged, published.

One turn is one batch. While its transaction commits in another thread, the next batch is decided; a commit that fails
takes the touched actors with it, and redelivery activates them anew from what the store then says.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from time import perf_counter
from typing import Final

from actors.errand import Arrival, Errand
from actors.lane import LaneRef
from actors.profile import Crew
from actors.segment import TRIES_MAX, Batch, BlowFuse, Dismiss, ResetFuse, SegmentSupervisor
from domain.calendar import MINUTE, NEVER, SECOND
from domain.events import SegmentChanged
from domain.messages import PolicyPublished
from domain.snapshot import thaw
from engine.batch import Encode, EncodeRejection, Scribe
from engine.desks import Desks
from engine.envelope import Envelope
from engine.intake import Decode, Door, Intake
from engine.lanes import ThreadLane
from engine.outbox import Outbox
from engine.ports import Broker, Clock, Delivery, PolicySource, QuarantinedEvent, Store, Transaction
from engine.tally import Tally
from engine.timers import Timers
from engine.trail import Trail

_VOICES_NEEDED: Final = 2


class VoteRefused(Exception):
    """The vote does not count; the text says why."""


class EngineFault(Exception):
    """The engine cannot go on: a profile failed where nothing can be put aside, or the store refuses every batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Limits. ``late_us``: a timer found so much after its instant is late (the engine was away)."""

    batch_max: int = 2_000
    timers_max: int = 5_000
    active_max: int = 200_000
    carry_max: int = 500
    hold_unknown_us: int = 10 * MINUTE
    horizon_us: int = 10 * MINUTE
    late_us: int = 60 * SECOND
    keeps: bool = True
    confirms: bool = False
    pipelined: bool = True
    quarantines: bool = True


class Engine:
    """One shard's worth of profiles on one lane. Not thread-safe: one thread calls `begin`, `turn` and `end`."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        clock: Clock,
        policies: PolicySource,
        decode: Decode,
        encode: Encode,
        encode_rejection: EncodeRejection,
        settings: EngineSettings,
        trail: Trail | None = None,
    ) -> None:
        self.trail: Final = trail if trail is not None else Trail()
        self.tally: Final = Tally()
        self.timers: Final = Timers()
        self.settings: Final = settings
        self.policy = policies.current()
        self.outbox: Final = Outbox(store, broker, self.tally, self.trail)
        self._store: Final = store
        self._broker: Final = broker
        self._clock: Final = clock
        self._policies: Final = policies
        self._door: Final = Door(decode, store, clock.stamp, self.tally)
        self._scribe: Final = Scribe(encode, encode_rejection, self.tally, settings.keeps)
        self._lane: Final = ThreadLane("profiles")
        self._crew: Final = Crew(self.policy, settings.hold_unknown_us, settings.confirms, freezes=settings.keeps)
        self._supervisors: Final[dict[str | None, LaneRef[SegmentSupervisor]]] = {}
        self._desks: Final = Desks(self._lane, self.policy, settings.keeps)
        self._segment_of: Final[dict[str, str | None]] = {}
        self._quarantined: Final[set[str]] = set()
        self._replies: Final[SimpleQueue[Batch]] = SimpleQueue()
        self._committer: Final = ThreadPoolExecutor(1, "commit")
        self._commit: Future[None] | None = None
        self._horizon = 0
        self._started_at = 0
        self._to_carry: list[str] = []
        self.blown: Final[set[str]] = set()
        """Breakers that hold commands back until two people have decided."""
        self.publish_failure: Exception | None = None
        """Why events that are committed could not leave, the last time that was so."""
        self._votes: Final[SimpleQueue[tuple[str, str, bool]]] = SimpleQueue()
        self._voices: Final[dict[str, dict[str, bool]]] = {}

    def begin(self) -> None:
        """Takes up where the engine before stopped: time, outbox, desks, events that wait for their account."""
        self.tally.shards_owned = len(self._store.claim(range(self._store.shards)))
        self._clock.reach(self._store.last_instant())
        self._started_at = self._clock.now()
        self._supervise()
        self.outbox.recover()
        self._desks.restore(self._store.desks())
        self._crew.panel.profiles_in.update(self._store.segment_sizes())
        for breaker in self._store.blown():
            self.blown.add(breaker)
            self._tell_supervisors(BlowFuse(breaker))
        for profile_id in self._store.waiting_for_account():
            self.timers.set(profile_id, 0)

    @property
    def active(self) -> int:
        """Profiles held in memory."""
        return len(self._segment_of)

    def next_at(self) -> int:
        """When the next timer comes, as far as is known: the next look is no later than the end of the horizon."""
        return min(self.timers.next_at(), self._desks.next_at(), self._horizon if self.settings.keeps else NEVER)

    @property
    def is_busy(self) -> bool:
        """Whether there is work that no delivery or timer brings: a policy to carry, events that did not leave."""
        return bool(self._to_carry) or not self._votes.empty()

    def is_due(self, now: int) -> bool:
        """Whether a turn without deliveries has something to do."""
        return self.is_busy or self.next_at() <= now or self._policies.current() is not self.policy

    def rest(self) -> None:
        """Nothing to do: what is in flight lands, and what did not leave is tried again."""
        self.settle_or_recover()
        if len(self.outbox):
            self.outbox.pump()

    def vote(self, breaker: str, actor: str, let_go: bool) -> None:
        """A head's voice on what a breaker holds; two people of that role who agree let it go or withdraw it.

        Raises `VoteRefused`. Takes effect with the next turn; may be called from any thread.
        """
        if breaker not in self.blown:
            raise VoteRefused(f"breaker {breaker!r} holds nothing back")
        if self.policy.managers is None or not self.policy.has_role(actor, "head"):
            raise VoteRefused(f"{actor!r} is no head or administrator")
        self._votes.put((breaker, actor, let_go))

    def _count_votes(self) -> None:
        while not self._votes.empty():
            breaker, actor, let_go = self._votes.get()
            voices = self._voices.setdefault(breaker, {})
            voices[actor] = let_go
            if breaker in self.blown and list(voices.values()).count(let_go) >= _VOICES_NEEDED:
                self.settle()
                self._store.decide_held(breaker, let_go)
                self.outbox.recover()
                self.blown.discard(breaker)
                del self._voices[breaker]
                self._tell_supervisors(ResetFuse(breaker))

    def _tell_supervisors(self, message: BlowFuse | ResetFuse | Dismiss) -> None:
        for supervisor in self._supervisors.values():
            supervisor.tell(message)

    def turn(self, deliveries: Sequence[Delivery], until: int, backlog: bool = False) -> Transaction:
        """One batch: the deliveries in order, then every timer before ``until``.

        With a ``backlog`` (the engine was away and messages still wait) timers stay where they are. Returns what was
        handed to the commit.
        """
        self._adopt_policy()
        self._count_votes()
        crew = self._crew
        # While messages wait that came before the start, every timer is late: they take effect first.
        on_time = max(self._started_at, self._clock.now() - self.settings.late_us) if crew.freezes else 0
        crew.late_before = NEVER if backlog else on_time
        intake = self._door.take(deliveries)
        for unreadable in intake.unreadable:
            self._broker.dead_letter(unreadable.body, unreadable.reason)
        if not backlog:
            self._look_ahead(until)
        due = [] if backlog else self.timers.pop_before(until, self.settings.timers_max)
        errands = {profile_id: Errand(profile_id, [], until) for profile_id in due}
        for profile_id, arrivals in intake.arrivals.items():
            errands[profile_id] = Errand(profile_id, arrivals, 0 if backlog else until)
        quarantined = self._set_aside(errands)
        self._carry_policy(errands)
        worked = self._run(list(errands.values()), quarantined)
        worked.extend(self._run_desks(worked, until, quarantined))
        for errand in worked:
            # Beyond the horizon the store remembers it: not in a replay, and not what waits for an account.
            stored = self.settings.keeps and errand.profile is not None and errand.profile.is_known
            near = errand.wake_at < self._horizon or not stored
            self.timers.set(errand.profile_id, errand.wake_at if near else NEVER)
        transaction = self._scribe.write(intake, worked)
        transaction.quarantined.extend(quarantined)
        transaction.desks.update(self._desks.take_changed())
        self.tally.batches += 1
        self.tally.timer_due_at = min(self.timers.next_at(), self._desks.next_at(), self._horizon or NEVER)
        self._count(intake, worked)
        if self.trail.follows:
            self.trail.decided(intake, worked)
        if self.policy.breakers and not crew.confirms:
            self._watch_breakers(worked)
        self._submit(transaction, intake)
        return transaction

    def settle(self) -> None:
        """Waits for the commit in flight, so that everything decided so far is durable and published."""
        commit, self._commit = self._commit, None
        if commit is not None:
            commit.result()

    def end(self) -> None:
        """Finishes what was begun and stops the lane."""
        try:
            self.settle()
        finally:
            self._committer.shutdown()
            self._lane.stop(timeout_s=10)

    def _supervise(self) -> None:
        for name in (None, *(segment.name for segment in self.policy.segments)):
            if name not in self._supervisors:
                self._supervisors[name] = SegmentSupervisor.start(
                    name, self._crew, self._supervisors, self.settings.active_max, lane=self._lane
                )

    def _adopt_policy(self) -> None:
        policy = self._policies.current()
        if policy is self.policy:
            return
        self.settle()
        self.policy = self._crew.policy = policy
        self._supervise()
        self._desks.change_policy(policy)
        # Whoever is touched adopts it on the way; the others follow a few at a time, without a stampede.
        self._to_carry = sorted(self._store.profile_ids(), reverse=True)

    def _carry_policy(self, errands: dict[str, Errand]) -> None:
        if not self._to_carry:
            return
        at = self._clock.stamp(None)
        for _ in range(min(self.settings.carry_max, len(self._to_carry))):
            profile_id = self._to_carry.pop()
            if profile_id not in errands and profile_id not in self._quarantined:
                errands[profile_id] = Errand(profile_id, [Arrival(PolicyPublished(at), None)])

    def _look_ahead(self, until: int) -> None:
        """Fetches the timers of the near horizon from the store."""
        if until < self._horizon or not self.settings.keeps:
            return
        self.settle()
        ahead = until + self.settings.horizon_us
        limit = self.settings.timers_max * 4
        due = self._store.due(ahead, limit)
        for profile_id, wake_at in due:
            self.timers.set(profile_id, wake_at)
        self._horizon = due[-1][1] if len(due) == limit else ahead

    def _set_aside(self, errands: dict[str, Errand]) -> list[QuarantinedEvent]:
        """What comes for a profile in quarantine waits there, in order."""
        aside: list[QuarantinedEvent] = []
        for profile_id in self._quarantined.intersection(errands):
            aside.extend(self._quarantine(errands.pop(profile_id).arrivals, "waits behind a quarantined event"))
        return aside

    def _run(self, errands: list[Errand], quarantined: list[QuarantinedEvent]) -> list[Errand]:
        """Has the actors work the errands; those that fail are tried again alone, then put into quarantine."""
        self._activate(errands)
        quarantined.extend(self._set_aside_loaded(errands))
        self._work(errands)
        worked: list[Errand] = []
        for errand in errands:
            if errand.failure is None:
                worked.append(errand)
            else:
                worked.extend(self._retry(errand, quarantined))
        return worked

    def _set_aside_loaded(self, errands: list[Errand]) -> list[QuarantinedEvent]:
        by_id = {errand.profile_id: errand for errand in errands}
        aside = self._set_aside(by_id) if self._quarantined else []
        errands[:] = by_id.values()
        return aside

    def _activate(self, errands: list[Errand]) -> None:
        """Loads the profiles that are not in memory, with one query."""
        unknown = [errand for errand in errands if errand.profile_id not in self._segment_of]
        if not unknown:
            return
        loaded = self._store.load([errand.profile_id for errand in unknown])
        for errand in unknown:
            found = loaded.get(errand.profile_id)
            if found is not None:
                if found.state is not None:
                    errand.profile = thaw(errand.profile_id, found.state)
                    errand.profile.version = found.version
                held = [self._door.arrived_before(each) for each in found.held]
                errand.held = [arrival for arrival in held if arrival is not None]
                if found.is_quarantined:
                    self._quarantined.add(errand.profile_id)
            segment = errand.profile.policy_segment if errand.profile is not None else None
            self._segment_of[errand.profile_id] = segment if segment in self._supervisors else None

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
        self.tally.failures += 1
        if not self.settings.quarantines:
            raise EngineFault(
                f"profile {errand.profile_id} could not be worked: {errand.failure!r}"
            ) from errand.failure
        self.settle()
        for _ in range(TRIES_MAX - 1):
            again = self._alone(errand.profile_id, errand.arrivals, errand.until)
            if again.failure is None:
                return [again]
            errand = again
        reason = f"{type(errand.failure).__name__}: {errand.failure}"
        quarantined.extend(self._quarantine(errand.arrivals[errand.handled :], reason))
        self._quarantined.add(errand.profile_id)
        before = self._alone(errand.profile_id, errand.arrivals[: errand.handled], 0)
        if before.failure is None:
            return [before]
        quarantined.extend(self._quarantine(before.arrivals, reason))
        return []

    def _alone(self, profile_id: str, arrivals: list[Arrival], until: int) -> Errand:
        errand = Errand(profile_id, arrivals, until)
        self._activate([errand])
        self._work([errand])
        return errand

    def _run_desks(self, worked: list[Errand], until: int, quarantined: list[QuarantinedEvent]) -> list[Errand]:
        """Managers are told what happened; whom they take on is told to the profiles, until there is no more to say."""
        answered: list[Errand] = []
        answers = self._desks.tell(worked, until)
        while answers:
            errands = [
                Errand(profile_id, [Arrival(message, None) for message in messages])
                for profile_id, messages in answers.items()
                if profile_id not in self._quarantined
            ]
            round_ = self._run(errands, quarantined)
            answered.extend(round_)
            answers = self._desks.tell(round_, until)
        return answered

    def _watch_breakers(self, worked: list[Errand]) -> None:
        sizes = self._crew.panel.profiles_in
        for errand in worked:
            self.blown.update((errand.withheld or {}).values())
            for fact in errand.facts:
                if isinstance(fact, SegmentChanged):
                    sizes[fact.policy_segment] += 1
                    if errand.version > 0 or fact.previous_policy_segment is not None:
                        sizes[fact.previous_policy_segment] -= 1

    def _submit(self, transaction: Transaction, intake: Intake) -> None:
        self.settle_or_recover()
        if not self.settings.pipelined:
            self._finish(transaction, intake)
            return
        self._commit = self._committer.submit(self._finish, transaction, intake)

    def settle_or_recover(self) -> None:
        """Waits for the commit in flight; if it failed, everything in memory goes and deliveries come again."""
        try:
            self.settle()
        except Exception as failure:
            self._recover(failure)
            raise

    def _recover(self, failure: Exception) -> None:
        self._tell_supervisors(Dismiss(tuple(self._segment_of)))
        self._segment_of.clear()
        self._door.forget()
        self._desks.restore(self._store.desks())
        self.outbox.recover()
        self._horizon = 0
        self._broker.redeliver()

    def _finish(self, transaction: Transaction, intake: Intake) -> None:
        """In the committer's thread: durable first, then acknowledged, then published."""
        if transaction:
            began = perf_counter()
            self._store.commit(transaction)
            self.tally.committed(len(intake.inbox), perf_counter() - began)
        self._door.committed(transaction.inbox)
        if intake.tags:
            self._broker.acknowledge(intake.tags)
        if intake.inbox:
            self.tally.event_seconds.add(perf_counter() - intake.taken_at, len(intake.inbox))
        self.outbox.add(transaction.outbox)
        try:
            self.outbox.pump()
        except Exception as failure:
            # Durable and acknowledged all the same; it goes with the next batch, or when there is nothing else to do.
            self.publish_failure = failure

    def _count(self, intake: Intake, worked: list[Errand]) -> None:
        events = self.tally.events
        for errand in worked:
            refused = {id(each.arrival.ticket) for each in errand.refused}
            held = {id(each.ticket) for each in errand.newly_held or ()}
            for arrival in errand.arrivals:
                envelope = arrival.ticket
                if isinstance(envelope, Envelope) and id(envelope) not in refused:
                    outcome = "held" if id(envelope) in held else "accepted"
                    events[envelope.type or "", outcome] += 1

    def _quarantine(self, arrivals: Sequence[Arrival], reason: str) -> list[QuarantinedEvent]:
        events = []
        for arrival in arrivals:
            envelope = arrival.ticket
            if isinstance(envelope, Envelope) and envelope.subject is not None:
                self.tally.count(envelope.counted_type, "quarantined")
                at = arrival.message.at
                events.append(QuarantinedEvent(envelope.subject, at, at, envelope.body, reason))
        return events
