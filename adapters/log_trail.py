"""The trail in the log: one correlation from an event to the commands it came to.

``correlation`` is the CloudEvents id of the event that caused a decision. What a timer caused carries
``timer/<profile>/<instant>``; what a new policy, a manager's desk, a breaker or the last look caused ``policy/…``,
``desk/…``, ``breaker/…`` or ``outbox/…``. Commands and refusals are written at DEBUG, every step at TRACE.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from actors.errand import Arrival, Errand
from adapters.cloud_events import REJECTED, rfc3339
from adapters.logs import Log
from domain.events import PUBLISHED, MeasureRequested
from domain.messages import HoldCommand, ManagerChosen, PolicyPublished, ReleaseCommand, WithdrawCommands
from domain.record import Record
from engine.envelope import Envelope
from engine.intake import Intake
from engine.ports import OutgoingEvent
from engine.trail import Trail

_REMEMBERED_MAX: Final = 100_000
"""Commands between their decision and their leaving. One that is older leaves without its correlation in the log: the
entry of its decision has the same ``command_id``."""

_INNER: Final[dict[type[Record], str]] = {
    PolicyPublished: "policy",
    ManagerChosen: "desk",
    HoldCommand: "breaker",
    ReleaseCommand: "breaker",
    WithdrawCommands: "outbox",
}
"""What the engine tells a profile by itself, no event and no timer."""


class LogTrail(Trail):
    """Follows events as long as the log's level asks for it."""

    __slots__ = ("_log", "_waiting")

    def __init__(self, log: Log) -> None:
        self._log: Final = log
        self._waiting: Final[OrderedDict[tuple[str, int], dict[str, str]]] = OrderedDict()

    @property
    def follows(self) -> bool:
        """DEBUG and below."""
        return self._log.is_on("DEBUG")

    def decided(self, intake: Intake, worked: Sequence[Errand]) -> None:
        """An entry for each event that came, and for what each was decided to come to."""
        self._tell_of_door(intake)
        for errand in worked:
            self._tell_of_refusals(errand)
            if self._log.is_on("TRACE"):
                self._tell_of_arrivals(errand)
            self._tell_of_facts(errand)

    def set_aside(self, profile_id: str, reason: str) -> None:
        """An error: somebody must look at it. The exception's kind alone, since its text may quote an attribute."""
        self._log.error("profile is in quarantine", profile=profile_id, reason=reason.partition(":")[0])

    def published(self, events: Sequence[OutgoingEvent]) -> None:
        """An entry for each event that has left."""
        for event in events:
            self._log.trace(
                "event published", **self._recalled(event), profile=event.profile_id, event_id=event.event_id,
                routing_key=event.routing_key,
            )  # fmt: skip

    def _recalled(self, event: OutgoingEvent) -> dict[str, str]:
        """Whose event it is: ``<profile>/<number>``, or the rejection of another one."""
        _, _, last = event.event_id.rpartition("/")
        if event.routing_key == REJECTED:
            return {"correlation": last.replace("%2F", "/").replace("%25", "%")}
        return self._waiting.pop((event.profile_id, int(last)), {}) if last.isdecimal() else {}

    def _remember(self, profile_id: str, number: int, what: dict[str, str]) -> None:
        self._waiting[profile_id, number] = what
        if len(self._waiting) > _REMEMBERED_MAX:
            self._waiting.popitem(last=False)

    def _tell_of_door(self, intake: Intake) -> None:
        log = self._log
        for envelope, refusal, _ in intake.rejected:
            log.debug("event refused", **_of(envelope), reason=refusal.reason)
        for _, unreadable in intake.unreadable:
            log.debug("unreadable body", bytes=len(unreadable.body), reason=unreadable.reason)
        for envelope in intake.duplicates:
            log.trace("event dropped as a duplicate", **_of(envelope))

    def _tell_of_refusals(self, errand: Errand) -> None:
        for refused in errand.refused:
            ticket = refused.arrival.ticket
            if isinstance(ticket, Envelope):
                # Not its detail: that may quote an attribute. It leaves in dms.message.rejected.v1.
                self._log.debug("event refused", **_of(ticket), reason=refused.refusal.reason)

    def _tell_of_arrivals(self, errand: Errand) -> None:
        refused = {id(each.arrival) for each in errand.refused}
        held = {id(each) for each in errand.newly_held or ()}
        for arrival in errand.arrivals:
            if isinstance(arrival.ticket, Envelope) and id(arrival) not in refused:
                said = "event waits for its account" if id(arrival) in held else "event accepted"
                self._log.trace(said, **_of(arrival.ticket), at=rfc3339(arrival.message.at))
        for arrival in errand.released or ():
            if isinstance(arrival.ticket, Envelope) and id(arrival) not in refused:
                self._log.trace("event accepted after its account", **_of(arrival.ticket))

    def _tell_of_facts(self, errand: Errand) -> None:
        is_tracing = self._log.is_on("TRACE")
        number = errand.published
        for fact, correlation in caused(errand):
            if is_tracing:
                self._log.trace(
                    "decided", correlation=correlation, profile=errand.profile_id, fact=type(fact).__name__,
                    at=rfc3339(fact.at),
                )  # fmt: skip
            known = {"correlation": correlation}
            if isinstance(fact, MeasureRequested):
                known["command_id"] = fact.command_id
                self._tell_of_command(errand, fact, known)
            if type(fact) in PUBLISHED:
                number += 1
                if is_tracing:
                    self._remember(errand.profile_id, number, known)

    def _tell_of_command(self, errand: Errand, command: MeasureRequested, known: dict[str, str]) -> None:
        breaker = (errand.withheld or {}).get(command.command_id)
        held = {} if breaker is None else {"breaker": breaker}
        self._log.debug(
            "command requested" if breaker is None else "command held back by a breaker", **known,
            profile=errand.profile_id, kind=command.kind, target=command.target, reason=command.reason,
            attempt=command.attempt, **held,
        )  # fmt: skip


def _of(envelope: Envelope) -> dict[str, object]:
    return {
        "correlation": envelope.event_id, "source": envelope.source, "type": envelope.type,
        "profile": envelope.subject,
    }  # fmt: skip


def caused(errand: Errand) -> Iterable[tuple[Record, str]]:
    """The facts of an errand, each with what caused it.

    Every arrival has an instant of its own, and what it decides carries that instant; a fact of another one is a
    timer's. (Events that waited for their account take effect at its instant: the account's event caused that.)
    """
    arrivals = iter(errand.arrivals)
    ahead = next(arrivals, None)
    current: Arrival | None = None
    for fact in errand.facts:
        while ahead is not None and ahead.message.at <= fact.at:
            current, ahead = ahead, next(arrivals, None)
        if current is not None and current.message.at == fact.at:
            yield fact, _cause(errand.profile_id, current)
        else:
            yield fact, f"timer/{errand.profile_id}/{rfc3339(fact.at)}"


def _cause(profile_id: str, arrival: Arrival) -> str:
    if isinstance(arrival.ticket, Envelope):
        return arrival.ticket.event_id or ""
    return f"{_INNER.get(type(arrival.message), 'engine')}/{profile_id}/{rfc3339(arrival.message.at)}"
