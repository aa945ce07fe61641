"""The journal: the facts of a profile by name, and the profile that they add up to.

The journal is enough: folded in order over an empty profile, its facts give the profile again.
"""

from collections.abc import Iterable
from typing import Any, Final

from domain import events as e
from domain import messages as m
from domain.evolve import evolve
from domain.profile import Profile
from domain.record import Record
from domain.snapshot import freeze

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

# Where a frozen profile tells who serves it, and how many of these values every state has.
_SERVICE: Final = 3
_SERVICE_VALUES: Final = 8

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
    """Whether two profiles are equal but for ``version``, ``wake_at`` and ``declined``."""
    return one.profile_id == other.profile_id and _comparable(one) == _comparable(other)


def _comparable(profile: Profile) -> list[object]:
    """What is settled is a set: the first format had it in another order. States did not always keep ``declined``."""
    frozen: tuple[Any, ...] = freeze(profile, settled=False)
    service = frozen[_SERVICE][:_SERVICE_VALUES]
    return [*frozen[:_SERVICE], service, *frozen[_SERVICE + 1 : -2], sorted(profile.ledger.settled.split("\n"))]
