"""What reaches a profile: one class for each incoming message type, and the passing of time.

Every message carries ``at``, the instant at which the engine accepted it. Money is in minor units, days are ordinals,
instants are microseconds. A message that was accepted is a fact and goes into the journal as it stands; `decide` first
fills in what depends on the policy (due dates, local days), so that `evolve` needs no policy.
"""

from typing import Final, TypeAlias

from domain.by_hand import ContactMade as ContactMade
from domain.by_hand import GroupAssigned as GroupAssigned
from domain.by_hand import ManagerAssigned as ManagerAssigned
from domain.by_hand import MeasureApproved as MeasureApproved
from domain.by_hand import MeasureOrdered as MeasureOrdered
from domain.by_hand import MeasureRejected as MeasureRejected
from domain.by_hand import PlanAmended as PlanAmended
from domain.by_hand import PlanAssigned as PlanAssigned
from domain.by_hand import RestrictionLifted as RestrictionLifted
from domain.by_hand import TaskDone as TaskDone
from domain.record import Record

AttributeValue: TypeAlias = object
"""Anything that JSON knows: what the policy declares is checked against its type before it is accepted."""


class AccountUpdated(Record):
    """Creates the profile or merges into it. ``None`` leaves a field as it is; a None attribute goes away."""

    __slots__ = ("projection", "party", "currency", "ledger", "customer_id", "attributes")
    __match_args__ = ("at", "projection", "party", "currency", "ledger", "customer_id", "attributes")

    def __init__(
        self,
        at: int,
        projection: str | None,
        party: str | None,
        currency: str | None,
        ledger: str | None,
        customer_id: str | None,
        attributes: dict[str, AttributeValue],
    ) -> None:
        self.at = at
        self.projection: Final = projection
        self.party: Final = party
        self.currency: Final = currency
        self.ledger: Final = ledger
        self.customer_id: Final = customer_id
        self.attributes: Final = attributes


class AccountClosed(Record):
    """Closes the profile; the debt stays on record."""

    __slots__ = ("reason",)
    __match_args__ = ("at", "reason")

    def __init__(self, at: int, reason: str) -> None:
        self.at = at
        self.reason: Final = reason


class InvoiceIssued(Record):
    """Opens an item of ``amount``. As a fact ``due_on`` is set, by the policy's terms where billing named none."""

    __slots__ = ("invoice_id", "amount", "issued_on", "due_on")
    __match_args__ = ("at", "invoice_id", "amount", "issued_on", "due_on")

    def __init__(self, at: int, invoice_id: str, amount: int, issued_on: int, due_on: int | None) -> None:
        self.at = at
        self.invoice_id: Final = invoice_id
        self.amount: Final = amount
        self.issued_on: Final = issued_on
        self.due_on: Final = due_on


class InvoiceAdjusted(Record):
    """Changes what is left of an item by ``delta``; what would fall below zero becomes a prepayment."""

    __slots__ = ("invoice_id", "delta", "reason")
    __match_args__ = ("at", "invoice_id", "delta", "reason")

    def __init__(self, at: int, invoice_id: str, delta: int, reason: str) -> None:
        self.at = at
        self.invoice_id: Final = invoice_id
        self.delta: Final = delta
        self.reason: Final = reason


class PaymentReceived(Record):
    """Pays items, oldest due date first; the rest is a prepayment."""

    __slots__ = ("payment_id", "amount")
    __match_args__ = ("at", "payment_id", "amount")

    def __init__(self, at: int, payment_id: str, amount: int) -> None:
        self.at = at
        self.payment_id: Final = payment_id
        self.amount: Final = amount


class PaymentReversed(Record):
    """Undoes what a payment or netting paid. ``due_on`` (a fact's) is the due date if the balance falls below zero."""

    __slots__ = ("payment_id", "reason", "due_on")
    __match_args__ = ("at", "payment_id", "reason", "due_on")

    def __init__(self, at: int, payment_id: str, reason: str, due_on: int | None = None) -> None:
        self.at = at
        self.payment_id: Final = payment_id
        self.reason: Final = reason
        self.due_on: Final = due_on


class BalanceChanged(Record):
    """A snapshot of the account's balance. ``due_on`` (a fact's) is the due date if it falls below zero."""

    __slots__ = ("balance", "sequence", "source", "due_on")
    __match_args__ = ("at", "balance", "sequence", "source", "due_on")

    def __init__(self, at: int, balance: int, sequence: int, source: str, due_on: int | None = None) -> None:
        self.at = at
        self.balance: Final = balance
        self.sequence: Final = sequence
        self.source: Final = source
        self.due_on: Final = due_on


class ClaimOpened(Record):
    """A dispute: while open, ``amount`` of the invoice is not collectible."""

    __slots__ = ("claim_id", "invoice_id", "amount")
    __match_args__ = ("at", "claim_id", "invoice_id", "amount")

    def __init__(self, at: int, claim_id: str, invoice_id: str, amount: int) -> None:
        self.at = at
        self.claim_id: Final = claim_id
        self.invoice_id: Final = invoice_id
        self.amount: Final = amount


class ClaimClosed(Record):
    """The dispute's end: ``outcome`` is upheld (the amount is credited) or rejected."""

    __slots__ = ("claim_id", "outcome")
    __match_args__ = ("at", "claim_id", "outcome")

    def __init__(self, at: int, claim_id: str, outcome: str) -> None:
        self.at = at
        self.claim_id: Final = claim_id
        self.outcome: Final = outcome


class HoldPlaced(Record):
    """A moratorium until the end of the day ``until``; the same id again moves it."""

    __slots__ = ("hold_id", "until", "reason")
    __match_args__ = ("at", "hold_id", "until", "reason")

    def __init__(self, at: int, hold_id: str, until: int, reason: str) -> None:
        self.at = at
        self.hold_id: Final = hold_id
        self.until: Final = until
        self.reason: Final = reason


class HoldLifted(Record):
    """Ends a moratorium."""

    __slots__ = ("hold_id",)
    __match_args__ = ("at", "hold_id")

    def __init__(self, at: int, hold_id: str) -> None:
        self.at = at
        self.hold_id: Final = hold_id


class PromiseMade(Record):
    """A promise to pay. A fact knows the instant to which it holds and the one at which it breaks."""

    __slots__ = ("promise_id", "amount", "pay_by", "holds_until", "breaks_at")
    __match_args__ = ("at", "promise_id", "amount", "pay_by", "holds_until", "breaks_at")

    def __init__(
        self,
        at: int,
        promise_id: str,
        amount: int,
        pay_by: int,
        holds_until: int = 0,
        breaks_at: int = 0,
    ) -> None:
        self.at = at
        self.promise_id: Final = promise_id
        self.amount: Final = amount
        self.pay_by: Final = pay_by
        self.holds_until: Final = holds_until
        self.breaks_at: Final = breaks_at


class InstalmentsAgreed(Record):
    """A schedule of ``(pay_by, amount)`` parts. As a fact: in order, and not checked before ``checked_from``."""

    __slots__ = ("schedule_id", "parts", "checked_from")
    __match_args__ = ("at", "schedule_id", "parts", "checked_from")

    def __init__(self, at: int, schedule_id: str, parts: tuple[tuple[int, int], ...], checked_from: int = 0) -> None:
        self.at = at
        self.schedule_id: Final = schedule_id
        self.parts: Final = parts
        self.checked_from: Final = checked_from


class InstalmentsCancelled(Record):
    """Ends a schedule by agreement; it covers nothing from now on."""

    __slots__ = ("schedule_id",)
    __match_args__ = ("at", "schedule_id")

    def __init__(self, at: int, schedule_id: str) -> None:
        self.at = at
        self.schedule_id: Final = schedule_id


class NettingAgreed(Record):
    """A payment with a document."""

    __slots__ = ("netting_id", "amount", "document")
    __match_args__ = ("at", "netting_id", "amount", "document")

    def __init__(self, at: int, netting_id: str, amount: int, document: str) -> None:
        self.at = at
        self.netting_id: Final = netting_id
        self.amount: Final = amount
        self.document: Final = document


class MeasureCompleted(Record):
    """The executing system confirms a command."""

    __slots__ = ("command_id", "detail")
    __match_args__ = ("at", "command_id", "detail")

    def __init__(self, at: int, command_id: str, detail: str) -> None:
        self.at = at
        self.command_id: Final = command_id
        self.detail: Final = detail


class MeasureFailed(Record):
    """The executing system reports that a command failed."""

    __slots__ = ("command_id", "detail")
    __match_args__ = ("at", "command_id", "detail")

    def __init__(self, at: int, command_id: str, detail: str) -> None:
        self.at = at
        self.command_id: Final = command_id
        self.detail: Final = detail


class ManagerChosen(Record):
    """The service segment's supervisor answers with a personal manager by rule, or nobody."""

    __slots__ = ("manager",)
    __match_args__ = ("at", "manager")

    def __init__(self, at: int, manager: str | None) -> None:
        self.at = at
        self.manager: Final = manager


class PolicyPublished(Record):
    """A new policy version holds from now on."""

    __slots__ = ()
    __match_args__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at


class Wake(Record):
    """Time has come to ``at``: everything due by then takes effect."""

    __slots__ = ()
    __match_args__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at


class Lapse(Record):
    """The engine was away until ``at``: deadlines that passed meanwhile take effect, measures still wait their turn."""

    __slots__ = ()
    __match_args__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at


class HoldCommand(Record):
    """A breaker holds a command back before it leaves."""

    __slots__ = ("breaker", "command_id")
    __match_args__ = ("at", "command_id", "breaker")

    def __init__(self, at: int, command_id: str, breaker: str) -> None:
        self.at = at
        self.command_id: Final = command_id
        self.breaker: Final = breaker


class ReleaseCommand(Record):
    """What was held back may leave now."""

    __slots__ = ("command_id",)
    __match_args__ = ("at", "command_id")

    def __init__(self, at: int, command_id: str) -> None:
        self.at = at
        self.command_id: Final = command_id


class WithdrawCommands(Record):
    """Commands that never left and never will; ``why`` is cured, closed, switched (their run) or decided (people)."""

    __slots__ = ("command_ids", "why")
    __match_args__ = ("at", "command_ids", "why")

    def __init__(self, at: int, command_ids: tuple[str, ...], why: str) -> None:
        self.at = at
        self.command_ids: Final = command_ids
        self.why: Final = why
