"""The engine: deliveries and timers in, worked by the actors, committed once, acknowledged, published.

One turn is one batch. While its transaction commits in another thread, the next batch is decided; a commit that fails
takes the touched actors with it, and redelivery activates them anew from what the store then says.

An engine works the shards that are its own (`engine.tenure`), and is alone to do so: the store refuses every commit
for a shard that has another owner.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Final

from actors.errand import Arrival, Errand
from actors.profile import Crew
from domain.calendar import MINUTE, NEVER, SECOND
from domain.events import SegmentChanged
from domain.messages import ManagerChosen, PolicyPublished, ReleaseCommand, WithdrawCommands
from domain.record import Record
from domain.shards import shard_of
from engine.ballot import Ballot, VoteRefused
from engine.batch import Scribe
from engine.codec import Codec
from engine.departure import Departure
from engine.desks import Desks, MakeDesks
from engine.intake import Door, Intake
from engine.lanes import ThreadLane
from engine.last_look import Withdrawals, ended_runs, held_back, withdraw
from engine.letters import Contents, DeskAnswer, DeskNote, Letter, Release, Voice, subjects_of_all
from engine.outbox import Outbox
from engine.ports import Broker, Clock, Coordination, Delivery, PolicySource, Store, Transaction
from engine.tally import Tally
from engine.tenure import Alone, Tenure
from engine.timers import Timers
from engine.trail import Trail
from engine.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Limits. ``late_us``: a timer found so much after its instant is late (the engine was away).

    ``keeps``: the store wants states and journal, not the outbox alone. ``confirms``: every command counts as confirmed
    at once, and leaves at once.
    """

    batch_max: int = 2_000
    timers_max: int = 500
    active_max: int = 200_000
    carry_max: int = 500
    hold_unknown_us: int = 10 * MINUTE
    horizon_us: int = 10 * MINUTE
    late_us: int = 60 * SECOND
    keeps: bool = True
    confirms: bool = False
    pipelined: bool = True


class Engine:
    """Works profiles on one lane. Not thread-safe: one thread calls `begin`, `tend`, `turn` and `end`."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        clock: Clock,
        policies: PolicySource,
        codec: Codec,
        settings: EngineSettings,
        coordination: Coordination | None = None,
        trail: Trail | None = None,
        make_desks: MakeDesks = Desks,
    ) -> None:
        """Without ``coordination`` the engine has its store to itself, without a ``trail`` nothing is followed."""
        self.trail: Final = trail if trail is not None else Trail()
        self.tally: Final = Tally()
        self.timers: Final = Timers()
        self.settings: Final = settings
        self.policy = policies.current()
        self.outbox: Final = Outbox(store, broker, codec.command_of, self.tally, self.trail)
        self.ballot: Final = Ballot()
        self._store: Final = store
        self._broker: Final = broker
        self._clock: Final = clock
        self._policies: Final = policies
        self._codec: Final = codec
        self._tenure: Final = Tenure(store, coordination or Alone(store.shards), clock)
        self._door: Final = Door(codec.decode, codec.unseal, store, clock.stamp, self.tally)
        self._scribe: Final = Scribe(codec.encode, codec.encode_rejection, self.tally, settings.keeps)
        self._lane: Final = ThreadLane("profiles")
        self.departure: Final = Departure(
            store, broker, self._door, self.outbox, self.tally, pipelined=settings.pipelined
        )
        self._crew: Final = Crew(
            self.policy, settings.hold_unknown_us, settings.active_max, settings.confirms, freezes=settings.keeps
        )
        self._workshop: Final = Workshop(
            store, self._door.arrived_before, self.settle, self._crew, self._lane, self.tally
        )
        self._desks: Final = make_desks(self._lane, self.policy, settings.keeps, self._is_ours)
        self._is_broken = False
        self._horizon = 0
        self._started_at = 0
        # The next one last; and those of the last two turns, which may not be stored yet.
        self._to_carry: list[str] = []
        self._carried: tuple[list[str], list[str]] = ([], [])
        # The breakers that this batch decides on.
        self._decided: list[str] = []

    def begin(self) -> None:
        """Takes up where the engine before stopped, for the shards that are ours now."""
        self._clock.reach(self._store.last_instant())
        self._started_at = self._clock.now()
        self._workshop.supervise()
        self._tenure.take_over()
        self._take_up()
        self._broker.subscribe(self.owned)

    @property
    def owned(self) -> frozenset[int]:
        """The shards that this engine works."""
        return self._tenure.owned

    @property
    def answered(self) -> set[str]:
        """In a replay: the profiles that desks have answered."""
        return self._desks.answered

    @property
    def active(self) -> int:
        """Profiles held in memory."""
        return self._workshop.active

    @property
    def blown(self) -> set[str]:
        """Breakers that hold commands back until two people have decided."""
        return self.ballot.blown

    @property
    def is_busy(self) -> bool:
        """Whether there is work that no delivery or timer brings: a policy to carry on."""
        return bool(self._to_carry)

    def next_at(self) -> int:
        """When the next timer comes, as far as is known: the next look is no later than the end of the horizon."""
        return min(self.timers.next_at(), self._desks.next_at(), self._horizon if self.settings.keeps else NEVER)

    def is_due(self, now: int) -> bool:
        """Whether a turn without deliveries has something to do."""
        return self.is_busy or self.next_at() <= now or self._policies.current() is not self.policy

    def rest(self) -> None:
        """Nothing to do: what is in flight lands, and what did not leave is tried again."""
        self._mend()
        try:
            self.settle()
            self.departure.pump()
        except Exception:
            self._recover()
            raise

    def tend(self) -> bool:
        """Keeps to the shards that are ours: renews leases, gives up what falls to others, takes over what falls to us.

        Whether anything changed.
        """
        self._mend()
        if not self._tenure.is_due():
            return False
        lost, surplus = self._tenure.look()
        try:
            return self._change(lost, surplus)
        except Exception:
            self._is_broken = True
            raise

    def _change(self, lost: frozenset[int], surplus: frozenset[int]) -> bool:
        """Stops to work what others have or should have, and begins to work what falls to us."""
        if lost or surplus:
            self.settle()
            self._broker.subscribe(self.owned - lost - surplus)
            self._tenure.leave(lost | surplus)
        gained = self._tenure.take_over()
        if not (lost or surplus or gained):
            return False
        self.settle()
        self._workshop.dismiss(lost | surplus)
        self._take_up()
        if gained:
            # What others accepted lies before what we accept: no instant of a profile comes twice.
            self._clock.reach(self._store.last_instant())
            self._broker.subscribe(self.owned)
        return True

    def vote(self, breaker: str, actor: str, let_go: bool) -> None:
        """A head's voice on what a breaker holds; two people of that role who agree let it go or withdraw it.

        It reaches every engine of the store. Raises `VoteRefused`. May be called from any thread.
        """
        if len(self.owned) == self._store.shards and breaker not in self.blown:
            raise VoteRefused(f"breaker {breaker!r} holds nothing back")
        self.ballot.check(actor, self.policy)
        self._post(subjects_of_all(self._store.shards), actor, Voice(breaker, actor, let_go))

    def limit(self, active_max: int, hold_unknown_us: int) -> None:
        """Other limits, from the next batch on. May be called from any thread."""
        self._crew.active_max, self._crew.hold_unknown = active_max, hold_unknown_us

    def release(self, profile_id: str, actor: str) -> None:
        """Has what waits in quarantine for a profile worked again. May be called from any thread."""
        self._post([profile_id], actor, Release(profile_id, actor))

    def turn(self, deliveries: Sequence[Delivery], until: int | None = None, backlog: bool = False) -> Transaction:
        """One batch: the deliveries in order, then every timer before ``until``.

        Without it, until the instant after the last of them was accepted: what they bring about takes effect with them.
        With a ``backlog`` (the engine was away and messages still wait) timers stay where they are. Returns what was
        handed to the commit. What it raises has taken everything in memory with it, and deliveries come again.
        """
        if self._is_broken:
            # What was received comes again with all that was not acknowledged, and before any timer.
            self._mend()
            return Transaction()
        try:
            return self._turn(deliveries, until, backlog)
        except Exception:
            self._recover()
            raise

    def settle(self) -> None:
        """Waits for the commit in flight, so that everything decided so far is durable and published."""
        self.departure.settle()

    def settle_or_recover(self) -> None:
        """Waits for the commit in flight; if it failed, everything in memory goes and deliveries come again."""
        try:
            self.settle()
        except Exception:
            self._recover()
            raise

    def end(self) -> None:
        """Finishes what was begun, gives up the shards and stops the lane."""
        try:
            self.settle()
            self._broker.subscribe(())
        finally:
            self.departure.stop()
            self._lane.stop(timeout_s=10)
            self._tenure.end()

    def _turn(self, deliveries: Sequence[Delivery], until: int | None, backlog: bool) -> Transaction:
        self._adopt_policy()
        crew = self._crew
        # While messages wait that came before the start, every timer is late: they take effect first.
        on_time = max(self._started_at, self._clock.now() - self.settings.late_us) if crew.freezes else 0
        crew.late_before = NEVER if backlog else on_time
        intake = self._door.take(deliveries)
        if until is None:
            until = self._clock.now() + 1
        due = [] if backlog else self._due(until)
        errands = {profile_id: Errand(profile_id, [], until) for profile_id in due}
        for profile_id, arrivals in intake.arrivals.items():
            errands[profile_id] = Errand(profile_id, arrivals, 0 if backlog else until)
        if not backlog:
            # After the messages that waited: what is carried may begin what one of them would have prevented.
            self._carry_policy(errands)
        transaction = Transaction(inbox=intake.inbox)
        worked, afterwards = self._read_letters(intake, errands, transaction) if intake.letters else ([], [])
        worked.extend(self._workshop.run(errands.values(), transaction.quarantined))
        worked.extend(self._workshop.run(afterwards, transaction.quarantined))
        worked.extend(self._run_desks(worked, until, transaction))
        unwritten = self._look_last(worked, transaction) if crew.freezes and not crew.confirms else frozenset()
        horizon, keeps, set_timer = self._horizon, self.settings.keeps, self.timers.set
        for errand in worked:
            # Beyond the horizon the store remembers it: not in a replay, and not what waits for an account.
            stored = keeps and errand.profile is not None and errand.profile.is_known
            near = errand.wake_at < horizon or not stored
            set_timer(errand.profile_id, errand.wake_at if near else NEVER)
        self._scribe.write(intake, worked, unwritten, transaction)
        transaction.desks.update(self._desks.take_changed())
        self.tally.batches += 1
        self.tally.timer_due_at = min(self.timers.next_at(), self._desks.next_at(), self._horizon or NEVER)
        for profile_id, reason in self._workshop.take_set_aside():
            self.trail.set_aside(profile_id, reason)
        if self.trail.follows:
            self.trail.decided(intake, worked)
        if self.policy.breakers and not crew.confirms:
            self._watch_breakers(worked)
        self.departure.start(transaction, intake, worked)
        if self._decided:
            self.settle()
            while self._decided:
                self.ballot.close(self._decided.pop())
        return transaction

    def _is_ours(self, subject: str) -> bool:
        total = self._store.shards
        return len(self.owned) == total or shard_of(subject, total) in self.owned

    def _take_up(self) -> None:
        """Begins anew from what the store says of our shards: outbox, desks, breakers, timers."""
        store = self._store
        self.outbox.recover()
        self._desks.restore(store.desks())
        sizes = self._crew.panel.profiles_in
        sizes.clear()
        sizes.update(store.segment_sizes())
        self._crew.panel.share = len(self.owned) / store.shards
        self._decided.clear()
        self.ballot.restore(store.blown())
        for breaker in self.blown:
            self._workshop.blow(breaker)
        self.timers.clear()
        self._horizon = 0
        for profile_id in store.waiting_for_account():
            self.timers.set(profile_id, 0)
        # Who worked them before had a policy to carry, perhaps, or nobody worked when ours was published.
        self._to_carry = sorted({*self._to_carry, *store.outdated(self.policy.version)}, reverse=True)

    def _recover(self) -> None:
        """Nothing in memory counts any more; what was not acknowledged comes again.

        Where the world is broken just now, that waits until it is not: see `_mend`.
        """
        self._is_broken = True
        with suppress(Exception):
            self._mend()

    def _mend(self) -> None:
        """Begins anew after a failure. Raises what the store and the broker raise; then it is still to be done."""
        if not self._is_broken:
            return
        self.departure.give_up()
        self.tally.failures += 1
        self._tenure.doubt()
        self._workshop.dismiss()
        self._door.forget()
        self._clock.reach(self._store.last_instant())
        # Of some it is not known under which version they were worked: they are not found again.
        self._to_carry.extend(chain(*self._carried))
        self._carried = ([], [])
        self._take_up()
        self._broker.subscribe(self.owned)
        self._broker.redeliver()
        self._is_broken = False

    def _adopt_policy(self) -> None:
        policy = self._policies.current()
        if policy is self.policy:
            return
        self.settle()
        # Whoever is touched adopts it on the way; the others follow a few at a time, without a stampede.
        self._to_carry = sorted(self._store.profile_ids(), reverse=True)
        self.policy = self._crew.policy = policy
        self._workshop.supervise()
        self._desks.change_policy(policy)

    def _carry_policy(self, errands: dict[str, Errand]) -> None:
        count = min(self.settings.carry_max, len(self._to_carry))
        some = [self._to_carry.pop() for _ in range(count)]
        self._carried = (self._carried[1], some)
        if not some:
            return
        at = self._clock.stamp(None)
        for profile_id in some:
            if (
                profile_id not in errands
                and self._is_ours(profile_id)
                and not self._workshop.is_quarantined(profile_id)
            ):
                errands[profile_id] = Errand(profile_id, [Arrival(PolicyPublished(at), None)])

    def _due(self, until: int) -> list[str]:
        """The profiles with the earliest timers before ``until``, so many as one batch may have."""
        limit = self.settings.timers_max
        if not self.settings.keeps or until < self._horizon:
            return self.timers.pop_before(until, limit)
        due = self.timers.pop_before(min(until, self._horizon + 1), limit)
        if len(due) < limit:
            self._look_ahead(until)
            due += self.timers.pop_before(until, limit - len(due))
        return due

    def _look_ahead(self, until: int) -> None:
        """Fetches the timers of the near horizon from the store."""
        self.settle()
        ahead = until + self.settings.horizon_us
        # The timers of profiles in quarantine stay in the store: they must neither hide the others' nor come again.
        limit = self.settings.timers_max * 4 + self._workshop.quarantined
        due = self._store.due(ahead, limit)
        for profile_id, wake_at in due:
            if not self._workshop.is_quarantined(profile_id):
                self.timers.set(profile_id, wake_at)
        self._horizon = due[-1][1] if len(due) == limit else ahead

    def _read_letters(
        self, intake: Intake, errands: dict[str, Errand], transaction: Transaction
    ) -> tuple[list[Errand], list[Errand]]:
        """What other engines, and people, have written. Returns errands that were run at once, before the batch's own,
        and those to be run after them."""
        readmitted: list[Errand] = []
        afterwards: list[Errand] = []
        for letter, at in intake.letters:
            match letter.contents:
                case DeskNote(service_segment, note):
                    self._desks.hear(service_segment, note)
                case DeskAnswer(profile_id, answer):
                    errand = errands.setdefault(profile_id, Errand(profile_id, []))
                    latest = max(at, errand.arrivals[-1].message.at) if errand.arrivals else at
                    errand.arrivals.append(Arrival(ManagerChosen(latest, answer.manager), None))
                case Voice(breaker, actor, let_go):
                    if self.ballot.hear(breaker, actor, let_go, self.policy):
                        afterwards.extend(self._decide_held(breaker, let_go, transaction))
                case Release(profile_id):
                    # What is worked now is in the store's quarantine until the commit: once is enough.
                    if all(errand.profile_id != profile_id for errand in readmitted):
                        readmitted.extend(self._readmit(profile_id, transaction))
        return readmitted, afterwards

    def _decide_held(self, breaker: str, let_go: bool, transaction: Transaction) -> list[Errand]:
        self.settle()
        at = self._clock.stamp(None)
        told: dict[str, list[str]] = {}
        for command_id, event in self.outbox.held_by(breaker):
            (transaction.let_go if let_go else transaction.withdrawn).append(event.event_id)
            told.setdefault(event.profile_id, []).append(command_id)
        self.ballot.decide(breaker)
        self._decided.append(breaker)
        self._workshop.reset(breaker)
        errands = []
        for profile_id, command_ids in told.items():
            messages: list[Record] = [WithdrawCommands(at, tuple(command_ids), "decided")]
            if let_go:
                messages = [ReleaseCommand(at, command_id) for command_id in command_ids]
            errands.append(Errand(profile_id, [Arrival(message, None) for message in messages]))
        return errands

    def _readmit(self, profile_id: str, transaction: Transaction) -> list[Errand]:
        events = self._store.quarantined(profile_id)
        # One whose timer could not be worked has no events there; released, its timers go on.
        stands_still = len(events) > 0 or self._workshop.is_quarantined(profile_id)
        errand = self._workshop.readmit(profile_id, events) if stands_still else None
        if errand is None:
            return []
        transaction.unquarantined.extend((profile_id, event.number) for event in events)
        return [errand]

    def _run_desks(self, worked: list[Errand], until: int, transaction: Transaction) -> list[Errand]:
        """Managers are told what happened; whom they take on is told to the profiles, until there is no more to say.

        What concerns other engines' desks and profiles becomes letters. In a replay, which may be far beyond an answer,
        it takes its place among what was decided since, so that no event's id depends on where batches end.
        """
        answered: list[Errand] = []
        answers = self._desks.tell(worked, until)
        of_batch = {errand.profile_id: errand for errand in worked if errand.facts} if answers else {}
        keeps = self.settings.keeps
        while answers:
            errands = []
            for profile_id, messages in answers.items():
                if self._is_ours(profile_id):
                    not_before = of_batch[profile_id].facts[-1].at if keeps and profile_id in of_batch else 0
                    answered_at = [ManagerChosen(max(each.at, not_before), each.manager) for each in messages]
                    errands.append(Errand(profile_id, [Arrival(message, None) for message in answered_at]))
                else:
                    for answer in messages:
                        self._write(transaction, profile_id, DeskAnswer(profile_id, answer))
            round_ = self._workshop.run(errands, [])
            answered.extend(round_)
            answers = self._desks.tell(round_, until)
        for errand in answered if not keeps else ():
            if errand.profile_id in of_batch:
                of_batch[errand.profile_id].take_in(errand)
        for service_segment, note in self._desks.take_away():
            self._write(transaction, service_segment, DeskNote(service_segment, note))
        return answered

    def _write(self, transaction: Transaction, subject: str, contents: Contents) -> None:
        """A letter to whoever works the shard of ``subject``; it is committed, and leaves, like every event of ours."""
        at = self._clock.stamp(None)
        sender = subjects_of_all(self._store.shards)[min(self.owned)]
        letter = Letter(f"letter/{sender}/{at}/{len(transaction.outbox)}", sender, subject, contents)
        transaction.outbox.append(self._codec.seal(letter, shard_of(subject, self._store.shards), at))

    def _post(self, subjects: Sequence[str], actor: str, contents: Contents) -> None:
        """Letters from outside of the engine, one for each subject; durable with the broker when it returns."""
        at = self._clock.now()
        total = self._store.shards
        letters = [Letter(f"letter/{actor}/{at}/{subject}", actor, subject, contents) for subject in subjects]
        sealed = [(shard_of(letter.subject, total), self._codec.seal(letter, 0, at).body) for letter in letters]
        self._broker.forward(sealed)

    def _look_last(self, worked: list[Errand], transaction: Transaction) -> frozenset[str]:
        """Has breakers' commands wait, and withdraws commands that lost their reason before they left.

        Appends what came of that to ``worked``. Returns the ids of commands of this batch that will not be written.
        """
        ended = list(ended_runs(worked))
        withdrawals = Withdrawals()
        if ended:
            waiting = {}
            runs = {(errand.profile_id, fact.run_id) for errand, _, fact in ended}
            if self.departure.may_wait(runs):
                self.settle()
                waiting = self.outbox.unsent({profile_id for profile_id, _ in runs})
            for errand, place, fact in ended:
                withdraw(errand, place, fact, waiting.get((errand.profile_id, fact.run_id), []), withdrawals)
            transaction.withdrawn.extend(withdrawals.event_ids)
        errands = [*held_back(worked, withdrawals.unwritten), *withdrawals.errands]
        if errands:
            worked.extend(self._workshop.run(errands, []))
        return frozenset(withdrawals.unwritten)

    def _watch_breakers(self, worked: list[Errand]) -> None:
        sizes = self._crew.panel.profiles_in
        for errand in worked:
            self.blown.update((errand.withheld or {}).values())
            for fact in errand.facts:
                if isinstance(fact, SegmentChanged):
                    sizes[fact.policy_segment] += 1
                    if errand.version > 0 or fact.previous_policy_segment is not None:
                        sizes[fact.previous_policy_segment] -= 1
