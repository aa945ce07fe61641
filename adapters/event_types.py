"""The types of incoming events: how their data looks in JSON, and how it becomes a message's fields.

`INCOMING` stands beside the table "In" of the specification, a row for a row. What a field may be is said by its type
here and checked while decoding; nothing is checked afterwards.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from msgspec import NODEFAULT, Meta, Struct, defstruct
from msgspec.structs import astuple

from domain import messages as m
from domain.record import Record

MONEY_MAX: Final = 10**15
AMENDED_DAY_MAX: Final = 36_500
"""A century: a day beyond it would be an instant that no database column holds."""
NAME_MAX: Final = 256
"""Characters of an id, a source or a subject: they are keys, and an index row of PostgreSQL holds 2,700 bytes."""

Name = Annotated[str, Meta(min_length=1, max_length=NAME_MAX)]
Instant = Annotated[datetime, Meta(tz=True)]
SEQUENCE: Final = r"^[0-9]+\Z"
Sequence = Annotated[str, Meta(pattern=SEQUENCE)]
_DIGITS_MAX: Final = 19
"""Of a number that is kept: with one more it may be beyond 64 bits, which a frozen profile does not hold."""
KEPT_SEQUENCE: Final = rf"^0*+[0-9]{{0,{_DIGITS_MAX}}}\Z"
KeptSequence = Annotated[str, Meta(min_length=1, pattern=KEPT_SEQUENCE)]
Version = Literal["1.0"]

Amount = Annotated[int, Meta(gt=0, le=MONEY_MAX)]
Money = Annotated[int, Meta(ge=-MONEY_MAX, le=MONEY_MAX)]
CURRENCY: Final = r"^[A-Z]{3}\Z"
Currency = Annotated[str, Meta(pattern=CURRENCY)]
# 64 bits: what rules calculate with and what a frozen profile can hold.

Read = Callable[[Any], tuple[object, ...]]
"""From the decoded event to the fields of its message after ``at``."""


class Part(Struct, gc=False):
    """A part of an instalment schedule."""

    pay_by: date
    amount: Amount


class Change(Struct, gc=False):
    """What becomes of one measure of a run."""

    measure: str
    skip: bool | None = None
    day: Annotated[int, Meta(ge=0, le=AMENDED_DAY_MAX)] | None = None


def _as_they_stand(event: Any) -> tuple[object, ...]:
    return astuple(event.data)


def _account(event: Any) -> tuple[object, ...]:
    fields = astuple(event.data)
    return fields if fields[-1] is not None else (*fields[:-1], {})


def _invoice(event: Any) -> tuple[object, ...]:
    data = event.data
    due_on = data.due_on
    return data.invoice_id, data.amount, data.issued_on.toordinal(), None if due_on is None else due_on.toordinal()


def _balance(event: Any) -> tuple[object, ...]:
    return event.data.balance, int(event.sequence[-_DIGITS_MAX:]), event.source


def _hold(event: Any) -> tuple[object, ...]:
    return event.data.hold_id, event.data.until.toordinal(), event.data.reason


def _promise(event: Any) -> tuple[object, ...]:
    return event.data.promise_id, event.data.amount, event.data.pay_by.toordinal()


def _instalments(event: Any) -> tuple[object, ...]:
    return event.data.schedule_id, tuple([(part.pay_by.toordinal(), part.amount) for part in event.data.parts])


def _amendment(event: Any) -> tuple[object, ...]:
    changes = tuple([(change.measure, change.skip, change.day) for change in event.data.changes])
    return changes, event.data.actor, event.data.note


class Incoming:
    """A type of event: its ``name``, the ``kind`` of message, the ``wire`` struct to decode into, how to ``read`` that.

    ``fields`` are those of ``data``, in the message's order unless ``read`` says otherwise. A type with None in it may
    be null; an ``optional`` field may also be missing, which means the same. Its first ``brings`` fields after
    ``at`` are the event's; what follows them, a fact knows because a policy worked it out.
    """

    __slots__ = ("brings", "kind", "name", "read", "wire")

    def __init__(self, name: str, kind: type[Record], read: Read = _as_they_stand, /, **fields: Any) -> None:
        data = defstruct(
            f"{kind.__name__}Data",
            [(field, *(of if isinstance(of, tuple) else (of, NODEFAULT))) for field, of in fields.items()],
            gc=False,
        )
        self.name: Final = f"dms.{name}.v1"
        self.kind: Final[type[Record]] = kind
        self.read: Final[Read] = read
        # A balance has its number and its source from the envelope.
        self.brings: Final = len(fields) + (2 if kind is m.BalanceChanged else 0)
        self.wire: Final[type[Struct]] = defstruct(
            kind.__name__,
            [
                ("id", Name),
                ("source", Name),
                ("subject", Name),
                ("data", data),
                ("sequence", KeptSequence, NODEFAULT)
                if kind is m.BalanceChanged
                else ("sequence", Sequence | None, None),
                # Information only: the instant of an event is the one at which it is accepted.
                ("time", Instant | None, None),
                ("specversion", Version, "1.0"),
            ],
            tag_field="type",
            tag=self.name,
            gc=False,
        )


def optional(of: Any) -> tuple[Any, None]:
    """A field that may be missing or null."""
    return of | None, None


INCOMING: Final = (
    Incoming(
        "account.updated",
        m.AccountUpdated,
        _account,
        projection=optional(Literal["account", "contract", "customer"]),
        party=optional(Literal["person", "organisation"]),
        currency=optional(Currency),
        ledger=optional(Literal["invoices", "balance"]),
        customer_id=optional(str),
        attributes=optional(dict[str, Any]),
    ),
    Incoming("account.closed", m.AccountClosed, reason=str),
    Incoming(
        "invoice.issued",
        m.InvoiceIssued,
        _invoice,
        invoice_id=str,
        amount=Amount,
        issued_on=date,
        due_on=optional(date),
    ),
    Incoming("invoice.adjusted", m.InvoiceAdjusted, invoice_id=str, delta=Money, reason=str),
    Incoming("payment.received", m.PaymentReceived, payment_id=str, amount=Amount),
    Incoming("payment.reversed", m.PaymentReversed, payment_id=str, reason=str),
    Incoming("balance.changed", m.BalanceChanged, _balance, balance=Money),
    Incoming("claim.opened", m.ClaimOpened, claim_id=str, invoice_id=str, amount=Amount),
    Incoming("claim.closed", m.ClaimClosed, claim_id=str, outcome=Literal["upheld", "rejected"]),
    Incoming("hold.placed", m.HoldPlaced, _hold, hold_id=str, until=date, reason=str),
    Incoming("hold.lifted", m.HoldLifted, hold_id=str),
    Incoming("promise.made", m.PromiseMade, _promise, promise_id=str, amount=Amount, pay_by=date),
    Incoming(
        "instalments.agreed",
        m.InstalmentsAgreed,
        _instalments,
        schedule_id=str,
        parts=Annotated[list[Part], Meta(min_length=1)],
    ),
    Incoming("instalments.cancelled", m.InstalmentsCancelled, schedule_id=str),
    Incoming(
        "contact.made",
        m.ContactMade,
        kind=Literal["call", "notify", "visit"],
        direction=Literal["out", "in"],
        actor=str,
        outcome=str,
        note=str,
    ),
    Incoming("restriction.lifted", m.RestrictionLifted, measure=str, actor=str, note=str),
    Incoming("task.done", m.TaskDone, task_id=str, actor=str, outcome=str, note=str),
    Incoming("netting.agreed", m.NettingAgreed, netting_id=str, amount=Amount, document=str),
    Incoming("measure.completed", m.MeasureCompleted, command_id=str, detail=str),
    Incoming("measure.failed", m.MeasureFailed, command_id=str, detail=str),
    Incoming("measure.ordered", m.MeasureOrdered, measure=str, actor=str, note=str),
    Incoming("measure.approved", m.MeasureApproved, command_id=str, actor=str, note=str),
    Incoming("measure.rejected", m.MeasureRejected, command_id=str, actor=str, note=str),
    Incoming("plan.assigned", m.PlanAssigned, plan=str | None, actor=str, note=str),
    Incoming("plan.amended", m.PlanAmended, _amendment, changes=list[Change], actor=str, note=str),
    Incoming("manager.assigned", m.ManagerAssigned, manager=str | None, actor=str, note=str),
    Incoming("group.assigned", m.GroupAssigned, group=str | None, actor=str, note=str),
)
"""Every type of event that may come in."""
