"""The twin's opening: production's debts, and what is under way with them, put into a branch of the laboratory."""

import numpy as np

from domain.calendar import DAY, NEVER
from domain.events import TaskOpened
from domain.messages import AccountClosed, MeasureCompleted, PolicyPublished
from domain.policy import Policy
from domain.profile import Profile
from sim.ageing import Ageing
from sim.casework import is_at_rest
from sim.contact_log import ContactLog
from sim.disputes import Disputes
from sim.people import People
from sim.services import Services
from sim.site import Site
from sim.twin import Copies
from sim.untold import Untold


def open_copies(
    copies: Copies,
    day: int,
    at: int,
    *,
    site: Site,
    untold: Untold,
    disputes: Disputes,
    ageing: Ageing,
    contacts: ContactLog,
    people: People,
    services: Services,
) -> list[int]:
    """The branch begins on ``day``, at the instant ``at``, with the copies. Returns those whose contract has ended."""
    cases = site.cases
    ended = []
    for account, profile in enumerate(copies.profiles):
        cases.adopt(account, profile)
        _open_debts(account, profile, at, site, disputes, ageing)
        untold.told[account] = site.books.count[account]
        is_resting = profile.wake_at == NEVER and is_at_rest(profile)
        untold.resting[account] = is_resting
        untold.wake[account] = max(profile.wake_at, at)
        for kind, days in (profile.contacts or {}).items():
            contacts.remember(account, kind, days, day)
        for sent in list((profile.outstanding or {}).values()):
            # What was on its way has arrived.
            cases.post(at + 1, account, MeasureCompleted(at + 1, sent.command.command_id, "done"))
        run = profile.run
        for restriction in (run.restrictions or ()) if run is not None else ():
            if restriction.is_in_force:
                services.switch([(at, account, restriction.measure, True)], [0], at + 1)
        if profile.promise is not None:
            people.promises[account] = profile.promise.amount
        for task in (profile.tasks or {}).values():
            plan = run.plan if run is not None else None
            opened = TaskOpened(at, task.task_id, task.measure, task.command_id, task.why, plan, False, task.in_run)
            people.ask(account, profile.group, opened)
        for claim_id in profile.ledger.claims or ():
            disputes.remember_claim(account, day, claim_id)
        if not is_resting and profile.policy_version != site.policy.version:
            cases.post(at, account, PolicyPublished(at))
        if _is_terminated(profile, site.policy):
            # How long ago nobody knows.
            closes_at = at + site.scenario.close_after_days * DAY
            cases.post(closes_at, account, AccountClosed(closes_at, "the contract has ended"))
            ended.append(account)
    return ended


def _is_terminated(profile: Profile, policy: Policy) -> bool:
    """Whether the last run ended the contract, and nothing has been cleared since."""
    if not profile.blocked or not profile.past_runs:
        return False
    found = [policy.measure(name, None) for name in profile.past_runs[-1]]
    return any(plan.measures[index].kind == "terminate" for plan, index in filter(None, found))


def _open_debts(account: int, profile: Profile, at: int, site: Site, disputes: Disputes, ageing: Ageing) -> None:
    for place, item in enumerate(profile.ledger.open_items):
        rows, amounts, due = np.array([account]), np.array([item.left]), np.array([item.due], dtype=np.int32)
        site.books.bill(rows, amounts, due, at)
        ageing.billed(rows, amounts, due, is_old=True)
        disputes.remember_item(account, place, item.item_id, item.claimed)
    site.books.prepaid[account] = profile.ledger.prepaid()
