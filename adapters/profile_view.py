"""A profile as people and other systems look at it: what is owed, what is being done, what comes next and why."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from adapters.cloud_events import rfc3339
from domain.calendar import date_of
from domain.forecast import forecast, local, standing_in_words
from domain.ledger import Ledger
from domain.messages import AttributeValue
from domain.policy import Policy
from domain.profile import Profile, Restriction, Run
from domain.rules import current_plan
from domain.snapshot import thaw
from domain.timing import standing
from engine.ports import State

STEPS_MAX: Final = 20
LISTED_MAX: Final = 200
"""Items beyond this many are counted, not listed."""


class ItemView(Struct, frozen=True):
    """An unpaid item: ``left`` and ``claimed`` in minor units."""

    invoice_id: str
    due_on: str
    left: int
    claimed: int


class RestrictionView(Struct, frozen=True):
    """A service taken away by these commands; ``state`` is ``in force``, ``lifted`` or ``failed``."""

    measure: str
    target: str
    command_ids: list[str]
    state: str


class RunView(Struct, frozen=True):
    """The plan run that is open."""

    run_id: str
    plan: str
    plan_version: int
    opened_at: str
    fired: list[str]
    skipped: list[str]


class TaskView(Struct, frozen=True):
    """Open work for a person."""

    task_id: str
    measure: str
    why: str
    opened_at: str


class StepView(Struct, frozen=True):
    """What will happen at ``at`` (``local``: on the policy's clocks) if nobody pays and nothing comes; why then."""

    at: str
    local: str
    what: str
    why: str


class ProfileView(Struct, frozen=True):
    """A debt profile. Money is in minor units of ``currency``; ``overdue`` is what is collectible now."""

    profile_id: str
    projection: str
    party: str
    currency: str
    ledger: str
    customer_id: str | None
    attributes: Mapping[str, AttributeValue]
    closed: bool
    policy_segment: str | None
    service_segment: str | None
    plan: str | None
    plan_by_hand: bool
    group: str | None
    manager: str | None
    debt: int
    overdue: int
    days_past_due: int
    prepaid: int
    items_count: int
    items: list[ItemView]
    run: RunView | None
    runs: int
    restrictions: list[RestrictionView]
    tasks: list[TaskView]
    standing: list[str]
    next: list[StepView]


def view_of(profile_id: str, state: State, policy: Policy, now: int) -> ProfileView:
    """The view of a stored profile at ``now``. Raises `domain.snapshot.UnknownFormat` for a later version's state."""
    profile = thaw(profile_id, state)
    today = policy.zone.day(now)
    overdue, oldest = standing(profile, today)
    plan = current_plan(profile, policy)
    return ProfileView(
        profile_id=profile_id,
        projection=profile.projection,
        party=profile.party,
        currency=profile.currency,
        ledger=profile.ledger_kind,
        customer_id=profile.customer_id,
        attributes=profile.attributes or {},
        closed=profile.closed,
        policy_segment=profile.policy_segment,
        service_segment=profile.service_segment,
        plan=plan,
        plan_by_hand=profile.hand_plan is not None and plan == profile.hand_plan,
        group=profile.group,
        manager=profile.manager,
        debt=profile.ledger.debt(),
        overdue=overdue,
        days_past_due=today - oldest if oldest else 0,
        prepaid=profile.ledger.prepaid(),
        items_count=len(profile.ledger.open_items),
        items=_items(profile.ledger),
        run=_run(profile.run) if profile.run is not None else None,
        runs=profile.runs,
        restrictions=_restrictions(profile),
        tasks=[
            TaskView(task.task_id, task.measure, task.why, rfc3339(task.opened_at))
            for task in (profile.tasks or {}).values()
        ],
        standing=_standing(profile, policy, now),
        next=_next(profile, policy, now),
    )


def _items(ledger: Ledger) -> list[ItemView]:
    return [
        ItemView(item.item_id, date_of(item.due), item.left, item.claimed) for item in ledger.open_items[:LISTED_MAX]
    ]


def _run(run: Run) -> RunView:
    return RunView(run.run_id, run.plan, run.plan_version, rfc3339(run.opened_at), list(run.fired), list(run.skipped))


def _restrictions(profile: Profile) -> list[RestrictionView]:
    """Those of the open run, and those that an earlier one has left in force."""
    found: list[Restriction] = [*(profile.loose or ())]
    if profile.run is not None:
        found.extend(profile.run.restrictions or ())
    return [
        RestrictionView(
            each.measure,
            each.target,
            list(each.command_ids),
            "in force" if each.is_in_force else "lifted" if each.lifted else "failed",
        )
        for each in found
    ]


def _next(profile: Profile, policy: Policy, now: int) -> list[StepView]:
    steps = forecast(profile, policy, now, STEPS_MAX) if _has_plans_of(profile, policy) else []
    return [StepView(rfc3339(step.at), local(step.at, policy), step.what, step.why) for step in steps]


def _standing(profile: Profile, policy: Policy, now: int) -> list[str]:
    lines = standing_in_words(profile, policy, now)
    if not _has_plans_of(profile, policy):
        lines.append(f"what comes next cannot be said: this policy, {policy.name}, is not the one it is worked under")
    return lines


def _has_plans_of(profile: Profile, policy: Policy) -> bool:
    """Whether the policy at hand can be the profile's: nobody is kept from asking with another one."""
    return profile.run is None or profile.run.plan in policy.plans
