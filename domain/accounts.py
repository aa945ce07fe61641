"""Accounts: what begins, changes and closes a profile, and which segments its rules put it into."""

from datetime import date
from sys import intern
from typing import Final

from domain import events as e
from domain import messages as m
from domain.decision import Decision, closed, refused
from domain.managers import served
from domain.messages import AttributeValue
from domain.policy import Attribute, Policy
from domain.prevention import passed_reminders
from domain.profile import Profile
from domain.record import Record
from domain.rules import Account, account_of, classified
from domain.shared import shared
from domain.tasks import closed_task

_INTEGER_MAX: Final = 2**63 - 1
"""What an attribute may hold: what a rule can compare and a store can keep."""


def decide_policy_published(profile: Profile, message: m.PolicyPublished, policy: Policy) -> Decision:
    if not profile.is_known or profile.closed:
        return Decision([])
    events = classified(profile, account_of(profile), policy, message.at)
    return Decision([*events, *served(profile, policy, events), *passed_reminders(profile, policy, message.at)])


def decide_updated(profile: Profile, message: m.AccountUpdated, policy: Policy) -> Decision:
    if not profile.is_known:
        for field, given in (
            ("projection", message.projection),
            ("party", message.party),
            ("currency", message.currency),
        ):
            if given is None:
                return refused("invalid", f"{field} is required in the first event of an account")
    ignored: list[Record] = []
    attributes: dict[str, AttributeValue] = {}
    for name, value in message.attributes.items():
        declared = policy.attributes.get(name)
        if declared is None:
            ignored.append(e.AttributeIgnored(message.at, name))
        elif value is not None and not _fits(value, declared):
            return refused("invalid", f"attribute {name!r} is {value!r}, which is no {_type_in_words(declared)}")
        else:
            attributes[name] = value
    if profile.closed:
        return closed(profile)
    if message.currency is not None and message.currency != policy.currency:
        return refused("wrong_currency", f"{message.currency} is not the policy's {policy.currency}")
    if profile.is_known and message.ledger is not None and message.ledger != profile.ledger_kind:
        return refused("not_changeable", f"the ledger is {profile.ledger_kind} and cannot change")
    fact = m.AccountUpdated(
        message.at,
        message.projection,
        message.party,
        message.currency,
        message.ledger,
        message.customer_id,
        attributes,
    )
    merged = dict(profile.attributes) if profile.attributes is not None else {}
    for name, value in attributes.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    account = Account(
        message.projection or profile.projection,
        message.party or profile.party,
        message.currency or profile.currency,
        message.ledger or profile.ledger_kind,
        merged,
    )
    segments = classified(profile, account, policy, message.at)
    return Decision([fact, *ignored, *segments, *served(profile, policy, segments)])


def _fits(value: object, declared: Attribute) -> bool:
    if declared.type == "enum":
        return isinstance(value, str) and value in declared.values
    if declared.type == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if declared.type == "integer":
        return isinstance(value, int) and -_INTEGER_MAX <= value <= _INTEGER_MAX
    if declared.type == "number":
        return isinstance(value, float) or (isinstance(value, int) and -_INTEGER_MAX <= value <= _INTEGER_MAX)
    if declared.type == "date":
        return isinstance(value, str) and _is_date(value)
    return isinstance(value, str)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _type_in_words(declared: Attribute) -> str:
    return f"one of {', '.join(declared.values)}" if declared.type == "enum" else declared.type


def decide_closed(profile: Profile, message: m.AccountClosed, policy: Policy) -> Decision:
    if profile.closed:
        return closed(profile)
    events: list[Record] = [message]
    run = profile.run
    if run is not None:
        events.append(e.RunClosed(message.at, run.run_id, run.plan, "closed"))
    # Not only the run's: nobody could close them any more.
    tasks = profile.tasks.values() if profile.tasks is not None else ()
    events.extend([closed_task(task, message.at, None, "closed") for task in tasks])
    return Decision(events)


def fold_updated(profile: Profile, event: m.AccountUpdated) -> None:
    # A million profiles share a handful of these words: interned, they are one object each.
    if event.projection is not None:
        profile.projection = intern(event.projection)
    if event.party is not None:
        profile.party = intern(event.party)
    if event.currency is not None:
        profile.currency = intern(event.currency)
    if event.ledger is not None:
        profile.ledger_kind = intern(event.ledger)
    if event.customer_id is not None:
        profile.customer_id = event.customer_id
    if event.attributes:
        merged = dict(profile.attributes) if profile.attributes is not None else {}
        for name, value in event.attributes.items():
            if value is None:
                merged.pop(name, None)
            else:
                merged[intern(name)] = intern(value) if isinstance(value, str) else value
        profile.attributes = shared(merged) if merged else None


def fold_closed(profile: Profile, event: m.AccountClosed) -> None:
    profile.closed = True
    profile.outstanding = None
    profile.promise = None
    profile.schedule = None
    profile.warnings = None
    profile.reminders = None
    profile.pending = None


def fold_segment_changed(profile: Profile, event: e.SegmentChanged) -> None:
    profile.policy_segment = event.policy_segment
    if event.service_segment != profile.service_segment:
        profile.declined = False
    profile.service_segment = event.service_segment
    profile.rule_plan = event.plan
    profile.published += 1


def fold_policy_adopted(profile: Profile, event: e.PolicyAdopted) -> None:
    profile.policy_version = event.version
    profile.rule_plan = event.plan
    run = profile.run
    if run is not None and run.plan_version != event.version:
        run.plan_version = event.version
        if run.amendments is None:
            run.floor_day = max(run.floor_day, run.fired_day)
        else:
            run.version_floor = max(run.version_floor, run.fired_day)
        run.skipped = ()
        run.cursor = 0
