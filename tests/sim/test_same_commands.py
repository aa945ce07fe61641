"""What the laboratory's domain heard, told to production's engine on its real store, brings the same commands."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from adapters.cloud_events import rfc3339
from adapters.policy_files import load_policy
from adapters.replay import Line, Replay
from domain.command_events import MeasureRequested
from domain.policy import Measure, Plan, Policy
from domain.profile import Profile
from engine.ports import OutgoingEvent
from sim.behaviour import Behaviour
from sim.scenario import Scenario
from sim.world import Branch
from tests.sim.laboratory import POLICIES, shipped, telecom
from tests.sim.recording import lines_of, worked_by_engine

Command = tuple[str, str, str, int, int, str]


def lived(scenario: Scenario, policy: Policy, seed: int = 1) -> tuple[list[bytes], list[Command], int]:
    """A branch all of whose accounts are watched: what was heard, what was asked for, and when it ended."""
    branch = Branch(scenario, policy, seed, 0, 0, watched=range(scenario.accounts))
    branch.run()
    ends = policy.zone.midnight(scenario.start + scenario.days)
    heard = [(f"B0-{account}", message) for account, message in branch.cases.heard if message.at < ends]
    asked = sorted(_told(f"B0-{account}", command) for account, command in branch.cases.asked)
    return lines_of(heard), asked, ends - 1


def _told(profile_id: str, command: object) -> Command:
    assert isinstance(command, MeasureRequested)
    return (
        rfc3339(command.at), profile_id, command.command_id, command.overdue,
        command.dpd, command.reason,
    )  # fmt: skip


def commands(events: list[OutgoingEvent]) -> list[Command]:
    """The commands among what left, in the same shape."""
    found = []
    for event in events:
        if event.routing_key.startswith("measure."):
            told = msgspec.json.decode(event.body)
            data = told["data"]
            found.append(
                (
                    told["time"], event.profile_id, data["command_id"], data["overdue"], data["days_past_due"],
                    data["reason"],
                )
            )  # fmt: skip
    return sorted(found)


def rejections(events: list[OutgoingEvent]) -> list[bytes]:
    """What was refused, but work that had become moot."""
    return [
        event.body
        for event in events
        if event.routing_key == "dms.message.rejected.v1" and b"task.done" not in event.body
    ]


def the(name: str) -> tuple[Scenario, Policy]:
    """A world by the name of what it is about."""
    telecom_world, textbook = shipped("telecom", 150, 200), telecom()
    match name:
        case "agency" | "card":
            return shipped(name, 120, 200), load_policy(POLICIES / "fz230")
        case "soft":
            return telecom_world, load_policy(POLICIES / "soft")
        case "balances":
            groups = tuple(replace(each, ledger="balance") for each in telecom_world.groups)
            return replace(telecom_world, groups=groups), textbook
        case "claims":
            return replace(telecom_world, behaviours=disputing(telecom_world)), textbook
        case "failures":
            gateways = {name: replace(each, fails=0.1, silent=0.05) for name, each in telecom_world.gateways.items()}
            return replace(telecom_world, gateways=gateways), textbook
        case "churn":
            behaviours = {
                name: replace(each, churn_suspended=0.05, churn_contact=0.2, contacts_tolerated=1)
                for name, each in telecom_world.behaviours.items()
            }
            return replace(telecom_world, behaviours=behaviours), textbook
        case "write-offs":
            return telecom_world, replace(
                textbook, plans={name: given_up(plan) for name, plan in textbook.plans.items()}
            )
        case _:
            return telecom_world, textbook


def disputing(scenario: Scenario) -> dict[str, Behaviour]:
    """Everybody disputes a third of the invoices, and pays in parts."""
    return {
        name: replace(
            each,
            claim_days=9,
            types=tuple(replace(of, claim_rate=0.3, partial_probability=0.5) for of in each.types),
        )
        for name, each in scenario.behaviours.items()
    }


def given_up(plan: Plan) -> Plan:
    """The plan with another end: a write-off, or an agency."""
    kind = "write_off" if plan.name == "internet" else "place"
    measures = [each for each in plan.measures if each.kind not in ("terminate", "legal")]
    return replace(plan, measures=(*measures, Measure(name="give-up", kind=kind, target="billing", day=80)))


WORLDS = ("telecom", "agency", "card", "soft", "balances", "claims", "failures", "churn", "write-offs")


@pytest.mark.parametrize("name", WORLDS)
def test_in_a_replay(name: str) -> None:
    """Every command, at its instant, for its reason; nothing that the world tells is refused."""
    scenario, policy = the(name)
    lines, asked, until = lived(scenario, policy)
    replay = Replay(policy, confirm=False)
    events = list(replay.run((Line("lab", number, line) for number, line in enumerate(lines, 1)), until))
    assert not rejections(events)
    assert len(asked) > 50
    assert commands(events) == asked


@pytest.mark.parametrize("name", WORLDS)
def test_what_is_not_worth_telling(name: str) -> None:
    """To tell the domain everything, or only what it could act upon, is the same: the sums, and each debt's state."""
    scenario, policy = the(name)
    whole = Branch(scenario, policy, 5, 0, 0, watched=range(scenario.accounts))
    lean = Branch(scenario, policy, 5, 0, 0)
    for one, other in zip(whole.run().frames("p", 0), lean.run().frames("p", 0), strict=True):
        assert one.equals(other)
    for account, profile in lean.cases.profiles.items():
        if not lean.cases.resting[account]:
            assert _state(profile) == _state(whole.cases.profiles[account])
        if not profile.closed and profile.ledger_kind == "invoices":
            owed = lean.books.outstanding[account] - lean.books.prepaid[account]
            assert lean.cases.resting[account] or profile.ledger.debt() - profile.ledger.prepaid() == owed
    assert lean.cases.messages <= whole.cases.messages


def _state(profile: Profile) -> tuple[object, ...]:
    run = profile.run
    done = (run.fired, run.issued, run.opened_at) if run is not None else None
    return profile.wake_at, profile.outside, profile.runs, profile.contacts, profile.ledger.debt(), done


def test_on_the_real_store(tmp_path: Path) -> None:
    """The same through the engine that production runs, on SQLite, profiles frozen and thawed."""
    # Breakers hold commands back until people let them go: the laboratory has none, nor has a replay.
    policy = replace(telecom(), breakers=())
    lines, asked, until = lived(shipped("telecom", 100, 150), policy, 3)
    published = worked_by_engine(lines, policy, tmp_path / "dms.db", until)
    assert not rejections(published)
    assert commands(published) == asked
