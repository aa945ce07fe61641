"""What must be true of any profile by itself, whatever brought it there."""

from collections import Counter
from collections.abc import Iterable, Iterator

from domain.commands import is_sent
from domain.profile import Profile, Run


def profile_faults(profile: Profile) -> Iterator[str]:
    """The invariants that do not hold, a line each."""
    yield from _money_faults(profile)
    yield from _claim_faults(profile)
    yield from _balance_faults(profile)
    yield from _run_faults(profile)
    yield from _waiting_faults(profile)
    if profile.closed:
        for what, value in (
            ("a run", profile.run),
            ("a promise", profile.promise),
            ("an instalment schedule", profile.schedule),
            ("balance warnings that wait", profile.warnings),
            ("reminders that wait", profile.reminders),
            ("measures that wait", profile.pending),
            ("commands without an outcome", profile.outstanding),
        ):
            if value is not None:
                yield f"it is closed and has {what}"


def _money_faults(profile: Profile) -> Iterator[str]:
    ledger = profile.ledger
    for item in ledger.items.values():
        if item.left < 0:
            yield f"item {item.item_id!r} has {item.left} left"
    of_invoices = profile.ledger_kind == "invoices"
    for payment_id, payment in ledger.payments.items():
        parts = payment.paid[1::2]
        spent = sum(parts)
        if payment.amount <= 0 or payment.rest < 0 or any(part <= 0 for part in parts):
            yield f"payment {payment_id!r} is {payment.amount}, of which {payment.rest} is left"
        elif spent + payment.rest != (payment.amount if of_invoices and not payment.reversed else 0):
            gone = " and was reversed" if payment.reversed else ""
            yield f"payment {payment_id!r} of {payment.amount} paid {spent}, has {payment.rest} left{gone}"
    if any(credit.rest <= 0 for credit in ledger.credits or ()):
        yield "a prepayment has nothing left"
    if ledger.credits and ledger.open_items:
        yield f"{ledger.prepaid()} is prepaid while {ledger.debt()} is unpaid"
    arrivals = [item.arrival for item in ledger.items.values()] + [each.arrival for each in ledger.payments.values()]
    if len(set(arrivals)) < len(arrivals) or max(arrivals, default=0) > ledger.arrivals:
        yield "items and payments do not have arrivals of their own"


def _claim_faults(profile: Profile) -> Iterator[str]:
    disputed: Counter[str] = Counter()
    for claim in (profile.ledger.claims or {}).values():
        disputed[claim.item.item_id] += claim.amount
    for item in profile.ledger.items.values():
        if item.claimed != disputed[item.item_id]:
            yield f"item {item.item_id!r}: {item.claimed} counts as disputed, open claims are {disputed[item.item_id]}"


def _balance_faults(profile: Profile) -> Iterator[str]:
    if profile.ledger_kind == "balance":
        balance = profile.balance if profile.balance is not None else 0
        if profile.ledger.debt() != max(0, -balance) or len(profile.ledger.items) > 1:
            yield f"the balance is {balance}, its item has {profile.ledger.debt()} left"
    elif profile.balance is not None:
        yield "it has invoices and a balance"


def _run_faults(profile: Profile) -> Iterator[str]:
    run = profile.run
    closed = len(profile.past_runs or ())
    if closed + (run is not None) != profile.runs:
        yield f"it counts {profile.runs} runs: {closed} are closed, {'one is' if run is not None else 'none is'} open"
    if run is not None:
        if (run.number, run.run_id) != (profile.runs, f"{profile.profile_id}/{profile.runs}"):
            yield f"its run is {run.run_id!r}, number {run.number} of {profile.runs}"
        yield from _progress_faults(run)


def _progress_faults(run: Run) -> Iterator[str]:
    for name in _twice(run.fired):
        yield f"measure {name!r} counts twice as fired in run {run.run_id}"
    for name in sorted(set(run.fired) - set(run.issued)):
        yield f"measure {name!r} fired in run {run.run_id} without a command"


def _waiting_faults(profile: Profile) -> Iterator[str]:
    pending = profile.pending or []
    tasks = (profile.tasks or {}).values()
    for name in _twice([each.command_id for each in pending if each.command_id]):
        yield f"measure {name!r} waits twice"
    asked = {each.command_id for each in pending if not each.granted}
    asking = {task.command_id for task in tasks if task.why == "approval"}
    for command_id in sorted(asked ^ asking):
        yield f"{command_id!r} waits for approval " + ("without a task" if command_id in asked else "as a task only")
    for command_id in sorted(profile.outstanding or ()):
        if not is_sent(profile, command_id):
            yield f"command {command_id!r} was never sent"
    for kind, days in (profile.contacts or {}).items():
        if not days:
            yield f"contacts of kind {kind!r} are counted, and there are none"


def _twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
