"""Random histories, and what must hold of whatever the reference says to them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from .histories import policy_for, random_history, settled
from .instants import Zone, parse_instant
from .policy import load_policy
from .reference import play

SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_same_seed_same_history(seed: int) -> None:
    """One seed makes one history, in order of time."""
    lines = random_history(seed, accounts=3, events=60)
    assert lines == random_history(seed, accounts=3, events=60)
    times = [parse_instant(json.loads(line)["time"]) for line in lines]
    assert times == sorted(times)


@pytest.mark.parametrize("seed", SEEDS)
def test_profiles_are_independent(seed: int) -> None:
    """What is said of one profile does not depend on the others."""
    lines = random_history(seed, accounts=3, events=60)
    end, path = settled(lines), policy_for(seed)
    together = play(path, lines, until=end)
    for subject in {json.loads(line)["subject"] for line in lines}:
        alone = play(path, [line for line in lines if json.loads(line)["subject"] == subject], until=end)
        assert alone == [outgoing for outgoing in together if outgoing["subject"] == subject]


@pytest.mark.parametrize("seed", SEEDS)
def test_runs_and_restrictions(seed: int) -> None:
    """Runs are numbered one after the other, each ends before the next; nothing is lifted that was not requested."""
    lines = random_history(seed, accounts=4, events=120)
    out = play(policy_for(seed), lines, until=settled(lines))
    for subject in {outgoing["subject"] for outgoing in out}:
        of_runs = [o for o in out if o["subject"] == subject and o["type"].startswith("dms.run.")]
        expected = [f"{subject}/{n // 2 + 1}" for n in range(len(of_runs))]
        assert [o["data"]["run_id"] for o in of_runs] == expected
        kinds = [o["data"]["kind"] for o in out if o["subject"] == subject and o["type"] == "dms.measure.requested.v1"]
        assert kinds.count("restore") <= kinds.count("restrict")


@pytest.mark.parametrize("seed", SEEDS)
def test_no_contact_at_night(seed: int) -> None:
    """No contact leaves outside all contact hours of a policy that protects everybody or persons."""
    path = policy_for(seed)
    policy = load_policy(path)
    hours = [hours for hours in (policy.workday_hours, policy.dayoff_hours) if hours is not None]
    if not hours or "organisation" not in policy.protected_parties:
        return
    lines = random_history(seed, accounts=4, events=120)
    for outgoing in play(path, lines, until=settled(lines)):
        if outgoing["type"] == "dms.measure.requested.v1" and outgoing["data"]["kind"] in ("call", "notify"):
            minutes = _minutes(policy.zone, outgoing["time"])
            assert min(h.opens for h in hours) <= minutes < max(h.closes for h in hours)


def _minutes(zone: Zone, time: str) -> int:
    """The local clock time, for days without a change of clocks good to the minute."""
    moment = datetime.fromisoformat(time).astimezone(UTC)
    midnight = zone.midnight(zone.date_of(parse_instant(time)))
    since = moment - (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(midnight)))
    return int(since.total_seconds()) // 60
