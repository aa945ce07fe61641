"""What comes next, and why: a forward run of the same code on a copy of the profile, as if nobody paid."""

from dataclasses import dataclass
from typing import Final

from domain import events as e
from domain.calendar import NEVER, date_of, time_of
from domain.messages import MeasureApproved, Wake
from domain.policy import Policy
from domain.profile import Profile
from domain.record import Record
from domain.rules import current_plan
from domain.snapshot import freeze, thaw
from domain.timing import BOUND_WORDS, DUE, GAP, HOLD, standing
from domain.work import work

_LOOKS_MAX: Final = 1_000


@dataclass(frozen=True)
class Step:
    """One thing that will happen at ``at`` (an instant), and the reason why it happens then."""

    at: int
    what: str
    why: str


def forecast(profile: Profile, policy: Policy, now: int, steps_max: int = 20) -> list[Step]:
    """What happens from ``now`` on if nobody pays and no message comes, at most ``steps_max`` steps.

    Commands count as confirmed at once. Where a head must decide, the forecast says so and goes on as if approved.
    """
    imagined = thaw(profile.profile_id, freeze(profile))
    imagined.wake_at = profile.wake_at
    steps: list[Step] = []
    facts: list[Record] = []
    _approve_all(imagined, policy, now, facts)
    for _ in range(_LOOKS_MAX):
        steps.extend([step for step in [_step(fact, policy) for fact in facts] if step is not None])
        if imagined.wake_at >= NEVER or len(steps) >= steps_max:
            break
        wake_at = max(imagined.wake_at, now)
        facts = []
        work(imagined, Wake(wake_at), policy, facts, confirms=True)
        _approve_all(imagined, policy, wake_at, facts)
        if imagined.wake_at <= wake_at and not facts:
            break
    return steps[:steps_max]


def _approve_all(imagined: Profile, policy: Policy, at: int, facts: list[Record]) -> None:
    """Whoever may decide says yes at once; where nobody may, the question stays open."""
    for pending in list(imagined.pending or ()):
        if pending.granted:
            continue
        plan = policy.plans.get(pending.plan)
        step = plan.step(pending.measure) if plan is not None else None
        role = plan.measures[step - 1].approval if plan is not None and step is not None else None
        approver = _approver(policy, role or "head")
        work(imagined, MeasureApproved(at, pending.command_id, approver, ""), policy, facts, confirms=True)


def _approver(policy: Policy, role: str) -> str:
    for manager in (policy.managers or {}).values():
        if policy.has_role(manager.id, role):
            return manager.id
    return ""


def _step(fact: Record, policy: Policy) -> Step | None:
    match fact:
        case e.MeasureRequested():
            what = f"{fact.measure} ({fact.kind} to {fact.target})"
            return Step(fact.at, what, reason(fact, policy))
        case e.MeasureSkipped():
            why = "its condition is false" if fact.why == "condition" else fact.why
            return Step(fact.at, f"{fact.measure} is skipped", why)
        case e.TaskOpened() if fact.why == "approval":
            return Step(fact.at, f"{fact.measure} asks for approval", "the plan wants it decided by a person")
        case e.RunOpened():
            return Step(
                fact.at,
                f"run {fact.number} of plan {fact.plan} opens",
                f"{money(fact.overdue, policy)} are overdue, {counted(fact.dpd, 'day')} past due",
            )
        case e.RunClosed():
            return Step(fact.at, f"the run closes: {fact.outcome}", "its last measure has fired")
        case e.PromiseBroken():
            return Step(fact.at, f"promise {fact.promise_id} is broken", "its day has passed without the amount")
        case e.InstalmentsBroken():
            return Step(fact.at, f"instalments {fact.schedule_id} are broken", "less was paid than was due by then")
        case _:
            return None


def reason(command: e.MeasureRequested, policy: Policy) -> str:
    """Why a command left at its instant, in words."""
    if command.reason == "cured":
        return f"the run was cured, so {command.restores} is taken back"
    if command.reason == "prevention":
        return "a warning before it is overdue, by the policy's rules of prevention"
    if command.attempt > 1:
        return f"attempt {command.attempt}: no confirmation of the one before"
    if command.reason == "ordered":
        return "ordered by hand" if command.restores is None else f"{command.restores} was lifted by hand"
    oldest_due = command.on - command.dpd
    why = BOUND_WORDS[command.bound]
    if command.bound == DUE:
        return f"{why}: day {command.day} after the due date {date_of(oldest_due)}"
    if command.bound in (GAP, HOLD):
        return f"{why} (its day {command.day} after {date_of(oldest_due)} came before)"
    return f"{why}; it is day {command.day} of plan {command.plan} after the due date {date_of(oldest_due)}"


def standing_in_words(profile: Profile, policy: Policy, now: int) -> list[str]:
    """Where the debt stands: what is owed and overdue, the plan, what holds it, in sentences."""
    today = policy.zone.day(now)
    overdue, oldest = standing(profile, today)
    lines = [
        f"owes {money(profile.ledger.debt(), policy)}, of which {money(overdue, policy)} are overdue and collectible"
    ]
    if oldest:
        lines.append(f"{counted(today - oldest, 'day')} past due (oldest due date {date_of(oldest)})")
    if profile.ledger.prepaid():
        lines.append(f"has prepaid {money(profile.ledger.prepaid(), policy)}")
    plan = current_plan(profile, policy)
    chosen = "by hand" if profile.hand_plan is not None and plan == profile.hand_plan else "by rule"
    lines.append(f"plan {plan} ({chosen}), segment {profile.policy_segment}")
    if profile.closed:
        lines.append("is closed: nothing more is sent")
    elif profile.run is not None:
        lines.append(f"run {profile.run.run_id} is open; fired: {', '.join(profile.run.fired) or 'nothing yet'}")
    elif profile.blocked:
        lines.append("no run opens until the debt has been cleared once: the last one ended the relationship")
    for hold_id, until in (profile.holds or {}).items():
        lines.append(f"moratorium {hold_id} until the end of {date_of(until)}")
    if profile.promise is not None:
        lines.append(f"promised {money(profile.promise.amount, policy)}, {money(profile.promise.paid, policy)} came")
    if profile.schedule is not None:
        lines.append(
            f"pays by instalments {profile.schedule.schedule_id}: {money(profile.schedule.covers(), policy)} left"
        )
    tasks = (profile.tasks or {}).values()
    lines.extend([f"task {each.task_id} is open ({each.why}) since {local(each.opened_at, policy)}" for each in tasks])
    return lines


def money(amount: int, policy: Policy) -> str:
    """Minor units as people read them: ``1 234.50 RUB``."""
    sign = "-" if amount < 0 else ""
    whole, minor = divmod(abs(amount), 100)
    return f"{sign}{whole:,}.{minor:02} {policy.currency}".replace(",", " ")


def counted(number: int, noun: str) -> str:
    """A number of things as people read it: ``1 day``, ``1 234 days``."""
    return f"{number:,} {noun}{'s' * (number != 1)}".replace(",", " ")


def local(instant: int, policy: Policy) -> str:
    """An instant on the policy's clocks: ``2026-01-06 10:00``."""
    return f"{date_of(policy.zone.day(instant))} {time_of(policy.zone.time_of_day(instant))}"
