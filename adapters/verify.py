"""Checks every invariant of a store: what must be true of any profile, its journal, its timer and what waits.

Reads one profile after the other, so that memory does not grow with the store. A store that is worked meanwhile is read
through a reader that stands still, or what is committed between two looks is reported as a fault.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from adapters.state_codec import UnreadableState
from adapters.verify_profile import profile_faults
from domain.calendar import NEVER
from domain.events import PUBLISHED, RunClosed, RunOpened
from domain.evolve import evolve
from domain.journal import same
from domain.ledger import Ledger
from domain.messages import (
    ClaimClosed,
    ClaimOpened,
    InvoiceAdjusted,
    InvoiceIssued,
    NettingAgreed,
    PaymentReceived,
    PaymentReversed,
)
from domain.profile import Profile
from domain.record import Record
from domain.snapshot import thaw
from engine.ports import JournalEntry, OutgoingEvent, ProfileRow
from sim.replay_store import SeenKeys

FINDINGS_MAX: Final = 1_000
_AT_ONCE: Final = 1_000


class WholeReader(Protocol):
    """What of `engine.ports.StoreReader` is asked here; a profile's row and journal right after its id."""

    def profile_ids(self) -> Iterable[str]: ...
    def row(self, profile_id: str) -> ProfileRow | None: ...
    def journal(self, profile_id: str) -> Iterable[JournalEntry]: ...
    def outbox(self) -> Iterable[OutgoingEvent]: ...
    def strays(self) -> Iterable[tuple[str, str]]: ...


def verify(reader: WholeReader, findings_max: int = FINDINGS_MAX, is_trimmed: bool = False) -> list[str]:
    """What is wrong, one line each, the profile first; at most ``findings_max``, then a line that says so.

    ``is_trimmed``: old facts were dropped, so that a profile may have none left.
    """
    return listed(_findings(reader, is_trimmed), findings_max)


def listed(found: Iterable[str], findings_max: int = FINDINGS_MAX) -> list[str]:
    """The first so many findings, and a line that says so where there are more."""
    findings: list[str] = []
    for finding in found:
        if len(findings) == findings_max:
            return [*findings, f"and more than these {findings_max}"]
        findings.append(finding)
    return findings


def _findings(reader: WholeReader, is_trimmed: bool) -> Iterator[str]:
    for profile_id in reader.profile_ids():
        for fault in _faults(reader, profile_id, is_trimmed):
            yield f"{profile_id}: {fault}"
    for table, profile_id in reader.strays():
        if table == "held":
            yield f"{profile_id}: events are held for its account, which is there"
        else:
            yield f"{profile_id}: {table} without a profile"
    yield from _outbox_findings(reader)


def _faults(reader: WholeReader, profile_id: str, is_trimmed: bool) -> Iterator[str]:
    try:
        row = reader.row(profile_id)
        if row is None:
            yield "it went away while it was read"
            return
        profile = thaw(profile_id, row.state)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        yield f"its state cannot be read: {_said(error)}"
        return
    yield from _row_faults(row, profile)
    yield from profile_faults(profile)
    yield from _journal_faults(reader, row, profile, is_trimmed)


def _row_faults(row: ProfileRow, profile: Profile) -> Iterator[str]:
    """What the store keeps beside the state agrees with it."""
    for what, stored, true in (
        ("version", row.version, profile.version),
        ("policy segment", row.policy_segment, profile.policy_segment),
        ("service segment", row.service_segment, profile.service_segment),
        ("closed", row.is_closed, profile.closed),
        ("timer", row.wake_at, profile.wake_at if profile.wake_at < NEVER else None),
    ):
        if stored != true:
            yield f"{what} is stored as {stored!r}, its state says {true!r}"
    # Behind it may be: engines of the schema before the column leave it as it is, and what is carried in vain harms
    # nobody. Ahead of the state it would keep the policy from being carried.
    if row.policy_version is not None and not profile.closed and row.policy_version > profile.policy_version:
        yield f"policy version is stored as {row.policy_version!r}, its state says {profile.policy_version!r}"
    if profile.closed and row.wake_at is not None:
        yield "it is closed and has a timer"


def _journal_faults(reader: WholeReader, row: ProfileRow, profile: Profile, is_trimmed: bool) -> Iterator[str]:
    """Numbers without gaps up to the version; where nothing was cut off, the facts make the profile."""
    books = _Books(profile.profile_id)
    expected: int | None = None
    try:
        for entry in reader.journal(profile.profile_id):
            if expected is None:
                # An old journal may have been put elsewhere; then what is here cannot make the profile.
                books.is_complete = entry.number == 1
                expected = entry.number
            if entry.number != expected:
                yield f"journal: {expected} is missing, {entry.number} comes next"
                books.is_complete = False
            expected = entry.number + 1
            if books.is_complete:
                books.enter(entry.number, entry.fact)
    except UnreadableState as error:
        yield f"journal: after {(expected or 1) - 1} comes what cannot be read: {error}"
        return
    if expected is None and is_trimmed:
        return
    last = (expected or 1) - 1
    if last != row.version:
        yield f"journal: it ends at {last}, the version is {row.version}"
    if books.fault is not None:
        yield f"journal: {books.fault}"
    elif books.is_complete and last == row.version:
        yield from books.faults(profile)


class _Books:
    """What a complete journal adds up to: the profile that its facts make, and the money, counted without it."""

    def __init__(self, profile_id: str) -> None:
        self.is_complete = False
        self.fault: str | None = None
        self._profile: Final = Profile(profile_id)
        self._money = 0
        self._payments: Final[dict[str, int]] = {}
        self._claims: Final[dict[str, int]] = {}
        self._published = 0
        self._open_run: str | None = None

    def enter(self, number: int, fact: Record) -> None:
        if self.fault is not None:
            return
        try:
            evolve(self._profile, fact)
            self._count(fact)
        except Exception as error:
            self.fault = f"{number}, {type(fact).__name__}, cannot follow what is before it: {_said(error)}"

    def _count(self, fact: Record) -> None:
        match fact:
            case InvoiceIssued():
                self._money -= fact.amount
            case InvoiceAdjusted():
                self._money -= fact.delta
            case PaymentReceived():
                self._payments[fact.payment_id] = fact.amount
            case NettingAgreed():
                self._payments[fact.netting_id] = fact.amount
            case PaymentReversed():
                del self._payments[fact.payment_id]
            case ClaimOpened():
                self._claims[fact.claim_id] = fact.amount
            case ClaimClosed():
                amount = self._claims.pop(fact.claim_id)
                self._money += amount if fact.outcome == "upheld" else 0
            case RunOpened():
                if self._open_run is not None:
                    raise ValueError(f"run {self._open_run} is open")
                self._open_run = fact.run_id
            case RunClosed():
                if self._open_run != fact.run_id:
                    raise ValueError(f"run {fact.run_id} is not open")
                self._open_run = None
        if type(fact) in PUBLISHED:
            self._published += 1

    def faults(self, profile: Profile) -> Iterator[str]:
        rebuilt = self._profile
        if not same(rebuilt, profile):
            yield "journal: its facts make another profile"
        if not _is_in_order(rebuilt.ledger):
            yield "journal: the open items that its facts leave are out of order"
        money = self._money + sum(self._payments.values())
        if profile.ledger_kind == "invoices" and profile.account_balance() != money:
            yield f"journal: its money adds up to {money}, the balance is {profile.account_balance()}"
        if profile.published != self._published:
            yield f"journal: {self._published} of its facts are published, the profile counts {profile.published}"


def _is_in_order(ledger: Ledger) -> bool:
    return list(ledger.open_items) == sorted(ledger.open_items, key=lambda item: (item.due, item.arrival))


def _outbox_findings(reader: WholeReader) -> Iterator[str]:
    known = SeenKeys()
    keys: list[tuple[str, str]] = []
    for event in reader.outbox():
        if event.state not in ("pending", "held", "withdrawn"):
            yield f"{event.profile_id}: outgoing event {event.event_id!r} is {event.state!r}"
        if (event.breaker is None) == (event.state in ("held", "withdrawn")):
            yield f"{event.profile_id}: outgoing event {event.event_id!r} is {event.state} by {event.breaker!r}"
        keys.append((event.profile_id, event.event_id))
        if len(keys) == _AT_ONCE:
            yield from _doubles(known, keys)
            keys = []
    yield from _doubles(known, keys)


def _doubles(known: SeenKeys, keys: list[tuple[str, str]]) -> Iterator[str]:
    counts = Counter(keys)
    unique = list(counts)
    twice = {unique[position] for position in known.add(unique)} | {key for key in unique if counts[key] > 1}
    for profile_id, event_id in sorted(twice):
        yield f"{profile_id}: outgoing event {event_id!r} is there twice"


def _said(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
