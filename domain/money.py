"""Money: invoices, payments, nettings, balances and claims, as they change the ledger."""

from domain import events as e
from domain import messages as m
from domain.decision import STALE, Decision, closed, refused, reused, unknown
from domain.policy import Policy
from domain.prevention import crossings
from domain.profile import Profile
from domain.record import Record


def decide_invoice_issued(profile: Profile, message: m.InvoiceIssued, policy: Policy) -> Decision:
    if profile.ledger.knows_item(message.invoice_id):
        return reused("invoice", message.invoice_id)
    if profile.closed:
        return closed(profile)
    if profile.ledger_kind != "invoices":
        return refused("wrong_ledger", "an account with ledger balance takes no invoices")
    if message.due_on is not None:
        return Decision([message])
    due_on = policy.due_day(profile.party, message.issued_on)
    return Decision([m.InvoiceIssued(message.at, message.invoice_id, message.amount, message.issued_on, due_on)])


def decide_invoice_adjusted(profile: Profile, message: m.InvoiceAdjusted, policy: Policy) -> Decision:
    if profile.ledger_kind != "invoices" or not profile.ledger.knows_item(message.invoice_id):
        return unknown("invoice", message.invoice_id)
    return closed(profile) if profile.closed else Decision([message])


def decide_payment_received(profile: Profile, message: m.PaymentReceived, policy: Policy) -> Decision:
    return _money_came(profile, policy, message, message.payment_id, message.amount, message.at)


def decide_netting_agreed(profile: Profile, message: m.NettingAgreed, policy: Policy) -> Decision:
    return _money_came(profile, policy, message, message.netting_id, message.amount, message.at)


def _money_came(profile: Profile, policy: Policy, message: Record, payment_id: str, amount: int, at: int) -> Decision:
    if profile.ledger.knows_payment(payment_id):
        return reused("payment", payment_id)
    if profile.closed:
        return closed(profile)
    if profile.ledger_kind == "balance" and profile.balance is not None and policy.warnings:
        return Decision([message, *crossings(profile, policy, profile.balance + amount, at)])
    return Decision([message])


def decide_payment_reversed(profile: Profile, message: m.PaymentReversed, policy: Policy) -> Decision:
    payment = profile.ledger.payment(message.payment_id)
    if payment is None:
        return unknown("payment", message.payment_id)
    if profile.closed:
        return closed(profile)
    if profile.ledger_kind != "balance" or profile.balance is None:
        return Decision([message])
    balance = profile.balance - payment.amount
    due_on = _due_below_zero(profile, policy, balance, message.at)
    fact = m.PaymentReversed(message.at, message.payment_id, message.reason, due_on)
    return Decision([fact, *crossings(profile, policy, balance, message.at)])


def decide_balance_changed(profile: Profile, message: m.BalanceChanged, policy: Policy) -> Decision:
    if profile.closed:
        return closed(profile)
    if profile.sequences is not None and profile.sequences.get(message.source, -1) > message.sequence:
        return refused(STALE, f"a snapshot later than {message.sequence} was seen")
    if profile.ledger_kind == "invoices":
        ours = profile.account_balance()
        if ours == message.balance:
            return Decision([message])
        return Decision([message, e.LedgerMismatch(message.at, ours, message.balance)])
    due_on = _due_below_zero(profile, policy, message.balance, message.at)
    fact = m.BalanceChanged(message.at, message.balance, message.sequence, message.source, due_on)
    return Decision([fact, *crossings(profile, policy, message.balance, message.at)])


def _due_below_zero(profile: Profile, policy: Policy, balance: int, at: int) -> int | None:
    """The due date fixed at the moment at which the balance falls below zero; None while it does not."""
    if balance >= 0 or profile.ledger.open_items:
        return None
    return policy.due_day(profile.party, policy.zone.day(at))


def decide_claim_opened(profile: Profile, message: m.ClaimOpened, policy: Policy) -> Decision:
    if profile.ledger_kind != "invoices" or not profile.ledger.knows_item(message.invoice_id):
        return unknown("invoice", message.invoice_id)
    if profile.ledger.knows_claim(message.claim_id):
        return reused("claim", message.claim_id)
    return closed(profile) if profile.closed else Decision([message])


def decide_claim_closed(profile: Profile, message: m.ClaimClosed, policy: Policy) -> Decision:
    if profile.ledger.claims is None or message.claim_id not in profile.ledger.claims:
        return unknown("claim", message.claim_id)
    return closed(profile) if profile.closed else Decision([message])


def fold_invoice_issued(profile: Profile, event: m.InvoiceIssued) -> None:
    assert event.due_on is not None
    profile.ledger.open(event.invoice_id, event.amount, event.due_on, event.at)


def fold_invoice_adjusted(profile: Profile, event: m.InvoiceAdjusted) -> None:
    profile.ledger.adjust(event.invoice_id, event.delta, event.at)


def fold_payment_received(profile: Profile, event: m.PaymentReceived) -> None:
    _paid(profile, event.payment_id, event.amount, event.at)


def fold_netting_agreed(profile: Profile, event: m.NettingAgreed) -> None:
    _paid(profile, event.netting_id, event.amount, event.at)


def _paid(profile: Profile, payment_id: str, amount: int, at: int) -> None:
    if profile.ledger_kind == "balance":
        profile.ledger.count_only(payment_id, amount)
        if profile.balance is not None:
            _set_balance(profile, profile.balance + amount, None, at)
    else:
        profile.ledger.pay(payment_id, amount)
    if profile.promise is not None:
        profile.promise.paid += amount
    if profile.schedule is not None:
        profile.schedule.paid += amount


def fold_payment_reversed(profile: Profile, event: m.PaymentReversed) -> None:
    payment = profile.ledger.reverse(event.payment_id, event.at)
    if profile.ledger_kind == "balance" and profile.balance is not None:
        _set_balance(profile, profile.balance - payment.amount, event.due_on, event.at)
    promise = profile.promise
    if promise is not None and payment.arrival > promise.since:
        promise.paid -= payment.amount
    schedule = profile.schedule
    if schedule is not None and payment.arrival > schedule.since:
        schedule.paid -= payment.amount


def fold_balance_changed(profile: Profile, event: m.BalanceChanged) -> None:
    if profile.sequences is None:
        profile.sequences = {}
    profile.sequences[event.source] = event.sequence
    if profile.ledger_kind == "balance":
        _set_balance(profile, event.balance, event.due_on, event.at)


def _set_balance(profile: Profile, balance: int, due_on: int | None, at: int) -> None:
    profile.balance = balance
    profile.ledger.set_balance(balance, due_on, at)
    if not profile.ledger.open_items:
        profile.reminders = None  # what waited was for the item that is gone, and the next one has the same id


def fold_claim_opened(profile: Profile, event: m.ClaimOpened) -> None:
    profile.ledger.dispute(event.claim_id, event.invoice_id, event.amount)


def fold_claim_closed(profile: Profile, event: m.ClaimClosed) -> None:
    profile.ledger.settle_claim(event.claim_id, event.outcome == "upheld", event.at)
