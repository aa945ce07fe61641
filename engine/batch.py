"""The batch: from worked errands to the one transaction that makes them so."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from actors.errand import Arrival, Errand, Refused
from domain.calendar import NEVER
from domain.decision import STALE, Refusal
from domain.events import PUBLISHED, CommandFailed, CommandWithdrawn, MeasureRequested
from domain.messages import MeasureCompleted
from domain.record import Record
from engine.codec import Encode, EncodeRejection
from engine.envelope import Envelope
from engine.intake import Intake
from engine.ports import HeldEvent, JournalEntry, OutgoingEvent, ProfileRow, Transaction
from engine.tally import Tally

_ENDINGS: Final = frozenset({MeasureCompleted, CommandFailed, CommandWithdrawn})
"""What ends a command. That a system reports a failure does not: the command may be sent again."""


class Scribe:
    """Writes down what a batch has changed. ``keeps``: the store wants states and journal, not the outbox alone."""

    def __init__(self, encode: Encode, encode_rejection: EncodeRejection, tally: Tally, keeps: bool) -> None:
        self._encode: Final = encode
        self._encode_rejection: Final = encode_rejection
        self._tally: Final = tally
        self._keeps: Final = keeps

    def write(
        self, intake: Intake, errands: Collection[Errand], unwritten: Collection[str], transaction: Transaction
    ) -> None:
        """Writes a batch into its transaction; each event is counted with its outcome.

        Commands whose ids are ``unwritten`` were withdrawn before they left: they are facts, and no events.
        """
        for envelope, refusal, at in intake.rejected:
            self._reject(envelope, refusal, at, transaction)
        kinds: list[type[Record]] = []
        for errand in errands:
            if errand.facts or errand.refused:
                kinds.extend(map(type, errand.facts))
                self._publish(errand, unwritten, transaction)
            if self._keeps:
                self._keep(errand, transaction)
        # All at once, which C does: 0.05 µs a fact instead of 0.2.
        self._tally.facts.update(kinds)
        self._count_arrivals(errands)

    def _reject(self, envelope: Envelope, refusal: Refusal, at: int, transaction: Transaction) -> None:
        self._tally.count(envelope.counted_type, "rejected")
        transaction.outbox.append(self._encode_rejection(envelope, refusal, at))

    def _publish(self, errand: Errand, unwritten: Collection[str], transaction: Transaction) -> None:
        """What leaves of an errand, refusals included, in the order in which it was decided."""
        profile_id = errand.profile_id
        number = errand.published
        refused = self._worth_telling(errand.refused)
        for position, fact in enumerate(errand.facts):
            while refused and refused[-1].after <= position:
                self._reject_late(refused.pop(), transaction)
            kind = type(fact)
            if kind in PUBLISHED:
                number += 1
                if unwritten and isinstance(fact, MeasureRequested) and fact.command_id in unwritten:
                    continue
                event = self._encode(fact, profile_id, number)
                transaction.outbox.append(event)
                if kind is MeasureRequested:
                    self._count_measure(fact)
                    if errand.withheld is not None:
                        _hold_back(event, fact, errand.withheld)
            elif kind in _ENDINGS:
                self._count_ending(profile_id, fact)
        while refused:
            self._reject_late(refused.pop(), transaction)

    def _worth_telling(self, refused: list[Refused]) -> list[Refused]:
        """The refusals that leave, the first one last; what was stale is counted, and that is all."""
        told: list[Refused] = []
        for each in reversed(refused):
            if each.refusal.reason == STALE:
                self._tally.events[_envelope_of(each.arrival).type or "", "stale"] += 1
            else:
                told.append(each)
        return told

    def _reject_late(self, refused: Refused, transaction: Transaction) -> None:
        self._reject(_envelope_of(refused.arrival), refused.refusal, refused.at, transaction)

    def _count_arrivals(self, errands: Iterable[Errand]) -> None:
        accepted: list[str] = []
        held: list[str] = []
        for errand in errands:
            others = () if not errand.refused else {id(each.arrival) for each in errand.refused}
            waiting = () if errand.newly_held is None else {id(each) for each in errand.newly_held}
            for arrival in errand.arrivals:
                envelope = arrival.ticket
                if isinstance(envelope, Envelope) and id(arrival) not in others:
                    (held if id(arrival) in waiting else accepted).append(envelope.type or "")
        for outcome, types in (("accepted", accepted), ("held", held)):
            for type_, count in Counter(types).items():
                self._tally.events[type_, outcome] += count

    def _count_measure(self, fact: Record) -> None:
        assert isinstance(fact, MeasureRequested)
        self._tally.measures[fact.kind, fact.target, "requested" if fact.attempt == 1 else "retried"] += 1

    def _count_ending(self, profile_id: str, fact: Record) -> None:
        if isinstance(fact, MeasureCompleted):
            outcome = "completed"
        elif isinstance(fact, CommandFailed):
            outcome = "failed" if fact.reported else "unknown"
        else:
            assert isinstance(fact, CommandWithdrawn)
            outcome = "withdrawn"
        # <profile>/<n>/<measure>, and /2 or more where it was sent again on purpose.
        measure = fact.command_id[len(profile_id) + 1 :].split("/", 2)[1]
        self._tally.endings[measure, outcome] += 1

    def _keep(self, errand: Errand, transaction: Transaction) -> None:
        profile = errand.profile
        assert profile is not None
        number = errand.version
        for fact in errand.facts:
            number += 1
            transaction.journal.append(JournalEntry(errand.profile_id, number, fact))
        for arrival in errand.newly_held or ():
            at = arrival.message.at
            transaction.held.append(HeldEvent(errand.profile_id, arrival.number, at, _envelope_of(arrival).body))
        for arrival in errand.released or ():
            transaction.released.append((errand.profile_id, arrival.number))
        if errand.state is not None:
            transaction.profiles.append(
                ProfileRow(
                    errand.profile_id,
                    number,
                    errand.state,
                    errand.wake_at if errand.wake_at < NEVER else None,
                    profile.policy_segment,
                    profile.service_segment,
                    profile.closed,
                    # Nothing is carried to one that is closed.
                    None if profile.closed else profile.policy_version,
                )
            )


def _hold_back(event: OutgoingEvent, fact: Record, withheld: dict[str, str]) -> None:
    assert isinstance(fact, MeasureRequested)
    breaker = withheld.get(fact.command_id)
    if breaker is not None:
        event.state = "held"
        event.breaker = breaker


def _envelope_of(arrival: Arrival) -> Envelope:
    assert isinstance(arrival.ticket, Envelope), "only events from outside are refused or held"
    return arrival.ticket
