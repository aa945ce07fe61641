"""What a message decides: the fact it becomes, or the refusal it meets.

One function for each message, in the module of its noun, each in the order of the refusals' precedence. What follows
from the fact is the business of `follow`; `work` puts the two together.
"""

from collections.abc import Callable
from typing import Final

from domain import accounts, agreements, contacts, managers, money, orders, outcomes, restrictions, runs, tasks
from domain import messages as m
from domain.decision import Decision
from domain.follow import follow
from domain.policy import Policy
from domain.profile import Profile
from domain.record import Record
from domain.timing import ALL, DEADLINES


def decide(profile: Profile, message: Record, policy: Policy) -> Decision:
    """What ``message`` changes, by itself. The profile is not touched; KeyError for a record that is no message."""
    return _DECIDERS[type(message)](profile, message, policy)


def _wake(profile: Profile, message: m.Wake, policy: Policy) -> Decision:
    return follow(profile, policy, message.at, ALL)


def _lapse(profile: Profile, message: m.Lapse, policy: Policy) -> Decision:
    return follow(profile, policy, message.at, DEADLINES)


_DECIDERS: Final[dict[type, Callable[..., Decision]]] = {
    m.Wake: _wake,
    m.Lapse: _lapse,
    m.PolicyPublished: accounts.decide_policy_published,
    m.AccountUpdated: accounts.decide_updated,
    m.AccountClosed: accounts.decide_closed,
    m.InvoiceIssued: money.decide_invoice_issued,
    m.InvoiceAdjusted: money.decide_invoice_adjusted,
    m.PaymentReceived: money.decide_payment_received,
    m.PaymentReversed: money.decide_payment_reversed,
    m.BalanceChanged: money.decide_balance_changed,
    m.ClaimOpened: money.decide_claim_opened,
    m.ClaimClosed: money.decide_claim_closed,
    m.HoldPlaced: agreements.decide_hold_placed,
    m.HoldLifted: agreements.decide_hold_lifted,
    m.PromiseMade: agreements.decide_promise_made,
    m.InstalmentsAgreed: agreements.decide_instalments_agreed,
    m.InstalmentsCancelled: agreements.decide_instalments_cancelled,
    m.ContactMade: contacts.decide_contact_made,
    m.RestrictionLifted: restrictions.decide_lifted,
    m.TaskDone: tasks.decide_done,
    m.NettingAgreed: money.decide_netting_agreed,
    m.MeasureCompleted: outcomes.decide_completed,
    m.MeasureFailed: outcomes.decide_failed,
    m.HoldCommand: outcomes.decide_hold,
    m.ReleaseCommand: outcomes.decide_release,
    m.WithdrawCommands: outcomes.decide_withdraw,
    m.MeasureOrdered: orders.decide_ordered,
    m.MeasureApproved: orders.decide_approved,
    m.MeasureRejected: orders.decide_rejected,
    m.PlanAssigned: runs.decide_plan_assigned,
    m.PlanAmended: runs.decide_plan_amended,
    m.ManagerAssigned: managers.decide_manager_assigned,
    m.GroupAssigned: managers.decide_group_assigned,
    m.ManagerChosen: managers.decide_manager_chosen,
}
