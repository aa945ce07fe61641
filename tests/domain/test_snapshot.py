"""A profile can be put away at any time and taken out again, and its journal is enough to make it anew."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from domain import evolve, messages
from domain.calendar import NEVER
from domain.events import MeasureRequested
from domain.journal import FACTS, fact_name, rebuild, same
from domain.profile import NO_DAY, Profile
from domain.snapshot import FORMAT, State, UnknownFormat, freeze, thaw
from tests.domain.wild_story import LEDGERS, STEPS, Life, Step
from tests.domain.world import ACCEPTED, Story, block, file, on, policy, terminate


def plain(value: object) -> bool:
    """Whether a value is built of plain ones: tuples outside of dicts, lists inside."""
    if isinstance(value, tuple):
        return all(plain(each) for each in value)
    if isinstance(value, dict):
        return all(isinstance(name, str) and as_in_json(each) for name, each in value.items())
    return value is None or type(value) in (int, str, bool, float)


def as_in_json(value: object) -> bool:
    if isinstance(value, list):
        return all(as_in_json(each) for each in value)
    if isinstance(value, dict):
        return plain(value)
    return not isinstance(value, tuple) and plain(value)


@given(LEDGERS, STEPS)
@settings(max_examples=200, deadline=None)
def test_a_profile_that_is_frozen_and_thawed_is_the_same_profile(ledger: str, steps: list[Step]) -> None:
    profile = Life(ledger).live(steps).profile
    profile.version = 12
    state = freeze(profile)
    again = thaw("A", state)
    assert repr(freeze(again)) == repr(state)
    assert same(again, profile)
    assert (again.version, again.wake_at) == (12, profile.wake_at)


@given(LEDGERS, STEPS)
@settings(max_examples=200, deadline=None)
def test_a_life_goes_the_same_way_whether_or_not_it_is_put_away_at_every_step(ledger: str, steps: list[Step]) -> None:
    once = Life(ledger).live(steps)
    often = Life(ledger, refrozen=True).live(steps)
    assert often.facts == once.facts
    assert freeze(often.profile) == freeze(once.profile)


@given(LEDGERS, STEPS, STEPS)
@settings(max_examples=100, deadline=None)
def test_what_was_frozen_does_not_change_with_the_profile(ledger: str, steps: list[Step], more: list[Step]) -> None:
    life = Life(ledger).live(steps)
    state = freeze(life.profile)
    before = repr(state)
    taken_out = Life(ledger).live(steps)
    taken_out.profile = thaw("A", state)
    life.live(more)
    taken_out.live(more)
    assert repr(state) == before


@given(LEDGERS, STEPS)
@settings(max_examples=100, deadline=None)
def test_a_state_is_made_of_plain_values(ledger: str, steps: list[Step]) -> None:
    assert plain(freeze(Life(ledger).live(steps).profile))


def test_nobody_by_hand_is_kept_and_no_other_state_differs_for_it() -> None:
    """A state of before does not know of it, and the journal may: they count as the same."""
    profile = Profile("A")
    before = freeze(profile)
    evolve.evolve(profile, messages.ManagerAssigned(1, None, "hanna", ""))
    after = freeze(profile)
    assert thaw("A", after).declined
    assert not thaw("A", before).declined
    assert after[3] == (*before[3], True)  # type: ignore[misc]
    assert same(thaw("A", before), profile)


@given(LEDGERS, STEPS)
@settings(max_examples=200, deadline=None)
def test_the_journal_is_enough_to_make_the_profile_anew(ledger: str, steps: list[Step]) -> None:
    life = Life(ledger).live(steps)
    again = rebuild("A", life.facts)
    assert same(again, life.profile)
    assert again.version == len(life.facts)
    assert {fact_name(fact) for fact in life.facts} <= set(FACTS)


def test_items_are_shared_again_by_what_refers_to_them() -> None:
    life = Life().owes(1000, "03-20").owes(500, "03-10", "I2").pays(700, "P")
    assert life.tell(messages.ClaimOpened, "C", "I1", 100) == "accepted"
    ledger = thaw("A", freeze(life.profile)).ledger
    first, second = ledger.items["I1"], ledger.items["I2"]
    assert ledger.payments["P"].paid == (second.arrival, 500, first.arrival, 200)
    assert ledger.claims is not None
    assert ledger.claims["C"].item is first
    assert ledger.open_items == (first,)
    assert ledger.credits is None


def test_prepayments_wait_in_the_order_in_which_they_came() -> None:
    life = Life().owes(100, "03-20")
    assert life.tell(messages.InvoiceAdjusted, "I1", -150, "goodwill") == "accepted"
    life.pays(30, "P1")
    assert life.tell(messages.InvoiceAdjusted, "I1", -7, "more of it") == "accepted"
    ledger = thaw("A", freeze(life.profile)).ledger
    assert ledger.credits is not None
    assert [credit.rest for credit in ledger.credits] == [50, 30, 7]
    assert ledger.credits[1] is ledger.payments["P1"]


def test_what_nobody_has_heard_of_can_be_frozen_too() -> None:
    assert same(thaw("A", freeze(Profile("A"))), Profile("A"))


def test_profiles_differ_by_id_and_by_what_happened_but_not_by_timer() -> None:
    life = Life().owes()
    other = thaw("A", freeze(life.profile))
    other.wake_at = NEVER
    other.version = 99
    assert same(life.profile, other)
    assert not same(life.profile, thaw("B", freeze(life.profile)))
    assert not same(life.profile, Life().profile)


def test_what_an_older_program_did_not_keep_is_no_difference() -> None:
    """An instalment schedule, an approval outside of runs that was refused, a head's no to a manager, and a version
    that came upon an amended run: the journal gives more than the states of then."""
    rules = policy(block(1), file(5), terminate(30, approval="head"))
    story = Story(rules).owes()
    assert story.tell(messages.InstalmentsAgreed, "S", ((on("03-02"), 1),)) == ACCEPTED
    assert story.tell(messages.ManagerAssigned, None, "hanna", "") == ACCEPTED
    assert story.order("terminate") == story.reject("A/0/terminate") == ACCEPTED
    story.until("03-03 09:00")
    assert story.amend("block", day=3) == ACCEPTED
    story.until("03-06").under(replace(rules, version=2)).tell(messages.PolicyPublished)
    rebuilt, kept = rebuild("A", story.facts), thaw("A", freeze(story.profile))
    assert rebuilt.run is not None
    assert kept.run is not None
    kept.ids, kept.outside, kept.declined = {"S"}, {"terminate": 1}, False
    kept.run.floor_day, kept.run.version_floor = rebuilt.run.version_floor, NO_DAY
    assert freeze(rebuilt)[:-2] != freeze(kept)[:-2]
    assert same(rebuilt, kept)
    kept.run.floor_day += 1
    assert not same(rebuilt, kept)


@pytest.mark.parametrize("state", [(), (FORMAT + 1,), ("x",)], ids=["empty", "newer", "no number"])
def test_the_state_of_a_later_version_is_refused_with_one_clear_line(state: State) -> None:
    with pytest.raises(UnknownFormat, match=rf"^the state of profile 'A' .* reads 1 to {FORMAT}$"):
        thaw("A", state)


def test_every_fact_that_can_be_folded_has_a_name_in_the_journal() -> None:
    assert set(FACTS.values()) == set(evolve._FOLDS)
    assert fact_name(messages.AccountClosed(1, "left")) == "AccountClosed"
    with pytest.raises(KeyError):
        fact_name(messages.Wake(1))


def test_a_command_is_frozen_with_all_its_values() -> None:
    life = Life().owes(1000, "03-02").until("03-04 12:00")
    assert life.profile.outstanding is not None
    frozen = {sent.command.command_id: sent.command for sent in life.profile.outstanding.values()}
    thawed = thaw("A", freeze(life.profile)).outstanding
    assert thawed is not None
    assert {each: sent.command for each, sent in thawed.items()} == frozen
    assert all(type(command) is MeasureRequested for command in frozen.values())
    assert len(frozen) == 2
