"""Who serves a profile: its personal manager and its group, by hand or by the rules of its service segment."""

from domain import events as e
from domain import messages as m
from domain.decision import Decision, closed, not_allowed, unknown
from domain.policy import Policy
from domain.profile import Profile
from domain.record import Record


def decide_manager_assigned(profile: Profile, message: m.ManagerAssigned, policy: Policy) -> Decision:
    if message.manager is not None and policy.managers is not None and message.manager not in policy.managers:
        return unknown("manager", message.manager)
    if profile.closed:
        return closed(profile)
    if not policy.has_role(message.actor, "head"):
        return not_allowed(message.actor, "assign a personal manager")
    return Decision([message, e.ManagerChanged(message.at, message.manager, _group(profile, policy), "hand")])


def decide_group_assigned(profile: Profile, message: m.GroupAssigned, policy: Policy) -> Decision:
    if profile.closed:
        return closed(profile)
    if not policy.has_role(message.actor, "head"):
        return not_allowed(message.actor, "assign a group")
    if message.group is not None:
        return Decision([message, e.ManagerChanged(message.at, profile.manager, message.group, "hand")])
    return Decision([message, e.ManagerChanged(message.at, profile.manager, _rule_group(profile, policy), "rule")])


def decide_manager_chosen(profile: Profile, message: m.ManagerChosen, policy: Policy) -> Decision:
    """The supervisor's answer counts only while nobody was chosen by hand meanwhile, nor declined."""
    if profile.closed or profile.manager is not None or profile.declined:
        return Decision([])
    group = _group(profile, policy)
    if message.manager is None and group == profile.group:
        return Decision([])
    return Decision([e.ManagerChanged(message.at, message.manager, group, "rule")])


def served(profile: Profile, policy: Policy, events: list[Record]) -> list[Record]:
    """The group of managers follows the service segment; a personal manager is the segment supervisor's to choose."""
    if policy.managers is None or profile.hand_group:
        return []
    group = _rule_group(profile, policy)
    awaits_choice = False
    for event in events:
        if isinstance(event, e.SegmentChanged):
            group = event.group
            stays = event.service_segment == event.previous_service_segment
            awaits_choice = event.personal and profile.manager is None and not (profile.declined and stays)
    if group == profile.group or awaits_choice or not events:
        return []
    return [e.ManagerChanged(events[-1].at, profile.manager, group, "rule")]


def _group(profile: Profile, policy: Policy) -> str | None:
    """By hand, else by rule; whoever awaits a choice has not been told of it yet."""
    if profile.hand_group or policy.managers is None:
        return profile.group
    return _rule_group(profile, policy)


def _rule_group(profile: Profile, policy: Policy) -> str | None:
    for service in policy.service_segments:
        if service.name == profile.service_segment:
            return service.group
    return None


def fold_manager_assigned(profile: Profile, event: m.ManagerAssigned) -> None:
    profile.declined = event.manager is None


def fold_manager_changed(profile: Profile, event: e.ManagerChanged) -> None:
    profile.manager = event.manager
    profile.group = event.group
    profile.published += 1


def fold_group_assigned(profile: Profile, event: m.GroupAssigned) -> None:
    profile.hand_group = event.group is not None
