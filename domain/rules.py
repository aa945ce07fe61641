"""Rules over a profile's facts: what expressions see, which segments a profile is in, whether a condition holds."""

from collections.abc import Mapping
from typing import Final

from domain.events import ConditionReported, PersonalManagerDue, PolicyAdopted, SegmentChanged
from domain.messages import AttributeValue
from domain.policy import Condition, ConditionFailed, Measure, Policy
from domain.profile import Profile
from domain.record import Record


class Account:
    """What segment rules look at: the account's own fields, as they are or as they are about to be."""

    __slots__ = ("attributes", "currency", "ledger", "party", "projection")

    def __init__(
        self, projection: str, party: str, currency: str, ledger: str, attributes: Mapping[str, AttributeValue] | None
    ) -> None:
        self.projection: Final[str] = projection
        self.party: Final[str] = party
        self.currency: Final[str] = currency
        self.ledger: Final[str] = ledger
        self.attributes: Final[Mapping[str, AttributeValue] | None] = attributes

    def facts(self, policy: Policy) -> dict[str, object]:
        """The names that a segment rule may use."""
        # What was set under an older policy and is not declared any more is beyond the reach of any rule.
        attributes = {**policy.defaults, **self.attributes} if self.attributes else policy.defaults
        return {
            "party": self.party,
            "projection": self.projection,
            "ledger": self.ledger,
            "currency": self.currency,
            "attributes": attributes,
        }


def account_of(profile: Profile) -> Account:
    """The profile's account as it is."""
    return Account(profile.projection, profile.party, profile.currency, profile.ledger_kind, profile.attributes)


def measure_facts(profile: Profile, policy: Policy, overdue: int, dpd: int) -> dict[str, object]:
    """The names that a measure's ``when`` may use."""
    facts = account_of(profile).facts(policy)
    debt = profile.ledger.debt()
    facts["balance"] = profile.account_balance()
    facts["debt"] = debt
    facts["overdue"] = overdue
    facts["days_past_due"] = dpd
    facts["open_items"] = len(profile.ledger.open_items)
    facts["broken_promises"] = profile.broken_promises
    facts["segment"] = profile.policy_segment if profile.policy_segment is not None else ""
    return facts


def current_plan(profile: Profile, policy: Policy) -> str | None:
    """The one plan of the profile: a manager's choice while the policy has it, else its segment's."""
    if profile.hand_plan is not None and profile.hand_plan in policy.plans:
        return profile.hand_plan
    return profile.rule_plan


def holds(condition: Condition | None, facts: dict[str, object], at: int, reports: list[Record]) -> bool:
    """Whether there is no condition or it is true; one that fails counts as false and is reported."""
    if condition is None:
        return True
    try:
        return condition.holds(facts)
    except ConditionFailed as failure:
        reports.append(ConditionReported(at, condition.source, str(failure)))
        return False


def allows(
    profile: Profile, policy: Policy, measure: Measure, at: int, overdue: int, dpd: int, reports: list[Record]
) -> bool:
    """Whether the measure's ``when`` holds for the profile now."""
    if measure.when is None:
        return True
    return holds(measure.when, measure_facts(profile, policy, overdue, dpd), at, reports)


def classified(profile: Profile, account: Account, policy: Policy, at: int) -> list[Record]:
    """The segments of ``account``: a `SegmentChanged` where they differ from the profile's, or where it is new.

    A plan that changes without its segment comes as `PolicyAdopted`, which `PolicyPublished` asks for.
    """
    reports: list[Record] = []
    facts = account.facts(policy)
    segment_name: str | None = None
    plan: str | None = None
    for segment in policy.segments:
        if holds(segment.when, facts, at, reports):
            segment_name = segment.name
            plan = segment.plan
            break
    service_name: str | None = None
    group: str | None = None
    personal = False
    for service in policy.service_segments:
        if holds(service.when, facts, at, reports):
            service_name = service.name
            group = service.group
            personal = (
                service.personal is not None
                and service.assign != "by-hand"
                and holds(service.personal, facts, at, reports)
            )
            break
    changed = segment_name != profile.policy_segment or service_name != profile.service_segment
    if changed or not profile.is_known:
        reports.append(
            SegmentChanged(
                at,
                segment_name,
                service_name,
                profile.policy_segment,
                profile.service_segment,
                plan,
                group,
                personal,
            )
        )
    elif personal and service_name is not None and profile.manager is None and policy.managers is not None:
        reports.append(PersonalManagerDue(at, service_name))
    if policy.version != profile.policy_version:
        reports.append(PolicyAdopted(at, policy.version, plan))
    return reports
