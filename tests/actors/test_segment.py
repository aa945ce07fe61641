"""The segment supervisor: it activates profiles, hands them their errands, and outlives whichever of them fails."""

from collections.abc import Sequence

import pytest

from actors.errand import Arrival, Errand
from actors.lane import LaneRef
from actors.profile import Crew
from actors.segment import Adopt, Batch, Dismiss, SegmentSupervisor
from domain import events as e
from domain import messages as m
from domain.policy import Attribute, Policy, Segment
from domain.profile import Profile
from domain.record import Record
from domain.snapshot import freeze, thaw
from engine.lanes import InlineLane
from tests.domain.world import at, attribute, block, file, line, on, plan, policy, shown

NOON = at("03-01 12:00")
DECLARED = {"tier": Attribute(name="tier", type="string")}
SEGMENTS = Segment(name="vip", plan="soft", when=attribute("tier", "A")), Segment(name="everyone", plan="plan")
RULES = policy(block(1), file(2), plans=[plan("soft", file(20))], segments=SEGMENTS, attributes=DECLARED)

POISON = e.OverdueCleared(NOON)
"""No message: whoever is told it fails."""


def account(instant: int = NOON, tier: str = "B") -> Record:
    return m.AccountUpdated(instant, "account", "person", "RUB", None, None, {"tier": tier})


def invoice(instant: int = NOON) -> Record:
    return m.InvoiceIssued(instant, "I1", 1_000, on("02-20"), on("03-02"))


def payment(instant: int, amount: int = 1_000) -> Record:
    return m.PaymentReceived(instant, f"P{instant}", amount)


class House:
    """The supervisors of a lane, as an engine uses them: a profile's errand goes to the segment that has it."""

    def __init__(self, rules: Policy = RULES, active_max: int = 0) -> None:
        self.lane = InlineLane("house")
        self.crew = Crew(rules, active_max=active_max)
        self.supervisors: dict[str | None, LaneRef[SegmentSupervisor]] = {}
        for name in (None, *(segment.name for segment in rules.segments)):
            self.supervisors[name] = SegmentSupervisor.start(name, self.crew, self.supervisors, lane=self.lane)
        self.replies: list[Batch] = []

    def works(self, segment: str | None, *errands: Errand) -> Batch:
        """One batch for a segment; all that follows on the lane happens before it returns."""
        batch = Batch(list(errands), self.replies.append)
        before = len(self.replies)
        self.supervisors[segment].tell(batch)
        self.lane.run()
        assert self.replies[before:] == [batch], "a batch is answered once"
        return batch

    def active(self, segment: str | None) -> list[str]:
        """The profiles that a segment holds, in order of last use."""
        return list(self.supervisors[segment]._actor.profiles)


def errand(profile_id: str, *messages: Record, until: int = 0, profile: Profile | None = None) -> Errand:
    each = Errand(profile_id, [Arrival(message, None) for message in messages], until)
    each.profile = profile
    return each


def everyone(*profile_ids: str, active_max: int = 0) -> House:
    """A house whose profiles of the segment ``everyone`` have come in, each owing 1,000 since the 2nd."""
    house = House(active_max=active_max)
    for profile_id in profile_ids:
        house.works(None, errand(profile_id, account(), invoice()))
    return house


def told(facts: Sequence[Record]) -> list[str]:
    wanted = e.RunOpened, e.RunClosed, e.MeasureRequested
    return [f"{shown(fact.at)} {line(fact)}" for fact in facts if isinstance(fact, wanted)]


# Working.


def test_a_batch_is_worked_in_its_order_and_answered_when_all_is_done() -> None:
    house = everyone("A", "B", "C")
    batch = house.works("everyone", *(errand(name, until=at("03-03 12:00")) for name in "CAB"))
    assert [told(each.facts) for each in batch.errands] == [["03-03 00:00 run 1 opens", "03-03 10:00 block"]] * 3
    assert [each.profile_id for each in batch.errands] == ["C", "A", "B"] == house.active("everyone")
    assert (batch.moved, batch.passivated) == ([], [])


def test_batches_for_one_profile_that_wait_on_the_lane_are_worked_one_after_the_other() -> None:
    house = everyone("A")
    first = errand("A", payment(at("03-01 13:00"), 400))
    second = errand("A", payment(at("03-01 14:00"), 600))
    for each in (first, second):
        house.supervisors["everyone"].tell(Batch([each], house.replies.append))
    house.lane.run()
    assert (first.version + len(first.facts), second.profile and second.profile.ledger.debt()) == (second.version, 0)


def test_a_profile_that_is_not_active_is_woken_from_what_the_engine_brings() -> None:
    [asleep] = everyone("A").works("everyone", errand("A", until=at("03-03 12:00"))).errands
    assert asleep.state is not None
    fresh = House()
    batch = fresh.works("everyone", errand("A", until=at("03-05"), profile=thaw("A", asleep.state)))
    assert told(batch.errands[0].facts) == ["03-04 10:00 file"]
    assert fresh.active("everyone") == ["A"]


def test_the_same_batches_do_the_same() -> None:
    def once() -> list[Record]:
        house = everyone("A", "B", active_max=1)
        first = house.works("everyone", errand("A", payment(at("03-04"), 10), until=at("03-06")))
        return first.errands[0].facts

    assert once() == once()


# Moving between segments.


def test_a_new_account_moves_from_those_not_yet_known_to_its_segment() -> None:
    house = House()
    batch = house.works(None, errand("A", account(tier="A")), errand("B", account()))
    assert batch.moved == [("A", "vip"), ("B", "everyone")]
    assert (house.active(None), house.active("vip"), house.active("everyone")) == ([], ["A"], ["B"])


def test_a_profile_that_changes_its_segment_goes_there_with_all_that_it_knows() -> None:
    house = everyone("A")
    house.works("everyone", errand("A", until=at("03-03 12:00")))
    batch = house.works("everyone", errand("A", account(at("03-03 12:00"), tier="A")))
    assert (batch.moved, house.active("everyone")) == ([("A", "vip")], [])
    later = house.works("vip", errand("A", until=at("04-01")))
    assert told(later.errands[0].facts) == ["03-22 10:00 file"]
    assert later.errands[0].version == batch.errands[0].version + len(batch.errands[0].facts)


def test_a_profile_whose_segment_nobody_supervises_stays_where_it_is() -> None:
    house = everyone("A")
    del house.supervisors["vip"]
    batch = house.works("everyone", errand("A", account(at("03-02"), tier="A")))
    assert (batch.moved, house.active("everyone")) == ([], ["A"])


def test_one_that_arrives_from_a_sibling_is_the_last_used() -> None:
    house = everyone("A", "B")
    ref = house.supervisors["everyone"]._actor.profiles.pop("A")
    house.supervisors["everyone"].tell(Adopt("A", ref))
    house.lane.run()
    assert house.active("everyone") == ["B", "A"]


# Failing.


@pytest.mark.parametrize("failing", ["A", "B", "C"])
def test_a_failing_profile_is_alone(failing: str) -> None:
    """Its errand says why; the others of the batch are worked, and the profile is woken again by its next errand."""
    house = everyone("A", "B", "C")
    errands = [
        errand(name, *([POISON] if name == failing else []), until=at("03-03 12:00")) for name in ("A", "B", "C")
    ]
    batch = house.works("everyone", *errands)
    failures = {each.profile_id: type(each.failure) for each in batch.errands if each.failure is not None}
    assert failures == {failing: KeyError}
    assert [told(each.facts)[1:] for each in batch.errands if each.failure is None] == [["03-03 10:00 block"]] * 2
    assert house.active("everyone") == [name for name in "ABC" if name != failing]
    again = house.works("everyone", errand(failing, account(), invoice(), until=at("03-03 12:00")))
    assert again.errands[0].failure is None


def test_the_errand_of_a_failed_profile_names_the_suspect_by_how_many_were_handled() -> None:
    house = everyone("A")
    failed = errand("A", payment(NOON, 1), payment(NOON + 1, 2), POISON, payment(NOON + 2, 3))
    assert house.works("everyone", failed).errands[0].handled == 2
    assert (failed.state, house.active("everyone")) == (None, [])


def test_a_failed_profile_is_neither_moved_nor_let_go_of_as_idle() -> None:
    house = everyone("A", active_max=1)
    batch = house.works("everyone", errand("A", account(at("03-02"), tier="A"), POISON))
    assert (batch.moved, batch.passivated, house.active("everyone"), house.active("vip")) == ([], [], [], [])


def test_a_profile_that_fails_leaves_its_supervisor_alive_for_the_next_batch() -> None:
    house = everyone("A", "B")
    for _ in range(3):
        house.works("everyone", errand("A", POISON))
    assert told(house.works("everyone", errand("B", until=at("03-03 12:00"))).errands[0].facts)[1:] == [
        "03-03 10:00 block"
    ]


def test_dismissed_profiles_are_forgotten_and_wake_from_what_was_committed() -> None:
    house = everyone("A", "B")
    house.supervisors["everyone"].tell(Dismiss(("A", "nobody")))
    house.lane.run()
    assert house.active("everyone") == ["B"]
    state = freeze(Profile("A"))
    [woken] = house.works("everyone", errand("A", account(), profile=thaw("A", state))).errands
    assert woken.version == 0


# Letting go.


def test_those_idle_longest_are_let_go_of_when_there_are_too_many() -> None:
    house = everyone("A", "B", "C", active_max=2)
    assert house.active("everyone") == ["A", "B", "C"], "it adopted them without a batch of its own"
    batch = house.works("everyone", errand("B", until=NOON + 1))
    assert (batch.passivated, house.active("everyone")) == (["A"], ["C", "B"])


def test_nobody_is_let_go_of_in_the_batch_that_works_them() -> None:
    house = everyone("A", "B", "C", active_max=1)
    batch = house.works("everyone", *(errand(name, until=NOON + 1) for name in "ABC"))
    assert (batch.passivated, house.active("everyone")) == ([], ["A", "B", "C"])
    assert house.works("everyone", errand("C", until=NOON + 2)).passivated == ["A", "B"]


def test_one_that_waits_for_its_account_stays_until_its_time_is_over() -> None:
    house = House()
    assert house.works(None, errand("A", invoice())).passivated == []
    assert house.active(None) == ["A"]
    late = errand("A", until=at("03-01 12:10") + 1)
    assert house.works(None, late).passivated == ["A"]
    assert [each.refusal.reason for each in late.refused] == ["unknown_subject"]
    assert house.active(None) == []


def test_an_account_event_that_is_refused_leaves_nobody_behind() -> None:
    house = House()
    wrong = m.AccountUpdated(NOON, "account", "person", "USD", None, None, {})
    assert (house.works(None, errand("A", wrong)).passivated, house.active(None)) == (["A"], [])
