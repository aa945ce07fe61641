"""A copy of production's portfolio for the laboratory: the store is read once, and never written."""

from collections.abc import Mapping
from dataclasses import replace

from adapters.bootstrap import open_reader
from adapters.cli import Failure
from adapters.settings import load_settings
from domain.policy import Policy
from domain.snapshot import thaw
from sim.scenario import Scenario, Twin
from sim.twin import latest


def copied(url: str, scenario: Scenario, policies: Mapping[str, Policy]) -> tuple[Scenario, dict[str, Policy]]:
    """The scenario with the open profiles of the store at ``url``, from the day after the last that they tell of.

    The policies get a version above those of the profiles: each is news to all of them alike. Raises `Failure` where
    the store holds no open profile, or one in another currency.
    """
    settings = load_settings(None, {"store": url})
    with open_reader(settings) as reader, reader.standing_still():
        states = tuple((row.profile_id, row.state) for row in reader.rows() if not row.is_closed)
    if not states:
        raise Failure(f"{url}: the store holds no open profile")
    profiles = [thaw(profile_id, state) for profile_id, state in states]
    zone = next(iter(policies.values())).zone
    for name, policy in policies.items():
        for profile in profiles:
            if profile.currency != policy.currency:
                raise Failure(
                    f"{url}: {profile.profile_id} is in {profile.currency}, policy {name} in {policy.currency}"
                )
    version = 1 + max(profile.policy_version for profile in profiles)
    start = zone.day(latest(profiles)) + 1
    return (
        replace(scenario, accounts=len(states), start=start, twin=Twin(states=states), warm_up_months=0),
        {name: replace(policy, version=version) for name, policy in policies.items()},
    )
