"""The journal: the facts of a profile by name, and the profile that they add up to.

The journal is enough: folded in order over an empty profile, its facts give the profile again.
"""

from collections.abc import Iterable
from typing import Final

from domain import events as e
from domain import messages as m
from domain.agreements import OF_SCHEDULE
from domain.evolve import evolve
from domain.profile import NO_DAY, RESERVED, Profile
from domain.record import Record
from domain.snapshot import freeze, thaw

# Stored under these names, with their values in order: a class may be moved, or given further fields with defaults at
# its end, but neither renamed nor reordered.
_KINDS: Final[tuple[type[Record], ...]] = (
    m.AccountUpdated,
    m.AccountClosed,
    m.InvoiceIssued,
    m.InvoiceAdjusted,
    m.PaymentReceived,
    m.PaymentReversed,
    m.BalanceChanged,
    m.ClaimOpened,
    m.ClaimClosed,
    m.HoldPlaced,
    m.HoldLifted,
    m.PromiseMade,
    m.InstalmentsAgreed,
    m.InstalmentsCancelled,
    m.ContactMade,
    m.RestrictionLifted,
    m.TaskDone,
    m.NettingAgreed,
    m.MeasureCompleted,
    m.MeasureFailed,
    m.MeasureOrdered,
    m.MeasureApproved,
    m.MeasureRejected,
    m.PlanAssigned,
    m.PlanAmended,
    m.ManagerAssigned,
    m.GroupAssigned,
    e.SegmentChanged,
    e.ManagerChanged,
    e.PersonalManagerDue,
    e.PolicyAdopted,
    e.RunOpened,
    e.RunClosed,
    e.OverdueCleared,
    e.MeasureRequested,
    e.MeasureSkipped,
    e.ReminderDue,
    e.AttributeIgnored,
    e.ConditionReported,
    e.TaskOpened,
    e.TaskClosed,
    e.PromiseKept,
    e.PromiseBroken,
    e.InstalmentMet,
    e.InstalmentsBroken,
    e.InstalmentsCompleted,
    e.LedgerMismatch,
    e.WarningRaised,
    e.WarningRearmed,
    e.PreventionSettled,
    e.CommandFailed,
    e.CommandHeld,
    e.CommandReleased,
    e.CommandWithdrawn,
    e.ServiceRestoreOverdue,
)

FACTS: Final[dict[str, type[Record]]] = {kind.__name__: kind for kind in _KINDS}
"""Every kind of fact, by the name under which the journal stores it."""

_NAMES: Final[dict[type[Record], str]] = {kind: name for name, kind in FACTS.items()}


def fact_name(record: Record) -> str:
    """The name of a fact; KeyError for a record that is none (a wake-up, say)."""
    return _NAMES[type(record)]


def rebuild(profile_id: str, facts: Iterable[Record]) -> Profile:
    """The profile that these facts make; ``wake_at`` stays unknown, since it depends on the policy too."""
    profile = Profile(profile_id)
    for fact in facts:
        evolve(profile, fact)
        profile.version += 1
    return profile


def same(one: Profile, other: Profile) -> bool:
    """Whether two profiles are equal but for ``version`` and ``wake_at``, and for what older programs did not keep."""
    if one.profile_id != other.profile_id:
        return False
    return _comparable(one) == _comparable(other) or _comparable(_as_before(one)) == _comparable(_as_before(other))


def _comparable(profile: Profile) -> list[object]:
    """All but ``version`` and ``wake_at``. What is settled is a set: the first format had it in another order."""
    return [*freeze(profile, settled=False)[:-2], sorted(profile.ledger.settled.split("\n"))]


def _as_before(profile: Profile) -> Profile:
    """The profile as older programs of the same format of states kept it: their states are no fault of the store."""
    found = thaw(profile.profile_id, freeze(profile))
    found.declined = False
    if found.ids is not None:
        found.ids = {each.removeprefix(OF_SCHEDULE) for each in found.ids}
    if found.outside is not None:
        found.outside = {name: times for name, times in found.outside.items() if not name.startswith(RESERVED)}
    if found.run is not None:
        found.run.floor_day = max(found.run.floor_day, found.run.version_floor)
        found.run.version_floor = NO_DAY
    return found
