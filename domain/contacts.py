"""Contacts with the debtor, by hand and by command: outgoing ones count under the caps."""

from sys import intern
from typing import Final

from domain import messages as m
from domain.decision import Decision, closed
from domain.policy import Policy
from domain.profile import Profile

_DAYS_COUNTED: Final = 30


def decide_contact_made(profile: Profile, message: m.ContactMade, policy: Policy) -> Decision:
    """It has taken place, whoever made it: unlike what people ask for, it is not refused for want of a role."""
    if profile.closed:
        return closed(profile)
    return Decision(
        [
            m.ContactMade(
                message.at,
                message.kind,
                message.direction,
                message.actor,
                message.outcome,
                message.note,
                policy.zone.day(message.at),
            )
        ]
    )


def fold_contact_made(profile: Profile, event: m.ContactMade) -> None:
    if event.direction == "out":
        count_contact(profile, event.kind, event.on)


def count_contact(profile: Profile, kind: str, on: int) -> None:
    if profile.contacts is None:
        profile.contacts = {}
    days = [day for day in profile.contacts.get(kind, ()) if day > on - _DAYS_COUNTED]
    profile.contacts[intern(kind)] = (*days, on)
