"""The fold: how each fact changes the profile. No policy, no clock, no choice; a fact is always accepted.

The journal's facts, folded in their order over an empty profile, give the profile again. One function for each fact, in
the module of its noun.
"""

from collections.abc import Callable
from typing import Final

from domain import (
    accounts,
    agreements,
    contacts,
    managers,
    measures,
    money,
    orders,
    outcomes,
    prevention,
    restrictions,
    runs,
    tasks,
)
from domain import events as e
from domain import messages as m
from domain.profile import Profile
from domain.record import Record


def evolve(profile: Profile, event: Record) -> Profile:
    """Folds one fact into the profile and returns it. Raises KeyError for a record that is no fact."""
    _FOLDS[type(event)](profile, event)
    return profile


def _published(profile: Profile, event: Record) -> None:
    profile.published += 1


def _nothing(profile: Profile, event: Record) -> None:
    """A fact for the record only."""


_FOLDS: Final[dict[type, Callable[..., None]]] = {
    m.AccountUpdated: accounts.fold_updated,
    m.AccountClosed: accounts.fold_closed,
    m.InvoiceIssued: money.fold_invoice_issued,
    m.InvoiceAdjusted: money.fold_invoice_adjusted,
    m.PaymentReceived: money.fold_payment_received,
    m.PaymentReversed: money.fold_payment_reversed,
    m.BalanceChanged: money.fold_balance_changed,
    m.ClaimOpened: money.fold_claim_opened,
    m.ClaimClosed: money.fold_claim_closed,
    m.HoldPlaced: agreements.fold_hold_placed,
    m.HoldLifted: agreements.fold_hold_lifted,
    m.PromiseMade: agreements.fold_promise_made,
    m.InstalmentsAgreed: agreements.fold_instalments_agreed,
    m.InstalmentsCancelled: agreements.fold_instalments_cancelled,
    m.ContactMade: contacts.fold_contact_made,
    m.RestrictionLifted: restrictions.fold_lifted,
    m.TaskDone: _nothing,
    m.NettingAgreed: money.fold_netting_agreed,
    m.MeasureCompleted: outcomes.fold_completed,
    m.MeasureFailed: outcomes.fold_failed,
    m.MeasureOrdered: orders.fold_ordered,
    m.MeasureApproved: orders.fold_approved,
    m.MeasureRejected: orders.fold_rejected,
    m.PlanAssigned: runs.fold_plan_assigned,
    m.PlanAmended: runs.fold_plan_amended,
    m.ManagerAssigned: managers.fold_manager_assigned,
    m.GroupAssigned: managers.fold_group_assigned,
    e.SegmentChanged: accounts.fold_segment_changed,
    e.ManagerChanged: managers.fold_manager_changed,
    e.PersonalManagerDue: _nothing,
    e.PolicyAdopted: accounts.fold_policy_adopted,
    e.RunOpened: runs.fold_opened,
    e.RunClosed: runs.fold_closed,
    e.OverdueCleared: runs.fold_overdue_cleared,
    e.MeasureRequested: measures.fold_requested,
    e.MeasureSkipped: measures.fold_skipped,
    e.AttributeIgnored: _nothing,
    e.ConditionReported: _nothing,
    e.TaskOpened: tasks.fold_opened,
    e.TaskClosed: tasks.fold_closed,
    e.PromiseKept: agreements.fold_promise_kept,
    e.PromiseBroken: agreements.fold_promise_broken,
    e.InstalmentMet: agreements.fold_instalment_met,
    e.InstalmentsBroken: agreements.fold_instalments_ended,
    e.InstalmentsCompleted: agreements.fold_instalments_ended,
    e.LedgerMismatch: _published,
    e.WarningRaised: prevention.fold_warning_raised,
    e.WarningRearmed: prevention.fold_warning_rearmed,
    e.ReminderDue: prevention.fold_reminder_due,
    e.PreventionSettled: prevention.fold_settled,
    e.CommandFailed: outcomes.fold_command_failed,
    e.CommandHeld: outcomes.fold_held,
    e.CommandReleased: outcomes.fold_released,
    e.CommandWithdrawn: outcomes.fold_withdrawn,
    e.ServiceRestoreOverdue: outcomes.fold_restore_overdue,
}
